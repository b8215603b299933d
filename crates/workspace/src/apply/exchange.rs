//! Doing the steps of a journal: one rename each, and a look at what came out.
//!
//! What is not as expected is left for `back`, which knows from the place and the tree alone how far a step came.

use super::check::{kernel_error, open_parent};
use super::place::number_name;
use super::run::conflict;
use super::stage;
use super::{ApplyError, ConflictReason};
use crate::beneath::{self, Listing};
use crate::journal::{ContentDigest, EntryKind, Mark, Move, Shape};
use crate::path::WorkspacePath;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

/// Does the step `number`. `content` is what the file that comes out must hold, if that counts.
pub(super) fn carry_out(
    tree: BorrowedFd<'_>,
    place: BorrowedFd<'_>,
    number: usize,
    step: &Move,
    content: Option<ContentDigest>,
) -> Result<(), ApplyError> {
    let path = &step.path;
    let staged = number_name(number);
    let failed = |source| renamed_error(path, source);
    let parent = open_parent(tree, path).map_err(failed)?;
    let name = path.name();
    match &step.shape {
        Shape::Enter { .. } => {
            rustix::fs::renameat_with(place, staged, parent, name, RenameFlags::NOREPLACE).map_err(failed)
        }
        Shape::Leave { before } => {
            rustix::fs::renameat_with(&parent, name, place, staged.as_str(), RenameFlags::NOREPLACE)
                .map_err(failed)?;
            came_out(place, number, path, before)?;
            holds(place, &staged, path, content)
        }
        Shape::Exchange { before, .. } => {
            rustix::fs::renameat_with(&parent, name, place, staged.as_str(), RenameFlags::EXCHANGE)
                .map_err(failed)?;
            came_out(place, number, path, before)?;
            holds(place, &staged, path, content)
        }
        Shape::Mode { before, after_mode } => change_mode(parent.as_fd(), name, before, *after_mode)
            .map_err(failed)?
            .map_err(|reason| conflict(path, reason)),
    }
}

/// What a failed rename says of its path.
fn renamed_error(path: &WorkspacePath, source: Errno) -> ApplyError {
    match source {
        Errno::NOENT => conflict(path, ConflictReason::Gone),
        Errno::EXIST => conflict(path, ConflictReason::Appeared),
        Errno::NOTDIR | Errno::LOOP => conflict(path, ConflictReason::OtherKind),
        source => kernel_error(path, source),
    }
}

/// Gives the very file that is `before` another mode. The inner error is a conflict, with nothing changed that is the
/// owner's now.
pub(super) fn change_mode(
    parent: BorrowedFd<'_>,
    name: &[u8],
    before: &Mark,
    mode: u32,
) -> Result<Result<(), ConflictReason>, Errno> {
    let fd = beneath::open_same_mount(parent, name, OFlags::PATH)?;
    if !before.is(&beneath::stat_fd(&fd)?) {
        return Ok(Err(ConflictReason::Changed));
    }
    // A descriptor without rights still names this very file, which no link can take the place of.
    let link = format!("/proc/self/fd/{}", fd.as_raw_fd());
    rustix::fs::chmodat(CWD, link, Mode::from_raw_mode(mode), AtFlags::empty())?;
    let there = beneath::stat_name(parent, name)?;
    Ok(match there {
        Some(stat) if before.with_mode(mode).is(&stat) => Ok(()),
        Some(_) => Err(ConflictReason::Changed),
        None => Err(ConflictReason::Gone),
    })
}

/// Whether the entry `number` of the place is what was expected to come out.
pub(super) fn came_out(
    place: BorrowedFd<'_>,
    number: usize,
    path: &WorkspacePath,
    before: &Mark,
) -> Result<(), ApplyError> {
    let name = number_name(number);
    let stat = beneath::stat_name(place, name.as_bytes()).map_err(|source| kernel_error(path, source))?;
    let Some(stat) = stat else { return Err(conflict(path, ConflictReason::Gone)) };
    if !before.is(&stat) {
        return Err(conflict(path, ConflictReason::Changed));
    }
    if before.kind == EntryKind::Directory
        && !is_empty(place, &name).map_err(|source| kernel_error(path, source))?
    {
        return Err(conflict(path, ConflictReason::NotEmpty));
    }
    Ok(())
}

pub(super) fn is_empty(place: BorrowedFd<'_>, name: &str) -> Result<bool, Errno> {
    let fd = beneath::open_directory(place, name.as_bytes())?;
    match Listing::new().read::<Errno>(fd.as_fd(), |_, _| Err(Errno::NOTEMPTY)) {
        Ok(()) => Ok(true),
        Err(Errno::NOTEMPTY) => Ok(false),
        Err(errno) => Err(errno),
    }
}

fn holds(
    place: BorrowedFd<'_>,
    staged: &str,
    path: &WorkspacePath,
    content: Option<ContentDigest>,
) -> Result<(), ApplyError> {
    let Some(content) = content else { return Ok(()) };
    let failed = |source| kernel_error(path, source);
    let file = stage::open_file(place, staged.as_bytes()).map_err(failed)?;
    match file {
        Some(file) if stage::digest(&file).map_err(failed)? == content => Ok(()),
        Some(_) | None => Err(conflict(path, ConflictReason::Changed)),
    }
}
