//! Floods: of the log, of a reader that does not read, of inodes.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use cofferdam_testkit::{Process, until};

use super::scene::Scene;

/// Two files of 16 MiB that take turns, and a portion more.
const LOG_BYTES_MAX: u64 = 34 << 20;
const FLOOD_SECONDS_MAX: u64 = 100;

#[test]
fn a_flood_of_output_is_kept_up_to_a_bound_and_its_end_is_there() {
    let scene = Scene::set();
    let script = "head -c 50000000 /dev/zero | tr '\\0' x; echo; echo the-end";
    let run = scene.cofferdam(["run", "--name", "flood", "--", "/bin/sh", "-c", script]);
    let run = run.run_within(Duration::from_secs(FLOOD_SECONDS_MAX));
    assert!(run.assert_success().stdout.len() > 50_000_000, "the control: the owner gets all of it");
    let bytes: u64 = fs::read_dir(scene.home.state().join("sessions"))
        .unwrap()
        .flatten()
        .flat_map(|session| fs::read_dir(session.path()).unwrap().flatten())
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("log"))
        .map(|entry| entry.metadata().unwrap().len())
        .sum();
    assert!((1 << 20..LOG_BYTES_MAX).contains(&bytes), "{bytes} bytes are kept");
    let logs = scene.cofferdam(["logs", "flood"]).run_within(Duration::from_secs(FLOOD_SECONDS_MAX));
    assert!(logs.assert_success().stdout().ends_with("the-end\n"));
}

/// The most that a supervisor may hold of what nobody reads.
const SUPERVISOR_RSS_KIB_MAX: u64 = 64 << 10;

#[test]
fn a_flood_that_nobody_reads_takes_no_memory_and_can_be_stopped() {
    let scene = Scene::set();
    let mut run = scene.cofferdam(["run", "--name", "unread", "--", "yes"]).command();
    let mut run = run.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    until("the flood to run", || (scene.state_of("unread").as_deref() == Some("running")).then_some(()));
    // Long enough for a hundred megabytes, if anybody took them.
    std::thread::sleep(Duration::from_secs(2));
    let rss = |pid: u32| -> u64 {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        line.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or(u64::MAX)
    };
    assert!(rss(run.id()) < SUPERVISOR_RSS_KIB_MAX, "{} KiB", rss(run.id()));
    scene.cofferdam(["stop", "--grace", "0", "unread"]).run().assert_success();
    let inside = |process: &Process| process.command == "yes";
    assert!(!scene.home.processes().iter().any(inside), "{:?}", scene.home.processes());
    drop(run.stdout.take());
    run.wait().unwrap();
    scene.home.wait_until_quiet();
}

/// More than any file system of a cell has inodes.
const INODES_TRIED: &str = "cap-inodes=1200000";

#[test]
fn a_flood_of_empty_files_ends_before_the_machines_memory() {
    let scene = Scene::set();
    let run = scene.probe(["--rm"]).args(["try", "flood-inodes", INODES_TRIED]);
    let held = run.run_within(Duration::from_secs(FLOOD_SECONDS_MAX)).assert_success().json();
    assert_eq!((&held["outcome"], &held["errno"]), (&"refused".into(), &"ENOSPC".into()), "{held}");
    // The control: what is below the bound is free, also for the next session.
    let free = scene.probe(["--rm"]).args(["try", "flood-inodes", "cap-inodes=1000"]).run().json();
    assert_eq!(free["outcome"], "reached", "{free}");
    scene.detached("calm", ["sleep", "1000"]);
    scene.cofferdam(["stop", "--grace", "0", "calm"]).run().assert_success();
}
