//! What an agent takes all permissions from can still be looked at, gone on with and thrown away by its owner.

use super::scene::Scene;

#[test]
fn a_workspace_without_any_permission_is_reported_resumed_and_discarded() {
    let scene = Scene::set();
    let lock = "echo one > new.txt; mkdir -p a/b; echo two > a/b/deep.txt; echo more >> deep/er/file.txt; rm kept.txt
        chmod 000 a/b a deep/er deep . ~ 2> /dev/null; ! ls . 2> /dev/null";
    let run = scene.cofferdam(["run", "--json", "--name", "locked", "--", "/bin/sh", "-c", lock]).run();
    let told = run.assert_success().json()["changes"].to_string();
    let shown = scene.cofferdam(["show", "--json", "locked"]).run();
    let shown = shown.assert_success().json()["changes"].to_string();
    for path in ["new.txt", "a/b/deep.txt", "deep/er/file.txt", "kept.txt"] {
        assert!(told.contains(path), "{path} is not told at the end: {told}");
        assert!(shown.contains(path), "{path} is not shown later: {shown}");
    }
    let look = "chmod u+rwx . a a/b deep deep/er 2>&1; cat new.txt a/b/deep.txt; cat kept.txt 2> /dev/null || echo gone";
    let resumed = scene.cofferdam(["resume", "-s", "locked", "--", "/bin/sh", "-c", look]).run();
    assert_eq!(resumed.assert_success().stdout(), "one\ntwo\ngone\n", "{resumed}");
    let again = "chmod 000 a/b a deep/er deep .";
    let resumed = scene.cofferdam(["resume", "-s", "locked", "--", "/bin/sh", "-c", again]).run();
    resumed.assert_success();
    scene.cofferdam(["discard", "-f", "locked"]).run().assert_success();
    assert_eq!(scene.state_of("locked"), None);
    let left = std::fs::read_dir(scene.home.state().join("sessions")).unwrap().count();
    assert_eq!(left, 0, "files of it are left");
}
