//! What a session is called: an id that never changes and a name that its owner chose or accepted.
//!
//! Both are parsed once, at the edge. No randomness is drawn here and no uniqueness is decided here: the
//! caller brings the bytes, the ledger knows which names are taken.

use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::fmt;
use std::str::FromStr;

/// Length of a session's id, in characters.
pub const SESSION_ID_CHARS: usize = 12;
/// Length of the longest name of a session, in characters (all of them ASCII).
pub const SESSION_NAME_CHARS_MAX: usize = 64;

/// RFC 4648 base 32 in lower case: no `0`, `1`, `8`, `9`, so nothing is mistaken for `o`, `l`, `b`, `g`.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const BITS_PER_CHAR: u32 = 5;

/// Sixty random bits as twelve characters of `a`–`z` and `2`–`7`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId(String);

/// A name of 1 to 64 characters of `a`–`z`, `A`–`Z`, `0`–`9`, `.`, `_`, `-` that can neither hide nor name another
/// directory when it becomes part of a path, nor be taken for an option.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionName(String);

/// Why a text is not the id of a session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{shown} is not a session id ({SESSION_ID_CHARS} characters of a-z and 2-7)")]
pub struct SessionIdError {
    /// The text, with everything that could deceive a reader escaped.
    pub shown: String,
}

/// Why a text is not taken as the name of a session. `shown` is the text with control characters escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionNameError {
    /// It has no characters.
    #[error("a session name cannot be empty")]
    Empty,
    /// It is longer than [`SESSION_NAME_CHARS_MAX`].
    #[error("a session name cannot have {chars} characters, more than {SESSION_NAME_CHARS_MAX}")]
    TooLong {
        /// Its length.
        chars: usize,
    },
    /// Its bytes are not UTF-8.
    #[error("session name {shown} is not UTF-8")]
    NotUtf8 {
        /// The text.
        shown: String,
    },
    /// It holds a newline, which would forge a line wherever names are listed.
    #[error("session name {shown} holds a newline")]
    Newline {
        /// The text.
        shown: String,
    },
    /// It begins with `-` (an option) or `.` (a hidden file, the directory itself, or the one above).
    #[error("session name {shown} begins with `{first}`")]
    Beginning {
        /// The text.
        shown: String,
        /// Its first character.
        first: char,
    },
    /// It holds a character outside the alphabet.
    #[error("session name {shown} holds {character:?}; a-z, A-Z, 0-9, `.`, `_` and `-` are allowed")]
    Character {
        /// The text.
        shown: String,
        /// The first such character.
        character: char,
    },
}

impl SessionId {
    /// The id made of the first sixty bits of `random`.
    #[must_use]
    pub fn from_random(random: [u8; 8]) -> Self {
        let first = u64::from_be_bytes(random);
        let shifted = std::iter::successors(Some(first), |bits| Some(bits << BITS_PER_CHAR));
        Self(shifted.take(SESSION_ID_CHARS).map(letter).collect())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `text` could be the beginning of an id: one to twelve characters of its alphabet.
    #[must_use]
    pub fn may_begin_with(text: &str) -> bool {
        (1..=SESSION_ID_CHARS).contains(&text.len()) && text.bytes().all(|byte| ALPHABET.contains(&byte))
    }
}

/// The character for the highest five bits.
fn letter(bits: u64) -> char {
    let index = usize::try_from(bits >> (u64::BITS - BITS_PER_CHAR)).unwrap_or_default();
    ALPHABET.get(index).map_or('a', |byte| char::from(*byte))
}

impl SessionName {
    /// Takes a name as it came from the operating system.
    ///
    /// # Errors
    /// [`SessionNameError`], which shows the text harmlessly.
    pub fn from_os(text: &OsStr) -> Result<Self, SessionNameError> {
        match text.to_str() {
            Some(text) => text.parse(),
            None => Err(SessionNameError::NotUtf8 { shown: shown(&text.to_string_lossy()) }),
        }
    }

    /// A name made of whatever `text` (a directory's name, say) has to offer: characters outside the alphabet
    /// become `-`, and where nothing is left it is `session`.
    #[must_use]
    pub fn derived_from(text: &OsStr) -> Self {
        let plain: String = text
            .to_string_lossy()
            .chars()
            .map(|c| if is_name_character(c) { c } else { '-' })
            .skip_while(|c| matches!(c, '-' | '.'))
            .take(SESSION_NAME_CHARS_MAX)
            .collect();
        let plain = plain.trim_end_matches('-');
        plain.parse().unwrap_or_else(|_| Self("session".to_owned()))
    }

