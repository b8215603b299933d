//! What a command says to the supervisor of a running session, over a socket in the session's own directory.
//!
//! Packets of two kinds: words (JSON) and bytes of a terminal. Only the owner can reach the directory; the peer's
//! user id is checked all the same. No command ever enters the cell: it asks, and pid 1 does.

use crate::error::{Error, ErrorKind};
use cofferdam_cell::{EntryStage, Program, WindowSize};
use cofferdam_policy::event::{Decision, ExitStatus};
use cofferdam_policy::net::host::Port;
use cofferdam_syscall::packet;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SocketAddrUnix, SocketFlags, SocketType};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The longest packet, in bytes; a longer command line travels in several `Program` chunks of its memfd.
pub(crate) const PACKET_BYTES_MAX: usize = 128 << 10;
const WORD: u8 = b'w';
const DATA: u8 = b'd';
const BACKLOG: i32 = 16;

/// From a command to the supervisor.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "ask", deny_unknown_fields)]
pub(crate) enum Ask {
    /// Show me the program's terminal; my window is so big.
    Attach { size: Size },
    /// My window is so big now.
    Resize { size: Size },
    /// Start a program with the session's authority; with pipes, they come beside this packet.
    Exec { program: Program, terminal: Option<Size> },
    /// Send the program that I started this signal.
    Signal { signal: i32 },
    /// End the session: ask its processes first, then end them.
    Stop { grace_ms: u64 },
    /// Mount the workspaces anew.
    Refresh,
    /// Let no process of the session go on for as long as this connection stays open.
    Freeze,
    /// Tell what went through the gateway so far, and what waits: answered by a [`crate::network::Network`].
    Network,
    /// Decide a held request: answered by whether it waited.
    Decide { id: u64, decision: Decision },
    /// Let a secret be used no more, on open connections too: answered by whether the session has it.
    Revoke { secret: String },
    /// Publish a port of the cell: answered by where it is, or by why not.
    Publish { port: Port },
    /// Publish it no longer: answered by whether it was published.
    Unpublish { port: Port },
}

/// Rows and columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Size {
    pub(crate) rows: u16,
    pub(crate) columns: u16,
}

impl From<Size> for WindowSize {
    fn from(size: Size) -> Self {
        Self { rows: size.rows, columns: size.columns }
    }
}

/// From the supervisor to a command.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "answer", deny_unknown_fields)]
pub(crate) enum Answer {
    /// Done; for an exec with a terminal, its controlling side is beside this packet.
    Done,
    /// It can't be: the session's program has no terminal to attach to.
    NoTerminal,
    /// The program could not be started.
    NotStarted { stage: EntryStage, errno: i32 },
    /// A mount is in use, or can't be made anew.
    NotRefreshed { target: String, errno: i32 },
    /// Its processes can't be frozen.
    NotFrozen { why: String },
    /// The program ended; for an exec its own, else the session's.
    Ended { status: Option<ExitStatus> },
}

/// One packet.
#[derive(Debug)]
pub(crate) enum Packet<W> {
    Word(W, Vec<OwnedFd>),
    Data(Vec<u8>),
    /// The other side is gone.
    Gone,
    /// None waits.
    Silent,
}

