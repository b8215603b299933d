//! A gateway in this process: the test is its supervisor, its relay and its cell.

use crate::asking::Asking;
use crate::authority::{self, Authority, CERTIFICATE_FILE};
use crate::exchange::{Exchange, HeldSecret};
use crate::gate::{Gate, Parts};
use crate::origin::{ClientTls, Dialer, Origins, Pool, Resolver, Upstream};
use crate::passage::Revoked;
use crate::process;
use crate::publish::{Peers, Published};
use crate::renewal::Renewals;
use crate::secret::store::Store;
use crate::wire::{self, Ask, Order, RequestNote, UpstreamProxy, Word};
use crate::words::Words;
use cofferdam_policy::event::UnixNanos;
use cofferdam_policy::net::arrival::Arrival;
use cofferdam_policy::net::grant::{Grant, GrantOrigin};
use cofferdam_policy::net::host::DnsName;
use cofferdam_policy::net::refusal::RefusalReason;
use cofferdam_syscall::packet;
use rustix::fd::{AsFd, OwnedFd};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, socketpair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const PATIENCE: Duration = Duration::from_secs(10);

/// Runs a test on one thread, as the gateway runs.
pub(crate) fn run<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { timeout(Duration::from_secs(50), test).await.expect("the test hangs") })
}

/// What a test wants otherwise than usual.
#[derive(Default)]
pub(super) struct Wishes {
    pub(super) grants: Vec<String>,
    pub(super) denied: Vec<String>,
    pub(super) ask: Option<Ask>,
    pub(super) proxy: Option<UpstreamProxy>,
    /// Lines of `hosts`, and of `resolv.conf`.
    pub(super) hosts: String,
    pub(super) resolv: String,
    pub(super) secrets: Vec<HeldSecret>,
    /// In place of those.
    pub(super) exchange: Option<Exchange>,
    /// Where logins are refreshed, and the clock.
    pub(super) logins: Option<(Store, fn() -> UnixNanos)>,
}

/// A gateway, and the ends of its sockets that others hold.
pub(super) struct Cell {
    pub(super) gate: Arc<Gate>,
    home: tempfile::TempDir,
    supervisor: OwnedFd,
    relay: OwnedFd,
    seen: std::cell::RefCell<Vec<Word>>,
}

/// One that grants these lines, and believes the origins of these tests.
pub(super) fn cell(grants: &[&str]) -> Cell {
    start(Wishes { grants: grants.iter().map(|line| (*line).to_owned()).collect(), ..Wishes::default() })
}

