//! Whether the last commit's tree is the tree that a person reviews: over all that the commits change, and all that the
//! session changed in the work tree.

use super::repository::Repository;
use super::{NewCommits, ObjectId, Side, TreeEntryKind};
use crate::diff::{Change, Diff, DirectoryDiff, Entry, EntryKind};
use cofferdam_policy::path::AbsPath;
use cofferdam_workspace::changeset;
use cofferdam_workspace::git::objects::{OBJECT_BYTES_MAX, ObjectFormat, ObjectKind, Objects, WalkError};
use rustix::fd::AsFd as _;
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt as _;

/// A path at which the last commit and the work tree differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// From the work tree's top, as it is.
    pub path: Vec<u8>,
    /// In what way.
    pub reason: MismatchReason,
}

/// In what way the last commit and the work tree differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MismatchReason {
    /// It lies in the work tree, and in no commit.
    NotCommitted,
    /// It was committed, and does not lie in the work tree.
    OnlyCommitted,
    /// Content or mode.
    Different,
    /// It can't be read to be compared.
    Unreadable,
}

impl MismatchReason {
    /// In words, for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NotCommitted => "it is not committed",
            Self::OnlyCommitted => "it is committed, and not in the work tree",
            Self::Different => "the work tree has it otherwise",
            Self::Unreadable => "it cannot be read",
        }
    }
}

/// All of them, in the order of the paths' bytes.
pub(super) fn mismatches(
    objects: &mut Objects,
    new: &NewCommits,
    repository: &Repository,
    workspace: &AbsPath,
    diff: &Diff,
) -> Result<Vec<Mismatch>, WalkError> {
    let Some(directory) = diff.directories.iter().find(|directory| directory.path == *workspace) else {
        return Ok(Vec::new());
    };
    let below = workspace.as_path().strip_prefix(repository.top.as_path()).unwrap_or(workspace.as_path());
    let below = below.as_os_str().as_bytes();
    let from_top = |path: &[u8]| {
        [below, path].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(&b'/')
    };
    // Git knows no directories, and what is refused for its kind could not be committed either.
    let tracked = |entry: &&Entry| match entry.kind {
        EntryKind::File | EntryKind::Symlink => entry.refused.is_none(),
        EntryKind::Dir | EntryKind::Gitlink => false,
    };
    let entries: BTreeMap<Vec<u8>, &Entry> = directory
        .set
        .entries
        .iter()
        .filter(tracked)
        .map(|entry| (from_top(entry.path.as_bytes()), entry))
        .collect();
    let mut paths: BTreeSet<&[u8]> = entries.keys().map(Vec::as_slice).collect();
    for commit in &new.commits {
        paths.extend(commit.changes.iter().map(|change| change.path.as_slice()));
    }
    let tree = objects.commit(&new.tip)?.tree;
    let mut found = Vec::new();
    for path in paths {
        let committed = objects.at_path(tree, path)?;
        let seen = match entries.get(path) {
            Some(entry) => staged(objects.format(), directory, entry),
            None => owners(objects.format(), repository, path),
        };
        let reason = match (seen, committed) {
            (Ok(seen), committed) if seen == committed => continue,
            (Ok(Some(_)), None) => MismatchReason::NotCommitted,
            (Ok(None), Some(_)) => MismatchReason::OnlyCommitted,
            (Ok(_), _) => MismatchReason::Different,
            (Err(_), _) => MismatchReason::Unreadable,
        };
        found.push(Mismatch { path: path.to_vec(), reason });
    }
    Ok(found)
}

/// What the session left at a path that it changed.
fn staged(format: ObjectFormat, directory: &DirectoryDiff, entry: &Entry) -> Result<Side, Errno> {
    if entry.change == Change::Deleted {
        return Ok(None);
    }
    let kind = match (entry.kind, entry.mode_after) {
        (EntryKind::Symlink, _) => TreeEntryKind::Symlink,
        (EntryKind::File, Some(0o100_755)) => TreeEntryKind::Executable,
        (EntryKind::File, Some(_) | None) => TreeEntryKind::File,
        (EntryKind::Dir | EntryKind::Gitlink, _) => return Ok(None),
    };
    let bytes_max = usize::try_from(OBJECT_BYTES_MAX).unwrap_or(usize::MAX);
    let content = match directory.staged_bytes(entry, bytes_max) {
        Some(content) => content?,
        // Only the mode changed.
        None => changeset::small_file(directory.original.as_fd(), entry.path.as_bytes(), bytes_max)?,
    };
    let id = ObjectId::of(format, ObjectKind::Blob, &content).ok_or(Errno::BADMSG)?;
    Ok(Some((kind, id)))
}

/// What the owner has at a path that the session did not change: the session saw the same.
fn owners(format: ObjectFormat, repository: &Repository, path: &[u8]) -> Result<Side, Errno> {
    let top = crate::state::open_directory(repository.top.as_path()).map_err(|_unusable| Errno::IO)?;
    let bytes_max = usize::try_from(OBJECT_BYTES_MAX).unwrap_or(usize::MAX);
    let (kind, content) = match changeset::look(top.as_fd(), path)? {
        None => return Ok(None),
        Some(changeset::Looked::Symlink) => {
            (TreeEntryKind::Symlink, changeset::link_target(top.as_fd(), path)?)
        }
        Some(changeset::Looked::File { executable }) => {
            let kind = if executable { TreeEntryKind::Executable } else { TreeEntryKind::File };
            (kind, changeset::small_file(top.as_fd(), path, bytes_max)?)
        }
    };
    let id = ObjectId::of(format, ObjectKind::Blob, &content).ok_or(Errno::BADMSG)?;
    Ok(Some((kind, id)))
}
