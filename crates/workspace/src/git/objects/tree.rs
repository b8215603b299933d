//! Trees: the entries of one directory.
//!
//! Order and names are checked as strictly as git checks what it receives: a name that stands twice would show one
//! thing to a reviewer and check out another. Names that some file system takes for `.git` are the caller's matter.

use super::Fault;
use super::id::{ObjectFormat, ObjectId};
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// One entry of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TreeEntry<'t> {
    /// One name, no path.
    pub(super) name: &'t [u8],
    /// What it is.
    pub(super) kind: TreeEntryKind,
    /// The object that it stands for.
    pub(super) id: ObjectId,
}

/// What an entry of a tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TreeEntryKind {
    /// `040000`.
    Tree,
    /// `100644`; also `100664`, which old versions of git wrote.
    File,
    /// `100755`.
    Executable,
    /// `120000`.
    Symlink,
    /// `160000`: a submodule's commit.
    Gitlink,
}

impl TreeEntryKind {
    /// As git writes it.
    #[must_use]
    pub const fn mode(self) -> u32 {
        match self {
            Self::Tree => 0o040_000,
            Self::File => 0o100_644,
            Self::Executable => 0o100_755,
            Self::Symlink => 0o120_000,
            Self::Gitlink => 0o160_000,
        }
    }

    fn from_digits(digits: &[u8]) -> Option<Self> {
        Some(match digits {
            b"40000" => Self::Tree,
            b"100644" | b"100664" => Self::File,
            b"100755" => Self::Executable,
            b"120000" => Self::Symlink,
            b"160000" => Self::Gitlink,
            _ => return None,
        })
    }
}

/// The entries of a tree, in their order.
///
/// # Errors
/// [`Fault::Tree`].
pub(super) fn parse(format: ObjectFormat, content: &[u8]) -> Result<Vec<TreeEntry<'_>>, Fault> {
    let mut rest = content;
    let mut entries: Vec<TreeEntry<'_>> = Vec::new();
    let mut names = BTreeSet::new();
    while !rest.is_empty() {
        let entry = entry(format, &mut rest).ok_or(Fault::Tree)?;
        let follows = entries.last().is_none_or(|last| order(last, &entry) == Ordering::Less);
        if !follows || !names.insert(entry.name) {
            return Err(Fault::Tree);
        }
        entries.push(entry);
    }
    Ok(entries)
}

fn entry<'t>(format: ObjectFormat, rest: &mut &'t [u8]) -> Option<TreeEntry<'t>> {
    let blank = rest.iter().position(|byte| *byte == b' ')?;
    let (mode, after) = rest.split_at_checked(blank)?;
    let after = after.get(1..)?;
    let (name, after) = after.split_at_checked(after.iter().position(|byte| *byte == 0)?)?;
    let (id, after) = after.get(1..)?.split_at_checked(format.id_bytes())?;
    if matches!(name, b"" | b"." | b"..") || name.contains(&b'/') {
        return None;
    }
    *rest = after;
    Some(TreeEntry { name, kind: TreeEntryKind::from_digits(mode)?, id: ObjectId::from_bytes(format, id)? })
}

/// Directories are sorted as if a slash followed their names.
fn order(a: &TreeEntry<'_>, b: &TreeEntry<'_>) -> Ordering {
    let key = |entry: &TreeEntry<'_>| {
        let slash: &[u8] = if entry.kind == TreeEntryKind::Tree { b"/" } else { b"" };
        [entry.name, slash].concat()
    };
    key(a).cmp(&key(b))
}
