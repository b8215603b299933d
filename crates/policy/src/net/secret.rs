//! What is known of the owner's secrets in the open: names, shapes, where they come from, when, and whether they count.
//!
//! No value is ever in it. It says nothing of where the values lie.

use super::credential::SecretName;
use super::handle::{LoginFacts, LoginKind, Shape};
use crate::event::UnixNanos;
use crate::presets::sets::registry::Registry;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The longest text of a source, in bytes.
pub const SOURCE_BYTES_MAX: usize = 4096;

/// Why a text is no source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a source is env:VARIABLE, file:/PATH, command:COMMAND, prompt, setting:SET:HOST, login:claude or login:codex"
)]
pub struct SourceTextError;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Source {
    /// A variable of the owner's environment, when the secret is added.
    Env(String),
    /// A file of the owner's, by its absolute path; read anew when a session starts.
    File(String),
    /// What a command of the owner's prints; run anew when a session starts.
    Command(String),
    /// Typed on the terminal, when the secret is added.
    Prompt,
    /// The login for a place in the settings of a package tool: whose, and where; read anew when a session starts.
    Setting(Registry, String),
    /// The login of an agent program; read anew when a session starts, and refreshed.
    Login(LoginKind),
}

/// One secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretEntry {
    /// What it looks like.
    pub shape: Shape,
    /// Where it comes from.
    pub source: Source,
    /// When it was added.
    pub added: UnixNanos,
    /// When its value was last read from its source.
    pub refreshed: UnixNanos,
    /// When it ends, if it says so itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<UnixNanos>,
    /// Since when it counts for nothing, anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<UnixNanos>,
    /// Sessions, by their ids, for which it counts for nothing, and since when.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub revoked_in: BTreeMap<String, UnixNanos>,
    /// What a login says beside its tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<LoginEntry>,
}

/// What is known of a login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginEntry {
    /// Whose.
    pub kind: LoginKind,
    /// What the program reads of it.
    pub facts: LoginFacts,
    /// Where its tokens are refreshed, in place of the provider's own address; the owner's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint: Option<String>,
    /// Whether there is something to refresh it with.
    pub renewable: bool,
}

/// Whether a secret can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It can.
    Usable,
    /// It is known by name, and its value is not there.
    Missing,
    /// Its time is over, and nothing can refresh it.
    Expired,
    /// The owner revoked it.
    Revoked,
}

/// What the program that keeps secrets says of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SecretAnswer {
    /// What was asked was done; these are the secrets that it was about.
    Secrets(Vec<SecretReport>),
    /// It was not.
    Failed(SecretFailure),
}

/// One secret and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretReport {
    /// What it is called.
    pub name: SecretName,
    /// Whether it can be used.
    pub standing: Standing,
    /// What is known of it; nothing if the name is not known.
    pub entry: Option<SecretEntry>,
}

/// What failed, why, and what to do; never a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretFailure {
    /// What sort of failure.
    pub kind: SecretFailureKind,
    /// What failed.
    pub what: String,
    /// Why.
    pub why: String,
    /// What to do.
    pub what_to_do: String,
}

/// What sort of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretFailureKind {
    /// It can't be understood.
    Usage,
    /// The source gives no usable value, or there is no such secret.
    Source,
    /// The store can't be used.
    Store,
    /// The name is taken.
    Taken,
}

impl SecretEntry {
    /// How it stands at a time, for a session or for none, if its value is there.
    #[must_use]
    pub fn standing(&self, now: UnixNanos, session: Option<&str>) -> Standing {
        let revoked_here = session.is_some_and(|session| self.revoked_in.contains_key(session));
        if self.revoked.is_some() || revoked_here {
            return Standing::Revoked;
        }
        let renewable = self.login.as_ref().is_some_and(|login| login.renewable);
        if self.expires.is_some_and(|end| end <= now) && !renewable {
            return Standing::Expired;
        }
        Standing::Usable
    }
}

