//! What the supervisor and the gateway say to each other: one packet a message, descriptors beside it.
//!
//! The supervisor sends one [`Setup`], then [`Order`]s; the gateway answers with [`Word`]s. No value of a secret is
//! ever in any of them. What a word says of hosts and paths is what the agent sent, cut to a length: to be shown as
//! such text is shown, and believed by nobody.

use cofferdam_policy::net::credential::{Credential, CredentialName, OnHandleLeak};
use cofferdam_policy::net::grant::Grant;
use cofferdam_policy::net::handle::Handle;
use cofferdam_policy::net::host::{Destination, DnsName, Host, HostPattern, Port};
use cofferdam_policy::net::refusal::RefusalReason;
use cofferdam_syscall::packet;
use cofferdam_syscall::sealed::{sealed, unsealed};
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::RecvFlags;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// The program that the supervisor starts, to be found beside its own.
pub const PROGRAM: &str = "cofferdam-gateway";
/// Its first argument, to be the gateway of one session.
pub const MODE_SERVE: &str = "serve";
/// Its first argument, to make the certificate authority in the directory that follows.
pub const MODE_AUTHORITY: &str = "authority";
/// Its first argument, to take values into the store of secrets.
pub const MODE_SECRET: &str = "secret";
/// Its first argument, to say which addresses the names that follow have: a JSON object of lists on standard output.
pub const MODE_LOOKUP: &str = "lookup";
/// The most names of one lookup.
pub const LOOKUP_NAMES_MAX: usize = 64;
/// The number of the descriptor to the supervisor.
pub const DESCRIPTOR_SUPERVISOR: i32 = 3;
/// The number of the descriptor by which the cell's connections arrive.
pub const DESCRIPTOR_ARRIVALS: i32 = 4;

/// The version of everything here; both sides are built together, and compare it with the program's own version.
pub const WIRE_VERSION: u32 = 1;
/// The longest word or order, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 64 << 10;
/// The longest setup, in bytes.
pub const SETUP_BYTES_MAX: usize = 16 << 20;
/// The longest path in a word, in bytes; more is cut.
pub const WORD_PATH_BYTES_MAX: usize = 512;
/// The most requests in one word.
pub const WORD_REQUESTS_MAX: usize = 48;
/// The most hosts in one word of traffic: those with the most requests.
pub const WORD_HOSTS_MAX: usize = 128;
/// The most ports of one cell that are published at once.
pub const PUBLISHED_MAX: usize = 32;

/// All that the gateway of one session is told at its start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// [`WIRE_VERSION`].
    pub v: u32,
    /// The version of the program that says it: `CARGO_PKG_VERSION`.
    pub program: String,
    /// The session's id, for the names of things.
    pub session: String,
    /// What is granted; everything else is refused.
    pub grants: Vec<Grant>,
    /// Hosts that are refused whatever is granted.
    pub denied_hosts: Vec<HostPattern>,
    /// Credentials of those grants, each with the session's handle.
    pub credentials: Vec<HeldCredential>,
    /// What a handle in a foreign place does.
    pub on_leak: OnHandleLeak,
    /// The directory of the certificate authority.
    pub authority: PathBuf,
    /// Where the values of secrets are; none if no grant names a credential.
    pub secrets: Option<SecretStore>,
    /// How names are resolved.
    pub resolver: Resolver,
    /// Which certificates of origins are believed.
    pub trust: Trust,
    /// The host's own proxy, if it has one.
    pub proxy: Option<UpstreamProxy>,
    /// Whether the owner is asked before what is not granted is refused.
    pub ask: Option<Ask>,
}

/// A credential and what the agent holds in place of its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldCredential {
    /// The credential.
    pub credential: Credential,
    /// The session's handle for it.
    pub handle: Handle,
}

/// Where the secret store lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretStore {
    /// The directory of the encrypted file, and of all else that belongs to it.
    pub directory: PathBuf,
    /// The file with the identity that opens it.
    pub identity: PathBuf,
}

