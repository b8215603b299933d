//! Making the entries that are to be put, in the private place, with the looks that they will have.
//!
//! Contents are checked against their digest while they are copied, so what is put is what was announced, whatever
//! happened to the staged directory since. Nothing here touches the tree.

use super::check::Found;
use super::durable;
use super::place::number_name;
use super::run::{Deed, Intent, ModeWish};
use super::{ApplyError, ConflictReason, StagedFile};
use crate::attributes::Looks;
use crate::beneath;
use crate::journal::{Content, ContentDigest, EntryKind, LinkTarget, Mark, Shape};
use crate::ownership::Ownership;
use crate::path::WorkspacePath;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Statx, Uid};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

/// How much of a content is held in memory, in bytes.
const CHUNK_BYTES: usize = 256 * 1024;

/// A new file, whatever the umask; with [`executable`] 0755.
const FILE_MODE: u32 = 0o644;
const DIRECTORY_MODE: u32 = 0o755;

/// What is passed on to what is made below: new entries get the directory's group.
const SET_GROUP_BIT: u32 = 0o2000;

/// `mode` with or without the right to execute, for whoever may read.
pub(super) const fn executable(mode: u32, wanted: bool) -> u32 {
    if wanted { mode | ((mode & 0o444) >> 2) } else { mode & !0o111 }
}

pub(super) struct Staging<'a> {
    pub(super) place: BorrowedFd<'a>,
    /// Whether each file is flushed by itself.
    pub(super) flush_each: bool,
}

