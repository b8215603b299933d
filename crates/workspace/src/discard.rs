//! Removing a session's state tree, whatever the agent made of it.
//!
//! Directories without permissions, trees deeper than any path, a million entries: each directory that is not
//! empty is moved up to the top and emptied there, so that neither recursion nor long paths are needed. No
//! symbolic link is followed and no other mount entered. What is to be removed is the caller's decision.

use crate::beneath::{self, Listing};
use crate::path::visible;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

/// How often the top may be gone through without anything going away.
const IDLE_PASSES_MAX: u32 = 3;

/// How many entries go between two calls of the progress callback.
const STEP_ENTRIES: u64 = 1024;

/// The end of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// How many files and directories went.
    pub entries: u64,
}

/// Why a tree is still there, at least in part.
#[derive(Debug, thiserror::Error)]
pub enum DiscardError {
    /// Something can't be removed or opened.
    #[error("cannot remove {name}")]
    Remove {
        /// Its last name, shown harmlessly.
        name: String,
        /// The kernel's answer.
        #[source]
        source: Errno,
    },
    /// Something is mounted in it.
    #[error("cannot remove {name}: something is mounted on it")]
    MountPoint {
        /// Its last name, shown harmlessly.
        name: String,
    },
    /// Somebody keeps putting files into it.
    #[error("cannot remove {name}: it is being written to")]
    Busy {
        /// The name of the whole tree.
        name: String,
    },
}

/// Removes `name` from the directory `parent`, with all that is in it. That it is missing is no error.
///
/// # Errors
/// [`DiscardError`]; what was removed until then stays removed, and a second call goes on.
pub fn remove(parent: BorrowedFd<'_>, name: &[u8]) -> Result<Removed, DiscardError> {
    remove_telling(parent, name, &mut |_| ())
}

/// As [`remove`]; now and then, `told` hears how much went.
///
/// # Errors
/// As [`remove`].
pub fn remove_telling(
    parent: BorrowedFd<'_>,
    name: &[u8],
    told: &mut dyn FnMut(Removed),
) -> Result<Removed, DiscardError> {
    let failed = |source| DiscardError::Remove { name: visible(name), source };
    let mut removed = Removed::default();
    let Some(stat) = beneath::stat_name(parent, name).map_err(failed)? else { return Ok(removed) };
    if beneath::kind(&stat) != FileType::Directory {
        rustix::fs::unlinkat(parent, name, AtFlags::empty()).map_err(failed)?;
        return Ok(Removed { entries: 1 });
    }
    let top = open_for_emptying(parent, name)?;
    let listing = Listing::new();
    let mut sweep = Sweep { top: top.as_fd(), removed: &mut removed, moved: 0, listing, told };
    let mut idle = 0;
    while idle < IDLE_PASSES_MAX {
        let before = sweep.removed.entries;
        match sweep.pass()? {
            Remaining::Nothing => {
                rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR).map_err(failed)?;
                removed.entries = removed.entries.saturating_add(1);
                return Ok(removed);
            }
            Remaining::Something if sweep.removed.entries == before => idle += 1,
            Remaining::Something => idle = 0,
        }
    }
    Err(DiscardError::Busy { name: visible(name) })
}

enum Remaining {
    Nothing,
    Something,
}

struct Sweep<'a> {
    top: BorrowedFd<'a>,
    removed: &'a mut Removed,
    /// Directories moved up so far, which gives the next one its name.
    moved: u64,
    listing: Listing,
    told: &'a mut dyn FnMut(Removed),
}

