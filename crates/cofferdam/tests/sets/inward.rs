//! A company's mirror at a private address: asked about by host and address, opened for these alone, asked again when they
//! change.

use super::scene::{DECLINED, POLICY, Scene, place};
use cofferdam_testkit::registry::{Registry, RegistryKind};
use std::os::unix::fs::PermissionsExt as _;

const NAMES: [&str; 3] = ["packages.test", "files.packages.test", "other.packages.test"];
const MANIFEST: &str = r#"{"name":"mine","version":"1.0.0","dependencies":{"anchor":"^1.0.0"}}"#;

/// An owner whose settings name a registry on this machine.
fn scene() -> (Scene, Registry, String) {
    let scene = Scene::knowing("127.0.0.1", &NAMES);
    let registry = Registry::secure(&scene.pki, RegistryKind::Npm);
    scene.settings(".npmrc", &format!("registry={}\n", registry.url()));
    scene.project("package.json", MANIFEST);
    let at = place(&registry, "packages.test");
    (scene, registry, at)
}

#[test]
fn a_mirror_at_a_private_address_is_used_after_its_host_and_address_were_named() {
    let (scene, registry, at) = scene();
    let named = format!("--private {at}=127.0.0.1");
    let run = scene.run(&["sets", "confirm", "npm", "--yes", "--hosts", &at]);
    run.assert_exit(DECLINED);
    assert!(
        run.stderr().contains("an opening into your own machine") && run.stderr().contains(&named),
        "{run}"
    );
    let wrong = format!("{at}=10.0.0.1");
    scene
        .run(&["sets", "confirm", "npm", "--yes", "--hosts", &at, "--private", &wrong])
        .assert_exit(DECLINED);
    assert!(!scene.file("npm").exists() && registry.server().seen().is_empty(), "nobody was spoken to");
    scene.confirm_private("npm", std::slice::from_ref(&at), &[]).assert_success();
    assert!(
        registry.server().seen().iter().any(|seen| seen.path == "/ini"),
        "the tool was run and got through"
    );
    let run = scene.session("npm", &[], "npm install && node -p \"require('anchor').join()\"");
    assert!(run.stdout().contains("anchor,ballast,@dock/crane"), "{run}");
    let explained = scene.run(&["explain", "--allow", "npm"]).assert_success().stdout();
    assert!(explained.contains("an opening into your own machine: at 127.0.0.1"), "{explained}");
}

#[test]
fn on_a_terminal_the_opening_is_a_question_of_its_own_and_a_no_writes_nothing() {
    let (scene, registry, _) = scene();
    for (answer, says, is_there) in [("n\r", "nobody said yes", false), ("y\r", "confirmed", true)] {
        let mut terminal = scene.cofferdam(&["sets", "confirm", "npm", "--no-trial"]).terminal(24, 100);
        terminal.wait_for("load from here?");
        terminal.send("y\r");
        terminal.wait_for("connect there?");
        terminal.send(answer);
        terminal.wait_for(says);
        terminal.finish();
        assert_eq!(scene.file("npm").exists(), is_there, "{answer:?}");
    }
    assert!(registry.server().seen().is_empty());
}

#[test]
fn no_other_name_gets_to_the_address_that_one_was_given() {
    let (scene, registry, at) = scene();
    scene.confirm_private("npm", std::slice::from_ref(&at), &["--no-trial"]).assert_success();
    let other = place(&registry, "other.packages.test");
    let granted = format!("{other}/**");
    let run = scene.session("npm", &["--allow", &granted], &format!("curl -sS https://{other}/anchor"));
    assert!(run.to_string().contains("address-not-global"), "{run}");
    assert!(run.stderr().contains("it is not on the internet"), "{run}");
    let run = scene.session("npm", &[], &format!("curl -sS https://{other}/anchor"));
    assert!(run.to_string().contains("not-granted"), "{run}");
    assert!(registry.server().seen().is_empty());
    // The control: the name that was confirmed.
    let run = scene.session("npm", &[], &format!("curl -sS https://{at}/anchor"));
    assert!(run.stdout().contains("dist-tags"), "{run}");
}

/// Asks for what an index would name.
const TOOL: &str = "#!/bin/sh\ncurl -sf -m 5 -o /dev/null https://HOST/files/ini/-/ini-1.0.0.tgz\nexit 1\n";

#[test]
fn a_host_that_only_an_index_names_gets_a_private_address_by_the_owner_s_own_word_alone() {
    let (scene, registry, at) = scene();
    let files = place(&registry, "files.packages.test");
    scene.settings(".local/bin/npm", &TOOL.replace("HOST", &files));
    let tool = scene.home.home().join(".local/bin/npm");
    std::fs::set_permissions(tool, std::fs::Permissions::from_mode(0o755)).unwrap();
    let (hosts, private) = (format!("{at},{files}"), format!("{at}=127.0.0.1"));
    let words = ["sets", "confirm", "npm", "--tools", "local-bin", "--yes", "--hosts", &hosts];
    let run = scene.run(&[&words[..], &["--private", &private]].concat());
    run.assert_exit(DECLINED);
    assert!(run.stderr().contains(&format!("--private {at}=127.0.0.1,{files}=127.0.0.1")), "{run}");
    assert!(!scene.file("npm").exists() && registry.server().seen().is_empty());
    let private = format!("{private},{files}=127.0.0.1");
    scene.run(&[&words[..], &["--private", &private]].concat()).assert_success();
    assert!(registry.server().seen().iter().any(|seen| seen.path.starts_with("/files/")));
}

#[test]
fn a_mirror_that_moved_is_refused_until_the_owner_said_yes_again() {
    let (scene, _registry, at) = scene();
    scene.confirm_private("npm", std::slice::from_ref(&at), &["--no-trial"]).assert_success();
    scene.session("npm", &[], "true").assert_success();
    scene.hosts("10.9.9.9", &NAMES);
    let run = scene.run(&["run", "--allow", "npm", "--", "true"]);
    run.assert_refused(
        POLICY,
        &["packages.test is at 10.9.9.9 now, and was at 127.0.0.1", "sets confirm npm"],
    );
    assert!(scene.run(&["sets"]).stdout().contains("10.9.9.9"));
    let again = scene.confirm_private("npm", std::slice::from_ref(&at), &["--no-trial"]);
    again.assert_exit(DECLINED);
    assert!(again.stderr().contains("it was 127.0.0.1 when you confirmed it"), "{again}");
}
