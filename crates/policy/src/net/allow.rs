//! A grant as one line of text, as flags and policies write it and refusals offer it:
//! `GET,POST api.example.com:443/v1/** credential=example up=10MB`.
//!
//! What is left out has the narrow meaning: without methods GET and HEAD, without a path every path, without a port
//! 443 (80 after `http://`), without protocols HTTP. One grant has one line, and the line gives the grant back.
//! Names of sets are told from grants here; what they hold is not known here.

use crate::net::budget::{Budget, BudgetError};
use crate::net::credential::{CredentialError, CredentialName};
use crate::net::grant::{Grant, GrantError, GrantOrigin, Methods, Protocols, QueryRule, Scheme};
use crate::net::host::{HostError, HostPattern, Port};
use crate::net::model::ModelRule;
use crate::net::path::{PathError, PathPattern};
use serde::{Deserialize, Serialize};
use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::str::FromStr;

/// The longest line, in bytes: as many patterns as a grant may have, and the rest.
pub const ALLOW_BYTES_MAX: usize = 128 << 10;

/// What is set aside for writing a line, in bytes.
const LINE_BYTES_USUAL: usize = 160;

/// The longest name of a set with what stands in parentheses, in bytes.
const SET_BYTES_MAX: usize = 256;

/// Why a line is no grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllowError {
    /// Nothing, or longer than [`ALLOW_BYTES_MAX`].
    #[error("it is empty, or longer than {ALLOW_BYTES_MAX} bytes")]
    Length,
    /// The host, or its port.
    #[error("`{text}` can't be granted")]
    Host {
        /// What stands for it.
        text: String,
        /// Why.
        #[source]
        cause: HostError,
    },
    /// A path.
    #[error("`{text}` is no path pattern")]
    Path {
        /// What stands for it.
        text: String,
        /// Why.
        #[source]
        cause: PathError,
    },
    /// Something that is not KEY=VALUE.
    #[error("`{0}` is not understood: after the host come KEY=VALUE, and methods come before it in capitals")]
    Word(String),
    /// A key that is not known.
    #[error(
        "`{0}` is no key of a grant: credential, up, down, requests, rate, query, protocols, address and model are"
    )]
    Key(String),
    /// A key twice.
    #[error("`{0}` is there twice")]
    Twice(String),
    /// An address.
    #[error("`{0}` is no address")]
    Address(String),
    /// A name of a credential.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// An amount.
    #[error(transparent)]
    Budget(#[from] BudgetError),
    /// Parts that don't hold together.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// Neither a grant nor the name of a set.
    #[error("`{0}` is neither a host nor the name of a set: write a host of one part with its port")]
    Set(String),
}

/// What one entry of `allow = [...]`, or one `--allow`, says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowEntry {
    /// A grant.
    Grant(Box<Grant>),
    /// The name of a set, with what it is about in parentheses: `npm`, `github-push(acme/app)`.
    Set(String),
}

impl AllowEntry {
    /// Reads an entry. A word without dot, colon, slash or star is the name of a set, not a host of one part.
    ///
    /// # Errors
    /// [`AllowError`].
    pub fn parse(text: &str, origin: GrantOrigin) -> Result<Self, AllowError> {
        let name = text.split('(').next().unwrap_or(text);
        if name.is_empty() || !name.bytes().all(is_set_byte) {
            return Grant::from_line(text, origin).map(|grant| Self::Grant(Box::new(grant)));
        }
        let about = text.get(name.len()..).unwrap_or_default();
        let is_about = about.is_empty()
            || about.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).is_some_and(is_plain);
        if is_about && text.len() <= SET_BYTES_MAX && !name.starts_with('-') {
            Ok(Self::Set(text.to_owned()))
        } else {
            Err(AllowError::Set(text.to_owned()))
        }
    }
}

fn is_set_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}

fn is_plain(about: &str) -> bool {
    !about.is_empty() && about.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'(' | b')'))
}

