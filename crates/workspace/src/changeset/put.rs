//! What applies and undos of ours left in an owner's directory: that is no edit of the owner's.
//!
//! It is known again by inode, ctime and size, which no later edit leaves as they are; where a content was put, by that
//! as well, so that an edit within the same tick is found at the next apply. It says nothing of what was there before.

use super::base::Base;
use super::stage;
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
    /// Those of which that will be said when what is under way is written.
    expected: BTreeSet<String>,
}

impl Put {
    /// Notes what lies at `path` now, which was just left there. Where `content` was put and another one lies there, the
    /// owner was quicker, and nothing is noted.
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
            Ok(Expected::Present(seen)) if holds(tree, path, content)? => {
                self.entries.insert(path.clone(), Seen { sha256: content, ..seen });
            }
            Ok(Expected::Present(_) | Expected::Missing) | Err(Errno::NOTSUP) => {
                self.entries.remove(path);
            }
            Err(errno) => return Err(errno),
        }
        Ok(())
    }

    /// To be called before `paths` are written: keeps in mind in which of the directories that hold them the owner has
    /// neither made nor removed anything since `base`.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn expect_quiet<'p>(
        &mut self,
        tree: BorrowedFd<'_>,
        base: Base,
        paths: impl IntoIterator<Item = &'p WorkspacePath>,
    ) -> Result<(), Errno> {
        let parents: BTreeSet<&[u8]> = paths.into_iter().map(WorkspacePath::parent).collect();
        self.expected = BTreeSet::new();
        for directory in parents {
            let is_quiet = match beneath::stat_path(tree, directory)? {
                // One that comes with the apply itself.
                None => true,
                Some(stat) => self.is_quiet(directory, &stat) || base.is_older(&stat),
            };
            if is_quiet {
                self.expected.insert(crate::path::visible(directory));
            }
        }
        Ok(())
    }

    /// To be called when they are written: nothing came into those directories or went from them but by us.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn settle_quiet(&mut self, tree: BorrowedFd<'_>) -> Result<(), Errno> {
        for directory in std::mem::take(&mut self.expected) {
            let Some(path) = crate::path::parse_visible(&directory) else { continue };
            if let Some(stat) = beneath::stat_path(tree, &path)? {
                self.quiet.insert(directory, changed(&stat));
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

/// Whether the file at `path` has this content; without one, it may be anything.
fn holds(tree: BorrowedFd<'_>, path: &WorkspacePath, content: Option<ContentDigest>) -> Result<bool, Errno> {
    let Some(content) = content else { return Ok(true) };
    match stage::open(tree, path.as_bytes()).and_then(|file| stage::content_of(&file)) {
        Ok(found) => Ok(*found.as_bytes() == content.0),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO | Errno::ISDIR) => Ok(false),
        Err(errno) => Err(errno),
    }
}

fn changed(stat: &Statx) -> Moment {
    Moment { seconds: stat.stx_ctime.tv_sec, nanos: stat.stx_ctime.tv_nsec }
}
