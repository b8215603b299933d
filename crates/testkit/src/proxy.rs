//! An HTTP proxy that knows `CONNECT` and nothing else, and takes every name to 127.0.0.1, or to one server.
//!
//! It lets real programs reach the test servers by their names without a word in the machine's own files, and it plays
//! the proxy that a host may need to get out. It records what it was asked for.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::must;

/// A running proxy; it ends with the value.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// On a free port of 127.0.0.1; every name is there too, at the port that was asked for.
    #[track_caller]
    #[must_use]
    pub fn start() -> Self {
        Self::run(None)
    }

    /// As [`Proxy::start`], but whatever name and port is asked for, it is this server that answers.
    #[track_caller]
    #[must_use]
    pub fn to(server: SocketAddr) -> Self {
        Self::run(Some(server))
    }

    #[track_caller]
    fn run(server: Option<SocketAddr>) -> Self {
        let listener = must(std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)), "listen");
        must(listener.set_nonblocking(true), "make the listener wait for nobody");
        let address = must(listener.local_addr(), "read the listener's address");
        let (stop, stopped) = oneshot::channel::<()>();
        let asked = Arc::default();
        let record = Arc::clone(&asked);
        let runtime =
            must(tokio::runtime::Builder::new_current_thread().enable_all().build(), "make a runtime");
        let thread = std::thread::spawn(move || {
            runtime.block_on(async move {
                let listener = must(TcpListener::from_std(listener), "take the listener");
                tokio::select! {
                    () = accept_all(listener, record, server) => {}
                    _asked_or_dropped = stopped => {}
                }
            });
        });
        Self { address, asked, stop: Some(stop), thread: Some(thread) }
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What stood after each `CONNECT`, as it came.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The variables that send programs here.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 4] {
        ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"].map(|name| (name, self.url()))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in there has been shown already, and a panic in a drop would hide the test's own.
            let _ended_badly = thread.join().is_err();
        }
    }
}

async fn accept_all(listener: TcpListener, asked: Arc<Mutex<Vec<String>>>, server: Option<SocketAddr>) {
    while let Ok((stream, _peer)) = listener.accept().await {
        let asked = Arc::clone(&asked);
        drop(tokio::spawn(async move {
            // A connection that breaks is the client's to notice.
            let _broken = carry(stream, &asked, server).await.is_none();
        }));
    }
}

/// One tunnel, to its end.
async fn carry(stream: TcpStream, asked: &Mutex<Vec<String>>, server: Option<SocketAddr>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    stream.read_line(&mut request).await.ok()?;
    let mut header = String::new();
    while stream.read_line(&mut header).await.ok()? > 2 {
        header.clear();
    }
    let Some(target) = request.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()) else {
        return stream.write_all(b"HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n").await.ok();
    };
    asked.lock().unwrap_or_else(PoisonError::into_inner).push(target.to_owned());
    let (host, port) = target.rsplit_once(':')?;
    let address = host.trim_matches(['[', ']']).parse().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let address = server.unwrap_or(SocketAddr::new(address, port.parse().ok()?));
    let Ok(mut server) = TcpStream::connect(address).await else {
        return stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n").await.ok();
    };
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
    tokio::io::copy_bidirectional(&mut stream, &mut server).await.ok().map(|_bytes| ())
}
