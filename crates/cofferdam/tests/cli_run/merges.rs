//! `cofferdam diff --merged`: what the owner edited meanwhile and what the session did, in one change set.

use super::OWNER;
use cofferdam_testkit::{Home, Outcome, Repo};
use serde_json::Value;

const LINES: &str = "one\ntwo\nthree\nfour\nfive\nsix\n";
const BY_THE_SESSION: &str = "one\ntwo\nthree\nfour\nfive\nby the session\n";
const BY_THE_OWNER: &str = "by the owner\ntwo\nthree\nfour\nfive\nsix\n";

fn session(repo: &Repo<'_>, home: &Home, script: &str) {
    std::thread::sleep(std::time::Duration::from_millis(20));
    let command = ["run", "--name", "one", "--", "sh", "-c", script];
    home.cofferdam().args(command).in_directory(repo.path()).run().assert_success();
}

fn diff(home: &Home, arguments: &[&str]) -> Outcome {
    home.cofferdam().args(["diff", "-s", "one"]).args(arguments).run()
}

fn entry(report: &Value, path: &str) -> Value {
    let entries = report["entries"].as_array().unwrap();
    let found = entries.iter().find(|entry| entry.pointer("/path/escaped") == Some(&path.into()));
    found.cloned().unwrap_or(Value::Null)
}

/// Both sides edit `file`, each another line of it.
fn both_edit(repo: &Repo<'_>, home: &Home, file: &str) {
    session(repo, home, &format!("sed -i 's/six/by the session/' {file}"));
    repo.write(file, BY_THE_OWNER);
}

#[test]
fn edits_of_another_region_are_merged_and_those_of_the_same_lines_stay_in_conflict() {
    let home = Home::of(OWNER);
    let repo = home.repo("project");
    for file in ["apart", "same", "lost", "equal", "alone"] {
        repo.write(file, LINES);
    }
    repo.commit("first");
    let script = "sed -i 's/six/by the session/' apart same equal alone; chmod +x apart; echo more >>lost; echo x >untracked";
    session(&repo, &home, script);
    repo.write("apart", BY_THE_OWNER);
    repo.write("same", "one\ntwo\nthree\nfour\nfive\nby me\n");
    repo.write("equal", "by the owner\ntwo\nthree\nfour\nfive\nby the session\n");
    repo.write("untracked", "by the owner\n");
    std::fs::remove_file(repo.path().join("lost")).unwrap();
    let plain = diff(&home, &[]);
    assert!(plain.assert_success().stdout().contains("2 of 5 can be merged: cofferdam diff -s "), "{plain}");
    let before = diff(&home, &["--json"]).json();
    let merged = diff(&home, &["--merged", "--json"]).json();
    assert_ne!(merged["digest"], before["digest"], "a change set of its own");
    assert_eq!(merged["digest"], diff(&home, &["--merged", "--json"]).json()["digest"]);
    let apart = entry(&merged, "apart");
    assert_eq!((&apart["merged"], &apart["conflict"]), (&Value::Bool(true), &Value::Null), "{apart}");
    assert_eq!(apart["size_before"], BY_THE_OWNER.len());
    assert_eq!(apart["size_after"], BY_THE_OWNER.len() - "six".len() + "by the session".len());
    assert_eq!((&apart["mode_before"], &apart["mode_after"]), (&"100644".into(), &"100755".into()));
    assert_eq!(entry(&merged, "equal"), Value::Null, "the owner has all of it already");
    for (path, conflict, why) in [
        ("same", "edited", "both sides changed the same lines"),
        ("lost", "deleted", "only a file that both of you edited can be merged"),
        ("untracked", "replaced", "there is no common ancestor: git does not track it"),
    ] {
        let entry = entry(&merged, path);
        assert_eq!((&entry["conflict"], &entry["not_merged"]), (&conflict.into(), &why.into()), "{entry}");
        assert_eq!(entry["content"], self::entry(&before, path)["content"]);
    }
    let alone = entry(&merged, "alone");
    assert_eq!((&alone["merged"], &alone["conflict"]), (&Value::Bool(false), &Value::Null));
    let text = diff(&home, &["--merged"]);
    let shown = text.assert_success().stdout();
    let (_, apart) = shown.split_once("modified apart").unwrap();
    let (apart, _) = apart.split_once("modified same").unwrap();
    assert!(apart.contains("merged with what you did meanwhile"), "{text}");
    assert!(apart.contains("-six\n+by the session\n") && !apart.contains("by the owner"), "{text}");
    assert!(!shown.contains("can be merged:"), "{text}");
    let stat = diff(&home, &["--merged", "--stat"]);
    assert!(stat.assert_success().stdout().contains("not merged: both sides changed"), "{stat}");
    assert_eq!(repo.read("apart"), BY_THE_OWNER.as_bytes(), "nothing of the owner's is written");
}

