//! The host's programs and libraries, as the cell shows them: from the tables of `policy` to what is really there.
//!
//! The cell's `/etc` is put together once, in the owner's state directory, and shared by all sessions until one of
//! the files that it was made of changes; what is a session's own is linked to. Only regular files that everybody
//! may read are taken, and no link is followed out of `/usr` and `/etc`.

mod directory;
mod etc;
mod keystore;
mod seen;
mod trust;

pub(crate) use etc::OWN_PLACE;

use crate::error::{Error, ErrorKind};
use crate::state::{self, State};
use cofferdam_policy::authority::Identity;
use cofferdam_policy::layout::System;
use cofferdam_policy::net::grant::Grant;
use cofferdam_policy::path::AbsPath;
use cofferdam_policy::presets::{network, system};
use rustix::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The file in [`State::authority`].
pub(crate) const AUTHORITY_CERTIFICATE: &str = "certificate.pem";
/// The longest such certificate, in bytes.
const AUTHORITY_BYTES_MAX: usize = 16 << 10;

/// What a cell shows of the host's programs and libraries.
pub(crate) fn look() -> System {
    let mut found = System::default();
    for directory in system::DIRECTORIES {
        if is_directory(Path::new(directory)) {
            found.directories.extend(AbsPath::new(directory));
        }
    }
    for path in system::MERGED {
        match std::fs::read_link(path) {
            Ok(to) => {
                let link = AbsPath::new(path).ok().zip(to.to_str().map(str::to_owned));
                found.links.extend(link);
            }
            Err(_) if is_directory(Path::new(path)) => found.directories.extend(AbsPath::new(path)),
            Err(_) => {}
        }
    }
    for name in ["online", "possible", "present"] {
        let path = AbsPath::new(Path::new("/sys/devices/system/cpu").join(name)).ok();
        found.made.extend(path.map(|path| (path, cpus())));
    }
    found
}

/// The directory that a cell for this identity has as `/etc`. `authority` is the certificate, as text, of the authority
/// that its programs are to trust beside the host's.
///
/// # Errors
/// [`ErrorKind::State`] if it can't be made.
pub(crate) fn etc(state: &State, identity: &Identity, authority: Option<Vec<u8>>) -> Result<AbsPath, Error> {
    let subject = etc::Parts::subject(identity, authority.as_deref());
    let known = seen::recall(&state.etc(), &subject).map(|name| state.etc().join(name));
    let path = match known.filter(|path| path.exists()) {
        Some(path) => path,
        None => {
            let parts = etc::Parts::look(authority.clone());
            let path = shared_etc(state, &parts, identity)?;
            let seen = seen::Seen::at(parts.witnesses());
            // What changed before it was seen shows when it is looked at once more; what changes after, in the note.
            if etc::Parts::look(authority).key() == parts.key()
                && let Some(name) = path.file_name().and_then(|name| name.to_str())
            {
                // Without the note the next start puts all of it together again.
                let _noted = seen.note(&state.etc(), &subject, name).is_ok();
            }
            path
        }
    };
    AbsPath::new(path).map_err(|error| cannot(&error))
}

/// The certificate of the owner's authority, as text; `None` while there is none.
///
/// # Errors
/// [`ErrorKind::State`] if it is there and can't be read.
pub(crate) fn authority(state: &State) -> Result<Option<Vec<u8>>, Error> {
    match std::fs::read(state.authority().join(AUTHORITY_CERTIFICATE)) {
        Ok(text) if text.len() <= AUTHORITY_BYTES_MAX => Ok(Some(text)),
        Ok(_) => Err(cannot(&"the authority's certificate is too long")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(cannot(&error)),
    }
}

/// The files that are a session's own; `seed` is too, and the hosts of `grants` are those that git reaches by HTTPS alone.
///
/// # Errors
/// [`ErrorKind::State`] for a name that no machine can have.
pub(crate) fn names(hostname: &str, seed: &str, grants: &[Grant]) -> Result<Vec<(AbsPath, String)>, Error> {
    let known = system::hosts(hostname).map_err(|error| cannot(&error))?;
    let texts = [format!("{hostname}\n"), known, system::machine_id(seed), network::gitconfig(grants)];
    let place =
        |name: &str| AbsPath::new(Path::new(etc::OWN_PLACE).join(name)).map_err(|error| cannot(&error));
    etc::OWN.into_iter().zip(texts).map(|(name, text)| Ok((place(name)?, text))).collect()
}

fn cannot(error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::State, "cannot put the cell's /etc together")
        .since(error.to_string())
        .hint("is the disk full? cofferdam doctor")
}

/// The part that all sessions share, under a name that tells what is in it, and nothing else does.
fn shared_etc(state: &State, parts: &etc::Parts, identity: &Identity) -> Result<PathBuf, Error> {
    // Made aside and renamed, so that of two sessions that come first neither finds half of it.
    let partial = state.etc().join(format!("new.{}", rustix::process::getpid().as_raw_nonzero()));
    let clear = || {
        let parent = state::open_directory(&state.etc())?;
        let name = partial.file_name().unwrap_or_default();
        cofferdam_workspace::discard::remove(parent.as_fd(), name.as_bytes()).map_err(|error| cannot(&error))
    };
    // One that had this process's id before may have been killed at it.
    if partial.exists() {
        clear()?;
    }
    std::fs::create_dir(&partial).map_err(|error| cannot(&error))?;
    let path = parts
        .make(identity, &partial)
        .and_then(|()| etc::digest(&partial))
        .map(|name| state.etc().join(name));
    if let Ok(path) = &path
        && !path.exists()
        && std::fs::rename(&partial, path).is_ok()
    {
        return Ok(path.clone());
    }
    // What is there already is the same; half of it would take up the room that is missing.
    clear()?;
    let path = path.map_err(|error| cannot(&error))?;
    if path.exists() { Ok(path) } else { Err(cannot(&"it can't be renamed")) }
}

/// The machine's processors, which `/proc/cpuinfo` shows anyway.
fn cpus() -> String {
    std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_else(|_| "0\n".into())
}

fn is_directory(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}
