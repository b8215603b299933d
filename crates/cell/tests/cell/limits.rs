//! The limits of a cell: that on processes is the cell's own, in both modes, and each holds in every program.

use crate::Promise;
use crate::scene::{Owner, Scene};
use cofferdam_policy::plan::LimitedResource;
use rustix::process::{Resource, getrlimit};
use std::process::{Child, Command};

pub(crate) const PROMISES: &[Promise] = &[
    ("a_fork_bomb_is_bounded_by_the_cells_own_limit", fork_bomb),
    ("two_commands_in_a_cell_share_its_limit", shared),
    ("the_owners_other_processes_do_not_count", others),
    ("every_limit_of_the_plan_holds_in_a_program", every_limit),
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

fn every_limit(owner: Owner) {
    let scene = scene(owner);
    let (text, _) = scene.script("cat /proc/self/limits");
    let limits = scene.plan().entry.limits;
    assert!(limits.len() >= 6, "{limits:?}");
    for limit in limits {
        let (name, resource) = match limit.resource {
            LimitedResource::Processes => ("Max processes", Resource::Nproc),
            LimitedResource::OpenFiles => ("Max open files", Resource::Nofile),
            LimitedResource::Core => ("Max core file size", Resource::Core),
            LimitedResource::PendingSignals => ("Max pending signals", Resource::Sigpending),
            LimitedResource::LockedMemory => ("Max locked memory", Resource::Memlock),
            LimitedResource::MessageQueues => ("Max msgqueue size", Resource::Msgqueue),
        };
        let most = getrlimit(resource).maximum.map_or(limit.most, |ours| ours.min(limit.most)).to_string();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let (soft, hard) = line.trim().split_once(' ').unwrap();
        let hard = hard.split_whitespace().next().unwrap();
        assert_eq!((soft, hard), (most.as_str(), most.as_str()), "{name}");
    }
}
