//! The staged private copy: short contents in one file, a file for each long one, named by its SHA-256.
//!
//! A content is hashed from what was copied, never from what was read: small ones in memory, long ones from the file
//! in the stage. Owners, permissions, times and attributes do not come along. Nothing is synced here.

use super::encoding::Digest;
use super::staged::{PACK, Place};
use crate::beneath;
use crate::contents::Contents;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{FileType, Mode, OFlags, Statx};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;

/// The longest file that is staged, in bytes; a longer one is refused.
pub const FILE_BYTES_MAX: u64 = 4 << 30;

/// The most that is staged of one directory, in bytes.
pub const STAGED_BYTES_MAX: u64 = 64 << 30;

/// Files up to this many bytes are copied through memory, into the pack.
const SMALL_BYTES_MAX: usize = 256 << 10;

/// How much waits in memory to be written into the pack, in bytes.
const PACK_BUFFER_BYTES: usize = 1 << 20;

/// Room for hashing, in bytes.
const BUFFER_BYTES: usize = 256 << 10;

/// How much of a file is looked at for a NUL, in bytes, as git does.
const SNIFFED_BYTES: usize = 8_000;

const PARTIAL: &str = "partial";

/// A content in the stage.
#[derive(Debug, Clone, Copy)]
pub(super) struct Staged {
    pub(super) content: Digest,
    /// Nothing if it is not kept, being the same.
    pub(super) place: Option<Place>,
    pub(super) size: u64,
    pub(super) binary: bool,
    /// Whether it is, byte for byte, what the owner has.
    pub(super) same: bool,
}

/// Why a content is not in the stage.
#[derive(Debug)]
pub(super) enum StageError {
    /// Reading failed, or a permission is missing.
    Read(Errno),
    /// It is not the file that it was a moment ago.
    Moved,
    /// Writing failed.
    Write(Errno),
    /// [`STAGED_BYTES_MAX`].
    TooLong,
}

pub(super) struct Stage<'a> {
    directory: BorrowedFd<'a>,
    contents: Contents,
    buffers: (Vec<u8>, Vec<u8>),
    bytes: u64,
    pack: Option<Pack>,
    /// What is staged already.
    places: HashMap<Digest, Place>,
}

/// The file of the short contents, under way.
struct Pack {
    file: OwnedFd,
    /// How much has been written.
    written: u64,
    waiting: Vec<u8>,
}

impl Pack {
    fn add(&mut self, bytes: &[u8]) -> Result<Place, Errno> {
        if self.waiting.len().saturating_add(bytes.len()) > PACK_BUFFER_BYTES {
            self.flush()?;
        }
        let offset = self.written.saturating_add(length(self.waiting.len()));
        self.waiting.extend_from_slice(bytes);
        Ok(Place::Packed { offset, length: length(bytes.len()) })
    }

    fn flush(&mut self) -> Result<(), Errno> {
        beneath::write_all(&self.file, &self.waiting)?;
        self.written = self.written.saturating_add(length(self.waiting.len()));
        self.waiting.clear();
        Ok(())
    }
}

impl<'a> Stage<'a> {
    pub(super) fn new(directory: BorrowedFd<'a>) -> Self {
        let buffers = (vec![0; BUFFER_BYTES], vec![0; BUFFER_BYTES]);
        let (contents, places) = (Contents::new(), HashMap::new());
        Self { directory, contents, buffers, bytes: 0, pack: None, places }
    }

    /// Writes what still waits in memory; before that the stage is not whole.
    pub(super) fn finish(self) -> Result<(), Errno> {
        self.pack.map_or(Ok(()), |mut pack| pack.flush())
    }

    /// Stages the regular file `name`, which was `now` a moment ago, and compares it with the owner's `original`.
    pub(super) fn take_file(
        &mut self,
        directory: BorrowedFd<'_>,
        name: &[u8],
        now: &Statx,
        original: Option<&OwnedFd>,
    ) -> Result<Staged, StageError> {
        let file = match open(directory, name) {
            Ok(file) => file,
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Err(StageError::Moved),
            Err(errno) => return Err(StageError::Read(errno)),
        };
        let stat = beneath::stat_fd(&file).map_err(StageError::Read)?;
        if beneath::kind(&stat) != FileType::RegularFile || stat.stx_ino != now.stx_ino {
            return Err(StageError::Moved);
        }
        self.bytes = self.bytes.saturating_add(stat.stx_size);
        if self.bytes > STAGED_BYTES_MAX || stat.stx_size > FILE_BYTES_MAX {
            return Err(StageError::TooLong);
        }
        if usize::try_from(stat.stx_size).is_ok_and(|size| size <= SMALL_BYTES_MAX) {
            match beneath::read_to_end(&file, usize::try_from(stat.stx_size).unwrap_or(0), SMALL_BYTES_MAX) {
                Ok(bytes) => return self.take_bytes(&bytes, original),
                // It grew meanwhile.
                Err(Errno::FBIG) => {}
                Err(errno) => return Err(StageError::Read(errno)),
            }
        }
        self.take_long(&file, &stat, original)
    }

