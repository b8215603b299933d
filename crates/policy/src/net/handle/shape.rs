//! What may be known of a secret without reading it: a prefix that everybody knows, which characters, how many.
//!
//! A shape is no secret and is kept in the open. It says nothing of a short secret but that it is short, keeps no
//! position of any separator, and holds no byte of the secret but a prefix out of a table.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The shortest secret that is taken, in bytes: what is shorter would be found by chance in any answer.
pub const SECRET_BYTES_MIN: usize = 8;
/// The longest secret that is taken, in bytes: what fits into one header field of common servers.
pub const SECRET_BYTES_MAX: usize = 7168;

/// Beginnings of tokens that their issuers document, the longer before the shorter. Nothing else of a secret is ever
/// kept in the open.
const PREFIXES: [&str; 37] = [
    "github_pat_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "glpat-",
    "gldt-",
    "glrt-",
    "sk-ant-api03-",
    "sk-ant-oat01-",
    "sk-ant-ort01-",
    "sk-ant-admin01-",
    "sk-proj-",
    "sk-svcacct-",
    "sk-or-v1-",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "sk-",
    "npm_",
    "pypi-",
    "hf_",
    "xoxb-",
    "xoxp-",
    "xapp-",
    "AIza",
    "ya29.",
    "AKIA",
    "ASIA",
    "gsk_",
    "xai-",
    "r8_",
    "pat_",
    "dop_v1_",
    "dckr_pat_",
    "shpat_",
];

/// Which characters a secret has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// 0-9
    Digits,
    /// 0-9, a-f
    LowerHex,
    /// 0-9, A-F
    UpperHex,
    /// 0-9, a-z
    LowerAlphanumeric,
    /// 0-9, A-Z
    UpperAlphanumeric,
    /// 0-9, A-Z, a-z
    Alphanumeric,
    /// These and `-`, `_`
    Word,
    /// Any visible character of ASCII, and blanks.
    Printable,
}

/// What a secret looks like behind its prefix.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Form {
    /// Characters of one class.
    Plain {
        /// Which.
        class: Class,
        /// How many, in bytes; of a short secret the least that a handle needs.
        length: u16,
    },
    /// 8-4-4-4-12 hexadecimal digits.
    Uuid,
    /// A JSON web token: three parts in base64url (RFC 7519).
    Token {
        /// How long each is, in bytes.
        parts: [u16; 3],
    },
}

/// The shape of one secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shape {
    prefix: Prefix,
    form: Form,
}

/// One of the table, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Prefix(&'static str);

/// Why something has no shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// Too short or too long.
    #[error("a secret has {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes")]
    Length,
    /// A control character, or one that is not ASCII: it could not stand in a header.
    #[error("a secret has visible characters of ASCII only, with blanks at most between them")]
    Character,
    /// A printed shape that does not parse.
    #[error("a shape is written as `PREFIX+CLASS:LENGTH`, `uuid` or `token:A.B.C`")]
    Text,
}

impl Shape {
    /// Looks at a secret, once.
    ///
    /// # Errors
    /// [`ShapeError::Length`], [`ShapeError::Character`].
    pub fn of(secret: &[u8]) -> Result<Self, ShapeError> {
        if !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&secret.len()) {
            return Err(ShapeError::Length);
        }
        let bare = |byte: Option<&u8>| byte == Some(&b' ');
        let shown = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
        if bare(secret.first()) || bare(secret.last()) || !secret.iter().all(shown) {
            return Err(ShapeError::Character);
        }
        if let Some(parts) = token_parts(secret) {
            return Ok(Self { prefix: Prefix(""), form: Form::Token { parts } });
        }
        if is_uuid(secret) {
            return Ok(Self { prefix: Prefix(""), form: Form::Uuid });
        }
        let prefix = PREFIXES.into_iter().find(|prefix| secret.starts_with(prefix.as_bytes()));
        let prefix = prefix.unwrap_or_default();
        let body = secret.get(prefix.len()..).unwrap_or_default();
        let class = Class::of(body);
        let form = if body.len() < class.handle_length_min() {
            // How short a short password is, and of what, is worth a lot to who guesses it.
            Form::Plain { class: Class::Alphanumeric, length: SHORT_LENGTH }
        } else {
            Form::Plain { class, length: u16::try_from(body.len()).unwrap_or(u16::MAX) }
        };
        Ok(Self { prefix: Prefix(prefix), form })
    }

    /// A prefix out of the table, or nothing.
    #[must_use]
    pub fn prefix(&self) -> &'static str {
        self.prefix.0
    }

    /// What is behind it.
    #[must_use]
    pub fn form(&self) -> &Form {
        &self.form
    }
}

