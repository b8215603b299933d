//! `--stat`: a line for each change, within the columns of the terminal (80 where there is none).
//!
//! Long paths lose their middle, never their end.

use super::patch::is_minified;
use super::{MERGED, Shown, objections, word};
use crate::output::{Output, Tone, toned};
use cofferdam_session::diff::{Diff, Line, hunks};
use std::collections::BTreeMap;

const COLUMNS: usize = 80;
/// Columns of what stands beside the path.
const NUMBERS_COLUMNS: usize = 34;

pub(in crate::command) fn print(output: &Output, diff: &Diff, shown: &[Shown<'_>], several: bool) {
    let columns = output.columns.unwrap_or(COLUMNS).min(COLUMNS);
    let room = columns.saturating_sub(NUMBERS_COLUMNS).max(16);
    let names: Vec<String> = shown.iter().map(|shown| fitted(&shown.name(several), room)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let mut words: BTreeMap<&'static str, usize> = BTreeMap::new();
    for (shown, name) in shown.iter().zip(&names) {
        *words.entry(word(shown.entry)).or_default() += 1;
        let padding = " ".repeat(width.saturating_sub(name.chars().count()));
        let line = format!(" {name}{padding} | {:<15} {}", word(shown.entry), extent(diff, shown));
        output.line(line.trim_end());
        for objection in objections(shown) {
            output.line(&toned(Tone::Bad, &format!("   {objection}")));
        }
        if shown.is_merged() {
            output.line(&toned(Tone::Strong, &format!("   {MERGED}")));
        }
        let remarks = diff.remarks(shown.directory, shown.entry);
        let runs_later = remarks.runs_later.map(|found| format!("runs later: {}", found.reason));
        let suspicious = remarks.suspicious.iter().map(|found| format!("suspicious: {found}"));
        for remark in runs_later.into_iter().chain(suspicious) {
            output.line(&toned(Tone::Strong, &format!("   {remark}")));
        }
    }
    let counts: Vec<String> = words.iter().map(|(word, count)| format!("{count} {word}")).collect();
    if !counts.is_empty() {
        output.line(&format!(" {}", counts.join(", ")));
    }
}

/// How many lines come and go, or why that is not counted.
fn extent(diff: &Diff, shown: &Shown<'_>) -> String {
    let bytes = || {
        let size = shown.entry.size_after.or(shown.entry.size_before).unwrap_or(0);
        format!("{size} bytes")
    };
    let Ok(text) = diff.text(shown.directory, shown.entry) else {
        return if shown.entry.binary { format!("binary, {}", bytes()) } else { String::new() };
    };
    if is_minified(&text.before) || is_minified(&text.after) {
        return format!("long lines, {}", bytes());
    }
    let (mut added, mut removed) = (0_usize, 0_usize);
    for hunk in hunks(&text.before, &text.after) {
        for line in &hunk.lines {
            match line {
                Line::Added(_) => added += 1,
                Line::Removed(_) => removed += 1,
                Line::Kept(_) => {}
            }
        }
    }
    let part = |tone, sign, count| (count > 0).then(|| toned(tone, &format!("{sign}{count}")));
    let parts = [part(Tone::Good, '+', added), part(Tone::Bad, '-', removed)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The beginning and the end of a name that does not fit.
fn fitted(name: &str, columns: usize) -> String {
    let length = name.chars().count();
    if length <= columns {
        return name.to_owned();
    }
    let head = columns / 3;
    let tail = columns.saturating_sub(head + 1);
    let start: String = name.chars().take(head).collect();
    let end: String = name.chars().skip(length - tail).collect();
    format!("{start}…{end}")
}
