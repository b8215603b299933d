//! The host's own proxy, where it has no direct way out: `CONNECT` to the very address that was checked.
//!
//! The proxy is the owner's, so its own address may be a private one. It is asked for an address, never for a name:
//! a name would be resolved again, by somebody else.

use super::{Failure, Resolver};
use crate::wire::UpstreamProxy;
use cofferdam_policy::net::host::{Destination, Host, Port};
use cofferdam_policy::net::verdict::CheckedAddresses;
use std::net::{IpAddr, SocketAddr};
use thiserror::Error;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const ANSWER_BYTES_MAX: usize = 8 << 10;

/// Why the proxy is of no use.
#[derive(Debug, Error)]
pub(crate) enum UpstreamError {
    /// Not `http://[USER:PASSWORD@]HOST:PORT`.
    #[error("cannot read the proxy's address: it is written http://[USER:PASSWORD@]HOST:PORT")]
    Address,
    /// Not 200.
    #[error("the proxy answers `{0}`")]
    Status(String),
    /// Not HTTP.
    #[error("cannot read the proxy's answer")]
    Malformed,
    /// It is gone.
    #[error("cannot speak to the proxy")]
    Broken(#[from] std::io::Error),
}

/// A proxy, and what is reached without it.
pub(crate) struct Upstream {
    at: Destination,
    authorization: Option<String>,
    except: Vec<Exception>,
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upstream").field("at", &self.at).finish_non_exhaustive()
    }
}

/// An entry of `NO_PROXY`, as curl reads it.
#[derive(Debug, PartialEq, Eq)]
enum Exception {
    All,
    /// The name and all below it.
    Below(String),
    Network(IpAddr, u8),
}

impl Upstream {
    pub(crate) fn read(proxy: &UpstreamProxy) -> Result<Self, UpstreamError> {
        let rest = proxy.url.strip_prefix("http://").unwrap_or(&proxy.url);
        if rest.contains("://") {
            return Err(UpstreamError::Address);
        }
        let rest = rest.split_once('/').map_or(rest, |(authority, _path)| authority);
        let (user, at) = match rest.rsplit_once('@') {
            Some((user, at)) => (Some(user), at),
            None => (None, rest),
        };
        let at = Destination::parse(at, Port::HTTP).ok().ok_or(UpstreamError::Address)?;
        let authorization = user.map(|user| format!("Basic {}", base64(&percent_decoded(user))));
        Ok(Self { at, authorization, except: proxy.except.split([',', ' ']).filter_map(exception).collect() })
    }

    /// Whether this place is reached through it.
    pub(crate) fn is_for(&self, destination: &Destination) -> bool {
        !self.except.iter().any(|exception| exception.is_of(&destination.host))
    }

    /// A tunnel to the first address that it takes.
    pub(crate) async fn connect(
        &self,
        resolver: &Resolver,
        checked: &CheckedAddresses,
    ) -> Result<TcpStream, Failure> {
        let mut failure = Failure::NoAddress;
        for address in checked.addresses() {
            match self.connect_to(resolver, *address).await {
                Ok(socket) => return Ok(socket),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    async fn connect_to(&self, resolver: &Resolver, address: SocketAddr) -> Result<TcpStream, Failure> {
        let port = self.at.port.get();
        let proxies: Vec<IpAddr> = match &self.at.host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => resolver.addresses(name).await?.to_vec(),
        };
        let proxies: Vec<SocketAddr> = proxies.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
        let mut socket = connect_any(&proxies).await?;
        let authorization = self.authorization.as_deref();
        let line = authorization.map(|value| format!("Proxy-Authorization: {value}\r\n")).unwrap_or_default();
        let request = format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n{line}\r\n");
        let opened = async {
            socket.write_all(request.as_bytes()).await?;
            answer(&mut socket).await
        };
        opened.await.map_err(Failure::Proxy)?;
        Ok(socket)
    }
}

async fn connect_any(addresses: &[SocketAddr]) -> Result<TcpStream, Failure> {
    let mut failure = Failure::NoAddress;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(socket) => return Ok(socket),
            Err(error) => failure = Failure::Connect(error),
        }
    }
    Err(failure)
}

