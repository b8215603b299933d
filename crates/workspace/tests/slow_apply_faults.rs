//! The hard promise of apply, undo and recovery, with the program killed or failed at every call that changes the disk.
//!
//! Small trees; strace (its own descendants only) kills or fails one call of each run. Every run is followed by a
//! recovery, and then the tree is wholly before or wholly after.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, also in its helpers")]

mod faults;
#[path = "slow_apply_faults/scene.rs"]
mod scene;

use faults::{Call, End, Stage as _, in_parallel};
use scene::{Scene, Where, is_turning_point};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// What an owner does in the tree.
type OwnersAct = fn(&Path);

const ACTS: [&str; 2] = ["apply", "undo"];

fn killed_everywhere(place: Where) {
    for act in ACTS {
        let calls = Scene::ready(place, act).calls(act);
        assert!(calls.len() > 40, "{calls:?}");
        let between = in_parallel(&calls, |call| {
            let scene = Scene::ready(place, act);
            let end = scene.run_killed(act, call);
            assert_eq!(end, End::Killed, "{act} {call:?}");
            let is_between = !scene.is_before() && !scene.is_after();
            assert_eq!(scene.run("recover"), End::Done, "after {act} {call:?}");
            scene.assert_whole(&format!("{act} killed at {call:?}"));
            assert_eq!(scene.run("recover"), End::Done, "again after {act} {call:?}");
            scene.assert_goes_on(act, &format!("{act} killed at {call:?}"));
            is_between
        });
        // The control: without the recovery these trees would have stayed half done.
        let between = between.into_iter().filter(|is_between| *is_between).count();
        assert!(between > 5, "{act}: only {between} of {} kills left the tree in between", calls.len());
    }
}

#[test]
fn killed_at_every_call_the_tree_is_before_or_after_once_recovered() {
    killed_everywhere(Where::Beside);
}

#[test]
fn killed_at_every_call_with_the_state_on_another_file_system_it_is_before_or_after() {
    killed_everywhere(Where::Elsewhere);
}

fn recovery_killed_everywhere(place: Where) {
    for act in ACTS {
        let mut pairs = Vec::new();
        for first in Scene::ready(place, act).calls(act).iter().filter(|call| is_turning_point(call)) {
            let scene = Scene::ready(place, act);
            scene.run_killed(act, first);
            pairs.extend(scene.calls("recover").into_iter().map(|second| (first.clone(), second)));
        }
        assert!(pairs.len() > 100, "{}", pairs.len());
        in_parallel(&pairs, |(first, second)| {
            let scene = Scene::ready(place, act);
            scene.run_killed(act, first);
            assert_eq!(
                scene.run_killed("recover", second),
                End::Killed,
                "{act} {first:?}, recover {second:?}"
            );
            assert_eq!(scene.run("recover"), End::Done, "{act} {first:?}, recover {second:?}");
            scene.assert_whole(&format!("{act} killed at {first:?}, recovery at {second:?}"));
        });
    }
}

#[test]
fn killed_at_every_call_of_the_recovery_too_it_is_before_or_after() {
    recovery_killed_everywhere(Where::Beside);
}

#[test]
fn killed_at_every_call_of_the_recovery_with_the_state_elsewhere_it_is_before_or_after() {
    recovery_killed_everywhere(Where::Elsewhere);
}

fn failed_everywhere(place: Where, from_then_on: bool) {
    for act in ACTS {
        let calls = Scene::ready(place, act).calls(act);
        let cases: Vec<(Call, &str)> = calls
            .iter()
            .flat_map(|call| ["ENOSPC", "EROFS", "EIO"].map(|errno| (call.clone(), errno)))
            .collect();
        in_parallel(&cases, |(call, errno)| {
            let scene = Scene::ready(place, act);
            let told = format!("{act} with {errno} at {call:?}, from then on: {from_then_on}");
            match scene.run_failed(act, call, errno, from_then_on).0 {
                End::Done => assert!(scene.is_after_act(act), "{told}: it says that it is done"),
                End::Refused => assert!(scene.is_before_act(act), "{told}: it says that nothing changed"),
                End::Unsettled => {}
                end @ (End::Abandoned | End::Killed | End::Other(_)) => panic!("{told}: {end:?}"),
            }
            assert_eq!(scene.run("recover"), End::Done, "{told}");
            scene.assert_whole(&told);
        });
    }
}

