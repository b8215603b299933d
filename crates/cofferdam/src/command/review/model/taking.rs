//! From what was decided to what is taken: entries, and the directories that come and go with them.

use super::super::item::{Fold, Item};
use super::Model;
use cofferdam_session::selection::{Selection, Take};
use std::collections::HashSet;

impl Model<'_> {
    /// What is taken.
    pub(in super::super) fn selection(&self) -> Selection {
        let mut selection = Selection::default();
        // Directories above what comes, and above what stays.
        let (mut wanted, mut kept) = (HashSet::new(), HashSet::new());
        for (number, item) in self.items.iter().enumerate() {
            let take = self.choices.of(number).take().filter(|_| item.barred.is_none());
            if take.is_some() {
                wanted.extend(above(item));
            }
            if take != Some(Take::Whole) {
                kept.extend(above(item));
            }
            if let Some(take) = take {
                selection.take(&item.directory, &item.path, take);
            }
        }
        for folded in &self.folded {
            let place = (folded.directory.as_str(), folded.path.as_bytes());
            let is_taken = match folded.fold {
                Fold::Arrives => wanted.contains(&place),
                Fold::Goes => !kept.contains(&place),
            };
            if is_taken {
                selection.take(&folded.directory, &folded.path, Take::Whole);
            }
        }
        selection
    }
}

/// The directories above an entry.
fn above(item: &Item) -> impl Iterator<Item = (&str, &[u8])> {
    let path = item.path.as_bytes();
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    ends.filter_map(|end| Some((item.directory.as_str(), path.get(..end)?)))
}
