//! A repository and a session that changed it.

use super::OWNER;
use cofferdam_testkit::{Home, Invocation, Outcome, Repo};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

pub(super) fn home() -> Home {
    Home::of(OWNER)
}

/// Files are older than the session by more than a tick of the clock that stamps them.
pub(super) fn settle() {
    std::thread::sleep(Duration::from_millis(20));
}

/// A repository with these files.
pub(super) fn repo<'h>(home: &'h Home, files: &[(&str, &str)]) -> Repo<'h> {
    let repo = home.repo("project");
    for (path, text) in files {
        repo.write(path, text);
    }
    repo.commit("first");
    settle();
    repo
}

/// What the session `one` changed.
pub(super) fn session(home: &Home, repo: &Repo<'_>, script: &str) {
    let command = ["run", "--name", "one", "--", "sh", "-c", script];
    home.cofferdam().args(command).in_directory(repo.path()).run().assert_success();
}

/// The same session goes on.
pub(super) fn again(home: &Home, script: &str) {
    let command = ["resume", "-s", "one", "--", "sh", "-c", script];
    home.cofferdam().args(command).run().assert_success();
}

pub(super) fn cofferdam(home: &Home, repo: &Repo<'_>, arguments: &[&str]) -> Invocation {
    home.cofferdam().args(arguments).in_directory(repo.path())
}

pub(super) fn json(home: &Home, repo: &Repo<'_>, arguments: &[&str]) -> Value {
    let outcome = cofferdam(home, repo, arguments).arg("--json").run();
    outcome.assert_success().json()
}

/// The digest of what these arguments of `apply` would write.
pub(super) fn digest(home: &Home, repo: &Repo<'_>, arguments: &[&str]) -> String {
    let report = json(home, repo, &[&["apply", "-s", "one", "-n"], arguments].concat());
    report.get("digest").and_then(Value::as_str).unwrap().to_owned()
}

pub(super) fn try_apply(home: &Home, repo: &Repo<'_>, digest: &str, arguments: &[&str]) -> Outcome {
    cofferdam(home, repo, &["apply", "-s", "one", "--digest", digest]).args(arguments).run()
}

/// Applies all of it; its id.
pub(super) fn apply(home: &Home, repo: &Repo<'_>) -> String {
    let digest = digest(home, repo, &[]);
    let report = json(home, repo, &["apply", "-s", "one", "--digest", &digest]);
    report.get("apply").and_then(Value::as_str).unwrap().to_owned()
}

pub(super) fn entries(home: &Home, repo: &Repo<'_>) -> Vec<Value> {
    let report = json(home, repo, &["diff", "-s", "one"]);
    report.get("entries").and_then(Value::as_array).unwrap().clone()
}

pub(super) fn text(repo: &Repo<'_>, path: &str) -> String {
    String::from_utf8(repo.read(path)).unwrap()
}

/// All that a person sees of a tree, by path: not its times and inodes, which an undo does not set back.
pub(super) fn looks(repo: &Repo<'_>) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let (mut looks, mut open) = (BTreeMap::new(), vec![repo.path().to_owned()]);
    while let Some(directory) = open.pop() {
        for path in fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()) {
            let found = fs::symlink_metadata(&path).unwrap();
            let content = if found.is_symlink() {
                fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
            } else if found.is_file() {
                fs::read(&path).unwrap()
            } else {
                open.push(path.clone());
                Vec::new()
            };
            looks.insert(path, (found.mode(), content));
        }
    }
    looks
}

pub(super) fn events(home: &Home, repo: &Repo<'_>, kind: &str) -> usize {
    let printed = cofferdam(home, repo, &["events", "one", "--json"]).run();
    printed.assert_success().stdout().matches(&format!("\"{kind}\"")).count()
}
