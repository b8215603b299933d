//! What keeps a promise from being kept here ends in a refusal of three lines, never in a weaker session.
//!
//! Each hindrance is made in namespaces of the test's own. A kernel without Landlock cannot be made so: what follows
//! from a machine's features is a pure function, tested where it is (`cofferdam-policy`, `admission`).

use cofferdam_testkit::{Outcome, Owner};

use super::OWNER;
use super::scene::Scene;

/// What the hindrance needs to be made in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum In {
    /// A user namespace, in which the owner is who they are, and a mount namespace.
    UserNamespace,
    /// A mount namespace; an ordinary user needs a user namespace for it.
    MountNamespace,
}

/// In place of `unshare`: root of a user namespace to which all ids of the host are mapped. (With fewer the product
/// refuses before it makes any namespace, and a hindrance would prove nothing.)
const ALL_IDS: &str = "go=$(mktemp -u); mkfifo \"$go\"
    unshare --user --keep-caps --mount sh -c \"read _ <'$go'; rm '$go'; exec \\\"\\$@\\\"\" sh \"$@\" </dev/null &
    until [ \"$(readlink /proc/$!/ns/user)\" != \"$(readlink /proc/self/ns/user)\" ]; do sleep 0.01; done
    echo '0 0 4294967295' >/proc/$!/uid_map; echo '0 0 4294967295' >/proc/$!/gid_map
    echo >\"$go\"; wait $!";

/// Runs `cofferdam run` after `hindrance`, in namespaces that `unshare` makes, with these flags besides.
pub(super) fn hindered(scene: &Scene, place: In, flags: &[&str], hindrance: &str) -> Outcome {
    let cofferdam = scene.cofferdam(["run"]).command();
    // What the owner does not have outside is given up again before the product starts.
    let give_up: &str = match OWNER {
        Owner::Root => "",
        Owner::Ordinary => "setpriv --ambient-caps=-all --inh-caps=-all --",
    };
    let script = format!(
        "set -e; {hindrance}
exec {give_up} \"$@\""
    );
    let shell = match (place, OWNER) {
        (In::UserNamespace, Owner::Root) => scene.home.invoke("sh").args(["-c", ALL_IDS, "sh"]),
        (In::MountNamespace, Owner::Root) => scene.home.invoke("unshare").arg("--mount"),
        (In::UserNamespace | In::MountNamespace, Owner::Ordinary) => {
            scene.home.invoke("unshare").args(["--user", "--map-current-user", "--keep-caps", "--mount"])
        }
    };
    let shell = match place {
        In::UserNamespace => shell,
        In::MountNamespace => shell.args(flags).arg("--"),
    };
    let shell = shell.args(["/bin/sh", "-c", &script, "sh"]).arg(cofferdam.get_program());
    shell.args(["run", "--", "/bin/sh", "-c", "echo ran"]).in_directory(scene.project()).run()
}

#[track_caller]
pub(super) fn is_refused(outcome: &Outcome, codes: &[i32]) {
    assert!(!outcome.stdout().contains("ran"), "it ran all the same: {outcome}");
    assert!(codes.contains(&outcome.status.code().unwrap_or(-1)), "{outcome}");
    let stderr = outcome.stderr();
    assert_eq!(stderr.lines().count(), 3, "what, why, what to do: {outcome}");
    assert!(stderr.contains("error: ") && stderr.contains("why: ") && stderr.contains("try: "), "{outcome}");
}

/// The exit codes of what this machine cannot keep: the promise, the cell, the ledger, the state.
const UNENFORCEABLE: i32 = 203;
const WORKSPACE: i32 = 204;
pub(super) const CELL: i32 = 209;
const LEDGER: i32 = 210;
const STATE: i32 = 214;
#[test]
fn without_a_hindrance_a_session_starts_in_namespaces_of_the_tests_own() {
    let scene = Scene::set();
    let run = hindered(&scene, In::MountNamespace, &[], "true");
    assert_eq!(run.assert_success().stdout(), "ran\n", "the control of all that follow: {run}");
}

/// The control of those below: in the same place the namespaces can be made. Root of a user namespace is refused
/// later, since it can't map ids; an ordinary user's session runs.
#[test]
fn where_no_namespace_is_forbidden_the_start_comes_further() {
    let scene = Scene::set();
    let run = hindered(&scene, In::UserNamespace, &[], "true");
    match OWNER {
        Owner::Root => {
            is_refused(&run, &[CELL]);
            assert!(!run.stderr().contains("namespaces") && run.stderr().contains("ids"), "{run}");
        }
        Owner::Ordinary => assert_eq!(run.assert_success().stdout(), "ran\n", "{run}"),
    }
}

/// Each kind, and that setting is named which has to be raised.
#[test]
fn without_namespaces_of_any_kind_nothing_runs() {
    let scene = Scene::set();
    for kind in ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"] {
        let forbid = format!("echo 0 > /proc/sys/user/max_{kind}_namespaces");
        let run = hindered(&scene, In::UserNamespace, &[], &forbid);
        is_refused(&run, &[CELL]);
        let named = format!("sysctl user.max_{kind}_namespaces=");
        assert!(run.stderr().contains("namespaces: ") && run.stderr().contains(&named), "{kind}: {run}");
    }
    scene.home.wait_until_quiet();
}

