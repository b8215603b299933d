//! Planted sockets for datagrams: on each address of the host by which an enclosure may come, to groups and to all, all at one
//! port.
//!
//! Each notes what it gets and answers with the canary. Nothing is bound that another machine could reach but the one address
//! that is named.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use rustix::net::{self, AddressFamily, SocketFlags, SocketType};

use crate::inside::egress::{BROADCAST, GROUP, UDP_LITE};

/// As much of a datagram as is noted.
const DATAGRAM_BYTES_MAX: usize = 4 << 10;

/// Sockets at one port, which is returned too. What this machine has not (IPv6, UDP-Lite) is left out.
pub(crate) fn bind(host_address: Option<IpAddr>) -> io::Result<(u16, Vec<UdpSocket>)> {
    let loopback = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = loopback.local_addr()?.port();
    let others = [
        host_address.map(|address| UdpSocket::bind((address, port))),
        Some(UdpSocket::bind((Ipv6Addr::LOCALHOST, port))),
        Some(UdpSocket::bind((BROADCAST, port))),
        Some(group(port)),
        Some(udp_lite(port)),
    ];
    Ok((port, std::iter::once(loopback).chain(others.into_iter().flatten().flatten()).collect()))
}

/// Serves until the socket fails.
pub(crate) fn serve(socket: &UdpSocket, words: &str, note: impl Fn(&[u8])) {
    let mut part = [0; DATAGRAM_BYTES_MAX];
    while let Ok((length, from)) = socket.recv_from(&mut part) {
        note(part.get(..length).unwrap_or_default());
        drop(socket.send_to(words.as_bytes(), from));
    }
}

fn group(port: u16) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((GROUP, port))?;
    socket.join_multicast_v4(&GROUP, &Ipv4Addr::LOCALHOST)?;
    Ok(socket)
}

fn udp_lite(port: u16) -> io::Result<UdpSocket> {
    let flags = SocketFlags::CLOEXEC;
    let socket = net::socket_with(AddressFamily::INET, SocketType::DGRAM, flags, Some(UDP_LITE))?;
    net::bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    Ok(UdpSocket::from(socket))
}
