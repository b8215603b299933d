//! What one entry looks like when it is opened: its hunks and lines, or why there are none.
//!
//! Texts are kept once, and lines are numbers into them, so that a long text costs little; only lines on the screen
//! are ever made visible or coloured. What is chosen is not known here.

use super::cells::{LINE_BYTES_MAX, Tokens};
use super::colour::{Language, State};
use cofferdam_session::diff::{Line, hunks};
use std::collections::BTreeSet;
use std::ops::Range;

/// An entry's body.
#[derive(Debug)]
pub(super) enum Page {
    /// Lines that go and come.
    Text(TextPage),
    /// What there is to say in its place.
    Summary {
        said: Vec<String>,
        /// Whether there is a content that is not shown.
        hides: bool,
    },
}

/// A text on both sides.
#[derive(Debug)]
pub(super) struct TextPage {
    before: Side,
    after: Side,
    language: Language,
    /// Stretches that are chosen together; at first a hunk each.
    pub(super) units: Vec<Unit>,
    pub(super) rows: Vec<Row>,
    /// How many changes there are in all.
    pub(super) changes: u32,
    /// Whether any line that changes is longer than is shown.
    pub(super) cuts_lines: bool,
}

/// Changes that are chosen together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) hunk: usize,
    pub(super) changes: Range<u32>,
    pub(super) rows: Range<usize>,
}

/// Where a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    Both,
    Before,
    After,
}

/// One line of a diff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) kept: Kept,
    /// Counted from 1; where the line does not stand, the one before it.
    pub(super) before: u32,
    pub(super) after: u32,
    pub(super) unit: usize,
    /// The row of the other side that this one is set against.
    pub(super) partner: Option<usize>,
}

/// What stands on one line of the screen, before it is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// The head of a unit.
    Head(usize),
    /// A row over the whole width.
    One(usize),
    /// Rows beside one another.
    Two(Option<usize>, Option<usize>),
    /// A line of a summary.
    Said(usize),
    /// A remark on the entry.
    Remark(usize),
    /// A note of the person's.
    Note(usize),
}

#[derive(Debug)]
struct Side {
    text: Vec<u8>,
    starts: Vec<usize>,
    states: Vec<State>,
}

impl Side {
    fn of(text: Vec<u8>, language: Language) -> Self {
        let ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
        let starts: Vec<usize> = std::iter::once(0).chain(ends).collect();
        let mut side = Self { text, starts, states: Vec::new() };
        let (mut states, mut state) = (Vec::with_capacity(side.starts.len()), State::default());
        for number in 0..side.starts.len() {
            states.push(state);
            (_, state) = language.scan(state, side.line(number), LINE_BYTES_MAX);
        }
        side.states = states;
        side
    }

    /// Without its end; counted from 0.
    fn line(&self, number: usize) -> &[u8] {
        let start = self.starts.get(number).copied().unwrap_or(self.text.len());
        let end = self.starts.get(number + 1).copied().unwrap_or(self.text.len());
        let line = self.text.get(start..end).unwrap_or_default();
        line.strip_suffix(b"\n").unwrap_or(line)
    }

    fn ends_openly(&self, number: usize) -> bool {
        number + 1 == self.starts.len() && !self.line(number).is_empty()
    }
}

impl TextPage {
    /// Both sides of the file `path`; hunks in `split` are one unit a change.
    pub(super) fn of(path: &[u8], before: Vec<u8>, after: Vec<u8>, split: &BTreeSet<usize>) -> Self {
        let (mut rows, mut units, mut changes) = (Vec::new(), Vec::new(), 0);
        for (number, hunk) in hunks(&before, &after).iter().enumerate() {
            let first_row = rows.len();
            append(&hunk.lines, hunk.before_start, hunk.after_start, &mut rows);
            changes = hunk.changes.end;
            let all = first_row..rows.len();
            if split.contains(&number) {
                units.extend(singles(number, hunk.changes.clone(), &rows, all));
            } else {
                units.push(Unit { hunk: number, changes: hunk.changes.clone(), rows: all });
            }
        }
        for (number, unit) in units.iter().enumerate() {
            let of_unit = rows.get_mut(unit.rows.clone()).unwrap_or_default();
            of_unit.iter_mut().for_each(|row| row.unit = number);
        }
        let sample = if after.is_empty() { &before } else { &after };
        let language = Language::of(path, sample);
        let (before, after) = (Side::of(before, language), Side::of(after, language));
        let mut page = Self { before, after, language, units, rows, changes, cuts_lines: false };
        page.cuts_lines = page.rows.iter().any(|row| page.line(row).len() > LINE_BYTES_MAX);
        page
    }

