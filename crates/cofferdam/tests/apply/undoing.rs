//! Taking back.

use super::scene::*;
use serde_json::Value;

fn part(home: &cofferdam_testkit::Home, repo: &cofferdam_testkit::Repo<'_>, path: &str) -> String {
    let digest = digest(home, repo, &[path]);
    let report = json(home, repo, &["apply", "-s", "one", "--digest", &digest, path]);
    report.get("apply").and_then(Value::as_str).unwrap().to_owned()
}

#[test]
fn an_undo_restores_what_was_there_and_is_in_the_ledger() {
    let home = home();
    let repo = repo(&home, &[("a", "a\n"), ("d/x", "x\n"), ("tool", "t\n")]);
    let before = looks(&repo);
    session(&home, &repo, "echo b >a; rm -r d; echo n >new; mkdir m; echo m >m/m; chmod +x tool");
    let id = apply(&home, &repo);
    let undone = json(&home, &repo, &["undo"]);
    assert_eq!(
        (undone["apply"].as_str(), &undone["undone"]),
        (Some(id.as_str()), &true.into()),
        "{undone:#}"
    );
    assert_eq!(looks(&repo), before);
    assert_eq!(events(&home, &repo, "undone"), 1);
    cofferdam(&home, &repo, &["undo"]).run().assert_refused(216, &["nothing to undo"]);
    cofferdam(&home, &repo, &["undo", &id]).run().assert_refused(216, &["undone already"]);
    cofferdam(&home, &repo, &["undo", "zz"]).run().assert_refused(216, &["no apply"]);
    let shown = cofferdam(&home, &repo, &["show"]).run();
    assert!(shown.assert_success().stdout().contains(", undone"), "{shown}");
}

#[test]
fn applies_are_undone_in_any_order_by_the_beginning_of_their_ids() {
    let home = home();
    let repo = repo(&home, &[("a", "a\n"), ("b", "b\n")]);
    let before = looks(&repo);
    session(&home, &repo, "echo 1 >a; echo 1 >b");
    let (first, second) = (part(&home, &repo, "a"), part(&home, &repo, "b"));
    cofferdam(&home, &repo, &["undo", first.get(..8).unwrap()]).run().assert_success();
    assert_eq!((text(&repo, "a"), text(&repo, "b")), ("a\n".into(), "1\n".into()));
    cofferdam(&home, &repo, &["undo", &second]).run().assert_success();
    assert_eq!(looks(&repo), before);
}

#[test]
fn an_undo_does_not_lose_what_the_owner_edited_since() {
    let home = home();
    let repo = repo(&home, &[("a", "a\n"), ("b", "b\n")]);
    session(&home, &repo, "echo 1 >a; echo 1 >b");
    apply(&home, &repo);
    repo.write("a", "the owner's\n");
    cofferdam(&home, &repo, &["undo"]).run().assert_refused(217, &["a: it was changed"]);
    assert_eq!((text(&repo, "a"), text(&repo, "b")), ("the owner's\n".into(), "1\n".into()));
    repo.write("a", "1\n");
    cofferdam(&home, &repo, &["undo"]).run().assert_success();
    assert_eq!((text(&repo, "a"), text(&repo, "b")), ("a\n".into(), "b\n".into()));
}

#[test]
fn an_apply_can_be_undone_when_its_session_is_discarded() {
    let home = home();
    let repo = repo(&home, &[("a", "a\n")]);
    session(&home, &repo, "echo 1 >a");
    apply(&home, &repo);
    cofferdam(&home, &repo, &["discard", "-f", "one"]).run().assert_success();
    cofferdam(&home, &repo, &["undo"]).run().assert_success();
    assert_eq!(text(&repo, "a"), "a\n");
}
