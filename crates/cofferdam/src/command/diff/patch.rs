//! A change as a unified text diff, or in a line that says why it is not shown as text.
//!
//! It is for reading. Lines are made visible, so that it is no patch for a program that holds other bytes.

use super::{MERGED, Shown, objections, remarks, word};
use crate::output::{Output, Tone, toned, whole};
use cofferdam_policy::review::visible::{Piece, visible};
use cofferdam_session::diff::{Change, Diff, EntryKind, Hunk, Line, Text, TextError, hunks};

/// A line of more than this many bytes is cut; how much is missing is said.
const LINE_BYTES_MAX: usize = 2_000;

/// A text with lines of more than this many bytes on average was not written to be read.
const MEAN_LINE_BYTES_MAX: usize = 1_000;

/// The most lines of one file; how many are missing is said.
const LINES_MAX: usize = 5_000;

pub(super) fn print(output: &Output, diff: &Diff, shown: &Shown<'_>, several: bool) {
    let entry = shown.entry;
    let mut heading = format!("{} {}", word(entry), shown.name(several));
    if let Some(from) = &entry.renamed_from {
        heading.push_str(&format!(" from {}", whole(from.as_bytes())));
    }
    if let (Some(before), Some(after)) = (entry.mode_before, entry.mode_after)
        && before != after
    {
        heading.push_str(&format!(" ({before:06o} → {after:06o})"));
    } else if let Some(mode) = entry.mode_after.filter(|mode| *mode != 0o100_644) {
        heading.push_str(&format!(" ({mode:06o})"));
    }
    output.line(&toned(Tone::Strong, &heading));
    for objection in objections(shown) {
        output.line(&toned(Tone::Bad, &format!("  {objection}")));
    }
    if shown.is_merged() {
        output.line(&toned(Tone::Strong, &format!("  {MERGED}")));
    }
    for remark in remarks::lines(diff, shown) {
        output.line(&toned(Tone::Strong, &format!("  {remark}")));
    }
    if entry.renamed_from.is_none() {
        match diff.text(shown.directory, entry) {
            Ok(text) => print_text(output, &text, entry.kind),
            Err(TextError::None) => {}
            Err(error) => summarise(output, shown, &error.to_string()),
        }
    }
}

fn summarise(output: &Output, shown: &Shown<'_>, why: &str) {
    let entry = shown.entry;
    let bytes = |size: Option<u64>| size.map_or("nothing".to_owned(), |size| format!("{size} bytes"));
    let sizes = format!("{} → {}", bytes(entry.size_before), bytes(entry.size_after));
    output.line(&toned(Tone::Dim, &format!("  {why}: {sizes}")));
    if let Some(content) = entry.content.filter(|_| entry.change != Change::Deleted) {
        output.line(&toned(Tone::Dim, &format!("  sha256 {content}")));
    }
}

pub(super) fn print_text(output: &Output, text: &Text, kind: EntryKind) {
    if is_minified(&text.before) || is_minified(&text.after) {
        let (before, after) = (text.before.len(), text.after.len());
        let line = format!("  very long lines, not shown: {before} bytes → {after} bytes");
        output.line(&toned(Tone::Dim, &line));
        return;
    }
    let hunks = hunks(&text.before, &text.after);
    let total: usize = hunks.iter().map(|hunk| hunk.lines.len()).sum();
    let mut left = LINES_MAX;
    for hunk in &hunks {
        if left == 0 {
            break;
        }
        output.line(&toned(Tone::Dim, &head(hunk)));
        for line in hunk.lines.iter().take(left) {
            output.line(&shown_line(*line, kind));
        }
        left = left.saturating_sub(hunk.lines.len());
    }
    if total > LINES_MAX {
        let missing = total - LINES_MAX;
        output.line(&toned(Tone::Bad, &format!("… {missing} more lines of this file are not shown")));
    }
}

pub(in super::super) fn is_minified(text: &[u8]) -> bool {
    let lines = text.iter().filter(|byte| **byte == b'\n').count().saturating_add(1);
    text.len() / lines > MEAN_LINE_BYTES_MAX
}

fn head(hunk: &Hunk<'_>) -> String {
    let range = |start: u32, lines: u32| match lines {
        1 => start.to_string(),
        _ => format!("{start},{lines}"),
    };
    format!(
        "@@ -{} +{} @@",
        range(hunk.before_start, hunk.before_lines),
        range(hunk.after_start, hunk.after_lines)
    )
}

fn shown_line(line: Line<'_>, kind: EntryKind) -> String {
    let (sign, bytes, tone) = match line {
        Line::Kept(bytes) => (' ', bytes, None),
        Line::Removed(bytes) => ('-', bytes, Some(Tone::Bad)),
        Line::Added(bytes) => ('+', bytes, Some(Tone::Good)),
    };
    let (text, ended) = match bytes.strip_suffix(b"\n") {
        Some(text) => (text, true),
        None => (bytes, kind == EntryKind::Symlink),
    };
    let cut = text.len().saturating_sub(LINE_BYTES_MAX);
    let mut shown = format!("{sign}{}", legible(text.get(..LINE_BYTES_MAX).unwrap_or(text)));
    if cut > 0 {
        shown.push_str(&format!(" … {cut} more bytes on this line"));
    }
    if !ended {
        shown.push_str(" (no newline at the end)");
    }
    tone.map_or(shown.clone(), |tone| toned(tone, &shown))
}

/// A line of text, made visible; tabs become the blanks that they stand for, and blanks at its end can be seen.
fn legible(text: &[u8]) -> String {
    let (body, trailing) = text.split_at(text.trim_ascii_end().len());
    format!("{}{}", spelt(body), spelt(trailing).replace(' ', "·"))
}

fn spelt(text: &[u8]) -> String {
    const TAB: &str = "    ";
    let piece = |piece: &Piece<'_>| match piece {
        Piece::Tab => TAB.to_owned(),
        Piece::Text(_) | Piece::Mark(_) => piece.to_string(),
    };
    visible(text).iter().map(piece).collect()
}
