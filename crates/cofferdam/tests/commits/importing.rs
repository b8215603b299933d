//! What comes, under which name, and what stops it.

use super::scene::*;
use cofferdam_testkit::{Home, Outcome, Tree};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;

fn import(home: &Home) -> Outcome {
    apply(home, &digest(home))
}

#[test]
fn commits_come_under_a_name_of_their_own_and_nothing_else_moves() {
    let home = home();
    let repo = project(&home);
    let (main, files) = (repo.git(["rev-parse", "HEAD"]), Tree::of(repo.path().join("src")));
    session(&home, &repo, "echo more >>kept; git commit -qam second; git rm -q kept; git commit -qm third");
    let listed = report(&home);
    let commits = listed.pointer("/branches/0/commits").and_then(Value::as_array).unwrap();
    assert_eq!(commits.len(), 2, "{listed}");
    assert_eq!(commits[0]["message"], "second\\n", "{listed}");
    let imported = import(&home);
    let said = imported.assert_success().stdout();
    assert!(said.contains("2 commits are in your repository as refs/cofferdam/one/"), "{said}");
    assert_eq!(repo.git(["rev-parse", "HEAD"]), main, "no branch moves");
    assert!(repo.path().join("kept").exists(), "nothing is checked out");
    Tree::of(repo.path().join("src")).assert_same_as(&files);
    let reference = repo.git(["for-each-ref", "--format=%(refname)", "refs/cofferdam"]);
    assert_eq!(repo.git(["log", "--format=%s", reference.trim()]), "third\nsecond\nfirst\n");
    repo.git(["fsck", "--strict", "--full"]);
    repo.git(["merge", "--ff-only", "--quiet", reference.trim()]);
    assert!(!repo.path().join("kept").exists());
    let again = home.cofferdam().args(["apply", "-s", "one", "--commits"]).run();
    again.assert_refused(216, &["no commits"]);
    let events = home.cofferdam().args(["events", "one"]).run().assert_success().stdout();
    assert!(events.contains("2 commits were imported as refs/cofferdam/one/"), "{events}");
}

#[test]
fn a_secret_in_one_commit_that_the_next_takes_away_is_shown() {
    let home = home();
    let repo = project(&home);
    session(
        &home,
        &repo,
        "echo hunter2 >secret; git add secret; git commit -qm add; git rm -q secret; git commit -qm remove",
    );
    let shown = shown(&home).assert_success().stdout();
    assert!(shown.contains("+hunter2") && shown.contains("-hunter2"), "{shown}");
    let files = home.cofferdam().args(["diff", "-s", "one"]).run().assert_success().stdout();
    assert!(!files.contains("hunter2"), "the control: the files alone do not show it: {files}");
}

#[test]
fn what_is_not_committed_and_what_is_committed_otherwise_stops_them() {
    let home = home();
    let repo = project(&home);
    session(&home, &repo, "echo a >a; git add a; git commit -qm second; echo b >b; echo other >a; rm kept");
    let shown = shown(&home).assert_success().stdout();
    for line in
        ["a: the work tree has it otherwise", "b: it is not committed", "kept: it is committed, and not"]
    {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    import(&home).assert_refused(218, &["its last commit is not its work tree", "and 2 more"]);
    assert_eq!(repo.git(["for-each-ref", "refs/cofferdam"]), "");
}

#[test]
fn nobody_is_asked_off_a_terminal_and_a_digest_stands_for_one_history() {
    let home = home();
    let repo = project(&home);
    session(&home, &repo, "echo a >a; git add a; git commit -qm second");
    let seen = digest(&home);
    home.cofferdam()
        .args(["apply", "-s", "one", "--commits"])
        .run()
        .assert_refused(219, &["reviewed", &seen]);
    home.cofferdam()
        .args(["resume", "-s", "one", "--", "git", "commit", "-q", "--amend", "-m", "harmless"])
        .run()
        .assert_success();
    let moved = apply(&home, &seen);
    moved.assert_refused(215, &["not what this digest stands for", "diff -s one --commits"]);
    assert_eq!(repo.git(["for-each-ref", "refs/cofferdam"]), "");
    import(&home).assert_success();
}

#[test]
fn packed_objects_linked_work_trees_and_other_branches_come_alike() {
    let home = home();
    let repo = project(&home);
    repo.git(["gc", "--quiet"]);
    let linked = repo.worktree("linked");
    session(
        &home,
        &linked,
        "git checkout -q -b topic/new; for n in 1 2 3; do echo $n >>kept; git commit -qam $n; done; git gc --quiet",
    );
    import(&home).assert_success();
    let log = repo.git(["log", "--format=%s", "refs/cofferdam/one/topic/new"]);
    assert_eq!(log, "3\n2\n1\nfirst\n");
    repo.git(["fsck", "--strict", "--full"]);
}

#[test]
fn no_hook_of_the_owners_runs_when_commits_come() {
    let home = home();
    let repo = project(&home);
    let ran = format!("#!/bin/sh\ntouch {}\n", repo.path().join("ran").display());
    let hook = home.write(repo.path().join(".git/hooks/reference-transaction"), ran);
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    repo.git(["update-ref", "refs/heads/other", "HEAD"]);
    assert!(repo.path().join("ran").exists(), "the control: git runs it");
    std::fs::remove_file(repo.path().join("ran")).unwrap();
    session(&home, &repo, "echo a >a; git add a; git commit -qm second; rm -f ran");
    import(&home).assert_success();
    assert!(!repo.path().join("ran").exists());
}
