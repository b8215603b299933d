//! The state of a review: what is shown, where the cursor is, what was decided. Pure: keys come in as acts.
//!
//! Work for one act or one frame grows with the screen and with the entry that is open, never with all entries times
//! their contents. Nothing here draws, reads a terminal or knows a clock.

mod acts;
mod finding;
mod seen;
mod taking;

use super::choices::{Choices, Standing};
use super::item::{Folded, Item, Rank, Source};
use super::page::{Kept, Page, Shown};
use cofferdam_policy::event::ReviewNote;
use seen::Seen;
use std::collections::{BTreeMap, BTreeSet};

/// The most bytes of a note, and of what is searched for.
pub(super) const TYPED_BYTES_MAX: usize = 500;
/// The most notes.
pub(super) const NOTES_MAX: usize = 1_000;
/// From so many columns on the list stands beside the change by itself.
pub(super) const LIST_COLUMNS_MIN: u16 = 100;
/// From so many columns of a change on both sides stand beside one another by themselves.
pub(super) const BESIDE_COLUMNS_MIN: u16 = 140;

/// What the keys mean at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mode {
    Browsing,
    /// A line is being typed.
    Typing {
        purpose: Purpose,
        text: String,
    },
    Help,
    /// The last page. Nothing on it is taken before it has been there, in silence, for a moment.
    Closing {
        armed: bool,
        top: usize,
    },
}

/// What a typed line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Search,
    /// A note on a line after the change, or on the file.
    Note {
        line: Option<u32>,
    },
}

/// How a review ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Finished,
    Quit,
}

/// A row of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listed {
    Heading(Rank),
    Item(usize),
}

/// Everything that a frame is drawn from.
pub(super) struct Model<'s> {
    source: &'s dyn Source,
    pub(super) session: String,
    pub(super) items: Vec<Item>,
    folded: Vec<Folded>,
    pub(super) asides: Vec<String>,
    pub(super) listing: Vec<Listed>,
    pub(super) choices: Choices,
    seen: Vec<Seen>,
    split: BTreeMap<usize, BTreeSet<usize>>,
    pub(super) at: usize,
    pub(super) page: Page,
    pub(super) lines: Vec<Shown>,
    pub(super) cursor: usize,
    pub(super) top: Top,
    /// Rows of the change that fit on the screen.
    pub(super) height: usize,
    /// Rows that the cursor's line took when it was last drawn.
    pub(super) cursor_rows: usize,
    /// The first line that was not on the screen to its end when it was last drawn.
    pub(super) bottom: usize,
    pub(super) columns: u16,
    beside: Option<bool>,
    list: Option<bool>,
    pub(super) mode: Mode,
    pub(super) notes: Vec<(usize, ReviewNote)>,
    search: String,
    pub(super) message: String,
    pub(super) end: Option<End>,
}

/// Where the screen begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Top {
    pub(super) line: usize,
    /// Rows of that line that are scrolled away, when it is longer than the screen.
    pub(super) within: usize,
}

/// How many entries stand how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    pub(super) taken: usize,
    pub(super) partly: usize,
    pub(super) left: usize,
    pub(super) open: usize,
    /// Of the open ones, those that can be taken together with others.
    pub(super) ready: usize,
    pub(super) barred: usize,
}

impl<'s> Model<'s> {
    /// Of these entries, in the order of [`Rank`] and then of their paths.
    pub(super) fn new(
        source: &'s dyn Source,
        session: String,
        items: Vec<Item>,
        folded: Vec<Folded>,
    ) -> Self {
        let mut listing = Vec::with_capacity(items.len());
        let mut last = None;
        for (number, item) in items.iter().enumerate() {
            if last.replace(item.rank) != Some(item.rank) {
                listing.push(Listed::Heading(item.rank));
            }
            listing.push(Listed::Item(number));
        }
        let mut model = Self {
            source,
            session,
            listing,
            choices: Choices::new(items.len()),
            seen: vec![Seen::default(); items.len()],
            items,
            folded,
            asides: source.asides(),
            split: BTreeMap::new(),
            at: 0,
            page: Page::Summary { said: Vec::new(), hides: false },
            lines: Vec::new(),
            cursor: 0,
            top: Top::default(),
            height: 1,
            cursor_rows: 1,
            bottom: 0,
            columns: 80,
            beside: None,
            list: None,
            mode: Mode::Browsing,
            notes: Vec::new(),
            search: String::new(),
            message: String::new(),
            end: None,
        };
        model.open(0);
        model
    }

