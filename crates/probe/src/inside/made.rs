//! Directories of the owner's home that a measurement makes, and that the last one to use them takes away.
//!
//! A mark in each tells that it is nobody's, also to another measurement at the same time: who removes the last mark
//! removes the directory. Each planting has marks of its own (`by`).

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::plants::{Plant, Plants};

const MARK_PREFIX: &str = ".cofferdam-probe-made-";
const MODE: u32 = 0o700;

/// Makes a directory that isn't there, and marks what nobody but a measurement made.
///
/// # Errors
/// The mark can't be made. A directory that can't be made or looked into is the owner's, and what goes for it says so.
pub(super) fn make(directory: &Path, plants: &Plants, by: &str) -> io::Result<()> {
    if DirBuilder::new().mode(MODE).create(directory).is_ok() || is_marked(directory) {
        File::create(mark(directory, plants, by)?)?;
    }
    Ok(())
}

/// Takes the mark away, and the directory if it was the last one and nothing else is in it.
///
/// # Errors
/// A mark that is there can't be removed.
pub(super) fn unmake(directory: &Path, plants: &Plants, by: &str) -> io::Result<()> {
    let unmarked = fs::remove_file(mark(directory, plants, by)?);
    if unmarked.is_ok() {
        // One that others have put something into meanwhile stays.
        drop(fs::remove_dir(directory));
    }
    gone(unmarked)
}

/// What isn't there needs no removing, nor what this user may not look for.
pub(super) fn gone(removed: io::Result<()>) -> io::Result<()> {
    use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    match removed {
        Err(error) if [NotFound, NotADirectory, PermissionDenied].contains(&error.kind()) => Ok(()),
        other => other,
    }
}

fn mark(directory: &Path, plants: &Plants, by: &str) -> io::Result<PathBuf> {
    let tag = plants.text(Plant::Tag).map_err(io::Error::other)?;
    Ok(directory.join(format!("{MARK_PREFIX}{tag}-{by}")))
}

fn is_marked(directory: &Path) -> bool {
    let mut names = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.file_name());
    names.any(|name| name.to_string_lossy().starts_with(MARK_PREFIX))
}
