//! Names to addresses, as the host's own files say: `/etc/hosts` first, then its name servers.
//!
//! No C library does it: the program is static, and what was asked and answered is to be seen here. It says what the
//! addresses are, and not whether one may connect to them. Search lists are not followed: a granted name is whole.

mod configuration;

use crate::origin::Failure;
use crate::wire::Resolver as Places;
use cofferdam_policy::net::dns::{ANSWER_BYTES_MAX, Answer, AnswerError, Family, write_query};
use cofferdam_policy::net::host::DnsName;
pub(crate) use configuration::Configuration;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

const TRY_TIME_MAX: Duration = Duration::from_secs(3);
const ROUNDS: usize = 2;
/// Names whose addresses are kept; beyond, all are forgotten.
const KEPT_NAMES_MAX: usize = 4_096;
/// However long a name server would have it kept.
const KEPT_TIME_MAX: Duration = Duration::from_secs(300);
/// However short: programs connect in bursts.
const KEPT_TIME_MIN: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
struct Kept {
    addresses: Arc<[IpAddr]>,
    until: Instant,
}

/// The host's view of names.
#[derive(Debug)]
pub(crate) struct Resolver {
    configuration: Mutex<Configuration>,
    kept: Mutex<HashMap<DnsName, Kept>>,
}

impl Resolver {
    pub(crate) fn read(places: &Places) -> Self {
        Self { configuration: Mutex::new(Configuration::read(places)), kept: Mutex::default() }
    }

    /// All addresses of a name, at least one.
    pub(crate) async fn addresses(&self, name: &DnsName) -> Result<Arc<[IpAddr]>, Failure> {
        let (written, servers) = {
            let mut configuration = self.configuration.lock().unwrap_or_else(PoisonError::into_inner);
            configuration.refresh();
            (configuration.hosts.get(name.as_str()).cloned(), configuration.servers.clone())
        };
        if let Some(addresses) = written {
            return Ok(addresses.into());
        }
        if let Some(addresses) = self.kept(name) {
            return Ok(addresses);
        }
        let (v4, v6) = tokio::join!(ask(&servers, name, Family::V4), ask(&servers, name, Family::V6));
        let (mut addresses, mut seconds) = (Vec::new(), u32::MAX);
        let mut failure = None;
        for answer in [v6, v4] {
            match answer {
                Ok(answer) => {
                    if !answer.addresses.is_empty() {
                        seconds = seconds.min(answer.ttl_seconds);
                    }
                    addresses.extend(answer.addresses);
                }
                Err(error) => failure = Some(error),
            }
        }
        if addresses.is_empty() {
            return Err(failure.unwrap_or(Failure::NoAddress));
        }
        Ok(self.keep(name, addresses, Duration::from_secs(seconds.into())))
    }

    fn kept(&self, name: &DnsName) -> Option<Arc<[IpAddr]>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(name).filter(|kept| kept.until > Instant::now()).map(|kept| Arc::clone(&kept.addresses))
    }

    fn keep(&self, name: &DnsName, addresses: Vec<IpAddr>, time: Duration) -> Arc<[IpAddr]> {
        let addresses: Arc<[IpAddr]> = addresses.into();
        let until = Instant::now() + time.clamp(KEPT_TIME_MIN, KEPT_TIME_MAX);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_NAMES_MAX {
            kept.clear();
        }
        kept.insert(name.clone(), Kept { addresses: Arc::clone(&addresses), until });
        addresses
    }
}

/// Each server in turn, twice.
async fn ask(servers: &[SocketAddr], name: &DnsName, family: Family) -> Result<Answer, Failure> {
    let mut failure = Failure::Resolver;
    for server in servers.iter().cycle().take(servers.len() * ROUNDS) {
        match timeout(TRY_TIME_MAX, ask_one(*server, name, family)).await {
            Ok(Ok(Ok(answer))) => return Ok(answer),
            Ok(Ok(Err(AnswerError::NoSuchName))) => return Err(Failure::NoSuchName),
            Ok(Ok(Err(_)) | Err(_)) | Err(_) => failure = Failure::Resolver,
        }
    }
    Err(failure)
}

/// From a port of its own with a number of its own, so that an answer can't be guessed.
async fn ask_one(
    server: SocketAddr,
    name: &DnsName,
    family: Family,
) -> io::Result<Result<Answer, AnswerError>> {
    let mut id = [0; 2];
    rustix::rand::getrandom(&mut id, rustix::rand::GetRandomFlags::empty())?;
    let id = u16::from_ne_bytes(id);
    let query = write_query(id, name, family);
    let any = match server {
        SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(&query).await?;
    let mut datagram = [0; ANSWER_BYTES_MAX];
    loop {
        let length = socket.recv(&mut datagram).await?;
        let message = datagram.get(..length).unwrap_or_default();
        match Answer::parse(message, id, name, family) {
            // Anybody can send a datagram: what can't be read is overlooked like what is not meant for us.
            Err(AnswerError::NotOurs | AnswerError::Malformed) => {}
            Err(AnswerError::Truncated) => return ask_by_tcp(server, &query, (id, name, family)).await,
            answer => return Ok(answer),
        }
    }
}

async fn ask_by_tcp(
    server: SocketAddr,
    query: &[u8],
    (id, name, family): (u16, &DnsName, Family),
) -> io::Result<Result<Answer, AnswerError>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(query.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes()[..], query].concat()).await?;
    let length = stream.read_u16().await?;
    let mut message = vec![0; length.into()];
    stream.read_exact(&mut message).await?;
    Ok(Answer::parse(&message, id, name, family))
}

#[cfg(test)]
mod tests;
