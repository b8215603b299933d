//! Paths below a workspace's root: any bytes that the kernel takes as names, printed harmlessly.
//!
//! Purely lexical. A path says nothing about whether something exists there; opening is `crate::beneath`'s part.

use cofferdam_policy::glyph::Glyph;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest path taken, in bytes. An agent can make deeper trees than the kernel opens at once (4,096).
pub const PATH_BYTES_MAX: usize = 16 * 1024;

/// The longest name in a path, in bytes (`NAME_MAX`).
pub const NAME_BYTES_MAX: usize = 255;

/// A path relative to a workspace's root: one or more names, none of them `.` or `..`, no NUL, any other bytes.
///
/// Serialised as text in which whatever is not plainly visible is escaped (`\n`, `\x80`, `\u{202e}`), so that a
/// name can neither move a cursor nor be mistaken for another; parsing gives the same bytes back.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WorkspacePath(Vec<u8>);

/// Why bytes are not a path below a workspace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Nothing, or only the root itself.
    #[error("an empty path names nothing below the workspace")]
    Empty,
    /// `.`, `..`, an empty name or a name that is too long.
    #[error("the path {0} has a name that is empty, `.`, `..` or too long")]
    Name(String),
    /// A NUL byte.
    #[error("the path {0} holds a NUL byte")]
    Nul(String),
    /// More than [`PATH_BYTES_MAX`].
    #[error("a path is longer than {PATH_BYTES_MAX} bytes")]
    TooLong,
    /// The escaped text has an escape that does not exist.
    #[error("the text {0:?} has an escape that means nothing")]
    Escape(String),
}

impl WorkspacePath {
    /// Takes `bytes` if they are plain names joined by single slashes.
    ///
    /// # Errors
    /// [`PathError`] names what is wrong.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, PathError> {
        let bytes = bytes.into();
        if bytes.is_empty() {
            return Err(PathError::Empty);
        }
        if bytes.len() > PATH_BYTES_MAX {
            return Err(PathError::TooLong);
        }
        if bytes.contains(&0) {
            return Err(PathError::Nul(visible(&bytes)));
        }
        if !bytes.split(|byte| *byte == b'/').all(is_name) {
            return Err(PathError::Name(visible(&bytes)));
        }
        Ok(Self(bytes))
    }

    /// The bytes, without a leading or trailing slash.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The path of the directory that holds it; empty for the root.
    #[must_use]
    pub fn parent(&self) -> &[u8] {
        split(&self.0).0
    }

    /// The last name.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        split(&self.0).1
    }

    /// Whether this lies below the directory `ancestor` (empty: the root), or is it.
    #[must_use]
    pub fn is_within(&self, ancestor: &[u8]) -> bool {
        is_within(&self.0, ancestor)
    }

    /// This path with one more name.
    ///
    /// # Errors
    /// As [`WorkspacePath::new`].
    pub fn join(&self, name: &[u8]) -> Result<Self, PathError> {
        Self::new(joined(&self.0, name))
    }
}

impl fmt::Display for WorkspacePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&visible(&self.0))
    }
}

impl fmt::Debug for WorkspacePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", visible(&self.0))
    }
}

impl From<WorkspacePath> for String {
    fn from(path: WorkspacePath) -> Self {
        visible(&path.0)
    }
}

impl TryFrom<String> for WorkspacePath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        Self::new(parse_visible(&text).ok_or(PathError::Escape(text))?)
    }
}

fn is_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && name.len() <= NAME_BYTES_MAX
}

/// The parent (empty for the root) and the name of a path below the root.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => {
            let (parent, name) = path.split_at(slash);
            (parent, name.get(1..).unwrap_or_default())
        }
        None => (&[], path),
    }
}

/// The path of the entry `name` in the directory `parent` (empty: the root).
pub(crate) fn joined(parent: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(parent.len().saturating_add(name.len()).saturating_add(1));
    path.extend_from_slice(parent);
    if !parent.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

pub(crate) fn is_within(path: &[u8], ancestor: &[u8]) -> bool {
    ancestor.is_empty()
        || path.strip_prefix(ancestor).is_some_and(|rest| rest.first().is_none_or(|byte| *byte == b'/'))
}

/// Text that shows `bytes` so that nothing in it can deceive a terminal or a reader, and from which they can be had back.
pub(crate) fn visible(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => text.push_str("\\\\"),
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                _ if Glyph::of(character) == Glyph::Base => text.push(character),
                _ => text.push_str(&format!("\\u{{{:x}}}", u32::from(character))),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

pub(crate) fn parse_visible(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(rest.get(..at)?.as_bytes());
        let escape = rest.get(at.checked_add(1)?..)?;
        let kind = escape.chars().next()?;
        let after = escape.get(kind.len_utf8()..)?;
        rest = match kind {
            '\\' | 'n' | 'r' | 't' => {
                bytes.push(match kind {
                    'n' => b'\n',
                    'r' => b'\r',
                    't' => b'\t',
                    _ => b'\\',
                });
                after
            }
            'x' => {
                bytes.push(u8::from_str_radix(after.get(..2)?, 16).ok()?);
                after.get(2..)?
            }
            'u' => {
                let (digits, after) = after.strip_prefix('{')?.split_once('}')?;
                let character = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
                bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                after
            }
            _ => return None,
        };
    }
    bytes.extend_from_slice(rest.as_bytes());
    Some(bytes)
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_that_leaves_the_root_is_refused() {
        for bytes in [&b""[..], b"/", b"/a", b"a/", b"a//b", b"..", b"a/../b", b"./a", b"a\0b"] {
            assert!(WorkspacePath::new(bytes).is_err(), "{bytes:?}");
        }
        assert!(WorkspacePath::new(vec![b'a'; 256]).is_err());
    }

    #[test]
    fn a_name_cannot_move_the_cursor_nor_hide_itself() {
        let path = WorkspacePath::new("a\x1b[2Jb\u{202e}c\u{3164}é\\\n".as_bytes()).unwrap();
        assert_eq!(path.to_string(), "a\\u{1b}[2Jb\\u{202e}c\\u{3164}é\\\\\\n");
        assert_eq!(WorkspacePath::new(b"x\xff".as_slice()).unwrap().to_string(), "x\\xff");
    }

    #[test]
    fn a_neighbour_with_the_same_beginning_is_not_within() {
        let path = WorkspacePath::new(b"project-two/x".as_slice()).unwrap();
        assert!(!path.is_within(b"project"));
        assert!(path.is_within(b"project-two") && path.is_within(b""));
        assert_eq!((path.parent(), path.name()), (&b"project-two"[..], &b"x"[..]));
    }

    proptest! {
        #[test]
        fn a_path_printed_is_the_path_parsed(bytes in prop::collection::vec(any::<u8>(), 1..40)) {
            if let Ok(path) = WorkspacePath::new(bytes) {
                let text = String::from(path.clone());
                prop_assert!(!text.chars().any(char::is_control));
                prop_assert_eq!(WorkspacePath::try_from(text), Ok(path));
            }
        }

        #[test]
        fn any_text_is_parsed_without_a_panic(text in "(\\\\[unrtx{}0-9a-f]{0,6}|.){0,20}") {
            if let Ok(path) = WorkspacePath::try_from(text) {
                prop_assert!(!path.as_bytes().is_empty());
            }
        }
    }
}
