//! What is written down of a checkpoint, and the names that it has.
//!
//! Read from the owner's state directory alone; what is not wholly understood is refused.

use super::duplicate::Counts;
use super::{CheckpointError, failed};
use crate::beneath;
use cofferdam_policy::event::UnixNanos;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The name of a record in its checkpoint.
pub(super) const RECORD: &str = "record.json";
const RECORD_VERSION: u32 = 1;
/// The longest record or journal, in bytes.
const RECORD_BYTES_MAX: usize = 1 << 20;

/// Names a checkpoint of a session: `c1`, `c2`, … in the order in which they were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CheckpointId(u32);

impl CheckpointId {
    /// The id that is printed so, or `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('c')?;
        let number: u32 = digits.parse().ok().filter(|number| *number > 0)?;
        // One way to write each.
        (number.to_string() == digits).then_some(Self(number))
    }

    /// The one that follows.
    pub(super) fn after(last: Option<Self>) -> Self {
        Self(last.map_or(1, |last| last.0.saturating_add(1)))
    }
}

impl fmt::Display for CheckpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}", self.0)
    }
}

impl From<CheckpointId> for String {
    fn from(id: CheckpointId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for CheckpointId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a checkpoint is named c1, c2, …")
    }
}

/// What a checkpoint was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Why {
    /// A person asked for it.
    ByHand,
    /// It was time for the next.
    Regular,
    /// It is what was there before a restore.
    BeforeRestore {
        /// Of this one.
        of: CheckpointId,
    },
}

/// A checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// What `restore` takes.
    pub id: CheckpointId,
    /// When it was made.
    pub at: UnixNanos,
    /// What for.
    pub why: Why,
    /// What is in it.
    pub counts: Counts,
}

/// A record or journal, with the version of its form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Versioned<T> {
    version: u32,
    body: T,
}

impl Record {
    pub(super) fn read(directory: &OwnedFd, id: CheckpointId) -> Result<Self, CheckpointError> {
        let name = id.to_string();
        let found: Self = read(directory, &format!("{name}/{RECORD}"))?;
        if found.id == id { Ok(found) } else { Err(CheckpointError::Record { name }) }
    }

    pub(super) fn write(&self, into: &OwnedFd) -> Result<(), CheckpointError> {
        write(into, RECORD, self)
    }
}

pub(super) fn read<T: DeserializeOwned>(directory: &OwnedFd, path: &str) -> Result<T, CheckpointError> {
    let unreadable = || CheckpointError::Record { name: path.to_owned() };
    let bytes = beneath::read_small(directory, path.as_bytes(), RECORD_BYTES_MAX)
        .map_err(failed("read the record of a checkpoint"))?
        .ok_or_else(unreadable)?;
    parsed(&bytes).ok_or_else(unreadable)
}

fn parsed<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let found: Versioned<T> = serde_json::from_slice(bytes).ok()?;
    (found.version == RECORD_VERSION).then_some(found.body)
}

pub(super) fn write<T: Serialize>(into: &OwnedFd, name: &str, body: &T) -> Result<(), CheckpointError> {
    let unwritable = |_error| CheckpointError::Record { name: name.to_owned() };
    let text = serde_json::to_vec(&Versioned { version: RECORD_VERSION, body }).map_err(unwritable)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(into, name, flags, Mode::RUSR | Mode::WUSR)
        .and_then(|file| beneath::write_all(file, &text))
        .map_err(failed("write the record of a checkpoint"))
}

/// Something that a session writes to: a directory that is copied and exchanged as a whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Tree(String);

impl Tree {
    /// Its name in a checkpoint.
    pub(super) fn name(&self) -> &str {
        &self.0
    }

    /// Where it is in a session's directory.
    pub(super) fn path(&self) -> String {
        if self.0.starts_with("layer-") { format!("{}/upper", self.0) } else { self.0.clone() }
    }

    fn parse(name: &str) -> Option<Self> {
        let numbered = ["layer-", "copy-"].iter().find_map(|kind| name.strip_prefix(kind));
        let is_number = |text: &str| {
            !text.is_empty() && text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        (name == "home" || numbered.is_some_and(is_number)).then(|| Self(name.to_owned()))
    }

    /// Those of the session whose directory this is.
    pub(super) fn all(session: BorrowedFd<'_>) -> Result<Vec<Self>, CheckpointError> {
        let mut found = Self::named(session)?;
        let mut missing = None;
        found.retain(|tree| match beneath::stat_path(session, tree.path().as_bytes()) {
            Ok(stat) => stat.is_some(),
            Err(errno) => {
                missing = Some(errno);
                false
            }
        });
        match missing {
            None => Ok(found),
            Some(errno) => Err(failed("look for the session's layers")(errno)),
        }
    }

    /// Those with a name in `directory`: of a checkpoint, all.
    pub(super) fn named(directory: impl AsFd) -> Result<Vec<Self>, CheckpointError> {
        const ENTRIES_MAX: usize = 100_000;
        let again =
            beneath::open_directory(directory, b"").map_err(failed("open the session's directory"))?;
        let listed = beneath::Listing::new()
            .sorted(again.as_fd(), ENTRIES_MAX)
            .map_err(failed("list the session's layers"))?;
        Ok(listed.iter().filter_map(|(name, _)| Self::parse(name.to_str().ok()?)).collect())
    }

    /// The directory that holds it in the session's, and its last name there.
    pub(super) fn holder(&self, session: BorrowedFd<'_>) -> Result<(OwnedFd, &str), Errno> {
        if self.0.starts_with("layer-") {
            match rustix::fs::mkdirat(session, self.0.as_str(), Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno),
            }
            return Ok((beneath::open_directory(session, self.0.as_bytes())?, "upper"));
        }
        Ok((beneath::open_directory(session, b"")?, &self.0))
    }
}

impl From<Tree> for String {
    fn from(tree: Tree) -> Self {
        tree.0
    }
}

impl TryFrom<String> for Tree {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("this is no layer of a session")
    }
}

#[cfg(test)]
mod fuzz;
