//! Credentials as policy names them: which secret, and the one place of a request that it may stand in.
//!
//! No value of a secret is ever here, and no handle: those are the gateway's.

use crate::net::grant::Grant;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The longest name of a credential or secret, in bytes.
pub const CREDENTIAL_NAME_BYTES_MAX: usize = 64;

/// The longest name of a variable, in bytes.
const VARIABLE_BYTES_MAX: usize = 128;

/// The longest text of a place, in bytes.
const PLACE_BYTES_MAX: usize = 256;

/// Why a text names no credential, secret, variable or place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Not the name of a credential.
    #[error(
        "`{0}` names no credential: write 1 to {CREDENTIAL_NAME_BYTES_MAX} small letters, digits and `-`"
    )]
    Name(String),
    /// Not the name of a secret.
    #[error("`{0}` names no secret: write 1 to {CREDENTIAL_NAME_BYTES_MAX} small letters, digits and `-`")]
    Secret(String),
    /// Not the name of a variable.
    #[error("`{0}` is no name of a variable")]
    Variable(String),
    /// Not a place.
    #[error("`{0}` is no place: write `header:NAME: TEXT {{}}`, `basic`, `basic:USER` or `query:KEY`")]
    Place(String),
    /// A header that says where a request goes or how long it is.
    #[error("a secret can't stand in the header `{0}`: it steers the connection")]
    Header(String),
}

/// The name of a credential in policy: small letters, digits, `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CredentialName(String);

/// The name of a secret in the store: small letters, digits, `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecretName(String);

/// The name of an environment variable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VarName(String);

/// What an agent uses by a handle.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// By which grants name it.
    pub name: CredentialName,
    /// Which secret it is.
    pub secret: SecretName,
    /// Where it stands in a request.
    pub place: Place,
    /// The variables in which the agent finds its handle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<VarName>,
}

/// The one place of a request in which a handle is exchanged for the secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Place {
    /// `header:NAME: PREFIX{}SUFFIX`
    Header {
        /// In small letters.
        name: String,
        /// Before the secret.
        prefix: String,
        /// After it.
        suffix: String,
    },
    /// `basic` or `basic:USER`: the password of Basic authentication, with whatever user the agent names or with this
    /// one.
    Basic {
        /// The user, if it is fixed.
        user: Option<String>,
    },
    /// `query:KEY`: the value of a query parameter.
    Query {
        /// Its name.
        key: String,
    },
}

/// What becomes of a session whose handle is seen where it doesn't belong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnHandleLeak {
    /// The request is refused and recorded.
    #[default]
    Refuse,
    /// The session is ended, too.
    Stop,
}

impl OnHandleLeak {
    /// The stricter of two.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.max(other)
    }

    /// Whether it is what holds when nothing is said.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// As policy writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Stop => "stop",
        }
    }
}

impl Place {
    /// In words, for people.
    #[must_use]
    pub fn phrase(&self) -> String {
        match self {
            Self::Header { name, prefix, suffix } if prefix.is_empty() && suffix.is_empty() => {
                format!("header {name}")
            }
            Self::Header { name, prefix, suffix } => {
                format!("header {name} (as {:?})", format!("{prefix}…{suffix}"))
            }
            Self::Basic { user: None } => "the password of Basic authentication".to_owned(),
            Self::Basic { user: Some(user) } => format!("the password of Basic authentication as {user:?}"),
            Self::Query { key } => format!("query parameter {key}"),
        }
    }
}

/// The first grant that names a credential which is not among `credentials`.
#[must_use]
pub fn undefined<'g>(
    grants: &'g [Grant],
    credentials: &[Credential],
) -> Option<(&'g Grant, &'g CredentialName)> {
    let named = grants.iter().filter_map(|grant| Some((grant, grant.credential.as_ref()?)));
    let mut missing =
        named.filter(|(_, name)| !credentials.iter().any(|credential| credential.name == **name));
    missing.next()
}

