//! Several workspaces, mounts, masks and copies.

use super::OWNER;
use cofferdam_testkit::{Home, Outcome, Tree};

fn sh(home: &Home, flags: &[&str], script: &str) -> Outcome {
    home.cofferdam().arg("run").args(flags).args(["--", "sh", "-c", script]).run()
}

#[test]
fn several_workspaces_are_written_at_once_and_none_for_real() {
    let home = Home::of(OWNER);
    for name in ["one", "two", "three"] {
        home.write(format!("{name}/kept"), "before\n");
    }
    let before = Tree::of(home.work());
    let script = "for d in one two three; do echo after >$OLDPWD/$d/kept; echo new >$OLDPWD/$d/new; done; cat $OLDPWD/*/kept";
    let script = format!("cd {}/one; {}", home.work().display(), script.replace("$OLDPWD", ".."));
    let run = sh(&home, &["-w", "one", "-w", "two", "-w", "three"], &script);
    assert_eq!(run.assert_success().stdout(), "after\nafter\nafter\n");
    Tree::of(home.work()).assert_same_as(&before);
    let shown = home.cofferdam().args(["--json", "show", "one"]).run().json();
    let changed: Vec<(&str, u64, u64)> = shown["changes"]["directories"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| (d["path"].as_str().unwrap(), d["added"].as_u64().unwrap(), d["modified"].as_u64().unwrap()))
        .collect();
    assert_eq!(changed.len(), 3, "{changed:?}");
    assert!(changed.iter().all(|(_, added, modified)| (*added, *modified) == (1, 1)), "{changed:?}");
}

#[test]
fn what_is_not_a_workspace_is_not_there() {
    let home = Home::of(OWNER);
    home.write("shown/file", "x");
    home.write("beside/file", "x");
    home.write(home.home().join("private"), "x");
    let script = format!("ls -A ..; ls -A ~; ls {}", home.work().join("beside").display());
    let run = sh(&home, &["-w", "shown"], &script);
    assert!(!run.stdout().contains("beside") && !run.stdout().contains("private"), "{run}");
    assert!(run.stderr().contains("No such file"), "{run}");
}

#[test]
fn a_mount_is_read_only_unless_it_is_to_be_copied_on_write() {
    let home = Home::of(OWNER);
    home.write("project/file", "x");
    home.write("data/deep/file", "content\n");
    home.write("single", "one file\n");
    let before = Tree::of(home.work());
    let work = home.work().display().to_string();
    let mounts =
        [format!("{work}/data:/data"), format!("{work}/data:/scratch:cow"), format!("{work}/single:/one:ro")];
    let flags: Vec<&str> =
        ["-w", "project"].into_iter().chain(mounts.iter().flat_map(|m| ["--mount", m])).collect();
    let script = "cat /data/deep/file /one; echo x >/data/deep/file; rm -rf /data/deep; touch /data/new; echo x >/one;
        rm /one; echo after >/scratch/deep/file; cat /scratch/deep/file; rm -r /scratch/deep; ls /scratch; cat /data/deep/file";
    let run = sh(&home, &flags, script);
    assert_eq!(run.assert_success().stdout(), "content\none file\nafter\ncontent\n");
    assert!(run.stderr().matches("Read-only file system").count() >= 4, "{run}");
    Tree::of(home.work()).assert_same_as(&before);

    let bare = sh(&home, &["-w", "project", "--mount", &format!("{work}/data")], "cat ../data/deep/file");
    assert_eq!(bare.assert_success().stdout(), "content\n");
}

/// What a repository merely read tells an agent must not be taken for the owner's word.
#[test]
fn agent_instructions_of_a_second_workspace_are_hidden_unless_asked_for() {
    let home = Home::of(OWNER);
    let names = ["CLAUDE.md", "AGENTS.md", "GEMINI.md", ".mcp.json", ".cursorrules", "sub/AGENTS.md"];
    for name in names {
        home.write(format!("main/{name}"), "instructions\n");
        home.write(format!("second/{name}"), "instructions\n");
    }
    for directory in [".claude/settings.json", ".codex/config.toml", ".opencode/x"] {
        home.write(format!("second/{directory}"), "instructions\n");
    }
    home.write("second/README.md", "text\n");
    let script = "cd ../second; grep -rl instructions . ; cat README.md; cat ../main/CLAUDE.md";
    let flags = ["-w", "main", "-w", "second"];
    let script = format!("cd {}/main; {script}", home.work().display());
    let run = sh(&home, &flags, &script);
    assert_eq!(run.assert_success().stdout(), "text\ninstructions\n");
    let flags = [flags.as_slice(), &["--instructions", "second"]].concat();
    let run = sh(&home, &flags, &script);
    assert_eq!(run.assert_success().stdout().matches("./").count(), names.len() + 3, "{run}");
}

