//! Git's index, entry by entry (gitformat-index(5)): one reader for all that is asked of it.
//!
//! Versions 2 to 4. What follows the entries is handed on; objects are not read, and nothing is written.

use std::ffi::CStr;

/// The signature, the version, the count.
const HEAD_BYTES: usize = 12;
/// Times, numbers, mode, owner and size, before the object's name.
pub(super) const STAT_BYTES: usize = 40;
/// Of the names of objects: SHA-1, SHA-256. Which of them it is does not stand in the index.
pub(super) const HASHES_BYTES: [usize; 2] = [20, 32];
/// Which of several versions it is, in a merge that is not finished.
pub(super) const STAGE: u16 = 3 << 12;
/// A further 16 flags follow, since version 3.
pub(super) const EXTENDED: u16 = 1 << 14;
const NAME_LENGTH: u16 = (1 << 12) - 1;

/// One entry, and where its parts stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'e> {
    /// The path from the work tree's top.
    pub(super) name: &'e [u8],
    /// Times, numbers, mode, owner and size.
    pub(super) stat: &'e [u8],
    /// The object's name.
    pub(super) id: &'e [u8],
    pub(super) flags: u16,
    pub(super) extended: Option<u16>,
    /// The name as it stands there: in version 4 what differs from the name before, with how much of that goes.
    pub(super) tail: &'e [u8],
    /// All of it, with what fills it up.
    pub(super) whole: &'e [u8],
}

/// The version and how many entries there are.
pub(super) fn head(index: &[u8]) -> Option<(u32, u32)> {
    let mut rest = index.strip_prefix(b"DIRC")?;
    Some((u32::from_be_bytes(taken(&mut rest)?), u32::from_be_bytes(taken(&mut rest)?)))
}

/// Gives each entry to `take`; what follows them is the result. `None` if it is no index with names of objects of that
/// length.
pub(super) fn entries(index: &[u8], hash_bytes: usize, mut take: impl FnMut(&Entry<'_>)) -> Option<&[u8]> {
    let (version, count) = head(index)?;
    let mut rest = index.get(HEAD_BYTES..)?;
    let mut spelt = Vec::new();
    for _ in 0..count {
        let before = rest;
        let (stat, after) = rest.split_at_checked(STAT_BYTES)?;
        let (id, after) = after.split_at_checked(hash_bytes)?;
        rest = after;
        let flags = u16::from_be_bytes(taken(&mut rest)?);
        let extended = match (version, flags & EXTENDED != 0) {
            (2..=4, false) => None,
            (3 | 4, true) => Some(u16::from_be_bytes(taken(&mut rest)?)),
            (_, _) => return None,
        };
        let named = rest;
        let dropped = if version == 4 { Some(offset(&mut rest)?) } else { None };
        let last = CStr::from_bytes_until_nul(rest).ok()?.to_bytes();
        let after = rest.get(last.len()..)?;
        let name = match dropped {
            Some(dropped) => {
                spelt.truncate(spelt.len().checked_sub(dropped)?);
                spelt.extend_from_slice(last);
                spelt.as_slice()
            }
            None => last,
        };
        let length = usize::from(flags & NAME_LENGTH);
        if name.is_empty() || length < usize::from(NAME_LENGTH) && length != name.len() {
            return None;
        }
        rest = if version == 4 { after.get(1..)? } else { padded(before, after)? };
        let tail = named.get(..named.len().checked_sub(after.len())?)?;
        let whole = before.get(..before.len().checked_sub(rest.len())?)?;
        take(&Entry { name, stat, id, flags, extended, tail, whole });
    }
    Some(rest)
}

pub(super) fn taken<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*taken)
}

/// How much of the last name goes, in the encoding of offsets in packs (gitformat-pack(5)).
fn offset(rest: &mut &[u8]) -> Option<usize> {
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
fn padded<'i>(entry: &'i [u8], after: &'i [u8]) -> Option<&'i [u8]> {
    let length = entry.len().checked_sub(after.len())?;
    let zeros = 8 - length % 8;
    let (padding, rest) = after.split_at_checked(zeros)?;
    padding.iter().all(|byte| *byte == 0).then_some(rest)
}
