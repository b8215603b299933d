//! Absolute paths that can be shown, compared and mounted without surprises.
//!
//! Purely lexical: whether a path exists, or is a link, is found out by the crates that touch the disk.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Component, Path, PathBuf};

/// The longest path taken, in bytes (Linux's own limit, less the terminating NUL).
pub const PATH_BYTES_MAX: usize = 4095;

/// An absolute path without `.`, `..`, doubled or trailing slashes, NUL or control characters, in UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "PathBuf", into = "PathBuf")]
pub struct AbsPath(String);

/// Why a path was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It does not begin with a slash.
    #[error("{0} is not an absolute path")]
    Relative(String),
    /// It goes up (`..`), so that what it names depends on links.
    #[error("{0} goes up with `..`")]
    Upward(String),
    /// Its bytes are not UTF-8: it could be neither shown nor typed again.
    #[error("{0} is not valid UTF-8")]
    NotUtf8(String),
    /// It holds a newline or another control character.
    #[error("{0} holds a control character")]
    Control(String),
    /// It is longer than [`PATH_BYTES_MAX`].
    #[error("the path is longer than {PATH_BYTES_MAX} bytes")]
    TooLong,
}

impl AbsPath {
    /// Takes `path` if it is absolute and plain; `a//b/./c/` becomes `a/b/c`.
    ///
    /// # Errors
    /// [`PathError`] names what is wrong with it, with the path shown harmlessly.
    pub fn new(path: impl AsRef<Path>) -> Result<Self, PathError> {
        let path = path.as_ref();
        let shown = || format!("{path:?}");
        let Some(text) = path.to_str() else { return Err(PathError::NotUtf8(shown())) };
        if text.len() > PATH_BYTES_MAX {
            return Err(PathError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(PathError::Control(shown()));
        }
        if !path.is_absolute() {
            return Err(PathError::Relative(shown()));
        }
        let mut plain = String::with_capacity(text.len());
        for component in path.components() {
            match component {
                Component::Normal(name) => {
                    plain.push('/');
                    plain.push_str(name.to_str().unwrap_or_default());
                }
                Component::ParentDir => return Err(PathError::Upward(shown())),
                Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            }
        }
        if plain.is_empty() {
            plain.push('/');
        }
        Ok(Self(plain))
    }

    /// The root directory.
    #[must_use]
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    /// As a path.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `ancestor` or lies below it.
    #[must_use]
    pub fn is_within(&self, ancestor: &Self) -> bool {
        self.as_path().starts_with(ancestor.as_path())
    }

    /// This path with `below` appended; `below` must be relative and plain.
    ///
    /// # Errors
    /// As [`AbsPath::new`]; an absolute `below` replaces nothing and is refused as [`PathError::Upward`].
    pub fn join(&self, below: impl AsRef<Path>) -> Result<Self, PathError> {
        let below = below.as_ref();
        if below.is_absolute() {
            return Err(PathError::Upward(format!("{below:?}")));
        }
        Self::new(self.as_path().join(below))
    }

    /// The directories above it, nearest first, down to and without `/`.
    pub fn parents(&self) -> impl Iterator<Item = &Path> {
        self.as_path().ancestors().skip(1).filter(|p| p.parent().is_some())
    }
}

impl fmt::Display for AbsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<PathBuf> for AbsPath {
    type Error = PathError;
    fn try_from(path: PathBuf) -> Result<Self, PathError> {
        Self::new(path)
    }
}

impl From<AbsPath> for PathBuf {
    fn from(path: AbsPath) -> Self {
        Self::from(path.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn a_path_that_could_deceive_is_refused() {
        assert!(matches!(AbsPath::new("a/b"), Err(PathError::Relative(_))));
        assert!(matches!(AbsPath::new("/a/../b"), Err(PathError::Upward(_))));
        assert!(matches!(AbsPath::new("/a\n/b"), Err(PathError::Control(_))));
        assert!(matches!(AbsPath::new("/a\u{9b}"), Err(PathError::Control(_))));
        let bytes = std::ffi::OsStr::from_bytes(b"/a\xff");
        assert!(matches!(AbsPath::new(bytes), Err(PathError::NotUtf8(_))));
        assert_eq!(AbsPath::new("/a b/c:d,e"), Ok(AbsPath("/a b/c:d,e".into())));
    }

    #[test]
    fn a_neighbour_with_the_same_beginning_is_not_within() {
        let a = AbsPath::new("/home/me/project").unwrap();
        assert!(!AbsPath::new("/home/me/project-two").unwrap().is_within(&a));
        assert!(AbsPath::new("/home/me/project/src").unwrap().is_within(&a));
        assert!(a.is_within(&a));
    }

    proptest! {
        #[test]
        fn a_path_printed_is_the_path_parsed(names in prop::collection::vec("[a-zA-Z0-9 ._:,-]{1,8}", 0..6)) {
            let text = format!("/{}", names.join("/"));
            if let Ok(path) = AbsPath::new(&text) {
                prop_assert_eq!(AbsPath::new(path.as_str()), Ok(path.clone()));
                prop_assert!(path.parents().all(|p| path.as_path().starts_with(p)));
            }
        }
    }
}
