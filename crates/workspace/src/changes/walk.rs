//! The way through what a session left, directory by directory, without recursion.
//!
//! Overlay's own marks are read as the kernel's overlayfs documentation gives them ("whiteouts and opaque
//! directories"): character device 0:0 or `user.overlay.whiteout`, and `user.overlay.opaque`. The agent can't make
//! them through the overlay, which escapes them.

use super::compare::{Denied, same_content, same_target};
use super::{Change, ChangeError, ChangeQuery, FileKind, Moment, VISITED_MAX};
use crate::beneath::{self, Listing};
use crate::path::{PATH_BYTES_MAX, is_within, joined, visible};
use cofferdam_policy::mask::NameKind;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{FileType, OFlags, Statx};
use rustix::io::Errno;
use std::ffi::CString;

const OPAQUE: &str = "user.overlay.opaque";
const WHITEOUT: &str = "user.overlay.whiteout";

/// What is walked through.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Layer {
    Upper,
    Copy { finished: Moment },
}

/// How a directory stands to the owner's of the same path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It shows the owner's, with what it holds itself on top.
    Merged,
    /// It stands in its place: what it does not hold is gone.
    InPlace,
    /// The owner has none.
    Alone,
}

struct Pending {
    path: Vec<u8>,
    standing: Standing,
    masked: bool,
}

/// A difference, at the moment when the walk stands before it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Met<'m> {
    pub(crate) path: &'m [u8],
    pub(crate) change: Change,
    /// What it is now; what it was, if it is gone.
    pub(crate) kind: FileKind,
    pub(crate) masked: bool,
    /// The permissions before and after, if they differ.
    pub(crate) permissions: Option<(u32, u32)>,
    /// What lies in the layer or copy now; nothing if it is gone.
    pub(crate) now: Option<&'m Statx>,
    /// What the owner has; nothing if it is new.
    pub(crate) before: Option<&'m Statx>,
    /// The directory that holds it, in the layer or copy.
    pub(crate) directory: BorrowedFd<'m>,
    /// The owner's directory of that path. Maybe not open for reading.
    pub(crate) original: Option<BorrowedFd<'m>>,
}

/// The same file on both sides, of one size.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair<'m> {
    pub(crate) name: &'m [u8],
    pub(crate) directory: BorrowedFd<'m>,
    pub(crate) original: BorrowedFd<'m>,
    pub(crate) size: u64,
}

/// What is made of the differences that a walk meets.
pub(crate) trait Observer {
    /// A difference outside git directories.
    fn met(&mut self, met: &Met<'_>) -> Result<(), ChangeError>;

    /// A file in a git directory, `path` being its path from the root.
    fn met_git_file(&mut self, path: &[u8]);

    /// There is more than was looked at, or something whose path is too long.
    fn missed(&mut self, missed: Missed);

    /// Whether two files are to count as the same.
    fn same(&mut self, pair: &Pair<'_>) -> Result<bool, Denied> {
        same_content(pair.directory, pair.original, pair.name, pair.size)
    }

    /// A git directory (or what points to one); whether the owner has it too.
    fn met_git_directory(&mut self, _path: &[u8], _is_owners: bool) {}

    /// Whether a directory that is laid out as a repository is one, though it is not called `.git`.
    fn knows_bare_repositories(&self) -> bool {
        false
    }
}

/// Why a walk is not complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missed {
    /// [`VISITED_MAX`].
    TooMany,
    /// A path longer than [`PATH_BYTES_MAX`].
    TooDeep,
}

pub(crate) struct Walk<'a, O> {
    root: BorrowedFd<'a>,
    query: &'a ChangeQuery<'a>,
    layer: Layer,
    observer: O,
    pending: Vec<Pending>,
    listing: Listing,
    visited: u64,
}

/// What happened to an entry, with its permissions before and after if they differ.
type Difference = (Change, Option<(u32, u32)>);

/// A directory under the walk, on both sides.
struct Here {
    path: Vec<u8>,
    fd: OwnedFd,
    original: Option<OwnedFd>,
    standing: Standing,
    masked: bool,
}

pub(crate) fn failure(path: &[u8], errno: Errno) -> ChangeError {
    let path = if path.is_empty() { ".".to_owned() } else { visible(path) };
    match errno {
        Errno::ACCESS | Errno::PERM => ChangeError::NeedsPrivilege { path },
        source => ChangeError::Read { path, source },
    }
}

fn file_kind(stat: &Statx) -> FileKind {
    match beneath::kind(stat) {
        FileType::RegularFile => FileKind::File,
        FileType::Directory => FileKind::Directory,
        FileType::Symlink => FileKind::Symlink,
        FileType::Fifo
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => FileKind::Special,
    }
}