impl SecretStore {
    /// An owner's, by `$XDG_STATE_HOME/cofferdam` and `$XDG_CONFIG_HOME/cofferdam`.
    #[must_use]
    pub fn of(state: &Path, config: &Path) -> Self {
        Self { directory: state.join("secrets"), identity: config.join("secrets.key") }
    }
}

/// What a lookup answers. A name whose addresses are not known has none.
pub type Looked = BTreeMap<DnsName, Vec<IpAddr>>;

/// The host's own configuration of names, read by the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolver {
    /// Usually `/etc/resolv.conf`.
    pub configuration: PathBuf,
    /// Usually `/etc/hosts`.
    pub hosts: PathBuf,
}

impl Resolver {
    /// Where every system has it.
    #[must_use]
    pub fn usual() -> Self {
        Self { configuration: "/etc/resolv.conf".into(), hosts: "/etc/hosts".into() }
    }
}

/// The owner's `SSL_CERT_FILE` and `SSL_CERT_DIR`; without either, what the machine has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    /// One file of certificates.
    pub file: Option<PathBuf>,
    /// A directory of them.
    pub directory: Option<PathBuf>,
}

/// The host's way out, where it has no direct one.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamProxy {
    /// `http://[USER:PASSWORD@]HOST:PORT`.
    pub url: String,
    /// Names and addresses that are reached without it, as in `NO_PROXY`.
    pub except: String,
}

/// Without the address: it may hold a password.
impl std::fmt::Debug for UpstreamProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UpstreamProxy").field("except", &self.except).finish_non_exhaustive()
    }
}

/// How the owner is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// How long a request is held; then it is refused.
    pub seconds: u32,
    /// How many are held at once; one more is refused at once.
    pub held_max: u32,
}

/// From the supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "order", deny_unknown_fields)]
pub enum Order {
    /// What the owner says of a held request.
    Decide {
        /// The number of the held request.
        id: u64,
        /// What is decided.
        decision: Decision,
    },
    /// No secret of this credential leaves any more, and connections that carry it are cut.
    Revoke {
        /// Which.
        credential: CredentialName,
    },
    /// Serve a port of the cell to the owner's browser. The sockets that listen for it on loopback are beside this order.
    Publish {
        /// The port in the cell.
        port: Port,
        /// The name by which the owner's browser knows it, and no other page does.
        host: DnsName,
    },
    /// Serve it no longer, and end what is open to it.
    Unpublish {
        /// The port in the cell.
        port: Port,
    },
    /// The connection that a [`Word::Connect`] asked for is beside this order.
    Connected {
        /// The number of the question.
        number: u32,
    },
    /// There is none.
    NotConnected {
        /// The number of the question.
        number: u32,
    },
    /// Say [`Word::Traffic`] now.
    Report {},
    /// End.
    Stop {},
}

/// What the owner says of a held request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// This request goes on.
    AllowOnce,
    /// This one, and all like it until the session ends.
    AllowForSession,
    /// It is refused.
    Deny,
}

/// From the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "word", deny_unknown_fields)]
pub enum Word {
    /// It is confined, and takes connections.
    Ready {
        /// The version of the program.
        program: String,
        /// What could not be had and is done without, as lines for the owner.
        warnings: Vec<String>,
    },
    /// It could not start, and ends.
    Failed {
        /// What failed, and below it why.
        causes: Vec<String>,
    },
    /// Something was refused, or an origin failed.
    Refused(RefusalNote),
    /// A refusal waits for the owner.
    Held {
        /// Its number.
        id: u64,
        /// What would be refused.
        refusal: RefusalNote,
    },
    /// A held request waits no longer: decided, out of time, or its client is gone.
    Released {
        /// Its number.
        id: u64,
    },
    /// Requests that were let through, with how they ended.
    Requests {
        /// At most [`WORD_REQUESTS_MAX`].
        requests: Vec<RequestNote>,
        /// How many more there were than could be said.
        unsaid: u64,
    },
    /// A handle was seen where it does not belong.
    Leak(LeakNote),
    /// A published port of the cell is to be connected to.
    Connect {
        /// What the answer is to be known by; never used twice.
        number: u32,
        /// The port in the cell.
        port: Port,
    },
    /// What has passed since the start: when it was asked for, and as the last word of all.
    Traffic {
        /// At most [`WORD_HOSTS_MAX`].
        hosts: Vec<HostTraffic>,
    },
}

