//! Where the owner's policies live, and reading one of them.
//!
//! `$XDG_CONFIG_HOME/cofferdam/policies/KEY.toml`, one for each directory: a place that no agent can write. Only
//! exactly this directory's policy is found, never that of a directory above. Whether what a policy asks for can
//! be had is not known here.

use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::terminal::visible_within;
use cofferdam_policy::path::AbsPath;
use cofferdam_policy::wish::{WISH_BYTES_MAX, Wish, WishError};
use rustix::fd::{AsRawFd as _, OwnedFd};
use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The longest readable key, in bytes; a name of a file may have 255.
const KEY_BYTES_MAX: usize = 200;
/// How much of a parser's complaint is shown, in columns.
const COMPLAINT_COLUMNS_MAX: usize = 400;
/// Write permission for others than the owner.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// The owner's policies.
#[derive(Debug, Clone)]
pub struct Policies {
    directory: PathBuf,
    uid: u32,
}

/// A policy that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFile {
    /// The file.
    pub path: PathBuf,
    /// What it asks for and denies.
    pub wish: Wish,
}

impl Policies {
    /// Those of this owner.
    #[must_use]
    pub fn of(context: &Context) -> Self {
        Self { directory: context.config.as_path().join("policies"), uid: context.uid }
    }

    /// Where the policy of `directory` lies, whether there is one or not.
    ///
    /// # Errors
    /// [`ErrorKind::Workspace`] for a path that can't be shown.
    pub fn place(&self, directory: &Path) -> Result<PathBuf, Error> {
        let directory = AbsPath::new(directory).map_err(|error| {
            Error::new(ErrorKind::Workspace, "cannot look for the policy of this directory")
                .because(error)
                .hint("start in a directory with a plain path")
        })?;
        Ok(self.directory.join(format!("{}.toml", key(&directory))))
    }

    /// The policy of `directory` (its canonical path), if there is one.
    ///
    /// # Errors
    /// [`ErrorKind::Policy`] if there is one that can't be taken.
    pub fn find(&self, directory: &Path) -> Result<Option<PolicyFile>, Error> {
        let path = self.place(directory)?;
        match open(&path) {
            Ok(fd) => self.take(path, &fd).map(Some),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(not_opened(&path, errno)),
        }
    }

    /// The policy that the owner named, which must not lie where a session could write.
    ///
    /// # Errors
    /// [`ErrorKind::Policy`] if it can't be taken.
    pub fn read(&self, path: &Path, workspaces: &[AbsPath]) -> Result<PolicyFile, Error> {
        let fd = open(path).map_err(|errno| not_opened(path, errno))?;
        if let Some(workspace) = enclosing(&fd, workspaces).map_err(|errno| not_opened(path, errno))? {
            return Err(refused(
                path,
                format!("it lies in the workspace {workspace}, which the agent works on"),
            )
            .hint(format!("move it out of there, for example to {}", self.directory.display())));
        }
        self.take(path.to_owned(), &fd)
    }

    /// Reads through the one descriptor that was checked.
    fn take(&self, path: PathBuf, fd: &OwnedFd) -> Result<PolicyFile, Error> {
        let found = rustix::fs::fstat(fd).map_err(|errno| not_opened(&path, errno))?;
        self.check(&path, &found)?;
        let bytes = read_bounded(fd).map_err(|errno| not_opened(&path, errno))?;
        match Wish::parse(&bytes) {
            Ok(wish) => Ok(PolicyFile { path, wish }),
            Err(error) => Err(misunderstood(
                Error::new(ErrorKind::Policy, format!("cannot take the policy {}", shown(&path))),
                &bytes,
                error,
            )
            .hint("correct it; every key there is stands in the one that `cofferdam init` writes")),
        }
    }

    fn check(&self, path: &Path, found: &Stat) -> Result<(), Error> {
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
            return Err(refused(path, "it is not a regular file").hint("name a file"));
        }
        if found.st_uid != self.uid && found.st_uid != 0 {
            return Err(refused(path, format!("it belongs to uid {}, who could rewrite it", found.st_uid))
                .hint("copy it, and use the copy"));
        }
        if found.st_mode & WRITABLE_BY_OTHERS != 0 {
            let mode = found.st_mode & 0o777;
            return Err(refused(path, format!("others than its owner may write it (mode {mode:03o})"))
                .hint(format!("chmod go-w {}", shown(path))));
        }
        Ok(())
    }
}

