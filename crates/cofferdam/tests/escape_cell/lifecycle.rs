//! Nothing outlives a session: however it ends, and whoever of those that hold it is killed.

use std::fs;

use cofferdam_testkit::{Process, Tree, until};

use super::scene::Scene;

/// A session with programs that do all they can to stay: daemonised, in the background, in sessions of their own.
const NAME: &str = "clinging";

/// Those that hold a session, from outside to inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    Supervisor,
    Guardian,
    Init,
    Program,
}

/// How many processes of the clinging session there are inside, at least: two programs and three daemons.
const CLINGING_MIN: usize = 5;

fn cling(scene: &Scene) {
    let probe = scene.home.probe().display().to_string();
    let script = "\"$1\" outlive /tmp/one 600; (setsid sleep 601 &) ; trap '' HUP TERM; sleep 602; sleep 603";
    scene.detached(NAME, ["/bin/sh", "-c", script, "sh", &probe]);
    // And from outside, a program of its own that leaves a daemon behind.
    let exec = scene.cofferdam(["exec", "-s", NAME, "--", &probe, "outlive", "/tmp/two", "600"]).run();
    exec.assert_success();
    until("the programs to have settled in", || {
        let inside = scene.home.processes().iter().filter(|process| depth(process) > 1).count();
        (inside > CLINGING_MIN).then_some(())
    });
}

/// In how many nested pid namespaces a process is.
fn depth(process: &Process) -> usize {
    namespaced_pids(process).len()
}

fn namespaced_pids(process: &Process) -> Vec<u32> {
    let status = fs::read_to_string(format!("/proc/{}/status", process.pid)).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
    line.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

#[track_caller]
fn pid_of(scene: &Scene, holder: Holder) -> u32 {
    let listed = scene.cofferdam(["ls", "--json"]).run().assert_success().json();
    let row = listed.as_array().unwrap().iter().find(|row| row["name"] == NAME).unwrap().clone();
    let supervisor = u32::try_from(row["supervisor_pid"].as_u64().unwrap()).unwrap();
    let found = scene.home.processes().into_iter().find(|process| {
        let pids = namespaced_pids(process);
        match holder {
            Holder::Supervisor => process.pid == supervisor,
            Holder::Guardian => pids.len() == 1 && process.command == "cofferdam-cell",
            Holder::Init => pids.len() > 1 && pids.last() == Some(&1),
            Holder::Program => process.command.starts_with("/bin/sh -c"),
        }
    });
    found.unwrap_or_else(|| panic!("no {holder:?} among {:#?}", scene.home.processes())).pid
}

#[track_caller]
fn signal(scene: &Scene, signal: &str, pid: u32) {
    scene.home.invoke("kill").arg(signal).arg(pid.to_string()).run().assert_success();
}

/// Control groups that bear the session's id: there must be none after its end.
fn groups_of(scene: &Scene) -> Vec<String> {
    let ids: Vec<String> = fs::read_dir(scene.home.state().join("sessions"))
        .map(|entries| entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect())
        .unwrap_or_default();
    let mut found = Vec::new();
    let mut open = vec![std::path::PathBuf::from("/sys/fs/cgroup")];
    while let Some(directory) = open.pop() {
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
            let path = entry.path();
            let text = path.display().to_string();
            if ids.iter().any(|id| text.contains(id.as_str())) {
                found.push(text);
            }
            open.push(path);
        }
    }
    found
}

#[track_caller]
fn nothing_is_left(scene: &Scene, before: &Tree) {
    scene.home.wait_until_quiet();
    Tree::of(scene.home.work()).assert_same_as(before);
    // Whoever asks next records what happened, and clears what nobody was left to clear.
    assert_eq!(scene.state_of(NAME).as_deref(), Some("stopped"));
    assert_eq!(groups_of(scene), Vec::<String>::new());
}

#[track_caller]
fn ends_after(end: impl FnOnce(&Scene)) {
    let scene = Scene::set();
    let before = Tree::of(scene.home.work());
    cling(&scene);
    end(&scene);
    nothing_is_left(&scene, &before);
    // It is whole: it starts again on the same layers.
    scene.cofferdam(["resume", "-s", NAME, "--", "true"]).run().assert_success();
    scene.home.wait_until_quiet();
}

