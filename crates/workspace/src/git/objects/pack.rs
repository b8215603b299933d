//! A pack with its index (gitformat-pack(5)): version 2 packs, index versions 1 and 2.
//!
//! Nothing is kept in memory but the object that is asked for and what it is a delta of. Checksums of whole packs are
//! not verified: each object is, by its name. A multi-pack index is not read, since the packs keep their own.

use super::delta;
use super::id::{ObjectFormat, ObjectId, ObjectKind};
use super::source::{Source, as_u64, unpack};
use super::{Broken, CHAIN_BYTES_MAX, DELTA_DEPTH_MAX, Fault, OBJECT_BYTES_MAX};

const INDEX_MAGIC: [u8; 8] = *b"\xfftOc\0\0\0\x02";
const PACK_MAGIC: [u8; 8] = *b"PACK\0\0\0\x02";
/// Of the table that tells how many names begin with which byte or a lesser one.
const FAN_OUT_BYTES: u64 = 256 * 4;
/// In the table of offsets: it stands in the table of long offsets, at the number in the other bits.
const LONG: u32 = 1 << 31;
/// Enough for the head of an entry: its size, and an offset or a name.
const HEAD_BYTES: usize = 64;

/// Where the tables of an index begin.
struct Layout {
    fan_out: u64,
    /// The first name.
    names: u64,
    /// From name to name.
    stride: u64,
}

/// Where the index says that the object begins in the pack.
pub(super) fn find(index: &impl Source, id: &ObjectId) -> Result<Option<u64>, Broken> {
    let id_bytes = as_u64(id.as_bytes().len());
    let mut magic = [0; 8];
    index.read_exactly(&mut magic, 0)?;
    let is_second = magic == INDEX_MAGIC;
    let layout = if is_second {
        Layout { fan_out: 8, names: 8 + FAN_OUT_BYTES, stride: id_bytes }
    } else {
        // The first version has no mark: its names follow their offsets.
        Layout { fan_out: 0, names: FAN_OUT_BYTES + 4, stride: id_bytes + 4 }
    };
    let first = u64::from(id.as_bytes().first().copied().unwrap_or(0));
    let bound = |number: u64| number_at(index, layout.fan_out + 4 * number).map(u64::from);
    let total = bound(255)?;
    let mut low = if first == 0 { 0 } else { bound(first - 1)? };
    let mut high = bound(first)?;
    if low > high || high > total {
        return Err(Fault::Index.into());
    }
    let mut name = vec![0; id.as_bytes().len()];
    while low < high {
        let middle = low.midpoint(high);
        index.read_exactly(&mut name, layout.names + middle * layout.stride)?;
        match name.as_slice().cmp(id.as_bytes()) {
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
            std::cmp::Ordering::Equal if is_second => {
                // Behind the names stand as many checksums, then the offsets, then the long ones.
                let offsets = layout.names + total * (id_bytes + 4);
                return offset(index, offsets, middle, total).map(Some);
            }
            std::cmp::Ordering::Equal => {
                let at = layout.names + middle * layout.stride - 4;
                return number_at(index, at).map(|offset| Some(u64::from(offset)));
            }
        }
    }
    Ok(None)
}

fn offset(index: &impl Source, offsets: u64, number: u64, total: u64) -> Result<u64, Broken> {
    let short = number_at(index, offsets + 4 * number)?;
    if short & LONG == 0 {
        return Ok(u64::from(short));
    }
    let mut bytes = [0; 8];
    let at = offsets + 4 * total + 8 * u64::from(short & !LONG);
    index.read_exactly(&mut bytes, at)?;
    Ok(u64::from_be_bytes(bytes))
}

fn number_at(source: &impl Source, at: u64) -> Result<u32, Broken> {
    let mut bytes = [0; 4];
    source.read_exactly(&mut bytes, at)?;
    Ok(u32::from_be_bytes(bytes))
}

/// How an entry stands in the pack.
enum Stored {
    Whole(ObjectKind),
    /// A delta of the entry that begins there.
    AtOffset(u64),
    /// A delta of that object, which is in the same pack.
    Named(ObjectId),
}

struct Entry {
    stored: Stored,
    /// Unpacked, in bytes; of a delta, its own.
    size: u64,
    /// Where the compressed bytes begin.
    data: u64,
}

