//! Data that leaves straight: over sockets to the host's addresses, by datagrams, by questions about names.
//!
//! Each sends a mark, and counts only if a planted listener got it. Nothing goes to an address that is not this machine's.

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, TcpStream, UdpSocket};
use std::num::NonZeroU32;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, Protocol, SendFlags, SocketFlags, SocketType};

use crate::attempt::{Attempt, Radius, Run};
use crate::classes::{Class, class};
use crate::finding::{Finding, Gate};
use crate::inside::encoding::{LABEL_BYTES_MAX, dns_query};
use crate::inside::knock::{heard, mark};
use crate::inside::{netlink, proc};
use crate::plants::{Plant, PlantError, Plants};
use crate::witness::{HostSide, Witness};

const TCP: &[Plant] = &[Plant::HostPort, Plant::Canary];
const UDP: &[Plant] = &[Plant::UdpPort, Plant::Canary];
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub(crate) const ATTEMPTS: &[Attempt] = &[
    leaving("send-tcp", "Sends to the host's loopback.", TCP, |plants| tcp(plants, LOOPBACK), heard),
    leaving(
        "send-tcp-host-address",
        "Sends to an address of the host that is not its loopback.",
        TCP,
        |plants| at_host(plants, |address| tcp(plants, address)),
        heard,
    ),
    leaving(
        "send-tcp-host-mapped",
        "Sends to that address as an IPv6 one.",
        TCP,
        |plants| at_host(plants, |address| tcp(plants, mapped(address))),
        heard,
    ),
    leaving("send-tcp-fast-open", "Sends in the first packet of a connection.", TCP, fast_open, heard),
    leaving("send-mptcp", "Sends over a connection of several paths.", TCP, multipath, heard),
    leaving(
        "send-udp",
        "Sends a datagram to the host's loopback.",
        UDP,
        |plants| udp(plants, LOOPBACK),
        heard,
    ),
    leaving(
        "send-udp-v6",
        "Sends a datagram to the host's ::1.",
        UDP,
        |plants| udp(plants, IpAddr::V6(Ipv6Addr::LOCALHOST)),
        heard,
    ),
    leaving(
        "send-udp-mapped",
        "Sends a datagram to ::ffff:127.0.0.1.",
        UDP,
        |plants| udp(plants, mapped(LOOPBACK)),
        heard,
    ),
    leaving(
        "send-udp-host-address",
        "Sends a datagram to the host's other address.",
        UDP,
        |plants| at_host(plants, |address| udp(plants, address)),
        heard,
    ),
    leaving(
        "send-udp-broadcast",
        "Sends a datagram to all of the loopback's network.",
        UDP,
        |plants| udp(plants, IpAddr::V4(BROADCAST)),
        heard,
    ),
    leaving(
        "send-udp-multicast",
        "Sends a datagram to a group.",
        UDP,
        |plants| udp(plants, IpAddr::V4(GROUP)),
        heard,
    ),
    leaving("send-udp-lite", "Sends a datagram of UDP-Lite.", UDP, udp_lite, heard),
    leaving("send-quic", "Sends the first packet of QUIC.", UDP, |plants| quic(plants, LOOPBACK), heard),
    leaving(
        "send-quic-host-address",
        "Sends it to the host's other address.",
        UDP,
        |plants| at_host(plants, |address| quic(plants, address)),
        heard,
    ),
    leaving(
        "dns-udp",
        "Asks a server of names, with data for a name.",
        UDP,
        |plants| {
            let query = dns_query(&name(plants)?);
            Ok(datagram(SocketAddr::new(LOOPBACK, plants.port(Plant::UdpPort)?), &query))
        },
        heard_label,
    ),
    leaving(
        "dns-udp-host-address",
        "Asks one at the host's other address.",
        UDP,
        |plants| {
            let query = dns_query(&name(plants)?);
            let port = plants.port(Plant::UdpPort)?;
            at_host(plants, |address| Ok(datagram(SocketAddr::new(address, port), &query)))
        },
        heard_label,
    ),
    leaving(
        "dns-tcp",
        "Asks one over TCP.",
        TCP,
        |plants| {
            let query = dns_query(&name(plants)?);
            let length = u16::try_from(query.len()).unwrap_or(0).to_be_bytes();
            let address = SocketAddr::new(LOOPBACK, plants.port(Plant::HostPort)?);
            Ok(stream(address, &[&length[..], &query].concat()))
        },
        heard_label,
    ),
    Attempt::forbidden("icmp-echo", "Has the host answer an ICMP echo.", "attacks 13", |plants| {
        at_host(plants, |address| Ok(echo(address)))
    })
    .of(Radius::Exfiltration),
    Attempt::forbidden("socket-sctp", "Opens a socket of SCTP.", "attacks 13", |_| {
        Ok(opened(SocketType::STREAM, SCTP))
    })
    .of(Radius::Exfiltration),
    Attempt::forbidden("socket-dccp", "Opens a socket of DCCP.", "attacks 13", |_| {
        Ok(opened(SocketType::from_raw(SOCK_DCCP), DCCP))
    })
    .of(Radius::Exfiltration),
];

