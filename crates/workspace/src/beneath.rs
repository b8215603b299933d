//! Opening and listing below an open directory, whatever has been planted there.
//!
//! No path leaves the directory it starts from and no symbolic link is followed, whether in the middle or at the
//! end. Nothing here decides what an entry means.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, ResolveFlags, Statx, StatxFlags};
use rustix::io::{Errno, Result};
use std::ffi::CString;

/// How much of a path the kernel is given at once, in bytes: below its `PATH_MAX` of 4,096.
const CHUNK_BYTES_MAX: usize = 4_000;

/// Room for directory entries per system call, in bytes.
const LISTING_BYTES: usize = 64 * 1024;

const STAYING: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

/// Opens `path` (empty: the directory itself) below `root`. Paths longer than the kernel takes go in pieces.
pub(crate) fn open(root: impl AsFd, path: &[u8], flags: OFlags) -> Result<OwnedFd> {
    open_resolving(root, path, flags, STAYING)
}

/// As [`open`], but a mount point on the way or at the end gives [`Errno::XDEV`].
pub(crate) fn open_same_mount(root: impl AsFd, path: &[u8], flags: OFlags) -> Result<OwnedFd> {
    open_resolving(root, path, flags, STAYING | ResolveFlags::NO_XDEV)
}

/// Opens the directory `path` for listing.
pub(crate) fn open_directory(root: impl AsFd, path: &[u8]) -> Result<OwnedFd> {
    open(root, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK)
}

fn open_resolving(root: impl AsFd, path: &[u8], flags: OFlags, resolve: ResolveFlags) -> Result<OwnedFd> {
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mut from: Option<OwnedFd> = None;
    let mut rest = path;
    loop {
        let start = from.as_ref().map_or_else(|| root.as_fd(), AsFd::as_fd);
        if rest.len() <= CHUNK_BYTES_MAX {
            let name = if rest.is_empty() { b"." } else { rest };
            return rustix::fs::openat2(start, name, flags, Mode::empty(), resolve);
        }
        let slash = rest.get(..CHUNK_BYTES_MAX).and_then(|head| head.iter().rposition(|byte| *byte == b'/'));
        let (head, tail) =
            rest.split_at_checked(slash.ok_or(Errno::NAMETOOLONG)?).ok_or(Errno::NAMETOOLONG)?;
        from = Some(rustix::fs::openat2(start, head, path_flags(), Mode::empty(), resolve)?);
        rest = tail.get(1..).unwrap_or_default();
    }
}

const fn path_flags() -> OFlags {
    OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW)
}

/// What is known of `name` in the directory `fd`, a link itself and not what it points to; `None` if it is missing.
pub(crate) fn stat_name(fd: impl AsFd, name: &[u8]) -> Result<Option<Statx>> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    match rustix::fs::statx(fd, name, flags, StatxFlags::BASIC_STATS | StatxFlags::MNT_ID) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// What is known of an open file.
/// What lies at `path`, of which no part is followed as a link; `None` if there is nothing.
pub(crate) fn stat_path(root: impl AsFd, path: &[u8]) -> Result<Option<Statx>> {
    match open(root, path, OFlags::PATH | OFlags::NOFOLLOW) {
        Ok(found) => stat_fd(found).map(Some),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
        Err(errno) => Err(errno),
    }
}

pub(crate) fn stat_fd(fd: impl AsFd) -> Result<Statx> {
    rustix::fs::statx(fd, "", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS | StatxFlags::MNT_ID)
}

pub(crate) fn kind(stat: &Statx) -> FileType {
    FileType::from_raw_mode(u32::from(stat.stx_mode))
}

pub(crate) fn permissions(stat: &Statx) -> u32 {
    u32::from(stat.stx_mode) & 0o7777
}

pub(crate) fn is_whiteout(stat: &Statx) -> bool {
    kind(stat) == FileType::CharacterDevice && stat.stx_rdev_major == 0 && stat.stx_rdev_minor == 0
}

/// The whole content of the small file `path`, or `None` if it is missing or no regular file.
///
/// Content beyond `bytes_max` gives [`Errno::FBIG`].
pub(crate) fn read_small(root: impl AsFd, path: &[u8], bytes_max: usize) -> Result<Option<Vec<u8>>> {
    let fd = match open(root, path, OFlags::RDONLY | OFlags::NONBLOCK) {
        Ok(fd) => fd,
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ISDIR | Errno::NXIO) => return Ok(None),
        Err(errno) => return Err(errno),
    };
    let stat = stat_fd(&fd)?;
    if kind(&stat) != FileType::RegularFile {
        return Ok(None);
    }
    read_to_end(&fd, usize::try_from(stat.stx_size).unwrap_or(usize::MAX), bytes_max).map(Some)
}

/// All that `fd` gives, reserving `expected` bytes.
pub(crate) fn read_to_end(fd: impl AsFd, expected: usize, bytes_max: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(expected.min(bytes_max).saturating_add(1));
    loop {
        if bytes.len() > bytes_max {
            return Err(Errno::FBIG);
        }
        if bytes.capacity() == bytes.len() {
            bytes.reserve(LISTING_BYTES);
        }
        match rustix::io::read(&fd, rustix::buffer::spare_capacity(&mut bytes)) {
            Ok(0) => return Ok(bytes),
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Writes all of `bytes`.
pub(crate) fn write_all(fd: impl AsFd, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(&fd, bytes) {
            Ok(0) => return Err(Errno::IO),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// A buffer that is filled again for each directory.
#[derive(Debug)]
pub(crate) struct Listing {
    buffer: Vec<u8>,
}

impl Listing {
    pub(crate) fn new() -> Self {
        Self { buffer: Vec::with_capacity(LISTING_BYTES) }
    }

    /// Calls `take` with name and type of each entry of `fd` but `.` and `..`, until it gives an error.
    ///
    /// A file system that does not tell types in its directories is asked for each name.
    pub(crate) fn read<E: From<Errno>>(
        &mut self,
        fd: BorrowedFd<'_>,
        mut take: impl FnMut(&[u8], FileType) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        self.buffer.clear();
        let mut entries = RawDir::new(fd, self.buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            let mut kind = entry.file_type();
            if kind == FileType::Unknown {
                let Some(stat) = stat_name(fd, name)? else { continue };
                kind = self::kind(&stat);
            }
            take(name, kind)?;
        }
        Ok(())
    }

    /// All entries of `fd`, sorted by name, so that what is made of them does not depend on the file system.
    pub(crate) fn sorted(
        &mut self,
        fd: BorrowedFd<'_>,
        entries_max: usize,
    ) -> Result<Vec<(CString, FileType)>> {
        let mut entries = Vec::new();
        self.read(fd, |name, kind| {
            if entries.len() >= entries_max {
                return Err(Errno::OVERFLOW);
            }
            entries.push((CString::new(name).map_err(|_nul| Errno::ILSEQ)?, kind));
            Ok(())
        })?;
        entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Ok(entries)
    }
}
