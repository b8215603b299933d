//! Three-way merges of texts, line by line: what both sides made of one base, if they did not touch the same lines.
//!
//! Lines are bytes up to and with a newline; their ends, encodings and blanks mean nothing here. Where both sides
//! changed the same lines, or lines that touch, in different ways, nothing is merged and no marks are written: the
//! regions are named. Merges are those of `git merge-file`, but that lines which repeat may be matched otherwise, so that one
//! finds a conflict where the other finds none. What a base is, and whether it is the right one, is not known here.

use imara_diff::sources::byte_lines;
use imara_diff::{Algorithm, Diff, Hunk, InternedInput, Token};
use std::ops::Range;

/// The longest text of the three, and the longest merge, in bytes: what is longer is not shown to a person as text.
pub const TEXT_BYTES_MAX: usize = 1 << 20;

/// The most lines of each of the three: the time that texts made to be slow cost grows faster than their length.
pub const LINES_MAX: usize = 20_000;

/// Why there is no merge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unmerged {
    /// One of the texts holds a NUL.
    #[error("it is binary")]
    Binary,
    /// One of the texts is longer than [`TEXT_BYTES_MAX`] or [`LINES_MAX`], or the merge would be.
    #[error("it is too long")]
    TooLong,
    /// Both sides changed the same lines, or lines that touch.
    #[error("both sides changed the same lines")]
    Overlapping(Vec<Region>),
}

/// Lines that both sides changed in different ways; counted from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// In the base.
    pub base: Range<u32>,
    /// On the one side.
    pub ours: Range<u32>,
    /// On the other.
    pub theirs: Range<u32>,
}

/// What comes of `base` if both sides' changes are made to it.
///
/// # Errors
/// [`Unmerged`].
pub fn merge(base: &[u8], ours: &[u8], theirs: &[u8]) -> Result<Vec<u8>, Unmerged> {
    let texts = [base, ours, theirs];
    let lines = |text: &[u8]| text.iter().filter(|byte| **byte == b'\n').count();
    if texts.iter().any(|text| text.len() > TEXT_BYTES_MAX || lines(text) >= LINES_MAX) {
        return Err(Unmerged::TooLong);
    }
    if texts.iter().any(|text| text.contains(&0)) {
        return Err(Unmerged::Binary);
    }
    let (ours, theirs) = (Side::of(base, ours), Side::of(base, theirs));
    let base_lines = ours.input.before.as_slice();
    let (mut result, mut overlapping, mut at) = (Vec::new(), Vec::new(), 0);
    let (mut ours_left, mut theirs_left) = (ours.hunks.as_slice(), theirs.hunks.as_slice());
    while let Some((mine, yours)) = next_group(&mut ours_left, &mut theirs_left) {
        let region = extent(mine).into_iter().chain(extent(yours)).reduce(|a, b| union(&a, &b));
        let Some(region) = region else { break };
        append(&mut result, &ours.input, base_lines, at..region.start);
        at = region.end;
        let (of_ours, of_theirs) = (after(mine, &region), after(yours, &region));
        match (mine.is_empty(), yours.is_empty()) {
            (false, true) => append(&mut result, &ours.input, &ours.input.after, of_ours),
            (true, false) => append(&mut result, &theirs.input, &theirs.input.after, of_theirs),
            (_, _) if ours.text(of_ours.clone()) == theirs.text(of_theirs.clone()) => {
                append(&mut result, &ours.input, &ours.input.after, of_ours);
            }
            (_, _) => overlapping.push(Region { base: region, ours: of_ours, theirs: of_theirs }),
        }
    }
    append(&mut result, &ours.input, base_lines, at..u32::MAX);
    match overlapping.is_empty() {
        true if result.len() > TEXT_BYTES_MAX => Err(Unmerged::TooLong),
        true => Ok(result),
        false => Err(Unmerged::Overlapping(overlapping)),
    }
}

/// What one side made of the base.
struct Side<'t> {
    input: InternedInput<&'t [u8]>,
    hunks: Vec<Hunk>,
}

impl<'t> Side<'t> {
    /// As `git merge-file` does: Myers, each change as far down as it goes.
    fn of(base: &'t [u8], text: &'t [u8]) -> Self {
        let input = InternedInput::new(byte_lines(base), byte_lines(text));
        let mut diff = Diff::compute(Algorithm::Myers, &input);
        diff.postprocess_no_heuristic(&input);
        let hunks = diff.hunks().collect();
        Self { input, hunks }
    }

    fn text(&self, lines: Range<u32>) -> Vec<u8> {
        let mut text = Vec::new();
        append(&mut text, &self.input, &self.input.after, lines);
        text
    }
}

/// The next changes that belong together, of each side: those that overlap or touch, also through others.
fn next_group<'h>(ours: &mut &'h [Hunk], theirs: &mut &'h [Hunk]) -> Option<(&'h [Hunk], &'h [Hunk])> {
    let firsts = [ours.first(), theirs.first()];
    let mut end = firsts.into_iter().flatten().map(|hunk| hunk.before.start).min()?;
    let (mut of_ours, mut of_theirs) = (0, 0);
    loop {
        let met = (of_ours, of_theirs);
        for (hunks, taken) in [(&**ours, &mut of_ours), (&**theirs, &mut of_theirs)] {
            while let Some(hunk) = hunks.get(*taken).filter(|hunk| hunk.before.start <= end) {
                end = end.max(hunk.before.end);
                *taken += 1;
            }
        }
        if met == (of_ours, of_theirs) {
            break;
        }
    }
    let split = |hunks: &mut &'h [Hunk], taken| {
        let (group, rest) = hunks.split_at_checked(taken)?;
        *hunks = rest;
        Some(group)
    };
    Some((split(ours, of_ours)?, split(theirs, of_theirs)?))
}

/// From the first line of the base that they change to the last.
fn extent(hunks: &[Hunk]) -> Option<Range<u32>> {
    Some(hunks.first()?.before.start..hunks.last()?.before.end)
}

fn union(a: &Range<u32>, b: &Range<u32>) -> Range<u32> {
    a.start.min(b.start)..a.end.max(b.end)
}

/// The lines that a side has in place of the base's `region`, in which all of `hunks` lie.
fn after(hunks: &[Hunk], region: &Range<u32>) -> Range<u32> {
    let (Some(first), Some(last)) = (hunks.first(), hunks.last()) else { return 0..0 };
    let before = first.before.start.saturating_sub(region.start);
    let behind = region.end.saturating_sub(last.before.end);
    first.after.start.saturating_sub(before)..last.after.end.saturating_add(behind)
}

fn append(text: &mut Vec<u8>, input: &InternedInput<&[u8]>, tokens: &[Token], lines: Range<u32>) {
    let at = |line: u32| usize::try_from(line).unwrap_or(usize::MAX).min(tokens.len());
    let tokens = tokens.get(at(lines.start)..at(lines.end)).unwrap_or_default();
    tokens.iter().for_each(|token| text.extend_from_slice(input.interner[*token]));
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests;
