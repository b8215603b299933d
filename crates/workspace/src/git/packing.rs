//! Writing objects as a pack with its index (gitformat-pack(5)): each whole and compressed, none as a delta.
//!
//! What is packed was read, and so verified, by [`super::objects`]. Where the files come to lie in a repository is
//! [`super::import`]'s.

use super::objects::{OBJECT_BYTES_MAX, ObjectError, ObjectFormat, ObjectId, ObjectKind, Objects};
use crate::beneath;
use miniz_oxide::deflate::compress_to_vec_zlib;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use sha1_checked::{Digest as _, Sha1};
use sha2::Sha256;
use std::collections::BTreeMap;

/// zlib's own middle way.
const COMPRESSION: u8 = 6;
/// An offset that needs more bits stands in a table of its own.
const OFFSET_MAX: u64 = 0x7fff_ffff;
const FILE_MODE: u32 = 0o444;

/// Why there is no pack.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// An object can't be read.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// A file can't be written.
    #[error("cannot write a pack")]
    Write(#[from] Errno),
    /// More objects than a pack can number.
    #[error("there are too many objects for one pack")]
    TooMany,
}

struct Entry {
    offset: u64,
    checksum: u32,
}

/// A file that is written once and hashed on the way.
struct Hashed {
    file: OwnedFd,
    hash: Hash,
    length: u64,
}

enum Hash {
    Sha1(Box<Sha1>),
    Sha256(Sha256),
}

impl Hashed {
    fn create(directory: BorrowedFd<'_>, name: &str, format: ObjectFormat) -> Result<Self, Errno> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(directory, name, flags, Mode::from_raw_mode(FILE_MODE))?;
        let hash = match format {
            ObjectFormat::Sha1 => Hash::Sha1(Box::default()),
            ObjectFormat::Sha256 => Hash::Sha256(Sha256::new()),
        };
        Ok(Self { file, hash, length: 0 })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        match &mut self.hash {
            Hash::Sha1(hash) => hash.update(bytes),
            Hash::Sha256(hash) => hash.update(bytes),
        }
        self.length = self.length.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        beneath::write_all(&self.file, bytes)
    }

    /// Writes the hash of all before it, and makes the file last.
    fn end(self) -> Result<Vec<u8>, Errno> {
        let sum = match self.hash {
            Hash::Sha1(hash) => hash.finalize().to_vec(),
            Hash::Sha256(hash) => hash.finalize().to_vec(),
        };
        beneath::write_all(&self.file, &sum)?;
        rustix::fs::fsync(&self.file)?;
        Ok(sum)
    }
}

/// Writes the objects `ids`, each once, to `NAME.pack` and `NAME.idx` in `directory`; the files are on the disk. Gives the
/// pack's checksum in hexadecimal, by which git calls it.
///
/// # Errors
/// [`PackError`].
pub fn pack(
    objects: &mut Objects,
    ids: &[ObjectId],
    directory: BorrowedFd<'_>,
    name: &str,
) -> Result<String, PackError> {
    let format = objects.format();
    let count = u32::try_from(ids.len()).map_err(|_many| PackError::TooMany)?;
    let mut file = Hashed::create(directory, &format!("{name}.pack"), format)?;
    file.write(&[b"PACK".as_slice(), &2_u32.to_be_bytes(), &count.to_be_bytes()].concat())?;
    let mut entries = BTreeMap::new();
    for id in ids {
        let object = objects.read(id, OBJECT_BYTES_MAX)?;
        let mut bytes = header(object.kind, object.content.len());
        bytes.extend(compress_to_vec_zlib(&object.content, COMPRESSION));
        entries.insert(*id, Entry { offset: file.length, checksum: crc32(&bytes) });
        file.write(&bytes)?;
    }
    let sum = file.end()?;
    let mut index = Hashed::create(directory, &format!("{name}.idx"), format)?;
    index.write(&table(&entries))?;
    index.write(&sum)?;
    index.end()?;
    Ok(sum.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The kind, and the size in groups of bits, the lowest four first.
fn header(kind: ObjectKind, size: usize) -> Vec<u8> {
    let code: u8 = match kind {
        ObjectKind::Commit => 1,
        ObjectKind::Tree => 2,
        ObjectKind::Blob => 3,
        ObjectKind::Tag => 4,
    };
    let low = |value: usize, mask: usize| u8::try_from(value & mask).unwrap_or_default();
    let mut header = Vec::new();
    let (mut byte, mut rest) = (code << 4 | low(size, 0xf), size >> 4);
    while rest > 0 {
        header.push(byte | 0x80);
        (byte, rest) = (low(rest, 0x7f), rest >> 7);
    }
    header.push(byte);
    header
}

/// Version 2 of the index, but for its checksums.
fn table(entries: &BTreeMap<ObjectId, Entry>) -> Vec<u8> {
    let mut table = [b"\xfftOc".as_slice(), &2_u32.to_be_bytes()].concat();
    let first = |id: &ObjectId| id.as_bytes().first().copied().unwrap_or_default();
    for byte in 0..=u8::MAX {
        let up_to = entries.keys().filter(|id| first(id) <= byte).count();
        table.extend(u32::try_from(up_to).unwrap_or(u32::MAX).to_be_bytes());
    }
    entries.keys().for_each(|id| table.extend(id.as_bytes()));
    entries.values().for_each(|entry| table.extend(entry.checksum.to_be_bytes()));
    let mut long: Vec<u64> = Vec::new();
    for entry in entries.values() {
        let short = u32::try_from(entry.offset).ok().filter(|_| entry.offset <= OFFSET_MAX);
        let number = short.unwrap_or_else(|| {
            let number = u32::try_from(long.len()).unwrap_or(u32::MAX) | 1 << 31;
            long.push(entry.offset);
            number
        });
        table.extend(number.to_be_bytes());
    }
    long.iter().for_each(|offset| table.extend(offset.to_be_bytes()));
    table
}

/// CRC-32 as zlib has it (RFC 1952), bit by bit: compressing takes longer.
fn crc32(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let shifted = |sum: u32| if sum & 1 == 1 { POLYNOMIAL ^ sum >> 1 } else { sum >> 1 };
    !bytes.iter().fold(u32::MAX, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), |sum, _| shifted(sum)))
}

