//! A change set in which what the owner edited meanwhile is merged with what the session did, where that can be.
//!
//! The ancestor is the blob of the owner's git index. It proves nothing: what comes of it is a change set of its own,
//! with its own digest, which a person sees before it counts. Nothing is run, nothing of the owner's is written, and
//! what can't be merged stays in conflict with the reason why.

use super::{Change, Diff, DirectoryDiff, Entry, EntryKind};
use crate::error::{Error, ErrorKind};
use cofferdam_workspace::apply::Seen;
use cofferdam_workspace::changeset::base::Conflict;
use cofferdam_workspace::changeset::{OwnersFile, StagedContents, owners_file, restage};
use cofferdam_workspace::git::ancestor::{Ancestor, NoAncestor, ancestors};
use cofferdam_workspace::merge::{TEXT_BYTES_MAX, Unmerged, merge};
use cofferdam_workspace::path::WorkspacePath;
use rustix::fd::AsFd as _;
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The most conflicts that are tried only to say how many can be merged: a checkout of another branch makes thousands.
const TRIED_IN_PASSING_MAX: usize = 100;

/// A conflict that was merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// What was merged with: only over this very file may the merge be laid.
    pub owners: Seen,
}

/// Why a conflict was not merged.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotMerged {
    /// It is no edit of one text by both sides.
    #[error("only a file that both of you edited can be merged")]
    OtherConflict,
    /// Git has nothing that both sides could have started from.
    #[error("there is no common ancestor: {0}")]
    NoAncestor(Rc<NoAncestor>),
    /// Git's index was written to with what the owner has made of the file since: merged with that as the ancestor, the
    /// owner's edits would be undone.
    #[error("there is no common ancestor: git's index has it as it was after the session started")]
    Later,
    /// The texts don't go together.
    #[error(transparent)]
    Unmerged(#[from] Unmerged),
    /// One side can't be read now.
    #[error("it cannot be read: {0}")]
    Read(#[from] Errno),
}

/// What a merge makes of an entry.
struct Outcome {
    owners: OwnersFile,
    /// Nothing if it is what the owner has.
    content: Option<Vec<u8>>,
    mode: u32,
}

impl Diff {
    /// How many conflicts there are, and how many of them can be merged: `None` if there are too many to be tried in
    /// passing.
    #[must_use]
    pub fn mergeable(&self) -> (usize, Option<usize>) {
        let entries = self.directories.iter().flat_map(|directory| &directory.set.entries);
        let conflicts = entries.filter(|entry| is_open(entry)).count();
        if conflicts > TRIED_IN_PASSING_MAX {
            return (conflicts, None);
        }
        let mut mergeable = 0;
        for directory in &self.directories {
            directory.merges(|_, outcome| mergeable += usize::from(outcome.is_ok()));
        }
        (conflicts, Some(mergeable))
    }

    /// The change set with every conflict merged that can be; [`DirectoryDiff::merged`] says what became of each.
    ///
    /// # Errors
    /// [`ErrorKind::State`] if the stage can't be written.
    pub fn merged(&self) -> Result<Self, Error> {
        let directories: Result<Vec<_>, _> =
            self.directories.iter().map(|directory| self.merged_directory(directory)).collect();
        Ok(self.with(directories?))
    }

    fn merged_directory(&self, directory: &DirectoryDiff) -> Result<DirectoryDiff, Error> {
        let (mut merged, mut changed, mut failed) = (BTreeMap::new(), BTreeMap::new(), None);
        directory.merges(|entry, outcome| {
            let said = match outcome {
                Ok(outcome) => match put(&directory.contents, entry, &outcome) {
                    Ok(put) => {
                        changed.insert(entry.path.clone(), put);
                        Ok(Merged { owners: outcome.owners.seen })
                    }
                    Err(errno) => {
                        failed = Some(errno);
                        Err(errno.into())
                    }
                },
                Err(not_merged) => Err(not_merged),
            };
            merged.insert(entry.path.clone(), said);
        });
        if let Some(errno) = failed {
            return Err(Error::new(ErrorKind::State, "cannot stage what was merged")
                .because(errno)
                .hint("is the disk full? cofferdam doctor"));
        }
        let entries = directory.set.entries.iter().filter_map(|entry| match changed.remove(&entry.path) {
            Some(merged) => merged,
            None => Some(entry.clone()),
        });
        let set = directory.set.with_entries(entries.collect());
        Ok(DirectoryDiff { merged, ..directory.with(set)? })
    }
}

/// The entry as merged, its content staged; nothing if it changes nothing of what the owner has.
fn put(contents: &StagedContents, entry: &Entry, outcome: &Outcome) -> Result<Option<Entry>, Errno> {
    let size = |length: usize| u64::try_from(length).ok();
    let mut merged = Entry {
        mode_before: Some(outcome.owners.mode),
        mode_after: Some(outcome.mode),
        size_before: size(outcome.owners.content.len()),
        size_after: size(outcome.owners.content.len()),
        conflict: None,
        before: Some(outcome.owners.seen.clone()),
        content: None,
        place: None,
        change: Change::Mode,
        ..entry.clone()
    };
    match &outcome.content {
        Some(content) => {
            merged.change = Change::Modified;
            restage(&mut merged, contents.directory(), content)?;
        }
        None if outcome.mode == outcome.owners.mode => return Ok(None),
        None => {}
    }
    Ok(Some(merged))
}

impl DirectoryDiff {
    /// Tries each conflict and says what came of it.
    fn merges(&self, mut said: impl FnMut(&Entry, Result<Outcome, NotMerged>)) {
        let mut tried: BTreeMap<&WorkspacePath, &Entry> = BTreeMap::new();
        for entry in self.set.entries.iter().filter(|entry| is_open(entry)) {
            if is_edit_of_both(entry) {
                tried.insert(&entry.path, entry);
            } else {
                said(entry, Err(NotMerged::OtherConflict));
            }
        }
        let paths: Vec<WorkspacePath> = tried.keys().map(|path| (*path).clone()).collect();
        let bytes_max = u64::try_from(TEXT_BYTES_MAX).unwrap_or(u64::MAX);
        ancestors(&self.source, &paths, bytes_max, |path, ancestor| {
            let Some(entry) = tried.get(&path) else { return };
            let ancestor = ancestor.map_err(NotMerged::NoAncestor);
            said(entry, ancestor.and_then(|ancestor| self.outcome(entry, &ancestor)));
        });
    }

    fn outcome(&self, entry: &Entry, ancestor: &Ancestor) -> Result<Outcome, NotMerged> {
        if !ancestor.taken.is_some_and(|taken| self.base.is_before(taken)) {
            return Err(NotMerged::Later);
        }
        let owners = owners_file(self.original.as_fd(), entry.path.as_bytes(), TEXT_BYTES_MAX);
        let owners = owners.map_err(readable)?;
        let content = match self.staged_bytes(entry, TEXT_BYTES_MAX) {
            // Only the mode is in conflict.
            None => None,
            Some(theirs) => {
                let merged = merge(&ancestor.content, &owners.content, &theirs.map_err(readable)?)?;
                Some(merged).filter(|merged| *merged != owners.content)
            }
        };
        let theirs = entry.mode_after.unwrap_or(owners.mode);
        // A bit has two values: where the sides differ, one of them is the ancestor's and the other was chosen.
        let mode = if theirs == ancestor.mode { owners.mode } else { theirs };
        Ok(Outcome { owners, content, mode })
    }
}

fn readable(errno: Errno) -> NotMerged {
    if errno == Errno::FBIG { Unmerged::TooLong.into() } else { errno.into() }
}

/// A conflict that matters: what is refused is not brought back, merged or not.
fn is_open(entry: &Entry) -> bool {
    entry.conflict.is_some() && entry.refused.is_none()
}

/// A regular file on both sides, which the owner wrote to or replaced by another.
fn is_edit_of_both(entry: &Entry) -> bool {
    let changes = match entry.change {
        Change::Modified | Change::Mode => true,
        Change::Added | Change::Deleted | Change::Type => false,
    };
    let edited = match entry.conflict {
        Some(Conflict::Edited | Conflict::Replaced) => true,
        Some(
            Conflict::Deleted
            | Conflict::Created
            | Conflict::TypeChanged
            | Conflict::DirectoryAbove
            | Conflict::ClockSteppedBack,
        )
        | None => false,
    };
    changes && edited && entry.kind == EntryKind::File
}