    /// Opens an entry at its beginning.
    fn open(&mut self, item: usize) {
        self.at = item;
        self.load();
        (self.top, self.bottom) = (Top::default(), 0);
        self.cursor = self.next_line(0, |line| matches!(line, Shown::Head(_))).unwrap_or(0);
    }

    fn load(&mut self) {
        if self.items.is_empty() {
            return;
        }
        let none = BTreeSet::new();
        self.page = self.source.page(self.at, self.split.get(&self.at).unwrap_or(&none));
        let hides = self.page.hides();
        if let Some(item) = self.items.get_mut(self.at).filter(|item| hides && item.alone.is_none()) {
            item.alone = Some("it is not shown as a whole");
        }
        self.lay();
    }

    /// The lines: remarks first, so that they scroll as well; each note below its line.
    fn lay(&mut self) {
        let remarks = self.item().map_or(0, |item| item.remarks.len());
        let of_entry = self.notes_on(None).map(Shown::Note);
        let mut lines: Vec<Shown> = (0..remarks).map(Shown::Remark).chain(of_entry).collect();
        let page = self.page.lines(self.is_beside());
        if self.notes.iter().all(|(item, _)| *item != self.at) {
            lines.extend(page);
        } else {
            for line in page {
                lines.push(line);
                let after = self.line_after(line);
                lines.extend(self.notes_on(after).filter(|_| after.is_some()).map(Shown::Note));
            }
        }
        self.lines = lines;
    }

    /// The notes of the open entry on this line.
    fn notes_on(&self, line: Option<u32>) -> impl Iterator<Item = usize> {
        let all = self.notes.iter().enumerate();
        all.filter(move |(_, (item, note))| *item == self.at && note.line == line).map(|(number, _)| number)
    }

    /// The line after the change that stands in a line of the screen.
    fn line_after(&self, line: Shown) -> Option<u32> {
        let text = self.page.text()?;
        let found = |row: Option<usize>| {
            let row = text.rows.get(row?)?;
            (row.kept != Kept::Before).then_some(row.after)
        };
        match line {
            Shown::One(row) => found(Some(row)),
            Shown::Two(_, right) => found(right),
            Shown::Head(_) | Shown::Said(_) | Shown::Remark(_) | Shown::Note(_) => None,
        }
    }

    /// The window has this size now; the change has so many rows of it.
    pub(super) fn resize(&mut self, columns: u16, height: usize) {
        let before = self.is_beside();
        (self.columns, self.height) = (columns, height.max(1));
        if self.is_beside() != before {
            self.relay();
        }
    }

    /// The lines anew, with the cursor on the same row.
    fn relay(&mut self) {
        let row = self.lines.get(self.cursor).copied().and_then(first_row);
        self.lay();
        let holds = |line: &Shown| match line {
            Shown::One(at) => Some(*at) == row,
            Shown::Two(left, right) => row.is_some() && (*left == row || *right == row),
            Shown::Head(_) | Shown::Said(_) | Shown::Remark(_) | Shown::Note(_) => false,
        };
        self.cursor = self.lines.iter().position(holds).unwrap_or(0);
        self.top = Top { line: self.cursor.saturating_sub(self.height / 2), within: 0 };
    }

    pub(super) fn has_list(&self) -> bool {
        self.list.unwrap_or(self.columns >= LIST_COLUMNS_MIN)
    }

    /// Columns of the list, if it stands beside the change.
    pub(super) fn list_columns(&self) -> u16 {
        if self.has_list() { (self.columns / 3).clamp(20, 38).min(self.columns / 2) } else { 0 }
    }