#[test]
fn what_the_owner_added_to_gits_index_since_is_no_ancestor_and_is_not_undone_by_a_merge() {
    let home = Home::of(OWNER);
    let repo = home.repo("project");
    for file in ["committed", "edited"] {
        repo.write(file, LINES);
    }
    repo.commit("first");
    session(&repo, &home, "sed -i 's/six/by the session/' committed edited");
    repo.write("committed", BY_THE_OWNER);
    repo.commit("second");
    repo.write("edited", BY_THE_OWNER);
    repo.git(["status"]);
    let merged = diff(&home, &["--merged", "--json"]).json();
    let committed = entry(&merged, "committed");
    assert_eq!(committed["conflict"], "edited", "{committed}");
    let why = "there is no common ancestor: git's index has it as it was after the session started";
    assert_eq!(committed["not_merged"], why);
    assert_eq!(entry(&merged, "edited")["merged"], true, "the control: its blob is of before");
}

#[test]
fn the_base_is_found_in_packs_alternates_worktrees_and_submodules() {
    let home = Home::of(OWNER);
    let repo = home.repo("project");
    repo.write("src/file", LINES);
    repo.commit("first");
    repo.git(["gc", "-q"]);
    let above = home.repo("above");
    above.submodule(&repo, "module");
    above.commit("second");
    for (place, file) in [
        (repo.borrowing_clone("borrower"), "src/file"),
        (repo.worktree("tree"), "src/file"),
        (above, "module/src/file"),
        (repo, "src/file"),
    ] {
        both_edit(&place, &home, file);
        let merged = diff(&home, &["--merged", "--json"]).json();
        assert_eq!(entry(&merged, file)["merged"], true, "{}: {merged:#}", place.path().display());
        home.cofferdam().args(["discard", "--force", "one"]).run().assert_success();
    }
}

#[test]
fn an_index_that_lies_or_a_blob_that_is_gone_leads_to_nothing_but_what_is_shown() {
    let home = Home::of(OWNER);
    let repo = home.repo("project");
    // What git was given is not what the session starts from.
    let lies = [("another", "quite\nanother\ntext\n"), ("session", BY_THE_SESSION), ("owner", BY_THE_OWNER)];
    for (file, content) in lies {
        repo.write(file, content);
    }
    repo.commit("first");
    lies.iter().for_each(|(file, _)| drop(repo.write(file, LINES)));
    session(&repo, &home, "sed -i 's/six/by the session/' another session owner");
    lies.iter().for_each(|(file, _)| drop(repo.write(file, BY_THE_OWNER)));
    let merged = || diff(&home, &["--merged", "--json"]).json();
    let lied_to = entry(&merged(), "another");
    assert_eq!(lied_to["not_merged"], "both sides changed the same lines", "{lied_to}");
    // A base that makes the session's text one that changed nothing: the owner's is what comes of it, and no entry.
    assert_eq!(entry(&merged(), "session"), Value::Null);
    // And one that makes the owner's edit undone: a person sees that line go.
    let shown = diff(&home, &["--merged"]);
    assert!(shown.assert_success().stdout().contains("-by the owner\n"), "{shown}");
    let blob = repo.git(["rev-parse", ":owner"]);
    let blob = blob.trim();
    std::fs::remove_file(repo.path().join(".git/objects").join(&blob[..2]).join(&blob[2..])).unwrap();
    let gone = entry(&merged(), "owner");
    let why = gone["not_merged"].as_str().unwrap();
    assert!(why.contains(&format!("git has no object {blob}")), "{gone}");
    // Where git noted no time, as after `git add -p`, the blob may be of after the start.
    let another = repo.git(["rev-parse", ":another"]);
    repo.git(["update-index", "--cacheinfo", &format!("100644,{},session", another.trim())]);
    let unknown = entry(&merged(), "session");
    assert!(unknown["not_merged"].as_str().unwrap().contains("after the session started"), "{unknown}");
}

#[test]
fn conflicts_by_the_hundred_are_merged_when_asked_and_not_tried_in_passing() {
    let home = Home::of(OWNER);
    let repo = home.repo("project");
    let files: Vec<String> = (0..101).map(|number| format!("f{number}")).collect();
    files.iter().for_each(|file| drop(repo.write(file, LINES)));
    repo.commit("first");
    session(&repo, &home, "sed -i 's/six/by the session/' f*");
    files.iter().for_each(|file| drop(repo.write(file, BY_THE_OWNER)));
    let plain = diff(&home, &["--stat"]);
    let line = "which can be merged: cofferdam diff -s ";
    assert!(plain.assert_success().stdout().contains(line), "{plain}");
    let merged = diff(&home, &["--merged", "--json"]).json();
    let entries = merged["entries"].as_array().unwrap();
    assert!(entries.iter().filter(|entry| entry["merged"] == true).count() == 101, "{merged}");
}