/// Reads the answer's head byte by byte, so that nothing of what follows it is taken.
async fn answer(socket: &mut TcpStream) -> Result<(), UpstreamError> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= ANSWER_BYTES_MAX {
            return Err(UpstreamError::Malformed);
        }
        head.push(socket.read_u8().await?);
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let mut words = line.split(' ');
    match (words.next(), words.next()) {
        (Some("HTTP/1.1" | "HTTP/1.0"), Some("200")) => Ok(()),
        (Some("HTTP/1.1" | "HTTP/1.0"), Some(_)) => {
            Err(UpstreamError::Status(line.chars().filter(|letter| !letter.is_control()).take(80).collect()))
        }
        _ => Err(UpstreamError::Malformed),
    }
}

fn exception(word: &str) -> Option<Exception> {
    let word = word.trim();
    if word == "*" {
        return Some(Exception::All);
    }
    let (address, bits) = match word.split_once('/') {
        Some((address, bits)) => (address, bits.parse().ok()),
        None => (word, Some(u8::MAX)),
    };
    if let Ok(address) = address.trim_matches(['[', ']']).parse() {
        return bits.map(|bits| Exception::Network(address, bits));
    }
    let name = word.trim_start_matches(['*', '.']).to_ascii_lowercase();
    let name = name.split_once(':').map_or(name.as_str(), |(name, _port)| name);
    (!name.is_empty()).then(|| Exception::Below(name.to_owned()))
}

impl Exception {
    fn is_of(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::All, _) => true,
            (Self::Below(suffix), Host::Name(name)) => {
                let above = name.as_str().strip_suffix(suffix.as_str());
                above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
            }
            (Self::Network(IpAddr::V4(network), bits), Host::Address(IpAddr::V4(address))) => {
                let kept = 32_u32.saturating_sub(u32::from(*bits));
                u32::from(*network).checked_shr(kept) == u32::from(*address).checked_shr(kept)
            }
            (Self::Network(IpAddr::V6(network), bits), Host::Address(IpAddr::V6(address))) => {
                let kept = 128_u32.saturating_sub(u32::from(*bits));
                u128::from(*network).checked_shr(kept) == u128::from(*address).checked_shr(kept)
            }
            (Self::Below(_) | Self::Network(..), Host::Name(_) | Host::Address(_)) => false,
        }
    }
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits =
            after.get(..2).filter(|_| first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        decoded.push(byte.unwrap_or(first));
        rest = if byte.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    decoded
}

fn base64(bytes: &[u8]) -> String {
    crate::authority::base64(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream(url: &str, except: &str) -> Result<Upstream, UpstreamError> {
        Upstream::read(&UpstreamProxy { url: url.to_owned(), except: except.to_owned() })
    }

    #[test]
    fn the_proxys_address_and_password_are_read() {
        let proxy = upstream("http://me:w%40rd@proxy.test:3128/", "").unwrap();
        assert_eq!(proxy.at, Destination::parse("proxy.test:3128", Port::HTTP).unwrap());
        assert_eq!(proxy.authorization.as_deref(), Some("Basic bWU6d0ByZA=="));
        assert!(!format!("{proxy:?}").contains("bWU6"));
        assert!(upstream("socks5://proxy.test", "").is_err());
        assert!(upstream("http://", "").is_err());
    }

    #[test]
    fn exceptions_are_read_as_curl_reads_them() {
        let proxy =
            upstream("proxy.test:1", "localhost,.corp.test, 10.0.0.0/8 192.0.2.1,*.x.test,fd00::/8").unwrap();
        let is_for = |text: &str| proxy.is_for(&Destination::parse(text, Port::HTTPS).unwrap());
        for without in
            ["localhost", "corp.test", "a.corp.test", "10.9.9.9", "192.0.2.1", "a.x.test", "[fd00::1]"]
        {
            assert!(!is_for(without), "{without}");
        }
        for with in ["notcorp.test", "corp.test.b.test", "11.0.0.1", "192.0.2.2", "[fe00::1]"] {
            assert!(is_for(with), "{with}");
        }
        assert!(
            !upstream("proxy.test:1", "*")
                .unwrap()
                .is_for(&Destination::parse("a.test", Port::HTTPS).unwrap())
        );
    }
}
