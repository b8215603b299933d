//! One permission to reach a place outside: host, port, methods, paths, credential and budget together.
//!
//! A grant that carries rules which its protocol can't keep is none: what is passed through unread has no methods, no
//! paths and no credential. How grants are spelled is `allow`'s matter, and what follows from them `verdict`'s.

use crate::net::budget::Budget;
use crate::net::credential::{CredentialName, is_token};
use crate::net::host::{Host, HostPattern, Port};
use crate::net::model::ModelRule;
use crate::net::path::PathPattern;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The most methods, path patterns or addresses of one grant.
pub const GRANT_ENTRIES_MAX: usize = 64;

/// The longest name of a method, in bytes.
const METHOD_BYTES_MAX: usize = 32;

/// Why a grant can't be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// `*.com`
    #[error("`{0}` means everything below a top-level name: name at least two parts, as in *.example.com")]
    HostTooBroad(HostPattern),
    /// Not a method that can be granted.
    #[error("`{0}` is no method that can be granted: write it in capitals; CONNECT and TRACE never can be")]
    Method(String),
    /// An empty list where it would mean nothing.
    #[error("`{0}` is empty, so that nothing would be granted: leave it out, or name something")]
    Nothing(&'static str),
    /// Longer than [`GRANT_ENTRIES_MAX`].
    #[error("`{0}` has more than {GRANT_ENTRIES_MAX} entries")]
    TooMany(&'static str),
    /// Not a protocol.
    #[error("`{0}` is no protocol: write http, websocket, tls-passthrough or tcp")]
    Protocol(String),
    /// Passed through unread and read at once.
    #[error("`{0}` is passed on unread and can't stand beside other protocols: write a grant for each")]
    MixedProtocols(Protocol),
    /// A rule that needs reading where nothing is read.
    #[error("a grant of `{protocol}` can't have `{key}`: what is passed on unread can't be held to it")]
    Unread {
        /// The protocol.
        protocol: Protocol,
        /// The rule.
        key: &'static str,
    },
    /// A credential in clear text, to wherever a name leads.
    #[error(
        "a grant of `http://` can't have a credential, which would travel in clear text, unless an address is named"
    )]
    ClearTextCredential,
    /// Not a query rule.
    #[error("`{0}` is no rule for queries: write allow or deny")]
    Query(String),
    /// Not a body that is understood.
    #[error(
        "`{0}` is no model interface: write anthropic, openai or gemini, as in openai/api/v1+tools:web_search"
    )]
    Model(String),
}

/// One permission. Made by [`Grant::to`] and the fields, or read from text; [`Grant::checked`] says whether it holds
/// together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "crate::net::allow::Record", into = "crate::net::allow::Record")]
#[non_exhaustive]
pub struct Grant {
    /// To whom.
    pub host: HostPattern,
    /// At which port.
    pub port: Port,
    /// By which methods; none where nothing is read.
    pub methods: Methods,
    /// At which paths; none where nothing is read.
    pub paths: Vec<PathPattern>,
    /// Whether requests may have a query.
    pub query: QueryRule,
    /// With which credential, and no other.
    pub credential: Option<CredentialName>,
    /// How much.
    pub budget: Budget,
    /// What may be spoken.
    pub protocols: Protocols,
    /// Where to connect to in place of what the resolver says, also if it is private.
    pub addresses: Vec<IpAddr>,
    /// Whether the gateway speaks TLS to the origin.
    pub scheme: Scheme,
    /// What bodies are understood as.
    pub model: Option<ModelRule>,
    /// Who it comes from.
    pub origin: GrantOrigin,
}

impl Grant {
    /// What a host alone means: GET and HEAD of all paths by HTTP.
    #[must_use]
    pub fn to(host: HostPattern, port: Port, origin: GrantOrigin) -> Self {
        Self {
            host,
            port,
            methods: Methods::reading(),
            paths: vec![PathPattern::everything()],
            query: QueryRule::Allow,
            credential: None,
            budget: Budget::UNBOUNDED,
            protocols: Protocols::http(),
            addresses: Vec::new(),
            scheme: Scheme::usual_at(port),
            model: None,
            origin,
        }
    }

