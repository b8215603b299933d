//! The limit on processes is the cell's, in both modes.

use crate::Promise;
use crate::scene::{Owner, Scene};
use std::process::{Child, Command};

pub(crate) const PROMISES: &[Promise] = &[
    ("a_fork_bomb_is_bounded_by_the_cells_own_limit", fork_bomb),
    ("two_commands_in_a_cell_share_its_limit", shared),
    ("the_owners_other_processes_do_not_count", others),
];

const PROCESSES_MAX: u64 = 30;
/// Starts as many as it is let, and says how many.
const BOMB: &str = "perl -e 'while (1) { my $p = fork; last unless defined $p; $p or do { sleep 1000; exit }; $n++ } print $n'";

fn scene(owner: Owner) -> Scene {
    let mut scene = Scene::of(owner);
    scene.processes_max = PROCESSES_MAX;
    scene
}

fn started(text: &str) -> u64 {
    text.trim().parse().unwrap_or_else(|_| panic!("no number: {text}"))
}

fn fork_bomb(owner: Owner) {
    let scene = scene(owner);
    let cell = scene.start();
    let (text, _) = cell.script(&scene.workspace(), &bomb_that_lets_go());
    let number = started(&text);
    assert!((PROCESSES_MAX - 6..PROCESSES_MAX).contains(&number), "{number}");
}

/// The sleepers must not hold the pipe that the count is read from.
fn bomb_that_lets_go() -> String {
    BOMB.replace("do { sleep", "do { close STDOUT; close STDERR; sleep")
}

fn shared(owner: Owner) {
    let scene = scene(owner);
    let cell = scene.start();
    let sleepers = "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1000 > /dev/null 2>&1 & done";
    cell.script(&scene.workspace(), sleepers);
    let (text, _) = cell.script(&scene.workspace(), &bomb_that_lets_go());
    let number = started(&text);
    assert!((PROCESSES_MAX - 16..PROCESSES_MAX - 9).contains(&number), "{number}");
}

fn others(owner: Owner) {
    let mut running: Vec<Child> =
        (0..PROCESSES_MAX + 10).map(|_| Command::new("sleep").arg("1000").spawn().unwrap()).collect();
    let scene = scene(owner);
    let cell = scene.start();
    let (text, _) = cell.script(&scene.workspace(), &bomb_that_lets_go());
    for child in &mut running {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let number = started(&text);
    assert!((PROCESSES_MAX - 6..PROCESSES_MAX).contains(&number), "{number}");
}