pub(super) fn start(wishes: Wishes) -> Cell {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("authority");
    authority::make(&directory, std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    let file = |name: &str, text: &str| -> PathBuf {
        let path = home.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let places = wire::Resolver {
        configuration: file("resolv.conf", &wishes.resolv),
        hosts: file("hosts", &wishes.hosts),
    };
    let revoked = Revoked::none();
    let dialer = Dialer {
        resolver: Resolver::read(&places),
        tls: ClientTls::believing(vec![super::origin::authority()]).unwrap(),
        upstream: wishes.proxy.as_ref().map(|proxy| Upstream::read(proxy).unwrap()),
    };
    let grant = |line: &String| Grant::from_line(line, GrantOrigin::Policy).unwrap();
    let gate = Gate::new(Parts {
        grants: wishes.grants.iter().map(grant).collect(),
        denied: wishes.denied.iter().map(|pattern| pattern.parse().unwrap()).collect(),
        authority: Authority::read(&directory).unwrap(),
        exchange: Arc::new(wishes.exchange.unwrap_or_else(|| Exchange::new(wishes.secrets).unwrap())),
        origins: Origins { dialer, pool: Pool::new(revoked.clone()) },
        renewals: match wishes.logins {
            Some((store, clock)) => Renewals::new(Some(store), clock),
            None => Renewals::new(None, || UnixNanos(0)),
        },
        words: Words::default(),
        asking: Asking::new(wishes.ask),
        revoked,
    });
    let pair = || socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    let ((supervisor, theirs), (relay, arrivals)) = (pair(), pair());
    let published = Published::new(Peers::open().ok());
    tokio::spawn(process::live(Arc::clone(&gate), published, theirs, arrivals));
    Cell { gate, home, supervisor, relay, seen: std::cell::RefCell::default() }
}

impl Cell {
    /// A connection of a program in the cell to `to`: `name:port`, or an address.
    pub(super) async fn connect(&self, to: &str) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (taken, _) = listener.accept().await.unwrap();
        let arrival = match to.parse::<SocketAddr>() {
            Ok(destination) => Arrival { destination, name: None },
            Err(_) => {
                let (name, port) = to.rsplit_once(':').unwrap();
                let destination = SocketAddr::new("198.18.0.16".parse().unwrap(), port.parse().unwrap());
                Arrival { destination, name: Some(DnsName::parse(name).unwrap()) }
            }
        };
        self.arrive(&arrival.encode(), &[taken.into_std().unwrap().into()]);
        client
    }

    /// What a relay may send, lawful or not.
    pub(super) fn arrive(&self, message: &[u8], descriptors: &[OwnedFd]) {
        let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        packet::send(self.relay.as_fd(), message, &borrowed).unwrap();
    }

    /// The same with TLS that believes the cells' authority, and these protocols.
    pub(super) async fn connect_tls(&self, to: &str, name: &str, alpn: &[&str]) -> TlsStream<TcpStream> {
        let socket = self.connect(to).await;
        self.tls(socket, name, alpn).await.unwrap()
    }

    pub(super) async fn tls(
        &self,
        socket: TcpStream,
        name: &str,
        alpn: &[&str],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let text = std::fs::read(self.home.path().join("authority").join(CERTIFICATE_FILE)).unwrap();
        let config = believing(CertificateDer::from_pem_slice(&text).unwrap(), alpn);
        let name = ServerName::try_from(name.to_owned()).unwrap();
        timeout(PATIENCE, TlsConnector::from(config).connect(name, socket)).await.unwrap()
    }

    pub(super) fn order(&self, order: &Order) {
        wire::send(self.supervisor.as_fd(), order).unwrap();
    }

    pub(super) fn order_beside(&self, order: &Order, descriptors: &[OwnedFd]) {
        let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        wire::order_beside(self.supervisor.as_fd(), order, &borrowed).unwrap();
    }

    /// Waits for a word, and keeps the others.
    pub(super) async fn word<T>(&self, mut wanted: impl FnMut(&Word) -> Option<T>) -> T {
        let look = async {
            loop {
                {
                    let mut seen = self.seen.borrow_mut();
                    let found = seen.iter().enumerate().find_map(|(at, word)| Some((at, wanted(word)?)));
                    if let Some((at, found)) = found {
                        seen.remove(at);
                        return found;
                    }
                }
                match wire::receive::<Word>(self.supervisor.as_fd(), RecvFlags::DONTWAIT) {
                    Ok(Some(word)) => self.seen.borrow_mut().push(word),
                    Ok(None) => panic!("the gateway is gone"),
                    Err(rustix::io::Errno::AGAIN) => sleep(Duration::from_millis(5)).await,
                    Err(errno) => panic!("{errno}"),
                }
            }
        };
        match timeout(PATIENCE, look).await {
            Ok(found) => found,
            Err(_) => panic!("there is no such word among {:?}", self.seen.borrow()),
        }
    }

    /// Waits until a refusal is said for this reason.
    pub(super) async fn refused(&self, reason: RefusalReason) -> wire::RefusalNote {
        self.word(|word| {
            let Word::Refused(note) = word else { return None };
            (note.reason == reason).then(|| note.clone())
        })
        .await
    }

    /// Waits until a request is told of.
    pub(super) async fn request(&self) -> RequestNote {
        self.word(|word| {
            let Word::Requests { requests, .. } = word else { return None };
            requests.first().cloned()
        })
        .await
    }
}

fn believing(authority: CertificateDer<'static>, alpn: &[&str]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(authority).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// Says something and hears all that comes until the end.
pub(super) async fn say<S: AsyncRead + tokio::io::AsyncWrite + Unpin>(stream: &mut S, text: &str) -> String {
    stream.write_all(text.as_bytes()).await.unwrap();
    hear(stream).await
}

/// All that comes until the end, or until nothing comes for a while.
pub(super) async fn hear<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut heard = Vec::new();
    // A reset is an end, too.
    let _ended = timeout(PATIENCE, stream.read_to_end(&mut heard)).await.expect("the connection hangs");
    String::from_utf8_lossy(&heard).into_owned()
}

/// Whether the connection ends with a reset, and nothing said.
pub(super) async fn is_reset(stream: &mut TcpStream) -> bool {
    let mut heard = Vec::new();
    let ended = timeout(PATIENCE, stream.read_to_end(&mut heard)).await.expect("the connection hangs");
    heard.is_empty() && ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
}

/// A request that ends its connection.
pub(super) fn get(path: &str, host: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}
