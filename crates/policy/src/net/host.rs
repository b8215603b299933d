//! Names and addresses of hosts, parsed once, and the patterns that match them.
//!
//! There is one spelling of each host: names in small ASCII letters without the root's dot, addresses as the standard
//! library prints them. What some other parser might read as another host is refused rather than mended: numbers that
//! stand for addresses, percent signs, user names, zones, IPv4 in IPv6. Only two spellings are taken for another:
//! capital letters, and one dot at the end of a name (`a.` is `a`). Nothing is resolved here, and names beyond ASCII
//! are not turned into Punycode: whoever writes them must.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU16;
use std::str::FromStr;

/// The longest name, in bytes, without a dot at its end (RFC 1035, 2.3.4, less the length bytes).
pub const NAME_BYTES_MAX: usize = 253;

/// The longest part of a name between dots, in bytes (RFC 1035, 2.3.4).
pub const LABEL_BYTES_MAX: usize = 63;

/// The longest IPv6 address as text, in bytes.
const ADDRESS_BYTES_MAX: usize = 45;

/// Why a text names no host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// There is nothing.
    #[error("the host is empty")]
    Empty,
    /// Longer than [`NAME_BYTES_MAX`].
    #[error("the host's name is longer than {NAME_BYTES_MAX} bytes")]
    TooLong,
    /// Characters beyond ASCII.
    #[error("the host's name has characters beyond ASCII: write it in Punycode (xn--…)")]
    NotAscii,
    /// A byte that stands in no name.
    #[error("a host's name can't hold `{}`", char::from(*.0).escape_default())]
    Byte(u8),
    /// Two dots in a row, or one at the beginning.
    #[error("the host's name has an empty part")]
    EmptyLabel,
    /// Longer than [`LABEL_BYTES_MAX`].
    #[error("a part of the host's name is longer than {LABEL_BYTES_MAX} bytes")]
    LabelTooLong,
    /// `-a.x` or `a-.x`.
    #[error("a part of the host's name begins or ends with `-`")]
    HyphenAtEdge,
    /// The last part is a number, so that some would read an address, and the whole is not `a.b.c.d`.
    #[error("the host looks like a number: write an address as four decimal numbers without leading zeros")]
    LooksNumeric,
    /// What is in brackets is no IPv6 address.
    #[error("the host is no IPv6 address in brackets")]
    NotAnAddress,
    /// An IPv4 address in IPv6 spelling.
    #[error("the host is an IPv4 address in IPv6 spelling: write the IPv4 address")]
    MappedAddress,
    /// A port is missing or not one.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// A `*` elsewhere than at the beginning as a part of its own.
    #[error("`*.` and `**.` stand only at the beginning of a host pattern")]
    Wildcard,
}

/// The name of a host: small ASCII letters, digits, `-` and `_`, without a dot at the end, and not to be mistaken for
/// an address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DnsName(String);

impl DnsName {
    /// Reads a name; capital letters and one dot at the end are taken away.
    ///
    /// # Errors
    /// [`HostError`] for whatever is no name, addresses included.
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Self, HostError> {
        let text = text.as_ref();
        if text.is_empty() {
            return Err(HostError::Empty);
        }
        let text = text.strip_suffix(b".").unwrap_or(text);
        if text.len() > NAME_BYTES_MAX {
            return Err(HostError::TooLong);
        }
        text.split(|byte| *byte == b'.').try_for_each(check_label)?;
        let name = text.iter().map(|byte| char::from(byte.to_ascii_lowercase())).collect::<String>();
        if ends_in_number(&name) { Err(HostError::LooksNumeric) } else { Ok(Self(name)) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How many parts it has.
    #[must_use]
    pub fn label_count(&self) -> usize {
        self.0.split('.').count()
    }

    /// The name without its first part; `None` for a name of one part.
    #[must_use]
    pub fn parent(&self) -> Option<&str> {
        self.0.split_once('.').map(|(_, rest)| rest)
    }
}

fn check_label(label: &[u8]) -> Result<(), HostError> {
    let wrong = label.iter().find(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'-' | b'_'));
    match wrong {
        Some(byte) if byte.is_ascii() => return Err(HostError::Byte(*byte)),
        Some(_) => return Err(HostError::NotAscii),
        None => {}
    }
    match label {
        [] => Err(HostError::EmptyLabel),
        [b'-', ..] | [.., b'-'] => Err(HostError::HyphenAtEdge),
        long if long.len() > LABEL_BYTES_MAX => Err(HostError::LabelTooLong),
        _ => Ok(()),
    }
}

/// Whether the last part is one that others read as a number (the URL standard's "ends in a number", and `0x`).
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    match last.strip_prefix("0x") {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => last.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// A host: a name or an address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Host {
    /// By name.
    Name(DnsName),
    /// By address. Made of text it is never IPv4 in IPv6 spelling; see [`Host::from`].
    Address(IpAddr),
}

impl Host {
    /// Reads a host as it stands in a URL: a name, `a.b.c.d`, or an IPv6 address in brackets.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Self, HostError> {
        let text = text.as_ref();
        if let Some(rest) = text.strip_prefix(b"[") {
            let inner = rest.strip_suffix(b"]").ok_or(HostError::NotAnAddress)?;
            return parse_v6(inner).map(|address| Self::Address(address.into()));
        }
        if let Some(address) = parse_v4(text) {
            return Ok(Self::Address(address.into()));
        }
        // `1.2.3.4.` is refused as a number: some read an address, some a name.
        DnsName::parse(text).map(Self::Name)
    }

