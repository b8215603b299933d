//! What the agent holds in place of a secret: a text of the same shape, random, and worthless outside the gateway.
//!
//! Pure: chance is a parameter. It never sees a secret but to describe its shape, keeps no byte of one but a prefix
//! that everybody knows, and judges nothing: where a handle may be used is said by grants.

mod login;
mod shape;

pub use login::{LoginFacts, LoginKind, login_file};
pub use shape::{Class, Form, SECRET_BYTES_MAX, SECRET_BYTES_MIN, Shape, ShapeError};

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// The least randomness in a handle, in bits: who guesses one has no better way to the gateway than without.
pub const HANDLE_ENTROPY_BITS_MIN: usize = 128;

/// Chance that a handle is made of, in bytes.
pub const HANDLE_SEED_BYTES: usize = 32;

/// The longest handle, in bytes: the longest secret, and what a token must hold at the least.
pub const HANDLE_BYTES_MAX: usize = SECRET_BYTES_MAX + 512;

/// The expiry that stands in handles which are tokens, in seconds since 1970: 2100-01-01. The real expiry is the
/// gateway's business, and a client that believed in one would try to refresh what it has not.
pub(crate) const FAR_EXPIRY_SECONDS: u64 = 4_102_444_800;

/// What stands for one secret in one session. It is no secret of the owner's, but an alarm: so it is not shown either.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Handle(String);

/// Why a text is no handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a handle has {HANDLE_BYTES_MIN} to {HANDLE_BYTES_MAX} characters of A-Z, a-z, 0-9, `-`, `_` and `.`"
)]
pub struct HandleError;

/// The shortest text that is taken for a handle, in bytes: 128 bits in the widest of our alphabets.
const HANDLE_BYTES_MIN: usize = 22;

impl Handle {
    /// A handle of a shape. All that is random in it comes from `seed`, which must be fresh from the kernel's random
    /// source. It is longer than the shape where that has no room for [`HANDLE_ENTROPY_BITS_MIN`].
    #[must_use]
    pub fn new(shape: &Shape, seed: &[u8; HANDLE_SEED_BYTES]) -> Self {
        let mut chance = Chance::new(seed);
        let body = match shape.form() {
            Form::Plain { class, length } => {
                let alphabet = class.handle_alphabet();
                chance.text(alphabet, usize::from(*length).max(class.handle_length_min()))
            }
            Form::Uuid => uuid(&mut chance),
            Form::Token { parts } => token(&mut chance, *parts),
        };
        Self(format!("{}{body}", shape.prefix()))
    }

    /// The text that the agent gets.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Handle {
    type Error = HandleError;

    fn try_from(text: String) -> Result<Self, HandleError> {
        let fits = (HANDLE_BYTES_MIN..=HANDLE_BYTES_MAX).contains(&text.len());
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if fits && text.bytes().all(plain) { Ok(Self(text)) } else { Err(HandleError) }
    }
}

impl From<Handle> for String {
    fn from(handle: Handle) -> Self {
        handle.0
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({} bytes)", self.0.len())
    }
}

/// Four hexadecimal groups and one of twelve, version 4. It has 122 random bits: the one form whose look is kept
/// although it is 6 bits short, for clients check it.
fn uuid(chance: &mut Chance) -> String {
    let hex = |chance: &mut Chance, length| chance.text(b"0123456789abcdef", length);
    let (first, second) = (hex(chance, 8), hex(chance, 4));
    let (third, variant) = (hex(chance, 3), chance.text(b"89ab", 1));
    let (fourth, fifth) = (hex(chance, 3), hex(chance, 12));
    format!("{first}-{second}-4{third}-{variant}{fourth}-{fifth}")
}