impl<'a, O: Observer> Walk<'a, O> {
    pub(crate) fn new(root: BorrowedFd<'a>, query: &'a ChangeQuery<'a>, layer: Layer, observer: O) -> Self {
        Self { root, query, layer, observer, pending: Vec::new(), listing: Listing::new(), visited: 0 }
    }

    pub(crate) fn run(mut self) -> Result<O, ChangeError> {
        let standing = match self.layer {
            Layer::Upper => Standing::Merged,
            Layer::Copy { .. } => Standing::InPlace,
        };
        self.pending.push(Pending { path: Vec::new(), standing, masked: false });
        while let Some(pending) = self.pending.pop() {
            self.directory(pending)?;
            if self.visited >= VISITED_MAX {
                self.observer.missed(Missed::TooMany);
                break;
            }
        }
        Ok(self.observer)
    }

    fn directory(&mut self, pending: Pending) -> Result<(), ChangeError> {
        let Pending { path, mut standing, masked } = pending;
        let failed = |errno| failure(&path, errno);
        let fd = beneath::open_directory(self.root, &path).map_err(failed)?;
        if standing == Standing::Merged && attribute(&fd, OPAQUE).map_err(failed)? == Some(b'y') {
            standing = Standing::InPlace;
        }
        let original = match standing {
            Standing::Alone => None,
            Standing::Merged => {
                Some(beneath::open(self.query.original, &path, OFlags::PATH | OFlags::DIRECTORY))
            }
            Standing::InPlace => Some(beneath::open_directory(self.query.original, &path)),
        };
        let original = original.transpose().map_err(failed)?;
        let names = self.list(fd.as_fd(), &path)?;
        if let Some(is_owners) = self.bare_repository(&names, original.as_ref()).map_err(failed)? {
            self.observer.met_git_directory(&path, is_owners);
            return self.count_git_directory(path);
        }
        let here = Here { path, fd, original, standing, masked };
        let first_child = self.pending.len();
        for (name, _) in &names {
            self.entry(&here, name.to_bytes())?;
        }
        if here.standing == Standing::InPlace {
            self.missing(&here, &names)?;
        }
        // The last pushed is taken first: so that directories come in the order of their names.
        if let Some(children) = self.pending.get_mut(first_child..) {
            children.reverse();
        }
        Ok(())
    }

    /// Whether a directory is laid out as a repository (as git's setup.c looks at it), or would be with what the owner has
    /// there, and whether the owner's is one too. What the session took away counts: it may be left where it is.
    fn bare_repository(
        &self,
        names: &[(CString, FileType)],
        original: Option<&OwnedFd>,
    ) -> Result<Option<bool>, Errno> {
        if !self.observer.knows_bare_repositories() {
            return Ok(None);
        }
        let own = |part: &str| {
            let found = names.binary_search_by(|(own, _)| own.as_bytes().cmp(part.as_bytes()));
            let found = found.ok().and_then(|at| names.get(at));
            // A character device is a whiteout.
            found.is_some_and(|(_, kind)| *kind != FileType::CharacterDevice)
        };
        let owners = |part: &str| match original {
            Some(original) => beneath::stat_name(original, part.as_bytes()).map(|found| found.is_some()),
            None => Ok(false),
        };
        let either = |part: &str| if own(part) { Ok(true) } else { owners(part) };
        if !is_repository(&either)? {
            return Ok(None);
        }
        is_repository(&owners).map(Some)
    }

    fn list(&mut self, fd: BorrowedFd<'_>, path: &[u8]) -> Result<Vec<(CString, FileType)>, ChangeError> {
        let left = usize::try_from(VISITED_MAX.saturating_sub(self.visited)).unwrap_or(usize::MAX);
        let names = match self.listing.sorted(fd, left) {
            Ok(names) => names,
            Err(Errno::OVERFLOW) => {
                self.observer.missed(Missed::TooMany);
                self.visited = VISITED_MAX;
                return Ok(Vec::new());
            }
            Err(errno) => return Err(failure(path, errno)),
        };
        self.visited = self.visited.saturating_add(u64::try_from(names.len()).unwrap_or(u64::MAX));
        Ok(names)
    }

