//! The hard promise of checkpoints: killed or failed at every call that changes the disk, in taking one, in restoring one
//! and in the recovery itself, the layers are wholly before or wholly after once the next command has run.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, also in its helpers")]

mod faults;
#[path = "slow_checkpoint_faults/scene.rs"]
mod scene;

use faults::{Call, End, Stage as _, in_parallel};
use scene::Scene;

const ACTS: [&str; 2] = ["take", "restore"];

#[test]
fn killed_at_every_call_the_layers_are_before_or_after_once_recovered() {
    for act in ACTS {
        let calls = Scene::ready().calls(act);
        assert!(calls.len() > 25, "{calls:?}");
        let between = in_parallel(&calls, |call| {
            let scene = Scene::ready();
            assert_eq!(scene.run_killed(act, call), End::Killed, "{act} {call:?}");
            let is_between = !scene.is_before() && !scene.is_after();
            assert_eq!(scene.run("recover"), End::Done, "after {act} {call:?}");
            scene.assert_whole(act, &format!("{act} killed at {call:?}"));
            assert_eq!(scene.run("take"), End::Done, "and on after {act} {call:?}");
            is_between
        });
        // The control: without the recovery these layers would have stayed half restored.
        let between = between.into_iter().filter(|is_between| *is_between).count();
        assert_eq!(between > 0, act == "restore", "{act}: {between} of {} were in between", calls.len());
    }
}

#[test]
fn killed_at_every_call_of_the_recovery_too_they_are_before_or_after() {
    let mut pairs = Vec::new();
    let turning = |call: &Call| matches!(call.name.as_str(), "renameat2" | "mkdirat");
    for first in Scene::ready().calls("restore").into_iter().filter(turning) {
        let scene = Scene::ready();
        scene.run_killed("restore", &first);
        pairs.extend(scene.calls("recover").into_iter().map(|second| (first.clone(), second)));
    }
    assert!(pairs.len() > 50, "{}", pairs.len());
    in_parallel(&pairs, |(first, second)| {
        let scene = Scene::ready();
        let told = format!("restore killed at {first:?}, recovery at {second:?}");
        scene.run_killed("restore", first);
        assert_eq!(scene.run_killed("recover", second), End::Killed, "{told}");
        assert_eq!(scene.run("recover"), End::Done, "{told}");
        scene.assert_whole("restore", &told);
    });
}

fn failed_everywhere(from_then_on: bool) {
    for act in ACTS {
        let calls = Scene::ready().calls(act);
        let cases: Vec<(Call, &str)> = calls
            .iter()
            .flat_map(|call| ["ENOSPC", "EROFS", "EIO"].map(|errno| (call.clone(), errno)))
            .collect();
        in_parallel(&cases, |(call, errno)| {
            let scene = Scene::ready();
            let told = format!("{act} with {errno} at {call:?}, from then on: {from_then_on}");
            match scene.run_failed(act, call, errno, from_then_on).0 {
                End::Done if act == "restore" => assert!(scene.is_after(), "{told}"),
                End::Refused => assert!(scene.is_before() || scene.is_after(), "{told}"),
                End::Done | End::Unsettled => {}
                end @ (End::Abandoned | End::Killed | End::Other(_)) => panic!("{told}: {end:?}"),
            }
            assert_eq!(scene.run("recover"), End::Done, "{told}");
            scene.assert_whole(act, &told);
        });
    }
}

#[test]
fn where_one_call_fails_the_layers_are_before_or_after() {
    failed_everywhere(false);
}

#[test]
fn where_a_full_or_broken_disk_stays_so_the_next_recovery_settles_it() {
    failed_everywhere(true);
}
