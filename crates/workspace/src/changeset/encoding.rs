//! The digest of a change set: over exactly what would be written, and nothing else.
//!
//! Version 1. The bytes that are hashed with SHA-256 are the line [`HEADER`], the number of entries, and each entry
//! in the order of the paths' bytes: the length of the path and the path, one byte for what happens, one for the
//! kind, the mode as git writes it, and the SHA-256 of the content (a link's is its target; zeros where there is
//! none). Numbers are big-endian. Owners, times, inodes, attributes, where a file was renamed from, conflicts and
//! what is refused are not in it: none of them is written.

use crate::changes::Change;
use sha2::{Digest as _, Sha256};
use std::fmt;

/// What the encoding begins with; a change of it changes every digest.
pub const HEADER: &[u8] = b"cofferdam change set 1\n";

/// A SHA-256, printed in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// Of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    pub(crate) const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// A text is not a SHA-256 in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a digest of 64 digits")]
pub struct NotADigest(String);

impl TryFrom<String> for Digest {
    type Error = NotADigest;

    fn try_from(text: String) -> Result<Self, NotADigest> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let bytes: Option<Vec<u8>> =
            pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
        match bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()) {
            Some(bytes) if rest.is_empty() => Ok(Self(bytes)),
            Some(_) | None => Err(NotADigest(text)),
        }
    }
}

/// What one entry would write.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Written<'e> {
    /// Relative to the workspace.
    pub path: &'e [u8],
    /// What happens.
    pub change: Change,
    /// What it becomes; what it was, if it goes.
    pub kind: super::EntryKind,
    /// As git writes it; 0 where it goes.
    pub mode: u32,
    /// Of the file's bytes or the link's target.
    pub content: Option<Digest>,
}

/// The digest of what would be written, in whichever order it is given.
#[must_use]
pub fn digest(mut written: Vec<Written<'_>>) -> Digest {
    written.sort_unstable();
    let mut hash = Sha256::new();
    encode(&written, |bytes| hash.update(bytes));
    Digest(hash.finalize().into())
}

/// One digest for several directories: each with its path, in the order given.
#[must_use]
pub fn digest_of_all(directories: &[(&[u8], Digest)]) -> Digest {
    let mut hash = Sha256::new();
    hash.update(b"cofferdam change sets 1\n");
    hash.update(length(directories.len()));
    for (path, digest) in directories {
        hash.update(length(path.len()));
        hash.update(path);
        hash.update(digest.0);
    }
    Digest(hash.finalize().into())
}

fn encode(sorted: &[Written<'_>], mut put: impl FnMut(&[u8])) {
    put(HEADER);
    put(&length(sorted.len()));
    for entry in sorted {
        put(&length(entry.path.len()));
        put(entry.path);
        put(&[change_code(entry.change), entry.kind.code()]);
        put(&entry.mode.to_be_bytes());
        put(entry.content.as_ref().map_or([0; 32].as_slice(), |content| content.as_bytes().as_slice()));
    }
}

fn length(length: usize) -> [u8; 8] {
    u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes()
}

const fn change_code(change: Change) -> u8 {
    match change {
        Change::Added => b'A',
        Change::Modified => b'M',
        Change::Deleted => b'D',
        Change::Type => b'T',
        Change::Mode => b'X',
    }
}

#[cfg(test)]
mod fuzz;
