//! A connection to an address that was checked, and TLS over it.

use super::{ClientTls, Failure, Resolver, Upstream};
use crate::arrivals::tune;
use crate::bounds::SEALED_BYTES_MAX;
use cofferdam_policy::net::grant::Scheme;
use cofferdam_policy::net::host::Host;
use cofferdam_policy::net::verdict::{CheckedAddresses, Permitted, check_addresses};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const CONNECT_TIME_MAX: Duration = Duration::from_secs(15);
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(15);
/// What one address is ahead of the next (RFC 8305, 5).
const AHEAD: Duration = Duration::from_millis(250);
/// Addresses that are tried.
const ADDRESSES_MAX: usize = 8;

/// A connection on which HTTP is to be spoken.
#[derive(Debug)]
pub(crate) enum Dialed {
    /// In clear text.
    Clear(TcpStream),
    /// By TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Dialed {
    pub(crate) fn is_http2(&self) -> bool {
        match self {
            Self::Clear(_) => false,
            Self::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(b"h2"),
        }
    }
}

/// Makes connections.
#[derive(Debug)]
pub(crate) struct Dialer {
    pub(crate) resolver: Resolver,
    pub(crate) tls: ClientTls,
    pub(crate) upstream: Option<Upstream>,
}

impl Dialer {
    /// A socket, connected to an address of the permit's destination that was checked.
    pub(crate) async fn tcp(&self, permit: &impl Permitted) -> Result<TcpStream, Failure> {
        let checked = self.checked(permit).await?;
        let upstream = self.upstream.as_ref().filter(|upstream| upstream.is_for(permit.destination()));
        let connected = match upstream {
            Some(upstream) => timeout(CONNECT_TIME_MAX, upstream.connect(&self.resolver, &checked)).await,
            None => timeout(CONNECT_TIME_MAX, race(&checked)).await,
        };
        let socket = connected.unwrap_or(Err(Failure::Timeout))?;
        tune(&socket).map_err(|errno| Failure::Connect(errno.into()))?;
        Ok(socket)
    }

    async fn checked(&self, permit: &impl Permitted) -> Result<CheckedAddresses, Failure> {
        let resolved = match &permit.destination().host {
            Host::Name(name) if permit.grant().addresses.is_empty() => self.resolver.addresses(name).await?,
            Host::Name(_) | Host::Address(_) => [].into(),
        };
        check_addresses(permit, &resolved).map_err(|refusal| Failure::Forbidden(Box::new(refusal)))
    }

    /// For HTTP, of the newest version that the origin speaks.
    pub(crate) async fn http(&self, permit: &impl Permitted) -> Result<Dialed, Failure> {
        self.dial(permit, &self.tls.any).await
    }

    /// For HTTP/1.1.
    pub(crate) async fn old_http(&self, permit: &impl Permitted) -> Result<Dialed, Failure> {
        self.dial(permit, &self.tls.old).await
    }

    async fn dial(&self, permit: &impl Permitted, config: &Arc<ClientConfig>) -> Result<Dialed, Failure> {
        let socket = self.tcp(permit).await?;
        match permit.grant().scheme {
            Scheme::Http => Ok(Dialed::Clear(socket)),
            Scheme::Https => {
                let name = server_name(&permit.destination().host)?;
                let handshake = TlsConnector::from(Arc::clone(config)).connect(name, socket);
                let stream = timeout(HANDSHAKE_TIME_MAX, handshake).await.ok().ok_or(Failure::Timeout)?;
                let mut stream = stream.map_err(Failure::Tls)?;
                stream.get_mut().1.set_buffer_limit(Some(SEALED_BYTES_MAX));
                Ok(Dialed::Tls(Box::new(stream)))
            }
        }
    }
}

fn server_name(host: &Host) -> Result<ServerName<'static>, Failure> {
    match host {
        Host::Address(address) => Ok(ServerName::IpAddress((*address).into())),
        Host::Name(name) => {
            let name = ServerName::try_from(name.as_str().to_owned());
            name.map_err(|error| Failure::Tls(io::Error::other(error)))
        }
    }
}

/// The first of the addresses that answers; each is a little ahead of the next, and the families take turns.
async fn race(checked: &CheckedAddresses) -> Result<TcpStream, Failure> {
    if let [only] = checked.addresses() {
        return TcpStream::connect(only).await.map_err(Failure::Connect);
    }
    let mut runners = JoinSet::new();
    for (place, address) in (0..).zip(in_turns(checked.addresses())) {
        runners.spawn(async move {
            sleep(AHEAD.saturating_mul(place)).await;
            TcpStream::connect(address).await
        });
    }
    let mut failure = None;
    while let Some(ended) = runners.join_next().await {
        match ended.map_err(io::Error::other).and_then(|connected| connected) {
            Ok(socket) => return Ok(socket),
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.map_or(Failure::NoAddress, Failure::Connect))
}

fn in_turns(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut six = addresses.iter().filter(|address| address.is_ipv6());
    let mut four = addresses.iter().filter(|address| address.is_ipv4());
    let mut turns = Vec::new();
    loop {
        let before = turns.len();
        turns.extend(six.next());
        turns.extend(four.next());
        if turns.len() == before || turns.len() >= ADDRESSES_MAX {
            return turns;
        }
    }
}
