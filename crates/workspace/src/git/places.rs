//! Where a repository keeps what does not lie in its work tree: a linked worktree's or submodule's git directory,
//! alternate object stores, LFS storage.
//!
//! Each pointer is a file that anybody may have put into the tree. It counts only if what it points to is of the
//! right kind and, for git directories, points back to this work tree: else a repository could have any directory
//! of the owner's mounted. Objects are not read, and git is not run.

mod stores;

pub use stores::{Stores, stores};

use super::config::{self, CONFIG_BYTES_MAX};
use crate::beneath::{self, Listing};
use crate::ground;
use crate::path::joined;
use cofferdam_policy::path::AbsPath;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The largest pointer file read, in bytes.
const POINTER_BYTES_MAX: usize = 64 * 1024;

/// How far alternates of alternates are followed: as far as git does.
const ALTERNATES_DEPTH_MAX: usize = 5;

/// The most places for one repository.
pub const PLACES_MAX: usize = 64;

/// The most entries of an object store that are looked at to see whether it is one.
const STORE_ENTRIES_MAX: usize = 4_096;

/// A repository, seen from a directory of it.
#[derive(Debug)]
pub struct GitPlaces {
    /// The work tree's top.
    pub top: AbsPath,
    /// The git directory of this work tree.
    pub git_directory: AbsPath,
    /// The one that all its work trees share; the same, if there is only one.
    pub common_directory: AbsPath,
    /// What must be mounted besides the workspace, those that hold others first.
    pub outside: Vec<Place>,
    /// Pointers that were not followed.
    pub refused: Vec<Refusal>,
}

/// A directory outside the workspace that git needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Where it lies, without links.
    pub path: AbsPath,
    /// What it is.
    pub role: Role,
    /// How it is to be mounted.
    pub access: Access,
}

/// What a place is to the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The git directory of a repository whose work tree's top lies above the workspace.
    EnclosingDirectory,
    /// The directory that linked worktrees share.
    CommonDirectory,
    /// A submodule's git directory.
    SubmoduleDirectory,
    /// Another repository's object store.
    Alternate,
    /// Files of Git LFS.
    LfsStorage,
}

/// How a place is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// The session's writes stay in the session.
    CopyOnWrite,
    /// No writes.
    ReadOnly,
}

/// A pointer that was not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What it points to, as far as it could be resolved.
    pub path: PathBuf,
    /// What it claims to be.
    pub role: Role,
    /// Why it was not followed.
    pub reason: RefusalReason,
}

/// Why a pointer was not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefusalReason {
    /// It points to nothing.
    #[error("it does not exist")]
    Missing,
    /// It points to something that can't be opened or named.
    #[error("it cannot be opened")]
    Unusable,
    /// A git directory that knows nothing of this work tree.
    #[error("it does not point back to this work tree")]
    NoBackPointer,
    /// It lacks what makes a git directory.
    #[error("it is not a git directory")]
    NotGitDirectory,
    /// It holds other things than objects.
    #[error("it is not an object store")]
    NotObjectStore,
    /// It belongs to another user than what points to it.
    #[error("it belongs to another user than the repository that points to it")]
    ForeignOwner,
    /// The pointer itself is not understood.
    #[error("the pointer is not understood")]
    BadPointer,
    /// More than [`PLACES_MAX`], or alternates of alternates beyond what git follows.
    #[error("there are too many")]
    TooMany,
}

/// Why a repository can't be looked at.
#[derive(Debug, thiserror::Error)]
pub enum PlacesError {
    /// Something can't be read.
    #[error("cannot read {path:?}")]
    Read {
        /// What.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: Errno,
    },
    /// `.git` is a symbolic link.
    #[error("{path:?} is a symbolic link")]
    Link {
        /// Where.
        path: PathBuf,
    },
    /// The git directory itself is refused: without it there is no repository.
    #[error("the git directory {path:?} of this work tree cannot be used: {reason}", path = refusal.path, reason = refusal.reason)]
    Refused {
        /// Which, and why.
        refusal: Refusal,
    },
}

