//! SOCKS5 (RFC 1928), as little of it as a way out needs: no authentication, `CONNECT`, names and addresses.
//!
//! It reads and writes bytes only. SOCKS4 and 4a are not spoken, nor `BIND` and `UDP ASSOCIATE`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use thiserror::Error;

/// The longest message of a client: a request with the longest name.
#[cfg(test)]
const MESSAGE_BYTES_MAX: usize = 5 + 255 + 2;

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const CONNECT: u8 = 1;
const ADDRESS_V4: u8 = 1;
const NAME: u8 = 3;
const ADDRESS_V6: u8 = 4;

/// What a client without authentication is told.
pub(crate) const GREETED: [u8; 2] = [VERSION, NO_AUTHENTICATION];

/// What a client is told that offers no way without authentication.
pub(crate) const NOT_GREETED: [u8; 2] = [VERSION, 0xFF];

/// The answer to a request, by RFC 1928, 6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The way is open: what follows is the client's own.
    Succeeded,
    /// The request can't be understood.
    Failed,
    /// Another command than `CONNECT`.
    CommandNotSupported,
    /// An address of an unknown kind.
    AddressNotSupported,
}

impl Reply {
    /// On the wire; the bound address is none of the client's business, and zero.
    pub(crate) fn bytes(self) -> [u8; 10] {
        let code = match self {
            Self::Succeeded => 0,
            Self::Failed => 1,
            Self::CommandNotSupported => 7,
            Self::AddressNotSupported => 8,
        };
        [VERSION, code, 0, ADDRESS_V4, 0, 0, 0, 0, 0, 0]
    }
}

/// Where a client wants to go, as it said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A host by name: bytes, not yet a name.
    Name(Vec<u8>, u16),
    /// A host by address.
    Address(IpAddr, u16),
}

/// Why a client is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum SocksError {
    /// SOCKS4, or no SOCKS at all.
    #[error("cannot speak another version of SOCKS than 5")]
    Version,
    /// It insists on a user name, or on something else.
    #[error("cannot authenticate a SOCKS client")]
    Methods,
    /// `BIND` or `UDP ASSOCIATE`.
    #[error("cannot do another SOCKS command than CONNECT")]
    Command,
    /// A kind of address that RFC 1928 does not have.
    #[error("cannot read the kind of a SOCKS address")]
    AddressKind,
    /// Anything else, and bytes ahead of our answer.
    #[error("cannot read a SOCKS message")]
    Malformed,
}

impl SocksError {
    /// What the client is told, if it has got so far as to be told something.
    pub(crate) fn reply(self) -> Reply {
        match self {
            Self::Command => Reply::CommandNotSupported,
            Self::AddressKind => Reply::AddressNotSupported,
            Self::Version | Self::Methods | Self::Malformed => Reply::Failed,
        }
    }
}

/// The length of the greeting at the beginning of `bytes`; `None` while more has to come.
pub(crate) fn greeting(bytes: &[u8]) -> Result<Option<usize>, SocksError> {
    match *bytes {
        [] => Ok(None),
        [VERSION] => Ok(None),
        [VERSION, count, ref methods @ ..] => {
            let count = usize::from(count);
            match methods.get(..count) {
                None => Ok(None),
                Some(offered) if offered.contains(&NO_AUTHENTICATION) => Ok(Some(2 + count)),
                Some(_) => Err(SocksError::Methods),
            }
        }
        [..] => Err(SocksError::Version),
    }
}

/// The request at the beginning of `bytes` and its length; `None` while more has to come.
pub(crate) fn request(bytes: &[u8]) -> Result<Option<(Target, usize)>, SocksError> {
    let Some((&[version, command, reserved, kind], rest)) = bytes.split_first_chunk() else {
        return if matches!(bytes.first(), Some(&VERSION) | None) {
            Ok(None)
        } else {
            Err(SocksError::Version)
        };
    };
    match (version, command, reserved) {
        (VERSION, CONNECT, 0) => {}
        (VERSION, _, 0) => return Err(SocksError::Command),
        (VERSION, ..) => return Err(SocksError::Malformed),
        (..) => return Err(SocksError::Version),
    }
    match kind {
        ADDRESS_V4 => Ok(fixed(rest, |bytes: [u8; 4]| IpAddr::from(Ipv4Addr::from(bytes)))),
        ADDRESS_V6 => Ok(fixed(rest, |bytes: [u8; 16]| IpAddr::from(Ipv6Addr::from(bytes)))),
        NAME => name(rest),
        _ => Err(SocksError::AddressKind),
    }
}

const HEAD_BYTES: usize = 4;
const PORT_BYTES: usize = 2;

fn fixed<const N: usize>(rest: &[u8], address: fn([u8; N]) -> IpAddr) -> Option<(Target, usize)> {
    let (&bytes, rest) = rest.split_first_chunk::<N>()?;
    let (&port, _) = rest.split_first_chunk()?;
    Some((Target::Address(address(bytes), u16::from_be_bytes(port)), HEAD_BYTES + N + PORT_BYTES))
}

fn name(rest: &[u8]) -> Result<Option<(Target, usize)>, SocksError> {
    let Some((&length, rest)) = rest.split_first() else { return Ok(None) };
    let length = usize::from(length);
    if length == 0 {
        return Err(SocksError::Malformed);
    }
    let Some((name, rest)) = rest.split_at_checked(length) else { return Ok(None) };
    let Some((&port, _)) = rest.split_first_chunk() else { return Ok(None) };
    let target = Target::Name(name.to_vec(), u16::from_be_bytes(port));
    Ok(Some((target, HEAD_BYTES + 1 + length + PORT_BYTES)))
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
