//! HTTP servers on the loopback: a closure answers, everything is recorded, and all of it ends with the value.
//!
//! HTTP/1.1 and HTTP/2, chosen by ALPN under TLS and by the client's first bytes without. It resolves no names: a test
//! tells its programs that a name lives at [`Server::address`]. Faulty servers (endless headers, broken TLS) are no
//! business of this one.

mod exchange;
mod io;

pub use exchange::{Answer, Seen};

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsAcceptor;

use crate::pki::{Pki, Validity};
use crate::{must, until};
use exchange::Body;
use io::{Connection, Pieces, Tasks};

/// So much of a request's body is kept; the rest is counted.
pub const BODY_KEPT_BYTES_MAX: usize = 16 << 20;
/// Pieces of an answer that wait to be sent.
const PIECES_WAITING_MAX: usize = 4;
/// How long what still runs when the server ends may take to end.
const END_SECONDS_MAX: u64 = 5;
/// What a client that speaks HTTP/2 without TLS begins with (RFC 9113, section 3.4); no method begins so.
const HTTP2_PREFACE_START: &[u8] = b"PRI ";

type Handler = dyn Fn(&Seen) -> Answer + Send + Sync;

/// A running server.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    scheme: &'static str,
    record: Record,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// All requests that came, in the order in which they were complete.
#[derive(Debug, Clone, Default)]
struct Record(Arc<Mutex<Vec<Seen>>>);

impl Server {
    /// Without TLS, on a free port of 127.0.0.1.
    #[track_caller]
    #[must_use]
    pub fn plain(answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        Self::start("http", (Ipv4Addr::LOCALHOST, 0).into(), None, Arc::new(answer))
    }

    /// With TLS, on a free port of 127.0.0.1, with one leaf for all of these names.
    #[track_caller]
    #[must_use]
    pub fn secure(
        pki: &Pki,
        names: &[&str],
        answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::secure_at((Ipv4Addr::LOCALHOST, 0).into(), pki.leaf(names, Validity::Current), answer)
    }

    /// With TLS, at an address of the test's choice (in a network namespace of its own, say), with this leaf.
    #[track_caller]
    #[must_use]
    pub fn secure_at(
        address: SocketAddr,
        leaf: Arc<CertifiedKey>,
        answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::start("https", address, Some(acceptor(leaf)), Arc::new(answer))
    }

    #[track_caller]
    fn start(
        scheme: &'static str,
        address: SocketAddr,
        tls: Option<TlsAcceptor>,
        answer: Arc<Handler>,
    ) -> Self {
        let listener = must(std::net::TcpListener::bind(address), format_args!("listen on {address}"));
        must(listener.set_nonblocking(true), "make the listener wait for nobody");
        let address = must(listener.local_addr(), "read the listener's address");
        let record = Record::default();
        let service = Service { tls, answer, record: record.clone() };
        let (stop, stopped) = oneshot::channel();
        let runtime =
            must(tokio::runtime::Builder::new_current_thread().enable_all().build(), "make a runtime");
        let thread = std::thread::spawn(move || {
            runtime.block_on(async move {
                let listener = must(TcpListener::from_std(listener), "take the listener");
                tokio::select! {
                    () = service.accept_all(listener) => {}
                    _asked_or_dropped = stopped => {}
                }
            });
            runtime.shutdown_timeout(Duration::from_secs(END_SECONDS_MAX));
        });
        Self { address, scheme, record, stop: Some(stop), thread: Some(thread) }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `https://NAME:PORT`, without a slash at its end.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        format!("{}://{name}:{}", self.scheme, self.address.port())
    }

