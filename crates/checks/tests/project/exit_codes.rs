//! Every exit code and every refusal reason is a promise, and a promise is written down.

use std::collections::BTreeMap;

use cofferdam_checks::{assert_none, read, root, tracked};

const CONSTANTS: &str = "crates/session/src/exit.rs";
const DOCUMENT: &str = "docs/exit-codes.md";

#[test]
fn every_exit_code_is_documented_with_its_number() {
    let document = read(DOCUMENT, "documents the exit codes");
    let findings: Vec<String> = constants()
        .into_iter()
        .filter(|(name, number)| !has_row(&document, &number.to_string(), name))
        .map(|(name, number)| format!("write a row | {number} | `{name}` | when | what to do |"))
        .collect();
    assert_none(
        &findings,
        &format!("each constant of {CONSTANTS} has a row in {DOCUMENT} with its number and name"),
    );
}

#[test]
fn every_documented_exit_code_exists() {
    let (document, constants) = (read(DOCUMENT, "documents the exit codes"), constants());
    let numbers = document.lines().filter_map(|line| {
        let cell = line.strip_prefix('|')?.split('|').next()?.trim().trim_matches('`');
        cell.parse::<u8>().ok()
    });
    let findings: Vec<String> = numbers
        .filter(|number| !constants.values().any(|constant| constant == number))
        .map(|number| format!("{DOCUMENT} has a row for {number}, which is no constant of {CONSTANTS}"))
        .collect();
    assert_none(&findings, "remove the row, or bring the constant back");
}

#[test]
fn no_two_exit_codes_share_a_number() {
    let mut by_number = BTreeMap::new();
    let mut findings = Vec::new();
    for (name, number) in constants() {
        if let Some(other) = by_number.insert(number, name.clone()) {
            findings.push(format!("{other} and {name} are both {number}"));
        }
    }
    assert_none(&findings, &format!("give each constant of {CONSTANTS} a number of its own"));
}

/// A refusal reason is the text that a `Reason` answers with for its variants: `Self::X => "reason-code"` in the file of
/// `policy` that defines `enum Reason`.
#[test]
fn every_refusal_reason_is_documented() {
    let document = read(DOCUMENT, "documents the refusal reasons");
    let defining = tracked().into_iter().filter(|file| {
        file.path.starts_with("crates/policy/src/") && file.text().contains("pub enum Reason {")
    });
    let mut findings = Vec::new();
    for file in defining {
        let arms = file.text().lines().filter(|line| line.contains("=>"));
        let reasons = arms.filter_map(|line| line.split_once("=> \"")?.1.split('"').next());
        let missing = reasons.filter(|reason| is_code(reason) && !document.contains(&format!("`{reason}`")));
        findings.extend(missing.map(|reason| format!("`{reason}` ({})", file.path)));
    }
    assert_none(
        &findings,
        &format!("describe each in {DOCUMENT}: what was refused, and what would allow it"),
    );
}

/// The lines `pub const NAME: u8 = N;`.
#[track_caller]
fn constants() -> BTreeMap<String, u8> {
    assert!(
        root().join(CONSTANTS).is_file(),
        "{CONSTANTS} is missing: it holds the exit codes, `pub const NAME: u8 = N;`"
    );
    let text = read(CONSTANTS, "holds the exit codes");
    let lines = text.lines().filter_map(|line| {
        let (name, number) = line.trim().strip_prefix("pub const ")?.split_once(": u8 = ")?;
        Some((name.to_owned(), number.strip_suffix(';')?.parse().ok()?))
    });
    let constants: BTreeMap<String, u8> = lines.collect();
    assert!(!constants.is_empty(), "{CONSTANTS} holds no line `pub const NAME: u8 = N;`");
    constants
}

/// Whether a table row begins with the number and holds the name.
fn has_row(document: &str, number: &str, name: &str) -> bool {
    document.lines().any(|line| {
        let cells: Vec<&str> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        cells.get(1) == Some(&number) && cells.contains(&name)
    })
}

fn is_code(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|character| character.is_ascii_lowercase() || "-_.".contains(character))
}
