//! A repository and a session that committed in it.

use super::OWNER;
use cofferdam_testkit::{Home, Outcome, Repo};
use serde_json::Value;

pub(super) fn home() -> Home {
    Home::of(OWNER)
}

pub(super) fn project(home: &Home) -> Repo<'_> {
    let repo = home.repo("project");
    repo.write("src/main.rs", "fn main() {}\n");
    repo.write("kept", "one\n");
    repo.commit("first");
    repo
}

/// The session `one`, of somebody else than the owner.
pub(super) fn session(home: &Home, repo: &Repo<'_>, script: &str) {
    let script =
        format!("set -e; git config user.name Eve; git config user.email eve@cell.example; {script}");
    let command = ["run", "--name", "one", "--", "sh", "-c", &script];
    home.cofferdam().args(command).in_directory(repo.path()).run().assert_success();
}

pub(super) fn shown(home: &Home) -> Outcome {
    home.cofferdam().args(["diff", "-s", "one", "--commits"]).run()
}

pub(super) fn report(home: &Home) -> Value {
    home.cofferdam().args(["diff", "-s", "one", "--commits", "--json"]).run().assert_success().json()
}

pub(super) fn digest(home: &Home) -> String {
    report(home).get("digest").and_then(Value::as_str).unwrap().to_owned()
}

pub(super) fn apply(home: &Home, digest: &str) -> Outcome {
    home.cofferdam().args(["apply", "-s", "one", "--commits", "--digest", digest]).run()
}
