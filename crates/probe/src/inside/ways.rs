//! The ways by which a program inside may come to the planted origin: straight, by its name, by the environment's proxies.
//!
//! Names are looked up by hand, within a quarter of a second: a static program has no resolver. It says nothing of what is
//! sent over a way, and keeps to the one origin that was planted.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use crate::inside::{encoding, proc};

/// A way, and what it asks of whoever takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) to: SocketAddr,
    pub(crate) manner: Manner,
    /// What a proxy wants to hear of who asks: the value of `Proxy-Authorization`.
    pub(crate) authorization: Option<String>,
}

/// How a connection gets to the origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// By its address; nobody in between is spoken to.
    Straight,
    /// By the address that its name has here.
    Named,
    /// By an HTTP proxy.
    Proxy,
    /// By a SOCKS5 proxy.
    Socks,
}

impl Manner {
    /// It, in a few words.
    pub(crate) const fn told(self) -> &'static str {
        match self {
            Self::Straight => "straight",
            Self::Named => "by its name",
            Self::Proxy => "by the HTTP proxy",
            Self::Socks => "by the SOCKS proxy",
        }
    }
}

/// The variables that name a proxy, the most common first.
const PROXY_VARIABLES: [&str; 6] =
    ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "https_proxy", "HTTPS_PROXY"];
/// Where SOCKS5 is spoken if a host speaks it.
const SOCKS_PORT: u16 = 1080;
/// How long a resolver is waited for.
const RESOLVER_WAIT: Duration = Duration::from_millis(250);
const RESOLVER_PORT: u16 = 53;
/// As much as a resolver's answer over UDP may have here.
const RESOLVER_BYTES_MAX: usize = 1500;

/// Straight to the origin on the host's loopback.
pub(crate) fn straight(port: u16) -> Way {
    Way {
        to: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port),
        manner: Manner::Straight,
        authorization: None,
    }
}

/// By the address that `name` has here, if it has one.
pub(crate) fn named(name: &str, port: u16) -> Option<Way> {
    let to = SocketAddr::new(address_of(name)?, port);
    Some(Way { to, manner: Manner::Named, authorization: None })
}

/// By the HTTP proxy that the environment names.
pub(crate) fn proxy() -> Option<Way> {
    proxies().find(|way| way.manner == Manner::Proxy)
}

/// By the SOCKS5 proxy that the environment names, else by one beside the HTTP proxy.
pub(crate) fn socks() -> Option<Way> {
    let beside = |way: Way| Way {
        to: SocketAddr::new(way.to.ip(), SOCKS_PORT),
        manner: Manner::Socks,
        authorization: None,
    };
    proxies().find(|way| way.manner == Manner::Socks).or_else(|| proxy().map(beside))
}

fn proxies() -> impl Iterator<Item = Way> {
    PROXY_VARIABLES.iter().filter_map(std::env::var_os).filter_map(|value| parse(&value))
}

/// `[SCHEME://][USER:PASSWORD@]HOST:PORT[/]`. One that wants TLS for itself is no way here.
fn parse(value: &OsString) -> Option<Way> {
    let value = value.to_str()?;
    let (scheme, rest) = value.split_once("://").unwrap_or(("http", value));
    let manner = match scheme {
        "http" => Manner::Proxy,
        "socks5" | "socks5h" | "socks" => Manner::Socks,
        _ => return None,
    };
    let rest = rest.split('/').next()?;
    let (user, place) = rest.rsplit_once('@').map_or((None, rest), |(user, place)| (Some(user), place));
    let (host, port) = place.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let to = SocketAddr::new(address_of(host)?, port.parse().ok()?);
    let authorization = user.map(|user| format!("Basic {}", encoding::base64(user.as_bytes())));
    Some(Way { to, manner, authorization })
}

/// The address of `host`: a literal, what `/etc/hosts` says, or what the first resolver says.
fn address_of(host: &str) -> Option<IpAddr> {
    if let Ok(address) = host.parse() {
        return Some(address);
    }
    let hosts = proc::read_text("/etc/hosts").unwrap_or_default();
    let listed = hosts.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let address = words.next()?.parse().ok()?;
        words.any(|word| word.eq_ignore_ascii_case(host)).then_some(address)
    });
    listed.or_else(|| ask_resolver(host))
}

fn ask_resolver(host: &str) -> Option<IpAddr> {
    let configuration = proc::read_text("/etc/resolv.conf").unwrap_or_default();
    let resolver = configuration.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next()? == "nameserver").then(|| words.next()?.parse::<IpAddr>().ok())?
    })?;
    let local = if resolver.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(local).ok()?;
    socket.set_read_timeout(Some(RESOLVER_WAIT)).ok()?;
    socket.connect((resolver, RESOLVER_PORT)).ok()?;
    socket.send(&encoding::dns_query(host)).ok()?;
    let mut answer = [0; RESOLVER_BYTES_MAX];
    let length = socket.recv(&mut answer).ok()?;
    encoding::dns_address(answer.get(..length)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<Way> {
        parse(&OsString::from(text))
    }

    #[test]
    fn proxies_of_the_usual_spellings_are_ways() {
        let way = parsed("http://198.18.0.1:3128").unwrap();
        assert_eq!((way.to, way.manner), ("198.18.0.1:3128".parse().unwrap(), Manner::Proxy));
        let way = parsed("socks5h://u:p@[::1]:1080/").unwrap();
        assert_eq!((way.to, way.manner), ("[::1]:1080".parse().unwrap(), Manner::Socks));
        assert_eq!(way.authorization.as_deref(), Some("Basic dTpw"));
        assert_eq!(parsed("127.0.0.1:8080").unwrap().manner, Manner::Proxy);
    }

    #[test]
    fn what_is_no_proxy_is_no_way() {
        for text in ["", "https://127.0.0.1:1", "http://127.0.0.1", "http://127.0.0.1:x"] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }
}
