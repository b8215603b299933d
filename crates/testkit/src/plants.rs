//! Things outside every cell that an attack goes for, each of which tells whether it was reached.
//!
//! The witness stands on the host's side: a program in a cell that says "blocked" is not believed, nor one that says
//! "reached". Every plant is within reach of the owner outside a cell, so that the positive control can succeed.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::{SocketAddr as NetworkAddress, TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, OFlags, mkfifoat};

use crate::{Home, Running, must, until};

/// What the writable file holds until somebody reaches it.
const UNTOUCHED: &[u8] = b"untouched\n";
/// How often the listeners look whether the test is over.
const LISTEN_MILLIS: u32 = 50;

/// Sockets, a pipe, files and a process of the owner's, in `plants` below the home, outside `work` and `$HOME`.
#[derive(Debug)]
pub struct Plants {
    directory: PathBuf,
    canary: String,
    abstract_stream: String,
    abstract_datagram: String,
    in_tmp: tempfile::NamedTempFile,
    victim: Running,
    watched: Arc<Watched>,
}

/// The host's ends, and who came to them.
#[derive(Debug)]
struct Watched {
    canary: String,
    stream: UnixListener,
    datagram: UnixDatagram,
    abstract_stream: UnixListener,
    abstract_datagram: UnixDatagram,
    tcp: TcpListener,
    udp: UdpSocket,
    fifo: File,
    contacts: Mutex<Vec<&'static str>>,
    over: AtomicBool,
}

impl Plants {
    #[track_caller]
    pub(crate) fn set(home: &Home) -> Self {
        let directory = home.directory(home.root().join("plants"));
        let canary = format!("canary-of-{}", home.tag());
        let (abstract_stream, abstract_datagram) =
            (home.abstract_name("stream"), home.abstract_name("datagram"));
        let watched = Arc::new(Watched::listen(&directory, &canary, &abstract_stream, &abstract_datagram));
        home.write(directory.join("secret"), &canary);
        home.write(directory.join("writable"), UNTOUCHED);
        for name in ["stream.sock", "datagram.sock", "fifo", "writable"] {
            let path = directory.join(name);
            home.give(&path);
            must(fs::set_permissions(&path, fs::Permissions::from_mode(0o666)), "open a plant to everybody");
        }
        let mut in_tmp =
            must(tempfile::Builder::new().prefix("cdt-").tempfile_in("/tmp"), "make a file in /tmp");
        must(in_tmp.write_all(canary.as_bytes()), "write a file in /tmp");
        must(
            fs::set_permissions(in_tmp.path(), fs::Permissions::from_mode(0o666)),
            "open a plant to everybody",
        );
        // In its environment, its memory and its command line.
        let hold = "exec -a \"$PLANTED_CANARY\" sleep 100000";
        let victim = home.invoke("bash").args(["-c", hold]).env("PLANTED_CANARY", &canary).start();
        until("the victim to hold the canary", || {
            let line = fs::read(format!("/proc/{}/cmdline", victim.pid())).ok()?;
            line.starts_with(canary.as_bytes()).then_some(())
        });
        let serving = Arc::clone(&watched);
        thread::spawn(move || serving.serve());
        Self { directory, canary, abstract_stream, abstract_datagram, in_tmp, victim, watched }
    }

    /// The directory that holds the plants with a path.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A listening stream socket.
    #[must_use]
    pub fn stream_socket(&self) -> PathBuf {
        self.directory.join("stream.sock")
    }

    /// A bound datagram socket.
    #[must_use]
    pub fn datagram_socket(&self) -> PathBuf {
        self.directory.join("datagram.sock")
    }

    /// A fifo that is read outside.
    #[must_use]
    pub fn fifo(&self) -> PathBuf {
        self.directory.join("fifo")
    }

    /// A file that holds [`Plants::canary`].
    #[must_use]
    pub fn secret_file(&self) -> PathBuf {
        self.directory.join("secret")
    }

    /// What must be found nowhere in what a cell shows: in the secret file, the victim, and what the listeners say.
    #[must_use]
    pub fn canary(&self) -> &str {
        &self.canary
    }

    /// A file that everybody may write.
    #[must_use]
    pub fn writable_file(&self) -> PathBuf {
        self.directory.join("writable")
    }

    /// The name of a listening abstract stream socket, without the leading NUL.
    #[must_use]
    pub fn abstract_stream(&self) -> &str {
        &self.abstract_stream
    }

