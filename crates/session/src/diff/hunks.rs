//! Line by line: which lines go, come and stay, in hunks with some context.
//!
//! Bytes in, bytes out: nothing is made visible or coloured here. Texts that were made to be slow to compare are compared
//! coarsely: then more goes and comes than had to, and nothing is left out.

mod coarse;

use imara_diff::sources::byte_lines;
use imara_diff::{Algorithm, Diff, InternedInput, Token};
use std::collections::BTreeSet;
use std::ops::Range;

/// Lines that stay, shown before and after those that change.
const CONTEXT_LINES: u32 = 3;

/// The most pairs of lines, one of each side, of texts whose shortest difference is looked for. Random lines of a few
/// kinds, and lines of which every second stays, take a time that grows with the pairs: at this many, under a second.
const COMPARED_PAIRS_MAX: u64 = 1 << 28;

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
    /// The changes in it, numbered from 0 through the whole file: stretches of lines that go, come or both, between
    /// lines that stay. What is chosen and split is chosen by them.
    pub changes: Range<u32>,
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

fn computed<'t>(before: &'t [u8], after: &'t [u8]) -> (InternedInput<&'t [u8]>, Vec<imara_diff::Hunk>) {
    let input = InternedInput::new(byte_lines(before), byte_lines(after));
    if pairs(&input.before, &input.after) > COMPARED_PAIRS_MAX {
        let changes = coarse::changes(&input.before, &input.after);
        return (input, changes);
    }
    let mut diff = Diff::compute(Algorithm::Histogram, &input);
    diff.postprocess_lines(&input);
    let changes = diff.hunks().collect();
    (input, changes)
}

/// How many pairs of lines there are to compare, without those that both begin and end with.
fn pairs(before: &[Token], after: &[Token]) -> u64 {
    let least = before.len().min(after.len());
    let lead = before.iter().zip(after).take_while(|(before, after)| before == after).count();
    let ends = before.iter().rev().zip(after.iter().rev()).take(least - lead);
    let same = lead + ends.take_while(|(before, after)| before == after).count();
    let left = |tokens: &[Token]| u64::try_from(tokens.len() - same).unwrap_or(u64::MAX);
    left(before).saturating_mul(left(after))
}

/// What `before` becomes if only these of the changes are made; see [`Hunk::changes`].
#[must_use]
pub fn with_changes(before: &[u8], after: &[u8], chosen: &BTreeSet<u32>) -> Vec<u8> {
    let (input, changes) = computed(before, after);
    let text = |tokens: &[Token], range: Range<u32>| -> Vec<u8> {
        let usable = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
        let tokens = tokens.get(usable(range.start)..usable(range.end)).unwrap_or_default();
        tokens.iter().flat_map(|token| input.interner[*token]).copied().collect()
    };
    let (mut result, mut at) = (Vec::new(), 0_u32);
    for (number, change) in (0_u32..).zip(changes) {
        result.extend(text(&input.before, at..change.before.start));
        at = change.before.end;
        result.extend(if chosen.contains(&number) {
            text(&input.after, change.after)
        } else {
            text(&input.before, change.before)
        });
    }
    result.extend(text(&input.before, at..u32::try_from(input.before.len()).unwrap_or(u32::MAX)));
    result
}

/// The hunks by which `before` becomes `after`.
#[must_use]
pub fn hunks<'t>(before: &'t [u8], after: &'t [u8]) -> Vec<Hunk<'t>> {
    let (input, changes) = computed(before, after);
    let line = |tokens: &[Token], at: u32| -> &'t [u8] {
        let token = usize::try_from(at).ok().and_then(|at| tokens.get(at));
        token.map(|token| input.interner[*token]).unwrap_or_default()
    };
    let length = u32::try_from(input.before.len()).unwrap_or(u32::MAX);
    let mut hunks: Vec<Hunk<'t>> = Vec::new();
    let mut changes = changes.into_iter().peekable();
    let mut numbers = 0_u32..0;
    while let Some(first) = changes.next() {
        numbers = numbers.end..numbers.end.saturating_add(1);
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
            numbers.end = numbers.end.saturating_add(1);
        }
        hunks.push(numbered(lead, after_start, lines, numbers.clone()));
    }
    hunks
}

/// Counts what a hunk holds, and numbers its first lines as diff does.
fn numbered(before_start: u32, after_start: u32, lines: Vec<Line<'_>>, changes: Range<u32>) -> Hunk<'_> {
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
    Hunk { before_start, before_lines, after_start, after_lines, lines, changes }
}

#[cfg(test)]
mod tests;