    fn place(&self, row: &Row) -> (&Side, usize) {
        let number = |line: u32| usize::try_from(line).unwrap_or(usize::MAX).saturating_sub(1);
        match row.kept {
            Kept::Both | Kept::After => (&self.after, number(row.after)),
            Kept::Before => (&self.before, number(row.before)),
        }
    }

    /// The text of a row, without its line end.
    pub(super) fn line(&self, row: &Row) -> &[u8] {
        let (side, number) = self.place(row);
        side.line(number)
    }

    /// Whether the row is the last of its side and has no line end.
    pub(super) fn ends_openly(&self, row: &Row) -> bool {
        let (side, number) = self.place(row);
        side.ends_openly(number)
    }

    /// What its words are.
    pub(super) fn tokens(&self, row: &Row) -> Tokens {
        let (side, number) = self.place(row);
        let state = side.states.get(number).copied().unwrap_or_default();
        self.language.scan(state, side.line(number), LINE_BYTES_MAX).0
    }

    /// The part of a row that differs from its partner; empty where the two have little in common.
    pub(super) fn stressed(&self, row: &Row) -> Range<usize> {
        let Some(partner) = row.partner.and_then(|at| self.rows.get(at)) else { return 0..0 };
        let cut = |row: &Row| {
            let line = self.line(row);
            line.get(..LINE_BYTES_MAX).unwrap_or(line).to_vec()
        };
        let (own, other) = (cut(row), cut(partner));
        let alike = own.iter().zip(&other).take_while(|(a, b)| a == b).count();
        let room = own.len().min(other.len()) - alike;
        let tail = own.iter().rev().zip(other.iter().rev()).take(room).take_while(|(a, b)| a == b).count();
        let in_common =
            alike + tail - own.iter().take_while(|byte| byte.is_ascii_whitespace()).count().min(alike);
        if in_common * 3 < own.len().max(other.len()) { 0..0 } else { alike..own.len() - tail }
    }
}

impl Page {
    /// Its lines, one under another or side by side.
    pub(super) fn lines(&self, beside: bool) -> Vec<Shown> {
        let page = match self {
            Self::Summary { said, .. } => return (0..said.len()).map(Shown::Said).collect(),
            Self::Text(page) => page,
        };
        let mut lines = Vec::with_capacity(page.rows.len() + page.units.len());
        for (number, unit) in page.units.iter().enumerate() {
            lines.push(Shown::Head(number));
            if !beside {
                lines.extend(unit.rows.clone().map(Shown::One));
                continue;
            }
            for at in unit.rows.clone() {
                match page.rows.get(at) {
                    Some(Row { kept: Kept::Both, .. }) => lines.push(Shown::Two(Some(at), Some(at))),
                    Some(Row { kept: Kept::Before, partner, .. }) => {
                        lines.push(Shown::Two(Some(at), *partner))
                    }
                    Some(Row { kept: Kept::After, partner: None, .. }) => {
                        lines.push(Shown::Two(None, Some(at)))
                    }
                    Some(Row { kept: Kept::After, partner: Some(_), .. }) | None => {}
                }
            }
        }
        lines
    }

    /// How many rows have to be seen.
    pub(super) fn to_see(&self) -> usize {
        match self {
            Self::Text(page) => page.rows.len(),
            Self::Summary { said, .. } => said.len(),
        }
    }

    /// Whether something of it can't be seen here at all.
    pub(super) fn hides(&self) -> bool {
        match self {
            Self::Text(page) => page.cuts_lines,
            Self::Summary { hides, .. } => *hides,
        }
    }

    pub(super) fn text(&self) -> Option<&TextPage> {
        match self {
            Self::Text(page) => Some(page),
            Self::Summary { .. } => None,
        }
    }
}