#[test]
fn secrets_are_hidden_by_name_and_further_ones_by_mask_and_explain_lists_both() {
    let home = Home::of(OWNER);
    for name in
        [".env", ".env.local", ".npmrc", ".pypirc", "id_ed25519", "terraform.tfstate", "deep/down/.env"]
    {
        home.write(format!("project/{name}"), "hidden-word\n");
    }
    home.write("project/mine.secret", "hidden-word\n");
    home.write("project/private/file", "hidden-word\n");
    home.write("project/.env.example", "shown-word\n");
    home.write("project/settings.toml", "password = \"shown-word\"\n");
    let before = Tree::of(home.work());
    let flags = ["-w", "project", "--mask", "*.secret", "--mask", "private/"];
    let run =
        sh(&home, &flags, "cd project 2>/dev/null; grep -r hidden-word . ; grep -rh shown-word . | wc -l");
    assert_eq!(run.assert_success().stdout().trim(), "2", "{run}");
    let explained = home.cofferdam().args(["explain", "--json"]).args(flags).run();
    let explained = explained.assert_success().json();
    let text = explained["masked"].to_string();
    for name in [".env", ".npmrc", "id_ed25519", "deep/down/.env", "mine.secret", "private"] {
        assert!(text.contains(name), "{name} is not listed: {text}");
    }
    // What is written where something is hidden stays in the session like everything else.
    let run = sh(&home, &flags, "echo own >.env; cat .env; rm .env; ls -A");
    assert!(run.assert_success().stdout().starts_with("own\n"), "{run}");
    Tree::of(home.work()).assert_same_as(&before);
}

#[test]
fn a_copy_shows_and_hides_the_same_and_is_no_more_for_real() {
    let home = Home::of(OWNER);
    home.write("project/kept", "before\n");
    home.write("project/gone", "before\n");
    home.write("project/.env", "hidden-word\n");
    let before = Tree::of(home.work());
    let flags = ["-w", "project", "--copy"];
    let script = "echo after >kept; rm gone; mkdir d && echo new >d/new; mv d e; ls -A | tr '\\n' ' '; grep -r hidden-word .";
    let run = sh(&home, &flags, script);
    assert_eq!(run.assert_exit(1).stdout(), "e kept ");
    Tree::of(home.work()).assert_same_as(&before);
    let shown = home.cofferdam().args(["--json", "show", "project"]).run().json();
    let directory = &shown["changes"]["directories"][0];
    let count = |key: &str| directory[key].as_u64().unwrap();
    assert_eq!((count("added"), count("modified"), count("deleted")), (2, 1, 1), "{directory}");
    let resumed = home.cofferdam().args(["resume", "-s", "project", "--", "cat", "kept", "e/new"]).run();
    assert_eq!(resumed.assert_success().stdout(), "after\nnew\n");
}

#[test]
fn a_session_starts_where_the_owner_stands() {
    let home = Home::of(OWNER);
    let repo = home.repo("project");
    repo.write("deep/down/file", "x");
    let below = home.work().join("project/deep/down");
    let run = home.cofferdam().args(["run", "--", "pwd"]).in_directory(&below).run();
    assert_eq!(run.assert_success().stdout(), format!("{}\n", below.display()));
    let listed = home.cofferdam().args(["ls", "--json"]).run().json();
    assert_eq!(listed[0]["directory"], repo.path().to_str().unwrap());
}

#[test]
fn paths_in_flags_count_from_the_current_directory() {
    let home = Home::of(OWNER);
    let repo = home.repo("project");
    repo.write("deep/file", "x");
    home.write("data/file", "content\n");
    home.write("second/AGENTS.md", "instructions\n");
    let flags =
        ["-w", "..", "-w", "../../second", "--instructions", "../../second", "--mount", "../../data:/data"];
    let script = "cat /data/file ../../second/AGENTS.md";
    let run = home.cofferdam().arg("run").args(flags).args(["--", "sh", "-c", script]);
    let run = run.in_directory(repo.path().join("deep")).run();
    assert_eq!(run.assert_success().stdout(), "content\ninstructions\n");
}
