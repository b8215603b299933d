//! Copying a layer as it is: owners, modes, times, extended attributes, whiteouts, holes, hard links within it.
//!
//! Unlike [`copy`](crate::copy), which takes over only what an agent may see, this leaves nothing out that the kernel
//! keeps of a layer. It interprets nothing. Contents are shared where the file system can.

use super::CheckpointError;
use crate::beneath::{self, Listing};
use crate::contents::Contents;
use crate::path::{joined, visible};
use rustix::buffer::spare_capacity;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Statx, Timespec, Timestamps, Uid, XattrFlags, makedev,
};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;

/// The most entries of one directory.
const DIRECTORY_ENTRIES_MAX: usize = 4_000_000;
/// The most that the names of one file's attributes take, and one attribute, in bytes (the kernel's own limits).
const ATTRIBUTE_BYTES_MAX: usize = 64 << 10;

/// What is in some layers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Regular files; one with several names counts for each.
    pub files: u64,
    /// Their bytes, holes included.
    pub bytes: u64,
    /// Directories, the layers' own included.
    pub directories: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// Whiteouts: what was deleted of the owner's.
    pub deletions: u64,
    /// FIFOs and sockets.
    pub special: u64,
    /// Of names, inodes, sizes and ctimes: equal as long as nothing was changed.
    pub fingerprint: String,
}

impl Counts {
    /// All that was met.
    #[must_use]
    pub fn entries(&self) -> u64 {
        [self.files, self.directories, self.symlinks, self.deletions, self.special]
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }
}

/// A walk through layers, which copies what it meets if it is told where to.
pub(super) struct Walk {
    counts: Counts,
    fingerprint: Sha256,
    contents: Contents,
    listing: Listing,
}

/// One tree of a walk.
struct Branch<'a> {
    name: &'a str,
    from: OwnedFd,
    to: Option<OwnedFd>,
    /// Where the first name of a file with several lies in the copy, by inode.
    linked: HashMap<u64, Vec<u8>>,
    /// All directories so far, each after the one that holds it.
    directories: Vec<(Vec<u8>, Statx)>,
}

/// One directory of the layer and of its copy.
struct Here {
    path: Vec<u8>,
    from: OwnedFd,
    to: Option<OwnedFd>,
}

impl Branch<'_> {
    fn shown(&self, path: &[u8]) -> String {
        visible(&joined(self.name.as_bytes(), path))
    }

    fn unread(&self, path: &[u8]) -> impl Fn(Errno) -> CheckpointError {
        let path = self.shown(path);
        move |source| CheckpointError::Read { path: path.clone(), source }
    }

    fn unwritten(&self, path: &[u8]) -> impl Fn(Errno) -> CheckpointError {
        let path = self.shown(path);
        move |source| CheckpointError::Write { path: path.clone(), source }
    }
}

impl Walk {
    pub(super) fn new() -> Self {
        Self {
            counts: Counts::default(),
            fingerprint: Sha256::new(),
            contents: Contents::new(),
            listing: Listing::new(),
        }
    }

    pub(super) fn finish(self) -> Counts {
        let digest = self.fingerprint.finalize();
        let fingerprint = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Counts { fingerprint, ..self.counts }
    }

    /// Goes through the tree at `path` below `root`, and copies it to `name` in `into`.
    pub(super) fn tree(
        &mut self,
        name: &str,
        root: impl AsFd,
        path: &str,
        into: Option<&OwnedFd>,
    ) -> Result<(), CheckpointError> {
        let shown = |source| CheckpointError::Read { path: name.to_owned(), source };
        let from = beneath::open_directory(root, path.as_bytes()).map_err(shown)?;
        let stat = beneath::stat_fd(&from).map_err(shown)?;
        let to = match into {
            None => None,
            Some(into) => Some(
                rustix::fs::mkdirat(into, name, Mode::RWXU)
                    .and_then(|()| beneath::open_directory(into, name.as_bytes()))
                    .map_err(|source| CheckpointError::Write { path: name.to_owned(), source })?,
            ),
        };
        let directories = vec![(Vec::new(), stat)];
        let mut branch = Branch { name, from, to, linked: HashMap::new(), directories };
        self.note(name.as_bytes(), &stat);
        let mut next = 0;
        while let Some((path, _)) = branch.directories.get(next) {
            let path = path.clone();
            next = next.saturating_add(1);
            self.directory(&mut branch, path)?;
        }
        self.look_as_they_did(&branch)
    }

