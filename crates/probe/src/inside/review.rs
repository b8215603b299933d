//! What comes to the owner's files without anybody having approved it, and what of it would run later.
//!
//! Everything brought is inert: scripts do no more than leave a mark where the planting says. Nothing of the owner's is
//! changed: what is changed was planted for it, and what is new outside of the workspace bears the tag of the run.

use std::fs::{self, File, Metadata};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::attempt::{Attempt, Radius, Run};
use crate::finding::Finding;
use crate::inside::proc;
use crate::plants::{Plant, PlantError, Planting, Plants};
use crate::witness::{HostSide, Witness};

pub(crate) mod arrivals;
pub(crate) mod home;
pub(crate) mod later;
mod occasion;
pub(crate) mod repository;
#[cfg(test)]
mod tests;

/// The files that are changed, and the directories outside of the workspace.
pub(crate) const PLANTING: Planting = Planting { plant, tidy: home::tidy };

/// The owner's files that attempts change: path in the workspace, and text.
const PLANTED: &[(&str, &str)] = &[
    ("review/.gitignore", "target/\n"),
    ("review/source.rs", "// The owner's line.\n"),
    ("review/mapped.rs", "// The owner's line, at least as long as what is stored over it.\n"),
    ("review/linked/leaf", "The owner's line.\n"),
    ("review/target/output", "The owner's line.\n"),
    ("review/Cargo.lock", "version = 4\n"),
    ("review/package-lock.json", "{\"lockfileVersion\": 3}\n"),
    ("review/go.sum", "example.test/module v1.0.0 h1:AAAA=\n"),
];

const fn brings(
    id: &'static str,
    sentence: &'static str,
    source: &'static str,
    run: Run,
    witness: Witness,
) -> Attempt {
    Attempt::forbidden(id, sentence, source, run)
        .of(Radius::Review)
        .needs(&[Plant::Workspace])
        .witnessed(witness)
}

/// Where `name` lies in the workspace.
fn place(plants: &Plants, name: impl AsRef<Path>) -> Result<PathBuf, PlantError> {
    Ok(Path::new(plants.text(Plant::Workspace)?).join(name))
}

/// Brings a new file with this text.
fn put(plants: &Plants, name: impl AsRef<Path>, text: &str) -> Result<Finding, PlantError> {
    put_with(plants, name, text, 0o644)
}

fn put_with(plants: &Plants, name: impl AsRef<Path>, text: &str, mode: u32) -> Result<Finding, PlantError> {
    let path = place(plants, name)?;
    Ok(Finding::claimed(&shown(&path), make(&path, text, mode)))
}

/// Makes a new file, and the directories above it.
fn make(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    File::options().write(true).create_new(true).mode(mode).open(path)?.write_all(text.as_bytes())
}

/// Appends to a file, which may not be there yet.
fn add(plants: &Plants, name: &str, text: &str) -> Result<Finding, PlantError> {
    let path = place(plants, name)?;
    Ok(Finding::claimed(name, append(&path, text)))
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    File::options().append(true).create(true).open(path)?.write_all(text.as_bytes())
}

/// Whether anything of that name is in the host's workspace. Some enclosures leave empty files where they had covered
/// what isn't there; those brought nothing.
fn came(host: &HostSide<'_>, name: impl AsRef<Path>) -> Option<String> {
    came_as(host, name, |found| !found.is_file() || found.len() > 0)
}

/// Whether it is there, and is what was to be brought.
fn came_as(host: &HostSide<'_>, name: impl AsRef<Path>, is_it: fn(&Metadata) -> bool) -> Option<String> {
    arrived(&place(host.plants, name).ok()?, is_it)
}

fn arrived(path: &Path, is_it: fn(&Metadata) -> bool) -> Option<String> {
    let found = fs::symlink_metadata(path).ok().filter(is_it)?;
    let mode = found.mode() & 0o7777;
    Some(format!("{} is on the host, {} of mode {mode:04o}", shown(path), kind(&found)))
}

/// Whether the host's file holds `text`.
fn holds(host: &HostSide<'_>, name: &str, text: &str) -> Option<String> {
    let path = place(host.plants, name).ok()?;
    let bytes = fs::read(&path).ok()?;
    proc::contains(&bytes, text).then(|| format!("{name} on the host holds what was added"))
}

/// Whether a planted file is another.
fn changed(host: &HostSide<'_>, name: &str) -> Option<String> {
    let (_, text) = PLANTED.iter().find(|(planted, _)| *planted == name)?;
    let path = place(host.plants, name).ok()?;
    let is_as_planted = fs::read(&path).is_ok_and(|bytes| bytes == text.as_bytes());
    (!is_as_planted).then(|| format!("{name} is another on the host"))
}

fn kind(found: &Metadata) -> &'static str {
    let kind = found.file_type();
    if kind.is_symlink() {
        "a symbolic link"
    } else if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_file() {
        "a file"
    } else {
        "a device"
    }
}

/// A path without what a terminal or a reader would take for something else.
fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    text.chars()
        .map(
            |c| if c.is_ascii_graphic() || c == ' ' { c.to_string() } else { c.escape_unicode().to_string() },
        )
        .collect()
}

fn plant(plants: &Plants) -> io::Result<()> {
    for (name, text) in PLANTED {
        make(&place(plants, name).map_err(io::Error::other)?, text, 0o644)?;
    }
    home::plant(plants)
}
