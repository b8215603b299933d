//! Directories that can't be workspaces.

use super::OWNER;
use super::scene::{Scene, UNENFORCEABLE, WORKSPACE};
use cofferdam_testkit::Owner;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

#[test]
fn a_file_nothing_the_root_the_home_and_what_holds_it() {
    let scene = Scene::new();
    let home = scene.home.home();
    let above = scene.home.root();
    let places =
        [OsStr::new("file"), OsStr::new("missing"), OsStr::new("/"), home.as_os_str(), above.as_os_str()];
    for place in places {
        scene.run_refused(&[OsStr::new("-w"), place], WORKSPACE, &["workspace"]);
        scene.run_refused(&[OsStr::new("--copy"), OsStr::new("-w"), place], WORKSPACE, &["workspace"]);
    }
    for current in [home.as_path(), std::path::Path::new("/"), std::path::Path::new("/tmp")] {
        let run = scene.home.cofferdam().args(["run", "--", "true"]).in_directory(current);
        scene.refused(run, WORKSPACE, &["workspace"]);
    }
}

#[test]
fn directories_of_the_system_and_our_own() {
    let scene = Scene::new();
    for place in ["/etc", "/usr/lib", "/proc", "/dev/shm", "/sys", "/tmp", "/var", "/home"] {
        if std::path::Path::new(place).exists() {
            scene.run_refused(&["-w", place], WORKSPACE, &["workspace"]);
        }
    }
    let state = scene.home.directory(scene.home.state().join("mine"));
    for place in [state.as_path(), &scene.home.state(), &scene.home.home().join(".local")] {
        scene.run_refused(&[OsStr::new("-w"), place.as_os_str()], WORKSPACE, &["state"]);
    }
}

#[test]
fn one_workspace_in_another_in_either_order_and_through_a_link() {
    let scene = Scene::new();
    std::os::unix::fs::symlink("below", scene.home.work().join("project/link")).unwrap();
    for pair in [[".", "below"], ["below", "."], [".", "link"]] {
        scene.run_refused(&["-w", pair[0], "-w", pair[1]], WORKSPACE, &["one another"]);
    }
}

#[test]
fn names_that_can_be_neither_shown_nor_typed() {
    let scene = Scene::new();
    for name in [b"new\nline".as_slice(), b"escape\x1b[31m", b"not-utf8-\xff"] {
        let place = scene.home.directory(OsStr::from_bytes(name));
        let run = scene.home.cofferdam().args(["run", "--", "true"]).in_directory(&place);
        let refused = scene.refused(run, WORKSPACE, &["plain path"]);
        assert!(!refused.stderr().contains('\x1b'), "{refused}");
        let mount = [b"--mount=".as_slice(), place.as_os_str().as_bytes()].concat();
        let run = scene.cofferdam().arg("run").arg(OsStr::from_bytes(&mount)).args(["--", "true"]).run();
        assert!(matches!(run.status.code(), Some(201 | WORKSPACE_CODE)), "{run}");
        assert_eq!(run.stderr().lines().count(), 3, "{run}");
    }
}

const WORKSPACE_CODE: i32 = WORKSPACE as i32;

/// A FUSE file system, mounted where only this test's own mount namespace sees it.
#[test]
fn a_file_system_that_carries_no_overlay_needs_a_copy() {
    let scene = Scene::new();
    scene.home.write("source/file", "content\n");
    let mounted = scene.home.directory("mounted");
    let cofferdam = scene.cofferdam().command().get_program().to_owned();
    let script = "bindfs -o allow_other source mounted || exit 99
        as() { if [ \"$2\" = 0 ]; then shift 2; \"$@\"; else u=$2; shift 2; setpriv --reuid=$u --regid=$u --clear-groups \"$@\"; fi; }
        cd mounted
        as uid $2 \"$1\" run -- true; echo overlay $? >&2
        as uid $2 \"$1\" run --copy -- cat file; echo copy $? >&2
        as uid $2 \"$1\" run -w ../project --mount $PWD:/data -- true; echo mount $? >&2
        cd ..; umount mounted";
    // Mounting is root's; the command is started as the owner.
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(&cofferdam).arg(scene.home.uid().to_string());
    command.env_clear().envs(scene.cofferdam().command().get_envs().filter_map(|(k, v)| Some((k, v?))));
    let run = command.current_dir(scene.home.work()).stdin(std::process::Stdio::null()).output().unwrap();
    let stderr = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success(), "this half needs root, /dev/fuse and bindfs: {stderr}");
    assert!(stderr.contains("FUSE") && stderr.contains("--copy"), "{stderr}");
    for line in ["overlay 204\n", "copy 0\n"] {
        assert!(stderr.contains(line), "{line:?} is missing: {stderr}");
    }
    // Where ids must be mapped it can't be mounted either.
    let mount = if OWNER == Owner::Root { "mount 209\n" } else { "mount 0\n" };
    assert!(stderr.contains(mount), "{stderr}");
    assert_eq!(String::from_utf8_lossy(&run.stdout), "content\n", "{stderr}");
    assert!(fs::read_dir(&mounted).unwrap().next().is_none());
    scene.home.wait_until_quiet();
}

#[test]
fn a_limit_of_the_machine_is_no_reason_to_go_on_without() {
    let scene = Scene::new();
    scene.run_refused(&["--limit", "disk=1G", "--copy"], UNENFORCEABLE, &["disk"]);
}
