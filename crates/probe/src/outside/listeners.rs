//! What listens outside: sockets by path and by abstract name, a FIFO, and ports of the host's loopback.
//!
//! Each says the canary to whoever comes, so that the inside knows what it met, and notes what it is sent, so that the
//! outside knows too. They serve until the process ends: a collector is one.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixDatagram, UnixListener};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::outside::datagrams;
use crate::plants::Plant;
use crate::witness::Contact;

/// How long a listener waits for more from whoever came.
const CONTACT_TIME_MAX: Duration = Duration::from_secs(2);
/// The most that is kept of one piece, in bytes.
const CONTACT_BYTES_MAX: usize = 64 << 10;
/// The most contacts that are kept.
const CONTACTS_MAX: usize = 10_000;

/// What came to the listeners so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Contacts(Arc<Mutex<Vec<Contact>>>);

impl Contacts {
    /// Notes one.
    pub(crate) fn note(&self, listener: Plant, bytes: &[u8]) {
        self.note_as(listener.name(), bytes);
    }

    /// Notes something that came to no listener of a plant's.
    pub(crate) fn note_as(&self, listener: &'static str, bytes: &[u8]) {
        let mut contacts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if contacts.len() < CONTACTS_MAX {
            contacts.push(Contact { listener, bytes: bytes.to_vec() });
        }
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Contact> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A listener in the making.
#[derive(Debug, Clone)]
pub(crate) struct Listener {
    pub(crate) plant: Plant,
    pub(crate) canary: String,
    pub(crate) contacts: Contacts,
}

impl Listener {
    /// Listens at `path`.
    pub(crate) fn at_path(&self, path: &Path) -> io::Result<()> {
        let listener = UnixListener::bind(path)?;
        self.serve(move || listener.accept().map(|(stream, _)| stream));
        Ok(())
    }

    /// Takes datagrams at `path`.
    pub(crate) fn datagrams_at_path(&self, path: &Path) -> io::Result<()> {
        let (socket, own) = (UnixDatagram::bind(path)?, self.clone());
        thread::spawn(move || {
            let mut bytes = vec![0; 4096];
            while let Ok(length) = socket.recv(&mut bytes) {
                own.contacts.note(own.plant, bytes.get(..length).unwrap_or_default());
            }
        });
        Ok(())
    }

    /// Listens at an abstract name.
    pub(crate) fn at_abstract(&self, name: &str) -> io::Result<()> {
        let listener = UnixListener::bind_addr(&UnixAddress::from_abstract_name(name)?)?;
        self.serve(move || listener.accept().map(|(stream, _)| stream));
        Ok(())
    }

    /// Reads a FIFO that is made at `path`.
    pub(crate) fn fifo(&self, path: &Path) -> io::Result<()> {
        rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::from_raw_mode(0o666))?;
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o666))?;
        // Open for both, so that it always has a reader and never ends.
        let (mut fifo, own) = (File::options().read(true).write(true).open(path)?, self.clone());
        thread::spawn(move || {
            let mut bytes = vec![0; 4096];
            while let Ok(length @ 1..) = fifo.read(&mut bytes) {
                own.contacts.note(own.plant, bytes.get(..length).unwrap_or_default());
            }
        });
        Ok(())
    }

    /// Listens at a port of both loopbacks, and of `address` if the host has one besides; tells the port. A machine
    /// without IPv6 has the first only.
    pub(crate) fn tcp(&self, address: Option<IpAddr>) -> io::Result<u16> {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = first.local_addr()?.port();
        let more = [Some(IpAddr::V6(Ipv6Addr::LOCALHOST)), address];
        let more = more.into_iter().flatten().filter_map(|address| TcpListener::bind((address, port)).ok());
        for listener in std::iter::once(first).chain(more) {
            self.serve(move || listener.accept().map(|(stream, _)| stream));
        }
        Ok(port)
    }

    /// Takes datagrams at a port of both loopbacks, of `address`, of a group and of all; tells the port.
    pub(crate) fn udp(&self, address: Option<IpAddr>) -> io::Result<u16> {
        let (port, sockets) = datagrams::bind(address)?;
        for socket in sockets {
            let own = self.clone();
            thread::spawn(move || {
                datagrams::serve(&socket, &own.canary, |bytes| own.contacts.note(own.plant, bytes));
            });
        }
        Ok(port)
    }

    fn serve<S: Conversation>(&self, accept: impl Fn() -> io::Result<S> + Send + 'static) {
        let own = self.clone();
        thread::spawn(move || {
            while let Ok(stream) = accept() {
                let own = own.clone();
                thread::spawn(move || own.converse(stream));
            }
        });
    }

    /// Notes each piece as it comes: a peer that keeps its end open is noted all the same.
    fn converse(&self, mut stream: impl Conversation) {
        stream.bound(CONTACT_TIME_MAX).ok();
        self.contacts.note(self.plant, &[]);
        stream.write_all(self.canary.as_bytes()).ok();
        let mut bytes = vec![0; CONTACT_BYTES_MAX];
        while let Ok(length @ 1..) = stream.read(&mut bytes) {
            self.contacts.note(self.plant, bytes.get(..length).unwrap_or_default());
        }
    }
}

trait Conversation: Read + Write + Send + 'static {
    fn bound(&self, time_max: Duration) -> io::Result<()>;
}

impl Conversation for std::net::TcpStream {
    fn bound(&self, time_max: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time_max))
    }
}

impl Conversation for std::os::unix::net::UnixStream {
    fn bound(&self, time_max: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time_max))
    }
}

/// An address of this machine that is not its loopback: the one that it would send from. Nothing is sent.
pub(crate) fn own_address() -> Option<IpAddr> {
    // A documentation address (RFC 5737): to connect a datagram socket only looks up the route.
    let elsewhere = SocketAddr::from(([192, 0, 2, 1], 9));
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(elsewhere).ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|address| !address.is_loopback())
}
