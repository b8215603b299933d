//! The journal of an apply: all that it is about to do, on disk before it does any of it.
//!
//! From it and from what lies in the apply's private place, recovery sees how far it came. After the end it is the
//! record that an undo works from. Here is the format only: a line with the version and a SHA-256 of the rest, then
//! JSON. It is read from the owner's state directory alone; still, whatever it holds is checked before it is used.

use crate::beneath;
use crate::path::{WorkspacePath, parse_visible, visible};
use rustix::fs::{FileType, Statx};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// What the first line begins with; the digit is the version.
const HEADER: &str = "cofferdam-apply 1 ";

/// The longest journal, in bytes.
pub(crate) const JOURNAL_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The most steps of one apply.
pub const STEPS_MAX: usize = 200_000;

/// Names an apply. Made of random bytes by the caller; printed as 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ApplyId([u8; 8]);

impl ApplyId {
    /// The id of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The id that is printed so, or `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        parse_hex(text).map(Self)
    }
}

impl fmt::Display for ApplyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&print_hex(&self.0))
    }
}

impl From<ApplyId> for String {
    fn from(id: ApplyId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for ApplyId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("an apply's id is 16 hexadecimal digits")
    }
}

/// SHA-256 of a file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentDigest(pub [u8; 32]);

impl From<ContentDigest> for String {
    fn from(digest: ContentDigest) -> Self {
        print_hex(&digest.0)
    }
}

impl TryFrom<String> for ContentDigest {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        parse_hex(&text).map(Self).ok_or("a digest is 64 hexadecimal digits")
    }
}

/// What an apply handles; devices, FIFOs and sockets it refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
}

impl EntryKind {
    pub(crate) fn of(stat: &Statx) -> Option<Self> {
        match beneath::kind(stat) {
            FileType::RegularFile => Some(Self::File),
            FileType::Directory => Some(Self::Directory),
            FileType::Symlink => Some(Self::Symlink),
            FileType::BlockDevice
            | FileType::CharacterDevice
            | FileType::Fifo
            | FileType::Socket
            | FileType::Unknown => None,
        }
    }
}

/// What an entry is known by again after renames. The ctime is not part of it, since a rename changes that; nor is
/// the device, whose number may be another one after a reboot: all entries of an apply lie on one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mark {
    pub(crate) kind: EntryKind,
    inode: u64,
    size: u64,
    mtime_seconds: i64,
    mtime_nanos: u32,
    /// Permissions, with the bits that change who runs a program.
    pub(crate) mode: u32,
}

impl Mark {
    pub(crate) fn of(stat: &Statx) -> Option<Self> {
        Some(Self {
            kind: EntryKind::of(stat)?,
            inode: stat.stx_ino,
            size: stat.stx_size,
            mtime_seconds: stat.stx_mtime.tv_sec,
            mtime_nanos: stat.stx_mtime.tv_nsec,
            mode: beneath::permissions(stat),
        })
    }

    /// Whether what `stat` tells of is this entry, unchanged. Of a directory only the inode counts: its size and its
    /// times follow what is done in it.
    pub(crate) fn is(&self, stat: &Statx) -> bool {
        match self.kind {
            EntryKind::File => Self::of(stat).as_ref() == Some(self),
            EntryKind::Directory | EntryKind::Symlink => self.is_inode(stat),
        }
    }

    pub(crate) fn is_inode(&self, stat: &Statx) -> bool {
        EntryKind::of(stat) == Some(self.kind) && stat.stx_ino == self.inode
    }

    pub(crate) const fn inode(&self) -> u64 {
        self.inode
    }

    pub(crate) fn with_mode(&self, mode: u32) -> Self {
        Self { mode, ..self.clone() }
    }
}

/// What a symbolic link points to: any bytes, written as a path is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct LinkTarget(pub(crate) Vec<u8>);

impl From<LinkTarget> for String {
    fn from(target: LinkTarget) -> Self {
        visible(&target.0)
    }
}

impl TryFrom<String> for LinkTarget {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        parse_visible(&text).map(Self).ok_or("a link's target has an escape that means nothing")
    }
}

/// What is recorded of what an apply puts, so that an undo sees whether it is still there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Content {
    File(ContentDigest),
    Symlink(LinkTarget),
    Directory,
}

/// One step, in the order of execution. Its number names its entry in the private place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Move {
    pub(crate) path: WorkspacePath,
    pub(crate) shape: Shape,
}

