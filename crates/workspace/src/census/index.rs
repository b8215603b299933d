//! The index of a census on disk: what makes the next one quick.
//!
//! Private to this crate, versioned, checked as a whole; anything unexpected in it makes it as good as missing.
//! It is never read from a place that a session could write.
//!
//! Layout, little-endian: magic, version, digest of the masks, the root's device and inode, number of directories,
//! checksum of the rest; then for each directory, parents first, a fixed part, its name, and its findings.

use super::tree::{Node, Stamp, Standing, Tree};
use super::{DIRECTORIES_MAX, FINDINGS_MAX, Finding, Resemblance};
use crate::beneath;
use cofferdam_policy::mask::SecretName;
use rustix::fd::BorrowedFd;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::{Errno, Result};

const MAGIC: &[u8; 8] = b"cfdcens\0";
const VERSION: u32 = 1;

/// The longest index read, in bytes.
const INDEX_BYTES_MAX: usize = 512 * 1024 * 1024;

/// The least that one directory takes in the index, in bytes.
const NODE_BYTES_MIN: usize = 58;

/// What an index must have been made for.
#[derive(Debug)]
pub(super) struct Identity {
    masks: [u8; 32],
    dev_major: u32,
    dev_minor: u32,
    ino: u64,
    /// Of this boot only; not stored.
    pub(super) mount: u64,
}

impl Identity {
    pub(super) fn of(root: BorrowedFd<'_>, masks: [u8; 32]) -> Result<Self> {
        let stat = beneath::stat_fd(root)?;
        Ok(Self {
            masks,
            dev_major: stat.stx_dev_major,
            dev_minor: stat.stx_dev_minor,
            ino: stat.stx_ino,
            mount: stat.stx_mnt_id,
        })
    }

    pub(super) fn file_name(&self) -> String {
        format!("census-{:x}-{:x}-{:x}", self.dev_major, self.dev_minor, self.ino)
    }

    fn header(&self, nodes: usize, checksum: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.masks);
        bytes.extend_from_slice(&self.dev_major.to_le_bytes());
        bytes.extend_from_slice(&self.dev_minor.to_le_bytes());
        bytes.extend_from_slice(&self.ino.to_le_bytes());
        bytes.extend_from_slice(&u32::try_from(nodes).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes
    }
}

/// The stored tree, or `None` if there is none that can be used.
pub(super) fn load(cache: BorrowedFd<'_>, identity: &Identity) -> Option<Tree> {
    let bytes = beneath::read_small(cache, identity.file_name().as_bytes(), INDEX_BYTES_MAX).ok()??;
    parse(&bytes, identity)
}

/// Writes the tree beside a former one and puts it in its place.
pub(super) fn store(cache: BorrowedFd<'_>, identity: &Identity, tree: &Tree) -> Result<()> {
    let mut body = Vec::with_capacity(tree.nodes.len().saturating_mul(NODE_BYTES_MIN + 16));
    for node in &tree.nodes {
        print_node(&mut body, node, crate::path::split(tree.path(node)).1);
    }
    let mut bytes = identity.header(tree.nodes.len(), checksum(&body));
    bytes.extend_from_slice(&body);
    let name = identity.file_name();
    // Another census of the same tree may be under way in this or another process.
    let unique = rustix::process::getpid().as_raw_nonzero();
    let thread = rustix::thread::gettid().as_raw_nonzero();
    let temporary = format!("{name}.{unique}.{thread}");
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(cache, temporary.as_str(), flags, Mode::RUSR | Mode::WUSR)?;
    let written = beneath::write_all(&fd, &bytes)
        .and_then(|()| rustix::fs::renameat(cache, temporary.as_str(), cache, name.as_str()));
    if written.is_err() {
        // The first error is the one worth telling.
        rustix::fs::unlinkat(cache, temporary.as_str(), AtFlags::empty()).or(Ok::<(), Errno>(()))?;
    }
    written
}

