//! Edits of both: merged, and never lost afterwards.

use super::scene::*;
use cofferdam_testkit::{Home, Repo};
use std::fmt::Write as _;

/// Sixty lines, far enough from one another.
fn lines(changed: &[(usize, &str)]) -> String {
    (1..=60).fold(String::new(), |mut text, line| {
        let own = changed.iter().find(|(number, _)| *number == line).map(|(_, text)| *text);
        match own {
            Some(own) => writeln!(text, "{own}").unwrap(),
            None => writeln!(text, "line {line}").unwrap(),
        }
        text
    })
}

/// The session changed line 3, and the owner line 50 meanwhile.
fn both_edited(home: &Home) -> Repo<'_> {
    let repo = repo(home, &[("text", &lines(&[]))]);
    session(home, &repo, "sed -i 's/^line 3$/third/' text");
    settle();
    repo.write("text", lines(&[(50, "fiftieth")]));
    repo
}

fn apply_merged(home: &Home, repo: &Repo<'_>) -> String {
    let digest = digest(home, repo, &["--merged"]);
    let report = json(home, repo, &["apply", "-s", "one", "--merged", "--digest", &digest]);
    report.get("apply").and_then(serde_json::Value::as_str).unwrap().to_owned()
}

#[test]
fn edits_of_both_come_together_only_when_that_is_asked_for_and_seen() {
    let home = home();
    let repo = both_edited(&home);
    let refused = cofferdam(&home, &repo, &["apply", "-s", "one", "-n"]).run();
    refused.assert_refused(217, &["text: you edited it meanwhile", "--merged"]);
    apply_merged(&home, &repo);
    assert_eq!(text(&repo, "text"), lines(&[(3, "third"), (50, "fiftieth")]));
}

#[test]
fn after_a_merge_no_later_apply_takes_the_owners_edit_back() {
    let home = home();
    let repo = both_edited(&home);
    apply_merged(&home, &repo);
    let nothing = cofferdam(&home, &repo, &["apply", "-s", "one", "--merged", "-n"]).run();
    nothing.assert_refused(216, &["nothing to apply"]);
    again(&home, "sed -i 's/^line 20$/twentieth/' text");
    let refused = cofferdam(&home, &repo, &["apply", "-s", "one", "-n"]).run();
    refused.assert_refused(217, &["text: you edited or replaced it meanwhile"]);
    apply_merged(&home, &repo);
    assert_eq!(text(&repo, "text"), lines(&[(3, "third"), (20, "twentieth"), (50, "fiftieth")]));
}

#[test]
fn an_undo_of_a_merge_leaves_what_the_owner_had_edited() {
    let home = home();
    let repo = both_edited(&home);
    let id = apply_merged(&home, &repo);
    cofferdam(&home, &repo, &["undo", &id]).run().assert_success();
    assert_eq!(text(&repo, "text"), lines(&[(50, "fiftieth")]));
    let refused = cofferdam(&home, &repo, &["apply", "-s", "one", "-n"]).run();
    refused.assert_refused(217, &["you edited it meanwhile"]);
}

#[test]
fn what_the_owner_edits_between_the_merge_that_was_seen_and_its_apply_stays() {
    let home = home();
    let repo = both_edited(&home);
    let seen = digest(&home, &repo, &["--merged"]);
    settle();
    repo.write("text", lines(&[(40, "fortieth")]));
    let moved = try_apply(&home, &repo, &seen, &["--merged"]);
    moved.assert_refused(215, &["not what this digest stands for"]);
    assert_eq!(text(&repo, "text"), lines(&[(40, "fortieth")]));
}

#[test]
fn a_file_that_both_rewrote_by_another_and_the_owner_then_deleted_does_not_come_back_unasked() {
    let home = home();
    let repo = repo(&home, &[("kept", "k\n"), ("text", &lines(&[]))]);
    session(&home, &repo, "sed 's/^line 3$/third/' text >next; mv next text");
    settle();
    std::fs::remove_file(repo.path().join("text")).unwrap();
    let refused = cofferdam(&home, &repo, &["apply", "-s", "one", "-n"]).run();
    refused.assert_refused(217, &["text: you deleted it meanwhile"]);
}

#[test]
fn a_session_that_runs_stands_still_while_its_files_are_applied_and_goes_on() {
    let home = home();
    let repo = repo(&home, &[("text", "one\n")]);
    let script = "echo two >>text; while :; do echo tick >>ticks; sleep 0.01; done";
    let run = ["run", "-d", "--name", "one", "--", "sh", "-c", script];
    home.cofferdam().args(run).in_directory(repo.path()).run().assert_success();
    let ticks = || {
        let said = home.cofferdam().args(["exec", "-s", "one", "--", "wc", "-l", "ticks"]).run().stdout();
        said.split_whitespace().next().and_then(|count| count.parse::<u64>().ok()).unwrap_or(0)
    };
    cofferdam_testkit::until("the session writes", || (ticks() > 0).then_some(()));
    let seen = digest(&home, &repo, &["text"]);
    try_apply(&home, &repo, &seen, &["text"]).assert_success();
    assert_eq!(text(&repo, "text"), "one\ntwo\n");
    let then = ticks();
    cofferdam_testkit::until("it goes on", || (ticks() > then).then_some(()));
    cofferdam(&home, &repo, &["undo"]).run().assert_success();
    assert_eq!(text(&repo, "text"), "one\n");
    home.cofferdam().args(["stop", "one", "--grace", "0"]).run().assert_success();
}
