//! What every Rust file has to be like.

use cofferdam_checks::{Production, Tracked, assert_none, identifiers, tracked};

/// Lines of a file above its tests; functions are counted by clippy.
const PRODUCTION_LINES_MAX: usize = 800;
/// The one crate that may hold unsafe code.
const UNSAFE_HOME: &str = "crates/syscall/";
/// Words that say that something is not finished, spelled so that this line is none of them.
const UNFINISHED: [&str; 5] =
    [concat!("to", "do!"), concat!("unimpl", "emented!"), "FIX\u{4d}E", "XX\u{58}", "HAC\u{4b}"];

#[test]
fn no_file_has_more_than_800_lines_above_its_tests() {
    let findings = find(|file| {
        let lines = Production::of(file.text()).lines();
        (lines > PRODUCTION_LINES_MAX).then(|| format!("{}: {lines} lines", file.path))
    });
    assert_none(&findings, "split the file along a noun of the domain");
}

#[test]
fn every_crate_but_syscall_forbids_unsafe_code() {
    let findings = find(|file| {
        let named = file.path.ends_with("src/lib.rs") || file.path.ends_with("src/main.rs");
        let of_a_test = file.path.split('/').nth(2) == Some("tests") && is_target_root(&file.path);
        let in_a_bin =
            file.path.contains("/src/bin/") && is_target_root(&file.path.replace("src/bin", "bin"));
        let forbids = file.text().contains("#![forbid(unsafe_code)]");
        let must = (named || of_a_test || in_a_bin) && !file.path.starts_with(UNSAFE_HOME);
        (must && !forbids).then(|| file.path.clone())
    });
    assert_none(&findings, "put `#![forbid(unsafe_code)]` below the `//!` lines of each");
}

#[test]
fn unsafe_stands_nowhere_but_in_syscall() {
    let findings = find(|file| {
        let foreign = !file.path.starts_with(UNSAFE_HOME);
        let used = || identifiers(file.text()).into_iter().find(|(_, word)| word == "unsafe");
        foreign.then(used).flatten().map(|(line, _)| format!("{}:{line}", file.path))
    });
    assert_none(&findings, "make it one thin safe function in crates/syscall, or use rustix");
}

#[test]
fn every_module_says_first_what_it_is_for() {
    let findings = find(|file| {
        let said = file.text().starts_with("//! ");
        (file.is_crate_source() && !said).then(|| file.path.clone())
    });
    assert_none(&findings, "begin the file with `//!`: what it is for, and what it deliberately does not do");
}

#[test]
fn nothing_unfinished_is_left_in_the_tree() {
    let mut findings = Vec::new();
    for file in tracked().iter().filter(|file| is_program_text(&file.path)) {
        for (number, line) in (1..).zip(file.text().lines()) {
            let words = UNFINISHED.iter().filter(|word| has_word(line, word));
            findings.extend(words.map(|word| format!("{}:{number}: {word}", file.path)));
        }
    }
    assert_none(&findings, "finish it, or open an issue and name what is missing where the user sees it");
}

#[test]
fn no_test_is_switched_off() {
    let mark = concat!("#[", "ignore");
    let findings = find(|file| {
        let found = (1..).zip(file.text().lines()).find(|(_, line)| line.contains(mark));
        found.map(|(number, _): (usize, _)| format!("{}:{number}", file.path))
    });
    assert_none(&findings, "mend the test, or delete it together with what it promised");
}

#[test]
fn only_the_command_line_prints() {
    let findings = find(|file| {
        let printing = ["println", "eprintln", "print", "eprint"];
        let quiet = file.is_crate_source()
            && !["crates/cofferdam/", "crates/probe/"].iter().any(|home| file.path.starts_with(home));
        let code = cofferdam_checks::code_only(Production::of(file.text()).text);
        let found = printing.iter().find(|word| code.contains(&format!("{word}!(")));
        found.filter(|_| quiet).map(|word| format!("{}: {word}!", file.path))
    });
    assert_none(&findings, "return a value; crates/cofferdam prints it");
}

fn find(finding: impl Fn(&Tracked) -> Option<String>) -> Vec<String> {
    tracked().iter().filter(|file| file.is_rust()).filter_map(finding).collect()
}

/// `crates/x/tests/name.rs` or `crates/x/tests/name/main.rs`: what cargo makes a program of.
fn is_target_root(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    parts.len() == 4 || (parts.len() == 5 && path.ends_with("/main.rs"))
}

fn is_program_text(path: &str) -> bool {
    [".rs", ".sh", ".py", ".js", ".toml", ".sql"].iter().any(|end| path.ends_with(end))
        || ["scripts/", ".ci/", "Makefile"].iter().any(|start| path.starts_with(start))
}

fn has_word(line: &str, word: &str) -> bool {
    let part_of_word = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        let after = line.get(at + word.len()..).and_then(|after| after.chars().next());
        let ends = word.ends_with('!') || !after.is_some_and(part_of_word);
        ends && !before.is_some_and(part_of_word)
    })
}

#[test]
fn an_unfinished_word_is_found_as_a_word_only() {
    let word = "XX\u{58}";
    assert!(has_word(&format!("// {word}: later"), word));
    assert!(!has_word(&format!("prefix-{word}{word}{word}"), word));
    assert!(has_word(&format!("x = {}();", UNFINISHED.first().unwrap()), UNFINISHED.first().unwrap()));
}