/// The repository that `directory` belongs to, if any. `workspace` is what is mounted anyway: what lies in it needs no
/// place of its own.
///
/// # Errors
/// [`PlacesError`]; of lesser pointers that are not followed [`GitPlaces::refused`] tells.
pub fn find(directory: &AbsPath, workspace: &AbsPath) -> Result<Option<GitPlaces>, PlacesError> {
    let Some((top, git_directory)) = discover(directory)? else { return Ok(None) };
    let git = open(git_directory.as_path())?;
    let common_directory =
        common_directory(&git, &git_directory).map_err(|refusal| PlacesError::Refused { refusal })?;
    let mut survey = Survey { workspace, outside: Vec::new(), refused: Vec::new() };
    let role = role_of(&top, &git_directory, &common_directory, workspace);
    let linked = git_directory != common_directory;
    if !common_directory.is_within(workspace) || !git_directory.is_within(workspace) {
        check_back_pointer(&git, &git_directory, &top, role).map_err(|reason| PlacesError::Refused {
            refusal: Refusal { path: git_directory.as_path().into(), role, reason },
        })?;
    }
    let common = if linked { open(common_directory.as_path())? } else { git };
    check_git_directory(&common).map_err(|reason| PlacesError::Refused {
        refusal: Refusal { path: common_directory.as_path().into(), role, reason },
    })?;
    survey.add(common_directory.clone(), role, Access::CopyOnWrite);
    let objects = common_directory.as_path().join("objects");
    survey.alternates(&objects, 0);
    survey.lfs_storage(&common, &common_directory);
    survey.outside.sort();
    let Survey { outside, refused, .. } = survey;
    Ok(Some(GitPlaces { top, git_directory, common_directory, outside, refused }))
}

fn open(path: &Path) -> Result<OwnedFd, PlacesError> {
    let read = |source| PlacesError::Read { path: path.to_owned(), source };
    ground::settle(path).map(|(_, fd)| fd).map_err(read)
}

/// Walks up to the first `.git`, not beyond the file system. One that somebody else put above the owner's directory
/// (`/tmp/.git`) counts as none, as git's `safe.directory` has it.
fn discover(directory: &AbsPath) -> Result<Option<(AbsPath, AbsPath)>, PlacesError> {
    let mut device = None;
    let mut owner = None;
    for top in std::iter::once(directory.as_path()).chain(directory.parents()).chain([Path::new("/")]) {
        let failed = |source| PlacesError::Read { path: top.join(".git"), source };
        let (settled, fd) = match ground::settle(top) {
            Ok(found) => found,
            // Someone else's directory above one's own: nothing of the owner's repository can be there.
            Err(Errno::ACCESS) if device.is_some() => return Ok(None),
            Err(source) => return Err(failed(source)),
        };
        let stat = beneath::stat_fd(&fd).map_err(failed)?;
        if *device.get_or_insert((stat.stx_dev_major, stat.stx_dev_minor))
            != (stat.stx_dev_major, stat.stx_dev_minor)
        {
            return Ok(None);
        }
        let owner = *owner.get_or_insert(stat.stx_uid);
        let Some(entry) = beneath::stat_name(&fd, b".git").map_err(failed)? else { continue };
        if settled != *directory && entry.stx_uid != owner {
            return Ok(None);
        }
        let path = settled.as_path().join(".git");
        return match beneath::kind(&entry) {
            FileType::Directory => {
                let git =
                    AbsPath::new(&path).map_err(|_path| PlacesError::Read { path, source: Errno::ILSEQ })?;
                Ok(Some((settled, git)))
            }
            FileType::RegularFile => {
                let git = pointed_git_directory(&fd, &settled)
                    .map_err(|refusal| PlacesError::Refused { refusal })?;
                Ok(Some((settled, git)))
            }
            FileType::Symlink => Err(PlacesError::Link { path }),
            FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => Err(PlacesError::Read { path, source: Errno::INVAL }),
        };
    }
    Ok(None)
}