impl Source {
    /// Whether it is read anew when a session starts.
    #[must_use]
    pub fn is_read_anew(&self) -> bool {
        match self {
            Self::File(_) | Self::Command(_) | Self::Setting(..) | Self::Login(_) => true,
            Self::Env(_) | Self::Prompt => false,
        }
    }
}

impl FromStr for Source {
    type Err = SourceTextError;

    fn from_str(text: &str) -> Result<Self, SourceTextError> {
        if text.len() > SOURCE_BYTES_MAX || text.contains('\0') {
            return Err(SourceTextError);
        }
        if text == "prompt" {
            return Ok(Self::Prompt);
        }
        let (kind, rest) = text.split_once(':').ok_or(SourceTextError)?;
        let variable = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        match kind {
            "env" if !rest.is_empty() && rest.bytes().all(variable) => Ok(Self::Env(rest.to_owned())),
            "file" if rest.starts_with('/') => Ok(Self::File(rest.to_owned())),
            "command" if !rest.trim().is_empty() => Ok(Self::Command(rest.to_owned())),
            "setting" => {
                let (set, place) = rest.split_once(':').ok_or(SourceTextError)?;
                let is_place = !place.is_empty() && place.bytes().all(|byte| byte.is_ascii_graphic());
                let set = Registry::named(set).filter(|_| is_place).ok_or(SourceTextError)?;
                Ok(Self::Setting(set, place.to_owned()))
            }
            "login" => {
                let kind = LoginKind::ALL.into_iter().find(|kind| kind.name() == rest);
                kind.map(Self::Login).ok_or(SourceTextError)
            }
            _ => Err(SourceTextError),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(variable) => write!(f, "env:{variable}"),
            Self::File(path) => write!(f, "file:{path}"),
            Self::Command(command) => write!(f, "command:{command}"),
            Self::Prompt => f.write_str("prompt"),
            Self::Setting(set, place) => write!(f, "setting:{}:{place}", set.name()),
            Self::Login(kind) => write!(f, "login:{}", kind.name()),
        }
    }
}

impl TryFrom<String> for Source {
    type Error = SourceTextError;

    fn try_from(text: String) -> Result<Self, SourceTextError> {
        text.parse()
    }
}

impl From<Source> for String {
    fn from(source: Source) -> Self {
        source.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_parses_to_what_it_prints() {
        let texts = ["env:GH_TOKEN", "file:/home/a b/key", "command:pass show x:y", "prompt", "login:codex"];
        let texts = texts.into_iter().chain(["setting:npm:packages.test:8443"]);
        for text in texts {
            assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "env:",
            "env:A B",
            "file:relative",
            "command: ",
            "login:other",
            "Prompt",
            "x:y",
            "setting:npm:",
            "setting:x:y",
        ] {
            assert!(text.parse::<Source>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_revoked_secret_counts_for_nothing_and_an_expired_one_only_if_it_can_be_refreshed() {
        let mut entry = SecretEntry {
            shape: "hex:40".parse().unwrap(),
            source: Source::Prompt,
            added: UnixNanos(1),
            refreshed: UnixNanos(1),
            expires: Some(UnixNanos(10)),
            revoked: None,
            revoked_in: BTreeMap::from([("one".to_owned(), UnixNanos(2))]),
            login: None,
        };
        assert_eq!(entry.standing(UnixNanos(9), None), Standing::Usable);
        assert_eq!(entry.standing(UnixNanos(9), Some("other")), Standing::Usable);
        assert_eq!(entry.standing(UnixNanos(9), Some("one")), Standing::Revoked);
        assert_eq!(entry.standing(UnixNanos(10), None), Standing::Expired);
        let facts = LoginFacts::default();
        entry.login =
            Some(LoginEntry { kind: LoginKind::Claude, facts, token_endpoint: None, renewable: true });
        assert_eq!(entry.standing(UnixNanos(10), None), Standing::Usable);
        entry.revoked = Some(UnixNanos(3));
        assert_eq!(entry.standing(UnixNanos(4), None), Standing::Revoked);
    }
}
