//! Objects of a repository, by their names: loose ones and those in packs, each verified by its hash.
//!
//! Stores may be hostile, also the agent's: whatever they hold gives an object that hashes to its name, or an error,
//! within bounded memory and time. Where the stores lie is the caller's knowledge; alternates are further stores that
//! the caller opens, and no link is followed. References, replacements, grafts and promised objects are not known here,
//! nothing is written, and no object is fetched.

mod between;
mod commit;
mod delta;
mod id;
mod pack;
mod source;
mod tree;
mod walk;

pub use between::{Between, Side, TreeChange};
pub use commit::{Commit, Tag};
pub use id::{ObjectFormat, ObjectId, ObjectKind};
pub use tree::TreeEntryKind;
pub use walk::{COMMITS_MAX, TREE_DEPTH_MAX, TreeFile, TreeWalk, WalkError};

use crate::beneath::{self, Listing};
use crate::path::joined;
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;
use source::{as_u64, unpack};

/// The longest object that is read, and the longest that a delta is made of, in bytes.
pub const OBJECT_BYTES_MAX: u64 = 64 << 20;
/// How far a chain of deltas goes: as far as git can write one.
pub const DELTA_DEPTH_MAX: usize = 4_095;
/// How much one chain of deltas may make on the way, in bytes.
const CHAIN_BYTES_MAX: u64 = 1 << 30;
/// The most packs of all stores together.
const PACKS_MAX: usize = 4_096;
/// How many broken copies of one object are tried before it is given up.
const BROKEN_COPIES_MAX: usize = 3;
/// Of a loose object: its kind, its size, and what stands between.
const LOOSE_HEAD_BYTES_MAX: usize = 32;

/// An object, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// What it is.
    pub kind: ObjectKind,
    /// Without its header.
    pub content: Vec<u8>,
}

/// Why there is no object.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// No store has it.
    #[error("git has no object {id}")]
    Missing {
        /// Which.
        id: ObjectId,
    },
    /// A store can't be read.
    #[error("cannot read git's object {id}")]
    Read {
        /// Which.
        id: ObjectId,
        /// The kernel's answer.
        #[source]
        source: Errno,
    },
    /// It is not as git writes objects.
    #[error("git's object {id} is broken: {fault}")]
    Broken {
        /// Which.
        id: ObjectId,
        /// In what way.
        fault: Fault,
    },
    /// Longer than the caller wants it, or than [`OBJECT_BYTES_MAX`].
    #[error("git's object {id} is too long")]
    TooLong {
        /// Which.
        id: ObjectId,
    },
    /// Another kind of object than the caller can use.
    #[error("git's object {id} is no {wanted}", wanted = wanted.name())]
    OtherKind {
        /// Which.
        id: ObjectId,
        /// What it was taken for.
        wanted: ObjectKind,
    },
}

/// What is wrong with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The file ends before what it announces.
    #[error("it ends too early")]
    Truncated,
    /// The zlib stream.
    #[error("it cannot be unpacked")]
    Compression,
    /// Its kind or size.
    #[error("its header is not understood")]
    Header,
    /// It is not as long as it says.
    #[error("it is not as long as it says")]
    Size,
    /// A delta that does not fit its base.
    #[error("its delta does not fit")]
    Delta,
    /// A delta of something that is not in the pack.
    #[error("what it is a delta of is not in the pack")]
    MissingBase,
    /// More than [`DELTA_DEPTH_MAX`] deltas, or too much made by them.
    #[error("its chain of deltas is too long")]
    ChainTooLong,
    /// The index of a pack.
    #[error("the index of its pack is not understood")]
    Index,
    /// The pack.
    #[error("its pack is not understood")]
    Pack,
    /// An offset that no file has.
    #[error("a number in it is too large")]
    Number,
    /// It hashes to another name, or was made to collide with another content.
    #[error("its content is not what its name stands for")]
    Hash,
    /// A tree.
    #[error("its entries are not as git writes a tree's")]
    Tree,
    /// A commit or tag.
    #[error("its lines are not as git writes them")]
    Lines,
}

/// What reading came to, before it is known of which object it is said.
#[derive(Debug)]
enum Broken {
    Read(Errno),
    Fault(Fault),
    TooLong,
}

