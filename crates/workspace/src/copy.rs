//! A session's own copy of a workspace, for file systems over which no overlay can be laid.
//!
//! Contents are shared where the file system can (reflink), else copied by the kernel, holes staying holes. What a
//! veil would hide is left out; devices, FIFOs and sockets are not copied; hard links become files of their own.
//! Nothing is taken from the original but content, permissions and times.

use crate::attributes::Looks;
use crate::beneath::{self, Listing};
use crate::changes::Moment;
use crate::contents::{Contents, STEP_BYTES};
use crate::discard::{self, DiscardError};
use crate::ownership::Ownership;
use crate::path::{PathError, WorkspacePath, joined, visible};
use crate::veil::{Covering, VeilPlan};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{FileType, Mode, OFlags, Statx};
use rustix::io::Errno;

/// The most entries of one directory.
const DIRECTORY_ENTRIES_MAX: usize = 4_000_000;

/// How far a copy has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Files finished.
    pub files: u64,
    /// Bytes of files, as they are read.
    pub bytes: u64,
}

/// A copy that was made.
#[derive(Debug)]
pub struct Copied {
    /// Its root.
    pub fd: OwnedFd,
    /// Files and their bytes.
    pub progress: Progress,
    /// Directories, the root included.
    pub directories: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// What is not in it, sorted.
    pub left_out: Vec<LeftOut>,
    /// When it was finished, by the clock of its file system: [`crate::changes::of_copy`] asks for it.
    pub finished: Moment,
}

/// A path that was not copied.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// Where.
    pub path: WorkspacePath,
    /// Why.
    pub reason: LeftOutReason,
}

/// Why a path was not copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOutReason {
    /// It is hidden.
    Masked,
    /// A device, FIFO or socket.
    Special,
    /// It can't be read.
    Unreadable,
    /// Something is mounted there; the directory is empty in the copy.
    MountPoint,
}

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// A former one is in the way.
    #[error("cannot remove the former copy")]
    Former(#[source] DiscardError),
    /// A path of the original can't be read.
    #[error("cannot read {path}")]
    Read {
        /// Relative to the workspace, shown harmlessly.
        path: String,
        /// The kernel's answer.
        #[source]
        source: Errno,
    },
    /// A path of the copy can't be written.
    #[error("cannot write the copy of {path}")]
    Write {
        /// Relative to the workspace, shown harmlessly.
        path: String,
        /// The kernel's answer.
        #[source]
        source: Errno,
    },
    /// A name can't be a path below a workspace.
    #[error("a name in the workspace cannot be used")]
    Path(#[from] PathError),
}

fn shown(path: &[u8]) -> String {
    if path.is_empty() { ".".to_owned() } else { visible(path) }
}

fn read_error(path: &[u8]) -> impl Fn(Errno) -> CopyError {
    move |source| CopyError::Read { path: shown(path), source }
}

fn write_error(path: &[u8]) -> impl Fn(Errno) -> CopyError {
    move |source| CopyError::Write { path: shown(path), source }
}

/// Copies the tree below `original` to `name` in the directory `place`, in place of a former copy. `plan` says what is
/// hidden or replaced; `progress` is called now and then.
///
/// # Errors
/// [`CopyError`]; a half copy may then lie there and is replaced by the next call.
pub fn copy_tree(
    original: BorrowedFd<'_>,
    place: BorrowedFd<'_>,
    name: &[u8],
    plan: &VeilPlan,
    ownership: Ownership,
    progress: &mut dyn FnMut(Progress),
) -> Result<Copied, CopyError> {
    discard::remove(place, name).map_err(CopyError::Former)?;
    rustix::fs::mkdirat(place, name, Mode::RWXU).map_err(write_error(b""))?;
    let fd = beneath::open_directory(place, name).map_err(write_error(b""))?;
    let root = Looks::of(&beneath::stat_fd(original).map_err(read_error(b""))?);
    let mut copier = Copier {
        original,
        copy: fd.as_fd(),
        plan,
        ownership,
        report: progress,
        progress: Progress::default(),
        symlinks: 0,
        left_out: Vec::new(),
        directories: vec![(Vec::new(), root)],
        contents: Contents::new(),
        reported: 0,
    };
    copier.run()?;
    let Copier { progress, symlinks, mut left_out, directories, .. } = copier;
    left_out.sort_unstable();
    let directories = u64::try_from(directories.len()).unwrap_or(u64::MAX);
    let stat = beneath::stat_fd(&fd).map_err(read_error(b""))?;
    let finished = Moment { seconds: stat.stx_ctime.tv_sec, nanos: stat.stx_ctime.tv_nsec };
    Ok(Copied { fd, progress, directories, symlinks, left_out, finished })
}

struct Copier<'a> {
    original: BorrowedFd<'a>,
    copy: BorrowedFd<'a>,
    plan: &'a VeilPlan,
    ownership: Ownership,
    report: &'a mut dyn FnMut(Progress),
    progress: Progress,
    symlinks: u64,
    left_out: Vec<LeftOut>,
    /// All directories made so far, each after the one that holds it, with what they are to look like in the end.
    directories: Vec<(Vec<u8>, Looks)>,
    contents: Contents,
    /// The bytes at the last report.
    reported: u64,
}