    /// From the bottom up, so that no time stamp is disturbed again.
    fn look_as_they_did(&self, branch: &Branch<'_>) -> Result<(), CheckpointError> {
        let Some(to) = &branch.to else { return Ok(()) };
        for (path, stat) in branch.directories.iter().rev() {
            let from = beneath::open_directory(&branch.from, path).map_err(branch.unread(path))?;
            let to = beneath::open_directory(to, path).map_err(branch.unwritten(path))?;
            attributes(&from, &to).and_then(|()| look_like(&to, stat)).map_err(branch.unwritten(path))?;
        }
        Ok(())
    }

    fn directory(&mut self, branch: &mut Branch<'_>, path: Vec<u8>) -> Result<(), CheckpointError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let from = beneath::open_same_mount(&branch.from, &path, flags).map_err(branch.unread(&path))?;
        let to = match &branch.to {
            None => None,
            Some(to) => Some(beneath::open_directory(to, &path).map_err(branch.unwritten(&path))?),
        };
        let entries =
            self.listing.sorted(from.as_fd(), DIRECTORY_ENTRIES_MAX).map_err(branch.unread(&path))?;
        let here = Here { path, from, to };
        for (name, _) in entries {
            self.entry(branch, &here, name.to_bytes())?;
        }
        Ok(())
    }

    fn entry(&mut self, branch: &mut Branch<'_>, here: &Here, name: &[u8]) -> Result<(), CheckpointError> {
        let path = joined(&here.path, name);
        let stat = beneath::stat_name(&here.from, name).map_err(branch.unread(&path))?;
        let stat = stat.ok_or_else(|| branch.unread(&path)(Errno::STALE))?;
        self.note(&path, &stat);
        if beneath::kind(&stat) == FileType::Directory {
            branch.directories.push((path.clone(), stat));
        }
        let Some(to) = &here.to else { return Ok(()) };
        match beneath::kind(&stat) {
            FileType::Directory => rustix::fs::mkdirat(to, name, Mode::RWXU).map_err(branch.unwritten(&path)),
            FileType::Symlink => symlink(&here.from, to, name, &stat).map_err(branch.unwritten(&path)),
            FileType::RegularFile => self.file(branch, here, to, name, &path, &stat),
            FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => node(to, name, &stat).map_err(branch.unwritten(&path)),
        }
    }