impl From<Errno> for Broken {
    fn from(errno: Errno) -> Self {
        Self::Read(errno)
    }
}

impl From<Fault> for Broken {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Broken {
    fn of(self, id: &ObjectId) -> ObjectError {
        let id = *id;
        match self {
            Self::Read(source) => ObjectError::Read { id, source },
            Self::Fault(fault) => ObjectError::Broken { id, fault },
            Self::TooLong => ObjectError::TooLong { id },
        }
    }
}

/// Stores of objects.
#[derive(Debug)]
pub struct Objects {
    format: ObjectFormat,
    stores: Vec<OwnedFd>,
    /// By the number of the store, and the name below it without its ending.
    packs: Vec<(usize, Vec<u8>)>,
    /// Where the last object was found.
    last: Option<Pack>,
}

#[derive(Debug)]
struct Pack {
    number: usize,
    index: OwnedFd,
    data: OwnedFd,
}

impl Objects {
    /// Looks what packs there are in these stores (`objects` directories).
    ///
    /// # Errors
    /// The kernel's answer; [`Errno::OVERFLOW`] if there are too many packs.
    pub fn open(format: ObjectFormat, stores: Vec<OwnedFd>) -> Result<Self, Errno> {
        let mut packs = Vec::new();
        for (number, store) in stores.iter().enumerate() {
            let directory = match beneath::open_directory(store, b"pack") {
                Ok(directory) => directory,
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => continue,
                Err(errno) => return Err(errno),
            };
            Listing::new().read(directory.as_fd(), |name, kind| {
                if let Some(stem) = name.strip_suffix(b".idx").filter(|_| kind == FileType::RegularFile) {
                    packs.push((number, joined(b"pack", stem)));
                }
                if packs.len() > PACKS_MAX { Err(Errno::OVERFLOW) } else { Ok(()) }
            })?;
        }
        packs.sort();
        Ok(Self { format, stores, packs, last: None })
    }

    /// By which hash they are named.
    #[must_use]
    pub const fn format(&self) -> ObjectFormat {
        self.format
    }

    /// The object of that name, of at most `bytes_max` bytes. A copy that is broken does not hide a whole one.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub fn read(&mut self, id: &ObjectId, bytes_max: u64) -> Result<Object, ObjectError> {
        let bytes_max = bytes_max.min(OBJECT_BYTES_MAX);
        let mut broken = Vec::new();
        let last = self.last.as_ref().map(|pack| pack.number);
        let others = (0..self.packs.len()).filter(|number| Some(*number) != last);
        for number in last.into_iter().chain(others) {
            match self.read_packed(number, id, bytes_max) {
                Ok(None) => {}
                Ok(Some(object)) => return Ok(object),
                Err(error) => broken.push(error),
            }
            if broken.len() >= BROKEN_COPIES_MAX {
                break;
            }
        }
        for store in &self.stores {
            match read_loose(store, id, bytes_max) {
                Ok(None) => {}
                Ok(Some(object)) => return Ok(object),
                Err(error) => broken.push(error),
            }
            if broken.len() >= BROKEN_COPIES_MAX {
                break;
            }
        }
        let first = broken.into_iter().next();
        Err(first.map_or(ObjectError::Missing { id: *id }, |broken| broken.of(id)))
    }