impl Staging<'_> {
    /// Makes the entry `number` of the place, if the step needs one, and says what the step will be.
    pub(super) fn stage(
        &self,
        number: usize,
        intent: &Intent<'_>,
        found: &Found,
    ) -> Result<Shape, ApplyError> {
        let failed = |source| ApplyError::Stage { path: intent.path.clone(), source };
        let before = match &found.before {
            None => None,
            Some(stat) => Some(Mark::of(stat).ok_or_else(|| failed(Errno::NOTSUP))?),
        };
        let name = number_name(number);
        let content = match (&intent.deed, &before) {
            (Deed::Leave, Some(before)) => return Ok(Shape::Leave { before: before.clone() }),
            (Deed::Mode(wish), Some(before)) => {
                let after_mode = match wish {
                    ModeWish::Executable(wanted) => executable(before.mode, *wanted),
                    ModeWish::Exactly(mode) => *mode,
                };
                return Ok(Shape::Mode { before: before.clone(), after_mode });
            }
            (Deed::Leave | Deed::Mode(_), None) => {
                return Err(super::run::conflict(&intent.path, ConflictReason::Gone));
            }
            (Deed::Copy { from, file }, _) => {
                self.file(&name, *from, file, found, &intent.path)?;
                Content::File(file.sha256)
            }
            (Deed::Link(target), _) => {
                self.link(&name, target, found).map_err(failed)?;
                Content::Symlink(LinkTarget(target.clone()))
            }
            (Deed::Directory, _) => {
                self.directory(&name, found).map_err(failed)?;
                Content::Directory
            }
            (Deed::Kept { from, number, kind }, _) => {
                let kept = number_name(*number);
                let content = link_or_copy(*from, &kept, self.place, &name, *kind).map_err(failed)?;
                if self.flush_each && *kind == EntryKind::File {
                    let file = open_file(self.place, name.as_bytes()).map_err(failed)?;
                    durable::one(file.ok_or_else(|| failed(Errno::IO))?)?;
                }
                content
            }
        };
        let stat = beneath::stat_name(self.place, name.as_bytes()).map_err(failed)?;
        let after = stat.as_ref().and_then(Mark::of).ok_or_else(|| failed(Errno::IO))?;
        Ok(match before {
            None => Shape::Enter { after, content },
            Some(before) => Shape::Exchange { before, after, content },
        })
    }

    fn file(
        &self,
        name: &str,
        from: BorrowedFd<'_>,
        file: &StagedFile,
        found: &Found,
        path: &WorkspacePath,
    ) -> Result<(), ApplyError> {
        let failed = |source| ApplyError::Stage { path: path.clone(), source };
        let differs = || ApplyError::Content { path: path.clone() };
        let source = open_file(from, &file.name).map_err(failed)?.ok_or_else(differs)?;
        let to = create(self.place, name).map_err(failed)?;
        let copied = match file.offset {
            None => copy_content(&source, Some(&to), file.size),
            Some(offset) => copy_part(&source, &to, offset, file.size),
        };
        let (digest, size) = copied.map_err(failed)?;
        if (digest, size) != (file.sha256, file.size) {
            return Err(differs());
        }
        let replaced = found.before.as_ref().filter(|stat| EntryKind::of(stat) == Some(EntryKind::File));
        let mode = replaced.map_or(FILE_MODE, |stat| beneath::permissions(stat) & 0o777);
        put_on(&to, found, executable(mode, file.executable)).map_err(failed)?;
        if self.flush_each {
            durable::one(&to)?;
        }
        Ok(())
    }

    fn link(&self, name: &str, target: &[u8], found: &Found) -> Result<(), Errno> {
        rustix::fs::symlinkat(target, self.place, name)?;
        let (uid, gid) = owner(found);
        if rustix::process::geteuid().is_root() {
            rustix::fs::chownat(self.place, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        Ok(())
    }

    fn directory(&self, name: &str, found: &Found) -> Result<(), Errno> {
        rustix::fs::mkdirat(self.place, name, Mode::RWXU)?;
        let fd = beneath::open_directory(self.place, name.as_bytes())?;
        put_on(&fd, found, DIRECTORY_MODE | (beneath::permissions(&found.above) & SET_GROUP_BIT))
    }
}

fn create(place: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(place, name, flags, Mode::RUSR | Mode::WUSR)
}

/// The regular file `name`; `None` if it is missing or none.
pub(super) fn open_file(directory: BorrowedFd<'_>, name: &[u8]) -> Result<Option<OwnedFd>, Errno> {
    let fd = match beneath::open(directory, name, OFlags::RDONLY | OFlags::NONBLOCK) {
        Ok(fd) => fd,
        Err(Errno::NOENT | Errno::LOOP | Errno::ISDIR | Errno::NXIO) => return Ok(None),
        Err(errno) => return Err(errno),
    };
    let is_file = EntryKind::of(&beneath::stat_fd(&fd)?) == Some(EntryKind::File);
    Ok(is_file.then_some(fd))
}

/// To whom a staged entry belongs: to whom the replaced one did; a new one to whoever applies, or, for uid 0, to
/// whom the directory above belongs.
fn owner(found: &Found) -> (Uid, Gid) {
    let of = |stat: &Statx| (Uid::from_raw(stat.stx_uid), Gid::from_raw(stat.stx_gid));
    if let Some(stat) = &found.before {
        return of(stat);
    }
    let me = rustix::process::geteuid();
    let (above_uid, above_gid) = of(&found.above);
    if me.is_root() {
        return (above_uid, above_gid);
    }
    let inherits = beneath::permissions(&found.above) & SET_GROUP_BIT != 0;
    (me, if inherits { above_gid } else { rustix::process::getegid() })
}

/// An ordinary user can't give files away; what can't keep its group must not be open to another one.
fn put_on(fd: &OwnedFd, found: &Found, mode: u32) -> Result<(), Errno> {
    let (uid, gid) = owner(found);
    let now = beneath::stat_fd(fd)?;
    let mut mode = mode;
    if (now.stx_uid, now.stx_gid) != (uid.as_raw(), gid.as_raw()) {
        match rustix::fs::fchown(fd, Some(uid), Some(gid)) {
            Err(Errno::PERM | Errno::INVAL) => match rustix::fs::fchown(fd, None, Some(gid)) {
                Err(Errno::PERM | Errno::INVAL) => mode &= !(0o070 | SET_GROUP_BIT),
                changed => changed?,
            },
            changed => changed?,
        }
    }
    rustix::fs::fchmod(fd, Mode::from_raw_mode(mode))
}

/// Copies what `from` holds, up to one byte more than `size_max`, and says what it was.
fn copy_content(from: &OwnedFd, to: Option<&OwnedFd>, size_max: u64) -> Result<(ContentDigest, u64), Errno> {
    let mut digest = Sha256::new();
    let mut size = 0_u64;
    let mut buffer = Vec::with_capacity(CHUNK_BYTES);
    while size <= size_max {
        buffer.clear();
        match rustix::io::read(from, rustix::buffer::spare_capacity(&mut buffer)) {
            Ok(0) => break,
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(errno),
        }
        size = size.saturating_add(u64::try_from(buffer.len()).unwrap_or(u64::MAX));
        digest.update(&buffer);
        if let Some(to) = to {
            beneath::write_all(to, &buffer)?;
        }
    }
    Ok((ContentDigest(digest.finalize().into()), size))
}

/// Copies `length` bytes of `from` from `offset` on, or as many as there are, and says what they were.
fn copy_part(from: &OwnedFd, to: &OwnedFd, offset: u64, length: u64) -> Result<(ContentDigest, u64), Errno> {
    let mut digest = Sha256::new();
    let mut size = 0_u64;
    let left = |size: u64| usize::try_from(length.saturating_sub(size)).unwrap_or(usize::MAX);
    let mut buffer = vec![0; left(0).min(CHUNK_BYTES)];
    while size < length {
        let wanted = left(size).min(CHUNK_BYTES);
        let room = buffer.get_mut(..wanted).unwrap_or_default();
        let read = match rustix::io::pread(from, room, offset.saturating_add(size)) {
            Ok(0) => break,
            Ok(read) => read,
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(errno),
        };
        let part = buffer.get(..read).unwrap_or_default();
        size = size.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        digest.update(part);
        beneath::write_all(to, part)?;
    }
    Ok((ContentDigest(digest.finalize().into()), size))
}

/// The digest of an open file's content.
pub(super) fn digest(file: &OwnedFd) -> Result<ContentDigest, Errno> {
    copy_content(file, None, u64::MAX).map(|(digest, _)| digest)
}

/// Puts the kept entry `name` of `from` into `to`: the file or link itself where a hard link can be made, so that it
/// comes back with all that belongs to it; else a copy.
fn link_or_copy(
    from: BorrowedFd<'_>,
    name: &str,
    to: BorrowedFd<'_>,
    new_name: &str,
    kind: EntryKind,
) -> Result<Content, Errno> {
    if kind == EntryKind::Directory {
        return copy_entry(from, name, to, new_name);
    }
    match rustix::fs::linkat(from, name, to, new_name, AtFlags::empty()) {
        Ok(()) => content(to, new_name),
        Err(Errno::XDEV | Errno::PERM | Errno::ACCESS | Errno::MLINK | Errno::OPNOTSUPP) => {
            copy_entry(from, name, to, new_name)
        }
        Err(errno) => Err(errno),
    }
}

fn content(directory: BorrowedFd<'_>, name: &str) -> Result<Content, Errno> {
    let stat = beneath::stat_name(directory, name.as_bytes())?.ok_or(Errno::NOENT)?;
    match EntryKind::of(&stat).ok_or(Errno::NOTSUP)? {
        EntryKind::File => {
            let file = open_file(directory, name.as_bytes())?.ok_or(Errno::NOENT)?;
            digest(&file).map(Content::File)
        }
        EntryKind::Symlink => {
            let target = rustix::fs::readlinkat(directory, name, Vec::new())?;
            Ok(Content::Symlink(LinkTarget(target.into_bytes())))
        }
        EntryKind::Directory => Ok(Content::Directory),
    }
}

/// Copies one entry (of a directory only itself) with its permissions, times, and owner where that can be.
pub(super) fn copy_entry(
    from: BorrowedFd<'_>,
    name: &str,
    to: BorrowedFd<'_>,
    new_name: &str,
) -> Result<Content, Errno> {
    let stat = beneath::stat_name(from, name.as_bytes())?.ok_or(Errno::NOENT)?;
    let looks = Looks::of(&stat);
    match EntryKind::of(&stat).ok_or(Errno::NOTSUP)? {
        EntryKind::File => {
            let source = open_file(from, name.as_bytes())?.ok_or(Errno::NOENT)?;
            let copy = create(to, new_name)?;
            let (digest, _) = copy_content(&source, Some(&copy), u64::MAX)?;
            looks.put_on(&copy, Ownership::AsIs)?;
            Ok(Content::File(digest))
        }
        EntryKind::Symlink => {
            let target = rustix::fs::readlinkat(from, name, Vec::new())?;
            rustix::fs::symlinkat(target.as_c_str(), to, new_name)?;
            looks.put_on_link(to, new_name.as_bytes(), Ownership::AsIs)?;
            Ok(Content::Symlink(LinkTarget(target.into_bytes())))
        }
        EntryKind::Directory => {
            rustix::fs::mkdirat(to, new_name, Mode::RWXU)?;
            let copy = beneath::open_directory(to, new_name.as_bytes())?;
            looks.put_on(copy.as_fd(), Ownership::AsIs)?;
            Ok(Content::Directory)
        }
    }
}
