//! Sockets and FIFOs of the host by name: paths, abstract names, and what `/proc/net` lists of them.

use std::thread;
use std::time::Duration;

use rustix::fs::{self, Mode, OFlags};
use rustix::io::{self, Errno};
use rustix::net::{self, AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType};

use crate::attempt::{Attempt, Radius};
use crate::finding::{Finding, Gate};
use crate::inside::proc;
use crate::plants::{Plant, PlantError, Plants};

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::forbidden(
        "unix-stream",
        "Connects to a socket of the host by its path.",
        "attacks 5",
        |plants| connect(plants.text(Plant::UnixStream)?),
    )
    .needs(&[Plant::UnixStream]),
    Attempt::forbidden("unix-datagram", "Sends a datagram to a socket of the host.", "attacks 5", |plants| {
        send(plants.text(Plant::UnixDatagram)?)
    })
    .needs(&[Plant::UnixDatagram]),
    Attempt::forbidden(
        "unix-stream-init-root",
        "Connects to it by the root of pid 1.",
        "attacks 5",
        |plants| {
            let (pid, path) = (plants.pid(Plant::InitPid)?, plants.text(Plant::UnixStream)?);
            connect(&format!("/proc/{pid}/root{path}"))
        },
    )
    .needs(&[Plant::UnixStream, Plant::InitPid]),
    Attempt::forbidden(
        "unix-abstract",
        "Connects to an abstract socket of the host.",
        "CVE-2020-15257",
        |plants| connect_abstract(plants.text(Plant::AbstractName)?),
    )
    .needs(&[Plant::AbstractName]),
    Attempt::forbidden(
        "unix-abstract-listed",
        "Finds the abstract name in /proc/net/unix.",
        "attacks 5",
        |plants| listed("/proc/net/unix", plants.text(Plant::AbstractName)?),
    )
    .needs(&[Plant::AbstractName]),
    Attempt::forbidden("fifo-write", "Writes to a FIFO that the host reads.", "attacks 3", write_fifo)
        .needs(&[Plant::Fifo]),
    Attempt::forbidden(
        "well-known-sockets",
        "Connects to any service socket where such lie.",
        "attacks 5",
        |_| well_known(),
    )
    .if_present(),
    Attempt::forbidden("tcp-port-listed", "Finds the host's port in /proc/net/tcp.", "attacks 4", |plants| {
        listed("/proc/net/tcp", &format!("0100007F:{:04X}", plants.port(Plant::HostPort)?))
    })
    .of(Radius::Exfiltration)
    .needs(&[Plant::HostPort]),
];

fn connect(path: &str) -> Result<Finding, PlantError> {
    let address = SocketAddrUnix::new(path);
    Ok(Gate::SOCKET.judge(path, address.and_then(|address| connect_to(&address))))
}

fn connect_abstract(name: &str) -> Result<Finding, PlantError> {
    let address = SocketAddrUnix::new_abstract_name(name.as_bytes());
    Ok(Gate::SOCKET.judge(&format!("@{name}"), address.and_then(|address| connect_to(&address))))
}

fn connect_to(address: &SocketAddrUnix) -> Result<(), Errno> {
    net::connect(socket(SocketType::STREAM)?, address)
}

fn socket(kind: SocketType) -> Result<rustix::fd::OwnedFd, Errno> {
    net::socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)
}

fn send(path: &str) -> Result<Finding, PlantError> {
    let sent = SocketAddrUnix::new(path).and_then(|address| {
        net::sendto(socket(SocketType::DGRAM)?, b"cofferdam-probe\n", SendFlags::NOSIGNAL, &address)
    });
    Ok(Gate::SOCKET.judge(path, sent))
}

/// How often, and how long apart, a FIFO is tried whose reader is between two readings.
const FIFO_TRIES: u32 = 5;
const FIFO_PAUSE: Duration = Duration::from_millis(20);

fn write_fifo(plants: &Plants) -> Result<Finding, PlantError> {
    let path = plants.text(Plant::Fifo)?;
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut opened = fs::open(path, flags, Mode::empty());
    for _ in 1..FIFO_TRIES {
        if !matches!(opened, Err(Errno::NXIO)) {
            break;
        }
        thread::sleep(FIFO_PAUSE);
        opened = fs::open(path, flags, Mode::empty());
    }
    Ok(Gate::PATH.judge(path, opened.and_then(|fd| io::write(fd, b"cofferdam-probe\n"))))
}

fn listed(path: &str, needle: &str) -> Result<Finding, PlantError> {
    Ok(match proc::read(path) {
        Ok(bytes) if proc::contains(&bytes, needle) => Finding::Reached(format!("{path}: it is listed")),
        Ok(_) => Finding::Held(format!("{path}: it is not listed")),
        failed @ Err(_) => Gate::PATH.judge(path, failed),
    })
}

/// Directories in which services put their sockets, and how deep below them is looked.
const SOCKET_DIRECTORIES: [&str; 4] = ["/run", "/var/run", "/tmp/.X11-unix", "/tmp/.ICE-unix"];
const SOCKET_DEPTH_MAX: u32 = 4;
/// How many directory entries are looked at.
const SOCKET_ENTRIES_MAX: usize = 4096;

fn well_known() -> Result<Finding, PlantError> {
    let mut left = SOCKET_ENTRIES_MAX;
    let mut sockets = Vec::new();
    for directory in SOCKET_DIRECTORIES {
        find_sockets(directory, SOCKET_DEPTH_MAX, &mut left, &mut sockets);
    }
    // Only the right to connect is asked: a stranger's service is not spoken to, not even by a connection.
    let writable = sockets.iter().find(|path| fs::access(path.as_str(), fs::Access::WRITE_OK).is_ok());
    Ok(match writable {
        Some(path) => Finding::Reached(format!("{path}: may be connected to")),
        None if sockets.is_empty() => Finding::Held("no socket is to be seen".to_owned()),
        None => Finding::Held(format!("{} sockets are seen, none may be connected to", sockets.len())),
    })
}

fn find_sockets(directory: &str, depth: u32, left: &mut usize, found: &mut Vec<String>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    for name in proc::names(directory).unwrap_or_default() {
        let Some(fewer) = left.checked_sub(1) else { return };
        *left = fewer;
        let path = format!("{directory}/{name}");
        let kind = fs::lstat(path.as_str()).map(|state| fs::FileType::from_raw_mode(state.st_mode));
        match kind {
            Ok(fs::FileType::Socket) => found.push(path),
            Ok(fs::FileType::Directory) => find_sockets(&path, depth, left, found),
            Ok(_) | Err(_) => {}
        }
    }
}