    /// As [`Objects::read`], if it is of that kind.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub fn read_kind(
        &mut self,
        id: &ObjectId,
        wanted: ObjectKind,
        bytes_max: u64,
    ) -> Result<Vec<u8>, ObjectError> {
        let object = self.read(id, bytes_max)?;
        if object.kind == wanted {
            Ok(object.content)
        } else {
            Err(ObjectError::OtherKind { id: *id, wanted })
        }
    }

    /// Whether a store has something under that name. It is not read.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub fn holds(&mut self, id: &ObjectId) -> Result<bool, ObjectError> {
        let failed = |source| ObjectError::Read { id: *id, source };
        let name = id.to_string();
        let Some((fan_out, rest)) = name.split_at_checked(2) else { return Ok(false) };
        for store in &self.stores {
            if beneath::stat_path(store, format!("{fan_out}/{rest}").as_bytes()).map_err(failed)?.is_some() {
                return Ok(true);
            }
        }
        for (store, stem) in &self.packs {
            let Some(store) = self.stores.get(*store) else { continue };
            let index = open_file(store, &[stem, b".idx".as_slice()].concat()).map_err(failed)?;
            let Some(index) = index else { continue };
            if pack::find(&index, id).map_err(|broken| broken.of(id))?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn read_packed(
        &mut self,
        number: usize,
        id: &ObjectId,
        bytes_max: u64,
    ) -> Result<Option<Object>, Broken> {
        if self.last.as_ref().is_none_or(|pack| pack.number != number) {
            let Some((store, stem)) = self.packs.get(number) else { return Ok(None) };
            let Some(store) = self.stores.get(*store) else { return Ok(None) };
            let Some(index) = open_file(store, &[stem, b".idx".as_slice()].concat())? else {
                return Ok(None);
            };
            if pack::find(&index, id)?.is_none() {
                return Ok(None);
            }
            // The index outlives its pack for a moment when git packs anew.
            let Some(data) = open_file(store, &[stem, b".pack".as_slice()].concat())? else {
                return Ok(None);
            };
            self.last = Some(Pack { number, index, data });
        }
        let Some(Pack { index, data, .. }) = &self.last else { return Ok(None) };
        let Some(offset) = pack::find(index, id)? else { return Ok(None) };
        let (kind, content) = pack::read(data, index, self.format, offset, bytes_max)?;
        verified(id, kind, content).map(Some)
    }
}

fn open_file(store: &OwnedFd, path: &[u8]) -> Result<Option<OwnedFd>, Errno> {
    let file = match beneath::open(store, path, OFlags::RDONLY | OFlags::NONBLOCK) {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO) => return Ok(None),
        Err(errno) => return Err(errno),
    };
    let is_file = beneath::kind(&beneath::stat_fd(&file)?) == FileType::RegularFile;
    Ok(is_file.then_some(file))
}

fn read_loose(store: &OwnedFd, id: &ObjectId, bytes_max: u64) -> Result<Option<Object>, Broken> {
    let name = id.to_string();
    let Some((fan_out, rest)) = name.split_at_checked(2) else { return Ok(None) };
    let Some(file) = open_file(store, format!("{fan_out}/{rest}").as_bytes())? else { return Ok(None) };
    let (kind, content) = loose(&file, bytes_max)?;
    verified(id, kind, content).map(Some)
}

/// `blob 12`, a NUL, and the content, as one zlib stream.
fn loose(file: &impl source::Source, bytes_max: u64) -> Result<(ObjectKind, Vec<u8>), Broken> {
    let mut whole = unpack(file, 0, bytes_max.saturating_add(as_u64(LOOSE_HEAD_BYTES_MAX)))?;
    let head = whole.get(..LOOSE_HEAD_BYTES_MAX.min(whole.len())).unwrap_or_default();
    let end = head.iter().position(|byte| *byte == 0).ok_or(Fault::Header)?;
    let head = head.get(..end).unwrap_or_default();
    let blank = head.iter().position(|byte| *byte == b' ').ok_or(Fault::Header)?;
    let (kind, size) = head.split_at_checked(blank).ok_or(Fault::Header)?;
    let kind = ObjectKind::from_name(kind).ok_or(Fault::Header)?;
    let size = size.get(1..).and_then(decimal).ok_or(Fault::Header)?;
    whole.drain(..=end);
    match size == as_u64(whole.len()) {
        true if size > bytes_max => Err(Broken::TooLong),
        true => Ok((kind, whole)),
        false => Err(Fault::Size.into()),
    }
}

/// A number as git writes it: digits only, no zeros before it.
fn decimal(digits: &[u8]) -> Option<u64> {
    let canonical = digits == b"0" || digits.first().is_some_and(|first| *first != b'0');
    if !canonical || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn verified(id: &ObjectId, kind: ObjectKind, content: Vec<u8>) -> Result<Object, Broken> {
    if ObjectId::of(id.format(), kind, &content).as_ref() == Some(id) {
        Ok(Object { kind, content })
    } else {
        Err(Fault::Hash.into())
    }
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests;
