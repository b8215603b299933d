//! The forms in which a text turns up elsewhere: encoded for URLs, JSON, HTML and in base64 at each of its three offsets.

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD};

/// A form of a text, and what a place in it may be filled with so that decoders still decode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) bytes: Vec<u8>,
    pub(super) filler: u8,
    /// It may be broken into lines.
    pub(super) may_break: bool,
}

/// What is left as it is in a URL, beside letters and digits, by what encodes it: RFC 3986 first.
const UNRESERVED: &[u8] = b"-._~";
const KEPT_IN_URLS: [&[u8]; 10] = [
    UNRESERVED,
    // Paths, and what else may stand in one.
    b"-._~/",
    b"-._~$&+=:@",
    // JavaScript's two, and those that follow them without apostrophes.
    b"-._~!'()*",
    b"-._~!'()*;,/?:@&=+$#",
    b"-._!()*",
    b"-._~*",
    // Forms (the URL standard, Java), and those of older PHP.
    b"*-._",
    b"-._",
    // Whoever makes sure.
    b"",
];

/// Characters that are written by their numbers in JSON texts, by what writes them: for a place in HTML, more of that,
/// all that could mean something, and those with and without the slash.
const ESCAPED_BY_NUMBER: [&[u8]; 5] = [b"&<>", b"&<>='", b"\"&'+<>`", b"+&<>='", b"/+&<>='"];

/// Every form, the text itself first, none twice.
pub(super) fn forms(text: &[u8]) -> Vec<Form> {
    let mut all = vec![text.to_vec()];
    for kept in KEPT_IN_URLS {
        let encoded = percent_encoded_but(kept, text);
        all.push(encoded.to_ascii_lowercase_escapes());
        all.push(encoded.replace("%20", "+").into_bytes());
        all.push(encoded.into_bytes());
    }
    all.push(escaped(text, &[(b'"', "\\\""), (b'\\', "\\\\")]));
    all.push(escaped(text, &[(b'"', "\\\""), (b'\\', "\\\\"), (b'/', "\\/")]));
    for numbered in ESCAPED_BY_NUMBER {
        for (is_small, slash) in [(true, "/"), (false, "/"), (true, "\\/"), (false, "\\/")] {
            all.push(escaped_by_number(text, numbered, is_small, slash));
        }
    }
    all.push(escaped(text, &[(b'&', "&amp;"), (b'<', "&lt;"), (b'>', "&gt;"), (b'"', "&quot;")]));
    let quoted = [(b'&', "&amp;"), (b'<', "&lt;"), (b'>', "&gt;"), (b'"', "&#34;"), (b'\'', "&#39;")];
    all.push(escaped(text, &quoted));
    let mut found: Vec<Form> = Vec::new();
    let plain = all.into_iter().map(|bytes| Form { bytes, filler: b'*', may_break: false });
    let encoded = base64_forms(text).into_iter().map(|bytes| Form { bytes, filler: b'A', may_break: true });
    for form in plain.chain(encoded) {
        if found.iter().all(|known| known.bytes != form.bytes) {
            found.push(form);
        }
    }
    found
}

/// For a JSON text whose writer escapes these characters by their numbers.
fn escaped_by_number(text: &[u8], numbered: &[u8], is_small: bool, slash: &str) -> Vec<u8> {
    let mut all = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            byte if numbered.contains(byte) && is_small => {
                all.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
            }
            byte if numbered.contains(byte) => all.extend_from_slice(format!("\\u{byte:04X}").as_bytes()),
            b'"' => all.extend_from_slice(b"\\\""),
            b'\\' => all.extend_from_slice(b"\\\\"),
            b'/' => all.extend_from_slice(slash.as_bytes()),
            byte => all.push(*byte),
        }
    }
    all
}

/// What surely stands in base64 of anything that holds the text, by its offset there.
pub(super) fn base64_forms(text: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::with_capacity(6);
    for offset in 0..3_usize {
        let padded = [vec![0; offset], text.to_vec()].concat();
        // Characters that hold bits of what stands before, or after.
        let before = [0, 2, 3].get(offset).copied().unwrap_or_default();
        let after = usize::from(!padded.len().is_multiple_of(3));
        for encoding in [BASE64_NOPAD, BASE64URL_NOPAD] {
            let whole = encoding.encode(&padded).into_bytes();
            let end = whole.len().saturating_sub(after);
            all.extend(
                whole.get(before..end).map(<[u8]>::to_vec).filter(|form| form.len() >= BASE64_BYTES_MIN),
            );
        }
    }
    all
}

/// Shorter ones turn up by chance.
const BASE64_BYTES_MIN: usize = 8;

/// For a URL: all but RFC 3986's unreserved characters.
pub(super) fn percent_encoded(text: &[u8]) -> String {
    percent_encoded_but(UNRESERVED, text)
}

fn percent_encoded_but(kept: &[u8], text: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len() * 3);
    for byte in text {
        if byte.is_ascii_alphanumeric() || kept.contains(byte) {
            encoded.push(char::from(*byte));
        } else {
            encoded.push('%');
            encoded.extend(
                [byte >> 4, byte & 15].map(|half| {
                    char::from_digit(u32::from(half), 16).unwrap_or_default().to_ascii_uppercase()
                }),
            );
        }
    }
    encoded
}

