//! Names of what the owner lets through in a body all the same, one for each place: `tools:web_search`,
//! `mcp_servers`, `messages.content:image.source:url.url`, `model:sonar`; and `beta:files-api` for a header.
//!
//! A name is the way to what was refused: keys with dots between them, and behind a colon the kind of what stands
//! there. So none is chosen freely by an agent: what it calls a tool is the name of a tool and of nothing else. Which
//! places are refused is not known here.

use std::fmt;

/// The longest name, in bytes.
pub(super) const NAME_BYTES_MAX: usize = 128;

/// What the name of a beta feature begins with.
pub(super) const BETA: &str = "beta:";

/// Where something in a body is, and the name by which the owner could let it through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// A JSON pointer (RFC 6901), with each key cut short.
    pub pointer: String,
    /// None where no name means this and nothing else.
    pub name: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pointer)
    }
}

/// Whether this can be a name.
pub(super) fn is_name(name: &str) -> bool {
    let plain = |byte: u8| is_word(byte) || matches!(byte, b'.' | b':');
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain)
}

/// A key or kind that can stand in a name; what separates them can't.
pub(super) fn word(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(is_word)).then_some(text)
}

/// The same of a model, whose name stands last and has versions and variants in it.
pub(super) fn model(text: &str) -> Option<&str> {
    is_name(text).then_some(text)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// Whether a name is the granted one, or that with a date behind it.
pub(super) fn is_dated(name: &str, granted: &str) -> bool {
    let separator = |byte: u8| matches!(byte, b'_' | b'-');
    let date = |rest: &str| {
        rest.bytes().next().is_none_or(separator)
            && rest.bytes().all(|byte| byte.is_ascii_digit() || separator(byte))
    };
    !granted.is_empty() && name.strip_prefix(granted).is_some_and(date)
}
