//! Counting and listing what a walk meets.
//!
//! It keeps paths and kinds only; contents are the walk's to compare.

use super::walk::{Layer, Met, Missed, Observer, Walk};
use super::{Change, ChangeEntry, ChangeError, ChangeQuery, ChangeSummary, ENTRIES_MAX};
use crate::path::WorkspacePath;
use rustix::fd::BorrowedFd;

struct Summing {
    summary: ChangeSummary,
    entries_max: usize,
}

/// The summary of what lies in `root`.
pub(super) fn read(
    root: BorrowedFd<'_>,
    query: &ChangeQuery<'_>,
    layer: Layer,
) -> Result<ChangeSummary, ChangeError> {
    let entries_max = query.entries_max.min(ENTRIES_MAX);
    let summing = Summing { summary: ChangeSummary::default(), entries_max };
    Ok(Walk::new(root, query, layer, summing).run()?.summary)
}

impl Observer for Summing {
    fn met(&mut self, met: &Met<'_>) -> Result<(), ChangeError> {
        let summary = &mut self.summary;
        let count = match met.change {
            Change::Added => &mut summary.added,
            Change::Modified => &mut summary.modified,
            Change::Deleted => &mut summary.deleted,
            Change::Type => &mut summary.typed,
            Change::Mode => &mut summary.mode,
        };
        *count = count.saturating_add(1);
        summary.masked = summary.masked.saturating_add(u64::from(met.masked));
        let Met { change, kind, masked, permissions, .. } = *met;
        match WorkspacePath::new(met.path) {
            Ok(path) if summary.entries.len() < self.entries_max => {
                summary.entries.push(ChangeEntry { path, change, kind, masked, permissions });
            }
            Ok(_) | Err(_) => summary.truncated = true,
        }
        Ok(())
    }

    fn met_git_file(&mut self, path: &[u8]) {
        self.summary.git_internal = self.summary.git_internal.saturating_add(1);
        if !super::is_index(path) {
            self.summary.git_kept = self.summary.git_kept.saturating_add(1);
        }
    }

    fn missed(&mut self, missed: Missed) {
        match missed {
            Missed::TooMany | Missed::TooDeep => self.summary.truncated = true,
        }
    }
}