/// Headers that say where a request goes, how long it is or what the connection becomes, and what frames it.
const STEERING_HEADERS: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

fn is_name(text: &str) -> bool {
    (1..=CREDENTIAL_NAME_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
}

impl CredentialName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SecretName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl VarName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CredentialName {
    type Err = CredentialError;

    fn from_str(text: &str) -> Result<Self, CredentialError> {
        if is_name(text) { Ok(Self(text.to_owned())) } else { Err(CredentialError::Name(text.to_owned())) }
    }
}

impl FromStr for SecretName {
    type Err = CredentialError;

    fn from_str(text: &str) -> Result<Self, CredentialError> {
        if is_name(text) { Ok(Self(text.to_owned())) } else { Err(CredentialError::Secret(text.to_owned())) }
    }
}

impl FromStr for VarName {
    type Err = CredentialError;

    fn from_str(text: &str) -> Result<Self, CredentialError> {
        let is_word = (1..=VARIABLE_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !text.starts_with(|first: char| first.is_ascii_digit());
        if is_word { Ok(Self(text.to_owned())) } else { Err(CredentialError::Variable(text.to_owned())) }
    }
}

impl FromStr for Place {
    type Err = CredentialError;

    fn from_str(text: &str) -> Result<Self, CredentialError> {
        let wrong = || CredentialError::Place(text.to_owned());
        if text.len() > PLACE_BYTES_MAX {
            return Err(wrong());
        }
        match text.split_once(':') {
            None if text == "basic" => Ok(Self::Basic { user: None }),
            Some(("basic", user)) if is_user(user) => Ok(Self::Basic { user: Some(user.to_owned()) }),
            Some(("query", key)) if is_key(key) => Ok(Self::Query { key: key.to_owned() }),
            Some(("header", rest)) => {
                let (name, value) = rest.split_once(": ").ok_or_else(wrong)?;
                let (prefix, suffix) = value.split_once("{}").ok_or_else(wrong)?;
                let is_value = |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
                if !is_token(name) || !is_value(value) || suffix.contains("{}") || value != value.trim() {
                    return Err(wrong());
                }
                let name = name.to_ascii_lowercase();
                if STEERING_HEADERS.contains(&name.as_str()) {
                    return Err(CredentialError::Header(name));
                }
                Ok(Self::Header { name, prefix: prefix.to_owned(), suffix: suffix.to_owned() })
            }
            Some(_) | None => Err(wrong()),
        }
    }
}

/// A token of RFC 9110, 5.6.2.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn is_user(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':')
}

fn is_key(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

impl fmt::Display for CredentialName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for VarName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header { name, prefix, suffix } => write!(f, "header:{name}: {prefix}{{}}{suffix}"),
            Self::Basic { user: None } => f.write_str("basic"),
            Self::Basic { user: Some(user) } => write!(f, "basic:{user}"),
            Self::Query { key } => write!(f, "query:{key}"),
        }
    }
}

impl TryFrom<String> for CredentialName {
    type Error = CredentialError;

    fn try_from(text: String) -> Result<Self, CredentialError> {
        text.parse()
    }
}

impl From<CredentialName> for String {
    fn from(name: CredentialName) -> Self {
        name.0
    }
}

impl TryFrom<String> for SecretName {
    type Error = CredentialError;

    fn try_from(text: String) -> Result<Self, CredentialError> {
        text.parse()
    }
}

impl From<SecretName> for String {
    fn from(name: SecretName) -> Self {
        name.0
    }
}

impl TryFrom<String> for VarName {
    type Error = CredentialError;

    fn try_from(text: String) -> Result<Self, CredentialError> {
        text.parse()
    }
}

impl From<VarName> for String {
    fn from(name: VarName) -> Self {
        name.0
    }
}

impl TryFrom<String> for Place {
    type Error = CredentialError;

    fn try_from(text: String) -> Result<Self, CredentialError> {
        text.parse()
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        place.to_string()
    }
}

#[cfg(test)]
mod tests;