/// What is written for every short secret: the least length of a handle of letters and digits.
const SHORT_LENGTH: u16 = 22;

impl Class {
    const ALL: [Self; 8] = [
        Self::Digits,
        Self::LowerHex,
        Self::UpperHex,
        Self::LowerAlphanumeric,
        Self::UpperAlphanumeric,
        Self::Alphanumeric,
        Self::Word,
        Self::Printable,
    ];

    /// The narrowest that holds all of `bytes`.
    fn of(bytes: &[u8]) -> Self {
        let fits = |class: &Self| bytes.iter().all(|byte| class.holds(*byte));
        Self::ALL.into_iter().find(fits).unwrap_or(Self::Printable)
    }

    fn holds(self, byte: u8) -> bool {
        match self {
            Self::Digits => byte.is_ascii_digit(),
            Self::LowerHex => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
            Self::UpperHex => byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte),
            Self::LowerAlphanumeric => byte.is_ascii_digit() || byte.is_ascii_lowercase(),
            Self::UpperAlphanumeric => byte.is_ascii_digit() || byte.is_ascii_uppercase(),
            Self::Alphanumeric => byte.is_ascii_alphanumeric(),
            Self::Word => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
            Self::Printable => true,
        }
    }

    /// What handles of this class are made of: only what stands unchanged in URLs, headers and JSON, so that a handle
    /// is the same text wherever it turns up.
    pub(super) fn handle_alphabet(self) -> &'static [u8] {
        match self {
            Self::Digits => b"0123456789",
            Self::LowerHex => b"0123456789abcdef",
            Self::UpperHex => b"0123456789ABCDEF",
            Self::LowerAlphanumeric => b"0123456789abcdefghijklmnopqrstuvwxyz",
            Self::UpperAlphanumeric => b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
            Self::Alphanumeric | Self::Word | Self::Printable => super::ALPHANUMERIC,
        }
    }

    /// How many characters hold [`super::HANDLE_ENTROPY_BITS_MIN`].
    pub(super) fn handle_length_min(self) -> usize {
        match self {
            Self::Digits => 39,
            Self::LowerHex | Self::UpperHex => 32,
            Self::LowerAlphanumeric | Self::UpperAlphanumeric => 25,
            Self::Alphanumeric | Self::Word | Self::Printable => 22,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Digits => "digits",
            Self::LowerHex => "hex",
            Self::UpperHex => "HEX",
            Self::LowerAlphanumeric => "alnum-lower",
            Self::UpperAlphanumeric => "alnum-upper",
            Self::Alphanumeric => "alnum",
            Self::Word => "word",
            Self::Printable => "printable",
        }
    }
}

/// Whether it is a JSON web token: the first part is an object, as its first characters show.
fn token_parts(secret: &[u8]) -> Option<[u16; 3]> {
    if !secret.starts_with(b"eyJ") {
        return None;
    }
    let mut lengths = [0_u16; 3];
    let mut parts = secret.split(|byte| *byte == b'.');
    for length in &mut lengths {
        let part = parts.next().filter(|part| !part.is_empty())?;
        *length =
            part.iter().all(|byte| Class::Word.holds(*byte)).then(|| u16::try_from(part.len()).ok())??;
    }
    parts.next().is_none().then_some(lengths)
}

fn is_uuid(secret: &[u8]) -> bool {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    let mut groups = secret.split(|byte| *byte == b'-');
    let fits = |length: usize| {
        groups.next().is_some_and(|group| group.len() == length && group.iter().all(u8::is_ascii_hexdigit))
    };
    GROUPS.into_iter().all(fits) && secret.len() == 36
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.prefix.0.is_empty() {
            write!(f, "{}+", self.prefix.0)?;
        }
        match &self.form {
            Form::Plain { class, length } => write!(f, "{}:{length}", class.name()),
            Form::Uuid => f.write_str("uuid"),
            Form::Token { parts: [header, payload, signature] } => {
                write!(f, "token:{header}.{payload}.{signature}")
            }
        }
    }
}

impl FromStr for Shape {
    type Err = ShapeError;