#[test]
fn inside_a_container_that_masks_proc_nothing_runs() {
    let scene = Scene::set();
    let mask = "mount -t proc proc /proc; mount --bind /dev/null /proc/keys";
    is_refused(&hindered(&scene, In::MountNamespace, &["--pid", "--fork"], mask), &[UNENFORCEABLE, CELL]);
    let run = hindered(&scene, In::MountNamespace, &["--pid", "--fork"], "mount -t proc proc /proc");
    assert_eq!(run.assert_success().stdout(), "ran\n", "the control: unmasked it runs: {run}");
}

#[test]
fn where_overlays_cannot_be_stacked_further_nothing_runs() {
    let scene = Scene::set();
    let stack = format!(
        "cd {0}; mkdir -p o/1 o/2 o/3 o/m o/n; \
         mount -n -t overlay -o lowerdir=project:o/1 overlay o/m; mount -n -t overlay -o lowerdir=o/m:o/2 overlay o/n; \
         mount -n --move o/n project; cd project",
        scene.home.work().display()
    );
    is_refused(&hindered(&scene, In::MountNamespace, &[], &stack), &[UNENFORCEABLE, WORKSPACE, CELL]);
}

#[test]
fn with_a_ledger_that_cannot_be_written_nothing_runs() {
    let scene = Scene::set();
    scene.cofferdam(["run", "--rm", "--", "true"]).run().assert_success();
    let state = scene.home.state();
    let read_only =
        format!("mount --bind {0} {0}; mount -o remount,bind,ro {0}", state.join("ledger").display());
    is_refused(&hindered(&scene, In::MountNamespace, &[], &read_only), &[LEDGER]);
    let read_only = format!("mount --bind {0} {0}; mount -o remount,bind,ro {0}", state.display());
    is_refused(&hindered(&scene, In::MountNamespace, &[], &read_only), &[LEDGER, STATE]);
    scene.home.wait_until_quiet();
}

#[test]
fn with_a_full_disk_under_the_ledger_nothing_runs() {
    let scene = Scene::set();
    let state = scene.home.state();
    scene.home.directory(&state);
    let full = format!(
        "chmod 700 {0}; mount -t tmpfs -o size=256k,mode=700 tmpfs {0}; dd if=/dev/zero of={0}/filling bs=4k 2> /dev/null || :",
        state.display()
    );
    is_refused(&hindered(&scene, In::MountNamespace, &[], &full), &[LEDGER, STATE]);
    scene.home.wait_until_quiet();
}