/// The object that begins at `offset`. It is not verified.
pub(super) fn read(
    pack: &impl Source,
    index: &impl Source,
    format: ObjectFormat,
    offset: u64,
    bytes_max: u64,
) -> Result<(ObjectKind, Vec<u8>), Broken> {
    let mut magic = [0; 8];
    pack.read_exactly(&mut magic, 0)?;
    if magic != PACK_MAGIC {
        return Err(Fault::Pack.into());
    }
    let mut deltas = Vec::new();
    let mut at = offset;
    let (kind, base) = loop {
        let entry = entry(pack, format, at)?;
        // What the object itself is measured by; what it is made of may once have been longer.
        let longest = if deltas.is_empty() { bytes_max } else { OBJECT_BYTES_MAX };
        match entry.stored {
            Stored::Whole(_) if entry.size > longest => return Err(Broken::TooLong),
            Stored::Whole(kind) => break (kind, entry),
            Stored::AtOffset(base) => at = base,
            Stored::Named(id) => at = find(index, &id)?.ok_or(Fault::MissingBase)?,
        }
        // A chain of names can bite its own tail; one of offsets can't.
        if deltas.len() >= DELTA_DEPTH_MAX {
            return Err(Fault::ChainTooLong.into());
        }
        if entry.size > OBJECT_BYTES_MAX {
            return Err(Broken::TooLong);
        }
        deltas.push(entry);
    };
    let mut content = whole(pack, &base)?;
    let mut chain_left = CHAIN_BYTES_MAX;
    for (above, entry) in deltas.iter().enumerate().rev() {
        let delta = whole(pack, entry)?;
        let longest = if above == 0 { bytes_max } else { OBJECT_BYTES_MAX };
        content = delta::apply(&content, &delta, longest)?;
        let cost = as_u64(content.len()).saturating_add(as_u64(delta.len()));
        chain_left = chain_left.checked_sub(cost).ok_or(Fault::ChainTooLong)?;
    }
    Ok((kind, content))
}

/// The bytes of an entry, which must be as many as it says.
fn whole(pack: &impl Source, entry: &Entry) -> Result<Vec<u8>, Broken> {
    match unpack(pack, entry.data, entry.size) {
        Ok(content) if as_u64(content.len()) == entry.size => Ok(content),
        Ok(_) | Err(Broken::TooLong) => Err(Fault::Size.into()),
        Err(broken) => Err(broken),
    }
}

fn entry(pack: &impl Source, format: ObjectFormat, at: u64) -> Result<Entry, Broken> {
    let mut bytes = [0; HEAD_BYTES];
    let mut filled = 0;
    while let Some(room) = bytes.get_mut(filled..).filter(|room| !room.is_empty()) {
        match pack.read_at(room, at.saturating_add(as_u64(filled)))? {
            0 => break,
            read => filled = filled.saturating_add(read),
        }
    }
    let head = bytes.get(..filled).unwrap_or_default();
    let mut rest = head;
    let (code, size) = code_and_size(&mut rest).ok_or(Fault::Header)?;
    let stored = match code {
        1 => Stored::Whole(ObjectKind::Commit),
        2 => Stored::Whole(ObjectKind::Tree),
        3 => Stored::Whole(ObjectKind::Blob),
        4 => Stored::Whole(ObjectKind::Tag),
        6 => {
            let back = distance(&mut rest).filter(|back| *back > 0).ok_or(Fault::Header)?;
            Stored::AtOffset(at.checked_sub(back).ok_or(Fault::Header)?)
        }
        7 => {
            let (name, after) = rest.split_at_checked(format.id_bytes()).ok_or(Fault::Header)?;
            rest = after;
            Stored::Named(ObjectId::from_bytes(format, name).ok_or(Fault::Header)?)
        }
        _ => return Err(Fault::Header.into()),
    };
    let data = at.checked_add(as_u64(head.len().saturating_sub(rest.len()))).ok_or(Fault::Number)?;
    Ok(Entry { stored, size, data })
}

/// Three bits of kind; a size, its low four bits first, then seven at a time.
fn code_and_size(rest: &mut &[u8]) -> Option<(u8, u64)> {
    let mut byte = taken(rest)?;
    let code = byte >> 4 & 7;
    let (mut size, mut shift) = (u64::from(byte & 0xf), 4_u32);
    while byte & 0x80 != 0 {
        byte = taken(rest)?;
        let bits = u64::from(byte & 0x7f);
        size |= bits.checked_shl(shift).filter(|shifted| shifted >> shift == bits)?;
        shift += 7;
    }
    Some((code, size))
}

/// How far back a delta's base begins.
fn distance(rest: &mut &[u8]) -> Option<u64> {
    let mut byte = taken(rest)?;
    let mut value = u64::from(byte & 0x7f);
    while byte & 0x80 != 0 {
        byte = taken(rest)?;
        value = value.checked_add(1)?.checked_mul(1 << 7)?.checked_add(u64::from(byte & 0x7f))?;
    }
    Some(value)
}

fn taken(rest: &mut &[u8]) -> Option<u8> {
    let (byte, after) = rest.split_first()?;
    *rest = after;
    Some(*byte)
}
