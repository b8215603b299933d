//! Whether what the owner has now is what the session started from.
//!
//! By what nobody can set back: an inode's ctime, measured by a clock that has not stepped back. Contents are not
//! compared with anything older, and git is never asked.

use super::put::Put;
use crate::apply::Seen;
use crate::beneath;
use crate::census::kept::Kept;
use crate::changes::Moment;
use crate::path::split;
use rustix::fd::BorrowedFd;
use rustix::fs::{AtFlags, OFlags, Statx, StatxFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// What the owner's files are measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// What is older than this is what the session started from.
    Since(Moment),
    /// Another directory lies at the path of the one that the session started from: nothing in it is what that held.
    OtherRoot,
    /// The clock has stepped back since, or it is not known when the session started: nothing can be told by times.
    SteppedBack,
}

impl Base {
    /// Whether this is, surely, what the session started from.
    pub(super) fn is_older(self, stat: &Statx) -> bool {
        self.is_before(changed(stat))
    }

    /// Whether a ctime is, surely, one of before the session's start.
    #[must_use]
    pub fn is_before(self, changed: Moment) -> bool {
        match self {
            Self::Since(since) => changed < since,
            Self::OtherRoot | Self::SteppedBack => false,
        }
    }
}

/// Why an entry can't be laid over what the owner has now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conflict {
    /// The owner's file was written to, or its attributes were changed.
    Edited,
    /// The owner's file is another one than before.
    Replaced,
    /// The owner's file is gone.
    Deleted,
    /// The owner made something there.
    Created,
    /// The owner's file is of another kind.
    TypeChanged,
    /// A directory above it is another, was moved, or was touched so that this can't be told.
    DirectoryAbove,
    /// It can't be told: the clock stepped back.
    ClockSteppedBack,
}

impl Conflict {
    /// In words, for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Edited => "you edited it meanwhile",
            Self::Replaced => "you edited or replaced it meanwhile",
            Self::Deleted => "you deleted it meanwhile",
            Self::Created => "you made it meanwhile",
            Self::TypeChanged => "you made something else of it meanwhile",
            Self::DirectoryAbove => "a directory above it was exchanged meanwhile",
            Self::ClockSteppedBack => "the clock stepped back, so that your edits can't be told",
        }
    }
}

/// Judges the owner's files; each directory is asked once.
pub(super) struct Judge<'a> {
    root: BorrowedFd<'a>,
    base: Base,
    /// Which directory lay where when the session started, if that was kept.
    kept: Option<&'a Kept>,
    put: &'a Put,
    directories: HashMap<Vec<u8>, Option<Conflict>>,
    mount: u64,
}

impl<'a> Judge<'a> {
    pub(super) fn new(
        root: BorrowedFd<'a>,
        base: Base,
        kept: Option<&'a Kept>,
        put: &'a Put,
    ) -> Result<Self, Errno> {
        let mount = beneath::stat_fd(root)?.stx_mnt_id;
        Ok(Self { root, base, kept, put, directories: HashMap::new(), mount })
    }

    /// What speaks against laying something over the owner's `path`, of which `before` is known.
    pub(super) fn conflict(
        &mut self,
        path: &[u8],
        before: Option<&Statx>,
    ) -> Result<Option<Conflict>, Errno> {
        let ours = before.is_some_and(|before| self.put.known(path, before).is_some());
        let since = match self.base {
            Base::Since(since) => since,
            Base::OtherRoot => return Ok(Some(Conflict::DirectoryAbove)),
            Base::SteppedBack if ours => return Ok(None),
            Base::SteppedBack => return Ok(before.map(|_| Conflict::ClockSteppedBack)),
        };
        if let Some(before) = before
            && changed(before) >= since
            && !ours
        {
            let same = self.put.is_inode(path, before);
            return Ok(Some(if same { Conflict::Edited } else { self.what_happened(path, since)? }));
        }
        self.above(split(path).0, since)
    }

    /// A file's birth tells whether it is the same file still.
    fn what_happened(&self, path: &[u8], since: Moment) -> Result<Conflict, Errno> {
        Ok(match birth(self.root, path)? {
            Some(born) if born >= since => Conflict::Replaced,
            Some(_) | None => Conflict::Edited,
        })
    }

    /// Whether something came into the owner's directory `path` or went from it; nothing if it is not there.
    pub(super) fn was_touched(&self, path: &[u8]) -> Result<Option<bool>, Errno> {
        let found = beneath::stat_path(self.root, path)?;
        Ok(found.map(|stat| !self.base.is_older(&stat) && !self.put.is_quiet(path, &stat)))
    }

    /// What the owner has at `path`, as an apply is to find it; nothing for what an apply does not handle.
    pub(super) fn seen(&self, path: &[u8], before: &Statx) -> Option<Seen> {
        let known = self.put.known(path, before).and_then(|noted| noted.sha256);
        Seen::of(before).map(|seen| Seen { sha256: known, ..seen })
    }

    fn above(&mut self, directory: &[u8], since: Moment) -> Result<Option<Conflict>, Errno> {
        if directory.is_empty() {
            return Ok(None);
        }
        if let Some(known) = self.directories.get(directory) {
            return Ok(*known);
        }
        let conflict = match self.above(split(directory).0, since)? {
            Some(conflict) => Some(conflict),
            None => self.directory(directory, since)?,
        };
        self.directories.insert(directory.to_vec(), conflict);
        Ok(conflict)
    }

    /// One directory. Its ctime moves when it is moved itself, and also when something in it comes or goes. The latter
    /// leaves it what it was, and what came or went is judged by its own ctime, which moving and linking change too.
    /// Which of the two it was the inode tells that was kept; a number that was used again, the birth.
    fn directory(&self, path: &[u8], since: Moment) -> Result<Option<Conflict>, Errno> {
        let Some(stat) = beneath::stat_path(self.root, path)? else { return Ok(None) };
        if stat.stx_mnt_id != self.mount {
            return Ok(Some(Conflict::DirectoryAbove));
        }
        if changed(&stat) < since {
            return Ok(None);
        }
        if self.put.known(path, &stat).is_some() {
            return Ok(None);
        }
        let kept = self.kept.and_then(|kept| kept.inode(path));
        let same = kept == Some(stat.stx_ino) && birth(self.root, path)?.is_some_and(|born| born < since);
        Ok((!same).then_some(Conflict::DirectoryAbove))
    }
}

fn changed(stat: &Statx) -> Moment {
    Moment { seconds: stat.stx_ctime.tv_sec, nanos: stat.stx_ctime.tv_nsec }
}

fn birth(root: BorrowedFd<'_>, path: &[u8]) -> Result<Option<Moment>, Errno> {
    let found = match beneath::open(root, path, OFlags::PATH) {
        Ok(found) => found,
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
        Err(errno) => return Err(errno),
    };
    let stat = rustix::fs::statx(found, "", AtFlags::EMPTY_PATH, StatxFlags::BTIME)?;
    let known = StatxFlags::from_bits_retain(stat.stx_mask).contains(StatxFlags::BTIME);
    Ok(known.then_some(Moment { seconds: stat.stx_btime.tv_sec, nanos: stat.stx_btime.tv_nsec }))
}