/// The name of a directory's policy: its path with `/` as `%`, where that fits, else its digest. `%` and `=` in the
/// path are escaped, so that no two directories have one key; a digest begins with `=`, a path never does.
fn key(directory: &AbsPath) -> String {
    let mut key = String::new();
    for character in directory.as_str().chars() {
        match character {
            '/' => key.push('%'),
            '%' => key.push_str("=25"),
            '=' => key.push_str("=3D"),
            other => key.push(other),
        }
    }
    if key.len() <= KEY_BYTES_MAX {
        key
    } else {
        format!("=sha256-{}", hex_digest(directory.as_str().as_bytes()))
    }
}

/// The directory that a readable key stands for.
#[cfg(test)]
fn directory_of(key: &str) -> String {
    key.replace('%', "/").replace("=25", "%").replace("=3D", "=")
}

/// SHA-256, in hexadecimal.
pub(crate) fn hex_digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

fn open(path: &Path) -> Result<OwnedFd, Errno> {
    // `NONBLOCK`: a FIFO must not keep us waiting before it is seen to be one.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
}

/// All of a file, if it is not longer than a wish may be; one byte more tells that it is.
pub(crate) fn read_bounded(fd: &OwnedFd) -> Result<Vec<u8>, Errno> {
    const PORTION_BYTES: usize = 16 << 10;
    let mut bytes = Vec::new();
    let mut portion = [0_u8; PORTION_BYTES];
    while bytes.len() <= WISH_BYTES_MAX {
        match rustix::io::retry_on_intr(|| rustix::io::read(fd, &mut portion))? {
            0 => break,
            length => bytes.extend_from_slice(portion.get(..length).unwrap_or_default()),
        }
    }
    Ok(bytes)
}

/// The workspace in which the open file lies. By inode, so that a workspace that is also mounted elsewhere is
/// recognised there.
fn enclosing<'w>(fd: &OwnedFd, workspaces: &'w [AbsPath]) -> Result<Option<&'w AbsPath>, Errno> {
    let link = format!("/proc/self/fd/{}", fd.as_raw_fd());
    let real = std::fs::read_link(link)
        .map_err(|error| error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error))?;
    let identity = |path: &Path| rustix::fs::stat(path).map(|found| (found.st_dev, found.st_ino)).ok();
    let above: Vec<_> = real.ancestors().filter_map(identity).collect();
    Ok(workspaces.iter().find(|workspace| {
        let same = identity(workspace.as_path()).is_some_and(|own| above.contains(&own));
        same || real.starts_with(workspace.as_path())
    }))
}

fn not_opened(path: &Path, errno: Errno) -> Error {
    match errno {
        Errno::LOOP => refused(path, "it is a symbolic link").hint("name the file itself"),
        Errno::NOENT => {
            refused(path, "it does not exist").hint("write one for this directory: cofferdam init")
        }
        errno => Error::new(ErrorKind::Policy, format!("cannot read the policy {}", shown(path)))
            .because(errno)
            .hint("check that you can read it"),
    }
}

fn refused(path: &Path, why: impl Into<String>) -> Error {
    Error::new(ErrorKind::Policy, format!("cannot take the policy {}", shown(path))).since(why)
}

/// A path on one line, whatever its name.
pub(crate) fn shown(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    visible_within(path.as_os_str().as_bytes(), usize::from(u16::MAX))
}

/// Why a text is not a wish, in one line: where, and which key. The text may be a stranger's.
pub(crate) fn misunderstood(what: Error, bytes: &[u8], error: WishError) -> Error {
    match error {
        WishError::Form(error) => {
            let place = error.span().map(|span| position(bytes, span.start)).unwrap_or_default();
            let message = visible_within(error.message().as_bytes(), COMPLAINT_COLUMNS_MAX);
            what.since(format!("{place}{message}"))
        }
        other @ (WishError::TooLong
        | WishError::NotUtf8
        | WishError::Limit(_)
        | WishError::RunsLater(_)
        | WishError::Checkpoint(_)
        | WishError::CredentialInRequest(_)
        | WishError::NotifyInRequest
        | WishError::TooMany(_)) => what.because(other),
    }
}

/// Line and column of a byte, both from 1.
fn position(bytes: &[u8], offset: usize) -> String {
    let before = String::from_utf8_lossy(bytes.get(..offset).unwrap_or(bytes)).into_owned();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}: ")
}

#[cfg(test)]
mod tests;
