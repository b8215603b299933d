//! The programs that this one starts: they lie beside it, of one version with it.

use crate::error::{Error, ErrorKind};
use std::path::{Path, PathBuf};

/// The launcher of cells.
pub(crate) const LAUNCHER: &str = "cofferdam-cell";

/// What mends a program that is missing, or is another version's.
pub(crate) const SIDE_BY_SIDE: &str =
    "install cofferdam, cofferdam-cell and cofferdam-gateway of one version side by side";

/// Where the program of this name is, beside `program`.
///
/// # Errors
/// [`ErrorKind::State`] if it is not there.
pub(crate) fn beside(program: &Path, name: &str) -> Result<PathBuf, Error> {
    let path = program.parent().unwrap_or(Path::new("/")).join(name);
    if path.is_file() {
        return Ok(path);
    }
    Err(Error::new(ErrorKind::State, format!("cannot find the program {name}"))
        .since(format!("{} is not there", path.display()))
        .hint(SIDE_BY_SIDE))
}
