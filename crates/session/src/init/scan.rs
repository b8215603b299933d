//! The names in a directory and one level below it, within bounds. No link is followed and no file opened.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// The most names taken from one directory.
const NAMES_MAX: usize = 4_096;
/// The most directories looked into.
const DIRECTORIES_MAX: usize = 64;
/// Directories that hold what others made.
const PASSED_OVER: [&str; 8] = [".git", "node_modules", "target", "vendor", ".venv", "venv", "dist", "build"];

/// One name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    /// The directory that it is in; empty for the top.
    pub(super) parent: Vec<u8>,
    pub(super) name: Vec<u8>,
    pub(super) directory: bool,
}

impl Name {
    /// Relative to the top.
    pub(super) fn path(&self) -> Vec<u8> {
        let slash: &[u8] = if self.parent.is_empty() { b"" } else { b"/" };
        [&self.parent, slash, &self.name].concat()
    }
}

/// The names of `directory`, then those of its directories, each in order.
pub(super) fn names(directory: &Path) -> io::Result<Vec<Name>> {
    let mut names = listing(directory, &[])?;
    let below: Vec<Vec<u8>> = names
        .iter()
        .filter(|name| name.directory && PASSED_OVER.iter().all(|passed| passed.as_bytes() != name.name))
        .map(|name| name.name.clone())
        .take(DIRECTORIES_MAX)
        .collect();
    for name in below {
        let path = directory.join(std::ffi::OsStr::from_bytes(&name));
        // One that can't be read tells nothing.
        names.extend(listing(&path, &name).unwrap_or_default());
    }
    Ok(names)
}

fn listing(directory: &Path, parent: &[u8]) -> io::Result<Vec<Name>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory)?.take(NAMES_MAX) {
        let entry = entry?;
        let name: OsString = entry.file_name();
        let directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        names.push(Name { parent: parent.to_vec(), name: name.as_bytes().to_vec(), directory });
    }
    names.sort();
    Ok(names)
}
