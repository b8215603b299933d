//! Policies that can't be taken, and what they deny.

use super::scene::{POLICY, Scene};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};

/// A policy on the owner's side.
fn policy(scene: &Scene, text: impl AsRef<[u8]>) -> PathBuf {
    scene.home.write(scene.home.config().join("mine.toml"), text)
}

fn refused(scene: &Scene, path: &Path, words: &[&str]) {
    let run = scene.cofferdam().args(["run", "--policy"]).arg(path).args(["--", "true"]);
    scene.refused(run, POLICY, words);
}

#[test]
fn unknown_keys_are_named_with_their_place() {
    let scene = Scene::new();
    for (text, words) in [
        ("tools = []\nnonsense = 1\n", ["nonsense", "line 2, column 1"]),
        ("[deny]\nnetwork = true\n", ["network", "line 2, column 1"]),
        ("[limits]\nmemmory = \"1G\"\n", ["memmory", "limit"]),
        ("[limits]\nmemory = \"much\"\n", ["memory", "limit"]),
        ("tools = \"cargo\"\n", ["line 1", "column"]),
        ("tools = [\n", ["line", "column"]),
    ] {
        refused(&scene, &policy(&scene, text), &words);
    }
    refused(&scene, &policy(&scene, b"tools = [\"\xff\"]\n"), &["UTF-8"]);
    refused(&scene, &policy(&scene, "#".repeat(300 << 10)), &["longer"]);
}

#[test]
fn a_policy_in_a_workspace_also_by_another_name_for_it() {
    let scene = Scene::new();
    let inside = scene.repo().write("policy.toml", "");
    refused(&scene, &inside, &["workspace", "agent"]);
    refused(&scene, Path::new("below/../policy.toml"), &["workspace"]);
    let second = scene.home.write("second/policy.toml", "");
    let run = scene.cofferdam().args(["run", "-w", ".", "-w", "../second", "--policy"]).arg(&second);
    scene.refused(run.args(["--", "true"]), POLICY, &["workspace"]);
}

#[test]
fn a_policy_that_others_could_have_written() {
    let scene = Scene::new();
    let path = policy(&scene, "");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    refused(&scene, &path, &["666", "chmod"]);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let link = scene.home.home().join("link.toml");
    symlink(&path, &link).unwrap();
    refused(&scene, &link, &["link"]);
    refused(&scene, &scene.home.home().join("missing.toml"), &["exist", "init"]);
    refused(&scene, &scene.home.home(), &["file"]);
    let fifo = scene.home.home().join("fifo.toml");
    scene.home.invoke("mkfifo").arg(&fifo).run().assert_success();
    refused(&scene, &fifo, &["file"]);
    if rustix::process::geteuid().is_root() {
        chown(&path, Some(61_999), None).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        refused(&scene, &path, &["61999"]);
    }
}

#[test]
fn the_directorys_own_policy_is_found_and_a_bad_one_is_not_passed_over() {
    let scene = Scene::new();
    scene.cofferdam().arg("init").run().assert_success();
    let policies: Vec<_> = fs::read_dir(scene.home.config().join("policies"))
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    let [path] = policies.as_slice() else { panic!("{policies:?}") };
    scene.cofferdam().args(["run", "--rm", "--", "true"]).run().assert_success();
    let text = fs::read_to_string(path).unwrap();
    fs::write(path, format!("nonsense = 1\n{text}")).unwrap();
    for command in [["run", "--rm", "--", "true"].as_slice(), &["explain"]] {
        scene.refused(scene.cofferdam().args(command), POLICY, &["nonsense", "line 1"]);
    }
    let again = scene.cofferdam().arg("init").run();
    assert!(!again.status.success() && again.stderr().contains("--overwrite"), "{again}");
}

#[test]
fn what_a_policy_denies_no_flag_brings_about() {
    let scene = Scene::new();
    scene.home.write("other/file", "content\n");
    let other = scene.home.work().join("other");
    let text = format!(
        "[deny]\npaths = [\"{}\"]\nenvironment = [\"SECRET*\"]\ntools = [\"local-bin\"]\nprofiles = [\"chromium\"]\n",
        other.display()
    );
    let path = policy(&scene, text);
    scene.home.write(scene.home.home().join(".local/bin/tool"), "");
    let flags =
        ["-e", "SECRET_X=1", "--tools", "local-bin", "--profile", "chromium", "--mount", "../other:/o"];
    let script = "test -z \"$SECRET_X\" && test ! -e ~/.local/bin/tool && test ! -e /o";
    let run = scene.cofferdam().args(["run", "--policy"]).arg(&path).args(flags);
    let run = run.args(["--", "sh", "-c", script]).run();
    let notes = run.assert_success().stderr();
    for word in ["SECRET_X", "local-bin", "chromium", "other"] {
        assert!(notes.contains(word), "the denial of {word} is not said: {run}");
    }
    scene.cofferdam().args(["discard", "-f", "project"]).run().assert_success();
    let run = scene.cofferdam().args(["run", "--policy"]).arg(&path).args(["-w", "../other", "--", "true"]);
    scene.refused(run, POLICY, &["denies"]);
    let run = scene.cofferdam().args(["run", "--policy"]).arg(&path).args(["--dangerous-env", "SECRET_X"]);
    scene.refused(run.args(["--", "true"]), POLICY, &["denies"]);
}
