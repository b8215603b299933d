//! Names of objects, and the hashes that they are.
//!
//! SHA-1 is computed with detection of collisions, as git itself does: with a plain one, a content of which its maker
//! also has a harmless twin would pass as verified.

use sha1_checked::{CollisionResult, Sha1};
use sha2::{Digest as _, Sha256};
use std::fmt;

const SHA1_BYTES: usize = 20;
const SHA256_BYTES: usize = 32;

/// By which hash a repository names its objects (`extensions.objectFormat`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectFormat {
    /// The usual one.
    Sha1,
    /// The newer one.
    Sha256,
}

impl ObjectFormat {
    /// How long its names are, in bytes.
    #[must_use]
    pub const fn id_bytes(self) -> usize {
        match self {
            Self::Sha1 => SHA1_BYTES,
            Self::Sha256 => SHA256_BYTES,
        }
    }
}

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// A state of the tree, with its history.
    Commit,
    /// A directory.
    Tree,
    /// A file's content, or a link's target.
    Blob,
    /// A name for another object, with a message.
    Tag,
}

impl ObjectKind {
    /// As git writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Tree => "tree",
            Self::Blob => "blob",
            Self::Tag => "tag",
        }
    }

    pub(super) fn from_name(name: &[u8]) -> Option<Self> {
        [Self::Commit, Self::Tree, Self::Blob, Self::Tag]
            .into_iter()
            .find(|kind| kind.name().as_bytes() == name)
    }
}

/// The name of an object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    format: ObjectFormat,
    /// Zeros beyond what the format has.
    bytes: [u8; SHA256_BYTES],
}

impl ObjectId {
    /// From exactly as many bytes as the format has.
    #[must_use]
    pub fn from_bytes(format: ObjectFormat, bytes: &[u8]) -> Option<Self> {
        let mut padded = [0; SHA256_BYTES];
        if bytes.len() != format.id_bytes() {
            return None;
        }
        padded.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self { format, bytes: padded })
    }

    /// From as many lower-case digits as the format has.
    #[must_use]
    pub fn from_hex(format: ObjectFormat, hex: &[u8]) -> Option<Self> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let (pairs, rest) = hex.as_chunks::<2>();
        let bytes: Option<Vec<u8>> =
            pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
        bytes.filter(|_| rest.is_empty()).and_then(|bytes| Self::from_bytes(format, &bytes))
    }

    /// As many as its format has.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.format.id_bytes()).unwrap_or_default()
    }

    /// By which hash it was made.
    #[must_use]
    pub const fn format(&self) -> ObjectFormat {
        self.format
    }

    /// The name of a content; `None` if it was made to collide with another one.
    #[must_use]
    pub fn of(format: ObjectFormat, kind: ObjectKind, content: &[u8]) -> Option<Self> {
        let header = format!("{} {}\0", kind.name(), content.len());
        match format {
            ObjectFormat::Sha1 => {
                let mut hash = Sha1::new();
                hash.update(&header);
                hash.update(content);
                match hash.try_finalize() {
                    CollisionResult::Ok(id) => Self::from_bytes(format, &id),
                    CollisionResult::Mitigated(_) | CollisionResult::Collision(_) => None,
                }
            }
            ObjectFormat::Sha256 => {
                let id = Sha256::new().chain_update(&header).chain_update(content).finalize();
                Self::from_bytes(format, &id)
            }
        }
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
