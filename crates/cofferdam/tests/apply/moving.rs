//! What moves between the look and the apply (ATTACKS 18).

use super::scene::*;
use std::fs;

#[test]
fn what_the_session_changed_since_moves_the_digest_and_nothing_is_written() {
    let home = home();
    let repo = repo(&home, &[("a", "a\n")]);
    session(&home, &repo, "echo seen >a");
    let seen = digest(&home, &repo, &[]);
    again(&home, "echo unseen >a");
    let now = digest(&home, &repo, &[]);
    try_apply(&home, &repo, &seen, &[]).assert_refused(215, &[&now, "cofferdam diff -s one"]);
    assert_eq!(text(&repo, "a"), "a\n");
}

#[test]
fn a_store_through_a_mapping_that_changes_no_time_moves_the_digest() {
    let home = home();
    let repo = repo(&home, &[("a", "a\n")]);
    session(&home, &repo, "echo seen >a");
    let seen = digest(&home, &repo, &[]);
    // As a store through a mapping: other bytes, the same size, and the times set back.
    let session = fs::read_dir(home.state().join("sessions")).unwrap().flatten().next().unwrap().path();
    let upper = session.join("layer-0/upper/a");
    let times = fs::metadata(&upper).unwrap();
    fs::write(&upper, "evil\n").unwrap();
    let file = fs::File::options().write(true).open(&upper).unwrap();
    file.set_times(fs::FileTimes::new().set_modified(times.modified().unwrap())).unwrap();
    try_apply(&home, &repo, &seen, &[]).assert_exit(215);
    assert_eq!(text(&repo, "a"), "a\n");
}

#[test]
fn a_file_that_the_owner_made_a_link_is_neither_followed_nor_replaced() {
    let home = home();
    let repo = repo(&home, &[("a", "a\n"), ("target", "t\n")]);
    session(&home, &repo, "echo b >a");
    let seen = digest(&home, &repo, &[]);
    fs::remove_file(repo.path().join("a")).unwrap();
    std::os::unix::fs::symlink("target", repo.path().join("a")).unwrap();
    try_apply(&home, &repo, &seen, &[]).assert_refused(217, &["a: "]);
    assert_eq!(text(&repo, "target"), "t\n");
    assert!(fs::symlink_metadata(repo.path().join("a")).unwrap().is_symlink());
}

#[test]
fn a_directory_that_was_exchanged_above_an_untouched_file_is_a_conflict() {
    let home = home();
    let repo = repo(&home, &[("d/a", "a\n"), ("e/a", "a\n")]);
    session(&home, &repo, "echo b >d/a");
    let seen = digest(&home, &repo, &[]);
    let at = |path: &str| repo.path().join(path);
    fs::rename(at("d"), at("f")).unwrap();
    fs::rename(at("e"), at("d")).unwrap();
    try_apply(&home, &repo, &seen, &[]).assert_exit(217);
    assert_eq!((text(&repo, "d/a"), text(&repo, "f/a")), ("a\n".into(), "a\n".into()));
}

#[test]
fn what_was_applied_and_changed_again_is_no_edit_of_the_owners_until_there_is_one() {
    let home = home();
    let repo = repo(&home, &[("a", "a\n"), ("b", "b\n"), ("d/x", "x\n")]);
    session(&home, &repo, "echo 1 >a; echo 1 >new; mkdir n; echo 1 >n/f; mv d/x d/y; chmod +x b; ln -s a l");
    apply(&home, &repo);
    again(
        &home,
        "echo 2 >a; echo 2 >new; echo 2 >n/f; echo 2 >n/g; mv d/y d/z; echo 2 >b; ln -sf b l; echo 2 >d/x",
    );
    let changed = entries(&home, &repo);
    assert!(changed.iter().all(|entry| entry["conflict"].is_null()), "{changed:#?}");
    apply(&home, &repo);
    for path in ["a", "new", "n/f", "n/g", "b", "d/x"] {
        assert_eq!(text(&repo, path), "2\n", "{path}");
    }
    assert_eq!(text(&repo, "d/z"), "x\n");
    assert!(entries(&home, &repo).is_empty(), "{:#?}", entries(&home, &repo));
    again(&home, "echo 3 >a; echo 3 >new");
    repo.write("a", "the owner's\n");
    let third = entries(&home, &repo);
    let conflict =
        |path: &str| third.iter().find(|entry| entry["path"]["escaped"] == path).unwrap()["conflict"].clone();
    assert_eq!((conflict("a"), conflict("new")), ("edited".into(), serde_json::Value::Null));
    cofferdam(&home, &repo, &["apply", "-s", "one"]).run().assert_refused(217, &["a: "]);
}

#[test]
fn what_was_undone_can_be_applied_again() {
    let home = home();
    let repo = repo(&home, &[("a", "a\n"), ("gone", "g\n"), ("d/x", "x\n")]);
    session(&home, &repo, "echo b >a; rm gone; rm -r d; echo n >new");
    let first = digest(&home, &repo, &[]);
    apply(&home, &repo);
    cofferdam(&home, &repo, &["undo"]).run().assert_success();
    assert_eq!(digest(&home, &repo, &[]), first);
    apply(&home, &repo);
    assert_eq!(text(&repo, "a"), "b\n");
    assert!(!repo.path().join("d").exists());
}

#[test]
fn what_the_owner_puts_into_a_directory_that_an_apply_made_is_not_taken_for_deleted() {
    let home = home();
    let repo = repo(&home, &[("a", "a\n")]);
    session(&home, &repo, "mkdir -p n/m; echo 1 >n/f; echo 1 >n/m/g; echo 1 >n/m/h");
    apply(&home, &repo);
    repo.write("n/mine", "the owner's\n");
    repo.write("n/own/mine", "the owner's\n");
    repo.write("n/m/mine", "the owner's\n");
    assert!(entries(&home, &repo).is_empty(), "{:#?}", entries(&home, &repo));
    again(&home, "echo 2 >n/m/g; rm n/m/h");
    let changed = entries(&home, &repo);
    assert_eq!(changed.len(), 2, "{changed:#?}");
    apply(&home, &repo);
    assert_eq!((text(&repo, "n/m/g"), text(&repo, "n/m/mine")), ("2\n".into(), "the owner's\n".into()));
    assert!(!repo.path().join("n/m/h").exists());
    again(&home, "rm -r n");
    cofferdam(&home, &repo, &["apply", "-s", "one"]).run().assert_refused(217, &["n/mine"]);
}