#[test]
fn killing_the_supervisor_ends_all() {
    ends_after(|scene| signal(scene, "-KILL", pid_of(scene, Holder::Supervisor)));
}

#[test]
fn killing_the_guardian_ends_all() {
    ends_after(|scene| signal(scene, "-KILL", pid_of(scene, Holder::Guardian)));
}

#[test]
fn killing_pid_1_from_outside_ends_all() {
    ends_after(|scene| signal(scene, "-KILL", pid_of(scene, Holder::Init)));
}

#[test]
fn killing_the_program_ends_all() {
    ends_after(|scene| signal(scene, "-KILL", pid_of(scene, Holder::Program)));
}

/// The end of the lifeline wakes it.
#[test]
fn killing_the_supervisor_while_the_guardian_is_stopped_ends_all() {
    let scene = Scene::set();
    let before = Tree::of(scene.home.work());
    let run = scene
        .cofferdam(["run", "--name", NAME, "--", "/bin/sh", "-c", "echo up; sleep 600 & sleep 601"])
        .start();
    run.wait_for_output("up");
    signal(&scene, "-STOP", pid_of(&scene, Holder::Guardian));
    signal(&scene, "-KILL", run.pid());
    nothing_is_left(&scene, &before);
}

/// In the background another process has become its parent, whose end does not come: the lifeline wakes it.
#[test]
fn killing_the_supervisor_of_a_detached_session_while_the_guardian_is_stopped_ends_all() {
    ends_after(|scene| {
        let (supervisor, guardian) = (pid_of(scene, Holder::Supervisor), pid_of(scene, Holder::Guardian));
        signal(scene, "-STOP", guardian);
        until("the guardian to be stopped", || is_stopped(guardian).then_some(()));
        signal(scene, "-KILL", supervisor);
    });
}

fn is_stopped(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && line.contains("T (stopped)"))
}

#[test]
fn killing_the_supervisor_while_pid_1_is_stopped_ends_all() {
    ends_after(|scene| {
        let supervisor = pid_of(scene, Holder::Supervisor);
        signal(scene, "-STOP", pid_of(scene, Holder::Init));
        signal(scene, "-KILL", supervisor);
    });
}

#[test]
fn killing_supervisor_and_guardian_at_once_ends_all() {
    ends_after(|scene| {
        let (supervisor, guardian) = (pid_of(scene, Holder::Supervisor), pid_of(scene, Holder::Guardian));
        let kill = scene.home.invoke("kill").args(["-KILL", &guardian.to_string(), &supervisor.to_string()]);
        kill.run().assert_success();
    });
}

#[test]
fn stop_ends_programs_that_ignore_being_asked() {
    ends_after(|scene| {
        scene.cofferdam(["stop", "--grace", "1", NAME]).run().assert_success();
    });
}

#[test]
fn stop_ends_programs_that_are_stopped_themselves() {
    ends_after(|scene| {
        scene.cofferdam(["exec", "-s", NAME, "--", "/bin/sh", "-c", "kill -STOP -1; true"]).start();
        scene.cofferdam(["stop", "--grace", "1", NAME]).run().assert_success();
    });
}

#[test]
fn the_time_limit_ends_all_and_says_so() {
    let scene = Scene::set();
    let before = Tree::of(scene.home.work());
    let script = "\"$1\" outlive /tmp/one 600; trap '' TERM; sleep 602; sleep 603";
    let run = scene.cofferdam(["run", "--name", NAME, "--limit", "time=1s", "--mount"]);
    let probe = scene.home.probe();
    let run = run.arg(probe.parent().unwrap()).args(["--", "/bin/sh", "-c", script, "sh"]).arg(&probe).run();
    run.assert_exit(212);
    nothing_is_left(&scene, &before);
    let events = scene.cofferdam(["events", NAME]).run().assert_success().stdout();
    assert!(events.contains("time"), "{events}");
}

#[test]
fn discarding_a_running_session_ends_all_and_leaves_no_file() {
    let scene = Scene::set();
    cling(&scene);
    scene.cofferdam(["discard", "-f", NAME]).run().assert_success();
    scene.home.wait_until_quiet();
    let left = fs::read_dir(scene.home.state().join("sessions")).unwrap().count();
    assert_eq!(left, 0, "sessions left in the state directory");
    assert_eq!(scene.state_of(NAME), None);
}
