//! What applies and undos of ours left in an owner's directory: that is no edit of the owner's.
//!
//! It is known again by inode, ctime and size, which no later edit leaves as they are; where a content was put, by that
//! as well, so that an edit within the same tick is found at the next apply. It says nothing of what was there before.

use super::base::Base;
use crate::apply::{EntryKind, Expected as Found, PutPath, Seen};
use crate::beneath;
use crate::changes::Moment;
use crate::path::{WorkspacePath, parse_visible, visible};
use rustix::fd::BorrowedFd;
use rustix::fs::Statx;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What was left where.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Put {
    entries: BTreeMap<WorkspacePath, Seen>,
    /// Directories in which nothing came or went but by us, with the ctimes that we left; the root is the empty name.
    quiet: BTreeMap<String, Moment>,
    /// Of what is under way.
    expected: Expected,
}

/// What is known before something is written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// Directories that were quiet.
    quiet: BTreeSet<String>,
    /// What is ours or was untouched, with the time of its content.
    entries: BTreeMap<WorkspacePath, (Seen, Moment)>,
}

impl Put {
    /// Notes what lies there now, if it is what was left there. If it is not, the owner was quicker, and nothing is noted.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn note(&mut self, tree: BorrowedFd<'_>, wrote: &PutPath) -> Result<(), Errno> {
        match Found::now(tree, &wrote.path) {
            // In this order: an edit after the first look has another ctime.
            Ok(Found::Present(seen)) if wrote.lies_in(tree)? => {
                self.entries.insert(wrote.path.clone(), Seen { sha256: wrote.content(), ..seen });
            }
            Ok(Found::Present(_) | Found::Missing) | Err(Errno::NOTSUP) => {
                self.entries.remove(&wrote.path);
            }
            Err(errno) => return Err(errno),
        }
        Ok(())
    }

    /// To be called before `paths` are written, each with what was seen there if that is what the session started from:
    /// keeps in mind what is ours or was so far untouched, and in which of the directories above the owner has neither made
    /// nor removed anything since `base`.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn expect<'p>(
        &mut self,
        tree: BorrowedFd<'_>,
        base: Base,
        paths: impl IntoIterator<Item = (&'p WorkspacePath, Option<&'p Seen>)>,
    ) -> Result<(), Errno> {
        let mut expected = Expected::default();
        let mut parents: BTreeSet<&[u8]> = BTreeSet::new();
        for (path, seen) in paths {
            parents.insert(path.parent());
            let Some(stat) = beneath::stat_path(tree, path.as_bytes())? else { continue };
            let seen = seen.or_else(|| self.entries.get(path)).filter(|seen| seen.is(&stat));
            if let Some(seen) = seen {
                expected.entries.insert(path.clone(), (seen.clone(), written(&stat)));
            }
        }
        for directory in parents {
            let is_quiet = match beneath::stat_path(tree, directory)? {
                // One that comes with the apply itself.
                None => true,
                Some(stat) => self.is_quiet(directory, &stat) || base.is_older(&stat),
            };
            if is_quiet {
                expected.quiet.insert(visible(directory));
            }
        }
        self.expected = expected;
        Ok(())
    }

    /// To be called when they are written, and noted: nothing came into those directories or went from them but by us.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn settle_written(&mut self, tree: BorrowedFd<'_>) -> Result<(), Errno> {
        for directory in std::mem::take(&mut self.expected).quiet {
            let Some(path) = parse_visible(&directory) else { continue };
            if let Some(stat) = beneath::stat_path(tree, &path)? {
                self.quiet.insert(directory, changed(&stat));
            }
        }
        Ok(())
    }

    /// The same, when it was found out later that they are written: what came or went in those directories since then
    /// can't be told from what we did, so that none of them counts as quiet.
    pub fn settle_found_written(&mut self) {
        for directory in std::mem::take(&mut self.expected).quiet {
            self.quiet.remove(&directory);
        }
    }

    /// To be called when they were not written after all: what went out and came in again has another ctime, and is the
    /// same still. An edit in between would have moved the time of its content.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn settle_taken_back(&mut self, tree: BorrowedFd<'_>) -> Result<(), Errno> {
        for (path, (before, then)) in std::mem::take(&mut self.expected.entries) {
            let Some(stat) = beneath::stat_path(tree, path.as_bytes())? else { continue };
            let Some(now) = Seen::of(&stat) else { continue };
            let same = (now.kind, now.inode, now.size, written(&stat))
                == (before.kind, before.inode, before.size, then);
            // A directory's size and times follow what is done in it.
            let same = same || (now.kind == EntryKind::Directory && now.inode == before.inode);
            if same {
                self.entries.insert(path, Seen { sha256: before.sha256, ..now });
            }
        }
        self.settle_written(tree)
    }

    /// What was left at `path`, if it is what lies there still.
    pub(super) fn known(&self, path: &[u8], stat: &Statx) -> Option<&Seen> {
        if self.entries.is_empty() {
            return None;
        }
        let noted = self.entries.get(&WorkspacePath::new(path).ok()?)?;
        noted.is(stat).then_some(noted)
    }

    /// Whether `path` is none of ours, in a directory (of which `stat` tells) that we put.
    pub(super) fn is_beside(&self, path: &WorkspacePath, stat: &Statx) -> bool {
        self.is_inode(path.parent(), stat) && !self.entries.contains_key(path)
    }

    /// Whether it is, with whatever content, what was left at `path`.
    pub(super) fn is_inode(&self, path: &[u8], stat: &Statx) -> bool {
        if self.entries.is_empty() {
            return false;
        }
        let noted = WorkspacePath::new(path).ok().and_then(|path| self.entries.get(&path));
        noted.is_some_and(|noted| noted.inode == stat.stx_ino)
    }

    /// Whether nothing came into the directory or went from it but by us.
    pub(super) fn is_quiet(&self, directory: &[u8], stat: &Statx) -> bool {
        !self.quiet.is_empty() && self.quiet.get(&visible(directory)) == Some(&changed(stat))
    }
}