    fn entry(&mut self, here: &Here, name: &[u8]) -> Result<(), ChangeError> {
        let path = joined(&here.path, name);
        let failed = |errno| failure(&path, errno);
        let Some(now) = beneath::stat_name(&here.fd, name).map_err(failed)? else { return Ok(()) };
        let before = match &here.original {
            Some(original) => beneath::stat_name(original, name).map_err(failed)?,
            None => None,
        };
        if name == b".git" && !self.is_whiteout(here, name, &now).map_err(failed)? {
            self.observer.met_git_directory(&path, before.is_some());
            return self.count_git(path, &now);
        }
        if name == b".git" {
            self.observer.met_git_file(&path);
            return Ok(());
        }
        if self.is_whiteout(here, name, &now).map_err(failed)? {
            return match before {
                Some(before) => self.gone(here, name, path, &before),
                None => Ok(()),
            };
        }
        let masked = here.masked || self.is_masked(&here.path, name, &path, &now);
        let kind = file_kind(&now);
        let standing = match (&before, here.standing) {
            // What lies in a directory that was left empty (a mount point) the agent never saw.
            (Some(_), _) if self.is_hidden(&path) => Standing::Alone,
            (Some(before), standing) if file_kind(before) == FileKind::Directory => standing,
            (Some(_) | None, _) => Standing::Alone,
        };
        let change =
            self.compare(here, name, &now, before.as_ref()).map_err(|Denied(errno)| failed(errno))?;
        if kind == FileKind::Directory {
            if path.len() >= PATH_BYTES_MAX {
                self.observer.missed(Missed::TooDeep);
            } else {
                self.pending.push(Pending { path: path.clone(), standing, masked });
            }
        }
        if let Some((change, permissions)) = change {
            return self.observer.met(&Met {
                path: &path,
                change,
                kind,
                masked,
                permissions,
                now: Some(&now),
                before: before.as_ref(),
                directory: here.fd.as_fd(),
                original: here.original.as_ref().map(AsFd::as_fd),
            });
        }
        Ok(())
    }

    /// What happened to an entry that is there now.
    fn compare(
        &mut self,
        here: &Here,
        name: &[u8],
        now: &Statx,
        before: Option<&Statx>,
    ) -> Result<Option<Difference>, Denied> {
        let (Some(before), Some(original)) = (before, &here.original) else {
            return Ok(Some((Change::Added, None)));
        };
        let kind = file_kind(now);
        if kind != file_kind(before) || beneath::kind(now) != beneath::kind(before) {
            return Ok(Some((Change::Type, None)));
        }
        let permissions = (beneath::permissions(before), beneath::permissions(now));
        let permissions =
            (permissions.0 != permissions.1 && kind != FileKind::Symlink).then_some(permissions);
        let same = match kind {
            FileKind::Directory | FileKind::Special => true,
            FileKind::Symlink => same_target(&here.fd, original, name)?,
            FileKind::File if now.stx_size != before.stx_size => false,
            FileKind::File if permissions.is_none() && self.is_untouched(now, before) => true,
            FileKind::File => self.observer.same(&Pair {
                name,
                directory: here.fd.as_fd(),
                original: original.as_fd(),
                size: now.stx_size,
            })?,
        };
        Ok(match (same, permissions) {
            (false, permissions) => Some((Change::Modified, permissions)),
            (true, Some(permissions)) => Some((Change::Mode, Some(permissions))),
            (true, None) => None,
        })
    }

    /// A copied file that nobody wrote to since: its ctime, which can't be set back, tells.
    fn is_untouched(&self, now: &Statx, before: &Statx) -> bool {
        let finished = match self.layer {
            Layer::Upper => return false,
            Layer::Copy { finished } => finished,
        };
        let changed = Moment { seconds: now.stx_ctime.tv_sec, nanos: now.stx_ctime.tv_nsec };
        let mtime = |stat: &Statx| (stat.stx_mtime.tv_sec, stat.stx_mtime.tv_nsec);
        changed <= finished && mtime(now) == mtime(before)
    }

