//! What is read of the owner's side only: what a deleted directory held, and what git tracks of what rules ignore.

use super::{Reader, SetAside, gitlink, unreadable};
use crate::beneath::{self, Listing};
use crate::changes::walk::{Met, failure};
use crate::changes::{Change, FileKind};
use crate::changeset::base::Conflict;
use crate::changeset::{ChangeSetError, EntryKind, Refusal};
use crate::git::tracked;
use crate::path::{WorkspacePath, is_within, joined, split};
use cofferdam_policy::mask::NameKind;
use rustix::fd::AsFd as _;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

/// The most entries of one directory of the owner's.
const DIRECTORY_ENTRIES_MAX: usize = 1_000_000;

/// The longest `.git` file, in bytes.
const POINTER_BYTES_MAX: usize = 8 << 10;

impl Reader<'_> {
    /// Enters all that the owner's directory `top` holds as deleted; what of it can't go keeps `top` too.
    pub(super) fn take_contents_of(
        &mut self,
        top: &WorkspacePath,
    ) -> Result<Option<Refusal>, ChangeSetError> {
        let mut listing = Listing::new();
        let mut open = vec![top.as_bytes().to_vec()];
        let mut kept: Vec<(Vec<u8>, Refusal)> = Vec::new();
        let mut directories = Vec::new();
        while let Some(directory) = open.pop() {
            let failed = |errno| ChangeSetError::Read(failure(&directory, errno));
            let fd = beneath::open_directory(self.reading.original, &directory).map_err(failed)?;
            for (name, kind) in listing.sorted(fd.as_fd(), DIRECTORY_ENTRIES_MAX).map_err(failed)? {
                let name = name.to_bytes();
                let Ok(path) = WorkspacePath::new(joined(&directory, name)) else {
                    self.set.unnamed = self.set.unnamed.saturating_add(1);
                    continue;
                };
                if self.is_hidden(&directory, name, kind, &path) {
                    kept.push((path.as_bytes().to_vec(), Refusal::Masked));
                } else if name == b".git" {
                    kept.push((path.as_bytes().to_vec(), Refusal::GitDirectory));
                    self.push(gitlink(path, Change::Deleted))?;
                } else if kind == FileType::Directory {
                    open.push(path.as_bytes().to_vec());
                    directories.push(path);
                } else {
                    self.take_gone(fd.as_fd(), path)?;
                }
            }
        }
        let keeps = |path: &WorkspacePath| {
            kept.iter().find(|(kept, _)| is_within(kept, path.as_bytes())).map(|(_, reason)| *reason)
        };
        for path in directories {
            let held = keeps(&path);
            let stat = beneath::stat_path(self.reading.original, path.as_bytes());
            let Some(stat) = stat.map_err(|errno| unreadable(&path, errno))? else { continue };
            if held.is_none() && self.ignores(&path, FileKind::Directory)? {
                continue;
            }
            let met = gone(&path, FileKind::Directory, &stat, self.reading.original);
            self.enter(path.clone(), &met, held)?;
        }
        Ok(keeps(top))
    }

    fn take_gone(
        &mut self,
        directory: rustix::fd::BorrowedFd<'_>,
        path: WorkspacePath,
    ) -> Result<(), ChangeSetError> {
        let stat = beneath::stat_name(directory, path.name()).map_err(|errno| unreadable(&path, errno))?;
        let Some(stat) = stat else { return Ok(()) };
        let kind = match beneath::kind(&stat) {
            FileType::RegularFile => FileKind::File,
            FileType::Symlink => FileKind::Symlink,
            FileType::Directory => FileKind::Directory,
            FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => FileKind::Special,
        };
        if self.ignores(&path, kind)? {
            self.set_aside.push(SetAside { path, change: Change::Deleted, kind });
            return Ok(());
        }
        let met = gone(&path, kind, &stat, directory);
        self.enter(path.clone(), &met, None)
    }

    fn is_hidden(&self, parent: &[u8], name: &[u8], kind: FileType, path: &WorkspacePath) -> bool {
        let kind = if kind == FileType::Directory { NameKind::Directory } else { NameKind::Other };
        self.reading.masks.hides(parent, name, kind).is_some()
            || self.reading.hidden.binary_search(path).is_ok()
    }

    /// Counts what was set aside, and enters what git tracks all the same: rules don't hold for it.
    pub(super) fn take_back_what_is_tracked(&mut self) -> Result<(), ChangeSetError> {
        let mut repositories: BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>> = BTreeMap::new();
        let mut known: BTreeMap<Vec<u8>, Option<Vec<u8>>> = BTreeMap::new();
        let set_aside = std::mem::take(&mut self.set_aside);
        let mut tops = Vec::with_capacity(set_aside.len());
        for aside in &set_aside {
            let top = self.work_tree(aside.path.parent(), &mut known)?;
            if let Some(top) = &top {
                let below = below(aside.path.as_bytes(), top).to_vec();
                repositories.entry(top.clone()).or_default().insert(below);
            }
            tops.push(top);
        }
        let mut tracked = BTreeMap::new();
        for (top, asked) in &repositories {
            tracked.insert(top, self.index(top).and_then(|index| tracked::among_index(&index, asked)));
        }
        for (aside, top) in set_aside.into_iter().zip(tops) {
            let counts = top.as_ref().is_some_and(|top| match tracked.get(top) {
                Some(Some(tracked)) => tracked.contains(below(aside.path.as_bytes(), top)),
                // An index that is not understood tracks everything: more is shown then.
                Some(None) => true,
                None => false,
            });
            if counts {
                self.take_back(aside)?;
            } else {
                if aside.change == Change::Deleted {
                    self.ignored_deletions.push(aside.path.clone());
                }
                self.set.ignored.count_path(Some(aside.path));
            }
        }
        self.set.ignored.paths.sort();
        Ok(())
    }

    /// A new file that git tracks at that very path was the owner's: the session replaced it, and the owner deleted it. The
    /// kernel's mark is on the file that was copied up only, not on one that took its place.
    pub(super) fn know_again_what_the_owner_deleted(&mut self) -> Result<(), ChangeSetError> {
        let mut repositories: BTreeMap<Vec<u8>, BTreeMap<Vec<u8>, usize>> = BTreeMap::new();
        let mut known = BTreeMap::new();
        let mut touched: BTreeMap<Vec<u8>, bool> = BTreeMap::new();
        for (number, entry) in self.set.entries.iter().enumerate() {
            let is_new = entry.change == Change::Added && entry.kind != EntryKind::Dir;
            if !is_new || entry.conflict.is_some() || entry.refused.is_some() {
                continue;
            }
            let parent = entry.path.parent();
            let touched = match touched.get(parent) {
                Some(touched) => *touched,
                None => {
                    let found =
                        self.judge.was_touched(parent).map_err(|errno| unreadable(&entry.path, errno))?;
                    touched.insert(parent.to_vec(), found.unwrap_or(true));
                    found.unwrap_or(true)
                }
            };
            if !touched {
                continue;
            }
            if let Some(top) = self.work_tree(parent, &mut known)? {
                let below = below(entry.path.as_bytes(), &top).to_vec();
                repositories.entry(top).or_default().insert(below, number);
            }
        }
        for (top, asked) in repositories {
            let paths = asked.keys().cloned().collect();
            // An index that is not understood says nothing of what was there.
            let tracked = self.index(&top).and_then(|index| tracked::among_index(&index, &paths));
            for number in tracked.iter().flatten().filter_map(|path| asked.get(path)) {
                if let Some(entry) = self.set.entries.get_mut(*number) {
                    entry.conflict = Some(Conflict::Deleted);
                }
            }
        }
        Ok(())
    }

    fn take_back(&mut self, aside: SetAside) -> Result<(), ChangeSetError> {
        let SetAside { path, change, kind } = aside;
        let failed = |errno| unreadable(&path, errno);
        let directory = match change {
            Change::Deleted => None,
            Change::Added | Change::Modified | Change::Type | Change::Mode => {
                Some(beneath::open_directory(self.reading.layer, path.parent()).map_err(failed)?)
            }
        };
        let original = beneath::open_directory(self.reading.original, path.parent()).ok();
        let stat = |fd: Option<&rustix::fd::OwnedFd>| match fd {
            Some(fd) => beneath::stat_name(fd, path.name()),
            None => Ok(None),
        };
        let (now, before) =
            (stat(directory.as_ref()).map_err(failed)?, stat(original.as_ref()).map_err(failed)?);
        if directory.is_some() && now.is_none() {
            return Err(super::vanished(&path, Errno::NOENT));
        }
        let met = Met {
            path: path.as_bytes(),
            change,
            kind,
            masked: false,
            permissions: None,
            now: now.as_ref(),
            before: before.as_ref(),
            directory: directory.as_ref().map_or(self.reading.layer, |fd| fd.as_fd()),
            original: original.as_ref().map(|fd| fd.as_fd()),
        };
        self.enter(path.clone(), &met, None)
    }

    /// The nearest directory of the owner's that holds a `.git`, from `directory` upwards.
    fn work_tree(
        &self,
        directory: &[u8],
        known: &mut BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    ) -> Result<Option<Vec<u8>>, ChangeSetError> {
        if let Some(top) = known.get(directory) {
            return Ok(top.clone());
        }
        let git = joined(directory, b".git");
        let failed = |errno| ChangeSetError::Read(failure(&git, errno));
        let top = match beneath::stat_path(self.reading.original, &git).map_err(failed)? {
            Some(_) => Some(directory.to_vec()),
            None if directory.is_empty() => None,
            None => self.work_tree(split(directory).0, known)?,
        };
        known.insert(directory.to_vec(), top.clone());
        Ok(top)
    }

    /// The index of the owner's work tree `top`; empty if it has none, nothing if it can't be found.
    fn index(&self, top: &[u8]) -> Option<Vec<u8>> {
        let git = joined(top, b".git");
        let root = self.reading.original;
        let read = match beneath::read_small(root, &git, POINTER_BYTES_MAX) {
            Ok(Some(pointer)) => {
                let place = pointed(&pointer)?;
                let base = beneath::open_directory(root, top).ok()?;
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                match rustix::fs::openat(base, place.join("index"), flags, Mode::empty()) {
                    Ok(file) => beneath::read_to_end(file, 0, tracked::INDEX_BYTES_MAX).map(Some),
                    Err(Errno::NOENT) => Ok(None),
                    Err(errno) => Err(errno),
                }
            }
            Ok(None) => beneath::read_small(root, &joined(&git, b"index"), tracked::INDEX_BYTES_MAX),
            Err(errno) => Err(errno),
        };
        read.ok().map(Option::unwrap_or_default)
    }
}

/// Where a `.git` file says that the git directory is. It is the owner's word, and only an index is read there.
fn pointed(text: &[u8]) -> Option<PathBuf> {
    let path = text.strip_prefix(b"gitdir: ")?.trim_ascii_end();
    (!path.is_empty()).then(|| PathBuf::from(OsStr::from_bytes(path)))
}

fn below<'p>(path: &'p [u8], top: &[u8]) -> &'p [u8] {
    let rest = path.get(top.len()..).unwrap_or_default();
    rest.strip_prefix(b"/").unwrap_or(rest)
}

fn gone<'m>(
    path: &'m WorkspacePath,
    kind: FileKind,
    before: &'m rustix::fs::Statx,
    directory: rustix::fd::BorrowedFd<'m>,
) -> Met<'m> {
    Met {
        path: path.as_bytes(),
        change: Change::Deleted,
        kind,
        masked: false,
        permissions: None,
        now: None,
        before: Some(before),
        directory,
        original: Some(directory),
    }
}