    /// This grant, if its parts hold together.
    ///
    /// # Errors
    /// [`GrantError`] for the first that doesn't.
    pub fn checked(self) -> Result<Self, GrantError> {
        if self.host.is_of_top_level() {
            return Err(GrantError::HostTooBroad(self.host));
        }
        let lists = [("paths", self.paths.len()), ("addresses", self.addresses.len())];
        if let Some((name, _)) = lists.into_iter().find(|&(_, length)| length > GRANT_ENTRIES_MAX) {
            return Err(GrantError::TooMany(name));
        }
        match self.protocols.unread() {
            Some(protocol) => self.check_unread(protocol)?,
            None => self.check_read()?,
        }
        Ok(self)
    }

    fn check_unread(&self, protocol: Protocol) -> Result<(), GrantError> {
        let rules = [
            ("methods", self.methods != Methods::none()),
            ("paths", !self.paths.is_empty()),
            ("query", self.query != QueryRule::Allow),
            ("credential", self.credential.is_some()),
            ("model", self.model.is_some()),
            ("http://", self.scheme != Scheme::usual_at(self.port)),
        ];
        match rules.into_iter().find(|&(_, is_there)| is_there) {
            Some((key, _)) => Err(GrantError::Unread { protocol, key }),
            None => Ok(()),
        }
    }

    fn check_read(&self) -> Result<(), GrantError> {
        if self.paths.is_empty() {
            return Err(GrantError::Nothing("paths"));
        }
        if self.methods == Methods::none() {
            return Err(GrantError::Nothing("methods"));
        }
        if self.model.is_some() && self.protocols.permit(Protocol::Websocket) {
            return Err(GrantError::Unread { protocol: Protocol::Websocket, key: "model" });
        }
        let is_at_known_address =
            !self.addresses.is_empty() || matches!(self.host, HostPattern::Exactly(Host::Address(_)));
        if self.scheme == Scheme::Http && self.credential.is_some() && !is_at_known_address {
            return Err(GrantError::ClearTextCredential);
        }
        Ok(())
    }

    /// Whether nothing of what passes is read, so that no path, method or credential can be held to.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        self.protocols.unread().is_some()
    }
}

/// A method as it stands in a request, in capitals.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Method(String);

impl Method {
    /// The method.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether no grant permits it: CONNECT makes a tunnel past all rules, TRACE gives back what the agent must not
    /// see.
    #[must_use]
    pub fn is_never_granted(method: &str) -> bool {
        method.eq_ignore_ascii_case("CONNECT") || method.eq_ignore_ascii_case("TRACE")
    }
}

impl FromStr for Method {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Self, GrantError> {
        let is_capital = |byte: u8| byte.is_ascii_uppercase() || matches!(byte, b'-' | b'_');
        let fits = (1..=METHOD_BYTES_MAX).contains(&text.len())
            && text.bytes().all(is_capital)
            && is_token(text)
            && !Self::is_never_granted(text);
        if fits { Ok(Self(text.to_owned())) } else { Err(GrantError::Method(text.to_owned())) }
    }
}

/// Which methods.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Methods {
    /// These.
    These(BTreeSet<Method>),
    /// All but those that are never granted; spelled `*`.
    Any,
}

impl Methods {
    /// GET and HEAD: what holds when nothing is said.
    #[must_use]
    pub fn reading() -> Self {
        Self::These(["GET", "HEAD"].map(|name| Method(name.to_owned())).into())
    }

    /// Whether they are those of [`Methods::reading`].
    #[must_use]
    pub fn are_reading(&self) -> bool {
        match self {
            Self::These(methods) => methods.iter().map(Method::as_str).eq(["GET", "HEAD"]),
            Self::Any => false,
        }
    }

    /// None, for what is passed on unread.
    #[must_use]
    pub fn none() -> Self {
        Self::These(BTreeSet::new())
    }

