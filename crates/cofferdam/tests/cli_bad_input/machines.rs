//! Machines that can't enforce what is promised, and surroundings that make no sense.

use super::scene::{CELL, STATE, Scene};
use cofferdam_testkit::{Invocation, Owner};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

/// The command in a user namespace of its own, in which no further ones can be made.
fn without_user_namespaces(scene: &Scene) -> Invocation {
    let cofferdam = scene.cofferdam().command().get_program().to_owned();
    let forbid = "echo 0 >/proc/sys/user/max_user_namespaces; exec \"$@\"";
    let script = match scene.home.owner() {
        Owner::Ordinary => format!("exec unshare -U --map-current-user --keep-caps sh -c '{forbid}' sh \"$@\""),
        // All ids are mapped, as root of the host would find them.
        Owner::Root => format!(
            "mkfifo ../go; unshare -U --keep-caps sh -c 'read _ <../go; {forbid}' sh \"$@\" </dev/null &
             until [ \"$(readlink /proc/$!/ns/user)\" != \"$(readlink /proc/self/ns/user)\" ]; do sleep 0.01; done
             echo '0 0 4294967295' >/proc/$!/uid_map; echo '0 0 4294967295' >/proc/$!/gid_map; echo >../go; wait $!
             code=$?; rm ../go; exit $code"
        ),
    };
    let shell = scene.home.invoke("sh").args(["-c", script.as_str(), "sh"]).arg(cofferdam);
    shell.in_directory(scene.home.work().join("project"))
}

#[test]
fn no_user_namespaces() {
    let scene = Scene::new();
    let run = without_user_namespaces(&scene).args(["run", "--", "true"]).run();
    run.assert_refused(CELL, &["namespaces", "sysctl user.max_user_namespaces"]);
    scene.assert_no_session();
}

/// As in a rootless container: root, but of one id only.
#[test]
fn root_of_a_container_that_has_no_ids_to_give_away() {
    let scene = Scene::new();
    let cofferdam = scene.cofferdam().command().get_program().to_owned();
    let run = scene.home.invoke("unshare").args(["-U", "--map-root-user"]).arg(cofferdam);
    let run = run.args(["run", "--", "true"]).in_directory(scene.home.work().join("project"));
    scene.refused(run, 203, &["container", "ordinary user"]);
}

#[test]
fn a_home_that_is_not_set_or_does_not_exist() {
    let scene = Scene::new();
    let run = || scene.cofferdam().args(["run", "--", "true"]);
    scene.refused(run().without_env("HOME"), STATE, &["HOME"]);
    scene.refused(run().env("HOME", "/nonexistent"), STATE, &["HOME"]);
    scene.refused(run().env("HOME", "relative"), STATE, &["HOME"]);
}

#[test]
fn a_state_directory_that_is_a_file_or_can_not_be_written_or_could_be_by_others() {
    let scene = Scene::new();
    let file = scene.home.write("elsewhere/cofferdam", "a file\n");
    let base = file.parent().unwrap().to_path_buf();
    let run = || scene.cofferdam().args(["run", "--", "true"]).env("XDG_STATE_HOME", &base);
    scene.refused(run(), STATE, &["cofferdam"]);
    fs::remove_file(&file).unwrap();
    if scene.home.owner() == Owner::Ordinary {
        fs::set_permissions(&base, fs::Permissions::from_mode(0o500)).unwrap();
        scene.refused(run(), STATE, &["elsewhere"]);
        fs::set_permissions(&base, fs::Permissions::from_mode(0o700)).unwrap();
    }
    scene.home.directory(&file);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o777)).unwrap();
    let refused = run().run();
    assert!(matches!(refused.status.code(), Some(0 | 214)), "{refused}");
    let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    assert!(refused.status.code() == Some(214) || mode == 0o700, "others may write the state: {mode:o}");
}

#[test]
fn a_damaged_ledger_is_said_and_not_made_anew() {
    let scene = Scene::new();
    scene.cofferdam().args(["run", "--rm", "--", "true"]).run().assert_success();
    let ledger = scene.home.state().join("ledger");
    let garbage = vec![b'x'; 8192];
    for entry in fs::read_dir(&ledger).unwrap().flatten() {
        fs::write(entry.path(), &garbage).unwrap();
    }
    let run = scene.cofferdam().args(["run", "--", "true"]).run();
    run.assert_refused(210, &["ledger"]);
    assert_eq!(fs::read(ledger.join("ledger.db")).unwrap(), garbage);
}
