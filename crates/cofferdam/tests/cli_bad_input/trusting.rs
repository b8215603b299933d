//! A repository's own request: it counts for nothing until the owner accepted exactly its bytes.

use super::scene::{DECLINED, POLICY, Scene};
use cofferdam_testkit::Outcome;

const REQUEST: &str = "cofferdam.toml";
const ASKS: &str = "environment = [\"FROM_REQUEST=1\"]\nmounts = [\"~/data:/data\"]\n";

fn look(scene: &Scene) -> Outcome {
    let script = "echo \"${FROM_REQUEST:-nothing}\"; ls /data 2>/dev/null; true";
    scene.cofferdam().args(["run", "--rm", "--", "sh", "-c", script]).run()
}

fn digest(scene: &Scene) -> String {
    let shown = scene.cofferdam().arg("trust").run();
    let stdout = shown.stdout();
    stdout.lines().find_map(|line| line.trim().strip_prefix("digest ")).unwrap().to_owned()
}

#[test]
fn it_counts_for_nothing_until_accepted_and_again_after_any_change() {
    let scene = Scene::new();
    scene.home.write(scene.home.home().join("data/file"), "content\n");
    scene.repo().write(REQUEST, ASKS);
    let before = look(&scene);
    assert!(before.stdout().starts_with("nothing"), "{before}");
    assert!(before.stderr().contains("cofferdam trust"), "{before}");

    let shown = scene.cofferdam().arg("trust").run();
    shown.assert_exit(DECLINED);
    assert_eq!(shown.stderr().lines().count(), 3, "{shown}");
    for widened in ["FROM_REQUEST", "/data"] {
        assert!(shown.stdout().contains(widened), "what it widens is not shown: {shown}");
    }
    let wrong = "0".repeat(64);
    scene.refused(scene.cofferdam().args(["trust", "--digest", &wrong]), POLICY, &["digest"]);
    scene.cofferdam().args(["trust", "--digest", &digest(&scene)]).run().assert_success();
    assert_eq!(look(&scene).stdout(), "1\nfile\n");

    scene.repo().write(REQUEST, format!("{ASKS}# one byte more\n"));
    let changed = look(&scene);
    assert!(changed.stdout().starts_with("nothing"), "{changed}");
    assert!(changed.stderr().contains("changed"), "{changed}");

    scene.repo().write(REQUEST, ASKS);
    assert_eq!(look(&scene).stdout(), "1\nfile\n");
    scene.cofferdam().arg("untrust").run().assert_success();
    assert!(look(&scene).stdout().starts_with("nothing"));
}

/// By the items of authority that it adds; and what can't be told so, in its own words.
#[test]
fn what_is_asked_for_is_shown_once() {
    let scene = Scene::new();
    scene.home.write(scene.home.home().join("data/file"), "content\n");
    let more = "masks = [\"*.sqlite\"]\n[limits]\nfiles = 1000000\nprocesses = 10\n";
    let asks =
        format!("{ASKS}workspaces = [\"below/../../other\"]\n{more}").replace("=1\"]", "=1\", \"UNSET\"]");
    scene.home.directory("other");
    scene
        .repo()
        .write(REQUEST, asks.replace("below/../../other", scene.home.work().join("other").to_str().unwrap()));
    // From elsewhere, too: relative paths in it are the repository's.
    let shown = scene.home.cofferdam().arg("trust").arg(scene.repo().path()).in_directory("/").run();
    let text = shown.assert_exit(DECLINED).stdout();
    for once in
        ["/data", "FROM_REQUEST", "workspace ", "files", "processes=10", "*.sqlite", "environment UNSET"]
    {
        let lines = text.lines().filter(|line| line.contains(once) && !line.contains("note:")).count();
        assert_eq!(lines, 1, "{once}: {shown}");
    }
}

#[test]
fn a_person_is_asked_and_only_yes_is_yes() {
    let scene = Scene::new();
    scene.repo().write(REQUEST, ASKS);
    scene.home.write(scene.home.home().join("data/file"), "content\n");
    for (answer, code) in [("n\r", i32::from(DECLINED)), ("\r", i32::from(DECLINED)), ("y\r", 0)] {
        let mut terminal = scene.cofferdam().arg("trust").terminal(30, 100);
        terminal.wait_for("[y/N]");
        terminal.send(answer);
        assert_eq!(terminal.finish().code(), Some(code), "{}", terminal.screen());
    }
    assert!(look(&scene).stdout().starts_with('1'));
}

/// The session works on its own copy of the file: accepting is done on the host's side only.
#[test]
fn a_session_can_not_widen_the_next_one() {
    let scene = Scene::new();
    let write = format!("printf '{}' >{REQUEST}", ASKS.replace('\n', "\\n"));
    scene.cofferdam().args(["run", "--name", "one", "--", "sh", "-c", &write]).run().assert_success();
    let resumed = ["resume", "-s", "one", "--", "sh", "-c", "echo \"${FROM_REQUEST:-nothing}\""];
    assert_eq!(scene.cofferdam().args(resumed).run().stdout(), "nothing\n");
    assert!(look(&scene).stdout().starts_with("nothing"));
    scene.cofferdam().arg("trust").run().assert_refused(POLICY, &["asks for nothing"]);
}

#[test]
fn a_request_that_can_not_be_understood_can_not_be_trusted_and_counts_for_nothing() {
    let scene = Scene::new();
    for text in ["nonsense = 1\n", "tools = [\n"] {
        scene.repo().write(REQUEST, text);
        scene.refused(scene.cofferdam().arg("trust"), POLICY, &["line"]);
        // Else a repository could forbid sessions on it.
        let run = look(&scene);
        assert!(run.assert_success().stdout().starts_with("nothing"), "{run}");
        assert!(run.stderr().contains("counts for nothing") && run.stderr().contains("line"), "{run}");
    }
}