    /// The name of a bound abstract datagram socket, without the leading NUL.
    #[must_use]
    pub fn abstract_datagram(&self) -> &str {
        &self.abstract_datagram
    }

    /// A TCP listener on the host's loopback.
    #[track_caller]
    #[must_use]
    pub fn tcp(&self) -> NetworkAddress {
        must(self.watched.tcp.local_addr(), "read an address")
    }

    /// A UDP socket on the host's loopback.
    #[track_caller]
    #[must_use]
    pub fn udp(&self) -> NetworkAddress {
        must(self.watched.udp.local_addr(), "read an address")
    }

    /// A process of the owner's whose environment holds the secret.
    #[must_use]
    pub fn victim(&self) -> u32 {
        self.victim.pid()
    }

    /// The plants by the names that the probe knows, as its `--plants` takes them: a JSON map of strings. What depends
    /// on the cell (`init-pid`, `workspace`, the caps) the test adds.
    #[track_caller]
    #[must_use]
    pub fn for_probe(&self) -> serde_json::Value {
        let line = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        serde_json::json!({
            "outside-file": self.secret_file(),
            "outside-dir": self.directory,
            "canary": self.canary,
            "outside-pid": self.victim().to_string(),
            "unix-stream": self.stream_socket(),
            "unix-datagram": self.datagram_socket(),
            "abstract-name": self.abstract_stream,
            "fifo": self.fifo(),
            "host-port": self.tcp().port().to_string(),
            "host-name": line("/proc/sys/kernel/hostname"),
            "machine-id": line("/etc/machine-id"),
            "tmp-canary": self.in_tmp.path(),
            "host-namespaces": own_namespaces(),
        })
    }

    /// The names of the plants that were reached since the last question, as the host sees it. (Reading the canary
    /// leaves no trace: look for [`Plants::canary`] in what the cell put out.)
    #[track_caller]
    #[must_use]
    pub fn reached(&mut self) -> Vec<&'static str> {
        let mut reached = std::mem::take(&mut *self.watched.drain());
        if must(fs::read(self.writable_file()), "read a plant") != UNTOUCHED {
            must(fs::write(self.writable_file(), UNTOUCHED), "write a plant");
            reached.push("writable_file");
        }
        // A child that was killed and not yet waited for has no command line any more.
        let line = fs::read(format!("/proc/{}/cmdline", self.victim.pid())).unwrap_or_default();
        if !line.starts_with(self.canary.as_bytes()) {
            reached.push("victim");
        }
        reached
    }
}

impl Drop for Plants {
    fn drop(&mut self) {
        self.watched.over.store(true, Ordering::Relaxed);
    }
}

impl Watched {
    #[track_caller]
    fn listen(directory: &Path, canary: &str, stream: &str, datagram: &str) -> Self {
        let fifo = directory.join("fifo");
        must(mkfifoat(CWD, &fifo, Mode::from_raw_mode(0o666)), "make a fifo");
        // Held at both ends, so that a writer need not wait for a reader.
        let fifo = OpenOptions::new().read(true).write(true).custom_flags(nonblocking()).open(&fifo);
        let watched = Self {
            canary: canary.to_owned(),
            stream: must(UnixListener::bind(directory.join("stream.sock")), "bind a socket"),
            datagram: must(UnixDatagram::bind(directory.join("datagram.sock")), "bind a socket"),
            abstract_stream: must(UnixListener::bind_addr(&named(stream)), "bind an abstract socket"),
            abstract_datagram: must(UnixDatagram::bind_addr(&named(datagram)), "bind an abstract socket"),
            tcp: must(TcpListener::bind("127.0.0.1:0"), "listen on the loopback"),
            udp: must(UdpSocket::bind("127.0.0.1:0"), "listen on the loopback"),
            fifo: must(fifo, "open a fifo"),
            contacts: Mutex::default(),
            over: AtomicBool::new(false),
        };
        let set = [
            watched.stream.set_nonblocking(true),
            watched.datagram.set_nonblocking(true),
            watched.abstract_stream.set_nonblocking(true),
            watched.abstract_datagram.set_nonblocking(true),
            watched.tcp.set_nonblocking(true),
            watched.udp.set_nonblocking(true),
        ];
        for result in set {
            must(result, "make a socket non-blocking");
        }
        watched
    }

