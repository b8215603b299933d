//! The census of a session's start, kept: which directory lay where, so that an exchanged one can be told later.
//!
//! Keeping is a hard link to the index, which is replaced and never rewritten. A record that is missing or not
//! understood tells nothing.

use super::index::{self, Identity};
use crate::beneath;
use cofferdam_policy::mask::MaskSet;
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::fs::AtFlags;
use rustix::io::{Errno, Result};
use std::cell::OnceCell;
use std::collections::HashMap;

/// The directories of a workspace as they were; read when the first of them is asked for.
#[derive(Debug)]
pub struct Kept {
    place: OwnedFd,
    identity: Identity,
    /// The device that the workspace lies on.
    device: (u32, u32),
    inodes: OnceCell<HashMap<Vec<u8>, u64>>,
}

/// Keeps in the directory `place` what the census in `cache` says of `root` now; what was kept before stays.
///
/// # Errors
/// The kernel's answer, if there is no census or no link can be made.
pub fn keep(cache: BorrowedFd<'_>, root: BorrowedFd<'_>, place: BorrowedFd<'_>) -> Result<()> {
    let name = Identity::of(root, [0; 32])?.file_name();
    match rustix::fs::linkat(cache, &name, place, &name, AtFlags::empty()) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno),
    }
}

impl Kept {
    /// What was kept in `place` of `root`, if that is still the same directory and the masks are the same.
    #[must_use]
    pub fn of(place: OwnedFd, root: BorrowedFd<'_>, masks: &MaskSet) -> Option<Self> {
        let identity = Identity::of(root, masks.digest()).ok()?;
        let stat = beneath::stat_fd(root).ok()?;
        let device = (stat.stx_dev_major, stat.stx_dev_minor);
        Some(Self { place, identity, device, inodes: OnceCell::new() })
    }

    /// The inode of the directory that lay at `path`.
    #[must_use]
    pub fn inode(&self, path: &[u8]) -> Option<u64> {
        self.inodes.get_or_init(|| self.read().unwrap_or_default()).get(path).copied()
    }

    fn read(&self) -> Option<HashMap<Vec<u8>, u64>> {
        let tree = index::load(self.place.as_fd(), &self.identity)?;
        let here = |stamp: &super::tree::Stamp| (stamp.dev_major, stamp.dev_minor) == self.device;
        let known = tree.nodes.iter().filter(|node| here(&node.stamp));
        Some(known.map(|node| (tree.path(node).to_vec(), node.stamp.ino)).collect())
    }
}