/// When its content was last written.
fn written(stat: &Statx) -> Moment {
    Moment { seconds: stat.stx_mtime.tv_sec, nanos: stat.stx_mtime.tv_nsec }
}

fn changed(stat: &Statx) -> Moment {
    Moment { seconds: stat.stx_ctime.tv_sec, nanos: stat.stx_ctime.tv_nsec }
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fd::{AsFd as _, OwnedFd};
    use rustix::fs::{CWD, Mode, OFlags};

    /// Later than any file of a test.
    const LATER: Base = Base::Since(Moment { seconds: 1 << 40, nanos: 0 });

    fn tree() -> (tempfile::TempDir, OwnedFd) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("d")).unwrap();
        let fd = rustix::fs::openat(CWD, directory.path(), OFlags::RDONLY, Mode::empty()).unwrap();
        (directory, fd)
    }

    fn is_quiet(put: &Put, tree: &OwnedFd) -> bool {
        put.is_quiet(b"d", &beneath::stat_path(tree, b"d").unwrap().unwrap())
    }

    #[test]
    fn what_the_owner_deletes_between_a_crash_and_the_next_command_is_not_taken_for_ours() {
        let (directory, tree) = tree();
        let path = WorkspacePath::new(b"d/new").unwrap();
        for (found_later, quiet) in [(false, true), (true, false)] {
            let mut put = Put::default();
            put.expect(tree.as_fd(), LATER, [(&path, None)]).unwrap();
            std::fs::write(directory.path().join("d/new"), "").unwrap();
            std::fs::remove_file(directory.path().join("d/new")).unwrap();
            if found_later {
                put.settle_found_written();
            } else {
                put.settle_written(tree.as_fd()).unwrap();
            }
            assert_eq!(is_quiet(&put, &tree), quiet);
        }
    }
}