impl Grant {
    /// Reads a grant written as one line.
    ///
    /// # Errors
    /// [`AllowError`].
    pub fn from_line(line: &str, origin: GrantOrigin) -> Result<Self, AllowError> {
        if line.len() > ALLOW_BYTES_MAX {
            return Err(AllowError::Length);
        }
        let mut words = line.split_ascii_whitespace().peekable();
        let first = words.next().ok_or(AllowError::Length)?;
        let methods = are_methods(first).then_some(first);
        let target = if methods.is_some() { words.next() } else { Some(first) };
        let target = target.filter(|target| !authority(target).contains('='));
        let mut draft = Draft::of_target(target.ok_or_else(|| AllowError::Word(first.to_owned()))?)?;
        draft.methods = methods.map(|names| Methods::parse(names.split(','))).transpose()?;
        let mut seen: Vec<&str> = Vec::new();
        while let Some(word) = words.next() {
            let (key, value) = word.split_once('=').ok_or_else(|| AllowError::Word(word.to_owned()))?;
            if seen.contains(&key) {
                return Err(AllowError::Twice(key.to_owned()));
            }
            seen.push(key);
            // `up=10 MB`
            let unit = words.next_if(|word| matches!(key, "up" | "down") && !word.contains('='));
            draft.set(key, &unit.map_or_else(|| value.to_owned(), |unit| format!("{value} {unit}")))?;
        }
        Ok(draft.grant(origin)?)
    }

    /// The one line that stands for this grant; who it comes from is not in it.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = String::with_capacity(LINE_BYTES_USUAL);
        // Writing to a string does not fail.
        write!(line, "{self}").map_or_else(|_never| String::new(), |()| line)
    }
}

/// What stands before the path of a target: a path may hold `=`.
fn authority(target: &str) -> &str {
    let rest = target.split_once("://").map_or(target, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

fn are_methods(word: &str) -> bool {
    let is_capital = |byte: u8| byte.is_ascii_uppercase() || matches!(byte, b'-' | b'_' | b',' | b'*');
    !word.starts_with("*.") && word.bytes().all(is_capital)
}

/// What was written of a grant; what was not has no value yet.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) host: HostPattern,
    pub(crate) port: Option<Port>,
    pub(crate) scheme: Option<Scheme>,
    pub(crate) methods: Option<Methods>,
    pub(crate) paths: Option<Vec<PathPattern>>,
    pub(crate) query: QueryRule,
    pub(crate) credential: Option<CredentialName>,
    pub(crate) budget: Budget,
    pub(crate) protocols: Option<Protocols>,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) model: Option<ModelRule>,
}

impl Draft {
    pub(crate) fn of_host(host: HostPattern) -> Self {
        Self {
            host,
            port: None,
            scheme: None,
            methods: None,
            paths: None,
            query: QueryRule::Allow,
            credential: None,
            budget: Budget::UNBOUNDED,
            protocols: None,
            addresses: Vec::new(),
            model: None,
        }
    }

    /// `[http://]host[:port][/path[,/path…]]`
    fn of_target(target: &str) -> Result<Self, AllowError> {
        let (scheme, rest) = match target.split_once("://") {
            Some(("http", rest)) => (Some(Scheme::Http), rest),
            Some(("https", rest)) => (Some(Scheme::Https), rest),
            Some(_) => return Err(AllowError::Word(target.to_owned())),
            None => (None, target),
        };
        let end = rest.find('/').unwrap_or(rest.len());
        let (authority, paths) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let mut draft = Self::of_authority(authority)?;
        draft.scheme = scheme;
        if let Some(paths) = paths.strip_prefix('/') {
            let patterns = paths.split(",/").map(|path| pattern(&format!("/{path}")));
            draft.paths = Some(patterns.collect::<Result<_, _>>()?);
        }
        Ok(draft)
    }

