//! `cofferdam init`: a commented policy for a directory, from what its names tell.
//!
//! Only names are read, at the top and one level down, within bounds; no file is opened and nothing is run. What it
//! suggests is written on the owner's side, where it can be changed; nothing that is there is overwritten unasked.

mod found;
mod scan;
mod text;

pub use found::{Finding, FindingKind};

use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::policies::{Policies, shown};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use serde::Serialize;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// A policy that could be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InitPlan {
    /// Where it goes.
    pub path: PathBuf,
    /// The whole file.
    pub text: String,
    /// What it was made from.
    pub found: Vec<Finding>,
}

/// Looks at `directory` (its canonical path) and writes a policy for it, in memory.
///
/// # Errors
/// [`ErrorKind::Workspace`] if the directory can't be listed or its path can't be shown.
pub fn plan(context: &Context, directory: &Path) -> Result<InitPlan, Error> {
    let path = Policies::of(context).place(directory)?;
    let names = scan::names(directory).map_err(|error| {
        Error::new(ErrorKind::Workspace, format!("cannot list {}", shown(directory)))
            .because(error)
            .hint("name a directory that you can read")
    })?;
    let found = found::findings(context, &names);
    Ok(InitPlan { path, text: text::policy(directory, &found), found })
}

/// Writes the policy; on disk when it returns. An existing one stays, unless `overwrite` says otherwise.
///
/// # Errors
/// [`ErrorKind::Policy`] if there is one already, [`ErrorKind::State`] if it can't be written.
pub fn write(plan: &InitPlan, overwrite: bool) -> Result<(), Error> {
    let failed = |errno: Errno| {
        Error::new(ErrorKind::State, format!("cannot write the policy {}", shown(&plan.path)))
            .because(errno)
            .hint("set XDG_CONFIG_HOME to a directory that you can write")
    };
    let parent = plan.path.parent().unwrap_or(Path::new("/"));
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(parent)
        .map_err(|error| failed(error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error)))?;
    let temporary = plan.path.with_extension(format!("toml.{}", rustix::process::getpid().as_raw_nonzero()));
    let placed = write_new(&temporary, plan.text.as_bytes()).and_then(|()| {
        let flags = if overwrite { RenameFlags::empty() } else { RenameFlags::NOREPLACE };
        rustix::fs::renameat_with(CWD, &temporary, CWD, &plan.path, flags)?;
        let directory =
            rustix::fs::open(parent, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::fs::fsync(&directory)
    });
    match placed {
        Ok(()) => Ok(()),
        Err(errno) => {
            // The first error is the one worth telling.
            let _gone = rustix::fs::unlinkat(CWD, &temporary, AtFlags::empty()).is_ok();
            Err(if errno == Errno::EXIST { exists(&plan.path) } else { failed(errno) })
        }
    }
}

fn write_new(path: &Path, mut bytes: &[u8]) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file: OwnedFd = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?;
    while !bytes.is_empty() {
        let written = rustix::io::retry_on_intr(|| rustix::io::write(&file, bytes))?;
        bytes = bytes.get(written..).unwrap_or_default();
    }
    rustix::fs::fsync(&file)
}

fn exists(path: &Path) -> Error {
    Error::new(ErrorKind::Policy, "cannot write a policy for this directory")
        .since("there is one already")
        .hint(format!("edit {}, or replace it: cofferdam init --overwrite", shown(path)))
}

#[cfg(test)]
mod tests;