    /// All that was asked so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.record.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until a request came for which `wanted` holds, and returns it.
    #[track_caller]
    pub fn wait_for(&self, what: &str, wanted: impl Fn(&Seen) -> bool) -> Seen {
        until(what, || self.seen().into_iter().find(|seen| wanted(seen)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in there has been shown already, and a panic in a drop would hide the test's own.
            let _ended_badly = thread.join().is_err();
        }
    }
}

/// Gives the same leaf to whoever asks, for whatever name: that it fits is the client's to check.
#[derive(Debug)]
struct OneLeaf(Arc<CertifiedKey>);

impl ResolvesServerCert for OneLeaf {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

#[track_caller]
fn acceptor(leaf: Arc<CertifiedKey>) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions =
        rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = must(versions, "choose TLS versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(OneLeaf(leaf)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

#[derive(Clone)]
struct Service {
    tls: Option<TlsAcceptor>,
    answer: Arc<Handler>,
    record: Record,
}

impl Service {
    async fn accept_all(self, listener: TcpListener) {
        loop {
            let Ok((stream, _peer)) = listener.accept().await else { return };
            drop(tokio::spawn(self.clone().serve(stream)));
        }
    }

    /// A connection that breaks is the client's to notice.
    async fn serve(self, stream: TcpStream) {
        let _no_matter = stream.set_nodelay(true).is_err();
        let Some(tls) = &self.tls else {
            let mut start = [0; HTTP2_PREFACE_START.len()];
            let over_http2 = stream
                .peek(&mut start)
                .await
                .is_ok_and(|read| start.get(..read) == Some(HTTP2_PREFACE_START));
            return self.speak(stream, over_http2, None).await;
        };
        let Ok(stream) = tls.accept(stream).await else { return };
        let (_, session) = stream.get_ref();
        let over_http2 = session.alpn_protocol() == Some(b"h2");
        let sni = session.server_name().map(str::to_owned);
        self.speak(stream, over_http2, sni).await;
    }

    async fn speak<S>(self, stream: S, over_http2: bool, sni: Option<String>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = hyper::service::service_fn(|request| self.clone().exchange(request, sni.clone()));
        let stream = Connection::new(stream);
        let _broken = if over_http2 {
            hyper::server::conn::http2::Builder::new(Tasks).serve_connection(stream, service).await.is_err()
        } else {
            hyper::server::conn::http1::Builder::new().serve_connection(stream, service).await.is_err()
        };
    }

    async fn exchange(
        self,
        request: Request<Incoming>,
        sni: Option<String>,
    ) -> Result<Response<Pieces>, hyper::Error> {
        let seen = read(request, sni).await?;
        self.record.0.lock().unwrap_or_else(PoisonError::into_inner).push(seen.clone());
        let (head, made) = oneshot::channel();
        let (sender, pieces) = mpsc::channel(PIECES_WAITING_MAX);
        drop(tokio::task::spawn_blocking(move || {
            let Answer { status, headers, body } = (self.answer)(&seen);
            let length = match &body {
                Body::Whole(bytes) => u64::try_from(bytes.len()).ok(),
                Body::Pieces(_) => None,
            };
            // Whoever asked may be gone; then nobody misses the answer.
            let mut wanted = head.send((status, headers, length)).is_ok();
            let mut send = |piece: Vec<u8>| {
                wanted = wanted && sender.blocking_send(Bytes::from(piece)).is_ok();
                wanted
            };
            match body {
                Body::Whole(bytes) if bytes.is_empty() => {}
                Body::Whole(bytes) => drop(send(bytes)),
                Body::Pieces(mut pieces) => drop(pieces.all(send)),
            }
        }));
        let (status, headers, length) = made.await.unwrap_or((500, Vec::new(), Some(0)));
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(name, value);
        }
        Ok(must(response.body(Pieces { pieces, length }), "put an answer together"))
    }
}

async fn read(request: Request<Incoming>, sni: Option<String>) -> Result<Seen, hyper::Error> {
    let (parts, mut incoming) = request.into_parts();
    let mut body = Vec::new();
    let mut body_bytes = 0;
    while let Some(frame) = incoming.frame().await {
        let frame = frame?;
        let Some(data) = frame.data_ref() else { continue };
        body_bytes += u64::try_from(data.len()).unwrap_or_default();
        let room = BODY_KEPT_BYTES_MAX.saturating_sub(body.len()).min(data.len());
        body.extend_from_slice(data.get(..room).unwrap_or_default());
    }
    let headers = parts.headers.iter();
    let headers = headers.map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    let headers: Vec<(String, String)> = headers.collect();
    let host = || headers.iter().find(|(name, _)| name == "host").map(|(_, value)| value.clone());
    Ok(Seen {
        sni,
        over_http2: parts.version == hyper::Version::HTTP_2,
        method: parts.method.as_str().to_owned(),
        authority: parts.uri.authority().map(ToString::to_string).or_else(host).unwrap_or_default(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().map(str::to_owned),
        headers,
        body,
        body_bytes,
    })
}

#[cfg(test)]
mod tests;
