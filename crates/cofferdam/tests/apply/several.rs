//! Several directories: all or nothing, also when it is cut off.

use super::scene::*;
use cofferdam_testkit::{Home, Repo};
use std::fs;

fn two<'h>(home: &'h Home) -> (Repo<'h>, Repo<'h>) {
    let (first, second) = (home.repo("project"), home.repo("second"));
    for repo in [&first, &second] {
        repo.write("a", "a\n");
        repo.write("b", "b\n");
        repo.commit("first");
    }
    settle();
    let script = format!("echo 1 >a; rm b; echo 1 >{0}/a; rm {0}/b", second.path().display());
    let second_path = second.path().to_owned();
    let command = home.cofferdam().args(["run", "--name", "one", "-w", "."]).arg("-w").arg(second_path);
    command.args(["--", "sh", "-c", &script]).in_directory(first.path()).run().assert_success();
    (first, second)
}

#[test]
fn two_directories_are_written_together_and_undone_together() {
    let home = home();
    let (first, second) = two(&home);
    let id = apply(&home, &first);
    assert_eq!((text(&first, "a"), text(&second, "a")), ("1\n".into(), "1\n".into()));
    cofferdam(&home, &first, &["undo", &id]).run().assert_success();
    assert_eq!((text(&first, "b"), text(&second, "b")), ("b\n".into(), "b\n".into()));
}

#[test]
fn what_fails_in_the_second_directory_is_not_in_the_first_either() {
    let home = home();
    let (first, second) = two(&home);
    apply(&home, &first);
    second.write("a", "the owner's\n");
    cofferdam(&home, &first, &["undo"]).run().assert_refused(217, &["a: it was changed"]);
    assert_eq!((text(&first, "a"), text(&second, "a")), ("1\n".into(), "the owner's\n".into()));
    assert!(!first.path().join("b").exists() && !second.path().join("b").exists());
    second.write("a", "1\n");
    cofferdam(&home, &first, &["undo"]).run().assert_success();
    assert_eq!((text(&first, "b"), text(&second, "b")), ("b\n".into(), "b\n".into()));
}

/// Every call that gives something another name: the last of these comes after all steps but the ledger's.
const RENAMES: [&str; 2] = ["renameat2", "rename"];

/// Kills `arguments` when it calls `name` for the time number `call`; whether it did so often.
fn killed_at(home: &Home, repo: &Repo<'_>, (name, call): (&str, usize), arguments: &[&str]) -> bool {
    let product = home.cofferdam().command();
    let inject = format!("inject={name}:signal=SIGKILL:when={call}");
    let trace = home.home().join("trace");
    let strace =
        home.invoke("strace").args(["-f", "-qq", "-e", &format!("trace={name}"), "-e", &inject, "-o"]);
    let strace = strace.arg(&trace).arg("--").arg(product.get_program()).args(arguments);
    let outcome = strace.in_directory(repo.path()).run();
    let killed = fs::read_to_string(&trace).unwrap().contains("killed by SIGKILL");
    if !killed {
        outcome.assert_success();
    }
    killed
}

#[test]
fn an_apply_of_two_directories_killed_at_any_rename_is_whole_or_not_at_all_after_the_next_command() {
    let home = home();
    let (first, second) = two(&home);
    let before = (looks(&first), looks(&second));
    let digest = digest(&home, &first, &[]);
    let (mut complete, mut name) = (0, RENAMES.iter());
    let mut at = (*name.next().unwrap(), 0);
    loop {
        at.1 += 1;
        let killed = killed_at(&home, &first, at, &["apply", "-s", "one", "--digest", &digest]);
        cofferdam(&home, &first, &["diff", "-s", "one", "--stat"]).run().assert_success();
        let now = (text(&first, "a"), text(&second, "a"));
        let gone = (first.path().join("b").exists(), second.path().join("b").exists());
        let shown = json(&home, &first, &["show", "one"]);
        let stands =
            shown["applies"].as_array().unwrap().iter().filter(|apply| apply["undone"] == false).count();
        if now.0 == "1\n" {
            assert_eq!((now.1.as_str(), gone, stands), ("1\n", (false, false), 1), "at {at:?}");
            complete += 1;
            cofferdam(&home, &first, &["undo", "-s", "one"]).run().assert_success();
        }
        assert_eq!((text(&first, "a"), text(&second, "a")), ("a\n".into(), "a\n".into()), "at {at:?}");
        assert_eq!(events(&home, &first, "applied"), complete, "at {at:?}");
        assert!((looks(&first), looks(&second)) == before, "at {at:?}");
        if !killed {
            assert!(at.1 > 1, "it never calls {}", at.0);
            let Some(next) = name.next() else { return };
            at = (*next, 0);
        }
    }
}

#[test]
fn an_undo_of_two_directories_killed_at_any_rename_is_whole_or_not_at_all_after_the_next_command() {
    let home = home();
    let (first, second) = two(&home);
    apply(&home, &first);
    let mut name = RENAMES.iter();
    let mut at = (*name.next().unwrap(), 0);
    loop {
        at.1 += 1;
        let killed = killed_at(&home, &first, at, &["undo", "-s", "one"]);
        cofferdam(&home, &first, &["diff", "-s", "one", "--stat"]).run().assert_success();
        let texts = (text(&first, "a"), text(&second, "a"));
        assert_eq!(texts.0, texts.1, "at {at:?}");
        if !killed {
            assert_eq!(texts.0, "a\n");
            assert!(at.1 > 1, "it never calls {}", at.0);
            let Some(next) = name.next() else { return };
            at = (*next, 0);
        }
        if texts.0 == "a\n" {
            apply(&home, &first);
        }
    }
}

#[test]
fn two_applies_at_once_write_once() {
    let home = home();
    let (first, second) = two(&home);
    let digest = digest(&home, &first, &[]);
    let start = || cofferdam(&home, &first, &["apply", "-s", "one", "--digest", &digest]).start();
    let running: Vec<_> = (0..3).map(|_| start()).collect();
    let outcomes: Vec<_> = running.into_iter().map(cofferdam_testkit::Running::finish).collect();
    let done = outcomes.iter().filter(|outcome| outcome.stdout().contains("applied 4 entries")).count();
    assert_eq!(done, 1, "{outcomes:#?}");
    assert_eq!((text(&first, "a"), text(&second, "a")), ("1\n".into(), "1\n".into()));
    assert_eq!(events(&home, &first, "applied"), 1);
}
