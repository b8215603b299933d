//! An apply from its check to its end, in the order that the promise rests on.
//!
//! Apply and undo are both this; they differ in where contents come from. It knows no batch and no record.

use super::check::{self, Found};
use super::place::{self, COMMITTED, JOURNAL, JOURNAL_NEW, Place, Standing, State, failed};
use super::stage::{self, Staging};
use super::{
    Act, Applied, ApplyError, Batch, BatchFault, Conflict, ConflictReason, Expected, StagedFile, durable,
    exchange, recover,
};
use crate::beneath;
use crate::ground::FileSystem;
use crate::journal::{ApplyId, ContentDigest, EntryKind, Journal, Move, PlaceKind, Shape};
use crate::path::WorkspacePath;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

/// One step, with its content wherever that comes from.
#[derive(Debug)]
pub(super) struct Intent<'a> {
    pub(super) path: WorkspacePath,
    pub(super) expected: Expected,
    pub(super) deed: Deed<'a>,
}

#[derive(Debug)]
pub(super) enum Deed<'a> {
    /// A copy of a staged content.
    Copy {
        from: BorrowedFd<'a>,
        file: StagedFile,
    },
    /// A link to these bytes.
    Link(Vec<u8>),
    Directory,
    /// What an earlier apply kept.
    Kept {
        from: BorrowedFd<'a>,
        number: usize,
        kind: EntryKind,
    },
    Leave,
    Mode(ModeWish),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum ModeWish {
    Executable(bool),
    Exactly(u32),
}

impl Deed<'_> {
    pub(super) fn puts_directory(&self) -> bool {
        match self {
            Self::Directory | Self::Kept { kind: EntryKind::Directory, .. } => true,
            Self::Copy { .. } | Self::Link(_) | Self::Kept { .. } | Self::Leave | Self::Mode(_) => false,
        }
    }
}

/// What one apply works on.
#[derive(Debug)]
pub(super) struct Work<'a> {
    pub(super) tree: BorrowedFd<'a>,
    pub(super) state: &'a State,
    pub(super) id: ApplyId,
    pub(super) undoes: Option<ApplyId>,
}

pub(super) fn conflict(path: &WorkspacePath, reason: ConflictReason) -> ApplyError {
    ApplyError::Conflicts(vec![Conflict { path: path.clone(), reason }])
}

/// The steps of a batch, in no order yet.
pub(super) fn intents<'a>(batch: &Batch<'a>) -> Result<Vec<Intent<'a>>, ApplyError> {
    batch
        .steps
        .iter()
        .map(|step| {
            let name_fault = || ApplyError::Batch { path: step.path.to_string(), fault: BatchFault::Name };
            let deed = match &step.act {
                Act::PutFile(file) => {
                    let name = WorkspacePath::new(file.name.clone());
                    if !name.is_ok_and(|name| name.parent().is_empty()) {
                        return Err(name_fault());
                    }
                    Deed::Copy { from: batch.staged, file: file.clone() }
                }
                Act::PutSymlink(target) if target.is_empty() || target.contains(&0) => {
                    return Err(name_fault());
                }
                Act::PutSymlink(target) => Deed::Link(target.clone()),
                Act::PutDirectory => Deed::Directory,
                Act::Remove => Deed::Leave,
                Act::SetExecutable(wanted) => Deed::Mode(ModeWish::Executable(*wanted)),
            };
            Ok(Intent { path: step.path.clone(), expected: step.expected.clone(), deed })
        })
        .collect()
}

/// Applies `intents`: all of them, or none.
pub(super) fn run(work: &Work<'_>, mut intents: Vec<Intent<'_>>) -> Result<Applied, ApplyError> {
    // 1. Everything is as expected.
    check::order(&mut intents)?;
    let found = check::check(work.tree, &intents)?;
    refuse_taken(work)?;
    // 2. and 3. What is to be put, and the journal, are on the disk.
    let (pending, place, journal) = match prepare(work, &intents, &found) {
        Ok(prepared) => prepared,
        Err(error) => {
            // The first error is the one worth telling; what could not be cleared is left for the recovery.
            place::clear(work.tree, work.state, work.id).or(Ok::<(), ApplyError>(()))?;
            return Err(error);
        }
    };
    // 4. to 6.
    let done = carry_out(work, &intents, pending.as_fd(), &place, &journal);
    let unsettled = |source| ApplyError::Unsettled { id: work.id, source: Box::new(source) };
    match done {
        Ok(()) => {}
        Err(cause) => {
            let taken_back = recover::take_back(work.tree, work.state, pending.as_fd(), &place, &journal);
            let left = taken_back.map_err(unsettled)?;
            return Err(if left.is_empty() {
                cause
            } else {
                ApplyError::Abandoned { id: work.id, left, source: Box::new(cause) }
            });
        }
    }
    recover::finish(work.tree, work.state, pending.as_fd(), &journal).map_err(unsettled)?;
    Ok(Applied { id: work.id })
}

fn refuse_taken(work: &Work<'_>) -> Result<(), ApplyError> {
    for standing in [Standing::Applied, Standing::Undone, Standing::Abandoned] {
        if work.state.open(standing, work.id)?.is_some() {
            return Err(ApplyError::IdTaken { id: work.id });
        }
    }
    Ok(())
}

