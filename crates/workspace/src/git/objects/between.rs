//! What lies between two trees, and what lies at one path of a tree: only directories that differ are read.
//!
//! Renames are not looked for. What a path or an entry may be is the caller's judgement.

use super::walk::{TREE_BYTES_MAX, TREE_DEPTH_MAX, TREE_ENTRIES_MAX};
use super::{ObjectError, ObjectId, ObjectKind, Objects, TreeEntryKind, WalkError, tree};
use crate::path::joined;
use std::collections::BTreeMap;

/// What one side has at a path: never a directory.
pub type Side = Option<(TreeEntryKind, ObjectId)>;

/// A path whose sides differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeChange {
    /// From the tree's top.
    pub path: Vec<u8>,
    /// What was there.
    pub before: Side,
    /// What is there.
    pub after: Side,
}

/// What was met on the way from one tree to the other.
#[derive(Debug, Default)]
pub struct Between {
    /// In the order of the paths' bytes.
    pub changes: Vec<TreeChange>,
    /// The directories of the second tree that the first has not at the same place.
    pub trees: Vec<ObjectId>,
    /// Paths of directories that git would take for a repository, and that were none in the first tree.
    pub repositories: Vec<Vec<u8>>,
}

/// Two directories of one path, of which at least one is there and which differ.
struct Pending {
    depth: usize,
    path: Vec<u8>,
    before: Option<ObjectId>,
    after: Option<ObjectId>,
}

type Entries = BTreeMap<Vec<u8>, (TreeEntryKind, ObjectId)>;

impl Objects {
    /// What leads from the tree `before` (nothing: an empty one) to the tree `after`.
    ///
    /// # Errors
    /// [`WalkError`].
    pub fn between(&mut self, before: Option<ObjectId>, after: ObjectId) -> Result<Between, WalkError> {
        let mut between = Between::default();
        let mut met = 0_usize;
        let mut pending = Vec::new();
        if before != Some(after) {
            pending.push(Pending { depth: 0, path: Vec::new(), before, after: Some(after) });
        }
        while let Some(directory) = pending.pop() {
            between.trees.extend(directory.after);
            let (old, new) = (self.entries(directory.before)?, self.entries(directory.after)?);
            if is_repository(&new) && !is_repository(&old) {
                between.repositories.push(directory.path.clone());
            }
            met = met.saturating_add(old.len()).saturating_add(new.len());
            if directory.depth > TREE_DEPTH_MAX || met > TREE_ENTRIES_MAX {
                return Err(WalkError::TreeTooLarge { id: after });
            }
            let mut names: Vec<&Vec<u8>> = old.keys().chain(new.keys()).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                let (before, after) = (old.get(name).copied(), new.get(name).copied());
                if before == after {
                    continue;
                }
                let path = joined(&directory.path, name);
                let directories = [before, after].map(directory_id);
                if let [before, after] = directories
                    && (before.is_some() || after.is_some())
                {
                    pending.push(Pending {
                        depth: directory.depth.saturating_add(1),
                        path: path.clone(),
                        before,
                        after,
                    });
                }
                let [before, after] = [before, after].map(file);
                if before.is_some() || after.is_some() {
                    between.changes.push(TreeChange { path, before, after });
                }
            }
        }
        between.changes.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(between)
    }

    /// What lies at `path` in the tree `top`, if it is no directory.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub fn at_path(&mut self, top: ObjectId, path: &[u8]) -> Result<Side, ObjectError> {
        let mut directory = top;
        let mut names = path.split(|byte| *byte == b'/').peekable();
        while let Some(name) = names.next() {
            let Some(found) = self.entries(Some(directory))?.get(name).copied() else { return Ok(None) };
            match (directory_id(Some(found)), names.peek()) {
                (Some(next), Some(_)) => directory = next,
                (None, None) => return Ok(Some(found)),
                (Some(_), None) | (None, Some(_)) => return Ok(None),
            }
        }
        Ok(None)
    }

    fn entries(&mut self, id: Option<ObjectId>) -> Result<Entries, ObjectError> {
        let Some(id) = id else { return Ok(Entries::new()) };
        let content = self.read_kind(&id, ObjectKind::Tree, TREE_BYTES_MAX)?;
        let entries =
            tree::parse(self.format(), &content).map_err(|fault| ObjectError::Broken { id, fault })?;
        Ok(entries.into_iter().map(|entry| (entry.name.to_vec(), (entry.kind, entry.id))).collect())
    }
}

/// As git's setup.c looks at a directory: one with a `commondir` has the rest elsewhere.
fn is_repository(entries: &Entries) -> bool {
    let has = |name: &str| entries.contains_key(name.as_bytes());
    has("HEAD") && (has("commondir") || (has("objects") && has("refs")))
}

fn directory_id(side: Side) -> Option<ObjectId> {
    side.filter(|(kind, _)| *kind == TreeEntryKind::Tree).map(|(_, id)| id)
}

fn file(side: Side) -> Side {
    side.filter(|(kind, _)| *kind != TreeEntryKind::Tree)
}
