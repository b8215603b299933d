//! Reading what was staged: where a content lies, and its bytes.
//!
//! Short contents lie one after another in one file, the pack, since making a file costs more than writing one; a long
//! content has a file of its own. Nothing is compared with a digest here: who brings a content back does that while
//! copying it.

use super::Digest;
use crate::beneath;
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// The file of a stage in which the short contents lie.
pub(super) const PACK: &str = "pack";

/// Where a content lies in the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Place {
    /// In a file of its own, named by its SHA-256.
    Alone {
        /// In bytes.
        length: u64,
    },
    /// In the pack.
    Packed {
        /// Of its first byte.
        offset: u64,
        /// In bytes.
        length: u64,
    },
}

impl Place {
    /// How long the content is, in bytes.
    #[must_use]
    pub const fn length(self) -> u64 {
        match self {
            Self::Alone { length } | Self::Packed { length, .. } => length,
        }
    }

    /// Where in its file the content begins, if others lie in it too.
    #[must_use]
    pub const fn offset(self) -> Option<u64> {
        match self {
            Self::Alone { .. } => None,
            Self::Packed { offset, .. } => Some(offset),
        }
    }

    /// The name, in the stage, of the file that holds the content with this digest.
    #[must_use]
    pub fn file_name(self, content: &Digest) -> String {
        match self {
            Self::Alone { .. } => content.to_string(),
            Self::Packed { .. } => PACK.to_owned(),
        }
    }
}

/// The contents of a stage, open for reading.
#[derive(Debug)]
pub struct StagedContents {
    directory: OwnedFd,
    pack: Option<OwnedFd>,
}

impl StagedContents {
    /// Of the stage that lies in `directory`, when it is whole.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn open(directory: OwnedFd) -> Result<Self, Errno> {
        let pack = match open_file(directory.as_fd(), PACK) {
            Ok(pack) => Some(pack),
            Err(Errno::NOENT) => None,
            Err(errno) => return Err(errno),
        };
        Ok(Self { directory, pack })
    }

    /// The directory that holds the files.
    #[must_use]
    pub fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// The content with this digest, to be read from its beginning.
    ///
    /// # Errors
    /// The kernel's answer; [`Errno::NOENT`] if it does not lie there.
    pub fn reader(&self, content: &Digest, place: Place) -> Result<StagedReader<'_>, Errno> {
        let (source, at) = match place {
            Place::Alone { .. } => {
                (Source::Own(open_file(self.directory.as_fd(), &place.file_name(content))?), 0)
            }
            Place::Packed { offset, .. } => (Source::Pack(self.pack.as_ref().ok_or(Errno::NOENT)?), offset),
        };
        Ok(StagedReader { source, at, end: at.saturating_add(place.length()) })
    }

    /// All bytes of the content with this digest.
    ///
    /// # Errors
    /// As [`Self::reader`]; [`Errno::FBIG`] beyond `bytes_max`.
    pub fn bytes(&self, content: &Digest, place: Place, bytes_max: usize) -> Result<Vec<u8>, Errno> {
        let length = usize::try_from(place.length()).ok().filter(|length| *length <= bytes_max);
        let mut reader = self.reader(content, place)?;
        let mut bytes = vec![0; length.ok_or(Errno::FBIG)?];
        let mut filled = 0_usize;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match reader.next(rest)? {
                0 => return Err(Errno::IO),
                read => filled = filled.saturating_add(read),
            }
        }
        Ok(bytes)
    }
}

/// One content, read from its beginning to its end and not beyond.
#[derive(Debug)]
pub struct StagedReader<'s> {
    source: Source<'s>,
    at: u64,
    end: u64,
}

#[derive(Debug)]
enum Source<'s> {
    Pack(&'s OwnedFd),
    Own(OwnedFd),
}

impl StagedReader<'_> {
    fn next(&mut self, buffer: &mut [u8]) -> Result<usize, Errno> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        let buffer = buffer.get_mut(..wanted).unwrap_or_default();
        if buffer.is_empty() {
            return Ok(0);
        }
        let file = match &self.source {
            Source::Pack(file) => file,
            Source::Own(file) => file,
        };
        let read = rustix::io::retry_on_intr(|| rustix::io::pread(file, &mut *buffer, self.at))?;
        self.at = self.at.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        Ok(read)
    }
}

impl std::io::Read for StagedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        Ok(self.next(buffer)?)
    }
}

fn open_file(directory: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Errno> {
    let file = beneath::open(directory, name.as_bytes(), OFlags::RDONLY | OFlags::NONBLOCK)?;
    if beneath::kind(&beneath::stat_fd(&file)?) != FileType::RegularFile {
        return Err(Errno::NOENT);
    }
    Ok(file)
}