pub(crate) const CLASSES: &[Class] = &[
    class(
        "host-streams",
        13,
        &["send-tcp", "send-tcp-host-address", "send-tcp-host-mapped", "send-tcp-fast-open", "send-mptcp"],
    ),
    class(
        "host-datagrams",
        13,
        &["send-udp", "send-udp-v6", "send-udp-mapped", "send-udp-host-address", "send-udp-lite"],
    ),
    class("datagrams-to-many", 13, &["send-udp-broadcast", "send-udp-multicast"]),
    class("quic", 13, &["send-quic", "send-quic-host-address"]),
    class("names-as-data", 12, &["dns-udp", "dns-tcp", "dns-udp-host-address"]),
    class("icmp", 13, &["icmp-echo"]),
    class("odd-transports", 13, &["socket-sctp", "socket-dccp"]),
];

/// The last address of the loopback's network, which is for all of it.
pub(crate) const BROADCAST: Ipv4Addr = Ipv4Addr::new(127, 255, 255, 255);
/// A group of this machine's own choice (RFC 2365, the local scope).
pub(crate) const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 77, 1);
/// `IPPROTO_UDPLITE`, `IPPROTO_MPTCP`, `IPPROTO_SCTP`, `IPPROTO_DCCP` (`linux/in.h`).
pub(crate) const UDP_LITE: Protocol = protocol(136);
const MULTIPATH: Protocol = protocol(262);
const SCTP: Protocol = protocol(132);
const DCCP: Protocol = protocol(33);
/// `SOCK_DCCP` (`linux/net.h`).
const SOCK_DCCP: u32 = 6;
/// `MSG_FASTOPEN` (`linux/socket.h`).
const FAST_OPEN: SendFlags = SendFlags::from_bits_retain(0x2000_0000);
/// How long anything here is waited for; it comes at once or not at all.
const WAIT: Duration = Duration::from_millis(250);

const fn protocol(number: u32) -> Protocol {
    match NonZeroU32::new(number) {
        Some(number) => Protocol::from_raw(number),
        None => net::ipproto::TCP,
    }
}

pub(crate) const fn leaving(
    id: &'static str,
    sentence: &'static str,
    needs: &'static [Plant],
    run: Run,
    witness: Witness,
) -> Attempt {
    Attempt::forbidden(id, sentence, "attacks 13", run)
        .of(Radius::Exfiltration)
        .needs(needs)
        .witnessed(witness)
}

pub(crate) fn judged(act: &str, sent: io::Result<()>) -> Finding {
    Gate::SOCKET.judge(act, sent.map_err(|error| proc::from_io(&error)))
}

fn at_host(
    plants: &Plants,
    act: impl FnOnce(IpAddr) -> Result<Finding, PlantError>,
) -> Result<Finding, PlantError> {
    let Ok(address) = plants.text(Plant::HostAddress) else {
        return Ok(Finding::Inapplicable("the host has no address but its loopback".to_owned()));
    };
    match address.parse() {
        Ok(address) => act(address),
        Err(_) => Err(PlantError::Malformed { plant: Plant::HostAddress, value: address.to_owned() }),
    }
}

fn mapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => IpAddr::V6(address.to_ipv6_mapped()),
        IpAddr::V6(_) => address,
    }
}

