//! Deltas (gitformat-pack(5), "Deltified representation"): a content made of pieces of another and of new bytes.

use super::source::as_u64;
use super::{Broken, Fault};

/// What `delta` makes of `base`, of at most `bytes_max` bytes.
pub(super) fn apply(base: &[u8], delta: &[u8], bytes_max: u64) -> Result<Vec<u8>, Broken> {
    let mut rest = delta;
    let base_length = length(&mut rest).ok_or(Fault::Delta)?;
    let result_length = length(&mut rest).ok_or(Fault::Delta)?;
    if base_length != as_u64(base.len()) {
        return Err(Fault::Delta.into());
    }
    if result_length > bytes_max {
        return Err(Broken::TooLong);
    }
    let mut result = Vec::new();
    while let Some(piece) = piece(base, &mut rest) {
        let piece = piece?;
        if as_u64(result.len()).saturating_add(as_u64(piece.len())) > result_length {
            return Err(Fault::Delta.into());
        }
        result.extend_from_slice(piece);
    }
    if as_u64(result.len()) == result_length { Ok(result) } else { Err(Fault::Delta.into()) }
}

/// The next piece; `None` at the end.
fn piece<'d>(base: &'d [u8], rest: &mut &'d [u8]) -> Option<Result<&'d [u8], Fault>> {
    let (code, after) = rest.split_first()?;
    *rest = after;
    let found = match code {
        // Reserved.
        0 => None,
        1..=0x7f => after.split_at_checked(usize::from(*code)).map(|(new, after)| {
            *rest = after;
            new
        }),
        0x80.. => copied(base, *code, rest),
    };
    Some(found.ok_or(Fault::Delta))
}

/// Which bytes of offset and size follow stands in the code's bits; a size of 0 is 64 KiB.
fn copied<'d>(base: &'d [u8], code: u8, rest: &mut &'d [u8]) -> Option<&'d [u8]> {
    let mut number = |bits: std::ops::Range<u32>| {
        let mut value = 0_usize;
        for (place, bit) in bits.enumerate() {
            if code & 1 << bit != 0 {
                let (byte, after) = rest.split_first()?;
                *rest = after;
                value |= usize::from(*byte) << (8 * place);
            }
        }
        Some(value)
    };
    let offset = number(0..4)?;
    let size = match number(4..7)? {
        0 => 0x1_0000,
        size => size,
    };
    base.get(offset..offset.checked_add(size)?)
}

/// A length, the low seven bits first.
fn length(rest: &mut &[u8]) -> Option<u64> {
    let (mut value, mut shift) = (0_u64, 0_u32);
    loop {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        let bits = u64::from(byte & 0x7f);
        let shifted = bits.checked_shl(shift).filter(|shifted| shifted >> shift == bits)?;
        value |= shifted;
        if byte & 0x80 == 0 {
            return Some(value);
        }
        shift += 7;
    }
}
