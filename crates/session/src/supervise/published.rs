//! The supervisor's side of published ports: sockets on the owner's loopback, handed to the gateway; connections into
//! the cell, made by its pid 1 and handed on.
//!
//! Nothing of HTTP is known here, and no byte of a connection is read. The gateway asks for ports that are published,
//! and gets no other.

use super::Supervisor;
use super::network::Stage;
use crate::network::Published;
use crate::record;
use crate::start::News;
use cofferdam_cell::Order as CellOrder;
use cofferdam_gateway::wire::{Order, PUBLISHED_MAX};
use cofferdam_policy::event::Event;
use cofferdam_policy::net::host::{DnsName, Port};
use cofferdam_policy::session_id::{SessionId, SessionName};
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, listen, socket_with};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Connections that wait for the gateway to take them.
const BACKLOG: i32 = 128;
/// Tries for a number that is free in both families.
const NUMBERS_TRIED_MAX: usize = 16;
/// Characters of a host name's first label (RFC 1035), less those of the port and two hyphens.
const NAME_CHARS_MAX: usize = 63 - 5 - 1 - ID_CHARS - 1;
/// So many of the session's id keep the pages of two sessions of one name apart, in the browser's memory, too.
const ID_CHARS: usize = 8;

impl Supervisor<'_> {
    /// What the authority names, before the program is left to itself.
    pub(super) fn publish_granted(&mut self) {
        let ports: Vec<Port> = self.session.networking.published().collect();
        let mut notes = Vec::new();
        for port in ports {
            notes.push(match self.publish(port) {
                Ok(Published { port, url }) => format!(
                    "port {port} is published at {url}: its page runs in your browser, and can send what it has anywhere"
                ),
                Err(why) => format!("port {} is not published: {why}", port.get()),
            });
        }
        if !notes.is_empty() {
            (self.session.told)(News::Notes(&notes));
        }
    }

    /// Publishes a port, unless it is already.
    pub(super) fn publish(&mut self, port: Port) -> Result<Published, String> {
        if let Some(known) = self.network.published.get(&port) {
            return Ok(known.clone());
        }
        if self.network.published.len() >= PUBLISHED_MAX {
            return Err(format!("{PUBLISHED_MAX} ports are published already"));
        }
        let host = host(&self.session.name, &self.session.id, port).ok_or("it has no name")?;
        let (number, sockets) = listening(port).map_err(|errno| format!("no port is free: {errno}"))?;
        match std::mem::replace(&mut self.network.stage, Stage::Gone) {
            Stage::Awaited(arrivals) => self.begin_gateway(arrivals),
            stage @ (Stage::Begun(_) | Stage::Gone) => self.network.stage = stage,
        }
        let Stage::Begun(_) = self.network.stage else { return Err(self.network.is_gone()) };
        let published = Published { port: port.get(), url: format!("http://{host}:{number}/") };
        let Published { port: number, url } = published.clone();
        // What can't be recorded is not done.
        let event = Event::Published { port: number, url };
        record::event(&self.session, &event)
            .map_err(|error| format!("it can't be recorded: {}", error.why()))?;
        let sockets: Vec<BorrowedFd<'_>> = sockets.iter().map(OwnedFd::as_fd).collect();
        if self.network.order_beside(&Order::Publish { port, host }, &sockets).is_err() {
            self.network.note(Event::Unpublished { port: number });
            return Err(self.network.is_gone());
        }
        self.network.published.insert(port, published.clone());
        Ok(published)
    }

    /// Publishes it no longer; whether it was published.
    pub(super) fn unpublish(&mut self, port: Port) -> bool {
        let was_published = self.network.published.remove(&port).is_some();
        if was_published {
            // A gateway that is gone serves nothing.
            let _gone = self.network.order(&Order::Unpublish { port }).is_err();
            self.network.note(Event::Unpublished { port: port.get() });
        }
        was_published
    }

    /// The gateway is gone, and its sockets with it.
    pub(super) fn forget_published(&mut self) {
        for port in std::mem::take(&mut self.network.published).into_keys() {
            self.network.note(Event::Unpublished { port: port.get() });
        }
    }

    /// The gateway wants a connection to a port of the cell.
    pub(super) fn connect_to(&mut self, number: u32, port: Port) {
        let cell = self.cell.as_ref().filter(|_| self.network.published.contains_key(&port));
        let ordered =
            cell.is_some_and(|cell| cell.order(&CellOrder::Connect { number, port: port.get() }).is_ok());
        if !ordered {
            self.hand_connection(number, None);
        }
    }

    /// What came of it.
    pub(super) fn hand_connection(&mut self, number: u32, socket: Option<OwnedFd>) {
        // Whether the gateway is gone shows on its line.
        let _gone = match &socket {
            Some(socket) => self.network.order_beside(&Order::Connected { number }, &[socket.as_fd()]),
            None => self.network.order(&Order::NotConnected { number }),
        }
        .is_err();
    }
}

