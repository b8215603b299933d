//! The tree of a workspace's directories, as a census knows it: plain data and the paths that lead there.
//!
//! It reads nothing; [`super::scan`] fills it and [`super::index`] keeps it.

use super::{CensusError, FINDINGS_MAX, Finding, Found};
use crate::path::{WorkspacePath, joined};
use rustix::fs::Statx;
use std::ffi::CStr;

/// What tells whether a directory is still as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Stamp {
    pub(super) dev_major: u32,
    pub(super) dev_minor: u32,
    pub(super) ino: u64,
    pub(super) ctime_seconds: i64,
    pub(super) ctime_nanos: u32,
    pub(super) mtime_seconds: i64,
    pub(super) mtime_nanos: u32,
}

/// How far a directory could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not read yet.
    Unread,
    /// Read, and old enough that the stamp tells of every change.
    Settled,
    /// Read, but so fresh that it has to be read again.
    Racy,
    /// Another mount.
    MountPoint,
    /// It refuses to be read.
    Unreadable,
    /// It vanished while the census was taken.
    Gone,
}

#[derive(Debug)]
pub(super) struct Node {
    /// Smaller than the node's own number; the root's is 0.
    pub(super) parent: u32,
    /// Where its path begins in the tree's `paths`.
    pub(super) path_start: usize,
    /// Without the NUL that follows it there.
    pub(super) path_length: usize,
    pub(super) stamp: Stamp,
    pub(super) standing: Standing,
    pub(super) bare_repository: bool,
    pub(super) findings: Vec<(Box<[u8]>, Finding)>,
}

/// All directories of a workspace, each after the one that holds it.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    pub(super) paths: Vec<u8>,
}

impl Tree {
    /// Only an unread root.
    pub(super) fn new() -> Self {
        let mut tree = Self { nodes: Vec::new(), paths: Vec::new() };
        tree.push(0, b"");
        tree
    }

    pub(super) fn empty(nodes: usize, path_bytes: usize) -> Self {
        Self { nodes: Vec::with_capacity(nodes), paths: Vec::with_capacity(path_bytes) }
    }

    /// Appends an unread directory and gives its number.
    pub(super) fn push(&mut self, parent: u32, name: &[u8]) -> usize {
        let path_start = self.paths.len();
        if let Some(above) = self.nodes.get(index(parent)) {
            let above = above.path_start..above.path_start.saturating_add(above.path_length);
            if !above.is_empty() {
                self.paths.extend_from_within(above);
                self.paths.push(b'/');
            }
        }
        self.paths.extend_from_slice(name);
        let path_length = self.paths.len().saturating_sub(path_start);
        self.paths.push(0);
        self.nodes.push(Node {
            parent,
            path_start,
            path_length,
            stamp: Stamp::default(),
            standing: Standing::Unread,
            bare_repository: false,
            findings: Vec::new(),
        });
        self.nodes.len().saturating_sub(1)
    }

    pub(super) fn path(&self, node: &Node) -> &[u8] {
        self.paths.get(node.path_start..node.path_start.saturating_add(node.path_length)).unwrap_or_default()
    }

    /// The node's path without its first `skipped` bytes.
    pub(super) fn c_path_from(&self, node: &Node, skipped: usize) -> &CStr {
        let end = node.path_start.saturating_add(node.path_length).saturating_add(1);
        let bytes = self.paths.get(node.path_start.saturating_add(skipped)..end).unwrap_or_default();
        CStr::from_bytes_with_nul(bytes).unwrap_or_default()
    }

    pub(super) fn findings(&self) -> Result<Vec<Found>, CensusError> {
        let mut found = Vec::new();
        for node in &self.nodes {
            let path = self.path(node);
            let of_itself = match (node.standing, node.bare_repository) {
                (Standing::MountPoint, _) => Some(Finding::MountPoint),
                (Standing::Unreadable, _) => Some(Finding::Unreadable),
                (_, true) => Some(Finding::BareRepository),
                (Standing::Unread | Standing::Settled | Standing::Racy | Standing::Gone, false) => None,
            };
            if let Some(finding) = of_itself.filter(|_| !path.is_empty()) {
                found.push(Found { path: WorkspacePath::new(path)?, finding });
            }
            for (name, finding) in &node.findings {
                found.push(Found { path: WorkspacePath::new(joined(path, name))?, finding: *finding });
            }
        }
        if found.len() > FINDINGS_MAX {
            return Err(CensusError::TooManyFindings);
        }
        found.sort_unstable();
        Ok(found)
    }
}

/// A node's number as an index.
pub(super) fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl Stamp {
    pub(super) fn of(stat: &Statx) -> Self {
        Self {
            dev_major: stat.stx_dev_major,
            dev_minor: stat.stx_dev_minor,
            ino: stat.stx_ino,
            ctime_seconds: stat.stx_ctime.tv_sec,
            ctime_nanos: stat.stx_ctime.tv_nsec,
            mtime_seconds: stat.stx_mtime.tv_sec,
            mtime_nanos: stat.stx_mtime.tv_nsec,
        }
    }
}