#[test]
fn where_one_call_fails_the_tree_is_before_or_after_at_once() {
    failed_everywhere(Where::Beside, false);
}

#[test]
fn where_one_call_fails_with_the_state_elsewhere_the_tree_is_before_or_after() {
    failed_everywhere(Where::Elsewhere, false);
}

#[test]
fn where_a_full_or_broken_disk_stays_so_the_next_recovery_settles_it() {
    failed_everywhere(Where::Beside, true);
}

#[test]
fn a_file_system_that_cannot_exchange_is_named_and_nothing_is_done() {
    let calls = Scene::ready(Where::Beside, "apply").calls("apply");
    let scene = Scene::ready(Where::Beside, "apply");
    let exchange = calls.into_iter().find(|call| call.name == "renameat2").unwrap();
    let (end, told) = scene.run_failed("apply", &exchange, "EINVAL", true);
    assert_eq!(end, End::Refused, "{told}");
    assert!(told.contains("it cannot exchange two files in one step"), "{told}");
    assert!(scene.is_before());
    scene.assert_nothing_left();
}

/// Starts the apply so slowly that the owner can act between two exchanges, and acts when `edited` has been put.
fn meanwhile(act: impl FnOnce(&Scene)) -> (Scene, End, String) {
    let scene = Scene::ready(Where::Beside, "apply");
    let slow = scene.start_slowly("apply");
    scene.wait_until(|scene| scene.read("edited") == "new a\n");
    act(&scene);
    let (end, told) = slow.finished();
    (scene, end, told)
}

#[test]
fn what_the_owner_does_to_a_path_before_its_exchange_stops_all_and_stays() {
    let acts: [(&str, OwnersAct); 6] = [
        ("script", |tree| fs::remove_file(tree.join("script")).unwrap()),
        ("new", |tree| fs::write(tree.join("new"), "owner").unwrap()),
        ("link", |tree| {
            fs::write(tree.join("link.swp"), "owner").unwrap();
            fs::rename(tree.join("link.swp"), tree.join("link")).unwrap();
        }),
        ("swapped", |tree| fs::write(tree.join("swapped"), "owner").unwrap()),
        ("swapped", |tree| {
            fs::remove_file(tree.join("swapped")).unwrap();
            symlink("/etc", tree.join("swapped")).unwrap();
        }),
        ("swapped", |tree| {
            fs::remove_file(tree.join("swapped")).unwrap();
            fs::create_dir_all(tree.join("swapped/own")).unwrap();
        }),
    ];
    for (path, act) in acts {
        let (scene, end, told) = meanwhile(|scene| act(&scene.tree()));
        assert_eq!(end, End::Refused, "{path}: {told}");
        assert!(told.contains(&format!("path: \"{path}\"")), "{path}: {told}");
        let expected = Scene::ready(Where::Beside, "apply");
        act(&expected.tree());
        assert!(scene.looks_like(&expected), "{path}: {told}");
        scene.assert_nothing_left();
    }
}

#[test]
fn what_the_owner_writes_into_a_file_that_was_just_put_stays_when_all_else_is_taken_back() {
    let (scene, end, told) = meanwhile(|scene| {
        fs::write(scene.tree().join("edited"), "owner").unwrap();
        fs::write(scene.tree().join("swapped"), "owner").unwrap();
    });
    assert_eq!(end, End::Abandoned, "{told}");
    let expected = Scene::ready(Where::Beside, "apply");
    fs::write(expected.tree().join("edited"), "owner").unwrap();
    fs::write(expected.tree().join("swapped"), "owner").unwrap();
    assert!(scene.looks_like(&expected), "{told}");
    assert_eq!(scene.run("recover"), End::Done);
    assert!(scene.looks_like(&expected), "{told}");
}
