//! Taking an apply back: a batch made from its record, whose contents are the originals that it kept.
//!
//! What was applied is recognised by its content, not by inode or time: so applies are undone in any order, and what
//! others did to other paths does not matter. It changes nothing itself.

use super::check::{Refusal, kernel_error, open_parent};
use super::place::{self, COMMITTED, Standing, State};
use super::run::{self, Deed, Intent, ModeWish, Work};
use super::stage;
use super::{Applied, ApplyError, Conflict, ConflictReason, Expected, Seen};
use crate::beneath;
use crate::journal::{ApplyId, Content, ContentDigest, EntryKind, Mark, Move, Shape};
use crate::path::WorkspacePath;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::io::Errno;

/// Makes the paths of the apply `undone` as they were before it, and is itself the apply `id`, which is new and random.
///
/// # Errors
/// [`ApplyError::Conflicts`] names every path that is not as that apply left it; otherwise as [`super::apply`].
pub fn undo(
    tree: BorrowedFd<'_>,
    state: BorrowedFd<'_>,
    undone: ApplyId,
    id: ApplyId,
) -> Result<Applied, ApplyError> {
    let state = State::lock(state)?;
    state.refuse_pending()?;
    let Some(record) = state.open(Standing::Applied, undone)? else {
        return Err(match state.open(Standing::Undone, undone)? {
            Some(_) => ApplyError::AlreadyUndone { id: undone },
            None => ApplyError::Unknown { id: undone },
        });
    };
    let journal =
        place::read_journal(record.as_fd(), COMMITTED, undone)?.ok_or(ApplyError::Unknown { id: undone })?;
    let mut intents = Vec::with_capacity(journal.moves.len());
    let mut conflicts = Vec::new();
    for (number, step) in journal.moves.iter().enumerate() {
        match inverse(tree, record.as_fd(), number, step) {
            Ok(intent) => intents.push(intent),
            Err(Refusal::Conflict(reason)) => conflicts.push(Conflict { path: step.path.clone(), reason }),
            Err(Refusal::Error(source)) => return Err(kernel_error(&step.path, source)),
        }
    }
    if !conflicts.is_empty() {
        return Err(ApplyError::Conflicts(conflicts));
    }
    run::run(&Work { tree, state: &state, id, undoes: Some(undone) }, intents)
}

/// A path that an apply or undo wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutPath {
    /// Where.
    pub path: WorkspacePath,
    /// Of the file that was put there; nothing for all else.
    pub content: Option<ContentDigest>,
}

/// What the apply (or undo) `id`, which stands, wrote.
///
/// # Errors
/// [`ApplyError::Unknown`], [`ApplyError::Place`], [`ApplyError::Journal`].
pub fn put_by(state: BorrowedFd<'_>, id: ApplyId) -> Result<Vec<PutPath>, ApplyError> {
    let record = match beneath::open_directory(state, Standing::Applied.name(id).as_bytes()) {
        Ok(record) => record,
        Err(Errno::NOENT) => return Err(ApplyError::Unknown { id }),
        Err(source) => return Err(ApplyError::Place { act: "open", source }),
    };
    let journal = place::read_journal(record.as_fd(), COMMITTED, id)?.ok_or(ApplyError::Unknown { id })?;
    let put = journal.moves.into_iter().map(|step| {
        let content = match step.shape {
            Shape::Enter { content: Content::File(digest), .. }
            | Shape::Exchange { content: Content::File(digest), .. } => Some(digest),
            Shape::Enter { .. } | Shape::Exchange { .. } | Shape::Leave { .. } | Shape::Mode { .. } => None,
        };
        PutPath { path: step.path, content }
    });
    Ok(put.collect())
}

fn inverse<'a>(
    tree: BorrowedFd<'_>,
    record: BorrowedFd<'a>,
    number: usize,
    step: &Move,
) -> Result<Intent<'a>, Refusal> {
    let kept = |before: &Mark| Deed::Kept { from: record, number, kind: before.kind };
    let (expected, deed) = match &step.shape {
        Shape::Enter { after, content } => {
            (Expected::Present(still(tree, step, after.mode, content)?), Deed::Leave)
        }
        Shape::Leave { before } => (Expected::Missing, kept(before)),
        Shape::Exchange { before, after, content } => {
            (Expected::Present(still(tree, step, after.mode, content)?), kept(before))
        }
        Shape::Mode { before, after_mode } => {
            let (seen, mode) = there(tree, step)?;
            if mode != *after_mode || seen.kind != EntryKind::File {
                return Err(Refusal::Conflict(ConflictReason::Changed));
            }
            (Expected::Present(seen), Deed::Mode(ModeWish::Exactly(before.mode)))
        }
    };
    Ok(Intent { path: step.path.clone(), expected, deed })
}

/// What lies at the step's path, and its mode.
fn there(tree: BorrowedFd<'_>, step: &Move) -> Result<(Seen, u32), Refusal> {
    let parent = match open_parent(tree, &step.path) {
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
            return Err(Refusal::Conflict(ConflictReason::Gone));
        }
        opened => opened?,
    };
    let stat = beneath::stat_name(parent, step.path.name())?;
    let stat = stat.ok_or(Refusal::Conflict(ConflictReason::Gone))?;
    let seen = Seen::of(&stat).ok_or(Refusal::Conflict(ConflictReason::Special))?;
    Ok((seen, beneath::permissions(&stat)))
}

/// What lies at the step's path, if it is what the apply put there.
fn still(tree: BorrowedFd<'_>, step: &Move, mode: u32, content: &Content) -> Result<Seen, Refusal> {
    let (mut seen, mode_now) = there(tree, step)?;
    let parent = open_parent(tree, &step.path)?;
    let unchanged = match (content, seen.kind) {
        (Content::File(digest), EntryKind::File) => {
            let file = stage::open_file(parent.as_fd(), step.path.name())?;
            let file = file.ok_or(Refusal::Conflict(ConflictReason::OtherKind))?;
            seen.sha256 = Some(*digest);
            stage::digest(&file)? == *digest && mode_now & 0o111 == mode & 0o111
        }
        (Content::Symlink(target), EntryKind::Symlink) => {
            rustix::fs::readlinkat(parent, step.path.name(), Vec::new())?.as_bytes() == target.0
        }
        (Content::Directory, EntryKind::Directory) => true,
        (Content::File(_) | Content::Symlink(_) | Content::Directory, _) => {
            return Err(Refusal::Conflict(ConflictReason::OtherKind));
        }
    };
    if unchanged { Ok(seen) } else { Err(Refusal::Conflict(ConflictReason::Changed)) }
}
