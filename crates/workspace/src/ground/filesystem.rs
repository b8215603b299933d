//! What kind of file system a directory lies on, and whether an overlay can be laid over it.
//!
//! By the magic numbers of statfs(2) and linux/magic.h. A kind that is not in the table counts as not overlayable.

use rustix::fd::AsFd;
use std::fmt;

/// A file system, by the magic number that the kernel gives for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileSystem {
    /// `f_type` of statfs(2), its low 32 bits.
    pub magic: u32,
}

/// Magic number, name, and whether it serves as the lower layer of an overlay.
const KINDS: &[(u32, &str, bool)] = &[
    (0x0000_ef53, "ext4", true),
    (0x5846_5342, "xfs", true),
    (0x9123_683e, "btrfs", true),
    (0xf2f5_2010, "f2fs", true),
    (0x0102_1994, "tmpfs", true),
    (0x8584_58f6, "ramfs", true),
    (0x2fc1_2fc1, "zfs", true),
    (0xca45_1a4e, "bcachefs", true),
    (0xe0f5_e1e2, "erofs", true),
    (0x7371_7368, "squashfs", true),
    (0x0000_9660, "iso9660", true),
    // Over the network, or served by a process: names and contents change without the kernel's knowing.
    (0x0000_6969, "NFS", false),
    (0xff53_4d42, "CIFS", false),
    (0xfe53_4d42, "SMB", false),
    (0x0000_517b, "SMB", false),
    (0x6573_5546, "FUSE", false),
    (0x0102_1997, "9p", false),
    (0x00c3_6400, "ceph", false),
    (0x5346_414f, "AFS", false),
    (0x6b41_4653, "AFS", false),
    (0x0bd0_0bd0, "lustre", false),
    (0x786f_4256, "a VirtualBox share", false),
    // The kernel refuses these, or stacks no third level on them.
    (0x794c_7630, "overlay", false),
    (0x0000_f15f, "ecryptfs", false),
    (0x0000_4d44, "FAT", false),
    (0x2011_bab0, "exFAT", false),
    (0x5346_544e, "NTFS", false),
    (0x7366_746e, "NTFS", false),
];

impl FileSystem {
    /// The one on which the open file lies.
    pub(crate) fn of(fd: impl AsFd) -> rustix::io::Result<Self> {
        let [a, b, c, d, ..] = rustix::fs::fstatfs(fd)?.f_type.to_le_bytes();
        Ok(Self { magic: u32::from_le_bytes([a, b, c, d]) })
    }

    /// Whether it can be the lower layer of an overlay.
    #[must_use]
    pub fn is_overlayable(self) -> bool {
        KINDS.iter().any(|(magic, _, overlayable)| *magic == self.magic && *overlayable)
    }
}

impl fmt::Display for FileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match KINDS.iter().find(|(magic, _, _)| *magic == self.magic) {
            Some((_, name, _)) => f.write_str(name),
            None => write!(f, "an unknown file system ({:#x})", self.magic),
        }
    }
}
