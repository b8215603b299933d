//! The owner's edits are never taken for something of ours, and another directory never for the owner's former one.

use super::scene::*;
use cofferdam_testkit::{Home, Tree};
use std::fs;
use std::path::PathBuf;

/// The lock of the one directory in which something was applied.
fn engine_lock(home: &Home) -> PathBuf {
    let found = fs::read_dir(home.state().join("applies")).unwrap().flatten();
    let mut places = found.map(|entry| entry.path()).filter(|path| path.is_dir());
    places.next().unwrap().join("lock")
}

#[test]
fn a_merged_apply_that_fails_leaves_the_owners_edits_the_owners() {
    let home = home();
    let repo = repo(&home, &[("a", "1\n2\n3\n4\n5\n"), ("b", "b\n")]);
    session(&home, &repo, "sed -i s/5/agent/ a; echo c >b");
    repo.write("a", "owner\n2\n3\n4\n5\n");
    let only = digest(&home, &repo, &["b"]);
    try_apply(&home, &repo, &only, &["b"]).assert_success();
    let plain = json(&home, &repo, &["diff", "-s", "one"])["digest"].as_str().unwrap().to_owned();
    let merged = digest(&home, &repo, &["--merged"]);
    // After all was looked at and before anything is written, the engine fails.
    let lock = engine_lock(&home);
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    let failed = try_apply(&home, &repo, &merged, &["--merged"]);
    assert!(!failed.status.success(), "{failed}");
    fs::remove_dir(&lock).unwrap();
    let entries = entries(&home, &repo);
    assert_eq!(entries.len(), 1, "{entries:#?}");
    assert!(!entries[0]["conflict"].is_null(), "{entries:#?}");
    try_apply(&home, &repo, &plain, &[]).assert_exit(217);
    assert_eq!(text(&repo, "a"), "owner\n2\n3\n4\n5\n");
    try_apply(&home, &repo, &merged, &["--merged"]).assert_success();
    assert_eq!(text(&repo, "a"), "owner\n2\n3\n4\nagent\n");
}

#[test]
fn another_directory_at_the_path_of_the_workspace_is_a_conflict_though_all_in_it_is_older() {
    let home = home();
    let other = home.repo("other");
    for path in ["a", "d/a"] {
        other.write(path, "the other's\n");
    }
    let repo = repo(&home, &[("a", "a\n"), ("d/a", "a\n")]);
    session(&home, &repo, "echo b >a; echo b >d/a; echo b >new");
    let seen = digest(&home, &repo, &[]);
    let (path, aside) = (repo.path().to_owned(), repo.path().with_extension("aside"));
    fs::rename(&path, &aside).unwrap();
    fs::rename(other.path(), &path).unwrap();
    let before = Tree::of(&path);
    try_apply(&home, &repo, &seen, &[]).assert_refused(217, &["a: "]);
    Tree::of(&path).assert_same_as(&before);
    // The one that was there at first is as it was.
    fs::rename(&path, other.path()).unwrap();
    fs::rename(&aside, &path).unwrap();
    try_apply(&home, &repo, &seen, &[]).assert_success();
    assert_eq!((text(&repo, "d/a"), text(&repo, "new")), ("b\n".into(), "b\n".into()));
}
