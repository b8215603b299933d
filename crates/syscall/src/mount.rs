//! The one mount call that rustix lacks.

use crate::process::check;
use rustix::fd::{AsRawFd as _, BorrowedFd};
use rustix::io::Errno;
use std::ptr;

/// Attributes of a mount (`MOUNT_ATTR_*`), as bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MountAttributes(u64);

impl MountAttributes {
    /// Read-only.
    pub const READ_ONLY: Self = Self(0x1);
    /// Set-user-id bits have no effect.
    pub const NO_SETUID: Self = Self(0x2);
    /// Device nodes have no effect.
    pub const NO_DEVICES: Self = Self(0x4);

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Sets attributes on the mount at the root of `tree` (`mount_setattr(2)`).
///
/// # Errors
/// The kernel's.
pub fn set_attributes(tree: BorrowedFd<'_>, set: MountAttributes) -> Result<(), Errno> {
    set_attribute_block(tree, libc::mount_attr { attr_set: set.0, attr_clr: 0, propagation: 0, userns_fd: 0 })
}

/// Shows a detached tree's ids through the map of a user namespace (`MOUNT_ATTR_IDMAP`): its inside ids are
/// the ids on disk, its outside ids the ones seen.
///
/// # Errors
/// The kernel's: `EINVAL` where the file system can't, `EPERM` without `CAP_SYS_ADMIN` over it.
pub fn map_ids(tree: BorrowedFd<'_>, namespace: BorrowedFd<'_>) -> Result<(), Errno> {
    const MOUNT_ATTR_IDMAP: u64 = 0x0010_0000;
    let userns = u64::try_from(namespace.as_raw_fd()).ok().ok_or(Errno::BADF)?;
    set_attribute_block(
        tree,
        libc::mount_attr { attr_set: MOUNT_ATTR_IDMAP, attr_clr: 0, propagation: 0, userns_fd: userns },
    )
}

fn set_attribute_block(tree: BorrowedFd<'_>, attributes: libc::mount_attr) -> Result<(), Errno> {
    // SAFETY: the path is a static empty string, taken with AT_EMPTY_PATH; the attributes live across the call
    // and their size is passed; the descriptors are borrowed by our callers.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            ptr::from_ref(&attributes),
            size_of::<libc::mount_attr>(),
        )
    };
    check(result)
}