    fn is_whiteout(&self, here: &Here, name: &[u8], now: &Statx) -> Result<bool, Errno> {
        match self.layer {
            Layer::Copy { .. } => return Ok(false),
            Layer::Upper => {}
        }
        if beneath::is_whiteout(now) {
            return Ok(true);
        }
        if beneath::kind(now) != FileType::RegularFile || now.stx_size != 0 {
            return Ok(false);
        }
        let file = beneath::open(&here.fd, name, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?;
        Ok(attribute(&file, WHITEOUT)?.is_some())
    }

    /// What the owner has and a directory that stands in its place has not.
    fn missing(&mut self, here: &Here, names: &[(CString, FileType)]) -> Result<(), ChangeError> {
        let Some(original) = &here.original else { return Ok(()) };
        for (name, _) in self.list(original.as_fd(), &here.path)? {
            if names.binary_search_by(|(own, _)| own.cmp(&name)).is_ok() {
                continue;
            }
            let path = joined(&here.path, name.to_bytes());
            let before =
                beneath::stat_name(original, name.to_bytes()).map_err(|errno| failure(&path, errno))?;
            if let Some(before) = before {
                self.gone(here, name.to_bytes(), path, &before)?;
            }
        }
        Ok(())
    }

    fn gone(&mut self, here: &Here, name: &[u8], path: Vec<u8>, before: &Statx) -> Result<(), ChangeError> {
        let kind = file_kind(before);
        let never_seen = match self.layer {
            // Devices, FIFOs and sockets are not copied.
            Layer::Copy { .. } => kind == FileKind::Special,
            Layer::Upper => false,
        };
        if never_seen || self.is_hidden(&path) || self.is_masked(&here.path, name, &path, before) {
            return Ok(());
        }
        if name == b".git" {
            self.observer.met_git_file(&path);
            return Ok(());
        }
        self.observer.met(&Met {
            path: &path,
            change: Change::Deleted,
            kind,
            masked: here.masked || self.holds_hidden(&path),
            permissions: None,
            now: None,
            before: Some(before),
            directory: here.fd.as_fd(),
            original: here.original.as_ref().map(AsFd::as_fd),
        })
    }

    /// Files in a git directory, which is looked at no further.
    fn count_git(&mut self, path: Vec<u8>, now: &Statx) -> Result<(), ChangeError> {
        if beneath::kind(now) == FileType::Directory {
            return self.count_git_directory(path);
        }
        self.observer.met_git_file(&path);
        Ok(())
    }

    fn count_git_directory(&mut self, path: Vec<u8>) -> Result<(), ChangeError> {
        let mut directories = vec![path];
        while let Some(path) = directories.pop() {
            let fd = beneath::open_directory(self.root, &path).map_err(|errno| failure(&path, errno))?;
            for (name, kind) in self.list(fd.as_fd(), &path)? {
                let below = joined(&path, name.to_bytes());
                if kind != FileType::Directory {
                    if self
                        .is_as_copied(fd.as_fd(), name.to_bytes())
                        .map_err(|errno| failure(&below, errno))?
                    {
                        continue;
                    }
                    self.observer.met_git_file(&below);
                } else if below.len() < PATH_BYTES_MAX {
                    directories.push(below);
                } else {
                    self.observer.missed(Missed::TooDeep);
                }
            }
        }
        Ok(())
    }

    /// Whether a file of a copy has not been touched since the copy was finished; in a layer nothing is there that was
    /// not.
    fn is_as_copied(&self, directory: BorrowedFd<'_>, name: &[u8]) -> Result<bool, Errno> {
        let Layer::Copy { finished } = self.layer else { return Ok(false) };
        let found = beneath::stat_name(directory, name)?;
        Ok(found.is_some_and(|now| {
            Moment { seconds: now.stx_ctime.tv_sec, nanos: now.stx_ctime.tv_nsec } <= finished
        }))
    }

    fn is_masked(&self, parent: &[u8], name: &[u8], path: &[u8], stat: &Statx) -> bool {
        let kind =
            if beneath::kind(stat) == FileType::Directory { NameKind::Directory } else { NameKind::Other };
        self.query.masks.hides(parent, name, kind).is_some() || self.is_hidden(path)
    }

    fn is_hidden(&self, path: &[u8]) -> bool {
        self.query.hidden.binary_search_by(|hidden| hidden.as_bytes().cmp(path)).is_ok()
    }

    fn holds_hidden(&self, path: &[u8]) -> bool {
        let mut below = path.to_vec();
        below.push(b'/');
        let first = self.query.hidden.partition_point(|hidden| hidden.as_bytes() < below.as_slice());
        self.query.hidden.get(first).is_some_and(|hidden| is_within(hidden.as_bytes(), path))
    }
}

/// Whether a path that leads into a git directory, or one within it, is a work tree's index, and not a branch, tag or
/// hook of that name.
#[must_use]
pub fn is_index(path: &[u8]) -> bool {
    let mut components: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
    let named = components.pop() == Some(b"index".as_slice());
    let below = components.iter().rposition(|name| *name == b".git").map_or(0, |at| at.saturating_add(1));
    match components.get(below..) {
        None | Some([]) => named,
        Some([b"worktrees", _]) => named,
        Some([b"modules", below @ ..]) => {
            let others: [&[u8]; 6] = [b"refs", b"logs", b"hooks", b"objects", b"info", b"lfs"];
            named && !below.is_empty() && !below.iter().any(|name| others.contains(name))
        }
        Some(_) => false,
    }
}

/// Whether git takes a directory that `has` these names for a repository. One with a `commondir`, as linked work trees
/// have, has its objects, references and configuration elsewhere.
fn is_repository(has: &impl Fn(&str) -> Result<bool, Errno>) -> Result<bool, Errno> {
    Ok(has("HEAD")? && (has("commondir")? || (has("objects")? && has("refs")?)))
}

/// The first byte of an overlay attribute, if the file has it.
fn attribute(fd: &OwnedFd, name: &str) -> Result<Option<u8>, Errno> {
    let mut value = [0_u8; 8];
    match rustix::fs::fgetxattr(fd, name, &mut value) {
        Ok(_length) => Ok(value.first().copied()),
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(None),
        // Longer than any that the kernel writes: not its mark.
        Err(Errno::RANGE) => Ok(None),
        Err(errno) => Err(errno),
    }
}
