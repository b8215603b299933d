//! Renames, shown where a file with exactly the same content is deleted in the same set.
//!
//! Nothing is guessed from likeness. It is for the reader only: neither the digest nor what is written depends on it.

use super::{Entry, EntryKind, stage};
use crate::changes::Change;
use crate::path::WorkspacePath;
use rustix::fd::BorrowedFd;
use std::collections::{BTreeMap, BTreeSet};

/// The longest file that is read to see whether it was renamed, in bytes.
const READ_BYTES_MAX: u64 = 64 << 20;

/// The most deleted files that are read.
const READ_FILES_MAX: usize = 20_000;

/// Marks the added files of `entries` (sorted) that were deleted elsewhere; each deleted file is named once.
pub(super) fn mark(original: BorrowedFd<'_>, entries: &mut [Entry]) {
    let is = |entry: &Entry, change| entry.change == change && entry.kind == EntryKind::File;
    let added = entries.iter().filter(|entry| is(entry, Change::Added) && entry.refused.is_none());
    let sizes: BTreeSet<u64> = added.filter_map(|entry| entry.size_after.filter(|size| *size > 0)).collect();
    let fitting = |entry: &&Entry| {
        is(entry, Change::Deleted)
            && entry.size_before.is_some_and(|size| size <= READ_BYTES_MAX && sizes.contains(&size))
    };
    let mut gone: BTreeMap<_, Vec<WorkspacePath>> = BTreeMap::new();
    for entry in entries.iter().filter(fitting).take(READ_FILES_MAX) {
        // What can't be read is no rename: it is shown as deleted and as added.
        let read = stage::open(original, entry.path.as_bytes()).and_then(|file| stage::content_of(&file));
        if let Ok(content) = read {
            gone.entry(content).or_default().push(entry.path.clone());
        }
    }
    for entry in entries.iter_mut().filter(|entry| is(entry, Change::Added) && entry.refused.is_none()) {
        let Some(paths) = entry.content.and_then(|content| gone.get_mut(&content)) else { continue };
        // The one of the same name, if there is one, else the first.
        let same = paths.iter().position(|path| path.name() == entry.path.name());
        if !paths.is_empty() {
            entry.renamed_from = Some(paths.remove(same.unwrap_or(0)));
        }
    }
}
