//! The relay of a cell and its resolver: what pid 1 does with the connections that were caught.
//!
//! Each is accepted and goes to the gateway as it is: the socket, and where it was to go ([`Arrival`]). The relay reads
//! not a byte of it and decides nothing; a connection that the gateway does not take is reset. Questions about names
//! are answered here, with addresses of the cell's own, so that none leaves.
//!
//! It stands in the loop of pid 1, which has better to do: nothing here waits, each turn does a bounded amount of work,
//! and what fails costs the connection and nothing else.

use crate::network::{Listener, Listeners, Way};
use cofferdam_policy::net::addresses::{AddressBook, OWN_V4, OWN_V6};
use cofferdam_policy::net::arrival::Arrival;
use cofferdam_policy::net::dns::{Asked, BadQuery, Family, QUERY_BYTES_MAX, ResponseCode};
use cofferdam_policy::net::host::DnsName;
use cofferdam_syscall::packet;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, accept_with, connect, getsockname,
    recvfrom, sendto, socket_with, sockopt,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// The most connections that one listener accepts in one turn.
const CONNECTIONS_PER_TURN_MAX: usize = 32;
/// The most questions about names that one socket answers in one turn.
const QUESTIONS_PER_TURN_MAX: usize = 32;
/// The most connections to the cell's own ports that are being made at once.
const CONNECTING_MAX: usize = 128;
/// How long such a one may take, in milliseconds: its server is in the same cell.
const CONNECTING_MILLISECONDS_MAX: u32 = 10_000;
/// How long nothing is accepted when the kernel is short of something, in nanoseconds.
const PAUSE_NANOSECONDS: i64 = 20_000_000;

/// The sockets, and what is under way.
#[derive(Debug)]
pub(crate) struct Relay<'g> {
    connections: Vec<Listener>,
    questions: Vec<OwnedFd>,
    /// `None` from the moment on at which the gateway was seen to be gone.
    gateway: Option<BorrowedFd<'g>>,
    pace: Pace,
    names: AddressBook,
    connecting: Vec<Connecting>,
}

/// Whether connections are accepted.
#[derive(Debug)]
enum Pace {
    On,
    /// Until the gateway's socket has room for this one.
    Held(Vec<u8>, OwnedFd),
    /// For a moment; perhaps this one is to be handed over then.
    Paused(Option<(Vec<u8>, OwnedFd)>),
}

/// What became of a connection that was to be handed over.
enum Handed {
    Done,
    Held,
    Paused,
    Gone,
}

/// A connection to a port of the cell's own, on its way.
#[derive(Debug)]
struct Connecting {
    number: u32,
    port: u16,
    family: Family,
    socket: OwnedFd,
}

impl<'g> Relay<'g> {
    /// The relay over these listeners, with the gateway's socket.
    pub(crate) fn new(gateway: BorrowedFd<'g>, listeners: Option<Listeners>) -> Result<Self, Errno> {
        // Only this process writes to it; what the other side does with its own end is set there.
        rustix::io::ioctl_fionbio(gateway, true)?;
        let (connections, questions) =
            listeners.map_or_else(Default::default, |open| (open.connections, open.questions));
        let gateway = Some(gateway);
        let (names, connecting) = (AddressBook::default(), Vec::new());
        Ok(Self { connections, questions, gateway, pace: Pace::On, names, connecting })
    }

