//! From a commit to its files, and to the commits before it.
//!
//! Limits stand against trees that repeat themselves a million times and histories without end. What a path or a commit
//! may be is the caller's judgement.

use super::{Commit, Fault, ObjectError, ObjectId, ObjectKind, Objects, TreeEntryKind, tree};
use crate::path::joined;
use std::collections::BTreeSet;

/// How deep directories lie in one another.
pub const TREE_DEPTH_MAX: usize = 1_024;
/// The most entries of a whole tree, directories included.
pub(super) const TREE_ENTRIES_MAX: usize = 4_000_000;
/// The most commits that are followed.
pub const COMMITS_MAX: usize = 100_000;
/// The longest tree that is read, in bytes.
pub(super) const TREE_BYTES_MAX: u64 = 32 << 20;
/// The longest commit that is read, in bytes.
const COMMIT_BYTES_MAX: u64 = 1 << 20;

/// Why a walk ends early.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// An object can't be read.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// Deeper than [`TREE_DEPTH_MAX`], or too many entries.
    #[error("the tree of git's object {id} is too large")]
    TreeTooLarge {
        /// The commit.
        id: ObjectId,
    },
    /// More than [`COMMITS_MAX`].
    #[error("there are more than {COMMITS_MAX} commits")]
    TooManyCommits,
}

/// A file of a commit's tree, a link, or a submodule's commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeFile {
    /// From the tree's top.
    pub path: Vec<u8>,
    /// What it is; never [`TreeEntryKind::Tree`].
    pub kind: TreeEntryKind,
    /// Its content.
    pub id: ObjectId,
}

/// All files of a commit, each directory in git's order.
#[derive(Debug)]
pub struct TreeWalk<'o> {
    objects: &'o mut Objects,
    commit: ObjectId,
    /// The next one last, with how deep it lies.
    pending: Vec<(usize, TreeFile)>,
    met: usize,
    /// An error is the last that is said.
    ended: bool,
}

impl Objects {
    /// A commit.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub fn commit(&mut self, id: &ObjectId) -> Result<Commit, ObjectError> {
        let content = self.read_kind(id, ObjectKind::Commit, COMMIT_BYTES_MAX)?;
        Commit::parse(self.format(), &content).map_err(|fault| ObjectError::Broken { id: *id, fault })
    }

    /// The files of a commit.
    ///
    /// # Errors
    /// [`ObjectError`] for the commit; the walk gives those of its trees.
    pub fn walk_tree(&mut self, commit: &ObjectId) -> Result<TreeWalk<'_>, ObjectError> {
        let id = self.commit(commit)?.tree;
        let top = TreeFile { path: Vec::new(), kind: TreeEntryKind::Tree, id };
        Ok(TreeWalk { objects: self, commit: *commit, pending: vec![(0, top)], met: 0, ended: false })
    }

    /// The commits that lead to `tip` and of which `is_known` does not know, each after its parents.
    ///
    /// # Errors
    /// [`WalkError`].
    pub fn commits_to(
        &mut self,
        tip: &ObjectId,
        mut is_known: impl FnMut(&ObjectId) -> bool,
    ) -> Result<Vec<(ObjectId, Commit)>, WalkError> {
        enum Visit {
            Begin(ObjectId),
            End(ObjectId, Commit),
        }
        let (mut found, mut met) = (Vec::new(), BTreeSet::new());
        let mut pending = vec![Visit::Begin(*tip)];
        while let Some(visit) = pending.pop() {
            match visit {
                Visit::End(id, commit) => found.push((id, commit)),
                Visit::Begin(id) if met.contains(&id) || is_known(&id) => {}
                Visit::Begin(id) => {
                    if met.len() >= COMMITS_MAX {
                        return Err(WalkError::TooManyCommits);
                    }
                    met.insert(id);
                    let commit = self.commit(&id)?;
                    let parents = commit.parents.clone();
                    pending.push(Visit::End(id, commit));
                    pending.extend(parents.into_iter().rev().map(Visit::Begin));
                }
            }
        }
        Ok(found)
    }
}

impl TreeWalk<'_> {
    fn enter(&mut self, depth: usize, directory: &TreeFile) -> Result<(), WalkError> {
        let content = self.objects.read_kind(&directory.id, ObjectKind::Tree, TREE_BYTES_MAX)?;
        let broken = |fault: Fault| ObjectError::Broken { id: directory.id, fault };
        let entries = tree::parse(self.objects.format(), &content).map_err(broken)?;
        self.met = self.met.saturating_add(entries.len());
        if depth > TREE_DEPTH_MAX || self.met > TREE_ENTRIES_MAX {
            return Err(WalkError::TreeTooLarge { id: self.commit });
        }
        let below = entries.iter().rev().map(|entry| {
            let path = joined(&directory.path, entry.name);
            (depth.saturating_add(1), TreeFile { path, kind: entry.kind, id: entry.id })
        });
        self.pending.extend(below);
        Ok(())
    }
}

impl Iterator for TreeWalk<'_> {
    type Item = Result<TreeFile, WalkError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            let (depth, file) = self.pending.pop()?;
            if file.kind != TreeEntryKind::Tree {
                return Some(Ok(file));
            }
            if let Err(error) = self.enter(depth, &file) {
                self.ended = true;
                return Some(Err(error));
            }
        }
        None
    }
}