/// What a step does with the entry at its path and the one in the private place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Shape {
    /// Nothing is there; the staged entry goes there.
    Enter { after: Mark, content: Content },
    /// What is there goes to the private place.
    Leave { before: Mark },
    /// They change places.
    Exchange { before: Mark, after: Mark, content: Content },
    /// The entry stays and gets another mode.
    Mode { before: Mark, after_mode: u32 },
}

/// Where the private place of an apply is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PlaceKind {
    /// In the state directory: nothing else than the targets is ever seen in the tree.
    State,
    /// In a hidden directory at the tree's root, where renames do not reach the state directory.
    Tree,
}

/// All that an apply is about to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Journal {
    pub(crate) id: ApplyId,
    pub(crate) undoes: Option<ApplyId>,
    pub(crate) root_inode: u64,
    pub(crate) place: PlaceKind,
    pub(crate) moves: Vec<Move>,
}

/// Why bytes are no journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It is none of this version.
    #[error("the first line is none of a journal of this version")]
    Header,
    /// It was cut short or changed.
    #[error("the checksum is wrong")]
    Checksum,
    /// It is no JSON of the known shape.
    #[error("the text has another shape")]
    Shape(#[source] serde_json::Error),
    /// Its steps contradict each other or exceed [`STEPS_MAX`].
    #[error("the steps contradict each other")]
    Steps,
}

impl Journal {
    /// The bytes to be stored.
    ///
    /// # Errors
    /// [`JournalError::Shape`], or [`JournalError::Steps`] if it is too long.
    pub(crate) fn print(&self) -> Result<Vec<u8>, JournalError> {
        let body = serde_json::to_vec(self).map_err(JournalError::Shape)?;
        if body.len() >= JOURNAL_BYTES_MAX - HEADER.len() - 65 {
            return Err(JournalError::Steps);
        }
        let mut bytes = sealed_header(&body).into_bytes();
        bytes.extend_from_slice(&body);
        Ok(bytes)
    }

    /// Reads what [`Journal::print`] made.
    ///
    /// # Errors
    /// [`JournalError`].
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, JournalError> {
        if !bytes.starts_with(HEADER.as_bytes()) {
            return Err(JournalError::Header);
        }
        let end = bytes.iter().position(|byte| *byte == b'\n').ok_or(JournalError::Header)?;
        let (header, body) = bytes.split_at_checked(end.saturating_add(1)).ok_or(JournalError::Header)?;
        if header != sealed_header(body).as_bytes() {
            return Err(JournalError::Checksum);
        }
        let journal: Self = serde_json::from_slice(body).map_err(JournalError::Shape)?;
        let mut paths: Vec<_> = journal.moves.iter().map(|step| &step.path).collect();
        paths.sort_unstable();
        let distinct = paths.windows(2).all(|pair| pair.first() != pair.last());
        let sound = journal.moves.iter().all(|step| step.shape.is_sound());
        if !distinct || !sound || journal.moves.is_empty() || journal.moves.len() > STEPS_MAX {
            return Err(JournalError::Steps);
        }
        Ok(journal)
    }
}

impl Shape {
    /// Whether the marks and the content are of one kind, and every mode is one.
    fn is_sound(&self) -> bool {
        let is_mode = |mode: u32| mode & !0o7777 == 0;
        let fits = |after: &Mark, content: &Content| {
            is_mode(after.mode)
                && matches!(
                    (after.kind, content),
                    (EntryKind::File, Content::File(_))
                        | (EntryKind::Directory, Content::Directory)
                        | (EntryKind::Symlink, Content::Symlink(_))
                )
        };
        match self {
            Self::Enter { after, content } => fits(after, content),
            Self::Leave { before } => is_mode(before.mode),
            Self::Exchange { before, after, content } => {
                is_mode(before.mode) && fits(after, content) && before.inode != after.inode
            }
            Self::Mode { before, after_mode } => {
                before.kind == EntryKind::File && is_mode(before.mode) && is_mode(*after_mode)
            }
        }
    }
}

fn sealed_header(body: &[u8]) -> String {
    format!("{HEADER}{}\n", print_hex(&Sha256::digest(body)))
}

fn print_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Lower case only, so that there is one way to write it.
fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != N.checked_mul(2)?
        || !digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod fuzz;
