//! Declared against measured, in our own cell and elsewhere; and that nothing planted stays behind.

use std::time::Duration;

use cofferdam_testkit::{until, until_within};
use rustix::process::Signal;

use super::scene::{Scene, sum, with};

/// The share of what can be tried that must be reached where nothing encloses the probe, in percent.
const REACHED_PERCENT_MIN: u64 = 95;
/// The least that is held in each radius, for an ordinary user too.
const HELD_MIN: u64 = 15;
/// What both scenes hold at the least.
const SCENE_PATHS_MIN: usize = 50;
/// How long it may take until what a killed collector planted is gone.
const TIDYING: Duration = Duration::from_secs(60);

#[test]
fn what_is_reached_in_our_own_cell_is_what_is_granted() {
    let scene = Scene::set();
    let (ran, record) = scene.probe(&[]);
    assert_eq!(with(&record, "reached"), Vec::<String>::new());
    assert_eq!(with(&record, "inconclusive"), Vec::<String>::new());
    assert_eq!(with(&record, "declared").len(), 1, "{record}");
    assert_eq!((record["cut_short"].as_str(), ran.status.code()), (None, Some(0)), "{}", ran.stderr());
    for tally in record["radii"].as_array().unwrap() {
        assert!(tally["held"].as_u64().unwrap() >= HELD_MIN, "{tally}");
    }
    assert_eq!(record["enclosure"]["name"], "cofferdam");
    assert!(record["cut_short"].is_null());
}

#[test]
fn without_any_grant_nothing_is_reached_at_all() {
    let scene = Scene::set();
    let (ran, record) = scene.probe(&["--no-planted-grant"]);
    for verdict in ["reached", "inconclusive", "declared"] {
        assert_eq!(with(&record, verdict), Vec::<String>::new());
    }
    assert_eq!((record["cut_short"].as_str(), ran.status.code()), (None, Some(0)), "{}", ran.stderr());
}

#[test]
fn what_the_flags_show_is_declared_and_no_more_than_that() {
    let scene = Scene::set();
    let (ran, record) = scene.probe(&["--mount", "/tmp", "--env", "LANG"]);
    assert_eq!(with(&record, "reached"), Vec::<String>::new());
    let declared = with(&record, "declared");
    assert!(declared.iter().any(|told| told.contains("file-host-tmp")), "{declared:?}");
    assert_eq!((record["cut_short"].as_str(), ran.status.code()), (None, Some(0)), "{}", ran.stderr());
}

#[test]
fn where_nothing_encloses_it_the_probe_reaches_what_it_aims_at_and_says_so() {
    let scene = Scene::set();
    let (ran, record) = scene.probe(&["--against", "none"]);
    assert_eq!(ran.status.code(), Some(1), "{}", ran.stderr());
    let (reached, held) = (sum(&record, "reached"), sum(&record, "held") + sum(&record, "inconclusive"));
    let missed = [with(&record, "held"), with(&record, "inconclusive")].concat();
    assert!(reached * 100 >= (reached + held) * REACHED_PERCENT_MIN, "{missed:#?}");
}

#[test]
fn nothing_that_was_planted_stays_behind() {
    let scene = Scene::set();
    // What our own program keeps of itself is there from its first start on.
    scene.home.cofferdam().args(["ls"]).run().assert_success();
    let before = scene.paths();
    scene.probe(&["--against", "none"]);
    assert_eq!(scene.paths(), before, "left by a run without an enclosure");
    scene.probe(&["--only", "file-"]);
    let after = scene.paths();
    let strange: Vec<_> = after.difference(&before).filter(|path| !is_own(path)).collect();
    assert!(strange.is_empty(), "{strange:?}");
    scene.home.wait_until_quiet();
    let sessions = scene.home.cofferdam().args(["--json", "ls"]).run().json();
    assert_eq!(sessions.as_array().map(Vec::len), Some(0));
}

/// What `cofferdam` keeps: nothing of it is the probe's.
fn is_own(path: &std::path::Path) -> bool {
    path.components().any(|part| part.as_os_str() == "cofferdam")
}

#[test]
fn an_enclosure_that_ends_the_probe_midway_still_yields_what_was_learnt_so_far() {
    let scene = Scene::set();
    let before = scene.paths();
    let (ran, record) = scene.probe(&["--against", "timeout -s KILL 0.7 {}"]);
    assert_eq!(ran.status.code(), Some(1), "{}", ran.stderr());
    assert!(record["cut_short"].is_string(), "{}", record["cut_short"]);
    assert!(sum(&record, "reached") > 0, "{record}");
    assert!(!with(&record, "inconclusive").is_empty());
    assert_eq!(scene.paths(), before);
}

#[test]
fn a_sandbox_that_is_missing_is_said_and_not_measured() {
    let scene = Scene::set();
    let ran = scene.home.cofferdam().args(["probe", "--against", "landrun"]).env("PATH", "/nowhere").run();
    let error = ran.stderr();
    assert!(error.contains("landrun does not start"), "{error}");
    assert_eq!(error.trim_end().lines().count(), 3, "{error}");
}

#[test]
fn a_command_without_a_place_for_the_probe_is_refused() {
    let scene = Scene::set();
    let ran = scene.home.cofferdam().args(["probe", "--against", "true"]).run();
    assert!(ran.stderr().contains("{}"), "{}", ran.stderr());
}

/// What one of them did would be there for the other, and be taken for what the enclosure holds.
#[test]
fn an_enclosure_that_starts_the_probe_twice_is_not_measured() {
    let scene = Scene::set();
    let against = ["probe", "--only", "file-", "--against"];
    let ran = scene.home.cofferdam().args(against).args(["{}; {}"]).run();
    assert!(ran.stderr().contains("it started the probe 2 times"), "{}", ran.stderr());
    assert_eq!(ran.stderr().trim_end().lines().count(), 3, "{}", ran.stderr());
}

#[test]
fn a_strange_umask_changes_no_verdict() {
    let scene = Scene::set();
    let script = "umask 777; exec \"$@\"";
    scene.home.cofferdam().args(["ls"]).run().assert_success();
    let cofferdam = scene.home.probe().with_file_name("cofferdam");
    let run = scene.home.invoke("/bin/sh").args(["-c", script, "sh"]).arg(cofferdam);
    let record = run.args(["--json", "probe", "--only", "review-new", "--against", "none"]).run().json();
    assert!(sum(&record, "reached") > 0, "{record}");
    assert_eq!(with(&record, "held"), Vec::<String>::new());
}

#[test]
fn whoever_ends_the_collector_leaves_nothing_behind() {
    // The second leaves the session and the process group that the collector knows.
    let ways = [(Signal::INT, "none"), (Signal::KILL, "none"), (Signal::KILL, "setsid -w {}")];
    for (signal, enclosure) in ways {
        let scene = Scene::set();
        scene.home.cofferdam().args(["ls"]).run().assert_success();
        let before = scene.paths();
        let running = scene.home.cofferdam().args(["probe", "--against", enclosure]).start();
        until("the scenes to be set", || {
            (scene.paths().len() > before.len() + SCENE_PATHS_MIN).then_some(())
        });
        running.signal(signal);
        until_within(TIDYING, "the scenes to be gone", || (scene.paths() == before).then_some(()));
        scene.home.wait_until_quiet();
        assert_eq!(scene.paths(), before, "nobody made anything anew");
    }
}