    fn of_authority(authority: &str) -> Result<Self, AllowError> {
        let wrong = |cause| AllowError::Host { text: authority.to_owned(), cause };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().map_err(wrong)?)),
            Some(_) | None => (authority, None),
        };
        let mut draft = Self::of_host(host.parse().map_err(wrong)?);
        draft.port = port;
        Ok(draft)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), AllowError> {
        match key {
            "credential" => self.credential = Some(value.parse()?),
            "query" => self.query = value.parse()?,
            "model" => self.model = Some(value.parse()?),
            "up" => self.budget.up = Some(value.parse()?),
            "down" => self.budget.down = Some(value.parse()?),
            "requests" => self.budget.requests = Some(requests(value)?),
            "rate" => self.budget.rate = Some(value.parse()?),
            "protocols" => {
                let named = value.split(',').map(FromStr::from_str).collect::<Result<Vec<_>, _>>()?;
                self.protocols = Some(Protocols::new(named)?);
            }
            "address" => self.addresses = value.split(',').map(address).collect::<Result<_, _>>()?,
            other => return Err(AllowError::Key(other.to_owned())),
        }
        Ok(())
    }

    /// The grant that was meant, with the narrow meaning of what was left out.
    pub(crate) fn grant(self, origin: GrantOrigin) -> Result<Grant, GrantError> {
        let usual_port = if self.scheme == Some(Scheme::Http) { Port::HTTP } else { Port::HTTPS };
        let mut grant = Grant::to(self.host, self.port.unwrap_or(usual_port), origin);
        if let Some(protocols) = self.protocols {
            grant.protocols = protocols;
        }
        if grant.is_unread() {
            (grant.methods, grant.paths) = (Methods::none(), Vec::new());
        }
        if let Some(methods) = self.methods {
            grant.methods = methods;
        }
        if let Some(paths) = self.paths {
            grant.paths = paths;
        }
        if let Some(scheme) = self.scheme {
            grant.scheme = scheme;
        }
        grant.query = self.query;
        grant.credential = self.credential;
        grant.budget = self.budget;
        grant.addresses = self.addresses;
        grant.model = self.model;
        grant.checked()
    }
}

pub(crate) fn pattern(text: &str) -> Result<PathPattern, AllowError> {
    text.parse().map_err(|cause| AllowError::Path { text: text.to_owned(), cause })
}

/// An address, which is never IPv4 in IPv6 spelling.
pub(crate) fn address(text: &str) -> Result<IpAddr, AllowError> {
    let address = text.parse::<IpAddr>().ok().filter(|address| *address == address.to_canonical());
    address.ok_or_else(|| AllowError::Address(text.to_owned()))
}

fn requests(text: &str) -> Result<u64, BudgetError> {
    let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    number.ok_or_else(|| BudgetError::Requests(text.to_owned()))
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.methods.are_reading() && !self.is_unread() {
            self.methods.fmt(f)?;
            f.write_str(" ")?;
        }
        match self.scheme {
            Scheme::Http => f.write_str("http://")?,
            Scheme::Https if self.port == Port::HTTP => f.write_str("https://")?,
            Scheme::Https => {}
        }
        self.host.fmt(f)?;
        f.write_str(":")?;
        self.port.fmt(f)?;
        if !matches!(self.paths.as_slice(), [only] if only.is_everything()) {
            Joined(self.paths.iter()).fmt(f)?;
        }
        if !self.protocols.are_http_only() {
            write!(f, " protocols={}", Joined(self.protocols.iter()))?;
        }
        if self.query != QueryRule::Allow {
            write!(f, " query={}", self.query.name())?;
        }
        let Budget { up, down, requests, rate } = self.budget;
        write_key(f, "credential", self.credential.as_ref())?;
        write_key(f, "up", up)?;
        write_key(f, "down", down)?;
        write_key(f, "requests", requests)?;
        write_key(f, "rate", rate)?;
        write_key(f, "model", self.model.as_ref())?;
        let addresses = (!self.addresses.is_empty()).then(|| Joined(self.addresses.iter()));
        write_key(f, "address", addresses)
    }
}

fn write_key(f: &mut fmt::Formatter<'_>, key: &str, value: Option<impl fmt::Display>) -> fmt::Result {
    value.map_or(Ok(()), |value| write!(f, " {key}={value}"))
}

/// What an iterator yields, with commas between.
struct Joined<I>(I);

impl<I: Iterator<Item: fmt::Display> + Clone> fmt::Display for Joined<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, item) in self.0.clone().enumerate() {
            f.write_str(if at == 0 { "" } else { "," })?;
            item.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::These(methods) => Joined(methods.iter()).fmt(f),
            Self::Any => f.write_str("*"),
        }
    }
}

/// How a grant is written down: so what is read back has been through the same checks.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    allow: String,
    origin: GrantOrigin,
}

impl TryFrom<Record> for Grant {
    type Error = AllowError;

    fn try_from(record: Record) -> Result<Self, AllowError> {
        Self::from_line(&record.allow, record.origin)
    }
}

impl From<Grant> for Record {
    fn from(grant: Grant) -> Self {
        Self { allow: grant.line(), origin: grant.origin }
    }
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests;