/// Follows `gitdir: PATH` in a `.git` file (gitrepository-layout(5)).
fn pointed_git_directory(top_fd: &OwnedFd, top: &AbsPath) -> Result<AbsPath, Refusal> {
    let refusal = |path: PathBuf, reason| Refusal { path, role: Role::CommonDirectory, reason };
    let bad = || refusal(top.as_path().join(".git"), RefusalReason::BadPointer);
    let content = pointer(top_fd, b".git").ok_or_else(bad)?;
    let target = content.strip_prefix(b"gitdir:").map(<[u8]>::trim_ascii_start).ok_or_else(bad)?;
    let target = resolve(top.as_path(), target);
    settle(&target).map(|(path, _)| path).map_err(|reason| refusal(target, reason))
}

/// The directory named in `commondir`, which counts only if it holds this git directory among its worktrees.
fn common_directory(git: &OwnedFd, git_directory: &AbsPath) -> Result<AbsPath, Refusal> {
    let Some(content) = pointer(git, b"commondir") else { return Ok(git_directory.clone()) };
    let target = resolve(git_directory.as_path(), &content);
    let refusal = |reason| Refusal { path: target.clone(), role: Role::CommonDirectory, reason };
    let (common, _) = settle(&target).map_err(refusal)?;
    let holds_this = git_directory.as_path().parent() == Some(common.as_path().join("worktrees").as_path());
    if holds_this { Ok(common) } else { Err(refusal(RefusalReason::NoBackPointer)) }
}

fn role_of(top: &AbsPath, git: &AbsPath, common: &AbsPath, workspace: &AbsPath) -> Role {
    if git != common {
        Role::CommonDirectory
    } else if git.as_path().parent() == Some(top.as_path()) && top != workspace {
        Role::EnclosingDirectory
    } else {
        Role::SubmoduleDirectory
    }
}

/// Whether a git directory outside names this work tree as its own.
fn check_back_pointer(git: &OwnedFd, path: &AbsPath, top: &AbsPath, role: Role) -> Result<(), RefusalReason> {
    let named = match role {
        // It lies in the work tree itself.
        Role::EnclosingDirectory => return Ok(()),
        Role::CommonDirectory => {
            let file = resolve(path.as_path(), &pointer(git, b"gitdir").ok_or(RefusalReason::NoBackPointer)?);
            if file.file_name() != Some(OsStr::new(".git")) {
                return Err(RefusalReason::NoBackPointer);
            }
            file.parent().map(Path::to_owned)
        }
        Role::SubmoduleDirectory | Role::Alternate | Role::LfsStorage => {
            config_value(git, "core", "worktree").map(|value| resolve(path.as_path(), &value))
        }
    };
    let settled = named.and_then(|named| settle(&named).ok());
    if settled.is_some_and(|(named, _)| named == *top) { Ok(()) } else { Err(RefusalReason::NoBackPointer) }
}

/// `HEAD`, `objects` and `refs` (or `reftable`), the first of which reads as it should.
fn check_git_directory(git: &OwnedFd) -> Result<(), RefusalReason> {
    let is_directory = |name: &[u8]| {
        let stat = beneath::stat_name(git, name).ok().flatten();
        stat.is_some_and(|stat| beneath::kind(&stat) == FileType::Directory)
    };
    let head = pointer(git, b"HEAD").unwrap_or_default();
    let head_reads =
        head.starts_with(b"ref:") || (head.len() >= 40 && head.iter().all(u8::is_ascii_hexdigit));
    let whole =
        head_reads && is_directory(b"objects") && (is_directory(b"refs") || is_directory(b"reftable"));
    if whole { Ok(()) } else { Err(RefusalReason::NotGitDirectory) }
}