/// `NAME-ID-PORT.localhost`: browsers take it to loopback, and no other page has it, before this session or after.
fn host(name: &SessionName, id: &SessionId, port: Port) -> Option<DnsName> {
    let plain =
        name.as_str().chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    let name: String = plain.skip_while(|c| *c == '-').take(NAME_CHARS_MAX).collect();
    let name = name.trim_end_matches('-');
    let id: String = id.as_str().chars().take(ID_CHARS).collect();
    let parts = [name, &id, &port.get().to_string()];
    let label = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
    DnsName::parse(format!("{label}.localhost")).ok()
}

/// Sockets that listen on loopback: at this number if it is free, else at another. Both families have the same one, so
/// that nobody else can answer at the address that a browser tries first.
fn listening(port: Port) -> Result<(u16, Vec<OwnedFd>), Errno> {
    let mut tried = listening_at(port.get());
    for _ in 0..NUMBERS_TRIED_MAX {
        match tried {
            Err(Errno::ADDRINUSE | Errno::ACCESS) => tried = listening_at(0),
            Ok(_) | Err(_) => break,
        }
    }
    tried
}

fn listening_at(number: u16) -> Result<(u16, Vec<OwnedFd>), Errno> {
    let first = listener(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), number))?;
    let number = SocketAddr::try_from(getsockname(&first)?).map_err(|_other| Errno::AFNOSUPPORT)?.port();
    match listener(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), number)) {
        Ok(second) => Ok((number, vec![first, second])),
        // A machine without IPv6: nobody can listen there.
        Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL) => Ok((number, vec![first])),
        Err(errno) => Err(errno),
    }
}

fn listener(address: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = match address.ip() {
        IpAddr::V4(_) => AddressFamily::INET,
        IpAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    if family == AddressFamily::INET6 {
        set_ipv6_v6only(&socket, true)?;
    }
    // Of connections that have just ended; where somebody listens it is refused all the same (socket(7)).
    set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(name: &str, port: u16) -> String {
        let id = SessionId::from_random([0; 8]);
        host(&name.parse().unwrap(), &id, Port::new(port).unwrap()).unwrap().to_string()
    }

    #[test]
    fn a_port_has_a_host_name_that_browsers_take_to_loopback() {
        assert_eq!(name_of("my_Work.2", 3000), "my-work-2-aaaaaaaa-3000.localhost");
        let long = name_of(&"x".repeat(64), 65_535);
        assert_eq!(long.split('.').next().unwrap().len(), 63);
        assert_eq!(name_of("_-_", 80), "aaaaaaaa-80.localhost");
    }

    #[test]
    fn a_number_that_somebody_has_is_replaced_and_both_families_have_the_same() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = Port::new(taken.local_addr().unwrap().port()).unwrap();
        let (number, sockets) = listening(port).unwrap();
        assert_ne!(number, port.get());
        assert!(
            sockets.iter().all(|socket| {
                SocketAddr::try_from(getsockname(socket).unwrap()).unwrap().port() == number
            })
        );
        drop((taken, sockets));
        assert_eq!(listening(port).unwrap().0, port.get());
    }
}
