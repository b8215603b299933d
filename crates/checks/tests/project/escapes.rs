//! `docs/escapes.md` maps every attack to the tests that try it, and the tests exist.
//!
//! A row is `| 7 | attack | tests |`: the number of the attack's class, one member of it in words, and either the names
//! of test functions between backticks or `awaits` and the part that it needs. A class may have many rows.

use std::collections::BTreeSet;

use cofferdam_checks::{assert_none, identifiers, read, tracked};

const DOCUMENT: &str = "docs/escapes.md";
/// The classes of attacks are numbered from 1.
const CLASSES: std::ops::RangeInclusive<u32> = 1..=27;
const WAITING: &str = "awaits ";

struct Row {
    line: usize,
    class: u32,
    attack: String,
    tests: String,
}

#[test]
fn every_class_of_attacks_has_a_row() {
    let classes: BTreeSet<u32> = rows().into_iter().map(|row| row.class).collect();
    let missing = CLASSES.filter(|class| !classes.contains(class));
    let findings: Vec<String> = missing.map(|class| format!("class {class} has no row")).collect();
    assert_none(
        &findings,
        "write `| class | attack | `name_of_the_test` |`, or `awaits` and the part it needs",
    );
}

#[test]
fn every_attack_names_a_test_that_exists_or_what_it_awaits() {
    let functions = test_functions();
    let mut findings = Vec::new();
    for row in rows() {
        let place = format!("{DOCUMENT}:{} ({}, {})", row.line, row.class, row.attack);
        let names: Vec<&str> = row.tests.split('`').skip(1).step_by(2).collect();
        if names.is_empty() && !row.tests.contains(WAITING) {
            findings.push(format!("{place} names no test and awaits nothing"));
        }
        let unknown = names.iter().filter(|name| !functions.contains(last_part(name)));
        findings
            .extend(unknown.map(|name| format!("{place} names `{name}`, which is no function of the tree")));
    }
    assert_none(&findings, "write the test, or correct its name");
}

#[test]
fn what_an_attack_awaits_is_named() {
    let findings: Vec<String> = rows()
        .into_iter()
        .filter(|row| row.tests.split_once(WAITING).is_some_and(|(_, part)| part.trim().is_empty()))
        .map(|row| format!("{DOCUMENT}:{}", row.line))
        .collect();
    assert_none(&findings, "write which part of the design it needs: `awaits gateway`");
}

#[track_caller]
fn rows() -> Vec<Row> {
    let text = read(DOCUMENT, "maps attacks to tests");
    let rows = (1..).zip(text.lines()).filter_map(|(line, content)| {
        let mut cells = content.strip_prefix('|')?.split('|').map(str::trim);
        let class = cells.next()?.parse().ok()?;
        let attack = cells.next()?.to_owned();
        let tests = cells.next().unwrap_or_default().to_owned();
        Some(Row { line, class, attack, tests })
    });
    rows.collect()
}

/// `file::name` may be written where the name alone is common.
fn last_part(name: &str) -> &str {
    name.rsplit("::").next().unwrap_or(name)
}

/// The names after `fn` in every Rust file of the crates.
fn test_functions() -> BTreeSet<String> {
    let mut functions = BTreeSet::new();
    for file in tracked().iter().filter(|file| file.is_rust() && file.path.starts_with("crates/")) {
        let words = identifiers(file.text());
        let pairs = words.iter().zip(words.iter().skip(1));
        functions.extend(pairs.filter(|((_, first), _)| first == "fn").map(|(_, (_, name))| name.clone()));
    }
    functions
}
