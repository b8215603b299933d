//! A start that is killed at any of its calls, in any of its processes, leaves nothing that runs or is mounted, and
//! does not keep the next one from starting.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use cofferdam_testkit::Tree;

use super::scene::Scene;

/// Calls by which something comes to be, outside or inside, or is handed over.
const TELLING: [&str; 32] = [
    "mkdir",
    "mkdirat",
    "openat",
    "rename",
    "unlink",
    "clone",
    "clone3",
    "execve",
    "fsopen",
    "fsmount",
    "move_mount",
    "open_tree",
    "mount_setattr",
    "mount",
    "pivot_root",
    "umount2",
    "sendmsg",
    "recvmsg",
    "pwrite64",
    "fdatasync",
    "write",
    "setns",
    "unshare",
    "setresuid",
    "capset",
    "seccomp",
    "setsid",
    "prctl",
    "socketpair",
    "fchown",
    "chown",
    "landlock_restrict_self",
];
/// How many of the calls of one name a start is killed at, spread evenly: the first, the last, and between.
const OF_EACH_MAX: usize = 3;
const RUN_SECONDS_MAX: u64 = 20;

#[test]
fn a_start_killed_at_any_call_leaves_nothing_and_the_next_one_works() {
    let scene = Scene::set();
    let before = Tree::of(scene.home.work());
    scene.cofferdam(["run", "--rm", "--", "true"]).run().assert_success();
    let moments = moments(&scene);
    let mut killed = 0;
    for (call, when) in &moments {
        let inject = format!("inject={call}:signal=KILL:when={when}");
        let run = traced(&scene, &["-e", &format!("trace={call}"), "-e", &inject])
            .run_within(Duration::from_secs(RUN_SECONDS_MAX));
        killed += usize::from(!run.status.success());
        scene.home.wait_until_quiet();
    }
    assert!(killed * 2 > moments.len(), "only {killed} of {} starts were killed", moments.len());
    scene.cofferdam(["run", "--rm", "--", "true"]).run().assert_success();
    Tree::of(scene.home.work()).assert_same_as(&before);
    nothing_stays(&scene);
}

/// What killed starts left in the state directory is known, and can be removed.
fn nothing_stays(scene: &Scene) {
    let listed = scene.cofferdam(["ls", "--json"]).run().assert_success().json();
    for row in listed.as_array().unwrap() {
        let state = row["state"].as_str().unwrap();
        assert!(["stopped", "failed"].contains(&state), "{row}");
        scene.cofferdam(["discard", "-f", row["id"].as_str().unwrap()]).run().assert_success();
    }
    scene.cofferdam(["doctor", "--fix"]).run();
    let left: Vec<_> = fs::read_dir(scene.home.state().join("sessions")).unwrap().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

/// `cofferdam run --rm -- true`, traced with all that it starts.
fn traced(scene: &Scene, flags: &[&str]) -> cofferdam_testkit::Invocation {
    let product = scene.cofferdam(["run"]).command();
    let strace = scene.home.invoke("strace").args(["-f", "-qq", "-o"]).arg(scene.home.home().join("trace"));
    let strace = strace.args(flags).arg("--").arg(product.get_program()).args(["run", "--rm", "--", "true"]);
    strace.in_directory(scene.project())
}

/// The calls of one start, each with which of a process's calls of that name it is.
#[track_caller]
fn moments(scene: &Scene) -> Vec<(String, usize)> {
    traced(scene, &[]).run_within(Duration::from_secs(RUN_SECONDS_MAX)).assert_success();
    let trace = fs::read_to_string(scene.home.home().join("trace")).unwrap();
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for line in trace.lines() {
        let Some((pid, rest)) = line.split_once(' ') else { continue };
        let name = rest.trim_start().split('(').next().unwrap_or_default();
        if TELLING.contains(&name) {
            *counts.entry((name, pid)).or_default() += 1;
        }
    }
    // Each process counts for itself: the last call of one is the middle of another.
    let mut moments = BTreeSet::new();
    for ((name, _), count) in counts {
        for part in 0..OF_EACH_MAX {
            moments.insert((name.to_owned(), 1 + part * (count - 1) / (OF_EACH_MAX - 1)));
        }
    }
    assert!(moments.len() > TELLING.len(), "a start has more calls than this: {moments:?}");
    moments.into_iter().collect()
}
