//! Bech32 (BIP 173), as age writes its keys: a readable prefix, 32 characters, a checksum over both.
//!
//! Only what keys need: 32 bytes, no limit of 90 characters to mind.

use zeroize::Zeroizing;

const CHARACTERS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const CHECKSUM_CHARACTERS: usize = 6;
const KEY_BYTES: usize = 32;
/// 256 bits in groups of five, the last filled up with zeros.
const KEY_CHARACTERS: usize = 52;

/// Writes a key in lower case.
pub(super) fn encode(prefix: &str, key: &[u8; KEY_BYTES]) -> Zeroizing<String> {
    let mut groups = Zeroizing::new(Vec::with_capacity(KEY_CHARACTERS));
    let (mut held, mut bits) = (0_u32, 0_u32);
    for byte in key {
        held = (held << 8 | u32::from(*byte)) & 0xfff;
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            groups.push(low_five(held >> bits));
        }
    }
    groups.push(low_five(held << (5 - bits)));
    let sum = checksum(prefix, &groups);
    let mut text = Zeroizing::new(String::with_capacity(prefix.len() + KEY_CHARACTERS + 8));
    text.push_str(prefix);
    text.push('1');
    let all = groups.iter().copied().chain(sum);
    text.extend(all.filter_map(|group| CHARACTERS.get(usize::from(group)).map(|byte| char::from(*byte))));
    text
}

/// Reads a key with this prefix, in lower or upper case; nothing for anything else.
pub(super) fn decode(prefix: &str, text: &str) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    let mixed = text.bytes().any(|b| b.is_ascii_lowercase()) && text.bytes().any(|b| b.is_ascii_uppercase());
    if mixed || text.len() != prefix.len() + 1 + KEY_CHARACTERS + CHECKSUM_CHARACTERS {
        return None;
    }
    let text = Zeroizing::new(text.to_ascii_lowercase());
    let data = text.strip_prefix(prefix)?.strip_prefix('1')?;
    let mut groups = Zeroizing::new(Vec::with_capacity(KEY_CHARACTERS + CHECKSUM_CHARACTERS));
    for byte in data.bytes() {
        groups.push(u8::try_from(CHARACTERS.iter().position(|known| *known == byte)?).ok()?);
    }
    let (key_groups, sum) = groups.split_at_checked(KEY_CHARACTERS)?;
    if checksum(prefix, key_groups).as_slice() != sum {
        return None;
    }
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    let (mut held, mut bits) = (0_u32, 0_u32);
    let mut bytes = key.iter_mut();
    for group in key_groups {
        held = (held << 5 | u32::from(*group)) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            *bytes.next()? = u8::try_from(held >> bits & 0xff).ok()?;
        }
    }
    // What fills the last group up must be zeros, or one key had many spellings.
    (held & ((1 << bits) - 1) == 0).then_some(key)
}

fn low_five(value: u32) -> u8 {
    u8::try_from(value & 31).unwrap_or_default()
}

fn checksum(prefix: &str, groups: &[u8]) -> [u8; CHECKSUM_CHARACTERS] {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let high = prefix.bytes().map(|byte| byte >> 5);
    let low = prefix.bytes().map(|byte| byte & 31);
    let all = high.chain([0]).chain(low).chain(groups.iter().copied()).chain([0; CHECKSUM_CHARACTERS]);
    let mut sum = 1_u32;
    for value in all {
        let top = sum >> 25;
        sum = (sum & 0x01ff_ffff) << 5 ^ u32::from(value);
        for (bit, generator) in GENERATOR.iter().enumerate() {
            if top >> bit & 1 == 1 {
                sum ^= generator;
            }
        }
    }
    sum ^= 1;
    std::array::from_fn(|at| low_five(sum >> (5 * (CHECKSUM_CHARACTERS - 1 - at))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_key_reads_back_and_one_changed_character_makes_it_none(
            key in any::<[u8; 32]>(), at in 4_usize..62, other in 0_usize..32,
        ) {
            let text = encode("age", &key);
            prop_assert_eq!(*decode("age", &text).unwrap(), key);
            prop_assert_eq!(*decode("age", &text.to_ascii_uppercase()).unwrap(), key);
            let mut changed = text.as_bytes().to_vec();
            changed[at] = CHARACTERS[other];
            let changed = String::from_utf8(changed).unwrap();
            prop_assert_eq!(decode("age", &changed).is_some(), changed == *text);
            prop_assert!(decode("age-secret-key-", &text).is_none());
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,80}") {
            prop_assert!(decode("age", &text).is_none());
        }
    }
}
