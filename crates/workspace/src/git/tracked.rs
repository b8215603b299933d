//! Which of some paths git tracks, by its index (gitformat-index(5)): those show as deleted where they are hidden.
//!
//! Versions 2 to 4. Objects, extensions and a shared index are not read, and nothing is written: an index that is not
//! understood tells nothing.

use cofferdam_policy::path::AbsPath;
use rustix::fs::{Mode, OFlags};
use std::collections::BTreeSet;
use std::io::Read as _;

/// The longest index that is read, in bytes; one of a million files has about 100 MB.
pub const INDEX_BYTES_MAX: usize = 256 << 20;
/// Times, numbers, mode, owner and size, before the object's name.
pub(super) const STAT_BYTES: usize = 40;
/// Of the names of objects: SHA-1, SHA-256. Which of them it is does not stand in the index.
pub(super) const HASHES_BYTES: [usize; 2] = [20, 32];
pub(super) const EXTENDED: u16 = 1 << 14;
const NAME_LENGTH: u16 = (1 << 12) - 1;

/// Those of `asked` (paths from the work tree's top) that git tracks, or that hold something that it tracks.
#[must_use]
pub fn tracked(git_directory: &AbsPath, asked: &BTreeSet<Vec<u8>>) -> BTreeSet<Vec<u8>> {
    let Some(bytes) = index(git_directory) else { return BTreeSet::new() };
    let read = HASHES_BYTES.into_iter().find_map(|hash_bytes| among(&bytes, hash_bytes, asked));
    read.map(|(found, _rest)| found).unwrap_or_default()
}

/// The index of a git directory, if there is one of at most [`INDEX_BYTES_MAX`] that can be read.
#[must_use]
pub fn index(git_directory: &AbsPath) -> Option<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::open(git_directory.as_path().join("index"), flags, Mode::empty()).ok()?;
    let mut bytes = Vec::new();
    let mut file = std::fs::File::from(file).take(INDEX_BYTES_MAX as u64 + 1);
    file.read_to_end(&mut bytes).ok()?;
    (bytes.len() <= INDEX_BYTES_MAX).then_some(bytes)
}

/// As [`tracked`], from the index itself (empty: none). `None` if it is not understood, or stands in another file too
/// (a split index): then nothing is known.
#[must_use]
pub fn among_index(index: &[u8], asked: &BTreeSet<Vec<u8>>) -> Option<BTreeSet<Vec<u8>>> {
    if index.is_empty() {
        return Some(BTreeSet::new());
    }
    let (found, mut rest) = HASHES_BYTES.into_iter().find_map(|bytes| among(index, bytes, asked))?;
    // Extensions: a name of four bytes and a length; the checksum at the end is shorter than what could follow it.
    while let Some((name, after)) = rest.split_first_chunk::<4>() {
        if name == b"link" {
            return None;
        }
        let mut after = after;
        let length = usize::try_from(u32::from_be_bytes(taken(&mut after)?)).ok()?;
        match after.get(length..) {
            Some(beyond) => rest = beyond,
            None => break,
        }
    }
    Some(found)
}

/// What is asked for and found, and what follows the entries.
type Found<'i> = (BTreeSet<Vec<u8>>, &'i [u8]);

/// `None` if it is no index with names of objects of that length.
fn among<'i>(index: &'i [u8], hash_bytes: usize, asked: &BTreeSet<Vec<u8>>) -> Option<Found<'i>> {
    let mut rest = index.strip_prefix(b"DIRC")?;
    let version = u32::from_be_bytes(taken(&mut rest)?);
    let count = u32::from_be_bytes(taken(&mut rest)?);
    let mut found = BTreeSet::new();
    let mut name = Vec::new();
    for _ in 0..count {
        let before = rest;
        rest = rest.get(STAT_BYTES + hash_bytes..)?;
        let flags = u16::from_be_bytes(taken(&mut rest)?);
        match (version, flags & EXTENDED != 0) {
            (2, false) | (3 | 4, false) => {}
            (3 | 4, true) => rest = rest.get(2..)?,
            (_, _) => return None,
        }
        if version == 4 {
            let dropped = offset(&mut rest)?;
            name.truncate(name.len().checked_sub(dropped)?);
        } else {
            name.clear();
        }
        let end = rest.iter().position(|byte| *byte == 0)?;
        let (tail, after) = rest.split_at(end);
        name.extend_from_slice(tail);
        let length = usize::from(flags & NAME_LENGTH);
        if name.is_empty() || length < usize::from(NAME_LENGTH) && length != name.len() {
            return None;
        }
        rest = if version == 4 { after.get(1..)? } else { padded(before, after)? };
        found.extend(held(&name).filter(|path| asked.contains(*path)).map(<[u8]>::to_vec));
    }
    Some((found, rest))
}