    /// Stages what is already in memory.
    pub(super) fn take_bytes(
        &mut self,
        bytes: &[u8],
        original: Option<&OwnedFd>,
    ) -> Result<Staged, StageError> {
        let same = match original {
            Some(original) => is_content(original, bytes).map_err(StageError::Read)?,
            None => false,
        };
        let content = Digest::of(bytes);
        let place = if same { None } else { Some(self.pack(content, bytes).map_err(StageError::Write)?) };
        Ok(Staged { content, place, size: length(bytes.len()), binary: is_binary(bytes), same })
    }

    fn pack(&mut self, content: Digest, bytes: &[u8]) -> Result<Place, Errno> {
        if let Some(place) = self.places.get(&content) {
            return Ok(*place);
        }
        let pack = match &mut self.pack {
            Some(pack) => pack,
            none => none.insert(Pack {
                file: create(self.directory, PACK)?,
                written: 0,
                waiting: Vec::with_capacity(PACK_BUFFER_BYTES),
            }),
        };
        let place = pack.add(bytes)?;
        self.places.insert(content, place);
        Ok(place)
    }

    fn take_long(
        &mut self,
        file: &OwnedFd,
        stat: &Statx,
        original: Option<&OwnedFd>,
    ) -> Result<Staged, StageError> {
        let copy = create(self.directory, PARTIAL).map_err(StageError::Write)?;
        self.contents.copy(file, &copy, stat, &mut |_| {}).map_err(StageError::Write)?;
        let copied = beneath::stat_fd(&copy).map_err(StageError::Write)?.stx_size;
        let original = match original {
            Some(original) if beneath::stat_fd(original).map_err(StageError::Read)?.stx_size == copied => {
                Some(original)
            }
            Some(_) | None => None,
        };
        let staged = self.look_through(&copy, original).map_err(StageError::Read)?;
        let name = if staged.same { None } else { Some(staged.content.to_string()) };
        match name {
            Some(name) => rustix::fs::renameat(self.directory, PARTIAL, self.directory, name),
            None => rustix::fs::unlinkat(self.directory, PARTIAL, rustix::fs::AtFlags::empty()),
        }
        .map_err(StageError::Write)?;
        Ok(staged)
    }

    fn look_through(&mut self, copy: &OwnedFd, original: Option<&OwnedFd>) -> Result<Staged, Errno> {
        let (ours, owners) = &mut self.buffers;
        let mut hash = Sha256::new();
        let (mut size, mut binary, mut same) = (0_u64, false, original.is_some());
        loop {
            let part = fill(copy, ours, size)?;
            if part.is_empty() {
                break;
            }
            hash.update(part);
            binary |= size == 0 && is_binary(part);
            if let Some(original) = original.filter(|_| same) {
                same = fill(original, owners, size)? == part;
            }
            size = size.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
        }
        let place = (!same).then_some(Place::Alone { length: size });
        Ok(Staged { content: Digest::from_bytes(hash.finalize().into()), place, size, binary, same })
    }
}

/// Stages `bytes` as the content of `entry`, in place of what it was, in a file of its own: the pack is whole.
///
/// # Errors
/// The kernel's answer.
pub fn restage(entry: &mut super::Entry, stage: BorrowedFd<'_>, bytes: &[u8]) -> Result<(), Errno> {
    let content = Digest::of(bytes);
    match create(stage, &content.to_string()) {
        Ok(file) => beneath::write_all(&file, bytes)?,
        // The same content was staged before.
        Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno),
    }
    let length = length(bytes.len());
    (entry.content, entry.place) = (Some(content), Some(Place::Alone { length }));
    (entry.size_after, entry.binary) = (Some(length), is_binary(bytes));
    Ok(())
}

/// The SHA-256 of an open file, in constant memory.
pub(super) fn content_of(file: &OwnedFd) -> Result<Digest, Errno> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let (mut hash, mut at) = (Sha256::new(), 0_u64);
    loop {
        let part = fill(file, &mut buffer, at)?;
        if part.is_empty() {
            return Ok(Digest::from_bytes(hash.finalize().into()));
        }
        hash.update(part);
        at = at.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
    }
}

/// Whether an open file begins like no text.
pub(super) fn begins_binary(file: &OwnedFd) -> Result<bool, Errno> {
    let mut buffer = vec![0; SNIFFED_BYTES];
    Ok(is_binary(fill(file, &mut buffer, 0)?))
}

/// Opens a regular file, or what pretends to be one, without waiting for anybody.
pub(super) fn open(directory: impl AsFd, name: &[u8]) -> Result<OwnedFd, Errno> {
    beneath::open(directory, name, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)
}

fn is_binary(bytes: &[u8]) -> bool {
    bytes.iter().take(SNIFFED_BYTES).any(|byte| *byte == 0)
}

fn is_content(file: &OwnedFd, bytes: &[u8]) -> Result<bool, Errno> {
    match beneath::read_to_end(file, bytes.len(), bytes.len()) {
        Ok(found) => Ok(found == bytes),
        Err(Errno::FBIG) => Ok(false),
        Err(errno) => Err(errno),
    }
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn create(directory: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(directory, name, flags, Mode::RUSR | Mode::WUSR)
}

fn fill<'b>(file: &OwnedFd, buffer: &'b mut [u8], offset: u64) -> Result<&'b [u8], Errno> {
    let mut filled = 0_usize;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let at = offset.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
        match rustix::io::pread(file, rest, at) {
            Ok(0) => break,
            Ok(read) => filled = filled.saturating_add(read),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(buffer.get(..filled).unwrap_or_default())
}