/// Listens at `path`, in place of a socket that was left over.
pub(crate) fn listen(path: &Path) -> Result<OwnedFd, Errno> {
    match rustix::fs::unlink(path) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(errno),
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    with_short_path(path, |address| rustix::net::bind(&socket, address))?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// Connects to a session's supervisor.
pub(crate) fn connect(path: &Path) -> Result<OwnedFd, Errno> {
    let socket =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    with_short_path(path, |address| rustix::net::connect(&socket, address))?;
    Ok(socket)
}

/// Addresses of unix sockets are short, state directories may be deep: the directory is named by a descriptor.
fn with_short_path(path: &Path, act: impl Fn(&SocketAddrUnix) -> Result<(), Errno>) -> Result<(), Errno> {
    use rustix::fd::AsRawFd as _;
    use rustix::fs::{Mode, OFlags};
    let parent = path.parent().ok_or(Errno::INVAL)?;
    let name = path.file_name().ok_or(Errno::INVAL)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(parent, flags, Mode::empty())?;
    let short = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
    act(&SocketAddrUnix::new(short)?)
}

/// Takes a waiting connection, if it is the owner's.
pub(crate) fn accept(listener: BorrowedFd<'_>, uid: u32) -> Result<Option<OwnedFd>, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    match rustix::net::accept_with(listener, flags) {
        Ok(socket) => {
            let peer = rustix::net::sockopt::socket_peercred(&socket)?;
            Ok((peer.uid.as_raw() == uid).then_some(socket))
        }
        Err(Errno::AGAIN | Errno::CONNABORTED | Errno::INTR) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Sends words, with descriptors beside them.
pub(crate) fn say<W: Serialize>(
    socket: BorrowedFd<'_>,
    word: &W,
    descriptors: &[BorrowedFd<'_>],
) -> Result<(), Errno> {
    let mut packet = vec![WORD];
    serde_json::to_writer(&mut packet, word).map_err(|_unwritable| Errno::INVAL)?;
    send(socket, &packet, descriptors)
}

/// Sends bytes of a terminal.
pub(crate) fn pass(socket: BorrowedFd<'_>, bytes: &[u8]) -> Result<(), Errno> {
    let mut packet = Vec::with_capacity(bytes.len() + 1);
    packet.push(DATA);
    packet.extend_from_slice(bytes);
    send(socket, &packet, &[])
}

fn send(socket: BorrowedFd<'_>, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    if bytes.len() > PACKET_BYTES_MAX {
        Err(Errno::MSGSIZE)
    } else {
        packet::send(socket, bytes, descriptors)
    }
}

/// Receives one packet; waits unless the socket is non-blocking.
pub(crate) fn hear<W: serde::de::DeserializeOwned>(socket: BorrowedFd<'_>) -> Result<Packet<W>, Errno> {
    let (bytes, descriptors) = match packet::receive(socket, PACKET_BYTES_MAX, RecvFlags::empty()) {
        Ok(Some(received)) => received,
        Err(Errno::AGAIN) => return Ok(Packet::Silent),
        Ok(None) | Err(Errno::PIPE) => return Ok(Packet::Gone),
        Err(errno) => return Err(errno),
    };
    match bytes.split_first() {
        Some((&DATA, bytes)) => Ok(Packet::Data(bytes.to_vec())),
        Some((&WORD, text)) => {
            let word = serde_json::from_slice(text).map_err(|_misunderstood| Errno::BADMSG)?;
            Ok(Packet::Word(word, descriptors))
        }
        Some((_, _)) | None => Err(Errno::BADMSG),
    }
}

/// A connection to the supervisor of a session, for one command.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) socket: OwnedFd,
}

impl Line {
    /// Connects; a session whose supervisor does not answer is not running.
    pub(crate) fn open(path: &Path, name: &str) -> Result<Self, Error> {
        connect(path).map(|socket| Self { socket }).map_err(|errno| {
            let error = Error::new(ErrorKind::WrongState, format!("cannot reach session {name}"));
            match errno {
                Errno::NOENT | Errno::CONNREFUSED => error.since("it is not running"),
                errno => error.because(errno),
            }
            .hint(format!("start it again: cofferdam resume -s {name}"))
        })
    }

    /// Asks, and waits for the first words of an answer.
    pub(crate) fn ask(
        &self,
        ask: &Ask,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(Answer, Vec<OwnedFd>), Error> {
        say(self.socket.as_fd(), ask, descriptors).map_err(broken)?;
        loop {
            match hear::<Answer>(self.socket.as_fd()).map_err(broken)? {
                Packet::Word(answer, descriptors) => return Ok((answer, descriptors)),
                Packet::Data(_) | Packet::Silent => {}
                Packet::Gone => return Ok((Answer::Ended { status: None }, Vec::new())),
            }
        }
    }
}

impl Line {
    /// Asks something that has an answer of its own; `None` if the session ended over it.
    pub(crate) fn inquire<A: serde::de::DeserializeOwned>(&self, ask: &Ask) -> Result<Option<A>, Error> {
        say(self.socket.as_fd(), ask, &[]).map_err(broken)?;
        loop {
            match hear::<A>(self.socket.as_fd()).map_err(broken)? {
                Packet::Word(answer, _) => return Ok(Some(answer)),
                Packet::Data(_) | Packet::Silent => {}
                Packet::Gone => return Ok(None),
            }
        }
    }
}

/// The line to the supervisor broke in the middle of a word.
pub(crate) fn broken(errno: Errno) -> Error {
    Error::new(ErrorKind::Internal, "cannot talk to the session's supervisor")
        .because(errno)
        .hint("see whether it still runs: cofferdam ls")
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::socketpair;

    fn pair() -> (OwnedFd, OwnedFd) {
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap()
    }

    #[test]
    fn words_and_bytes_keep_their_bounds() {
        let (a, b) = pair();
        say(a.as_fd(), &Ask::Refresh, &[b.as_fd()]).unwrap();
        pass(a.as_fd(), b"hello").unwrap();
        assert!(matches!(hear::<Ask>(b.as_fd()).unwrap(), Packet::Word(Ask::Refresh, fds) if fds.len() == 1));
        assert!(matches!(hear::<Ask>(b.as_fd()).unwrap(), Packet::Data(bytes) if bytes == b"hello"));
        drop(a);
        assert!(matches!(hear::<Ask>(b.as_fd()).unwrap(), Packet::Gone));
    }

    #[test]
    fn a_word_that_is_not_understood_is_an_error_and_not_a_guess() {
        let (a, b) = pair();
        send(a.as_fd(), b"w{\"ask\":\"stop\",\"grace_ms\":1,\"more\":1}", &[]).unwrap();
        assert!(hear::<Ask>(b.as_fd()).is_err());
        send(a.as_fd(), b"x", &[]).unwrap();
        assert!(hear::<Ask>(b.as_fd()).is_err());
    }
}
