//! Nothing is written that no person stands for.

use super::scene::*;
use cofferdam_testkit::Tree;

#[test]
fn off_a_terminal_nothing_is_applied_without_a_completed_review() {
    let home = home();
    let repo = repo(&home, &[("a", "a\n")]);
    session(&home, &repo, "echo b >a");
    let before = Tree::of(repo.path());
    let digest = digest(&home, &repo, &[]);
    let refused = cofferdam(&home, &repo, &["apply", "-s", "one"]).input("y\n").run();
    refused.assert_refused(219, &["nobody has reviewed", &format!("--digest {digest}")]);
    let wrong = "0".repeat(64);
    try_apply(&home, &repo, &wrong, &[]).assert_refused(215, &[&digest]);
    try_apply(&home, &repo, "abc", &[]).assert_refused(201, &["abc"]);
    Tree::of(repo.path()).assert_same_as(&before);
    assert_eq!(events(&home, &repo, "applied"), 0);
}

#[test]
fn on_a_terminal_only_a_yes_counts() {
    let home = home();
    let repo = repo(&home, &[("a", "a\n")]);
    session(&home, &repo, "echo b >a");
    let mut no = cofferdam(&home, &repo, &["apply"]).terminal(24, 100);
    no.wait_for("hunk 1 of 1");
    no.send("q");
    no.wait_for("nothing was applied");
    no.finish();
    assert_eq!(text(&repo, "a"), "a\n");
    let mut yes = cofferdam(&home, &repo, &["apply"]).terminal(24, 100);
    for (shown, keys) in [("hunk 1 of 1", "a"), ("1 taken", "F"), ("Enter confirms exactly this.", "\r")] {
        yes.wait_for(shown);
        yes.send(keys);
    }
    yes.wait_for("applied 1 entry");
    yes.finish();
    assert_eq!(text(&repo, "a"), "b\n");
    // What was reviewed to its end before is listed, and asked about.
    cofferdam(&home, &repo, &["undo"]).run().assert_success();
    for (answer, said, left) in [("\r", "nothing was applied", "a\n"), ("y\r", "applied 1 entry", "b\n")] {
        let mut again = cofferdam(&home, &repo, &["apply"]).terminal(24, 100);
        again.wait_for("[y/N]");
        again.send(answer);
        again.wait_for(said);
        again.finish();
        assert_eq!(text(&repo, "a"), left);
    }
}

#[test]
fn a_session_that_runs_is_applied_and_goes_on() {
    let home = home();
    let repo = repo(&home, &[("a", "a\n")]);
    let command = ["run", "-d", "--name", "one", "--", "sh", "-c", "echo b >a; sleep 600"];
    cofferdam(&home, &repo, &command).run().assert_success();
    while entries(&home, &repo).is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let digest = digest(&home, &repo, &[]);
    try_apply(&home, &repo, &digest, &[]).assert_success();
    assert_eq!(text(&repo, "a"), "b\n");
    cofferdam(&home, &repo, &["exec", "-s", "one", "--", "true"]).run().assert_success();
    cofferdam(&home, &repo, &["stop", "one", "--grace", "0"]).run().assert_success();
}

#[test]
fn other_sessions_that_run_there_are_named_with_what_to_do() {
    let home = home();
    let repo = repo(&home, &[("a", "a\n")]);
    session(&home, &repo, "echo b >a");
    let other = ["run", "-d", "--name", "other", "--", "sleep", "600"];
    cofferdam(&home, &repo, &other).run().assert_success();
    let digest = digest(&home, &repo, &[]);
    let applied = try_apply(&home, &repo, &digest, &[]);
    assert!(applied.assert_success().stdout().contains("cofferdam refresh other"), "{applied}");
    cofferdam(&home, &repo, &["stop", "other", "--grace", "0"]).run().assert_success();
}

#[test]
fn what_was_typed_before_the_question_is_no_answer_to_it() {
    let home = home();
    let repo = repo(&home, &[("a", "a\n")]);
    session(&home, &repo, "echo b >a");
    let cofferdam = home.cofferdam().command().get_program().to_owned();
    let script = format!("sleep 0.3; exec {} discard one", cofferdam.display());
    let mut ahead = home.invoke("sh").args(["-c", &script]).in_directory(repo.path()).terminal(24, 100);
    ahead.send("y\r");
    ahead.wait_for("[y/N]");
    ahead.send("\r");
    ahead.finish();
    assert_eq!(entries(&home, &repo).len(), 1, "the session is still there");
}