trait LowercaseEscapes {
    fn to_ascii_lowercase_escapes(&self) -> Vec<u8>;
}

impl LowercaseEscapes for String {
    fn to_ascii_lowercase_escapes(&self) -> Vec<u8> {
        let mut since_percent = usize::MAX;
        let lower = |byte: u8| {
            since_percent = if byte == b'%' { 0 } else { since_percent.saturating_add(1) };
            if since_percent <= 2 { byte.to_ascii_lowercase() } else { byte }
        };
        self.bytes().map(lower).collect()
    }
}

/// What stands for it where `%` escapes; a `%` that escapes nothing stays.
pub(super) fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let mut decoder = PercentDecoder::default();
    let mut decoded = Vec::with_capacity(text.len());
    decoder.push(text, &mut decoded);
    decoder.finish(&mut decoded);
    decoded
}

/// Decodes a stream.
#[derive(Debug, Default)]
pub(super) struct PercentDecoder {
    waiting: Vec<u8>,
}

impl PercentDecoder {
    pub(super) fn push(&mut self, bytes: &[u8], decoded: &mut Vec<u8>) {
        let mut rest = bytes;
        while let Some((byte, after)) = rest.split_first() {
            if self.waiting.is_empty() && *byte != b'%' {
                // All up to the next escape at once.
                let (plain, escaped) = rest.split_at(memchr::memchr(b'%', rest).unwrap_or(rest.len()));
                decoded.extend_from_slice(plain);
                rest = escaped;
                continue;
            }
            rest = after;
            if *byte == b'%' {
                decoded.append(&mut self.waiting);
                self.waiting.push(*byte);
                continue;
            }
            self.waiting.push(*byte);
            if !byte.is_ascii_hexdigit() {
                decoded.append(&mut self.waiting);
            } else if let [_, high, low] = *self.waiting.as_slice() {
                let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or_default();
                decoded.extend(u8::try_from(digit(high) << 4 | digit(low)));
                self.waiting.clear();
            }
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn finish(&mut self, decoded: &mut Vec<u8>) {
        decoded.append(&mut self.waiting);
    }
}

fn escaped(text: &[u8], escapes: &[(u8, &str)]) -> Vec<u8> {
    let mut all = Vec::with_capacity(text.len());
    for byte in text {
        match escapes.iter().find(|(plain, _)| plain == byte) {
            Some((_, escape)) => all.extend_from_slice(escape.as_bytes()),
            None => all.push(*byte),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::BASE64;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn base64_of_whatever_holds_the_text_has_one_of_its_forms(
            before in proptest::collection::vec(any::<u8>(), 0..9),
            text in "[!-~]{8,60}",
            after in proptest::collection::vec(any::<u8>(), 0..9),
        ) {
            let whole = BASE64.encode(&[before, text.clone().into_bytes(), after].concat()).into_bytes();
            let forms = base64_forms(text.as_bytes());
            let found = |form: &Vec<u8>| whole.windows(form.len()).any(|window| window == form.as_slice());
            prop_assert!(forms.iter().any(found));
        }

        #[test]
        fn what_is_percent_encoded_decodes_over_any_chunks(text in "[ -~]{0,60}", cut in 0_usize..60) {
            let encoded = percent_encoded(text.as_bytes());
            prop_assert_eq!(percent_decoded(encoded.as_bytes()), text.as_bytes());
            let (mut decoder, mut decoded) = (PercentDecoder::default(), Vec::new());
            let (first, second) = encoded.as_bytes().split_at(cut.min(encoded.len()));
            decoder.push(first, &mut decoded);
            decoder.push(second, &mut decoded);
            prop_assert_eq!(decoded, text.as_bytes());
        }
    }

    #[test]
    fn a_form_that_is_sent_encodes_a_text_as_no_path_does() {
        let found = forms(b"Zq88Q~planted-like.this_one 0*1");
        for form in [
            "Zq88Q~planted-like.this_one%200*1",
            "Zq88Q%7Eplanted-like.this_one+0*1",
            "Zq88Q%7eplanted-like.this_one%200*1",
            "Zq88Q%7Eplanted-like.this_one+0%2A1",
            "Zq88Q~planted-like.this_one%200%2A1",
            "Zq88Q%7Eplanted%2Dlike%2Ethis%5Fone%200%2A1",
        ] {
            assert!(found.iter().any(|known| known.bytes == form.as_bytes()), "{form}");
        }
    }

    #[test]
    fn a_plain_token_has_few_forms() {
        assert_eq!(forms(b"ghp_0123456789abcdef").len(), 6);
        let odd: Vec<String> =
            forms(b"a/b\"c+d e").into_iter().map(|form| String::from_utf8(form.bytes).unwrap()).collect();
        for form in [
            "a/b\"c+d e",
            "a%2Fb%22c%2Bd%20e",
            "a%2fb%22c%2bd%20e",
            "a%2Fb%22c%2Bd+e",
            "a/b%22c%2Bd%20e",
            "a/b%22c%2bd%20e",
            "a/b%22c+d%20e",
            "a\\/b\\\"c+d e",
            "a/b\\u0022c\\u002Bd e",
            "a\\u002fb\\\"c\\u002bd e",
        ] {
            assert!(odd.iter().any(|known| known == form), "{form} {odd:?}");
        }
    }
}