    pub(super) fn is_beside(&self) -> bool {
        self.beside.unwrap_or(self.columns.saturating_sub(self.list_columns()) >= BESIDE_COLUMNS_MIN)
    }

    pub(super) fn item(&self) -> Option<&Item> {
        self.items.get(self.at)
    }

    /// The unit that the cursor is in.
    pub(super) fn unit(&self) -> Option<usize> {
        self.unit_at(self.cursor)
    }

    /// The unit that a line is in.
    pub(super) fn unit_at(&self, line: usize) -> Option<usize> {
        match *self.lines.get(line)? {
            Shown::Head(unit) => Some(unit),
            line @ (Shown::One(_) | Shown::Two(..)) => {
                Some(self.page.text()?.rows.get(first_row(line)?)?.unit)
            }
            Shown::Said(_) | Shown::Remark(_) | Shown::Note(_) => None,
        }
    }

    /// How a unit of the open entry stands.
    pub(super) fn unit_standing(&self, unit: usize) -> Standing {
        let changes = self.page.text().and_then(|page| page.units.get(unit)).map(|unit| unit.changes.clone());
        changes.map_or(Standing::Open, |changes| self.choices.of(self.at).of(changes))
    }

    /// These lines of the open entry stood on the screen, to their ends.
    pub(super) fn saw(&mut self, lines: std::ops::Range<usize>) {
        self.bottom = lines.end;
        let to_see = self.page.to_see();
        let Some(seen) = self.seen.get_mut(self.at) else { return };
        for line in self.lines.get(lines).unwrap_or_default() {
            match *line {
                Shown::One(row) | Shown::Said(row) => seen.see(row, to_see),
                Shown::Two(left, right) => {
                    left.into_iter().chain(right).for_each(|row| seen.see(row, to_see));
                }
                Shown::Head(_) | Shown::Remark(_) | Shown::Note(_) => {}
            }
        }
        if to_see == 0 {
            seen.see_nothing();
        }
    }

    /// Whether all of an entry has been on the screen.
    pub(super) fn was_seen(&self, item: usize) -> bool {
        self.seen.get(item).is_some_and(Seen::is_complete)
    }

    pub(super) fn is_barred(&self, item: usize) -> bool {
        self.items.get(item).is_some_and(|item| item.barred.is_some())
    }

    /// Whether an entry is still to be decided.
    pub(super) fn is_open(&self, item: usize) -> bool {
        !self.is_barred(item) && self.choices.of(item).standing() == Standing::Open
    }

    /// Whether an entry may be taken together with others: it was seen, and nothing about it is notable.
    fn is_ready(&self, item: usize) -> bool {
        self.is_open(item)
            && self.was_seen(item)
            && self.items.get(item).is_some_and(|item| item.alone.is_none())
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for item in 0..self.items.len() {
            let place = match self.choices.of(item).standing() {
                _ if self.is_barred(item) => &mut counts.barred,
                Standing::Taken => &mut counts.taken,
                Standing::Partly => &mut counts.partly,
                Standing::Left => &mut counts.left,
                Standing::Open => &mut counts.open,
            };
            *place += 1;
            counts.ready += usize::from(self.is_ready(item));
        }
        counts
    }

    /// The digest of what is taken, if it can be told.
    pub(super) fn digest(&self) -> Option<String> {
        self.source.digest(&self.selection())
    }

    fn next_line(&self, from: usize, wanted: impl Fn(&Shown) -> bool) -> Option<usize> {
        let after = self.lines.get(from..).unwrap_or_default();
        after.iter().position(wanted).map(|at| from + at)
    }
}

/// The row that a line begins with.
pub(super) fn first_row(line: Shown) -> Option<usize> {
    match line {
        Shown::One(row) => Some(row),
        Shown::Two(left, right) => left.or(right),
        Shown::Head(_) | Shown::Said(_) | Shown::Remark(_) | Shown::Note(_) => None,
    }
}