    /// What to wait for.
    pub(crate) fn ends(&self) -> impl Iterator<Item = PollFd<'_>> {
        let listeners = match self.pace {
            Pace::On => self.connections.as_slice(),
            Pace::Held(..) | Pace::Paused(_) => &[],
        };
        let room = match self.pace {
            Pace::Held(..) => self.gateway,
            Pace::On | Pace::Paused(_) => None,
        };
        let output = |end| PollFd::from_borrowed_fd(end, PollFlags::OUT);
        let connecting = self.connecting.iter().map(|one| one.socket.as_fd());
        let inputs = listeners.iter().map(|listener| &listener.socket).chain(&self.questions);
        let inputs = inputs.map(|end| PollFd::new(end, PollFlags::IN));
        inputs.chain(room.into_iter().chain(connecting).map(output))
    }

    /// How long to wait at most.
    pub(crate) fn patience(&self) -> Option<Timespec> {
        match self.pace {
            Pace::Paused(_) => Some(Timespec { tv_sec: 0, tv_nsec: PAUSE_NANOSECONDS }),
            Pace::On | Pace::Held(..) => None,
        }
    }

    /// One turn: hands over what was held, accepts some more, answers some questions.
    pub(crate) fn turn(&mut self) {
        let held = match std::mem::replace(&mut self.pace, Pace::On) {
            Pace::On | Pace::Paused(None) => None,
            Pace::Held(arrival, socket) | Pace::Paused(Some((arrival, socket))) => Some((arrival, socket)),
        };
        let goes_on = held.is_none_or(|(arrival, socket)| self.hand_over(arrival, socket));
        if goes_on {
            for number in 0..self.connections.len() {
                if !self.accept_some(number) {
                    break;
                }
            }
        }
        for socket in &self.questions {
            answer_some(socket.as_fd(), &mut self.names);
        }
    }

    /// Whether to accept from the next listener too.
    fn accept_some(&mut self, number: usize) -> bool {
        for _ in 0..CONNECTIONS_PER_TURN_MAX {
            let Some(listener) = self.connections.get(number) else { return true };
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let socket = match accept_with(&listener.socket, flags) {
                Ok(socket) => socket,
                Err(Errno::AGAIN) => return true,
                // It ended before it was accepted.
                Err(Errno::CONNABORTED | Errno::INTR) => continue,
                // No descriptor or memory left: the connection waits, and so does this.
                Err(_) => {
                    self.pace = Pace::Paused(None);
                    return false;
                }
            };
            let Some(arrival) = self.arrival(&socket, listener.way) else {
                reset(&socket);
                continue;
            };
            if !self.hand_over(arrival.encode(), socket) {
                return false;
            }
        }
        true
    }

    /// Where a connection was to go; `None` for one that the agent made to a listener itself, or to no port.
    fn arrival(&self, socket: &OwnedFd, way: Way) -> Option<Arrival> {
        let destination = match way {
            Way::RedirectedV4 => SocketAddr::V4(sockopt::ip_original_dst(socket).ok()?),
            Way::RedirectedV6 => SocketAddr::V6(sockopt::ipv6_original_dst(socket).ok()?),
            Way::Direct => SocketAddr::try_from(getsockname(socket).ok()?).ok()?,
        };
        let address = destination.ip().to_canonical();
        let own = [IpAddr::V4(OWN_V4), IpAddr::V6(OWN_V6)].contains(&address);
        if own || address.is_loopback() || address.is_unspecified() || destination.port() == 0 {
            return None;
        }
        let name = self.names.name(address).cloned();
        Some(Arrival { destination: SocketAddr::new(address, destination.port()), name })
    }

    /// Whether to go on accepting.
    fn hand_over(&mut self, arrival: Vec<u8>, socket: OwnedFd) -> bool {
        let Some(gateway) = self.gateway else {
            reset(&socket);
            return true;
        };
        match handed(packet::send(gateway, &arrival, &[socket.as_fd()])) {
            Handed::Done => return true,
            Handed::Gone => {
                self.gateway = None;
                reset(&socket);
                return true;
            }
            Handed::Held => self.pace = Pace::Held(arrival, socket),
            Handed::Paused => self.pace = Pace::Paused(Some((arrival, socket))),
        }
        false
    }

    /// Begins a connection to a port of loopback in the cell.
    pub(crate) fn connect(&mut self, number: u32, port: u16) -> Result<(), Errno> {
        if self.connecting.len() >= CONNECTING_MAX {
            return Err(Errno::AGAIN);
        }
        let socket = begin(Family::V4, port)?;
        self.connecting.push(Connecting { number, port, family: Family::V4, socket });
        Ok(())
    }

    /// The connections that came about since, or did not.
    pub(crate) fn made(&mut self) -> Vec<(u32, Result<OwnedFd, Errno>)> {
        let mut made = Vec::new();
        for one in std::mem::take(&mut self.connecting) {
            let Connecting { number, port, family, socket } = one;
            let outcome = match (state(&socket), family) {
                (None, _) => {
                    self.connecting.push(Connecting { number, port, family, socket });
                    continue;
                }
                (Some(Ok(())), _) => Ok(socket),
                // Servers that mean `localhost` may be there over IPv6 alone.
                (Some(Err(Errno::CONNREFUSED)), Family::V4) => match begin(Family::V6, port) {
                    Ok(socket) => {
                        self.connecting.push(Connecting { number, port, family: Family::V6, socket });
                        continue;
                    }
                    Err(_) => Err(Errno::CONNREFUSED),
                },
                (Some(Err(errno)), _) => Err(errno),
            };
            made.push((number, outcome));
        }
        made
    }
}

fn handed(sent: Result<(), Errno>) -> Handed {
    match sent {
        Ok(()) => Handed::Done,
        Err(Errno::AGAIN) => Handed::Held,
        // Too many descriptors of this user are on their way between processes, or there is no memory: both pass.
        Err(Errno::TOOMANYREFS | Errno::NOMEM | Errno::NOBUFS) => Handed::Paused,
        Err(_) => Handed::Gone,
    }
}

/// Ends a connection so that the other side sees an error, and not an answer of no bytes.
fn reset(socket: &OwnedFd) {
    // Without it, the end comes all the same.
    let _plain = sockopt::set_socket_linger(socket, Some(Duration::ZERO)).is_err();
}