    /// Answers those who connect until the test is over.
    fn serve(&self) {
        let pause = Timespec { tv_sec: 0, tv_nsec: i64::from(LISTEN_MILLIS) * 1_000_000 };
        while !self.over.load(Ordering::Relaxed) {
            let mut listeners = [
                PollFd::new(&self.stream, PollFlags::IN),
                PollFd::new(&self.abstract_stream, PollFlags::IN),
                PollFd::new(&self.tcp, PollFlags::IN),
            ];
            if poll(&mut listeners, Some(&pause)).is_ok_and(|ready| ready > 0) {
                drop(self.drain());
            }
        }
    }

    /// Notes everybody who is there, and tells those who can hear it the canary. A connection waits in the backlog and a
    /// datagram in the buffer until then, and the lock is held from taking it to noting it: nothing is missed.
    fn drain(&self) -> MutexGuard<'_, Vec<&'static str>> {
        let mut contacts = self.contacts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut buffer = [0; 4096];
        let told = self.canary.as_bytes();
        // Who hangs up before the canary was said was there all the same.
        let came = [
            ("stream_socket", self.stream.accept().map(|(mut peer, _)| peer.write_all(told).is_ok()).is_ok()),
            ("datagram_socket", self.datagram.recv(&mut buffer).is_ok()),
            (
                "abstract_stream",
                self.abstract_stream.accept().map(|(mut peer, _)| peer.write_all(told).is_ok()).is_ok(),
            ),
            ("abstract_datagram", self.abstract_datagram.recv(&mut buffer).is_ok()),
            ("tcp", self.tcp.accept().map(|(mut peer, _)| peer.write_all(told).is_ok()).is_ok()),
            ("udp", self.udp.recv(&mut buffer).is_ok()),
            ("fifo", (&self.fifo).read(&mut buffer).is_ok_and(|count| count > 0)),
        ];
        contacts.extend(came.into_iter().filter_map(|(name, came)| came.then_some(name)));
        contacts
    }
}

/// What the links in `/proc/self/ns` say, blanks between.
fn own_namespaces() -> String {
    let entries = must(fs::read_dir("/proc/self/ns"), "list the namespaces");
    let links = entries.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    links.map(|link| link.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn named(name: &str) -> SocketAddr {
    must(SocketAddr::from_abstract_name(name), "name an abstract socket")
}

fn nonblocking() -> i32 {
    OFlags::NONBLOCK.bits().cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Owner;
    use std::os::unix::net::UnixStream;

    #[test]
    fn nothing_is_reached_until_it_is_and_then_it_is_told_once() {
        let home = Home::of(Owner::current());
        let mut plants = home.plants();
        assert_eq!(plants.reached(), Vec::<&str>::new());
        let mut heard = String::new();
        UnixStream::connect(plants.stream_socket()).unwrap().read_to_string(&mut heard).unwrap();
        assert_eq!(heard, plants.canary());
        UnixStream::connect_addr(&named(plants.abstract_stream())).unwrap();
        std::net::TcpStream::connect(plants.tcp()).unwrap();
        let sender = UnixDatagram::unbound().unwrap();
        sender.send_to(b"x", plants.datagram_socket()).unwrap();
        sender.send_to_addr(b"x", &named(plants.abstract_datagram())).unwrap();
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"x", plants.udp()).unwrap();
        fs::write(plants.writable_file(), "changed").unwrap();
        OpenOptions::new().write(true).open(plants.fifo()).and_then(|mut fifo| fifo.write_all(b"x")).unwrap();
        assert_eq!(plants.reached().len(), 8);
        assert_eq!(plants.reached(), Vec::<&str>::new());
    }

    #[test]
    fn an_ordinary_owner_outside_a_cell_reaches_the_plants() {
        let home = Home::of(Owner::Ordinary);
        let mut plants = home.plants();
        let read = home.invoke("cat").arg(plants.secret_file()).run();
        assert_eq!(read.stdout(), plants.canary());
        let environment = home.invoke("cat").arg(format!("/proc/{}/environ", plants.victim())).run();
        assert!(environment.stdout().contains(plants.canary()), "{environment}");
        home.invoke("sh")
            .args(["-c", "echo x > \"$1\"; echo x > \"$2\"; kill -9 \"$3\"", "sh"])
            .arg(plants.fifo())
            .arg(plants.writable_file())
            .arg(plants.victim().to_string())
            .run()
            .assert_success();
        let reached = plants.reached();
        for name in ["fifo", "writable_file", "victim"] {
            assert!(reached.contains(&name), "{reached:?}");
        }
    }
}
