//! The sockets that catch connections and questions about names. Opened by pid 1 alone: the agent has no power to bind
//! a port below 1024 in this namespace.

use cofferdam_policy::net::addresses::{HTTP_PROXY_PORT, SOCKS_PROXY_PORT};
use cofferdam_policy::plan::Capture;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with, sockopt};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Where redirected connections arrive.
pub(super) const RELAY_PORT: u16 = 1;
/// Where questions about names arrive.
pub(super) const RESOLVER_PORT: u16 = 53;
/// Connections that wait to be accepted.
const BACKLOG_CONNECTIONS_MAX: i32 = 1_024;

/// Open sockets, none of which blocks.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) connections: Vec<Listener>,
    pub(crate) questions: Vec<OwnedFd>,
    /// Whether the kernel has IPv6.
    pub(super) v6: bool,
}

/// One that accepts connections.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) socket: OwnedFd,
    pub(crate) way: Way,
}

/// How a connection came to a listener, which tells where it was to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The kernel redirected it, and remembers where it was to go.
    RedirectedV4,
    /// The same, over IPv6.
    RedirectedV6,
    /// It is where it was to go.
    Direct,
}

impl Listeners {
    pub(super) fn open(capture: &Capture) -> Result<Self, Errno> {
        let (local_v4, local_v6) = (IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST));
        let mut questions = vec![open(SocketType::DGRAM, local_v4, RESOLVER_PORT)?];
        let v6 = match open(SocketType::DGRAM, local_v6, RESOLVER_PORT) {
            Ok(socket) => {
                questions.push(socket);
                true
            }
            // Not compiled in, or switched off.
            Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL) => false,
            Err(errno) => return Err(errno),
        };
        let mut connections = Vec::new();
        let mut add = |address: IpAddr, port: u16, way: Way| {
            let socket = open(SocketType::STREAM, address, port)?;
            listen(&socket, BACKLOG_CONNECTIONS_MAX)?;
            connections.push(Listener { socket, way });
            Ok::<_, Errno>(())
        };
        match capture {
            Capture::Redirect => {
                add(local_v4, RELAY_PORT, Way::RedirectedV4)?;
                if v6 {
                    add(local_v6, RELAY_PORT, Way::RedirectedV6)?;
                }
            }
            Capture::AnyIp { ports } => {
                let own = [HTTP_PROXY_PORT, SOCKS_PROXY_PORT];
                let granted = ports.iter().copied().filter(|port| !own.contains(port));
                for port in granted.chain(own) {
                    add(Ipv4Addr::UNSPECIFIED.into(), port, Way::Direct)?;
                    if v6 {
                        add(Ipv6Addr::UNSPECIFIED.into(), port, Way::Direct)?;
                    }
                }
            }
        }
        Ok(Self { connections, questions, v6 })
    }
}

fn open(kind: SocketType, address: IpAddr, port: u16) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    bind(&socket, &SocketAddr::new(address, port))?;
    Ok(socket)
}
