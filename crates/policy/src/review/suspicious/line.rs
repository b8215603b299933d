//! Findings in lines of text and in whole texts.
//!
//! A line is looked at for itself, so that a text of any length takes constant memory. Comments, strings and code are
//! not told apart: a character that deceives does so in each of them.

use super::{Finding, marks};
use std::collections::{BTreeMap, BTreeSet};

/// A longer line is not read by anybody, in bytes.
pub const LONG_LINE_BYTES: usize = 1000;

/// So many columns of blanks before further text put it out of sight.
pub const FAR_RIGHT_BLANKS_MIN: usize = 80;

/// So many columns of blanks at the beginning of a line.
pub const INDENT_BLANKS_MIN: usize = 160;

/// In a minified line fewer than one byte in so many is a blank.
const MINIFIED_BYTES_PER_BLANK: usize = 25;

/// Columns that a tab is counted for.
const TAB_COLUMNS: usize = 8;

/// What `line` holds; with or without its line end, of which `\r\n` is one.
#[must_use]
pub fn of_line(line: &[u8]) -> BTreeSet<Finding> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut found: BTreeSet<Finding> = marks(line).into_iter().map(|mark| mark.finding).collect();
    if holds_right_to_left(line) && line.iter().any(u8::is_ascii_graphic) {
        found.insert(Finding::RightToLeft);
    }
    if is_far_right(line) {
        found.insert(Finding::FarRight);
    }
    if line.len() > LONG_LINE_BYTES {
        let blanks = line.iter().filter(|byte| byte.is_ascii_whitespace()).count();
        let minified = blanks.saturating_mul(MINIFIED_BYTES_PER_BLANK) < line.len();
        found.insert(if minified { Finding::Minified } else { Finding::LongLine });
    }
    found
}

/// The findings of a text, gathered line by line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextFindings {
    lines: u64,
    found: BTreeMap<Finding, Occurrences>,
}

/// Where a finding was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occurrences {
    /// The first line, from 1.
    pub first_line: u64,
    /// How many lines.
    pub lines: u64,
}

impl TextFindings {
    /// All findings of `text`.
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        let mut findings = Self::default();
        text.split_inclusive(|byte| *byte == b'\n').for_each(|line| findings.add(line));
        findings
    }

    /// Takes the next line. A byte order mark at the beginning of the first is none.
    pub fn add(&mut self, line: &[u8]) {
        let first = self.lines == 0;
        self.lines = self.lines.saturating_add(1);
        let line = if first { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
        for finding in of_line(line) {
            let occurrences =
                self.found.entry(finding).or_insert(Occurrences { first_line: self.lines, lines: 0 });
            occurrences.lines = occurrences.lines.saturating_add(1);
        }
    }

    /// What was found, in the order of [`Finding`].
    pub fn iter(&self) -> impl Iterator<Item = (Finding, Occurrences)> {
        self.found.iter().map(|(finding, occurrences)| (*finding, *occurrences))
    }
}

/// Letters of the scripts that are written from right to left, by their blocks.
fn holds_right_to_left(line: &[u8]) -> bool {
    let is = |c: char| matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}' | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}');
    !line.is_ascii() && line.utf8_chunks().any(|chunk| chunk.valid().chars().any(is))
}

fn is_far_right(line: &[u8]) -> bool {
    let (mut run, mut seen) = (0_usize, false);
    for byte in line {
        match byte {
            b' ' => run = run.saturating_add(1),
            b'\t' => run = run.saturating_add(TAB_COLUMNS),
            _ => {
                let most = if seen { FAR_RIGHT_BLANKS_MIN } else { INDENT_BLANKS_MIN };
                if run >= most {
                    return true;
                }
                (run, seen) = (0, true);
            }
        }
    }
    false
}

#[cfg(test)]
mod tests;
