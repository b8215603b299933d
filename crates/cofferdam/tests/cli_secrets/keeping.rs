//! What is kept, and where.

use super::scene::{PLANTED, SECRET, Scene};

#[test]
fn a_secret_from_each_source_lies_encrypted_and_in_the_open_nowhere() {
    let scene = Scene::new();
    scene.home.write("key", format!("{PLANTED}\n"));
    let login = serde_json::json!({ "claudeAiOauth": {
        "accessToken": PLANTED, "refreshToken": format!("{PLANTED}-refresh"), "expiresAt": 4_102_444_800_000_i64,
        "scopes": ["user:inference"], "subscriptionType": "max" } });
    scene.home.write(scene.home.home().join(".claude/.credentials.json"), login.to_string());
    scene.run(&["add", "one", "--from", "env:TOKEN"]).assert_success();
    scene.run(&["add", "two", "--from", "file:key"]).assert_success();
    scene.run(&["add", "three", "--from", "command:cat key"]).assert_success();
    scene.run(&["add", "four", "--from", "login:claude"]).assert_success();
    let listed = scene.run(&["ls"]).assert_success().stdout();
    for word in
        ["one", "two", "three", "four", "usable", "ghp_+alnum:36", "env:TOKEN", "login:claude", "2100-01-01"]
    {
        assert!(listed.contains(word), "{word}: {listed}");
    }
    scene.assert_nowhere_in_the_open();
    let values = scene.decrypted();
    let encoded = "Z2hwX3BsYW50ZWRa";
    assert_eq!(values.matches(encoded).count(), 5, "a search for what is there finds it");
    for (path, _, mode) in scene.files() {
        if path.starts_with(scene.home.state().join("secrets")) || path.ends_with("secrets.key") {
            assert_eq!(mode, 0o600, "{}", path.display());
        }
    }
    let relative = scene.secret(&["ls", "--json"]).run().json();
    let source = relative.as_array().unwrap().iter().find(|one| one["name"] == "two").unwrap();
    let path = scene.home.work().join("key");
    assert_eq!(source["entry"]["source"], format!("file:{}", path.display()));
}

#[test]
fn a_secret_is_replaced_revoked_and_removed_by_name() {
    let scene = Scene::new();
    scene.run(&["add", "github", "--from", "env:TOKEN"]).assert_success();
    scene.run(&["add", "github", "--from", "env:TOKEN", "--replace"]).assert_success();
    let standing = || {
        let listed = scene.secret(&["ls", "--json"]).run().json();
        listed[0]["standing"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(standing(), "usable");
    let revoked = scene.secret(&["revoke", "github", "--json"]).run().json();
    assert_eq!(revoked["secret"]["standing"], "revoked");
    assert_eq!(revoked["running"], serde_json::json!([]));
    assert_eq!(standing(), "revoked");
    scene.run(&["add", "github", "--from", "env:TOKEN", "--replace"]).assert_success();
    assert_eq!(standing(), "usable");
    scene.run(&["log", "github"]).assert_success();
    scene.run(&["rm", "github"]).assert_success();
    assert_eq!(standing(), "");
    assert!(!scene.decrypted().contains("Z2hwX3BsYW50ZWRa"), "its value is gone with it");
    scene.refused(&["rm", "github"], SECRET, &["github", "none of that name"]);
}

#[test]
fn a_secret_is_revoked_for_one_session_and_goes_on_for_the_others() {
    let scene = Scene::new();
    let repo = scene.home.repo("project");
    repo.write("file", "content\n");
    repo.commit("first");
    let run = scene.home.cofferdam().args(["run", "--name", "one", "--", "true"]);
    run.in_directory(repo.path()).run().assert_success();
    scene.run(&["add", "github", "--from", "env:TOKEN"]).assert_success();
    scene.run(&["revoke", "github", "--session", "one"]).assert_success();
    let listed = scene.run(&["ls"]).stdout();
    assert!(listed.contains("usable, not in 1"), "{listed}");
    scene.refused(&["revoke", "github", "--session", "none"], 205, &["none"]);
}

#[test]
fn of_secrets_added_at_once_none_is_lost() {
    let scene = Scene::new();
    let names = ["one", "two", "three", "four"];
    let running: Vec<_> = names
        .iter()
        .map(|name| scene.secret(&["add", name, "--from", "env:TOKEN"]).env("TOKEN", PLANTED).start())
        .collect();
    for running in running {
        running.finish().assert_success();
    }
    let listed = scene.secret(&["ls", "--json"]).run().json();
    assert_eq!(listed.as_array().unwrap().len(), names.len());
    assert_eq!(scene.decrypted().matches("Z2hwX3BsYW50ZWRa").count(), names.len());
}
