//! Doing the steps of a journal backwards, from wherever they stopped.
//!
//! How far each step came is seen from what lies in the place and in the tree: the staged entry, the original, something
//! that the owner put there meanwhile, or nothing. So the way back can itself be cut off anywhere and taken again. What
//! the owner put there is never removed; where it is in the way of the original, it stays and the path is named.

use super::ApplyError;
use super::check::{kernel_error, open_parent};
use super::exchange::{change_mode, is_empty};
use super::place::number_name;
use crate::beneath;
use crate::journal::{EntryKind, Journal, Mark, Shape};
use crate::path::WorkspacePath;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{RenameFlags, Statx};
use rustix::io::Errno;

/// A path that was left as the owner made it since; its original is entry `number` of the place, if there was one.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) number: usize,
    pub(super) path: WorkspacePath,
}

/// Takes back all that was done of `journal`.
pub(super) fn roll_back(
    tree: BorrowedFd<'_>,
    place: BorrowedFd<'_>,
    journal: &Journal,
) -> Result<Vec<Left>, ApplyError> {
    let mut left = Vec::new();
    for (number, step) in journal.moves.iter().enumerate().rev() {
        let failed = |source| kernel_error(&step.path, source);
        let kept = beneath::stat_name(place, number_name(number).as_bytes()).map_err(failed)?;
        let parent = match open_parent(tree, &step.path) {
            Ok(parent) => parent,
            // The owner took the directory away. An original has nowhere to go; a new entry went with it.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
                if belongs_in_tree(place, number, &step.shape, kept.as_ref()).map_err(failed)? {
                    left.push(Left { number, path: step.path.clone() });
                }
                continue;
            }
            Err(source) => return Err(failed(source)),
        };
        let there = beneath::stat_name(&parent, step.path.name()).map_err(failed)?;
        let back = Back { place, number, parent: parent.as_fd(), name: step.path.name(), kept, there };
        if back.step(&step.shape).map_err(failed)? == Outcome::Left {
            left.push(Left { number, path: step.path.clone() });
        }
    }
    Ok(left)
}

/// Whether the place holds something else than what was staged there, untouched.
pub(super) fn belongs_in_tree(
    place: BorrowedFd<'_>,
    number: usize,
    shape: &Shape,
    kept: Option<&Statx>,
) -> Result<bool, Errno> {
    let Some(kept) = kept else { return Ok(false) };
    match shape {
        Shape::Enter { after, .. } | Shape::Exchange { after, .. } if !after.is(kept) => Ok(true),
        Shape::Enter { after, .. } | Shape::Exchange { after, .. } => {
            Ok(after.kind == EntryKind::Directory && !is_empty(place, &number_name(number))?)
        }
        Shape::Leave { .. } => Ok(true),
        Shape::Mode { .. } => Ok(false),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// As before, or as the owner had it when the step was begun.
    Before,
    /// As the owner made it since.
    Left,
}

struct Back<'a> {
    place: BorrowedFd<'a>,
    number: usize,
    parent: BorrowedFd<'a>,
    name: &'a [u8],
    kept: Option<Statx>,
    there: Option<Statx>,
}

impl Back<'_> {
    fn step(&self, shape: &Shape) -> Result<Outcome, Errno> {
        if let Shape::Mode { before, after_mode } = shape {
            return self.mode(before, *after_mode);
        }
        let belongs = belongs_in_tree(self.place, self.number, shape, self.kept.as_ref())?;
        match shape {
            Shape::Enter { after, .. } if self.kept.is_none() => self.take_out(after),
            _ if !belongs => Ok(Outcome::Before),
            _ if self.there.is_none() => self.put_in(),
            Shape::Exchange { before, after, .. } => self.exchange(before, after),
            Shape::Enter { .. } | Shape::Leave { .. } | Shape::Mode { .. } => Ok(Outcome::Left),
        }
    }

    /// A new entry comes out, if it is still the one that was put.
    fn take_out(&self, after: &Mark) -> Result<Outcome, Errno> {
        let Some(there) = &self.there else { return Ok(Outcome::Before) };
        if !after.is(there) {
            return Ok(Outcome::Left);
        }
        let name = number_name(self.number);
        match rustix::fs::renameat_with(self.parent, self.name, self.place, &name, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(Outcome::Before),
            Err(errno) => return Err(errno),
        }
        let out = beneath::stat_name(self.place, name.as_bytes())?;
        let still = out.is_some_and(|out| after.is(&out));
        if still && (after.kind != EntryKind::Directory || is_empty(self.place, &name)?) {
            return Ok(Outcome::Before);
        }
        self.put_in()?;
        Ok(Outcome::Left)
    }

    /// What the place holds goes where nothing is.
    fn put_in(&self) -> Result<Outcome, Errno> {
        let name = number_name(self.number);
        match rustix::fs::renameat_with(self.place, name, self.parent, self.name, RenameFlags::NOREPLACE) {
            Ok(()) => Ok(Outcome::Before),
            Err(Errno::EXIST) => Ok(Outcome::Left),
            Err(errno) => Err(errno),
        }
    }

    /// What the place holds changes places with what was put, or with the original if the way back was cut off.
    fn exchange(&self, before: &Mark, after: &Mark) -> Result<Outcome, Errno> {
        let Some(there) = &self.there else { return self.put_in() };
        let kept_is_original = self.kept.as_ref().is_some_and(|kept| before.is_inode(kept));
        let wanted = if after.is(there) {
            after
        } else if before.is_inode(there) && !kept_is_original {
            before
        } else {
            return Ok(Outcome::Left);
        };
        self.swap()?;
        let name = number_name(self.number);
        let out = beneath::stat_name(self.place, name.as_bytes())?;
        let directory_in_use = wanted.kind == EntryKind::Directory && !is_empty(self.place, &name)?;
        if out.is_some_and(|out| wanted.is(&out)) && !directory_in_use {
            // If it was the original that came out, the owner's own newer entry lies in the tree again.
            return Ok(if wanted == after { Outcome::Before } else { Outcome::Left });
        }
        self.swap()?;
        Ok(Outcome::Left)
    }

    fn swap(&self) -> Result<(), Errno> {
        let name = number_name(self.number);
        rustix::fs::renameat_with(self.parent, self.name, self.place, name, RenameFlags::EXCHANGE)
    }

    fn mode(&self, before: &Mark, after_mode: u32) -> Result<Outcome, Errno> {
        let after = before.with_mode(after_mode);
        if !self.there.as_ref().is_some_and(|there| after.is_inode(there)) {
            return Ok(Outcome::Before);
        }
        match self.there.as_ref().and_then(Mark::of) {
            // Its content may be newer than the apply: the mode is taken back all the same.
            Some(now) if now.mode == after_mode => {
                Ok(match change_mode(self.parent, self.name, &now, before.mode)? {
                    Ok(()) => Outcome::Before,
                    Err(_changed_again) => Outcome::Left,
                })
            }
            Some(_) | None => Ok(Outcome::Before),
        }
    }
}
