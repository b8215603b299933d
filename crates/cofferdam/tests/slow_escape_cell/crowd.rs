//! A hundred sessions at once: each gets its own, and nothing is left of any.

use std::fs;
use std::time::Duration;

use cofferdam_testkit::{Running, Tree};

use super::scene::Scene;

const SESSIONS: usize = 100;
const ALL_SECONDS_MAX: u64 = 90;

#[test]
fn a_hundred_sessions_at_once_all_succeed_and_leave_nothing() {
    let scene = Scene::set();
    let before = Tree::of(scene.home.work());
    // Each writes where all the others would, and reads it back when all of them have had the time to.
    let script =
        "echo \"$1\" > /tmp/mine; echo \"$1\" > ~/mine; sleep 1; cat /tmp/mine ~/mine; ls /tmp | wc -l";
    let started: Vec<Running> = (0..SESSIONS)
        .map(|number| {
            let run = scene.cofferdam(["run", "--rm", "--", "/bin/sh", "-c", script, "sh"]);
            run.arg(number.to_string()).start()
        })
        .collect();
    for (number, running) in started.into_iter().enumerate() {
        let outcome = running.finish_within(Duration::from_secs(ALL_SECONDS_MAX));
        assert_eq!(outcome.assert_success().stdout(), format!("{number}\n{number}\n1\n"), "{outcome}");
    }
    scene.home.wait_until_quiet();
    Tree::of(scene.home.work()).assert_same_as(&before);
    let listed = scene.cofferdam(["ls", "--json"]).run().assert_success().json();
    assert_eq!(listed, serde_json::json!([]), "sessions that changed nothing are removed");
    assert_eq!(fs::read_dir(scene.home.state().join("sessions")).unwrap().count(), 0);
}
