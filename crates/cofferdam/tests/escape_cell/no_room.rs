//! An agent that fills the disk takes neither the owner's view of its session nor the way to end and remove it.
//!
//! A full file system over a copy of the ledger, in a mount namespace of the test's own, stands in for a full disk; for
//! a supervisor that runs, a limit on the size of its files.

use cofferdam_testkit::{Invocation, Outcome, Owner};

use super::OWNER;
use super::scene::Scene;

const LEDGER: u8 = 210;

/// The command, with a ledger that can't grow.
fn without_room(scene: &Scene, words: &[&str]) -> Outcome {
    let unshare: &[&str] = match OWNER {
        Owner::Root => &["--mount"],
        Owner::Ordinary => &["--user", "--map-current-user", "--keep-caps", "--mount"],
    };
    let ledger = scene.home.state().join("ledger").display().to_string();
    let script = "set -e; kept=$(mktemp -d); cp -a \"$0/.\" $kept; mount -t tmpfs -o size=1M,mode=700 tmpfs \"$0\"
        cp -a $kept/. \"$0\"; rm -r $kept; dd if=/dev/zero of=\"$0/filling\" bs=4k 2>/dev/null || :; exec \"$@\"";
    let cofferdam = scene.cofferdam(words).command();
    let run = scene.home.invoke("unshare").in_directory(scene.project()).args(unshare);
    run.args(["--", "/bin/sh", "-c", script, &ledger]).arg(cofferdam.get_program()).args(words).run()
}

/// `cofferdam`, started by a shell.
fn shell(scene: &Scene, script: &str, words: &[&str]) -> Invocation {
    let cofferdam = scene.cofferdam(words).command();
    let shell = scene.home.invoke("sh").in_directory(scene.project()).args(["-c", script, "sh"]);
    shell.arg(cofferdam.get_program()).args(words)
}

fn supervisor_of(scene: &Scene, name: &str) -> u64 {
    let listed = scene.cofferdam(["ls", "--json"]).run().assert_success().json();
    let row = listed.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone();
    row["supervisor_pid"].as_u64().unwrap()
}

#[test]
fn without_room_an_abandoned_session_is_shown_and_can_be_discarded() {
    let scene = Scene::set();
    let script = "echo x > made; sleep 1000";
    scene.cofferdam(["run", "-d", "--name", "full", "--", "/bin/sh", "-c", script]).run().assert_success();
    let exec = ["exec", "-s", "full", "--", "/bin/sh", "-c", "until test -s made; do sleep 0.01; done"];
    scene.cofferdam(exec).run().assert_success();
    let supervisor = supervisor_of(&scene, "full").to_string();
    scene.home.invoke("kill").args(["-KILL", &supervisor]).run().assert_success();
    scene.home.wait_until_quiet();

    let listed = without_room(&scene, &["ls", "--json"]);
    assert_eq!(listed.assert_success().json()[0]["state"], "stopped", "{listed}");
    let shown = without_room(&scene, &["show", "full"]);
    assert!(shown.assert_success().stdout().contains("made"), "{shown}");
    // The control: nothing can be recorded.
    without_room(&scene, &["resume", "-s", "full"]).assert_refused(LEDGER, &["no room"]);
    // Here no room comes of it; the files go all the same, and the rest is said.
    let session = |scene: &Scene| std::fs::read_dir(scene.home.state().join("sessions")).unwrap().count();
    assert_eq!(session(&scene), 1);
    without_room(&scene, &["discard", "-f", "full"]).assert_refused(LEDGER, &["files are gone", "again"]);
    assert_eq!(session(&scene), 0);
    scene.cofferdam(["discard", "-f", "full"]).run().assert_success();
    assert_eq!(scene.state_of("full"), None);
}

#[test]
fn what_cannot_be_recorded_is_refused_and_does_not_end_the_session() {
    let scene = Scene::set();
    let run = ["run", "-d", "--name", "full", "--", "/bin/sh", "-c", "sleep 1000"];
    shell(&scene, "trap '' XFSZ; exec \"$@\"", &run).run().assert_success();
    let supervisor = supervisor_of(&scene, "full").to_string();
    let limit = |size: &str| {
        let prlimit = scene.home.invoke("prlimit").args(["--pid", &supervisor, size]);
        prlimit.run().assert_success();
    };
    let exec = || scene.cofferdam(["exec", "-s", "full", "--", "/bin/echo", "inside"]).run();
    assert_eq!(exec().assert_success().stdout(), "inside\n", "the control");
    limit("--fsize=0:unlimited");
    exec().assert_refused(LEDGER, &["cannot record", "disk full"]);
    assert_eq!(scene.state_of("full").as_deref(), Some("running"), "it goes on");
    limit("--fsize=unlimited:unlimited");
    assert_eq!(exec().assert_success().stdout(), "inside\n", "and serves again");
    scene.cofferdam(["stop", "full", "--grace", "0"]).run().assert_success();
}
