//! `cofferdam review`: a person at a terminal, from the first frame to the confirmation, and what a pipe gets.

use super::OWNER;
use cofferdam_testkit::{Home, Repo, Terminal, Tree};
use rustix::process::Signal;
use std::time::Duration;

/// A planted hook, a CI file, a bidi trick, and a text with two changes far from one another.
fn changed(home: &Home) -> Repo<'_> {
    let repo = home.repo("project");
    let text: String = (1..=60).map(|line| format!("line {line}\n")).collect();
    repo.write("text.txt", text);
    repo.commit("first");
    let script = r#"mkdir -p .githooks .github/workflows; printf '#!/bin/sh\nevil\n' >.githooks/pre-commit
        chmod +x .githooks/pre-commit; echo 'on: push' >.github/workflows/ci.yml
        printf 'x \342\200\256\033]52;c;AA\007 y\n' >bidi.txt
        sed -i 's/^line 3$/third/; s/^line 50$/fiftieth/' text.txt"#;
    let run = ["run", "--name", "one", "--", "sh", "-c", script];
    home.cofferdam().args(run).in_directory(repo.path()).run().assert_success();
    repo
}

fn review(home: &Home, rows: u16, columns: u16) -> Terminal {
    let mut terminal = home.cofferdam().args(["review", "one"]).terminal(rows, columns);
    terminal.wait_for("RUNS LATER");
    terminal
}

/// One after another, as a person does: the next key when the screen shows the last one's effect.
fn step(terminal: &mut Terminal, keys: &str, shows: &str) {
    terminal.send(keys);
    terminal.wait_for(shows);
}

fn is_as_before(terminal: &mut Terminal) {
    let shown = terminal.emulator();
    assert!(!shown.alternate_screen() && !shown.hide_cursor() && !shown.bracketed_paste());
}

#[test]
fn a_person_takes_some_leaves_some_and_confirms() {
    let home = Home::of(OWNER);
    let repo = changed(&home);
    let before = Tree::of(repo.path());
    let mut terminal = review(&home, 30, 120);
    terminal.wait_for("git runs it by itself");
    step(&mut terminal, "x", "1 left out");
    terminal.wait_for("on: push");
    step(&mut terminal, "a", "1 taken");
    terminal.wait_for("<U+202E><U+001B>]52;c;AA<U+0007>");
    step(&mut terminal, "x", "2 left out");
    terminal.wait_for("hunk 1 of 2");
    step(&mut terminal, "a", "── hunk 2 of 2, line 47 ");
    step(&mut terminal, "jcfifty?\r", "✎ fifty?");
    step(&mut terminal, "x", "everything is decided");
    step(&mut terminal, "F", "Enter confirms exactly this.");
    terminal.send("\r");
    assert_eq!(terminal.finish().code(), Some(0), "{}", terminal.screen());
    is_as_before(&mut terminal);
    let said = terminal.screen();
    assert!(said.contains("reviewed one: 4 of 7 taken") && said.contains("cofferdam apply -s one"), "{said}");
    let raw = String::from_utf8_lossy(&terminal.raw()).into_owned();
    assert!(
        !raw.contains('\u{202e}') && !raw.contains("\u{1b}]52"),
        "what the session wrote reached the terminal"
    );
    Tree::of(repo.path()).assert_same_as(&before);
    // What was taken, and nothing else, comes by the digest that it said.
    let digest = said.split("--digest").nth(1).unwrap().split_whitespace().collect::<String>();
    let digest = digest.get(..64).unwrap();
    home.cofferdam().args(["apply", "-s", "one", "--digest", digest]).run().assert_success();
    let text = String::from_utf8(repo.read("text.txt")).unwrap();
    assert_eq!(repo.read(".github/workflows/ci.yml"), b"on: push\n");
    assert!(
        text.contains("third\n") && text.contains("line 50\n"),
        "only one of its changes was taken: {text}"
    );
    assert!(!repo.path().join(".githooks").exists() && !repo.path().join("bidi.txt").exists());
}

#[test]
fn quitting_records_nothing_and_says_so() {
    let home = Home::of(OWNER);
    changed(&home);
    let mut terminal = review(&home, 24, 120);
    step(&mut terminal, "a", "1 taken");
    terminal.send("q");
    assert_eq!(terminal.finish().code(), Some(211), "{}", terminal.screen());
    assert!(terminal.screen().contains("nothing is recorded"), "{}", terminal.screen());
    is_as_before(&mut terminal);
}

/// ATTACKS 21: what was typed, pasted or sent before the last page could be read confirms nothing.
#[test]
fn what_is_typed_ahead_or_pasted_never_confirms() {
    let home = Home::of(OWNER);
    changed(&home);
    let mut terminal = review(&home, 30, 120);
    terminal.send("FL\r\r\r\r");
    terminal.wait_for("4 entries are still to be decided");
    terminal.wait_for("L leaves all of them out");
    terminal.wait_for("enter to what is open");
    step(&mut terminal, "L", "Nothing is taken.");
    terminal.send("\r");
    terminal.wait_for("Enter confirms exactly this.");
    terminal.send("\x1b[200~\r\x1b[201~");
    terminal.send("\x1b[24;80R\x1b]11;rgb:00/00/00\x07");
    std::thread::sleep(Duration::from_millis(300));
    assert!(terminal.screen().contains("Enter confirms exactly this."), "{}", terminal.screen());
    terminal.send("\r");
    assert_eq!(terminal.finish().code(), Some(0), "{}", terminal.screen());
}

#[test]
fn the_window_may_change_its_size_and_the_process_be_paused_and_interrupted() {
    let home = Home::of(OWNER);
    changed(&home);
    let mut terminal = review(&home, 30, 120);
    terminal.resize(20, 90);
    terminal.wait_for("F finish");
    terminal.send("f");
    terminal.wait_for("RUNS LATER");
    terminal.signal(Signal::TSTP);
    cofferdam_testkit::until("the terminal to be given back", || {
        (!terminal.emulator().alternate_screen()).then_some(())
    });
    terminal.signal(Signal::CONT);
    terminal.wait_for("RUNS LATER");
    terminal.signal(Signal::TERM);
    assert_eq!(terminal.finish().code(), Some(211), "{}", terminal.screen());
    is_as_before(&mut terminal);
    assert!(terminal.screen().contains("interrupted"), "{}", terminal.screen());
}

#[test]
fn into_a_pipe_the_same_is_printed_notable_first_and_nothing_is_completed() {
    let home = Home::of(OWNER);
    let repo = changed(&home);
    let piped = home.cofferdam().args(["review", "one"]).in_directory(repo.path()).run();
    let text = piped.assert_success().stdout();
    let places: Vec<_> = [
        "added .githooks/pre-commit",
        "added .github/workflows/ci.yml",
        "added bidi.txt",
        "modified text.txt",
    ]
    .iter()
    .map(|heading| text.find(heading))
    .collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} {text}");
    assert!(piped.stderr().contains("completes no review"), "{piped}");
    let json = home.cofferdam().args(["review", "one", "--json"]).in_directory(repo.path()).run();
    let diff = home.cofferdam().args(["diff", "-s", "one", "--json"]).in_directory(repo.path()).run();
    assert_eq!(json.json(), diff.json());
    assert!(json.stderr().contains("completes no review"), "{json}");
}
