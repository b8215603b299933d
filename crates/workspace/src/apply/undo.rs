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

/// A path that an apply or undo wrote, and what it left there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutPath {
    /// Where.
    pub path: WorkspacePath,
    shape: Shape,
}

impl PutPath {
    /// Of the file that was put there; nothing for all else.
    #[must_use]
    pub fn content(&self) -> Option<ContentDigest> {
        match &self.shape {
            Shape::Enter { content: Content::File(digest), .. }
            | Shape::Exchange { content: Content::File(digest), .. } => Some(*digest),
            Shape::Enter { .. } | Shape::Exchange { .. } | Shape::Leave { .. } | Shape::Mode { .. } => None,
        }
    }

    /// Whether what was left there lies there still. If it was cut off before this is asked, the owner had time to edit.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn lies_in(&self, tree: BorrowedFd<'_>) -> Result<bool, Errno> {
        let Some(stat) = beneath::stat_path(tree, self.path.as_bytes())? else { return Ok(false) };
        match &self.shape {
            Shape::Enter { after, content } | Shape::Exchange { after, content, .. } => {
                Ok(after.is(&stat) && self.holds(tree, content)?)
            }
            // Whatever is there came later.
            Shape::Leave { .. } => Ok(false),
            Shape::Mode { before, after_mode } => Ok(before.with_mode(*after_mode).is(&stat)),
        }
    }

    fn holds(&self, tree: BorrowedFd<'_>, content: &Content) -> Result<bool, Errno> {
        let parent = match open_parent(tree, &self.path) {
            Ok(parent) => parent,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(false),
            Err(errno) => return Err(errno),
        };
        let name = self.path.name();
        match content {
            Content::File(digest) => match stage::open_file(parent.as_fd(), name)? {
                Some(file) => Ok(stage::digest(&file)? == *digest),
                None => Ok(false),
            },
            // Its number may be that of another link, made since.
            Content::Symlink(target) => match rustix::fs::readlinkat(parent, name, Vec::new()) {
                Ok(found) => Ok(found.as_bytes() == target.0),
                Err(Errno::NOENT | Errno::INVAL) => Ok(false),
                Err(errno) => Err(errno),
            },
            Content::Directory => Ok(true),
        }
    }
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
    Ok(journal.moves.into_iter().map(|step| PutPath { path: step.path, shape: step.shape }).collect())
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
            // The mode of another file, which the owner put there since, is the owner's.
            let same = seen.kind == EntryKind::File && seen.inode == before.inode();
            if mode != *after_mode || !same {
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
