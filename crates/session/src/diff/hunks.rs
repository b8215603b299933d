//! Line by line: which lines go, come and stay, in hunks with some context.
//!
//! Bytes in, bytes out: nothing is made visible or coloured here.

use imara_diff::sources::byte_lines;
use imara_diff::{Algorithm, Diff, InternedInput};

/// Lines that stay, shown before and after those that change.
const CONTEXT_LINES: u32 = 3;

/// Changes that lie together, with their surroundings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk<'t> {
    /// The first line before, counted from 1; where none is shown, the one that it follows.
    pub before_start: u32,
    /// How many lines before.
    pub before_lines: u32,
    /// The first line after, likewise.
    pub after_start: u32,
    /// How many lines after.
    pub after_lines: u32,
    /// All of them, in order. Each with its line end, if it has one.
    pub lines: Vec<Line<'t>>,
}

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'t> {
    /// On both sides.
    Kept(&'t [u8]),
    /// Before only.
    Removed(&'t [u8]),
    /// After only.
    Added(&'t [u8]),
}

/// The hunks by which `before` becomes `after`.
#[must_use]
pub fn hunks<'t>(before: &'t [u8], after: &'t [u8]) -> Vec<Hunk<'t>> {
    let input = InternedInput::new(byte_lines(before), byte_lines(after));
    let mut diff = Diff::compute(Algorithm::Histogram, &input);
    diff.postprocess_lines(&input);
    let line = |tokens: &[imara_diff::Token], at: u32| -> &'t [u8] {
        let token = usize::try_from(at).ok().and_then(|at| tokens.get(at));
        token.map(|token| input.interner[*token]).unwrap_or_default()
    };
    let length = u32::try_from(input.before.len()).unwrap_or(u32::MAX);
    let mut hunks: Vec<Hunk<'t>> = Vec::new();
    let mut changes = diff.hunks().peekable();
    while let Some(first) = changes.next() {
        let lead = first.before.start.saturating_sub(CONTEXT_LINES);
        let after_start = first.after.start.saturating_sub(first.before.start.saturating_sub(lead));
        let mut lines: Vec<Line<'t>> = Vec::new();
        let kept = |from: u32, to: u32| (from..to).map(|at| Line::Kept(line(&input.before, at)));
        lines.extend(kept(lead, first.before.start));
        let mut change = first;
        loop {
            lines.extend(change.before.clone().map(|at| Line::Removed(line(&input.before, at))));
            lines.extend(change.after.clone().map(|at| Line::Added(line(&input.after, at))));
            let end = change.before.end;
            // What lies so near that the contexts would touch belongs to the same hunk.
            let near = |next: &imara_diff::Hunk| next.before.start.saturating_sub(end) <= 2 * CONTEXT_LINES;
            let Some(next) = changes.next_if(near) else {
                lines.extend(kept(end, end.saturating_add(CONTEXT_LINES).min(length)));
                break;
            };
            lines.extend(kept(end, next.before.start));
            change = next;
        }
        hunks.push(numbered(lead, after_start, lines));
    }
    hunks
}

/// Counts what a hunk holds, and numbers its first lines as diff does.
fn numbered(before_start: u32, after_start: u32, lines: Vec<Line<'_>>) -> Hunk<'_> {
    let (mut before_lines, mut after_lines) = (0_u32, 0_u32);
    for line in &lines {
        let (before, after) = match line {
            Line::Kept(_) => (1, 1),
            Line::Removed(_) => (1, 0),
            Line::Added(_) => (0, 1),
        };
        before_lines = before_lines.saturating_add(before);
        after_lines = after_lines.saturating_add(after);
    }
    let before_start = before_start.saturating_add(u32::from(before_lines > 0));
    let after_start = after_start.saturating_add(u32::from(after_lines > 0));
    Hunk { before_start, before_lines, after_start, after_lines, lines }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a patch makes of `before`, line by line.
    fn patched(before: &[u8], hunks: &[Hunk<'_>]) -> Vec<u8> {
        let lines: Vec<&[u8]> = before.split_inclusive(|byte| *byte == b'\n').collect();
        let (mut result, mut at) = (Vec::new(), 0);
        for hunk in hunks {
            let start = hunk.before_start as usize - usize::from(hunk.before_lines > 0);
            result.extend(lines[at..start].concat());
            at = start;
            for line in &hunk.lines {
                match line {
                    Line::Kept(text) | Line::Removed(text) => {
                        assert_eq!(lines[at], *text);
                        at += 1;
                    }
                    Line::Added(_) => {}
                }
                if let Line::Kept(text) | Line::Added(text) = line {
                    result.extend(*text);
                }
            }
        }
        result.extend(lines[at..].concat());
        result
    }

    proptest! {
        #[test]
        fn what_is_shown_leads_from_one_side_to_the_other(before in "[ab\n]{0,60}", after in "[ab\n]{0,60}") {
            let hunks = hunks(before.as_bytes(), after.as_bytes());
            prop_assert_eq!(patched(before.as_bytes(), &hunks), after.as_bytes());
            prop_assert_eq!(hunks.is_empty(), before == after);
        }
    }
}
