//! The network: the host's loopback, addresses outside, raw and odd socket families, changes to routes and links.
//!
//! A connection counts as one to the host only if the planted listener speaks: an enclosure may answer every
//! address itself. Sockets of odd families are made and dropped; nothing is sent over them.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, Protocol, SocketFlags, SocketType};

use crate::attempt::{Attempt, Radius};
use crate::finding::{Finding, Gate};
use crate::inside::{netlink, proc};
use crate::plants::{Plant, PlantError, Plants};

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::forbidden("tcp-loopback", "Reaches the host's 127.0.0.1.", "attacks 13", |plants| {
        reach_listener(plants, IpAddr::V4(Ipv4Addr::LOCALHOST))
    })
    .of(Radius::Exfiltration)
    .needs(LISTENER),
    Attempt::forbidden("tcp-loopback-v6", "Reaches the host's ::1.", "attacks 13", |plants| {
        reach_listener(plants, IpAddr::V6(Ipv6Addr::LOCALHOST))
    })
    .of(Radius::Exfiltration)
    .needs(LISTENER),
    Attempt::forbidden("tcp-loopback-mapped", "Reaches it as ::ffff:127.0.0.1.", "attacks 10", |plants| {
        reach_listener(plants, IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped()))
    })
    .of(Radius::Exfiltration)
    .needs(LISTENER),
    Attempt::forbidden("tcp-loopback-unspecified", "Reaches it as 0.0.0.0.", "attacks 10", |plants| {
        reach_listener(plants, IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    })
    .of(Radius::Exfiltration)
    .needs(LISTENER),
    Attempt::forbidden("tcp-outside", "Connects to an address outside.", "attacks 13", |plants| {
        connect_outside(plants.text(Plant::OutsideAddress).unwrap_or("198.51.100.1:80"))
    })
    .of(Radius::Exfiltration),
    Attempt::forbidden("tcp-outside-v6", "Connects to an IPv6 address outside.", "attacks 13", |_| {
        connect_outside("[2001:db8::1]:80")
    })
    .of(Radius::Exfiltration),
    Attempt::forbidden("tcp-metadata", "Connects to the cloud's metadata address.", "attacks 12", |_| {
        connect_outside("169.254.169.254:80")
    })
    .of(Radius::Exfiltration),
    Attempt::forbidden("udp-outside", "Sends a datagram to an address outside.", "attacks 13", |_| {
        send_outside("198.51.100.1:443")
    })
    .of(Radius::Exfiltration),
    Attempt::forbidden(
        "udp-outside-v6",
        "Sends a datagram to an IPv6 address outside.",
        "attacks 13",
        |_| send_outside("[2001:db8::1]:443"),
    )
    .of(Radius::Exfiltration),
    Attempt::forbidden("socket-raw", "Opens a raw IPv4 socket.", "raw(7)", |_| {
        socket(AddressFamily::INET, SocketType::RAW, Some(net::ipproto::ICMP))
    })
    .of(Radius::Exfiltration),
    Attempt::forbidden("socket-raw-v6", "Opens a raw IPv6 socket.", "raw(7)", |_| {
        socket(AddressFamily::INET6, SocketType::RAW, Some(net::ipproto::ICMPV6))
    })
    .of(Radius::Exfiltration),
    Attempt::forbidden("socket-packet", "Opens a packet socket.", "CVE-2020-14386", |_| {
        socket(AddressFamily::PACKET, SocketType::RAW, None)
    })
    .of(Radius::Exfiltration),
    Attempt::forbidden("socket-vsock", "Opens a socket to the hypervisor.", "vsock(7)", |_| {
        socket(AddressFamily::VSOCK, SocketType::STREAM, None)
    })
    .of(Radius::Exfiltration),
    Attempt::forbidden("socket-alg", "Opens a socket to the kernel's ciphers.", "attacks 6", |_| {
        socket(AddressFamily::from_raw(AF_ALG), SocketType::SEQPACKET, None)
    }),
    Attempt::forbidden("socket-can", "Opens a CAN socket.", "attacks 6", |_| {
        socket(AddressFamily::CAN, SocketType::RAW, None)
    }),
    Attempt::forbidden("socket-bluetooth", "Opens a Bluetooth socket.", "attacks 6", |_| {
        socket(AddressFamily::BLUETOOTH, SocketType::RAW, None)
    }),
    Attempt::forbidden("socket-tipc", "Opens a TIPC socket.", "CVE-2021-43267", |_| {
        socket(AddressFamily::TIPC, SocketType::RDM, None)
    }),
    Attempt::forbidden("socket-rds", "Opens an RDS socket.", "CVE-2010-3904", |_| {
        socket(AddressFamily::RDS, SocketType::SEQPACKET, None)
    }),
    Attempt::forbidden("socket-key", "Opens a socket to IPsec's keys.", "attacks 6", |_| {
        socket(AddressFamily::KEY, SocketType::RAW, Some(Protocol::from_raw(PF_KEY_V2)))
    }),
    Attempt::forbidden("route-add", "Changes the routing table.", "rtnetlink(7)", |_| {
        Ok(netlink_gate().judge("RTM_NEWROUTE of an absent route", netlink::replace_absent_route()))
    })
    .of(Radius::Exfiltration),
    Attempt::forbidden("route-delete", "Deletes from the routing table.", "rtnetlink(7)", |_| {
        Ok(netlink_gate().judge("RTM_DELROUTE of an absent route", netlink::delete_absent_route()))
    })
    .of(Radius::Exfiltration),
    Attempt::forbidden("link-set", "Changes a network device.", "rtnetlink(7)", |_| {
        Ok(netlink_gate().judge("RTM_NEWLINK of an absent device", netlink::set_absent_link()))
    })
    .of(Radius::Exfiltration),
    Attempt::forbidden("netfilter", "Speaks to the packet filter.", "CVE-2024-1086", |_| {
        Ok(netlink_gate().judge("NFT_MSG_GETGEN", netlink::ask_netfilter_generation()))
    })
    .of(Radius::Exfiltration),
    Attempt::forbidden("audit-socket", "Speaks to the audit system.", "attacks 6", |_| {
        Ok(netlink_gate().judge("AUDIT_GET", netlink::ask_audit_status()))
    }),
    Attempt::forbidden("interfaces", "Sees a network device besides the loopback.", "attacks 4", |_| {
        interfaces()
    })
    .of(Radius::Exfiltration),
];

