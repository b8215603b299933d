//! Settling an apply that was cut off, and the ends that an apply and its recovery share.
//!
//! Before the commit everything is taken back; after it, what was left undone of tidying is done. Either can be cut off
//! and called again. It never goes forward with an apply that was not committed.

use super::ApplyError;
use super::back::{self, Left};
use super::durable;
use super::place::{self, ABANDONED, COMMITTED, JOURNAL, Place, Standing, State, failed};
use super::run;
use crate::beneath;
use crate::journal::{ApplyId, Journal, PlaceKind};
use crate::path::WorkspacePath;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::RenameFlags;

/// What became of an apply that was cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovered {
    /// The tree is as before it. Where the owner changed one of its paths since, that stays: those are `left`.
    TakenBack {
        /// Which.
        id: ApplyId,
        /// Paths that stay as the owner made them; their originals are kept.
        left: Vec<WorkspacePath>,
    },
    /// It was committed already.
    Finished {
        /// Which.
        id: ApplyId,
    },
}

/// Settles what was cut off. To be called before anything else is done with the tree; without anything to do it costs
/// one listing of the state directory.
///
/// # Errors
/// [`ApplyError`]; called again, it goes on.
pub fn recover(tree: BorrowedFd<'_>, state: BorrowedFd<'_>) -> Result<Vec<Recovered>, ApplyError> {
    let state = State::lock(state)?;
    let pending = place::list(state.fd())?.into_iter().filter(|(_, standing)| *standing == Standing::Pending);
    let mut recovered = Vec::new();
    for (id, _) in pending {
        recovered.extend(settle(tree, &state, id)?);
    }
    Ok(recovered)
}

fn settle(tree: BorrowedFd<'_>, state: &State, id: ApplyId) -> Result<Option<Recovered>, ApplyError> {
    let Some(pending) = state.open(Standing::Pending, id)? else { return Ok(None) };
    let pending = pending.as_fd();
    let root = beneath::stat_fd(tree).map_err(failed("look at"))?;
    let same_tree = |journal: &Journal| match journal.root_inode == root.stx_ino {
        true => Ok(()),
        false => Err(ApplyError::OtherTree { id }),
    };
    if let Some(journal) = place::read_journal(pending, COMMITTED, id)? {
        same_tree(&journal)?;
        finish(tree, state, pending, &journal)?;
        return Ok(Some(Recovered::Finished { id }));
    }
    if let Some(journal) = place::read_journal(pending, ABANDONED, id)? {
        same_tree(&journal)?;
        let left = kept_originals(pending, &journal)?;
        place::clear_tree(tree, id)?;
        state.restand(id, Standing::Pending, Standing::Abandoned)?;
        return Ok(Some(Recovered::TakenBack { id, left }));
    }
    if let Some(journal) = place::read_journal(pending, JOURNAL, id)? {
        same_tree(&journal)?;
        let place = Place::open(tree, pending, id, journal.place)?;
        let left = take_back(tree, state, pending, &place, &journal)?;
        return Ok(Some(Recovered::TakenBack { id, left }));
    }
    // It had not begun.
    place::clear(tree, state, id)?;
    Ok(Some(Recovered::TakenBack { id, left: Vec::new() }))
}

/// Takes back all that was done, and says which paths are the owner's by now.
pub(super) fn take_back(
    tree: BorrowedFd<'_>,
    state: &State,
    pending: BorrowedFd<'_>,
    place: &Place,
    journal: &Journal,
) -> Result<Vec<WorkspacePath>, ApplyError> {
    let left = back::roll_back(tree, place.fd(), journal)?;
    if place.kind == PlaceKind::Tree {
        keep_left(pending, place, &left)?;
    }
    // On the disk before the journal goes, without which nothing could be taken back.
    run::flush_tree(tree, journal)?;
    durable::one(&place.fd)?;
    if left.is_empty() {
        place::clear(tree, state, journal.id)?;
        durable::one(state.fd())?;
        return Ok(Vec::new());
    }
    rustix::fs::renameat_with(pending, JOURNAL, pending, ABANDONED, RenameFlags::NOREPLACE)
        .map_err(failed("mark"))?;
    durable::one(pending)?;
    place::clear_tree(tree, journal.id)?;
    state.restand(journal.id, Standing::Pending, Standing::Abandoned)?;
    durable::one(state.fd())?;
    Ok(left.into_iter().map(|left| left.path).collect())
}

/// The paths whose originals an abandoned apply keeps.
fn kept_originals(pending: BorrowedFd<'_>, journal: &Journal) -> Result<Vec<WorkspacePath>, ApplyError> {
    let mut left = Vec::new();
    for (number, step) in journal.moves.iter().enumerate() {
        let name = place::number_name(number);
        let kept = beneath::stat_name(pending, name.as_bytes()).map_err(failed("read"))?;
        if back::belongs_in_tree(pending, number, &step.shape, kept.as_ref()).map_err(failed("read"))? {
            left.push(step.path.clone());
        }
    }
    Ok(left)
}

/// The originals that can't go back are kept with the apply.
fn keep_left(pending: BorrowedFd<'_>, place: &Place, left: &[Left]) -> Result<(), ApplyError> {
    for Left { number, path } in left {
        let name = place::number_name(*number);
        let kept = beneath::stat_name(place.fd(), name.as_bytes()).map_err(failed("read"))?;
        if kept.is_some() {
            run::keep(pending, place, *number, path)?;
        }
    }
    if left.is_empty() { Ok(()) } else { durable::file_system(pending) }
}

/// Tidies up after the commit: the place, the standing of what was undone, the apply's own.
pub(super) fn finish(
    tree: BorrowedFd<'_>,
    state: &State,
    pending: BorrowedFd<'_>,
    journal: &Journal,
) -> Result<(), ApplyError> {
    durable::one(pending)?;
    place::clear_tree(tree, journal.id)?;
    if let Some(undone) = journal.undoes {
        if state.open(Standing::Applied, undone)?.is_some() {
            state.restand(undone, Standing::Applied, Standing::Undone)?;
            // Never an undo that is finished, of an apply that seems to stand.
            durable::one(state.fd())?;
        }
        if let Some(directory) = state.open(Standing::Undone, undone)? {
            place::clear_kept(directory.as_fd())?;
        }
    }
    state.restand(journal.id, Standing::Pending, Standing::Applied)?;
    durable::one(state.fd())
}