#[cfg(test)]
mod tests {
    use super::super::trial;
    use super::*;
    use rustix::fd::AsFd as _;
    use rustix::fs::CWD;
    use std::path::Path;

    fn git(directory: &Path, arguments: &[&str]) -> String {
        String::from_utf8(trial::git(directory, arguments, b"")).unwrap().trim_end().to_owned()
    }

    fn open(path: &Path) -> OwnedFd {
        rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap()
    }

    #[test]
    fn git_reads_what_was_packed_and_finds_nothing_wrong_with_it() {
        for (word, format) in [("sha1", ObjectFormat::Sha1), ("sha256", ObjectFormat::Sha256)] {
            let scene = tempfile::tempdir().unwrap();
            let (from, to) = (scene.path().join("from"), scene.path().join("to"));
            for repository in [&from, &to] {
                std::fs::create_dir(repository).unwrap();
                git(repository, &["init", "-q", "--object-format", word]);
            }
            std::fs::create_dir(from.join("a")).unwrap();
            for length in [0_usize, 1, 15, 16, 2_047, 2_048, 300_000] {
                std::fs::write(from.join(format!("a/{length}")), "x".repeat(length)).unwrap();
            }
            git(&from, &["add", "."]);
            git(&from, &["commit", "-qm", "first"]);
            let listed = git(&from, &["cat-file", "--batch-all-objects", "--batch-check=%(objectname)"]);
            let id = |hex: &str| ObjectId::from_hex(format, hex.as_bytes()).unwrap();
            let ids: Vec<ObjectId> = listed.lines().map(id).collect();
            let mut objects = Objects::open(format, vec![open(&from.join(".git/objects"))]).unwrap();
            let packs = open(&to.join(".git/objects/pack"));
            let sum = pack(&mut objects, &ids, packs.as_fd(), "new").unwrap();
            for ending in ["pack", "idx"] {
                let place = to.join(".git/objects/pack");
                std::fs::rename(
                    place.join(format!("new.{ending}")),
                    place.join(format!("pack-{sum}.{ending}")),
                )
                .unwrap();
            }
            git(&to, &["verify-pack", &format!(".git/objects/pack/pack-{sum}.idx")]);
            let tip = git(&from, &["rev-parse", "HEAD"]);
            git(&to, &["update-ref", "refs/heads/main", &tip]);
            git(&to, &["fsck", "--strict", "--full"]);
            assert_eq!(git(&to, &["ls-tree", "-r", &tip]), git(&from, &["ls-tree", "-r", &tip]));
        }
    }

    #[test]
    fn the_checksum_is_that_of_zlib() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn an_offset_beyond_two_gigabytes_stands_in_the_table_for_long_ones() {
        let id = |byte: u8| ObjectId::from_bytes(ObjectFormat::Sha1, &[byte; 20]).unwrap();
        let entries = BTreeMap::from([
            (id(1), Entry { offset: OFFSET_MAX, checksum: 0 }),
            (id(2), Entry { offset: OFFSET_MAX + 1, checksum: 0 }),
        ]);
        let table = table(&entries);
        assert!(
            table.ends_with(
                &[&[0x7f, 0xff, 0xff, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0][..]].concat()
            )
        );
    }
}
