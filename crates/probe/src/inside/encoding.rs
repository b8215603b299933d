//! The few encodings that attempts send and read: base64, questions to resolvers, the first words of TLS.
//!
//! Each does what one attempt needs and no more: nothing here is a library of a protocol.

use std::net::{IpAddr, Ipv4Addr};

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// The longest label of a name (RFC 1035, 2.3.4).
pub(crate) const LABEL_BYTES_MAX: usize = 63;
const DNS_HEADER_BYTES: usize = 12;
const DNS_TYPE_A: [u8; 2] = [0, 1];
const DNS_CLASS_IN: [u8; 2] = [0, 1];

/// `bytes` in base64, with padding (RFC 4648).
pub(crate) fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let word = (0..3).fold(0_usize, |word, at| word << 8 | usize::from(*group.get(at).unwrap_or(&0)));
        for at in 0..4 {
            let sextet = word >> (18 - 6 * at) & 63;
            let letter = BASE64.get(sextet).copied().unwrap_or(b'=');
            text.push(char::from(if at <= group.len() { letter } else { b'=' }));
        }
    }
    text
}

/// What `text` is in base64; whatever is none of its letters is left out.
pub(crate) fn from_base64(text: &[u8]) -> Vec<u8> {
    let sextets: Vec<usize> =
        text.iter().filter_map(|byte| BASE64.iter().position(|letter| letter == byte)).collect();
    let mut bytes = Vec::new();
    for group in sextets.chunks(4) {
        let word = (0..4).fold(0_usize, |word, at| word << 6 | group.get(at).copied().unwrap_or(0));
        let whole = group.len().saturating_sub(1);
        bytes.extend((0..whole).filter_map(|at| u8::try_from(word >> (16 - 8 * at) & 255).ok()));
    }
    bytes
}

/// A question for the IPv4 address of `name`, as it goes over UDP (RFC 1035).
pub(crate) fn dns_query(name: &str) -> Vec<u8> {
    // An id of no meaning, recursion desired, one question.
    let mut query = vec![0xc0, 0xfe, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.').filter(|label| !label.is_empty()) {
        let label = label.as_bytes().get(..LABEL_BYTES_MAX).unwrap_or(label.as_bytes());
        query.push(u8::try_from(label.len()).unwrap_or(0));
        query.extend_from_slice(label);
    }
    query.push(0);
    query.extend_from_slice(&DNS_TYPE_A);
    query.extend_from_slice(&DNS_CLASS_IN);
    query
}

/// The first IPv4 address in an answer to one question.
pub(crate) fn dns_address(answer: &[u8]) -> Option<IpAddr> {
    let answers = u16::from_be_bytes([*answer.get(6)?, *answer.get(7)?]);
    let mut rest = after_name(answer.get(DNS_HEADER_BYTES..)?)?.get(4..)?;
    for _ in 0..answers {
        rest = after_name(rest)?;
        let length = usize::from(u16::from_be_bytes([*rest.get(8)?, *rest.get(9)?]));
        let data = rest.get(10..)?.get(..length)?;
        if let (true, Ok(bytes)) = (rest.starts_with(&DNS_TYPE_A), <[u8; 4]>::try_from(data)) {
            return Some(IpAddr::V4(Ipv4Addr::from(bytes)));
        }
        rest = rest.get(10 + length..)?;
    }
    None
}

fn after_name(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let (length, tail) = rest.split_first()?;
        match length {
            0 => return Some(tail),
            // A pointer to a name that came before.
            192.. => return tail.get(1..),
            _ => rest = tail.get(usize::from(*length)..)?,
        }
    }
}

/// What a greeting of TLS says of the name that it wants.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Naming<'n> {
    /// The server's name, in the open.
    Open(&'n str),
    /// Another protocol than the usual, and no server's name.
    Absent(&'n str),
    /// One name in the open and bytes that pass for an encrypted greeting beside it.
    Encrypted(&'n str, &'n str),
}

const EXTENSION_SERVER_NAME: u16 = 0;
const EXTENSION_PROTOCOLS: u16 = 16;
const EXTENSION_ENCRYPTED_HELLO: u16 = 0xfe0d;
const EXTENSION_VERSIONS: u16 = 43;

/// A greeting of TLS 1.3 in one record (RFC 8446, 4.1.2), with nothing in it that has to be drawn by lot.
pub(crate) fn client_hello(naming: Naming<'_>) -> Vec<u8> {
    let server_name = |name: &str| {
        let entry = [&[0][..], &counted(name.as_bytes())].concat();
        extension(EXTENSION_SERVER_NAME, &counted(&entry))
    };
    let named = match naming {
        Naming::Open(name) => server_name(name),
        Naming::Absent(protocol) => {
            let protocol = [&[u8::try_from(protocol.len()).unwrap_or(0)][..], protocol.as_bytes()].concat();
            extension(EXTENSION_PROTOCOLS, &counted(&protocol))
        }
        Naming::Encrypted(name, hidden) => {
            // Outer; HKDF-SHA256 with AES-128-GCM; configuration 1; no key; what is hidden.
            let outer = [&[0, 0, 1, 0, 1, 1][..], &counted(&[]), &counted(hidden.as_bytes())].concat();
            [server_name(name), extension(EXTENSION_ENCRYPTED_HELLO, &outer)].concat()
        }
    };
    let extensions = [named, extension(EXTENSION_VERSIONS, &[2, 3, 4])].concat();
    // Version, random, no session, one cipher suite, no compression.
    let body = [&[3, 3][..], &[7; 32], &[0], &counted(&[0x13, 1]), &[1, 0], &counted(&extensions)].concat();
    let message = [&[1, 0][..], &counted(&body)].concat();
    [&[22, 3, 1][..], &counted(&message)].concat()
}

fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &counted(data)].concat()
}

/// `bytes` behind their number in two bytes.
fn counted(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes()[..], bytes].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_as_in_the_document_and_comes_back() {
        for (text, encoded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(text.as_bytes()), encoded);
            assert_eq!(from_base64(encoded.as_bytes()), text.as_bytes());
        }
    }

    #[test]
    fn an_address_is_found_behind_a_question_and_an_alias() {
        let mut answer = dns_query("a.test");
        answer[7] = 2;
        // An alias of two bytes, then the address.
        answer.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 1, 0, 2, 0xc0, 12]);
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 198, 18, 0, 7]);
        assert_eq!(dns_address(&answer), Some("198.18.0.7".parse().unwrap()));
        for end in 0..answer.len() {
            assert_eq!(dns_address(&answer[..end]), None);
        }
    }

    #[test]
    fn a_greeting_has_the_lengths_that_it_says() {
        let hello = client_hello(Naming::Encrypted("a.test", "hidden"));
        assert_eq!(usize::from(u16::from_be_bytes([hello[3], hello[4]])), hello.len() - 5);
        assert_eq!(usize::from(u16::from_be_bytes([hello[7], hello[8]])), hello.len() - 9);
    }
}