    /// `<this>-<number>`, this cut short so that it stays a name.
    #[must_use]
    pub fn numbered(&self, number: u32) -> Self {
        let suffix = format!("-{number}");
        let room = SESSION_NAME_CHARS_MAX.saturating_sub(suffix.len());
        let stem: String = self.0.chars().take(room).collect();
        Self(stem + &suffix)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

/// Text from outside, with control characters, quotes and invisible characters escaped.
fn shown(text: &str) -> String {
    format!("{text:?}")
}

impl FromStr for SessionId {
    type Err = SessionIdError;

    fn from_str(text: &str) -> Result<Self, SessionIdError> {
        if text.len() == SESSION_ID_CHARS && Self::may_begin_with(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(SessionIdError { shown: shown(text) })
        }
    }
}

impl FromStr for SessionName {
    type Err = SessionNameError;

    fn from_str(text: &str) -> Result<Self, SessionNameError> {
        let Some(first) = text.chars().next() else { return Err(SessionNameError::Empty) };
        let chars = text.chars().count();
        if chars > SESSION_NAME_CHARS_MAX {
            return Err(SessionNameError::TooLong { chars });
        }
        if text.contains(['\n', '\r']) {
            return Err(SessionNameError::Newline { shown: shown(text) });
        }
        if matches!(first, '-' | '.') {
            return Err(SessionNameError::Beginning { shown: shown(text), first });
        }
        match text.chars().find(|c| !is_name_character(*c)) {
            Some(character) => Err(SessionNameError::Character { shown: shown(text), character }),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for SessionId {
    type Error = SessionIdError;
    fn try_from(text: String) -> Result<Self, SessionIdError> {
        text.parse()
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> Self {
        id.0
    }
}

impl TryFrom<String> for SessionName {
    type Error = SessionNameError;
    fn try_from(text: String) -> Result<Self, SessionNameError> {
        text.parse()
    }
}

impl From<SessionName> for String {
    fn from(name: SessionName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn an_id_uses_sixty_bits_of_what_it_is_given() {
        assert_eq!(SessionId::from_random([0; 8]).as_str(), "aaaaaaaaaaaa");
        assert_eq!(SessionId::from_random([0xff; 8]).as_str(), "777777777777");
        assert_eq!(SessionId::from_random([0, 0, 0, 0, 0, 0, 0, 0x10]).as_str(), "aaaaaaaaaaab");
    }

    #[test]
    fn a_name_that_would_deceive_or_lead_elsewhere_is_refused() {
        let parse = |text: &str| text.parse::<SessionName>();
        assert_eq!(parse(""), Err(SessionNameError::Empty));
        assert!(matches!(parse("a\nb"), Err(SessionNameError::Newline { .. })));
        assert!(matches!(parse("a\rb"), Err(SessionNameError::Newline { .. })));
        for beginning in [".", "..", ".hidden", "-rf", "--name"] {
            assert!(matches!(parse(beginning), Err(SessionNameError::Beginning { .. })), "{beginning}");
        }
        for character in ["a/b", "a b", "a\0b", "a\u{1b}[2J", "a\u{202e}b", "ä", "a\u{200b}"] {
            assert!(matches!(parse(character), Err(SessionNameError::Character { .. })), "{character:?}");
        }
        assert!(matches!(parse(&"a".repeat(65)), Err(SessionNameError::TooLong { chars: 65 })));
        assert!(matches!(
            SessionName::from_os(OsStr::from_bytes(b"a\xff")),
            Err(SessionNameError::NotUtf8 { .. })
        ));
        assert_eq!(parse("My_repo-2.x").map(String::from), Ok("My_repo-2.x".to_owned()));
    }

    #[test]
    fn a_refused_name_is_shown_on_one_harmless_line() {
        for hostile in ["a\nb", "\u{1b}]0;x\u{7}", "a\u{202e}b"] {
            let text = hostile.parse::<SessionName>().unwrap_err().to_string();
            assert!(!text.chars().any(|c| c.is_control() || c == '\u{202e}'), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn an_id_printed_is_the_id_parsed(random: [u8; 8]) {
            let id = SessionId::from_random(random);
            prop_assert_eq!(id.as_str().parse::<SessionId>(), Ok(id.clone()));
        }

        #[test]
        fn whatever_a_directory_is_called_a_name_can_be_derived(bytes: Vec<u8>, number: u32) {
            let name = SessionName::derived_from(OsStr::from_bytes(&bytes));
            prop_assert_eq!(name.as_str().parse::<SessionName>(), Ok(name.clone()));
            let numbered = name.numbered(number);
            prop_assert_eq!(numbered.as_str().parse::<SessionName>(), Ok(numbered.clone()));
        }
    }
}