/// The rows of a hunk, those that go set against those that come.
fn append(lines: &[Line<'_>], before: u32, after: u32, rows: &mut Vec<Row>) {
    // A side without lines is numbered by the line that it follows.
    let holds = |which: fn(&Line<'_>) -> bool| u32::from(lines.iter().any(which));
    let mut before = before.saturating_sub(holds(|line| !matches!(line, Line::Added(_))));
    let mut after = after.saturating_sub(holds(|line| !matches!(line, Line::Removed(_))));
    let mut going: Vec<usize> = Vec::new();
    let mut paired = 0;
    for line in lines {
        let at = rows.len();
        let (kept, partner) = match line {
            Line::Kept(_) => {
                (before, after) = (before.saturating_add(1), after.saturating_add(1));
                going.clear();
                paired = 0;
                (Kept::Both, None)
            }
            Line::Removed(_) => {
                before = before.saturating_add(1);
                going.push(at);
                (Kept::Before, None)
            }
            Line::Added(_) => {
                after = after.saturating_add(1);
                let partner = going.get(paired).copied();
                paired += 1;
                if let Some(row) = partner.and_then(|partner| rows.get_mut(partner)) {
                    row.partner = Some(at);
                }
                (Kept::After, partner)
            }
        };
        rows.push(Row { kept, before, after, unit: 0, partner });
    }
}

/// A unit for each change of a hunk; what stays before a change belongs to it, what is left over to the last.
fn singles(hunk: usize, changes: Range<u32>, rows: &[Row], all: Range<usize>) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    let (mut start, mut within) = (all.start, false);
    for at in all.clone() {
        let changing = rows.get(at).is_some_and(|row| row.kept != Kept::Both);
        if within && !changing {
            let change = changes.start.saturating_add(u32::try_from(units.len()).unwrap_or(u32::MAX));
            units.push(Unit { hunk, changes: change..change.saturating_add(1), rows: start..at });
            start = at;
        }
        within = changing;
    }
    if within {
        let last = changes.end.saturating_sub(1);
        units.push(Unit { hunk, changes: last..changes.end, rows: start..all.end });
    } else if let Some(last) = units.last_mut() {
        last.rows.end = all.end;
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(before: &str, after: &str, split: &[usize]) -> TextPage {
        TextPage::of(b"a.rs", before.into(), after.into(), &split.iter().copied().collect())
    }

    #[test]
    fn rows_name_the_lines_of_both_sides() {
        let page = page("a\nb\nc\n", "a\nB\nc\nd\n", &[]);
        let rows: Vec<_> = page.rows.iter().map(|row| (row.kept, row.before, row.after)).collect();
        assert_eq!(
            rows,
            [
                (Kept::Both, 1, 1),
                (Kept::Before, 2, 1),
                (Kept::After, 2, 2),
                (Kept::Both, 3, 3),
                (Kept::After, 3, 4)
            ]
        );
        let lines: Vec<_> = page.rows.iter().map(|row| page.line(row)).collect();
        assert_eq!(lines, [&b"a"[..], b"b", b"B", b"c", b"d"]);
        let new = self::page("", "x\ny", &[]);
        assert_eq!(new.line(&new.rows[1]), b"y");
        assert!(new.ends_openly(&new.rows[1]) && !new.ends_openly(&new.rows[0]));
        let gone = self::page("x\ny\n", "", &[]);
        assert_eq!(gone.line(&gone.rows[1]), b"y");
    }

    #[test]
    fn a_split_hunk_has_a_unit_for_each_change_and_loses_no_row() {
        let (before, after) = ("a\nb\nc\nd\ne\n", "A\nb\nc\nD\ne\n");
        let whole = page(before, after, &[]);
        assert_eq!(whole.units.len(), 1);
        let split = page(before, after, &[0]);
        let changes: Vec<_> = split.units.iter().map(|unit| unit.changes.clone()).collect();
        assert_eq!(changes, [0..1, 1..2]);
        assert_eq!(split.units[0].rows.end, split.units[1].rows.start);
        assert_eq!(split.units[1].rows.end, whole.rows.len());
    }

    #[test]
    fn beside_one_another_every_row_is_shown_once() {
        let page = Page::Text(page("a\nb\nc\nx\n", "a\nB\nC\nD\nx\n", &[]));
        let lines = page.lines(true);
        assert_eq!(lines[2], Shown::Two(Some(1), Some(3)));
        let mut rows: Vec<usize> = lines
            .iter()
            .flat_map(|line| match line {
                Shown::Two(left, right) => [*left, *right],
                Shown::Head(_) | Shown::One(_) | Shown::Said(_) | Shown::Remark(_) | Shown::Note(_) => {
                    [None, None]
                }
            })
            .flatten()
            .collect();
        rows.sort_unstable();
        rows.dedup();
        assert_eq!(rows.len(), page.to_see());
    }

    #[test]
    fn only_the_part_of_a_line_that_differs_is_stressed() {
        let page = page("let x = 1;\n", "let y = 1;\n", &[]);
        assert_eq!(page.stressed(&page.rows[0]), 4..5);
        let other = self::page("abc\n", "xyz\n", &[]);
        assert_eq!(other.stressed(&other.rows[0]), 0..0);
    }
}