/// Three parts in base64url, the first two JSON objects, each as long as the real one's or as long as it must be.
fn token(chance: &mut Chance, parts: [u16; 3]) -> String {
    let header = padded(chance, r#"{"alg":"HS256","typ":"JWT""#, "kid", parts[0]);
    let payload = padded(chance, &format!(r#"{{"exp":{FAR_EXPIRY_SECONDS}"#), "jti", parts[1]);
    let least = Class::Alphanumeric.handle_length_min();
    let mut signature = chance.text(ALPHANUMERIC, usize::from(parts[2]).max(least));
    // Four characters carry three bytes; one left over carries none, and no decoder would take it. The last one of
    // two or three has bits that must be zero.
    if signature.len() % 4 == 1 {
        signature.push('A');
    }
    if !signature.len().is_multiple_of(4) {
        signature.pop();
        signature.push('A');
    }
    format!("{header}.{payload}.{signature}")
}

/// The object that begins with `members`, with a random member that fills it up to `length` characters of base64url.
fn padded(chance: &mut Chance, members: &str, filler: &str, length: u16) -> String {
    let wanted_bytes = usize::from(length) * 3 / 4;
    let bare = format!("{members}}}");
    if wanted_bytes == bare.len() {
        return BASE64URL_NOPAD.encode(bare.as_bytes());
    }
    let around = members.len() + filler.len() + r#","":""}"#.len();
    let text = chance.text(ALPHANUMERIC, wanted_bytes.saturating_sub(around));
    BASE64URL_NOPAD.encode(format!(r#"{members},"{filler}":"{text}"}}"#).as_bytes())
}

pub(crate) const ALPHANUMERIC: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Random bytes without end from a seed: SHA-256 over a name of ours, the seed and a counter.
pub(crate) struct Chance<'s> {
    seed: &'s [u8; HANDLE_SEED_BYTES],
    counter: u64,
    ready: Vec<u8>,
}

impl<'s> Chance<'s> {
    pub(crate) fn new(seed: &'s [u8; HANDLE_SEED_BYTES]) -> Self {
        Self { seed, counter: 0, ready: Vec::new() }
    }

    /// `length` characters, each of the alphabet's as likely as the others.
    pub(crate) fn text(&mut self, alphabet: &[u8], length: usize) -> String {
        // Bytes at or above the last whole multiple would make the first characters likelier.
        let fair = 256 - 256 % alphabet.len().max(1);
        let mut text = String::with_capacity(length);
        while text.len() < length {
            let byte = usize::from(self.byte());
            let chosen = (byte < fair).then(|| alphabet.get(byte % alphabet.len())).flatten();
            text.extend(chosen.map(|byte| char::from(*byte)));
        }
        text
    }

    fn byte(&mut self) -> u8 {
        loop {
            if let Some(byte) = self.ready.pop() {
                return byte;
            }
            let mut hash = Sha256::new();
            hash.update(b"cofferdam handle v1");
            hash.update(self.seed);
            hash.update(self.counter.to_be_bytes());
            self.counter += 1;
            self.ready = hash.finalize().to_vec();
        }
    }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_in_the_form_of_a_uuid_is_one_of_version_4() {
        let text = uuid(&mut Chance::new(&[7; HANDLE_SEED_BYTES]));
        let groups: Vec<&str> = text.split('-').collect();
        assert_eq!(groups.iter().map(|group| group.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert!(text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit()), "{text}");
        assert!(groups[2].starts_with('4') && groups[3].starts_with(['8', '9', 'a', 'b']), "{text}");
        assert_ne!(text, uuid(&mut Chance::new(&[8; HANDLE_SEED_BYTES])));
    }
    use proptest::prelude::*;

    fn handle(secret: &str, seed: u8) -> Handle {
        Handle::new(&Shape::of(secret.as_bytes()).unwrap(), &[seed; HANDLE_SEED_BYTES])
    }

    #[test]
    fn a_token_of_a_known_kind_keeps_prefix_and_length_and_nothing_else() {
        let real = "ghp_0123456789abcdefghijABCDEFGHIJ123456";
        let handle = handle(real, 1);
        assert!(handle.as_str().starts_with("ghp_"), "{}", handle.as_str());
        assert_eq!(handle.as_str().len(), real.len());
        assert!(handle.as_str()[4..].bytes().all(|b| b.is_ascii_alphanumeric()));
        assert_ne!(handle.as_str(), real);
    }

    #[test]
    fn a_token_in_three_parts_stays_one_that_parsers_take() {
        let part = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
        let signature = part(&"s".repeat(64));
        for payload in [r#"{"sub":"1"}"#.to_owned(), format!(r#"{{"sub":"{}"}}"#, "x".repeat(700))] {
            let real = format!(
                "{}.{}.{signature}",
                part(r#"{"alg":"RS256","kid":"a","typ":"JWT"}"#),
                part(&payload)
            );
            let handle = handle(&real, 7);
            let parts: Vec<&str> = handle.as_str().split('.').collect();
            assert_eq!(parts.len(), 3);
            for object in &parts[..2] {
                let bytes = BASE64URL_NOPAD.decode(object.as_bytes()).unwrap();
                assert!(serde_json::from_slice::<serde_json::Value>(&bytes).unwrap().is_object());
            }
            BASE64URL_NOPAD.decode(parts[2].as_bytes()).unwrap();
            assert!(!handle.as_str().contains(&part(&payload)) && !handle.as_str().contains(&signature));
            if payload.len() > 100 {
                assert_eq!(handle.as_str().len(), real.len());
            }
        }
    }

    #[test]
    fn a_handle_is_not_shown_by_debug_and_a_text_with_line_ends_is_none() {
        let one = handle("correct horse battery", 1);
        assert!(!format!("{one:?}").contains(one.as_str()));
        assert_eq!(Handle::try_from(one.as_str().to_owned()).unwrap(), one);
        for text in ["short", "with\r\nheader: injected, and more", "with a blank in between them"] {
            assert!(Handle::try_from(text.to_owned()).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_handle_is_poorer_than_promised_nor_the_same_for_another_seed(
            secret in "[!-~]{8,200}", one in any::<[u8; 32]>(), other in any::<[u8; 32]>(),
        ) {
            let shape = Shape::of(secret.as_bytes()).unwrap();
            let first = Handle::new(&shape, &one);
            prop_assert_eq!(&Handle::new(&shape, &one), &first);
            prop_assert_eq!(Handle::try_from(first.as_str().to_owned()).unwrap(), first.clone());
            let body = first.as_str().len() - shape.prefix().len();
            prop_assert!(body >= HANDLE_BYTES_MIN);
            if one != other {
                prop_assert_ne!(Handle::new(&shape, &other), first);
            }
        }

        #[test]
        fn each_character_is_as_likely_as_the_next(seed in any::<[u8; 32]>()) {
            let text = Chance::new(&seed).text(b"0123456789", 20_000);
            for digit in '0'..='9' {
                let count = text.matches(digit).count();
                prop_assert!((1_700..2_300).contains(&count), "{} {}", digit, count);
            }
        }
    }
}
