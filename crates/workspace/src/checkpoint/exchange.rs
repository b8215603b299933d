//! Putting a checkpoint in place of a session's layers.
//!
//! 1. The checkpoint is copied, what the layers hold is counted, and a journal says what is to be renamed.
//! 2. That is on the disk, and gets the name of a restore that has begun: from there on it can only be finished.
//! 3. Each layer changes places with its copy. How far it came is seen from the inodes.
//! 4. What now holds the former layers gets the name of a checkpoint.
//!
//! So, killed anywhere, it is before until the second step and after once the next command has gone on with it.
//! The kernel's own `work` directories are no part of this: each start makes them anew.

use super::duplicate::Walk;
use super::record::{self, Record, Tree, Why};
use super::{CheckpointError, CheckpointId, Checkpoints, PARTIAL, RESTORING, Restored, failed, flush, one};
use crate::beneath;
use cofferdam_policy::event::UnixNanos;
use rustix::fd::OwnedFd;
use rustix::fs::RenameFlags;
use serde::{Deserialize, Serialize};

/// The name of the journal in the place of a restore.
const JOURNAL: &str = "journal.json";

/// All that a restore is about to do.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Journal {
    restored: Restored,
    moves: Vec<Move>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Move {
    tree: Tree,
    shape: Shape,
}

/// What happens to one layer.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Shape {
    /// It changes places with the copy that has this inode.
    Exchange { inode: u64 },
    /// It is missing, and the copy goes there.
    Enter,
    /// The checkpoint knows nothing of it; it goes away.
    Leave,
}

impl Checkpoints<'_> {
    /// Begins to restore `id`: when this returns, it can only be finished.
    ///
    /// # Errors
    /// [`CheckpointError`]; nothing has changed then.
    pub fn begin_restore(&self, id: CheckpointId, at: UnixNanos) -> Result<Restored, CheckpointError> {
        if !self.records()?.iter().any(|record| record.id == id) {
            return Err(CheckpointError::Unknown(id));
        }
        let (partial, saved_as) = self.begin()?;
        let checkpoint = self.open(&id.to_string())?;
        let mut walk = Walk::new();
        for tree in Tree::named(&checkpoint)? {
            walk.tree(tree.name(), &checkpoint, tree.name(), Some(&partial))?;
        }
        let copied = walk.finish();
        let present = Record { id: saved_as, at, why: Why::BeforeRestore { of: id }, counts: self.look()? };
        present.write(&partial)?;
        let restored = Restored { checkpoint: id, saved_as };
        record::write(&partial, JOURNAL, &Journal { restored, moves: self.moves(&partial)? })?;
        flush(&partial, copied.entries())?;
        self.rename(PARTIAL, RESTORING)?;
        one(&self.directory)?;
        Ok(restored)
    }

    fn moves(&self, staged: &OwnedFd) -> Result<Vec<Move>, CheckpointError> {
        let present = Tree::all(self.session)?;
        let mut moves = Vec::new();
        for tree in Tree::named(staged)? {
            let shape = if present.contains(&tree) {
                let stat = beneath::stat_name(staged, tree.name().as_bytes());
                let stat = stat.map_err(failed("look at the copy of a layer"))?;
                Shape::Exchange { inode: stat.map_or(0, |stat| stat.stx_ino) }
            } else {
                Shape::Enter
            };
            moves.push(Move { tree, shape });
        }
        for tree in present {
            if !moves.iter().any(|known| known.tree == tree) {
                moves.push(Move { tree, shape: Shape::Leave });
            }
        }
        Ok(moves)
    }

    /// Goes on with a restore that has begun, until all layers are the restored ones; `None` if there is none. It is
    /// still to be [settled](Self::settle_restore).
    ///
    /// # Errors
    /// [`CheckpointError`]; a later call goes on.
    pub fn go_on_with_restore(&self) -> Result<Option<Restored>, CheckpointError> {
        if !super::is_unsettled(self.session)? {
            return Ok(None);
        }
        let place = self.open(RESTORING)?;
        let journal: Journal = record::read(&place, JOURNAL)?;
        for step in &journal.moves {
            self.step(&place, step)?;
        }
        one(&place)?;
        one(self.session)?;
        Ok(Some(journal.restored))
    }

    fn step(&self, place: &OwnedFd, step: &Move) -> Result<(), CheckpointError> {
        let name = step.tree.name();
        let cannot = failed("exchange a layer");
        let (holder, leaf) = step.tree.holder(self.session).map_err(&cannot)?;
        let here = beneath::stat_name(&holder, leaf.as_bytes()).map_err(&cannot)?.map(|stat| stat.stx_ino);
        let done = match step.shape {
            Shape::Exchange { inode } if here != Some(inode) => {
                rustix::fs::renameat_with(place, name, &holder, leaf, RenameFlags::EXCHANGE)
            }
            Shape::Enter if here.is_none() => {
                rustix::fs::renameat_with(place, name, &holder, leaf, RenameFlags::NOREPLACE)
            }
            Shape::Leave if here.is_some() => {
                rustix::fs::renameat_with(&holder, leaf, place, name, RenameFlags::NOREPLACE)
            }
            Shape::Exchange { .. } | Shape::Enter | Shape::Leave => Ok(()),
        };
        done.map_err(&cannot)?;
        one(&holder)
    }

    /// Ends a restore: what holds the former layers becomes a checkpoint.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn settle_restore(&self, restored: Restored) -> Result<(), CheckpointError> {
        self.rename(RESTORING, &restored.saved_as.to_string())?;
        one(&self.directory)
    }
}