fn print_node(bytes: &mut Vec<u8>, node: &Node, name: &[u8]) {
    let Stamp { dev_major, dev_minor, ino, ctime_seconds, ctime_nanos, mtime_seconds, mtime_nanos } =
        node.stamp;
    bytes.extend_from_slice(&node.parent.to_le_bytes());
    bytes.extend_from_slice(&dev_major.to_le_bytes());
    bytes.extend_from_slice(&dev_minor.to_le_bytes());
    bytes.extend_from_slice(&ino.to_le_bytes());
    bytes.extend_from_slice(&ctime_seconds.to_le_bytes());
    bytes.extend_from_slice(&ctime_nanos.to_le_bytes());
    bytes.extend_from_slice(&mtime_seconds.to_le_bytes());
    bytes.extend_from_slice(&mtime_nanos.to_le_bytes());
    bytes.push(standing_code(node.standing));
    bytes.push(u8::from(node.bare_repository));
    bytes.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    bytes.extend_from_slice(&u32::try_from(node.findings.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend_from_slice(name);
    for (name, finding) in &node.findings {
        bytes.push(finding_code(*finding));
        bytes.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(name);
    }
}

fn parse(bytes: &[u8], identity: &Identity) -> Option<Tree> {
    let empty = identity.header(0, 0);
    let (header, body) = bytes.split_at_checked(empty.len())?;
    let (fixed, counted) = header.split_at_checked(empty.len().checked_sub(12)?)?;
    let mut counted = Reader(counted);
    let count = usize::try_from(counted.u32()?).ok()?;
    let sum = counted.u64()?;
    if !empty.starts_with(fixed) || count == 0 || count > DIRECTORIES_MAX || checksum(body) != sum {
        return None;
    }
    if body.len() / NODE_BYTES_MIN.checked_sub(8)? < count {
        return None;
    }
    let mut tree = Tree::empty(count, body.len());
    let mut reader = Reader(body);
    let mut findings_left = FINDINGS_MAX;
    for number in 0..count {
        parse_node(&mut reader, &mut tree, number, &mut findings_left)?;
    }
    reader.0.is_empty().then_some(tree)
}

fn parse_node(
    reader: &mut Reader<'_>,
    tree: &mut Tree,
    number: usize,
    findings_left: &mut usize,
) -> Option<()> {
    let parent = reader.u32()?;
    let stamp = Stamp {
        dev_major: reader.u32()?,
        dev_minor: reader.u32()?,
        ino: reader.u64()?,
        ctime_seconds: reader.i64()?,
        ctime_nanos: reader.u32()?,
        mtime_seconds: reader.i64()?,
        mtime_nanos: reader.u32()?,
    };
    let standing = standing_of(reader.u8()?)?;
    let bare_repository = reader.u8()? != 0;
    let name_length = reader.u8()?;
    let count = usize::try_from(reader.u32()?).ok()?;
    let name = reader.bytes(usize::from(name_length))?;
    let is_root = number == 0;
    let plain = name.is_empty() == is_root
        && !name.contains(&0)
        && !name.contains(&b'/')
        && !matches!(name, b"." | b"..");
    if !plain || (!is_root && usize::try_from(parent).ok()? >= number) {
        return None;
    }
    *findings_left = findings_left.checked_sub(count)?;
    let mut findings = Vec::new();
    for _ in 0..count {
        let finding = finding_of(reader.u8()?)?;
        let length = reader.u8()?;
        findings.push((reader.bytes(usize::from(length))?.into(), finding));
    }
    let new = tree.push(parent, name);
    let node = tree.nodes.get_mut(new)?;
    (node.stamp, node.standing, node.bare_repository, node.findings) =
        (stamp, standing, bare_repository, findings);
    Some(())
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }
}

/// Against torn writes and rotten disks, not against an adversary: only the owner writes here. Eight bytes at a time.
fn checksum(bytes: &[u8]) -> u64 {
    const PRIME: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |sum: u64, word: u64| (sum.rotate_left(23) ^ word).wrapping_mul(PRIME);
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    for (slot, byte) in last.iter_mut().zip(rest) {
        *slot = *byte;
    }
    let sum = words.iter().fold(PRIME, |sum, word| mix(sum, u64::from_le_bytes(*word)));
    let sum = mix(sum, u64::from_le_bytes(last));
    mix(sum, u64::try_from(bytes.len()).unwrap_or(u64::MAX))
}

const fn standing_code(standing: Standing) -> u8 {
    match standing {
        Standing::Unread => 0,
        Standing::Settled => 1,
        Standing::Racy => 2,
        Standing::MountPoint => 3,
        Standing::Unreadable => 4,
        Standing::Gone => 5,
    }
}

const fn standing_of(code: u8) -> Option<Standing> {
    Some(match code {
        0 => Standing::Unread,
        1 => Standing::Settled,
        2 => Standing::Racy,
        3 => Standing::MountPoint,
        4 => Standing::Unreadable,
        5 => Standing::Gone,
        _ => return None,
    })
}

pub(super) const fn resemblance_code(why: SecretName) -> u8 {
    match why {
        SecretName::MayHoldKey => 16,
        SecretName::NamedSo => 17,
        SecretName::MayHoldLogin => 18,
        SecretName::History => 19,
        SecretName::Exports => 20,
    }
}

const fn finding_code(finding: Finding) -> u8 {
    match finding {
        Finding::Masked => 0,
        Finding::GitDirectory => 1,
        Finding::GitPointer => 2,
        Finding::BareRepository => 3,
        Finding::MountPoint => 4,
        Finding::Unreadable => 5,
        Finding::Resembles(Resemblance(why)) => resemblance_code(why),
    }
}

const fn finding_of(code: u8) -> Option<Finding> {
    Some(match code {
        0 => Finding::Masked,
        1 => Finding::GitDirectory,
        2 => Finding::GitPointer,
        3 => Finding::BareRepository,
        4 => Finding::MountPoint,
        5 => Finding::Unreadable,
        16 => Finding::Resembles(Resemblance(SecretName::MayHoldKey)),
        17 => Finding::Resembles(Resemblance(SecretName::NamedSo)),
        18 => Finding::Resembles(Resemblance(SecretName::MayHoldLogin)),
        19 => Finding::Resembles(Resemblance(SecretName::History)),
        20 => Finding::Resembles(Resemblance(SecretName::Exports)),
        _ => return None,
    })
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn identity() -> Identity {
        Identity { masks: [7; 32], dev_major: 8, dev_minor: 1, ino: 42, mount: 1 }
    }

    fn printed(tree: &Tree) -> Vec<u8> {
        let mut body = Vec::new();
        for node in &tree.nodes {
            print_node(&mut body, node, crate::path::split(tree.path(node)).1);
        }
        let mut bytes = identity().header(tree.nodes.len(), checksum(&body));
        bytes.extend(body);
        bytes
    }

    fn example() -> Tree {
        let mut tree = Tree::new();
        tree.push(0, b"a");
        tree.push(1, b"b");
        let node = tree.push(0, b"c");
        tree.nodes[node].standing = Standing::Settled;
        tree.nodes[node].findings.push((b".env".as_slice().into(), Finding::Masked));
        tree
    }

    #[test]
    fn what_is_stored_is_what_is_loaded() {
        let loaded = parse(&printed(&example()), &identity()).unwrap();
        assert_eq!(format!("{loaded:?}"), format!("{:?}", example()));
        assert_eq!(loaded.path(&loaded.nodes[2]), b"a/b");
    }

    #[test]
    fn an_index_of_other_masks_or_another_directory_is_no_index() {
        let bytes = printed(&example());
        assert!(parse(&bytes, &Identity { masks: [8; 32], ..identity() }).is_none());
        assert!(parse(&bytes, &Identity { ino: 43, ..identity() }).is_none());
        assert!(parse(&bytes, &identity()).is_some());
    }

    #[test]
    fn a_path_that_climbs_out_is_no_index() {
        for name in [&b".."[..], b".", b"x/y", b"x\0", b""] {
            let mut tree = Tree::new();
            tree.push(0, name);
            let mut body = Vec::new();
            print_node(&mut body, &tree.nodes[0], b"");
            print_node(&mut body, &tree.nodes[1], name);
            let mut bytes = identity().header(2, checksum(&body));
            bytes.extend(body);
            assert!(parse(&bytes, &identity()).is_none(), "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn a_flipped_byte_makes_it_no_index(at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let mut bytes = printed(&example());
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(parse(&bytes, &identity()).is_none());
        }

        #[test]
        fn any_bytes_are_parsed_without_a_panic(body in prop::collection::vec(any::<u8>(), 0..300), count in 0usize..6) {
            let mut bytes = identity().header(count, checksum(&body));
            bytes.extend(body);
            prop_assert!(parse(&bytes, &identity()).is_none_or(|tree| tree.nodes.len() == count));
        }
    }
}