    fn from_str(text: &str) -> Result<Self, ShapeError> {
        let (prefix, form) = text.split_once('+').unwrap_or(("", text));
        let known = PREFIXES.into_iter().chain([""]).find(|known| *known == prefix);
        let prefix = Prefix(known.ok_or(ShapeError::Text)?);
        if form == "uuid" {
            return Ok(Self { prefix, form: Form::Uuid });
        }
        let (name, rest) = form.split_once(':').ok_or(ShapeError::Text)?;
        if name == "token" {
            let mut numbers = rest.split('.').map(number);
            let mut next = || numbers.next().flatten().ok_or(ShapeError::Text);
            let parts = [next()?, next()?, next()?];
            let whole = rest.split('.').count() == parts.len();
            return if whole {
                Ok(Self { prefix, form: Form::Token { parts } })
            } else {
                Err(ShapeError::Text)
            };
        }
        let class = Class::ALL.into_iter().find(|class| class.name() == name).ok_or(ShapeError::Text)?;
        let length = number(rest).ok_or(ShapeError::Text)?;
        Ok(Self { prefix, form: Form::Plain { class, length } })
    }
}

/// As it is printed, and within what a secret can have.
fn number(text: &str) -> Option<u16> {
    let number: u16 = text.parse().ok()?;
    (number.to_string() == text && (1..=SECRET_BYTES_MAX).contains(&usize::from(number))).then_some(number)
}

impl TryFrom<String> for Shape {
    type Error = ShapeError;

    fn try_from(text: String) -> Result<Self, ShapeError> {
        text.parse()
    }
}

impl From<Shape> for String {
    fn from(shape: Shape) -> Self {
        shape.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shapes_print_as_people_read_them() {
        let long = "x".repeat(SECRET_BYTES_MAX);
        let shapes = [
            ("ghp_0123456789abcdefghijABCDEFGHIJ123456", "ghp_+alnum:36"),
            ("sk-ant-api03-0123456789_bcdefghij-BCDEFGHIJ123456", "sk-ant-api03-+word:36"),
            ("0123456789abcdef0123456789abcdef01234567", "hex:40"),
            ("123e4567-e89b-12d3-a456-426614174000", "uuid"),
            ("eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.abc-_123", "token:19.15.8"),
            ("hunter2hunter2", "alnum:22"),
            ("pass word!", "alnum:22"),
            (long.as_str(), "alnum-lower:7168"),
        ];
        for (secret, shape) in shapes {
            assert_eq!(Shape::of(secret.as_bytes()).unwrap().to_string(), shape, "{secret}");
        }
    }

    #[test]
    fn a_short_secret_is_not_described() {
        let shape = |secret: &str| Shape::of(secret.as_bytes()).unwrap();
        assert_eq!(shape("12345678"), shape("correct-horse"));
        assert_eq!(shape("12345678"), shape("S3cret!pass+word"));
        assert_ne!(shape("12345678"), shape("ghp_short123"), "the issuer's prefix is known to all");
    }

    #[test]
    fn what_could_not_stand_in_a_header_is_no_secret() {
        for text in ["line\nend1", "carriage\rreturn", "nul\0nul12", "ümlaut123", " leading", "trailing "] {
            assert_eq!(Shape::of(text.as_bytes()), Err(ShapeError::Character), "{text:?}");
        }
        assert_eq!(Shape::of(b"short"), Err(ShapeError::Length));
        assert_eq!(Shape::of(&[b'x'; SECRET_BYTES_MAX + 1]), Err(ShapeError::Length));
    }

    proptest! {
        #[test]
        fn a_printed_shape_parses_to_itself(secret in "[ -~]{8,120}") {
            if let Ok(shape) = Shape::of(secret.as_bytes()) {
                prop_assert_eq!(shape.to_string().parse::<Shape>().unwrap(), shape);
            }
        }

        #[test]
        fn no_text_makes_a_parser_panic(text in ".{0,60}") {
            if let Ok(shape) = text.parse::<Shape>() {
                prop_assert_eq!(shape.to_string(), text);
            }
        }

        /// The words of a shape are ours; beside them it has numbers and a prefix of the table, nothing of the secret.
        #[test]
        fn a_shape_says_the_same_of_secrets_that_differ_in_every_byte(length in 40_usize..300) {
            let of = |byte: u8| Shape::of(&vec![byte; length]).unwrap();
            prop_assert_eq!(of(b'q'), of(b'z'));
            prop_assert_eq!(of(b'!'), of(b'~'));
        }
    }
}
