//! Searching: in names and in the lines of entries, case aside.
//!
//! Entries are opened one after another until one matches; how many at once is bounded, so that a search in a large
//! change set stays answerable: the next `n` goes on from there.

use super::super::page::{Page, Shown};
use super::{Model, first_row};
use std::collections::BTreeSet;

/// Entries that one search opens.
const OPENED_MAX: usize = 500;

impl Model<'_> {
    /// Goes to the next match after the cursor, or to the one before it.
    pub(super) fn find(&mut self, backwards: bool) {
        let wanted = self.search.to_lowercase();
        if wanted.is_empty() {
            "nothing to search for: /".clone_into(&mut self.message);
            return;
        }
        if let Some(line) = self.match_here(&wanted, backwards, true) {
            self.cursor = line;
            return;
        }
        let count = self.items.len();
        for step in 1..count.min(OPENED_MAX) {
            let item = if backwards { self.at + count - step } else { self.at + step } % count;
            if self.matches(item, &wanted) {
                self.open(item);
                self.cursor = self.match_here(&wanted, backwards, false).unwrap_or(self.cursor);
                return;
            }
        }
        self.message = if count > OPENED_MAX {
            format!("not in {OPENED_MAX} entries from here on")
        } else {
            "not found".to_owned()
        };
    }

    /// The next line of the open entry that matches, from the cursor on or in all of it.
    fn match_here(&self, wanted: &str, backwards: bool, from_cursor: bool) -> Option<usize> {
        let within = |line: &Shown| holds(&self.page, *line, wanted);
        let (first, end) = match (from_cursor, backwards) {
            (false, _) => (0, self.lines.len()),
            (true, false) => (self.cursor + 1, self.lines.len()),
            (true, true) => (0, self.cursor),
        };
        let mut lines = self.lines.get(first..end).unwrap_or_default().iter();
        let found = if backwards { lines.rposition(within) } else { lines.position(within) };
        found.map(|line| line + first)
    }

    fn matches(&self, item: usize, wanted: &str) -> bool {
        if self.items.get(item).is_some_and(|item| item.name.to_lowercase().contains(wanted)) {
            return true;
        }
        let none = BTreeSet::new();
        let page = self.source.page(item, self.split.get(&item).unwrap_or(&none));
        page.lines(false).iter().any(|line| holds(&page, *line, wanted))
    }
}

fn holds(page: &Page, line: Shown, wanted: &str) -> bool {
    let in_row = |row: usize| {
        let text = page.text().and_then(|text| text.rows.get(row).map(|row| text.line(row)));
        text.is_some_and(|text| String::from_utf8_lossy(text).to_lowercase().contains(wanted))
    };
    match (line, page) {
        (Shown::Two(_, Some(right)), _) if in_row(right) => true,
        (Shown::One(_) | Shown::Two(..), _) => first_row(line).is_some_and(in_row),
        (Shown::Said(at), Page::Summary { said, .. }) => {
            said.get(at).is_some_and(|said| said.to_lowercase().contains(wanted))
        }
        (Shown::Said(_) | Shown::Head(_) | Shown::Remark(_) | Shown::Note(_), _) => false,
    }
}