fn tcp(plants: &Plants, address: IpAddr) -> Result<Finding, PlantError> {
    let address = SocketAddr::new(address, plants.port(Plant::HostPort)?);
    Ok(stream(address, mark(plants)?.as_bytes()))
}

fn stream(address: SocketAddr, bytes: &[u8]) -> Finding {
    let sent = TcpStream::connect_timeout(&address, WAIT).and_then(|mut stream| stream.write_all(bytes));
    judged(&format!("TCP to {address}"), sent)
}

fn udp(plants: &Plants, address: IpAddr) -> Result<Finding, PlantError> {
    let address = SocketAddr::new(address, plants.port(Plant::UdpPort)?);
    Ok(datagram(address, mark(plants)?.as_bytes()))
}

/// That it was sent says nothing: only who got it knows.
fn datagram(address: SocketAddr, bytes: &[u8]) -> Finding {
    let local = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let sent = UdpSocket::bind(local).and_then(|socket| {
        socket.set_broadcast(true)?;
        if address.ip() == IpAddr::V4(GROUP) {
            // By the loopback only, so that no other machine gets a packet of this.
            net::sockopt::set_ip_multicast_if(&socket, &Ipv4Addr::LOCALHOST)?;
        }
        socket.send_to(bytes, address).map(|_| ())
    });
    judged(&format!("UDP to {address}"), sent)
}

/// A long header, version 1, and identifiers that hold the mark, filled up to the least size (RFC 9000, 14.1).
fn quic(plants: &Plants, address: IpAddr) -> Result<Finding, PlantError> {
    const INITIAL_BYTES: usize = 1200;
    let mark = mark(plants)?;
    let mut packet = [&[0xc3, 0, 0, 0, 1, 8][..], &[7; 8], &[0], mark.as_bytes()].concat();
    packet.resize(INITIAL_BYTES, 0);
    Ok(datagram(SocketAddr::new(address, plants.port(Plant::UdpPort)?), &packet))
}

fn fast_open(plants: &Plants) -> Result<Finding, PlantError> {
    let (mark, port) = (mark(plants)?, plants.port(Plant::HostPort)?);
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    let flags = FAST_OPEN | SendFlags::NOSIGNAL;
    let sent = net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .and_then(|socket| net::sendto(socket, mark.as_bytes(), flags, &address));
    Ok(match sent {
        Err(Errno::OPNOTSUPP) => Finding::Inapplicable("fast open is switched off".to_owned()),
        sent => Gate::SOCKET.judge("a first packet with data", sent),
    })
}

fn multipath(plants: &Plants) -> Result<Finding, PlantError> {
    let (mark, port) = (mark(plants)?, plants.port(Plant::HostPort)?);
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    let flags = SocketFlags::CLOEXEC;
    let sent = net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, Some(MULTIPATH))
        .and_then(|socket| net::connect(&socket, &address).map(|()| socket))
        .and_then(|socket| net::send(socket, mark.as_bytes(), SendFlags::NOSIGNAL));
    Ok(Gate::SOCKET.judge("MPTCP to the loopback", sent))
}

fn udp_lite(plants: &Plants) -> Result<Finding, PlantError> {
    let (mark, port) = (mark(plants)?, plants.port(Plant::UdpPort)?);
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    let flags = SocketFlags::CLOEXEC;
    let sent = net::socket_with(AddressFamily::INET, SocketType::DGRAM, flags, Some(UDP_LITE))
        .and_then(|socket| net::sendto(socket, mark.as_bytes(), SendFlags::NOSIGNAL, &address));
    Ok(Gate::SOCKET.judge("UDP-Lite to the loopback", sent))
}

fn opened(kind: SocketType, protocol: Protocol) -> Finding {
    let made = net::socket_with(AddressFamily::INET, kind, SocketFlags::CLOEXEC, Some(protocol));
    Gate::SOCKET.judge("the socket", made)
}