/// A refusal, or as many as were alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusalNote {
    /// Why.
    pub reason: RefusalReason,
    /// Where to; `None` if that could not be read.
    pub destination: Option<Destination>,
    /// By which method, if there was a request.
    pub method: Option<String>,
    /// For which path, cut to [`WORD_PATH_BYTES_MAX`].
    pub path: Option<String>,
    /// The grant, as one line, that would have allowed it.
    pub allow: Option<String>,
    /// How many were alike.
    pub count: u64,
}

/// A request that was let through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestNote {
    /// Where to.
    pub destination: Destination,
    /// By which method; the protocol's name where no requests are seen.
    pub method: String,
    /// For which path, without its query, cut to [`WORD_PATH_BYTES_MAX`].
    pub path: String,
    /// The origin's status; `None` if it gave none.
    pub status: Option<u16>,
    /// Bytes of the body to the origin.
    pub up: u64,
    /// Bytes of the body from the origin.
    pub down: u64,
    /// Milliseconds until the last byte.
    pub milliseconds: u64,
    /// The credential that it carried.
    pub credential: Option<CredentialName>,
}

/// A handle in a foreign place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeakNote {
    /// Whose handle.
    pub credential: CredentialName,
    /// How many were alike.
    pub count: u64,
    /// Where to.
    pub destination: Destination,
    /// Where in what was sent, in words: `header`, `body`, `URL`, `server name`.
    pub place: String,
    /// Whether asterisks were sent in its place; else nothing was sent.
    pub is_replaced: bool,
}

/// What has passed between the cell and one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostTraffic {
    /// The host.
    pub host: Host,
    /// Requests that were let through.
    pub requests: u64,
    /// Requests that were refused.
    pub refused: u64,
    /// Bytes to it.
    pub up: u64,
    /// Bytes from it.
    pub down: u64,
    /// Requests and tunnels that are open now.
    pub open: u64,
}

/// The packet beside which a sealed [`Setup`] comes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {}

/// Tells the gateway all that it needs.
///
/// # Errors
/// The kernel's; `EFBIG` past [`SETUP_BYTES_MAX`].
pub fn send_setup(socket: BorrowedFd<'_>, setup: &Setup) -> Result<(), Errno> {
    let text = serde_json::to_vec(setup).ok().ok_or(Errno::INVAL)?;
    if text.len() > SETUP_BYTES_MAX {
        return Err(Errno::FBIG);
    }
    let file = sealed("cofferdam-gateway", &text)?;
    let packet = serde_json::to_vec(&Sealed {}).ok().ok_or(Errno::INVAL)?;
    packet::send(socket, &packet, &[file.as_fd()])
}

/// Waits for the setup.
///
/// # Errors
/// `EPIPE` if the supervisor is gone, `EPERM` for a setup that is not sealed, `EBADMSG` for one that can't be read,
/// `EPROTO` for one of another version.
pub fn receive_setup(socket: BorrowedFd<'_>) -> Result<Setup, Errno> {
    let received = packet::receive(socket, MESSAGE_BYTES_MAX, RecvFlags::empty())?;
    let (packet, descriptors) = received.ok_or(Errno::PIPE)?;
    let Sealed {} = serde_json::from_slice(&packet).ok().ok_or(Errno::BADMSG)?;
    let [file] = descriptors.as_slice() else { return Err(Errno::BADMSG) };
    let text = unsealed(file, SETUP_BYTES_MAX)?;
    #[derive(Deserialize)]
    struct Version {
        v: u32,
        program: String,
    }
    let version: Version = serde_json::from_slice(&text).ok().ok_or(Errno::BADMSG)?;
    if version.v != WIRE_VERSION || version.program != env!("CARGO_PKG_VERSION") {
        return Err(Errno::PROTO);
    }
    serde_json::from_slice(&text).ok().ok_or(Errno::BADMSG)
}

