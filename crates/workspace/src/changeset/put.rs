//! What applies and undos of ours left in an owner's directory: that is no edit of the owner's.
//!
//! It is known again by inode, ctime and size, which no later edit leaves as they are; where a content was put, by that
//! as well, so that an edit within the same tick is found at the next apply. It says nothing of what was there before.

use super::base::Base;
use crate::apply::{ContentDigest, Expected, Seen};
use crate::beneath;
use crate::changes::Moment;
use crate::path::WorkspacePath;
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
}

impl Put {
    /// Notes what lies at `path` now, which was just left there; `content` if that was put.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn note(
        &mut self,
        tree: BorrowedFd<'_>,
        path: &WorkspacePath,
        content: Option<ContentDigest>,
    ) -> Result<(), Errno> {
        match Expected::now(tree, path) {
            Ok(Expected::Present(seen)) => {
                self.entries.insert(path.clone(), Seen { sha256: content, ..seen });
            }
            Ok(Expected::Missing) | Err(Errno::NOTSUP) => {
                self.entries.remove(path);
            }
            Err(errno) => return Err(errno),
        }
        Ok(())
    }

    /// Of the directories that hold `paths`, those in which the owner has neither made nor removed anything since `base`.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn quiet_above<'p>(
        &self,
        tree: BorrowedFd<'_>,
        base: Base,
        paths: impl IntoIterator<Item = &'p WorkspacePath>,
    ) -> Result<BTreeSet<Vec<u8>>, Errno> {
        let mut quiet = BTreeSet::new();
        let parents: BTreeSet<&[u8]> = paths.into_iter().map(WorkspacePath::parent).collect();
        for directory in parents {
            let is_quiet = match beneath::stat_path(tree, directory)? {
                // One that comes with the apply itself.
                None => true,
                Some(stat) => self.is_quiet(directory, &stat) || base.is_older(&stat),
            };
            if is_quiet {
                quiet.insert(directory.to_vec());
            }
        }
        Ok(quiet)
    }

    /// Notes that nothing came into these directories or went from them but by us.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn note_quiet(&mut self, tree: BorrowedFd<'_>, directories: &BTreeSet<Vec<u8>>) -> Result<(), Errno> {
        for directory in directories {
            if let Some(stat) = beneath::stat_path(tree, directory)? {
                self.quiet.insert(crate::path::visible(directory), changed(&stat));
            }
        }
        Ok(())
    }

    /// What was left at `path`, if it is what lies there still.
    pub(super) fn known(&self, path: &[u8], stat: &Statx) -> Option<&Seen> {
        if self.entries.is_empty() {
            return None;
        }
        let noted = self.entries.get(&WorkspacePath::new(path).ok()?)?;
        noted.is(stat).then_some(noted)
    }

    /// Whether nothing came into the directory or went from it but by us.
    pub(super) fn is_quiet(&self, directory: &[u8], stat: &Statx) -> bool {
        !self.quiet.is_empty() && self.quiet.get(&crate::path::visible(directory)) == Some(&changed(stat))
    }
}

fn changed(stat: &Statx) -> Moment {
    Moment { seconds: stat.stx_ctime.tv_sec, nanos: stat.stx_ctime.tv_nsec }
}