/// The content of a pointer file without its line end; `None` if there is no such plain file.
fn pointer(directory: &OwnedFd, name: &[u8]) -> Option<Vec<u8>> {
    let content = beneath::read_small(directory, name, POINTER_BYTES_MAX).ok()??;
    let end = content
        .iter()
        .rposition(|byte| !matches!(byte, b'\n' | b'\r'))
        .map_or(0, |last| last.saturating_add(1));
    content.get(..end).filter(|content| !content.contains(&0)).map(<[u8]>::to_vec)
}

fn resolve(base: &Path, target: &[u8]) -> PathBuf {
    base.join(OsStr::from_bytes(target))
}

fn settle(path: &Path) -> Result<(AbsPath, OwnedFd), RefusalReason> {
    ground::settle(path).map_err(|errno| match errno {
        Errno::NOENT | Errno::NOTDIR => RefusalReason::Missing,
        _ => RefusalReason::Unusable,
    })
}

fn config_value(git: &OwnedFd, section: &str, key: &str) -> Option<Vec<u8>> {
    let bytes = beneath::read_small(git, b"config", CONFIG_BYTES_MAX).ok()??;
    let entries = config::parse(&bytes).ok()?;
    let mut named = entries.into_iter().rev();
    named.find(|entry| entry.section == section && entry.subsection.is_none() && entry.key == key)?.value
}

struct Survey<'a> {
    workspace: &'a AbsPath,
    outside: Vec<Place>,
    refused: Vec<Refusal>,
}

impl Survey<'_> {
    fn add(&mut self, path: AbsPath, role: Role, access: Access) {
        if path.is_within(self.workspace) || self.outside.iter().any(|place| path.is_within(&place.path)) {
            return;
        }
        if self.outside.len() >= PLACES_MAX {
            self.refuse(path.as_path().into(), role, RefusalReason::TooMany);
            return;
        }
        self.outside.push(Place { path, role, access });
    }

    fn refuse(&mut self, path: PathBuf, role: Role, reason: RefusalReason) {
        if self.refused.len() < PLACES_MAX {
            self.refused.push(Refusal { path, role, reason });
        }
    }

    /// `objects/info/alternates` of one store, and of those named there.
    fn alternates(&mut self, objects: &Path, depth: usize) {
        for (target, settled) in alternates_of(objects) {
            if depth >= ALTERNATES_DEPTH_MAX || self.refused.len() >= PLACES_MAX {
                self.refuse(target, Role::Alternate, RefusalReason::TooMany);
                return;
            }
            match settled {
                Ok((path, _)) if self.outside.iter().any(|place| place.path == path) => {}
                Ok((path, _)) => {
                    self.add(path.clone(), Role::Alternate, Access::ReadOnly);
                    self.alternates(path.as_path(), depth.saturating_add(1));
                    self.lfs_of_alternate(&path);
                }
                Err(reason) => self.refuse(target, Role::Alternate, reason),
            }
        }
    }

    /// Git LFS looks for files beside the object stores that are alternates.
    fn lfs_of_alternate(&mut self, objects: &AbsPath) {
        let Some(git) = objects.as_path().parent().filter(|_| objects.as_path().ends_with("objects")) else {
            return;
        };
        if let Ok((path, fd)) = settle(&git.join("lfs/objects"))
            && settle(objects.as_path()).and_then(|(_, store)| same_owner(&store, &fd)).is_ok()
            && check_store(&fd, is_fan_out).is_ok()
        {
            self.add(path, Role::LfsStorage, Access::ReadOnly);
        }
    }

    /// `lfs.storage`, if it leads out of the git directory.
    fn lfs_storage(&mut self, common: &OwnedFd, common_directory: &AbsPath) {
        let Some(value) = config_value(common, "lfs", "storage") else { return };
        let target = resolve(common_directory.as_path(), &value).join("objects");
        let settled = settle(&target).and_then(|(path, fd)| {
            same_owner(common, &fd)?;
            check_store(&fd, is_fan_out).map(|()| path)
        });
        match settled {
            Ok(path) => self.add(path, Role::LfsStorage, Access::CopyOnWrite),
            Err(reason) => self.refuse(target, Role::LfsStorage, reason),
        }
    }
}