const LISTENER: &[Plant] = &[Plant::HostPort, Plant::Canary];
/// `AF_ALG`, which rustix has no name for on Linux.
const AF_ALG: u16 = 38;
/// `PF_KEY_V2` (RFC 2367).
const PF_KEY_V2: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);
/// A refusal must come at once: a program that waits for a timeout looks hung to its user.
const AT_ONCE: Duration = Duration::from_millis(250);
/// How long anything on the network is waited for.
const NETWORK_WAIT: Duration = Duration::from_secs(2);

fn reach_listener(plants: &Plants, address: IpAddr) -> Result<Finding, PlantError> {
    let address = SocketAddr::new(address, plants.port(Plant::HostPort)?);
    let mut stream = match TcpStream::connect_timeout(&address, NETWORK_WAIT) {
        Ok(stream) => stream,
        Err(error) => return Ok(Gate::SOCKET.judge::<()>(&address.to_string(), Err(proc::from_io(&error)))),
    };
    let canary = plants.text(Plant::Canary)?;
    let mut said = vec![0; canary.len()];
    let heard = stream.set_read_timeout(Some(NETWORK_WAIT)).and_then(|()| stream.read_exact(&mut said));
    Ok(if heard.is_ok() && said == canary.as_bytes() {
        Finding::Reached(format!("{address}: the planted listener spoke"))
    } else {
        Finding::Held(format!("{address}: something answers, but not the planted listener"))
    })
}

fn connect_outside(address: &str) -> Result<Finding, PlantError> {
    let Ok(socket) = address.parse::<SocketAddr>() else {
        return Err(PlantError::Malformed { plant: Plant::OutsideAddress, value: address.to_owned() });
    };
    let start = Instant::now();
    let connected = TcpStream::connect_timeout(&socket, NETWORK_WAIT).and_then(ask);
    let took = start.elapsed();
    Ok(match connected {
        Ok(answer) if answer.starts_with(b"HTTP/1.1 403 ") => Finding::Held(format!("{address}: a 403")),
        other => timed(address, took, other.map(|_| ()).map_err(|error| proc::from_io(&error))),
    })
}

/// What the other side says: a connection may be taken only to be reset, or to be told that it is refused.
fn ask(mut stream: TcpStream) -> io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(NETWORK_WAIT))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: probe.invalid\r\nConnection: close\r\n\r\n")?;
    let mut answer = vec![0; 64];
    let length = match stream.read(&mut answer) {
        // Silence is no refusal.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
        other => other?,
    };
    answer.truncate(length);
    Ok(answer)
}

/// Datagrams are taken by whoever wants them; that nobody does is said afterwards.
fn send_outside(address: &str) -> Result<Finding, PlantError> {
    let local = if address.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
    let start = Instant::now();
    let sent = UdpSocket::bind(local).and_then(|socket| {
        socket.connect(address)?;
        socket.send(b"cofferdam-probe\n")?;
        socket.set_read_timeout(Some(AT_ONCE))?;
        match socket.recv(&mut [0; 16]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            other => other.map(|_| ()),
        }
    });
    Ok(timed(address, start.elapsed(), sent.map_err(|error| proc::from_io(&error))))
}

fn timed(address: &str, took: Duration, result: Result<(), Errno>) -> Finding {
    match Gate::SOCKET.judge(&format!("{address} after {} µs", took.as_micros()), result) {
        Finding::Refused(_, evidence) if took > AT_ONCE => {
            Finding::Inconclusive(format!("{evidence}: refused, but not at once"))
        }
        finding @ (Finding::Refused(..) | Finding::Held(_) | Finding::Reached(_)) => finding,
        finding @ (Finding::Inapplicable(_) | Finding::Inconclusive(_)) => finding,
    }
}

fn socket(
    family: AddressFamily,
    kind: SocketType,
    protocol: Option<Protocol>,
) -> Result<Finding, PlantError> {
    let made = net::socket_with(family, kind, SocketFlags::CLOEXEC, protocol);
    let act = format!("socket of family {}", family.as_raw());
    // A family or type that the kernel has no code for is as good as a filter: it says so before anything else.
    Ok(Gate::SOCKET.judge(&act, made))
}

/// ENOENT, ESRCH, ENODEV and EINVAL come after the permission check in `rtnetlink_rcv_msg`.
fn netlink_gate() -> Gate {
    Gate::SOCKET.or_beyond(&[Errno::NOENT, Errno::SRCH, Errno::NODEV, Errno::INVAL, Errno::NETDOWN])
}

fn interfaces() -> Result<Finding, PlantError> {
    Ok(match netlink::links() {
        Ok(names) => match names.iter().find(|name| name.as_str() != "lo") {
            Some(name) => Finding::Reached(format!("{} devices, {name} among them", names.len())),
            None => Finding::Held("only the loopback".to_owned()),
        },
        failed @ Err(_) => Gate::SOCKET.judge("RTM_GETLINK", failed),
    })
}