/// An enclosure may answer for every address by itself: an answer counts only where there is a device by which it can have
/// come.
fn echo(address: IpAddr) -> Finding {
    let IpAddr::V4(address) = address else {
        return Finding::Inapplicable("the host has no IPv4 address but its loopback".to_owned());
    };
    let devices = netlink::links().unwrap_or_default();
    if devices.iter().all(|name| name == "lo") {
        return Finding::Held("there is no device but the loopback".to_owned());
    }
    Finding::strongest([SocketType::DGRAM, SocketType::RAW].map(|kind| match ping(kind, address) {
        Err(Errno::AGAIN) => Finding::Held(format!("{address} does not answer")),
        answer => Gate::SOCKET.judge(&format!("an echo of {address}"), answer),
    }))
}

fn ping(kind: SocketType, address: Ipv4Addr) -> Result<(), Errno> {
    // Echo request; its checksum, which a raw socket does not fill in, of the type and the sequence.
    const REQUEST: [u8; 8] = [8, 0, 0xf7, 0xfe, 0, 0, 0, 1];
    let socket = net::socket_with(AddressFamily::INET, kind, SocketFlags::CLOEXEC, Some(net::ipproto::ICMP))?;
    net::sockopt::set_socket_timeout(&socket, net::sockopt::Timeout::Recv, Some(WAIT))?;
    net::sendto(&socket, &REQUEST, SendFlags::NOSIGNAL, &SocketAddrV4::new(address, 0))?;
    let mut answer = [0; 64];
    net::recv(&socket, &mut answer, net::RecvFlags::empty()).map(|_| ())
}

/// A label of a name: the mark, as much of it as a label can have.
fn label(plants: &Plants) -> Result<String, PlantError> {
    let mark = mark(plants)?;
    Ok(mark.get(..LABEL_BYTES_MAX).unwrap_or(&mark).to_owned())
}

fn name(plants: &Plants) -> Result<String, PlantError> {
    Ok(format!("{}.probe.invalid", label(plants)?))
}

fn heard_label(host: &HostSide<'_>) -> Option<String> {
    host.heard(&label(host.plants).ok()?)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::{Arc, Mutex};
    use std::thread;

    use super::*;
    use crate::finding::Report;
    use crate::outside::{datagrams, origin};
    use crate::witness::Contact;

    /// Another address of the loopback plays the host's own.
    const HOST_ADDRESS: &str = "127.0.0.2";

    #[test]
    fn outside_each_is_heard() {
        let contacts = Arc::new(Mutex::new(Vec::new()));
        let noting = |listener: &'static str| {
            let contacts = Arc::clone(&contacts);
            move |bytes: &[u8]| contacts.lock().unwrap().push(Contact { listener, bytes: bytes.to_vec() })
        };
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        let second = TcpListener::bind((HOST_ADDRESS, port)).unwrap();
        for listener in [first, second] {
            let note = noting("host-port");
            thread::spawn(move || origin::serve(listener, note));
        }
        let (udp_port, sockets) = datagrams::bind(Some(HOST_ADDRESS.parse().unwrap())).unwrap();
        for socket in sockets {
            let note = noting("udp-port");
            thread::spawn(move || datagrams::serve(&socket, "CANARY", note));
        }
        let mut plants = Plants::default();
        for (name, value) in [
            ("host-port", port.to_string()),
            ("udp-port", udp_port.to_string()),
            ("host-address", HOST_ADDRESS.to_owned()),
            ("canary", "canary-55d1".to_owned()),
        ] {
            plants.add(name, &value).unwrap();
        }
        for attempt in ATTEMPTS.iter().filter(|attempt| attempt.witness.is_some()) {
            let found = attempt.find(&plants);
            // Not every kernel has every protocol.
            if matches!(found, Finding::Refused(Errno::PROTONOSUPPORT, _) | Finding::Inapplicable(_)) {
                continue;
            }
            let reported = Report::new(attempt, found);
            let begin = std::time::Instant::now();
            let seen = loop {
                let contacts = contacts.lock().unwrap().clone();
                let host = HostSide { plants: &plants, contacts: &contacts, reported: Some(&reported) };
                let seen = attempt.seen(&host);
                if seen.is_some() || begin.elapsed() > Duration::from_secs(2) {
                    break seen;
                }
                thread::sleep(Duration::from_millis(5));
            };
            assert!(seen.is_some(), "{}: {}", attempt.id, reported.evidence);
        }
    }
}
