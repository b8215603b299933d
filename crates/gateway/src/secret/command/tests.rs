//! Orders against a store on a disk.

use super::*;
use cofferdam_policy::net::secret::Standing;
use std::path::Path;

struct Scene {
    directory: tempfile::TempDir,
    world: World,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let pairs =
            [("HOME", directory.path().to_str().unwrap()), ("PATH", "/usr/bin:/bin"), ("TOKEN", VALUE)];
        let environment = pairs.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        Self { directory, world: World { environment, now: UnixNanos(1_000_000_000) } }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn act(&self, words: &[&str]) -> Result<Vec<SecretReport>, CommandError> {
        let text = |path: PathBuf| path.into_os_string();
        let mut all = vec!["--state".into(), text(self.path().join("state"))];
        all.extend(["--config".into(), text(self.path().join("config"))]);
        all.extend(words.iter().map(OsString::from));
        let (store, order) = parse(all).map_err(CommandError::Usage)?;
        act(&self.world, &store, order)
    }
}

const VALUE: &str = "ghp_planted0123456789planted0123456789ab";

#[test]
fn a_secret_is_added_listed_revoked_for_one_session_then_for_all_and_removed() {
    let scene = Scene::new();
    let added = scene.act(&["add", "github", "env:TOKEN"]).unwrap();
    assert_eq!(added[0].standing, Standing::Usable);
    assert_eq!(added[0].entry.as_ref().unwrap().shape.to_string(), "ghp_+alnum-lower:36");
    assert!(!format!("{added:?}").contains("planted"));
    assert!(matches!(scene.act(&["add", "github", "env:TOKEN"]), Err(CommandError::Taken(_))));
    scene.act(&["add", "--replace", "github", "env:TOKEN"]).unwrap();
    scene.act(&["revoke", "--session", "one", "github"]).unwrap();
    assert_eq!(scene.act(&["list", "--session", "one"]).unwrap()[0].standing, Standing::Revoked);
    assert_eq!(scene.act(&["list", "--session", "two"]).unwrap()[0].standing, Standing::Usable);
    scene.act(&["revoke", "github"]).unwrap();
    assert_eq!(scene.act(&["list", "--session", "two"]).unwrap()[0].standing, Standing::Revoked);
    scene.act(&["remove", "github"]).unwrap();
    assert!(scene.act(&["list"]).unwrap().is_empty());
    assert!(matches!(scene.act(&["remove", "github"]), Err(CommandError::Unknown(_))));
    assert_eq!(scene.act(&["list", "github"]).unwrap()[0].standing, Standing::Missing);
}

#[test]
fn a_session_starts_with_what_the_file_holds_now_and_a_revoked_secret_is_not_read() {
    let scene = Scene::new();
    let path = scene.path().join("key");
    std::fs::write(&path, "value-number-one\n").unwrap();
    let source = format!("file:{}", path.display());
    scene.act(&["add", "key", &source]).unwrap();
    let store = Store::at(&SecretStore::of(&scene.path().join("state"), &scene.path().join("config")));
    let held = || store.contents().unwrap().values[&"key".parse().unwrap()].secret.expose().to_vec();
    std::fs::write(&path, "value-number-two\n").unwrap();
    assert_eq!(held(), b"value-number-one");
    scene.act(&["refresh", "key"]).unwrap();
    assert_eq!(held(), b"value-number-two");
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(scene.act(&["refresh", "key"]), Err(CommandError::Source(..))));
    scene.act(&["revoke", "key"]).unwrap();
    assert_eq!(scene.act(&["refresh", "key"]).unwrap()[0].standing, Standing::Revoked);
}

#[test]
fn a_login_keeps_what_was_refreshed_here_until_its_file_has_something_newer() {
    let scene = Scene::new();
    let path = scene.path().join(".claude/.credentials.json");
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    let write = |access: &str, expires: i64| {
        let tokens = serde_json::json!({ "claudeAiOauth": {
            "accessToken": access, "refreshToken": "refresh-token", "expiresAt": expires, "scopes": [] } });
        std::fs::write(&path, tokens.to_string()).unwrap();
    };
    write("access-one", 5_000);
    let added =
        scene.act(&["add", "--token-endpoint", "http://127.0.0.1:9/x", "claude", "login:claude"]).unwrap();
    assert!(added[0].entry.as_ref().unwrap().login.as_ref().unwrap().renewable);
    let store = Store::at(&SecretStore::of(&scene.path().join("state"), &scene.path().join("config")));
    let held = || store.contents().unwrap().values[&"claude".parse().unwrap()].secret.expose().to_vec();
    write("access-old", 4_000);
    scene.act(&["refresh", "claude"]).unwrap();
    assert_eq!(held(), b"access-one");
    write("access-new", 6_000);
    let refreshed = scene.act(&["refresh", "claude"]).unwrap();
    assert_eq!(held(), b"access-new");
    let login = refreshed[0].entry.clone().unwrap().login.unwrap();
    assert_eq!(login.token_endpoint.as_deref(), Some("http://127.0.0.1:9/x"));
    // The file goes with the program; what is kept can be refreshed all the same.
    std::fs::remove_file(&path).unwrap();
    assert_eq!(scene.act(&["refresh", "claude"]).unwrap()[0].standing, Standing::Usable);
}

#[test]
fn an_order_of_another_version_is_refused_and_a_failure_says_what_to_do_and_no_value() {
    let scene = Scene::new();
    for words in [&["add", "github"][..], &["other"], &["add", "Bad Name", "prompt"], &["list", "--odd"], &[]]
    {
        assert!(matches!(scene.act(words), Err(CommandError::Usage(_))), "{words:?}");
    }
    std::fs::write(scene.path().join("key"), format!("{VALUE}\n{VALUE}\n")).unwrap();
    let source = format!("file:{}", scene.path().join("key").display());
    let told = failure(&scene.act(&["add", "github", &source]).unwrap_err());
    assert_eq!(told.kind, SecretFailureKind::Source);
    assert!(!format!("{told:?}").contains("planted"), "{told:?}");
    for line in [told.what, told.why, told.what_to_do] {
        assert!(!line.is_empty() && !line.contains('\n'), "{line:?}");
    }
}