/// Where a directory really lies, and itself.
type Settled = Result<(AbsPath, OwnedFd), RefusalReason>;

/// The stores that the store `objects` names as its alternates, each settled or with the reason why it is not followed.
fn alternates_of(objects: &Path) -> Vec<(PathBuf, Settled)> {
    let Ok((_, store)) = settle(objects) else { return Vec::new() };
    let content = pointer(&store, b"info/alternates").unwrap_or_default();
    let lines = content.split(|byte| *byte == b'\n');
    let named = lines.filter(|line| !line.is_empty() && !line.starts_with(b"#")).map(|line| {
        let target = resolve(objects, line);
        if line.starts_with(b"\"") {
            return (target, Err(RefusalReason::BadPointer));
        }
        let settled = settle(&target).and_then(|(path, fd)| {
            same_owner(&store, &fd)?;
            check_store(&fd, is_object_entry).map(|()| (path, fd))
        });
        (target, settled)
    });
    named.take(PLACES_MAX).collect()
}

/// A store holds nothing but what a store holds: a directory of the owner's that merely has a `pack` in it is none.
fn check_store(fd: &OwnedFd, belongs: fn(&[u8], FileType) -> bool) -> Result<(), RefusalReason> {
    let entries = Listing::new()
        .sorted(fd.as_fd(), STORE_ENTRIES_MAX)
        .map_err(|_errno| RefusalReason::NotObjectStore)?;
    let all_belong = entries.iter().all(|(name, kind)| belongs(name.to_bytes(), *kind));
    if !entries.is_empty() && all_belong { Ok(()) } else { Err(RefusalReason::NotObjectStore) }
}

fn is_object_entry(name: &[u8], kind: FileType) -> bool {
    match kind {
        FileType::Directory => {
            matches!(name, b"pack" | b"info") || name.starts_with(b"tmp_") || is_fan_out(name, kind)
        }
        FileType::RegularFile => name.starts_with(b"tmp_") || name.ends_with(b".lock"),
        FileType::Symlink | FileType::Unknown => false,
        FileType::Fifo | FileType::Socket | FileType::CharacterDevice | FileType::BlockDevice => false,
    }
}

/// A store of somebody else's is not borrowed from: a repository must not point its reader at what its maker could
/// not read.
fn same_owner(pointing: &OwnedFd, store: &OwnedFd) -> Result<(), RefusalReason> {
    let uid = |fd: &OwnedFd| beneath::stat_fd(fd).map(|stat| stat.stx_uid);
    match (uid(pointing), uid(store)) {
        (Ok(ours), Ok(theirs)) if ours == theirs => Ok(()),
        (Ok(_), Ok(_)) => Err(RefusalReason::ForeignOwner),
        (Err(_), _) | (_, Err(_)) => Err(RefusalReason::Unusable),
    }
}

fn is_fan_out(name: &[u8], kind: FileType) -> bool {
    kind == FileType::Directory
        && name.len() == 2
        && name.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether the git directory `.git` of `work_tree`, as a census finds it, leads out of the workspace.
///
/// # Errors
/// As [`find`].
pub fn of_pointer(work_tree: &AbsPath, workspace: &AbsPath) -> Result<Option<GitPlaces>, PlacesError> {
    let exists = open(work_tree.as_path()).and_then(|fd| {
        let path =
            PathBuf::from(OsStr::from_bytes(&joined(work_tree.as_path().as_os_str().as_bytes(), b".git")));
        beneath::open(&fd, b".git", OFlags::PATH)
            .map(drop)
            .map_err(|source| PlacesError::Read { path, source })
    });
    match exists {
        Ok(()) => find(work_tree, workspace),
        Err(PlacesError::Read { source: Errno::NOENT, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests;