impl Sweep<'_> {
    /// Goes once through the top and empties every directory in it.
    fn pass(&mut self) -> Result<Remaining, DiscardError> {
        rustix::fs::seek(self.top, rustix::fs::SeekFrom::Start(0))
            .map_err(|source| DiscardError::Remove { name: ".".to_owned(), source })?;
        let mut listing = std::mem::replace(&mut self.listing, Listing::new());
        let mut remaining = Remaining::Nothing;
        let top = self.top;
        listing
            .read::<Stopped>(top, |name, kind| {
                remaining = Remaining::Something;
                if kind == FileType::Directory { self.empty(name) } else { self.unlink(top, name) }
                    .map_err(Stopped::Own)
            })
            .map_err(|stopped| stopped.at(b"."))?;
        self.listing = listing;
        Ok(remaining)
    }

    /// Empties the directory `name` of the top and removes it; directories in it that are not empty move to the top.
    fn empty(&mut self, name: &[u8]) -> Result<(), DiscardError> {
        let fd = open_for_emptying(self.top, name)?;
        let mut listing = Listing::new();
        listing
            .read::<Stopped>(fd.as_fd(), |inner, kind| {
                if kind == FileType::Directory {
                    self.lift(fd.as_fd(), inner)
                } else {
                    self.unlink(fd.as_fd(), inner)
                }
                .map_err(Stopped::Own)
            })
            .map_err(|stopped| stopped.at(name))?;
        match rustix::fs::unlinkat(self.top, name, AtFlags::REMOVEDIR) {
            Ok(()) => self.count(),
            // Entries that the listing missed: the next pass finds them.
            Err(Errno::NOTEMPTY | Errno::NOENT) => {}
            Err(source) => return Err(failure(name, source)),
        }
        Ok(())
    }

    fn unlink(&mut self, directory: BorrowedFd<'_>, name: &[u8]) -> Result<(), DiscardError> {
        match rustix::fs::unlinkat(directory, name, AtFlags::empty()) {
            Ok(()) => self.count(),
            Err(Errno::NOENT) => {}
            Err(source) => return Err(failure(name, source)),
        }
        Ok(())
    }

    /// Removes the directory `name` if it is empty, else moves it to the top.
    fn lift(&mut self, directory: BorrowedFd<'_>, name: &[u8]) -> Result<(), DiscardError> {
        match rustix::fs::unlinkat(directory, name, AtFlags::REMOVEDIR) {
            Ok(()) => {
                self.count();
                return Ok(());
            }
            Err(Errno::NOENT) => return Ok(()),
            Err(Errno::NOTEMPTY | Errno::EXIST) => {}
            Err(source) => return Err(failure(name, source)),
        }
        loop {
            let new_name = format!("discarded-{}", self.moved);
            self.moved = self.moved.saturating_add(1);
            match rustix::fs::renameat_with(directory, name, self.top, new_name, RenameFlags::NOREPLACE) {
                Ok(()) => return Ok(()),
                Err(Errno::EXIST) => {}
                // Its entry `..` changes, for which it must be writable itself.
                Err(Errno::ACCESS) => drop(open_for_emptying(directory, name)?),
                Err(source) => return Err(failure(name, source)),
            }
        }
    }

    fn count(&mut self) {
        self.removed.entries = self.removed.entries.saturating_add(1);
        if self.removed.entries.is_multiple_of(STEP_ENTRIES) {
            (self.told)(*self.removed);
        }
    }
}

/// A failure of our own, or of the listing around it.
enum Stopped {
    Own(DiscardError),
    Listing(Errno),
}

impl From<Errno> for Stopped {
    fn from(errno: Errno) -> Self {
        Self::Listing(errno)
    }
}

impl Stopped {
    fn at(self, name: &[u8]) -> DiscardError {
        match self {
            Self::Own(error) => error,
            Self::Listing(source) => failure(name, source),
        }
    }
}

fn failure(name: &[u8], source: Errno) -> DiscardError {
    match source {
        Errno::BUSY | Errno::XDEV => DiscardError::MountPoint { name: visible(name) },
        source => DiscardError::Remove { name: visible(name), source },
    }
}