/// One directory of the original and of the copy.
struct Pair {
    path: Vec<u8>,
    from: OwnedFd,
    to: OwnedFd,
}

impl Copier<'_> {
    fn run(&mut self) -> Result<(), CopyError> {
        let mut next = 0;
        let mut listing = Listing::new();
        while let Some((path, _)) = self.directories.get(next) {
            let path = path.clone();
            next = next.saturating_add(1);
            self.directory(path, &mut listing)?;
        }
        (self.report)(self.progress);
        // From the bottom up, so that no time stamp is disturbed again; the root comes last and marks the end.
        for (path, looks) in self.directories.iter().rev() {
            let fd = beneath::open_directory(self.copy, path).map_err(write_error(path))?;
            looks.put_on(&fd, self.ownership).map_err(write_error(path))?;
        }
        Ok(())
    }

    fn directory(&mut self, path: Vec<u8>, listing: &mut Listing) -> Result<(), CopyError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let from = match beneath::open_same_mount(self.original, &path, flags) {
            Ok(fd) => fd,
            Err(Errno::XDEV) if !path.is_empty() => return self.leave_out(path, LeftOutReason::MountPoint),
            Err(Errno::ACCESS | Errno::PERM) if !path.is_empty() => {
                return self.leave_out(path, LeftOutReason::Unreadable);
            }
            Err(errno) => return Err(read_error(&path)(errno)),
        };
        if self.covering(&path)? == Some(&Covering::Hollow) {
            return self.leave_out(path, LeftOutReason::Masked);
        }
        let to = beneath::open_directory(self.copy, &path).map_err(write_error(&path))?;
        let entries = listing.sorted(from.as_fd(), DIRECTORY_ENTRIES_MAX).map_err(read_error(&path))?;
        let pair = Pair { path, from, to };
        for (name, _) in entries {
            self.entry(&pair, name.to_bytes())?;
        }
        Ok(())
    }

    fn covering(&self, path: &[u8]) -> Result<Option<&Covering>, CopyError> {
        if path.is_empty() { Ok(None) } else { Ok(self.plan.covering(&WorkspacePath::new(path)?)) }
    }

    fn leave_out(&mut self, path: Vec<u8>, reason: LeftOutReason) -> Result<(), CopyError> {
        self.left_out.push(LeftOut { path: WorkspacePath::new(path)?, reason });
        Ok(())
    }

    fn entry(&mut self, pair: &Pair, name: &[u8]) -> Result<(), CopyError> {
        let path = joined(&pair.path, name);
        let Some(stat) = beneath::stat_name(&pair.from, name).map_err(read_error(&path))? else {
            return Ok(());
        };
        let replacement = match self.covering(&path)? {
            Some(Covering::Whiteout | Covering::Literal) => {
                return self.leave_out(path, LeftOutReason::Masked);
            }
            Some(Covering::Replacement { bytes, mode }) => Some((bytes.clone(), *mode)),
            Some(Covering::Hollow) | None => None,
        };
        match beneath::kind(&stat) {
            FileType::Directory => {
                rustix::fs::mkdirat(&pair.to, name, Mode::RWXU).map_err(write_error(&path))?;
                self.directories.push((path, Looks::of(&stat)));
                Ok(())
            }
            FileType::Symlink => self.symlink(pair, name, &path, &stat),
            FileType::RegularFile => match replacement {
                Some((bytes, mode)) => self.replacement(pair, name, &bytes, Looks::of(&stat).with_mode(mode)),
                None => self.file(pair, name, path, &stat),
            },
            FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => self.leave_out(path, LeftOutReason::Special),
        }
    }

    fn symlink(&mut self, pair: &Pair, name: &[u8], path: &[u8], stat: &Statx) -> Result<(), CopyError> {
        let target = rustix::fs::readlinkat(&pair.from, name, Vec::new()).map_err(read_error(path))?;
        rustix::fs::symlinkat(target, &pair.to, name)
            .and_then(|()| Looks::of(stat).put_on_link(&pair.to, name, self.ownership))
            .map_err(write_error(path))?;
        self.symlinks = self.symlinks.saturating_add(1);
        Ok(())
    }

    fn replacement(&mut self, pair: &Pair, name: &[u8], bytes: &[u8], looks: Looks) -> Result<(), CopyError> {
        let made = create(&pair.to, name).and_then(|to| {
            beneath::write_all(&to, bytes)?;
            looks.put_on(&to, self.ownership)
        });
        made.map_err(write_error(&joined(&pair.path, name)))?;
        self.progress.files = self.progress.files.saturating_add(1);
        Ok(())
    }

    fn file(&mut self, pair: &Pair, name: &[u8], path: Vec<u8>, stat: &Statx) -> Result<(), CopyError> {
        let from = match beneath::open_same_mount(
            &pair.from,
            name,
            OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY,
        ) {
            Ok(fd) => fd,
            Err(Errno::ACCESS | Errno::PERM) => return self.leave_out(path, LeftOutReason::Unreadable),
            Err(Errno::XDEV) => return self.leave_out(path, LeftOutReason::MountPoint),
            Err(Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(read_error(&path)(errno)),
        };
        let now = beneath::stat_fd(&from).map_err(read_error(&path))?;
        if beneath::kind(&now) != FileType::RegularFile || now.stx_ino != stat.stx_ino {
            return Err(read_error(&path)(Errno::STALE));
        }
        let to = create(&pair.to, name).map_err(write_error(&path))?;
        self.content(&from, &to, &now).map_err(write_error(&path))?;
        Looks::of(&now).put_on(&to, self.ownership).map_err(write_error(&path))?;
        self.progress.files = self.progress.files.saturating_add(1);
        self.maybe_report();
        Ok(())
    }

    fn content(&mut self, from: &OwnedFd, to: &OwnedFd, stat: &Statx) -> Result<(), Errno> {
        let mut contents = self.contents;
        let copied = contents.copy(from, to, stat, &mut |bytes| self.add_bytes(bytes));
        self.contents = contents;
        copied
    }

    fn add_bytes(&mut self, count: u64) {
        self.progress.bytes = self.progress.bytes.saturating_add(count);
        self.maybe_report();
    }

    fn maybe_report(&mut self) {
        const STEP_FILES: u64 = 256;
        let moved = self.progress.bytes.saturating_sub(self.reported) >= STEP_BYTES;
        if moved || self.progress.files.is_multiple_of(STEP_FILES) {
            self.reported = self.progress.bytes;
            (self.report)(self.progress);
        }
    }
}

fn create(directory: &OwnedFd, name: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(directory, name, flags, Mode::RUSR | Mode::WUSR)
}

#[cfg(test)]
mod tests;