fn begin(family: Family, port: u16) -> Result<OwnedFd, Errno> {
    let (family, address) = match family {
        Family::V4 => (AddressFamily::INET, IpAddr::V4(Ipv4Addr::LOCALHOST)),
        Family::V6 => (AddressFamily::INET6, IpAddr::V6(Ipv6Addr::LOCALHOST)),
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_tcp_user_timeout(&socket, CONNECTING_MILLISECONDS_MAX)?;
    match connect(&socket, &SocketAddr::new(address, port)) {
        // What came of it is asked for later, whatever it was.
        Ok(()) | Err(Errno::INPROGRESS | Errno::CONNREFUSED) => Ok(socket),
        Err(errno) => Err(errno),
    }
}

/// Whether a connection stands; `None` while that is not known.
fn state(socket: &OwnedFd) -> Option<Result<(), Errno>> {
    let mut end = [PollFd::new(socket, PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    match rustix::event::poll(&mut end, Some(&now)) {
        Ok(0) | Err(Errno::INTR) => None,
        Ok(_) => Some(match sockopt::socket_error(socket) {
            // One that failed at once has told its error already.
            Ok(Ok(())) => rustix::net::getpeername(socket).map_or(Err(Errno::CONNREFUSED), |_| Ok(())),
            Ok(Err(errno)) | Err(errno) => Err(errno),
        }),
        Err(errno) => Some(Err(errno)),
    }
}

fn answer_some(socket: BorrowedFd<'_>, names: &mut AddressBook) {
    // A byte more than any good query has, so that a longer one is seen to be one.
    let mut query = [0_u8; QUERY_BYTES_MAX + 1];
    for _ in 0..QUESTIONS_PER_TURN_MAX {
        // Also an error that an earlier answer met: whoever asked is gone.
        let Ok((_, length, Some(from))) = recvfrom(socket, &mut query, RecvFlags::DONTWAIT) else { return };
        let message = query.get(..length.min(query.len())).unwrap_or_default();
        if let Some(answer) = answer(message, names) {
            let _unheard = sendto(socket, &answer, SendFlags::DONTWAIT | SendFlags::NOSIGNAL, &from).is_err();
        }
    }
}

/// What is said to a message; `None` for one that is no query.
fn answer(message: &[u8], names: &mut AddressBook) -> Option<Vec<u8>> {
    let asked = match Asked::parse(message) {
        Ok(asked) => asked,
        Err(BadQuery::Answered { answer }) => return Some(answer),
        Err(BadQuery::NotAQuery) => return None,
    };
    let Some(name) = asked.name() else { return Some(asked.failed(ResponseCode::NoSuchName)) };
    let Some(family) = asked.family() else { return Some(asked.answer(None)) };
    let address = match (is_local(name), family) {
        (true, Family::V4) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        (true, Family::V6) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        (false, family) => match (names.addresses(name), family) {
            (Some(addresses), Family::V4) => IpAddr::V4(addresses.v4),
            (Some(addresses), Family::V6) => IpAddr::V6(addresses.v6),
            (None, _) => return Some(asked.failed(ResponseCode::ServerFailure)),
        },
    };
    Some(asked.answer(Some(address)))
}

/// `localhost` and all below it (RFC 6761, 6.3).
fn is_local(name: &DnsName) -> bool {
    name.as_str() == "localhost" || name.as_str().ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;
    use cofferdam_policy::net::dns::{Answer, AnswerError, write_query};

    fn asked(names: &mut AddressBook, text: &str, family: Family) -> Result<Vec<IpAddr>, AnswerError> {
        let name = DnsName::parse(text).unwrap();
        let answer = answer(&write_query(9, &name, family), names).unwrap();
        Answer::parse(&answer, 9, &name, family).map(|answer| answer.addresses)
    }

    #[test]
    fn every_name_has_an_address_of_the_cells_own_and_localhost_is_loopback() {
        let mut names = AddressBook::default();
        let first: IpAddr = "198.18.0.16".parse().unwrap();
        assert_eq!(asked(&mut names, "no-such-name.example", Family::V4), Ok(vec![first]));
        assert_eq!(names.name(first).unwrap().as_str(), "no-such-name.example");
        for local in ["localhost", "App.LocalHost"] {
            assert_eq!(asked(&mut names, local, Family::V4), Ok(vec![Ipv4Addr::LOCALHOST.into()]));
            assert_eq!(asked(&mut names, local, Family::V6), Ok(vec![Ipv6Addr::LOCALHOST.into()]));
        }
        assert_eq!(names.addresses(&DnsName::parse("x.example").unwrap()).unwrap().v4.octets()[3], 17);
    }

    #[test]
    fn a_connection_is_kept_when_the_gateway_is_slow_and_given_up_when_it_is_gone() {
        assert!(matches!(handed(Err(Errno::AGAIN)), Handed::Held));
        assert!(matches!(handed(Err(Errno::TOOMANYREFS)), Handed::Paused));
        for errno in [Errno::PIPE, Errno::CONNRESET, Errno::BADF] {
            assert!(matches!(handed(Err(errno)), Handed::Gone));
        }
    }
}