    fn file(
        &mut self,
        branch: &mut Branch<'_>,
        here: &Here,
        into: &OwnedFd,
        name: &[u8],
        path: &[u8],
        stat: &Statx,
    ) -> Result<(), CheckpointError> {
        if stat.stx_nlink > 1
            && let (Some(first), Some(root)) = (branch.linked.get(&stat.stx_ino), &branch.to)
        {
            return link(root.as_fd(), first, into, name).map_err(branch.unwritten(path));
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let from = beneath::open_same_mount(&here.from, name, flags).map_err(branch.unread(path))?;
        let now = beneath::stat_fd(&from).map_err(branch.unread(path))?;
        if beneath::kind(&now) != FileType::RegularFile || now.stx_ino != stat.stx_ino {
            return Err(branch.unread(path)(Errno::STALE));
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let to =
            rustix::fs::openat(into, name, flags, Mode::RUSR | Mode::WUSR).map_err(branch.unwritten(path))?;
        self.contents
            .copy(&from, &to, &now, &mut |_bytes| ())
            .and_then(|()| look_like_owned(&to, &now))
            .and_then(|()| attributes(&from, &to))
            .and_then(|()| look_like(&to, &now))
            .map_err(branch.unwritten(path))?;
        if stat.stx_nlink > 1 {
            branch.linked.insert(stat.stx_ino, path.to_vec());
        }
        Ok(())
    }

    fn note(&mut self, path: &[u8], stat: &Statx) {
        let counts = &mut self.counts;
        let count = match beneath::kind(stat) {
            FileType::RegularFile => {
                counts.bytes = counts.bytes.saturating_add(stat.stx_size);
                &mut counts.files
            }
            FileType::Directory => &mut counts.directories,
            FileType::Symlink => &mut counts.symlinks,
            FileType::CharacterDevice if beneath::is_whiteout(stat) => &mut counts.deletions,
            FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => &mut counts.special,
        };
        *count = count.saturating_add(1);
        self.fingerprint.update(path);
        self.fingerprint.update([0]);
        for number in [
            stat.stx_ino,
            stat.stx_size,
            u64::from(stat.stx_mode),
            stat.stx_ctime.tv_sec.cast_unsigned(),
            u64::from(stat.stx_ctime.tv_nsec),
        ] {
            self.fingerprint.update(number.to_le_bytes());
        }
    }
}

/// A further name for a file of the copy.
fn link(root: BorrowedFd<'_>, first: &[u8], into: &OwnedFd, name: &[u8]) -> Result<(), Errno> {
    // In two steps: the path may be longer than the kernel takes.
    let (above, leaf) = match first.iter().rposition(|byte| *byte == b'/') {
        None => (&b""[..], first),
        Some(slash) => {
            (first.get(..slash).unwrap_or_default(), first.get(slash.saturating_add(1)..).unwrap_or_default())
        }
    };
    let holder = beneath::open_directory(root, above)?;
    rustix::fs::linkat(&holder, leaf, into, name, AtFlags::empty())
}

fn symlink(from: &OwnedFd, to: &OwnedFd, name: &[u8], stat: &Statx) -> Result<(), Errno> {
    let target = rustix::fs::readlinkat(from, name, Vec::new())?;
    rustix::fs::symlinkat(target, to, name)?;
    own(to, name, stat)
}

/// A whiteout, FIFO or socket. Devices other than whiteouts no agent can make.
fn node(to: &OwnedFd, name: &[u8], stat: &Statx) -> Result<(), Errno> {
    let device = makedev(stat.stx_rdev_major, stat.stx_rdev_minor);
    rustix::fs::mknodat(to, name, beneath::kind(stat), mode(stat), device)?;
    own(to, name, stat)?;
    if beneath::is_whiteout(stat) {
        return Ok(());
    }
    rustix::fs::chmodat(to, name, mode(stat), AtFlags::empty())
}

fn mode(stat: &Statx) -> Mode {
    Mode::from_raw_mode(beneath::permissions(stat))
}

fn ids(stat: &Statx) -> (Option<Uid>, Option<Gid>) {
    (Some(Uid::from_raw(stat.stx_uid)), Some(Gid::from_raw(stat.stx_gid)))
}

fn times(stat: &Statx) -> Timestamps {
    let time = |seconds: i64, nanos: u32| Timespec { tv_sec: seconds, tv_nsec: i64::from(nanos) };
    Timestamps {
        last_access: time(stat.stx_atime.tv_sec, stat.stx_atime.tv_nsec),
        last_modification: time(stat.stx_mtime.tv_sec, stat.stx_mtime.tv_nsec),
    }
}

/// Owner and times of what has no descriptor.
fn own(to: &OwnedFd, name: &[u8], stat: &Statx) -> Result<(), Errno> {
    let made = beneath::stat_name(to, name)?.ok_or(Errno::STALE)?;
    if (made.stx_uid, made.stx_gid) != (stat.stx_uid, stat.stx_gid) {
        let (uid, gid) = ids(stat);
        rustix::fs::chownat(to, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
    }
    rustix::fs::utimensat(to, name, &times(stat), AtFlags::SYMLINK_NOFOLLOW)
}

/// The owner first: a change of it takes bits of the mode and capabilities away.
fn look_like_owned(to: &OwnedFd, stat: &Statx) -> Result<(), Errno> {
    let made = beneath::stat_fd(to)?;
    if (made.stx_uid, made.stx_gid) == (stat.stx_uid, stat.stx_gid) {
        return Ok(());
    }
    let (uid, gid) = ids(stat);
    rustix::fs::fchown(to, uid, gid)
}

fn look_like(to: &OwnedFd, stat: &Statx) -> Result<(), Errno> {
    look_like_owned(to, stat)?;
    rustix::fs::fchmod(to, mode(stat))?;
    rustix::fs::futimens(to, &times(stat))
}

/// Takes over what the overlay and the agent noted on a file: redirects, opaqueness, ACLs. What security modules of the
/// host put there is theirs, and they put it on the copy too.
fn attributes(from: &OwnedFd, to: &OwnedFd) -> Result<(), Errno> {
    let mut names = Vec::with_capacity(ATTRIBUTE_BYTES_MAX);
    match rustix::fs::flistxattr(from, spare_capacity(&mut names)) {
        Ok(_) => {}
        Err(Errno::OPNOTSUPP) => return Ok(()),
        Err(errno) => return Err(errno),
    }
    for name in names.split(|byte| *byte == 0).filter(|name| is_carried(name)) {
        let mut value = Vec::with_capacity(ATTRIBUTE_BYTES_MAX);
        rustix::fs::fgetxattr(from, name, spare_capacity(&mut value))?;
        rustix::fs::fsetxattr(to, name, &value, XattrFlags::empty())?;
    }
    Ok(())
}

fn is_carried(name: &[u8]) -> bool {
    name.starts_with(b"user.") || name.starts_with(b"system.posix_acl_") || name == b"security.capability"
}
