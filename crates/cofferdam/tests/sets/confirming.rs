//! Finding out where a tool loads from, and the owner's word on it.

use super::scene::{DECLINED, POLICY, Scene, USAGE};
use std::os::unix::fs::PermissionsExt as _;

const NPMRC: &str =
    "registry=https://packages.test/npm/\n//packages.test/npm/:_authToken=npm_plantedZ0123456789abcd\n";

#[test]
fn a_set_that_was_never_confirmed_is_refused_in_three_lines_and_nothing_starts() {
    let scene = Scene::new();
    let run = scene.run(&["run", "--allow", "npm", "--", "true"]);
    run.assert_refused(POLICY, &["npm", "not confirmed", "cofferdam sets confirm npm"]);
    scene.run(&["run", "--allow", "npmm", "--", "true"]).assert_refused(USAGE, &["npmm", "github-read"]);
    scene.run(&["run", "--allow", "github-push(acme)", "--", "true"]).assert_refused(USAGE, &["OWNER/REPO"]);
    scene.run(&["sets", "confirm", "anthropic"]).assert_refused(USAGE, &["anthropic", "npm"]);
}

#[test]
fn off_a_terminal_only_the_named_hosts_are_confirmed() {
    let scene = Scene::new();
    scene.settings(".npmrc", "registry=https://packages.test/npm/\n");
    let confirm = |more: &[&str]| scene.run(&[&["sets", "confirm", "npm", "--no-trial"], more].concat());
    assert!(confirm(&[]).stderr().contains("--hosts packages.test"));
    confirm(&[]).assert_exit(DECLINED);
    confirm(&["--yes", "--hosts", "other.test"]).assert_exit(DECLINED);
    confirm(&["--yes"]).assert_refused(USAGE, &["--hosts"]);
    assert!(!scene.file("npm").exists());
    let report = confirm(&["--yes", "--hosts", "packages.test", "--json"]).assert_success().json();
    assert_eq!(report["places"][0]["url"], "https://packages.test/npm/");
    assert_eq!(scene.file("npm").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    scene.run(&["run", "--allow", "npm", "--", "true"]).assert_success();
}

#[test]
fn explain_and_sets_show_each_place_and_a_change_of_settings_is_refused_by_name() {
    let scene = Scene::new();
    scene.settings(".npmrc", "registry=https://packages.test/npm/\n");
    let state = |set: &str| {
        let listed = scene.run(&["sets", "--json"]).assert_success().json();
        let all = listed.as_array().unwrap().clone();
        all.into_iter().find(|row| row["set"] == set).unwrap()["state"].as_str().unwrap().to_owned()
    };
    assert_eq!((state("npm"), state("openai")), ("unconfirmed".into(), "ready".into()));
    scene.confirm("npm", &["packages.test".to_owned()]);
    assert_eq!(state("npm"), "confirmed");
    let explained = scene.run(&["explain", "--allow", "npm"]).assert_success().stdout();
    assert!(
        explained.contains("packages.test:443/npm/*") && explained.contains("the set npm"),
        "{explained}"
    );
    scene.settings(".npmrc", "registry=https://elsewhere.test/\n");
    assert_eq!(state("npm"), "changed");
    let run = scene.run(&["run", "--allow", "npm", "--", "true"]);
    run.assert_refused(POLICY, &["https://elsewhere.test/ is new", "cofferdam sets confirm npm"]);
}

#[test]
fn settings_of_the_workspace_count_for_nothing() {
    let scene = Scene::new();
    scene.settings(".npmrc", "registry=https://packages.test/npm/\n");
    scene.project(".npmrc", "registry=https://evil.test/\n");
    scene.project("pip.conf", "[global]\nindex-url = https://evil.test/\n");
    scene.project(".cargo/config.toml", "[source.crates-io]\nreplace-with = 'x'\n");
    let shown = scene.run(&["sets", "--json"]).assert_success().stdout();
    assert!(shown.contains("packages.test") && !shown.contains("evil.test"), "{shown}");
}

#[test]
fn a_login_of_the_settings_becomes_a_secret_and_stands_in_no_file_of_ours() {
    let scene = Scene::new();
    scene.settings(".npmrc", NPMRC);
    scene.confirm("npm", &["packages.test".to_owned()]);
    let secrets = scene.run(&["secret", "ls", "--json"]).assert_success().json();
    assert_eq!(secrets[0]["name"], "npm-packages-test");
    assert_eq!(secrets[0]["entry"]["source"], "setting:npm:packages.test");
    let run = scene.session("npm", &[], "env; cat ~/.npmrc 2>/dev/null || true; npm config get registry");
    run.assert_success();
    assert!(run.stdout().contains("https://packages.test/npm/"), "{run}");
    assert!(!run.stdout().contains("plantedZ"), "{run}");
    let mut waiting = vec![scene.home.config(), scene.home.state()];
    while let Some(path) = waiting.pop() {
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                waiting.push(path);
            } else if let Ok(bytes) = std::fs::read(&path) {
                assert!(!bytes.windows(8).any(|window| window == b"plantedZ"), "{}", path.display());
            }
        }
    }
}

/// A tool with places compiled into it: it says where it loads from by asking.
const TOOL: &str = "#!/bin/sh\nask() { curl -sf -m 5 -o /dev/null \"$1\"; }\n\
                    ask https://index.compiled.test/npm/ini; ask https://store.compiled.test/files/ini/-/ini-1.0.0.tgz\n\
                    ask https://telemetry.compiled.test/\nexit 1\n";

#[test]
fn what_is_compiled_into_a_tool_is_observed_in_a_cell_and_confirmed_by_name() {
    let scene = Scene::new();
    scene.settings(".local/bin/npm", TOOL);
    let tool = scene.home.home().join(".local/bin/npm");
    std::fs::set_permissions(tool, std::fs::Permissions::from_mode(0o755)).unwrap();
    let confirm = |hosts: &str| {
        scene.run(&["sets", "confirm", "npm", "--tools", "local-bin", "--yes", "--hosts", hosts])
    };
    let run = confirm("index.compiled.test");
    run.assert_exit(DECLINED);
    assert!(run.stderr().contains("store.compiled.test"), "{run}");
    assert!(!scene.file("npm").exists());
    let run = confirm("index.compiled.test,store.compiled.test,telemetry.compiled.test");
    run.assert_success();
    assert!(run.stderr().contains("not part of the set: GET telemetry.compiled.test"), "{run}");
    let shown = scene.run(&["sets", "show", "npm"]).assert_success().stdout();
    for place in ["index https://index.compiled.test/npm/", "files https://store.compiled.test/files/"] {
        assert!(shown.contains(place), "{shown}");
    }
    assert!(!shown.contains("telemetry"), "a host that the set can do nothing at is not granted: {shown}");
    // Nothing is left of the cell that it ran in.
    assert_eq!(scene.run(&["ls", "--json"]).assert_success().json(), serde_json::json!([]));
}

#[test]
fn on_a_terminal_the_owner_is_asked_and_a_no_writes_nothing() {
    let scene = Scene::new();
    scene.settings(".npmrc", "registry=https://packages.test/npm/\n");
    for (answer, says, is_there) in [("n\r", "nobody said yes", false), ("y\r", "confirmed", true)] {
        let mut terminal = scene.cofferdam(&["sets", "confirm", "npm", "--no-trial"]).terminal(24, 100);
        terminal.wait_for("load from here?");
        terminal.send(answer);
        terminal.wait_for(says);
        terminal.finish();
        assert_eq!(scene.file("npm").exists(), is_there, "{answer:?}");
    }
}