/// Stages all entries and writes the journal; when this returns, both survive a loss of power.
fn prepare(
    work: &Work<'_>,
    intents: &[Intent<'_>],
    found: &[Found],
) -> Result<(OwnedFd, Place, Journal), ApplyError> {
    let name = Standing::Pending.name(work.id);
    rustix::fs::mkdirat(work.state.fd(), name, Mode::RWXU).map_err(failed("make"))?;
    let pending = work.state.open(Standing::Pending, work.id)?.ok_or(Errno::NOENT).map_err(failed("open"))?;
    let kind = Place::kind(work.tree, pending.as_fd())?;
    let place = Place::make(work.tree, pending.as_fd(), work.id, kind)?;
    try_exchange(place.fd())?;
    let flush_each = intents.len() <= durable::SINGLE_FLUSHES_MAX;
    let staging = Staging { place: place.fd(), flush_each };
    let mut moves = Vec::with_capacity(intents.len());
    for (number, (intent, found)) in intents.iter().zip(found).enumerate() {
        moves.push(Move { path: intent.path.clone(), shape: staging.stage(number, intent, found)? });
    }
    let root = beneath::stat_fd(work.tree).map_err(failed("look at"))?;
    let journal = Journal { id: work.id, undoes: work.undoes, root_inode: root.stx_ino, place: kind, moves };
    write_journal(pending.as_fd(), &journal)?;
    if flush_each {
        durable::one(&place.fd)?;
    } else {
        durable::file_system(place.fd())?;
    }
    rustix::fs::renameat_with(&pending, JOURNAL_NEW, &pending, JOURNAL, RenameFlags::NOREPLACE)
        .map_err(failed("mark"))?;
    durable::one(&pending)?;
    durable::one(work.state.fd())?;
    match kind {
        PlaceKind::State => {}
        PlaceKind::Tree => durable::root(work.tree)?,
    }
    Ok((pending, place, journal))
}

/// Writes the journal under the name that means nothing yet.
fn write_journal(pending: BorrowedFd<'_>, journal: &Journal) -> Result<(), ApplyError> {
    let bytes = journal.print().map_err(|source| ApplyError::Journal { id: journal.id, source })?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd =
        rustix::fs::openat(pending, JOURNAL_NEW, flags, Mode::RUSR | Mode::WUSR).map_err(failed("write"))?;
    beneath::write_all(&fd, &bytes).map_err(failed("write"))?;
    durable::one(&fd)
}

/// Whether two entries can change places on this file system, tried on two of our own.
fn try_exchange(place: BorrowedFd<'_>) -> Result<(), ApplyError> {
    let names = ["trial-a", "trial-b"];
    for name in names {
        rustix::fs::mkdirat(place, name, Mode::RWXU).map_err(failed("make"))?;
    }
    let [a, b] = names;
    match rustix::fs::renameat_with(place, a, place, b, RenameFlags::EXCHANGE) {
        Ok(()) => {}
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            let file_system = FileSystem::of(place).map_err(failed("look at"))?;
            return Err(ApplyError::NoExchange { file_system });
        }
        Err(source) => return Err(ApplyError::Place { act: "use", source }),
    }
    for name in names {
        rustix::fs::unlinkat(place, name, AtFlags::REMOVEDIR).map_err(failed("clear"))?;
    }
    Ok(())
}

/// Does every step, looks once more at all that came out, keeps it, and commits. An error leaves a journal whose
/// steps can be taken back.
fn carry_out(
    work: &Work<'_>,
    intents: &[Intent<'_>],
    pending: BorrowedFd<'_>,
    place: &Place,
    journal: &Journal,
) -> Result<(), ApplyError> {
    for (number, (step, intent)) in journal.moves.iter().zip(intents).enumerate() {
        let content = expected_content(&intent.expected);
        exchange::carry_out(work.tree, place.fd(), number, step, content)?;
    }
    // Whoever held an original open may have written into it while the others were exchanged.
    for (number, step) in journal.moves.iter().enumerate() {
        match &step.shape {
            Shape::Leave { before } | Shape::Exchange { before, .. } => {
                exchange::came_out(place.fd(), number, &step.path, before)?;
                if place.kind == PlaceKind::Tree {
                    keep(pending, place, number, &step.path)?;
                }
            }
            Shape::Enter { .. } | Shape::Mode { .. } => {}
        }
    }
    flush_tree(work.tree, journal)?;
    match place.kind {
        PlaceKind::State => durable::one(&place.fd)?,
        PlaceKind::Tree => durable::file_system(pending)?,
    }
    rustix::fs::renameat_with(pending, JOURNAL, pending, COMMITTED, RenameFlags::NOREPLACE)
        .map_err(failed("mark"))
}

/// Brings to the disk what the steps of `journal`, or their taking back, changed in the tree.
pub(super) fn flush_tree(tree: BorrowedFd<'_>, journal: &Journal) -> Result<(), ApplyError> {
    durable::parents(tree, journal.moves.iter().map(|step| &step.path))?;
    let modes = journal.moves.iter().filter(|step| matches!(step.shape, Shape::Mode { .. }));
    durable::files(tree, modes.map(|step| &step.path))
}

fn expected_content(expected: &Expected) -> Option<ContentDigest> {
    match expected {
        Expected::Missing => None,
        Expected::Present(seen) if seen.kind == EntryKind::File => seen.sha256,
        Expected::Present(_) => None,
    }
}

/// Copies what came out to where it is kept, in place of a copy that was cut off.
pub(super) fn keep(
    pending: BorrowedFd<'_>,
    place: &Place,
    number: usize,
    path: &WorkspacePath,
) -> Result<(), ApplyError> {
    let name = place::number_name(number);
    crate::discard::remove(pending, name.as_bytes()).map_err(ApplyError::Clear)?;
    stage::copy_entry(place.fd(), &name, pending, &name)
        .map_err(|source| ApplyError::Stage { path: path.clone(), source })?;
    Ok(())
}
