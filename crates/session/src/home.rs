//! Furnishing the agent's home, at the first start: who the owner is to git, and the files that were asked for.
//!
//! A home that is there already is the agent's own and is left alone.

use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::handles::Handles;
use cofferdam_policy::authority::{Authority, HomeFile};
use cofferdam_policy::path::AbsPath;
use cofferdam_policy::presets::agents::{self, Carry};
use cofferdam_policy::presets::filter::Filter;
use cofferdam_workspace::git::owner::OwnerIdentity;
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::fs::{Gid, Mode, OFlags, ResolveFlags, Uid};
use rustix::io::Errno;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

/// The longest file that is copied into a home.
const FILE_BYTES_MAX: u64 = 16 << 20;

pub(crate) fn furnish(
    context: &Context,
    authority: &Authority,
    handles: &Handles,
    home: &Path,
    owner: Option<u32>,
) -> Result<(), Error> {
    if home.exists() {
        return crate::state::make_enterable(home);
    }
    // Made aside and renamed, so that a home that is there was furnished to the end.
    let partial = home.with_extension("new");
    crate::state::make_directory(&partial, owner)?;
    let root = crate::state::open_directory(&partial)?;
    let into = Furnishing { root: root.as_fd(), owner };
    let texts = git_configurations(context);
    // What git itself would not understand brings nothing; it is no reason not to start.
    let known = OwnerIdentity::from_texts(texts.iter().map(Vec::as_slice)).unwrap_or_default();
    let identity = OwnerIdentity { foreign: foreign(context, authority), ..known };
    into.file(Path::new(".gitconfig"), &identity.print())?;
    for file in &authority.home_files {
        let bytes = content(context, file)?;
        if let Ok(below) = file.target.as_path().strip_prefix(authority.identity.home.as_path()) {
            into.file(below, &bytes)?;
        }
    }
    for (below, text) in handles.login_files()? {
        into.file(below, text.as_bytes())?;
    }
    std::fs::rename(&partial, home).map_err(|error| {
        Error::new(ErrorKind::State, "cannot finish the session's home")
            .because(error)
            .hint("is the disk full? cofferdam doctor")
    })
}

/// The workspaces that belong to somebody else. To name one as a workspace is to mean it.
fn foreign(context: &Context, authority: &Authority) -> Vec<Vec<u8>> {
    let of_another =
        |path: &&AbsPath| std::fs::metadata(path.as_path()).is_ok_and(|found| found.uid() != context.uid);
    let workspaces = authority.workspaces.iter().map(|known| &known.path);
    workspaces.filter(of_another).map(|path| path.as_str().as_bytes().to_vec()).collect()
}

/// The texts of the owner's own git configuration, the later ones overriding.
fn git_configurations(context: &Context) -> Vec<Vec<u8>> {
    let config = context
        .variable("XDG_CONFIG_HOME")
        .map_or_else(|| context.home.as_path().join(".config"), PathBuf::from);
    [config.join("git/config"), context.home.as_path().join(".gitconfig")]
        .iter()
        .filter_map(|path| std::fs::read(path).ok())
        .collect()
}

/// What comes into the home of a file: all of it, or what its agent's filter keeps.
fn content(context: &Context, file: &HomeFile) -> Result<Vec<u8>, Error> {
    let cannot = |why: String| {
        Error::new(ErrorKind::Policy, format!("cannot bring {}", file.source))
            .since(why)
            .hint(format!("leave out --agent-home {}, or mend the file", file.of))
    };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let opened = rustix::fs::open(file.source.as_path(), flags, Mode::empty())
        .map_err(|errno| cannot(errno.to_string()))?;
    let mut bytes = Vec::new();
    std::fs::File::from(opened)
        .take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| cannot(error.to_string()))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(cannot(format!("it is longer than {FILE_BYTES_MAX} bytes")));
    }
    if !file.filtered {
        return Ok(bytes);
    }
    let text = String::from_utf8(bytes).map_err(|error| cannot(error.to_string()))?;
    let filter = filter(context, file).ok_or_else(|| cannot("there is no filter for it".into()))?;
    let filtered = filter.apply(&text).map_err(|error| cannot(error.to_string()))?;
    Ok(filtered.into_bytes())
}

/// The filter that the table has for this file.
fn filter(context: &Context, file: &HomeFile) -> Option<Filter> {
    let environment = |key: &str| context.variable(key).map(str::to_owned);
    agents::agent(&file.of)?.pieces.iter().find_map(|item| match item.carry {
        Carry::Filtered(filter) => {
            let path = item.piece.resolve(&context.home, &environment).ok()?;
            (path == file.source).then_some(filter)
        }
        Carry::Copy | Carry::CopyOnWrite => None,
    })
}

/// The home, beneath which files are made for `owner`.
struct Furnishing<'h> {
    root: BorrowedFd<'h>,
    owner: Option<u32>,
}

impl Furnishing<'_> {
    fn file(&self, below: &Path, bytes: &[u8]) -> Result<(), Error> {
        self.try_file(below, bytes).map_err(|errno| {
            Error::new(ErrorKind::State, format!("cannot write {} into the session's home", below.display()))
                .because(errno)
                .hint("is the disk full? cofferdam doctor")
        })
    }

    fn try_file(&self, below: &Path, bytes: &[u8]) -> Result<(), Errno> {
        let mut at = rustix::io::fcntl_dupfd_cloexec(self.root, 0)?;
        for component in below.parent().into_iter().flat_map(Path::components) {
            let Component::Normal(name) = component else { return Err(Errno::INVAL) };
            match rustix::fs::mkdirat(&at, name, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno),
            }
            at = beneath(&at, Path::new(name), OFlags::RDONLY | OFlags::DIRECTORY, 0)?;
            self.own(&at)?;
        }
        let name = Path::new(below.file_name().ok_or(Errno::INVAL)?);
        let file = beneath(&at, name, OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC, 0o600)?;
        self.own(&file)?;
        let mut rest = bytes;
        while !rest.is_empty() {
            let written = rustix::io::write(&file, rest)?;
            rest = rest.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    fn own(&self, file: &OwnedFd) -> Result<(), Errno> {
        match self.owner {
            Some(owner) => rustix::fs::fchown(file, Some(Uid::from_raw(owner)), Some(Gid::from_raw(owner))),
            None => Ok(()),
        }
    }
}

fn beneath(at: &OwnedFd, name: &Path, flags: OFlags, mode: u32) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    rustix::fs::openat2(at, name, flags | OFlags::CLOEXEC, Mode::from_raw_mode(mode), resolve)
}
