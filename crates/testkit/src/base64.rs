//! Base64 (RFC 4648, section 4), for Basic credentials, PEM and integrity hashes of what the test servers hand out.
//!
//! It serves servers of tests only: what is not base64 is `None`, and how long it takes depends on the text.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Padded.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| group.get(at).copied().map_or(0, u32::from);
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let digit = (bits >> (18 - 6 * place)) & 63;
            let digit = usize::try_from(digit).ok().and_then(|digit| ALPHABET.get(digit)).copied();
            text.push(if place <= group.len() { digit.map_or('=', char::from) } else { '=' });
        }
    }
    text
}

/// With or without padding; `None` where a character is none of the alphabet.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').bytes();
    let digits = digits.map(|byte| ALPHABET.iter().position(|digit| *digit == byte));
    let digits: Vec<usize> = digits.collect::<Option<_>>()?;
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    for group in digits.chunks(4) {
        let bits = group.iter().fold(0, |bits, digit| bits << 6 | digit) << (6 * (4 - group.len()));
        let kept = group.len().checked_sub(1).filter(|kept| *kept > 0)?;
        bytes.extend((0..kept).filter_map(|at| u8::try_from((bits >> (16 - 8 * at)) & 0xff).ok()));
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_decodes_to_itself() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"\xff\xfe\xfd\xfc", "//79/A=="),
        ] {
            assert_eq!(encode(bytes), text);
            assert_eq!(decode(text).as_deref(), Some(bytes));
        }
        assert_eq!(decode("a b"), None);
        assert_eq!(decode("A"), None);
    }
}
