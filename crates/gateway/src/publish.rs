//! Ports of the cell that the owner's browser may reach, on the owner's loopback, each under a host name of its own.
//!
//! The supervisor hands over the sockets that listen, and makes each connection into the cell when it is asked for. A
//! connection that is not the owner's own is reset (other users of the machine, ATTACKS 21); a request that names
//! another host than the port's is refused (DNS rebinding), and so is one that another site's page makes. What the page
//! does in the browser is nobody's to bound: there it can send what it has anywhere. Only HTTP is served.

mod browser;
mod peers;

pub(crate) use peers::Peers;

use crate::arrivals;
use crate::wire::{PUBLISHED_MAX, Word};
use browser::Site;
use cofferdam_policy::net::host::{DnsName, Port};
use rustix::fd::OwnedFd;
use std::collections::{HashMap, VecDeque};
use std::net::TcpListener as StdListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

/// The most connections of browsers to one port at once; the next one waits until another has ended.
const CONNECTIONS_MAX: usize = 256;
/// Until the supervisor has made a connection into the cell.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
/// Before the next try to accept where there is no descriptor or memory left.
const PAUSE: Duration = Duration::from_millis(100);

/// All ports of the cell that are published; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Published(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Without them nobody can be told from the owner, and nothing is served.
    peers: Option<Peers>,
    sites: Mutex<HashMap<Port, Served>>,
    asking: Mutex<Asking>,
    asked: Notify,
}

#[derive(Debug)]
struct Served {
    /// As browsers name it: `http://HOST:PORT`, for each address that listens.
    origin: String,
    listening: Vec<AbortHandle>,
}

#[derive(Debug, Default)]
struct Asking {
    last: u32,
    unsaid: VecDeque<Word>,
    waiting: HashMap<u32, oneshot::Sender<TcpStream>>,
}

impl Published {
    pub(crate) fn new(peers: Option<Peers>) -> Self {
        let (sites, asking) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Shared { peers, sites, asking, asked: Notify::new() }))
    }

    /// Serves a port from these sockets on. What is no listening socket is closed.
    pub(crate) fn publish(&self, port: Port, host: &DnsName, sockets: Vec<OwnedFd>) {
        self.unpublish(port);
        let listeners: Vec<TcpListener> = sockets.into_iter().filter_map(listener).collect();
        let number = listeners.iter().find_map(|listener| Some(listener.local_addr().ok()?.port()));
        let Some(number) = number else { return };
        let site = Arc::new(Site::new(port, host, number));
        let origin = site.origin().to_owned();
        let mut sites = self.0.sites.lock().unwrap_or_else(PoisonError::into_inner);
        if sites.len() < PUBLISHED_MAX {
            let listening = listeners.into_iter().map(|listener| self.listen(Arc::clone(&site), listener));
            sites.insert(port, Served { origin, listening: listening.collect() });
        }
    }

    /// Serves it no longer; connections end with it.
    pub(crate) fn unpublish(&self, port: Port) {
        let served = self.0.sites.lock().unwrap_or_else(PoisonError::into_inner).remove(&port);
        served.iter().flat_map(|served| &served.listening).for_each(AbortHandle::abort);
    }

    /// Whether `origin` is a published port of this cell: its pages may speak to each other.
    fn is_origin(&self, origin: &str) -> bool {
        let sites = self.0.sites.lock().unwrap_or_else(PoisonError::into_inner);
        sites.values().any(|served| served.origin.eq_ignore_ascii_case(origin))
    }

    fn listen(&self, site: Arc<Site>, listener: TcpListener) -> AbortHandle {
        let published = self.clone();
        let listening = tokio::spawn(async move {
            // What is open ends when this task does.
            let mut open = JoinSet::new();
            loop {
                if open.len() >= CONNECTIONS_MAX {
                    open.join_next().await;
                }
                while open.try_join_next().is_some() {}
                let Ok((socket, peer)) = listener.accept().await else {
                    sleep(PAUSE).await;
                    continue;
                };
                let is_owners = match (&published.0.peers, listener.local_addr()) {
                    (Some(peers), Ok(own)) => peers.is_owners(peer, own),
                    (None, _) | (_, Err(_)) => false,
                };
                if !is_owners || arrivals::tune(&socket).is_err() {
                    crate::stream::reset(socket);
                    continue;
                }
                open.spawn(browser::serve(published.clone(), Arc::clone(&site), socket));
            }
        });
        listening.abort_handle()
    }

    /// A connection to this port of the cell; `None` where nobody listens there.
    async fn connect(&self, port: Port) -> Option<TcpStream> {
        let (sender, receiver) = oneshot::channel();
        let number = {
            let mut asking = self.asking();
            asking.last = asking.last.wrapping_add(1);
            let number = asking.last;
            asking.waiting.insert(number, sender);
            asking.unsaid.push_back(Word::Connect { number, port });
            number
        };
        self.0.asked.notify_one();
        let _asked = Asked { published: self, number };
        timeout(CONNECT_TIME_MAX, receiver).await.ok()?.ok()
    }

    /// The next question for the supervisor; those who ask are few, and wait for the answer.
    pub(crate) async fn question(&self) -> Word {
        loop {
            if let Some(word) = self.asking().unsaid.pop_front() {
                return word;
            }
            self.0.asked.notified().await;
        }
    }

    /// The answer. Whoever asked may be gone.
    pub(crate) fn answered(&self, number: u32, socket: Option<OwnedFd>) {
        let Some(waiting) = self.asking().waiting.remove(&number) else { return };
        if let Some(socket) = socket.and_then(arrivals::connection) {
            let _gone = waiting.send(socket);
        }
    }

    fn asking(&self) -> std::sync::MutexGuard<'_, Asking> {
        self.0.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question under way, forgotten however the waiting ends.
struct Asked<'p> {
    published: &'p Published,
    number: u32,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.published.asking().waiting.remove(&self.number);
    }
}

fn listener(socket: OwnedFd) -> Option<TcpListener> {
    rustix::net::sockopt::socket_acceptconn(&socket).ok().filter(|is_listening| *is_listening)?;
    rustix::io::ioctl_fionbio(&socket, true).ok()?;
    TcpListener::from_std(StdListener::from(socket)).ok()
}
