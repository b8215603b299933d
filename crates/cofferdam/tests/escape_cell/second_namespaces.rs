//! Of user and mount namespaces a cell needs two of each: what could not be had with one is the wall between the agent
//! and what its cell is made of.
//!
//! For the ordinary user only: root of a namespace of the test's own is refused before it comes so far.

use super::fail_open::{CELL, In, hindered, is_refused};
use super::scene::Scene;

#[test]
fn without_a_second_user_or_mount_namespace_nothing_runs() {
    let scene = Scene::set();
    for kind in ["user", "mnt"] {
        let limit = |count: u32| format!("echo {count} > /proc/sys/user/max_{kind}_namespaces");
        let run = hindered(&scene, In::UserNamespace, &[], &limit(1));
        is_refused(&run, &[CELL]);
        assert!(run.stderr().contains(&format!("sysctl user.max_{kind}_namespaces=")), "{kind}: {run}");
        let run = hindered(&scene, In::UserNamespace, &[], &limit(ENOUGH));
        assert_eq!(run.assert_success().stdout(), "ran\n", "the control: {kind}: {run}");
    }
    scene.home.wait_until_quiet();
}

/// Far less than usual; until it is attached, each source counts as a mount namespace.
const ENOUGH: u32 = 300;