    /// The name, if it is one.
    #[must_use]
    pub fn name(&self) -> Option<&DnsName> {
        match self {
            Self::Name(name) => Some(name),
            Self::Address(_) => None,
        }
    }
}

fn parse_v4(text: &[u8]) -> Option<Ipv4Addr> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn parse_v6(text: &[u8]) -> Result<Ipv6Addr, HostError> {
    if text.len() > ADDRESS_BYTES_MAX {
        return Err(HostError::NotAnAddress);
    }
    let text = std::str::from_utf8(text).ok().ok_or(HostError::NotAnAddress)?;
    let address: Ipv6Addr = text.parse().ok().ok_or(HostError::NotAnAddress)?;
    match address.to_ipv4_mapped() {
        Some(_) => Err(HostError::MappedAddress),
        None => Ok(address),
    }
}

/// A mapped address, as sockets that take both families report IPv4 peers, becomes the IPv4 address.
impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        Self::Address(address.to_canonical())
    }
}

/// A port, which is never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Port(NonZeroU16);

impl Port {
    /// 443.
    pub const HTTPS: Self = Self(NonZeroU16::new(443).unwrap());
    /// 80.
    pub const HTTP: Self = Self(NonZeroU16::new(80).unwrap());

    /// The port of this number, unless it is 0.
    #[must_use]
    pub fn new(number: u16) -> Option<Self> {
        NonZeroU16::new(number).map(Self)
    }

    /// Its number.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0.get()
    }
}

impl FromStr for Port {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        let plain = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
        let port = plain.then(|| text.parse().ok()).flatten();
        port.map(Self).ok_or(HostError::Port)
    }
}

/// Where a connection goes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// To whom.
    pub host: Host,
    /// At which port.
    pub port: Port,
}

impl Destination {
    /// Reads `host` or `host:port`, as `Host`, `:authority` and CONNECT carry it. A user name is refused.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn parse(text: impl AsRef<[u8]>, default: Port) -> Result<Self, HostError> {
        let text = text.as_ref();
        let from = if text.starts_with(b"[") { text.iter().position(|byte| *byte == b']') } else { Some(0) };
        let from = from.ok_or(HostError::NotAnAddress)?;
        let colon = text.iter().skip(from).position(|byte| *byte == b':').map(|at| at + from);
        let Some((host, port)) = colon.and_then(|at| Some((text.get(..at)?, text.get(at + 1..)?))) else {
            return Ok(Self { host: Host::parse(text)?, port: default });
        };
        let port = std::str::from_utf8(port).ok().ok_or(HostError::Port)?;
        Ok(Self { host: Host::parse(host)?, port: port.parse()? })
    }
}

/// Which hosts are meant. The name that a wildcard stands on is itself never meant.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum HostPattern {
    /// This one.
    Exactly(Host),
    /// `*.x`: names with exactly one part before `x`.
    OneLabelBelow(DnsName),
    /// `**.x`: names with one part or more before `x`.
    Below(DnsName),
}

impl HostPattern {
    /// Whether `host` is meant. An address is meant only by itself.
    #[must_use]
    pub fn matches(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Exactly(own), host) => own == host,
            (Self::OneLabelBelow(suffix), Host::Name(name)) => name.parent() == Some(suffix.as_str()),
            (Self::Below(suffix), Host::Name(name)) => {
                let before = name.as_str().strip_suffix(suffix.as_str());
                before.is_some_and(|before| before.ends_with('.'))
            }
            (Self::OneLabelBelow(_) | Self::Below(_), Host::Address(_)) => false,
        }
    }

    /// Whether it means all of a top-level name: too much for a grant, well enough for a denial.
    #[must_use]
    pub fn is_of_top_level(&self) -> bool {
        match self {
            Self::Exactly(_) => false,
            Self::OneLabelBelow(suffix) | Self::Below(suffix) => suffix.label_count() < 2,
        }
    }
}

impl FromStr for HostPattern {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        let (make, rest): (fn(DnsName) -> Self, _) = if let Some(rest) = text.strip_prefix("**.") {
            (Self::Below, rest)
        } else if let Some(rest) = text.strip_prefix("*.") {
            (Self::OneLabelBelow, rest)
        } else if text.contains('*') {
            return Err(HostError::Wildcard);
        } else {
            return Host::parse(text).map(Self::Exactly);
        };
        if rest.contains('*') {
            return Err(HostError::Wildcard);
        }
        DnsName::parse(rest).map(make)
    }
}

impl FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        Self::parse(text)
    }
}

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(host) => host.fmt(f),
            Self::OneLabelBelow(suffix) => write!(f, "*.{suffix}"),
            Self::Below(suffix) => write!(f, "**.{suffix}"),
        }
    }
}

impl fmt::Debug for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for DnsName {
    type Error = HostError;

    fn try_from(text: String) -> Result<Self, HostError> {
        Self::parse(text)
    }
}

impl From<DnsName> for String {
    fn from(name: DnsName) -> Self {
        name.0
    }
}

impl TryFrom<String> for Host {
    type Error = HostError;

    fn try_from(text: String) -> Result<Self, HostError> {
        Self::parse(text)
    }
}

impl From<Host> for String {
    fn from(host: Host) -> Self {
        host.to_string()
    }
}

impl TryFrom<String> for HostPattern {
    type Error = HostError;

    fn try_from(text: String) -> Result<Self, HostError> {
        text.parse()
    }
}

impl From<HostPattern> for String {
    fn from(pattern: HostPattern) -> Self {
        pattern.to_string()
    }
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests;
