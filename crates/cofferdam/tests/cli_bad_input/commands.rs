//! Commands that can't be started in a cell.

use super::scene::{COMMAND, Scene, USAGE};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn a_command_that_is_not_there_can_not_be_executed_or_is_a_directory() {
    let scene = Scene::new();
    let garbage = scene.repo().write("garbage", "\x01\x02 no program\n");
    fs::set_permissions(&garbage, fs::Permissions::from_mode(0o755)).unwrap();
    for command in ["/nonexistent", "nonexistent", "./file", "./below", "", "./garbage", "./file/x"] {
        scene.refused(scene.cofferdam().args(["run", "--", command]), COMMAND, &["try:", command]);
    }
}

#[test]
fn a_name_that_moves_the_cursor_is_named_harmlessly() {
    let scene = Scene::new();
    let run = scene.cofferdam().args(["run", "--", "no\u{1b}[2Jsuch"]);
    let refused = scene.refused(run, COMMAND, &["such"]);
    assert!(!refused.stderr().contains('\u{1b}'), "{refused}");
}

#[test]
fn a_command_of_the_owners_home_is_not_there_unless_it_was_granted() {
    let scene = Scene::new();
    let tool = scene.home.write(scene.home.home().join("bin/tool"), "#!/bin/sh\n");
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    let run = scene.cofferdam().args(["run", "--"]).arg(&tool);
    scene.refused(run, COMMAND, &["--tools", "--mount"]);
}

#[test]
fn the_same_in_a_running_session_leaves_it_running() {
    let scene = Scene::new();
    scene.cofferdam().args(["run", "-d", "--name", "job", "--", "sleep", "1000"]).run().assert_success();
    for command in ["/nonexistent", "./file", "./below", ""] {
        let exec = scene.cofferdam().args(["exec", "-s", "job", "--", command]).run();
        exec.assert_refused(COMMAND, &["try:", command]);
    }
    scene.cofferdam().args(["exec", "-s", "job"]).run().assert_refused(USAGE, &["command"]);
    scene.cofferdam().args(["exec", "-s", "job", "--", "true"]).run().assert_success();
    scene.cofferdam().args(["attach", "job"]).run().assert_refused(USAGE, &["terminal", "logs"]);
    scene.cofferdam().args(["stop", "job", "--grace", "0"]).run().assert_success();
}

#[test]
fn what_resumes_badly_keeps_its_changes() {
    let scene = Scene::new();
    let run = ["run", "--name", "one", "--", "sh", "-c", "echo x >new"];
    scene.cofferdam().args(run).run().assert_success();
    let resume = scene.cofferdam().args(["resume", "-s", "one", "--", "/nonexistent"]).run();
    resume.assert_refused(COMMAND, &["try:"]);
    let read = scene.cofferdam().args(["resume", "-s", "one", "--", "cat", "new"]).run();
    assert_eq!(read.assert_success().stdout(), "x\n");
}

/// The first line of the README, for somebody who has the agent from npm.
#[test]
fn a_command_that_only_the_owner_has_is_found_and_its_flags_are_named() {
    let scene = Scene::new();
    let home = scene.home.home();
    let program = |below: &str| {
        let path = scene.home.write(home.join(below), "#!/bin/sh\n");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    program(".npm-global/bin/claude");
    program(".npm-global/bin/eslint");
    program("own/thing");
    let path = format!("{0}/.npm-global/bin:{0}/own:/usr/bin:/bin", home.display());
    for (command, flags) in [
        ("claude", "--tools node --agent-home claude -- claude".to_owned()),
        ("eslint", "--tools node -- eslint".to_owned()),
        ("thing", format!("--mount {0}/own -- {0}/own/thing", home.display())),
    ] {
        let run = scene.cofferdam().env("PATH", &path).args(["run", "--", command]);
        scene.refused(run, COMMAND, &[command, "outside it is", &flags]);
    }
}