/// Says a word to the supervisor, or gives an order to the gateway; waits as the socket does.
///
/// # Errors
/// The kernel's; `EMSGSIZE` past [`MESSAGE_BYTES_MAX`].
pub fn send<M: Message>(socket: BorrowedFd<'_>, message: &M) -> Result<(), Errno> {
    send_beside(socket, message, &[])
}

/// The same for an order with descriptors beside it: [`Order::Publish`] or [`Order::Connected`].
///
/// # Errors
/// The kernel's; `EMSGSIZE` past [`MESSAGE_BYTES_MAX`].
pub fn order_beside(
    socket: BorrowedFd<'_>,
    order: &Order,
    descriptors: &[BorrowedFd<'_>],
) -> Result<(), Errno> {
    send_beside(socket, order, descriptors)
}

fn send_beside<M: Message>(
    socket: BorrowedFd<'_>,
    message: &M,
    descriptors: &[BorrowedFd<'_>],
) -> Result<(), Errno> {
    let text = serde_json::to_vec(message).ok().ok_or(Errno::INVAL)?;
    if text.len() > MESSAGE_BYTES_MAX {
        return Err(Errno::MSGSIZE);
    }
    packet::send(socket, &text, descriptors)
}

/// Takes a word; `None` when the other side is gone.
///
/// # Errors
/// The kernel's, `EBADMSG` for what can't be read, or has descriptors beside it.
pub fn receive<M: Message>(socket: BorrowedFd<'_>, flags: RecvFlags) -> Result<Option<M>, Errno> {
    match receive_beside(socket, flags)? {
        Some((message, descriptors)) if descriptors.is_empty() => Ok(Some(message)),
        Some(_) => Err(Errno::BADMSG),
        None => Ok(None),
    }
}

/// Takes an order and what is beside it; `None` when the other side is gone.
///
/// # Errors
/// The kernel's, `EBADMSG` for what can't be read.
pub fn receive_order(
    socket: BorrowedFd<'_>,
    flags: RecvFlags,
) -> Result<Option<(Order, Vec<OwnedFd>)>, Errno> {
    let Some((order, descriptors)) = receive_beside::<Order>(socket, flags)? else { return Ok(None) };
    if descriptors.len() > order.descriptors_max() {
        return Err(Errno::BADMSG);
    }
    Ok(Some((order, descriptors)))
}

fn receive_beside<M: Message>(
    socket: BorrowedFd<'_>,
    flags: RecvFlags,
) -> Result<Option<(M, Vec<OwnedFd>)>, Errno> {
    let Some((text, descriptors)) = packet::receive(socket, MESSAGE_BYTES_MAX, flags)? else {
        return Ok(None);
    };
    let message = serde_json::from_slice(&text).ok().ok_or(Errno::BADMSG)?;
    Ok(Some((message, descriptors)))
}

impl Order {
    /// How many descriptors can be beside it: a socket of each family, or the one connection.
    fn descriptors_max(&self) -> usize {
        match self {
            Self::Publish { .. } => 2,
            Self::Connected { .. } => 1,
            Self::Decide { .. }
            | Self::Revoke { .. }
            | Self::Unpublish { .. }
            | Self::NotConnected { .. }
            | Self::Report {}
            | Self::Stop {} => 0,
        }
    }
}

/// A [`Word`] or an [`Order`].
pub trait Message: Serialize + DeserializeOwned + sealing::Sealing {}

impl Message for Word {}
impl Message for Order {}

mod sealing {
    /// Nothing else is a message.
    pub trait Sealing {}
    impl Sealing for super::Word {}
    impl Sealing for super::Order {}
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
