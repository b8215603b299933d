//! What is taken although the owner's rules ignore it: paths that the owner named.
//!
//! It lifts the rules only. What is refused, masked or git's stays so.

use crate::changes::FileKind;
use crate::path::{WorkspacePath, is_within};

/// Paths that were named; each with all that is below it.
#[derive(Debug, Clone, Default)]
pub struct Included {
    paths: Vec<WorkspacePath>,
}

impl Included {
    /// These and all below them.
    #[must_use]
    pub fn new(paths: Vec<WorkspacePath>) -> Self {
        Self { paths }
    }

    /// Whether it is one of them, lies below one, or is a directory on the way to one.
    pub(super) fn takes(&self, path: &WorkspacePath, kind: FileKind) -> bool {
        self.paths.iter().any(|named| {
            path.is_within(named.as_bytes())
                || (kind == FileKind::Directory && is_within(named.as_bytes(), path.as_bytes()))
        })
    }
}