/// Opens a directory for listing and sees to it that its entries can be removed.
fn open_for_emptying(parent: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, DiscardError> {
    let failed = |source| failure(name, source);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let fd = match beneath::open_same_mount(parent, name, flags) {
        Err(Errno::ACCESS) => {
            // A descriptor without rights still names this very directory, which no link can take the place of.
            let path =
                beneath::open_same_mount(parent, name, OFlags::PATH | OFlags::DIRECTORY).map_err(failed)?;
            let link = format!("/proc/self/fd/{}", path.as_raw_fd());
            rustix::fs::chmodat(CWD, link, Mode::RWXU, AtFlags::empty()).map_err(failed)?;
            beneath::open_same_mount(parent, name, flags).map_err(failed)?
        }
        other => other.map_err(failed)?,
    };
    let stat = beneath::stat_fd(&fd).map_err(failed)?;
    if beneath::permissions(&stat) & 0o700 != 0o700 {
        rustix::fs::fchmod(&fd, Mode::RWXU).map_err(failed)?;
    }
    Ok(fd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    fn open(path: &Path) -> OwnedFd {
        rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap()
    }

    #[test]
    fn directories_without_permissions_go_with_all_that_is_in_them() {
        let scene = tempfile::tempdir().unwrap();
        let deep = scene.path().join("state/a/b/c");
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("file"), "x").unwrap();
        for closed in ["state/a/b/c", "state/a/b", "state/a", "state"] {
            fs::set_permissions(scene.path().join(closed), fs::Permissions::from_mode(0o000)).unwrap();
        }
        let removed = remove(open(scene.path()).as_fd(), b"state").unwrap();
        assert_eq!(removed.entries, 5);
        assert!(!scene.path().join("state").exists());
    }

    #[test]
    fn a_symbolic_link_goes_and_what_it_points_to_stays() {
        let scene = tempfile::tempdir().unwrap();
        fs::create_dir_all(scene.path().join("outside")).unwrap();
        fs::write(scene.path().join("outside/kept"), "x").unwrap();
        fs::create_dir_all(scene.path().join("state/sub")).unwrap();
        symlink("../../outside", scene.path().join("state/sub/link")).unwrap();
        symlink(scene.path().join("outside"), scene.path().join("top-link")).unwrap();
        let parent = open(scene.path());
        remove(parent.as_fd(), b"state").unwrap();
        remove(parent.as_fd(), b"top-link").unwrap();
        assert_eq!(fs::read(scene.path().join("outside/kept")).unwrap(), b"x");
        assert!(!scene.path().join("state").exists());
    }

    #[test]
    fn a_tree_deeper_than_any_path_goes() {
        let scene = tempfile::tempdir().unwrap();
        let name = "d".repeat(100);
        let mut fd = open(scene.path());
        for _ in 0..300 {
            rustix::fs::mkdirat(&fd, name.as_str(), Mode::RWXU).unwrap();
            rustix::fs::mkdirat(&fd, "discarded-0", Mode::RWXU).unwrap();
            fd = rustix::fs::openat(&fd, name.as_str(), OFlags::RDONLY, Mode::empty()).unwrap();
        }
        rustix::fs::mkdirat(&fd, "x", Mode::RWXU).unwrap();
        remove(open(scene.path()).as_fd(), name.as_bytes()).unwrap();
        assert!(!scene.path().join(name).exists());
    }

    #[test]
    fn many_entries_in_one_directory_go() {
        let scene = tempfile::tempdir().unwrap();
        for number in 0..3000 {
            let directory = scene.path().join(format!("state/d{}", number % 3));
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join(format!("{number}")), "").unwrap();
        }
        let mut told = Vec::new();
        let removed =
            remove_telling(open(scene.path()).as_fd(), b"state", &mut |so_far| told.push(so_far.entries));
        assert_eq!((removed.unwrap().entries, told), (3004, vec![1024, 2048]));
    }

    #[test]
    fn what_is_missing_is_no_error() {
        let scene = tempfile::tempdir().unwrap();
        assert_eq!(remove(open(scene.path()).as_fd(), b"state").unwrap(), Removed::default());
    }
}