/// A path, and each directory above it.
pub(super) fn held(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    ends.chain([path.len()]).filter_map(|end| path.get(..end))
}

pub(super) fn taken<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*taken)
}

/// How much of the last name goes, in the encoding of offsets in packs (gitformat-pack(5)).
pub(super) fn offset(rest: &mut &[u8]) -> Option<usize> {
    let [mut byte] = taken(rest)?;
    let mut value = usize::from(byte & 0x7f);
    while byte & 0x80 != 0 {
        [byte] = taken(rest)?;
        value = value.checked_add(1)?.checked_mul(1 << 7)?.checked_add(usize::from(byte & 0x7f))?;
    }
    Some(value)
}

/// What follows an entry that begins at `entry` and whose name ends before `after`: one to eight zeros make its length a
/// multiple of eight.
pub(super) fn padded<'i>(entry: &'i [u8], after: &'i [u8]) -> Option<&'i [u8]> {
    let length = entry.len().checked_sub(after.len())?;
    let zeros = 8 - length % 8;
    let (padding, rest) = after.split_at_checked(zeros)?;
    padding.iter().all(|byte| *byte == 0).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&[u8]; 4] = [b".env", b"a/.npmrc", b"a/b/deep", b"secrets/key.pem"];

    fn entry(version: u32, hash_bytes: usize, last: &[u8], name: &[u8]) -> Vec<u8> {
        let mut entry = vec![7; STAT_BYTES + hash_bytes];
        entry.extend(u16::try_from(name.len()).unwrap().to_be_bytes());
        if version == 4 {
            let same = last.iter().zip(name).take_while(|(a, b)| a == b).count();
            entry.push(u8::try_from(last.len() - same).unwrap());
            entry.extend(&name[same..]);
            entry.push(0);
        } else {
            entry.extend(name);
            entry.extend(vec![0; 8 - entry.len() % 8]);
        }
        entry
    }

    fn index(version: u32, hash_bytes: usize) -> Vec<u8> {
        let mut index = [b"DIRC".as_slice(), &version.to_be_bytes(), &4_u32.to_be_bytes()].concat();
        let mut last: &[u8] = b"";
        for name in NAMES {
            index.extend(entry(version, hash_bytes, last, name));
            last = name;
        }
        index.extend(b"TREE\0\0\0\0 and a checksum");
        index
    }

    fn paths(paths: &[&[u8]]) -> BTreeSet<Vec<u8>> {
        paths.iter().map(|path| path.to_vec()).collect()
    }

    #[test]
    fn what_is_tracked_is_found_in_every_version_and_with_both_hashes() {
        let asked = paths(&[b".env", b"env", b"secrets", b"a/b/deep/er", b".npmrc"]);
        for version in [2, 3, 4] {
            for (right, wrong) in [(20, 32), (32, 20)] {
                let index = index(version, right);
                let found = among(&index, right, &asked).map(|(found, _)| found);
                assert_eq!(found, Some(paths(&[b".env", b"secrets"])), "{version}");
                assert_eq!(among(&index, wrong, &asked), None, "{version}");
            }
        }
    }

    #[test]
    fn what_is_no_index_or_only_the_half_of_one_tells_nothing() {
        let whole = index(2, 20);
        let asked = paths(&[b".env"]);
        for length in 0..whole.len() - 30 {
            assert_eq!(among(&whole[..length], 20, &asked), None, "{length}");
        }
        for version in [0, 1, 5, u32::MAX] {
            assert_eq!(among(&index(version, 20), 20, &asked), None, "{version}");
        }
        let endless = [b"DIRC".as_slice(), &2_u32.to_be_bytes(), &u32::MAX.to_be_bytes()].concat();
        assert_eq!(among(&endless, 20, &asked), None);
        let mut overflow = [b"DIRC".as_slice(), &4_u32.to_be_bytes(), &1_u32.to_be_bytes()].concat();
        overflow.extend(vec![0; STAT_BYTES + 22]);
        overflow.extend([0xff; 40]);
        assert_eq!(among(&overflow, 20, &asked), None);
    }
}