    /// Reads a list, or `*` alone.
    ///
    /// # Errors
    /// [`GrantError`]: no method, none at all, or too many.
    pub fn parse<'m>(names: impl IntoIterator<Item = &'m str>) -> Result<Self, GrantError> {
        let names: Vec<&str> = names.into_iter().collect();
        match names.as_slice() {
            [] => Err(GrantError::Nothing("methods")),
            ["*"] => Ok(Self::Any),
            names if names.len() > GRANT_ENTRIES_MAX => Err(GrantError::TooMany("methods")),
            names => Ok(Self::These(names.iter().map(|name| name.parse()).collect::<Result<_, _>>()?)),
        }
    }

    /// Whether a request's method is among them. Methods are told apart by case.
    #[must_use]
    pub fn permit(&self, method: &str) -> bool {
        match self {
            Self::These(methods) => methods.iter().any(|own| own.0 == method),
            Self::Any => is_token(method) && !Method::is_never_granted(method),
        }
    }
}

/// What may be spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// HTTP/1.1 and HTTP/2, read and written anew.
    Http,
    /// A WebSocket, after a request that is judged.
    Websocket,
    /// TLS to the granted name, not opened: weaker.
    TlsPassthrough,
    /// Bytes: weaker.
    Tcp,
}

impl Protocol {
    /// As policy writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Websocket => "websocket",
            Self::TlsPassthrough => "tls-passthrough",
            Self::Tcp => "tcp",
        }
    }

    /// Whether it is passed on without being read.
    #[must_use]
    pub fn is_unread(self) -> bool {
        match self {
            Self::Http | Self::Websocket => false,
            Self::TlsPassthrough | Self::Tcp => true,
        }
    }
}

impl FromStr for Protocol {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Self, GrantError> {
        let all = [Self::Http, Self::Websocket, Self::TlsPassthrough, Self::Tcp];
        let named = all.into_iter().find(|protocol| protocol.name() == text);
        named.ok_or_else(|| GrantError::Protocol(text.to_owned()))
    }
}

/// One or more protocols: those that are read, or a single one that isn't.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Protocols(BTreeSet<Protocol>);

impl Protocols {
    /// HTTP alone: what holds when nothing is said.
    #[must_use]
    pub fn http() -> Self {
        Self(BTreeSet::from([Protocol::Http]))
    }

    /// Whether they are those of [`Protocols::http`].
    #[must_use]
    pub fn are_http_only(&self) -> bool {
        self.iter().eq([Protocol::Http])
    }

    /// These.
    ///
    /// # Errors
    /// [`GrantError`] if there are none, or one that is passed on unread is not alone.
    pub fn new(protocols: impl IntoIterator<Item = Protocol>) -> Result<Self, GrantError> {
        let protocols: BTreeSet<Protocol> = protocols.into_iter().collect();
        let unread = protocols.iter().find(|protocol| protocol.is_unread());
        match unread {
            Some(unread) if protocols.len() > 1 => Err(GrantError::MixedProtocols(*unread)),
            _ if protocols.is_empty() => Err(GrantError::Nothing("protocols")),
            Some(_) | None => Ok(Self(protocols)),
        }
    }

    /// Whether `protocol` is among them.
    #[must_use]
    pub fn permit(&self, protocol: Protocol) -> bool {
        self.0.contains(&protocol)
    }

    /// The one that is passed on unread, if that is what it is.
    #[must_use]
    pub fn unread(&self) -> Option<Protocol> {
        self.0.iter().copied().find(|protocol| protocol.is_unread())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Protocol> + Clone {
        self.0.iter().copied()
    }
}

/// Whether requests may have a query.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueryRule {
    /// Any.
    #[default]
    Allow,
    /// None, not even an empty one.
    Deny,
}

impl QueryRule {
    /// As policy writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

impl FromStr for QueryRule {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Self, GrantError> {
        match text {
            "allow" => Ok(Self::Allow),
            "deny" => Ok(Self::Deny),
            other => Err(GrantError::Query(other.to_owned())),
        }
    }
}

/// How the gateway speaks to an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// By TLS.
    Https,
    /// In clear text.
    Http,
}

impl Scheme {
    /// What is meant at a port when nothing is said: clear text at 80, TLS elsewhere.
    #[must_use]
    pub fn usual_at(port: Port) -> Self {
        if port == Port::HTTP { Self::Http } else { Self::Https }
    }

    /// As URLs write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
        }
    }
}

/// Who a grant comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GrantOrigin {
    /// The owner's policy.
    Policy,
    /// A repository's request that the owner accepted.
    Request,
    /// The command line.
    Flag,
    /// A named set.
    Set(String),
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests;
