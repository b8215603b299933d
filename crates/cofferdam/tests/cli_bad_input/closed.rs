//! What its owner can't read. Root can read everything, so these are an ordinary owner's only.

use super::scene::{Scene, WORKSPACE};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn a_directory_that_the_owner_can_not_read() {
    let scene = Scene::new();
    let closed = scene.home.directory("closed");
    let with_mode = |mode| {
        fs::set_permissions(&closed, fs::Permissions::from_mode(mode)).unwrap();
        scene.cofferdam().args(["run", "--rm", "-w"]).arg(&closed).args(["--", "true"]).run()
    };
    with_mode(0o000).assert_refused(WORKSPACE, &["read"]);
    // The control: the same once it can be read.
    with_mode(0o700).assert_success();
    scene.assert_no_session();
}
