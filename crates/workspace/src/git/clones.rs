//! Repositories that a tool keeps for itself (a package manager's checkouts, a version manager's plugins): shown as a
//! workspace's are, without credentials.
//!
//! Where they lie is the caller's knowledge; nothing else of the tool's directory is looked at.

use super::{directory, traces};
use crate::beneath::{self, Listing};
use crate::path::{WorkspacePath, joined};
use crate::veil::VeilPlan;
use directory::DirectoryError;
use rustix::fd::{AsFd as _, BorrowedFd};
use rustix::fs::FileType;

/// The most directories on one level of a tool's.
const ENTRIES_MAX: usize = 10_000;

/// Adds to `plan` what the clones at `pattern` (`checkouts/*/*`; a star stands for one name) below `root` need. One that
/// can't be made safe is hidden whole, and so is a directory of which it can't be told what lies in it.
///
/// # Errors
/// [`DirectoryError`] for a name that can't be used.
pub fn cover(root: BorrowedFd<'_>, pattern: &str, plan: &mut VeilPlan) -> Result<(), DirectoryError> {
    let mut places = vec![Vec::new()];
    for part in pattern.split('/') {
        let mut below = Vec::new();
        for place in places {
            match part {
                "*" => below.extend(directories(root, &place, plan)?),
                name => below.push(joined(&place, name.as_bytes())),
            }
        }
        places = below;
    }
    places.iter().try_for_each(|place| one(root, place, plan))
}

fn directories(
    root: BorrowedFd<'_>,
    path: &[u8],
    plan: &mut VeilPlan,
) -> Result<Vec<Vec<u8>>, DirectoryError> {
    let Ok(fd) = beneath::open_directory(root, path) else { return Ok(Vec::new()) };
    let Ok(entries) = Listing::new().sorted(fd.as_fd(), ENTRIES_MAX) else {
        plan.hide(WorkspacePath::new(path)?);
        return Ok(Vec::new());
    };
    let directories = entries.iter().filter(|(_, kind)| *kind == FileType::Directory);
    Ok(directories.map(|(name, _)| joined(path, name.to_bytes())).collect())
}

fn one(root: BorrowedFd<'_>, place: &[u8], plan: &mut VeilPlan) -> Result<(), DirectoryError> {
    let git = joined(place, b".git");
    let (git, is_bare) = match beneath::open_directory(root, &git) {
        Ok(_) => (git, false),
        Err(_) => (place.to_vec(), true),
    };
    let Ok(fd) = beneath::open_directory(root, &git) else { return Ok(()) };
    // A directory without a head is no repository, and git takes nothing in it for a configuration.
    if is_bare && beneath::stat_name(&fd, b"HEAD").ok().flatten().is_none() {
        return Ok(());
    }
    let mut covered = plan.clone();
    if directory::cover(fd.as_fd(), &git, &mut covered).is_ok() {
        *plan = covered;
    } else {
        plan.hide(WorkspacePath::new(git)?);
    }
    if is_bare { Ok(()) } else { traces::cover_work_tree(root, place, plan) }
}
