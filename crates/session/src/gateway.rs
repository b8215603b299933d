//! The gateway's program: where it is, its certificate authority, and how one is started for a session.
//!
//! The program is the one beside this one. It is started with nothing but its descriptors and what it is told on them.

use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::programs;
use crate::state::State;
use crate::system;
use cofferdam_gateway::trail;
use cofferdam_gateway::wire::{
    self, Ask, HeldCredential, Looked, PROGRAM, Resolver, SecretStore, Setup, Trust, UpstreamProxy,
};
use cofferdam_policy::authority::Authority;
use cofferdam_policy::event::Requested;
use cofferdam_policy::net::credential::{CredentialName, OnHandleLeak};
use cofferdam_policy::net::host::{DnsName, Port};
use cofferdam_policy::session_id::SessionId;
use cofferdam_syscall::process::{ExecStrings, spawn};
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, WaitOptions, waitpid};
use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How old the authority's certificate may be at the start of a session; it holds for 90 days.
const AUTHORITY_AGE_MAX: Duration = Duration::from_secs(60 * 24 * 3600);

/// The longest answer of a lookup, in bytes.
const LOOKED_BYTES_MAX: u64 = 1 << 20;

/// How long a held request waits, and how many may.
const ASK: Ask = Ask { seconds: 60, held_max: 16 };

/// What a session's gateway is to be told, should it ever be started.
#[derive(Debug)]
pub(crate) struct Networking {
    session: SessionId,
    authority: Authority,
    credentials: Vec<HeldCredential>,
    ask: Option<Ask>,
}

impl Networking {
    /// What `authority` grants, with the session's handles for its credentials.
    pub(crate) fn new(
        session: SessionId,
        authority: Authority,
        credentials: Vec<HeldCredential>,
        asks: bool,
    ) -> Self {
        Self { session, authority, credentials, ask: asks.then_some(ASK) }
    }

    /// How long the owner has for an answer.
    pub(crate) fn ask_seconds(&self) -> u32 {
        self.ask.map_or(0, |ask| ask.seconds)
    }

    /// What is done when a handle is seen where it does not belong.
    pub(crate) fn on_handle_leak(&self) -> OnHandleLeak {
        self.authority.on_handle_leak
    }

    /// Ports of the cell that are published from the start.
    pub(crate) fn published(&self) -> impl Iterator<Item = Port> {
        self.authority.published.iter().copied()
    }

    /// Takes away every credential that is this secret.
    pub(crate) fn revoke(&mut self, secret: &str) -> Vec<CredentialName> {
        let is_it = |held: &mut HeldCredential| held.credential.secret.as_str() == secret;
        self.credentials.extract_if(.., is_it).map(|held| held.credential.name).collect()
    }

    fn setup(&self, context: &Context, state: &State) -> Setup {
        let variable = |key: &str| context.variable(key).filter(|value| !value.is_empty());
        let proxy = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"].into_iter().find_map(variable);
        let except = ["no_proxy", "NO_PROXY"].into_iter().find_map(variable).unwrap_or_default();
        Setup {
            v: wire::WIRE_VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            session: self.session.to_string(),
            grants: self.authority.grants.clone(),
            denied_hosts: self.authority.denied_hosts.clone(),
            credentials: self.credentials.clone(),
            on_leak: self.authority.on_handle_leak,
            authority: state.authority(),
            secrets: (!self.credentials.is_empty())
                .then(|| SecretStore::of(context.state.as_path(), context.config.as_path())),
            resolver: Resolver::usual(),
            trust: Trust {
                file: variable("SSL_CERT_FILE").map(PathBuf::from),
                directory: variable("SSL_CERT_DIR").map(PathBuf::from),
            },
            proxy: proxy.map(|url| UpstreamProxy { url: url.to_owned(), except: except.to_owned() }),
            ask: self.ask,
        }
    }
}

/// Starts the gateway of a session; the line to it, and what it notes of requests under way. What an earlier one left there
/// has been taken up.
///
/// # Errors
/// [`ErrorKind::State`] if it can't be started; the cell has no way out then.
pub(crate) fn serve(
    context: &Context,
    state: &State,
    networking: &Networking,
    arrivals: OwnedFd,
    trail: BorrowedFd<'_>,
) -> Result<OwnedFd, Error> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .map_err(unstartable)?;
    trail::clear(trail).map_err(unstartable)?;
    start(context, &[wire::MODE_SERVE], &[theirs.as_fd(), arrivals.as_fd(), trail])?;
    wire::send_setup(ours.as_fd(), &networking.setup(context, state)).map_err(unstartable)?;
    Ok(ours)
}

/// The file in which the gateway of a session notes requests under way.
///
/// # Errors
/// [`ErrorKind::State`] if it can't be opened.
pub(crate) fn trail(state: &State, session: &SessionId) -> Result<OwnedFd, Error> {
    trail::at(&state.session(session).trail()).map_err(unstartable)
}

/// Requests with a secret that were under way when their gateway ended, and perhaps its session.
pub(crate) fn cut_off(trail: BorrowedFd<'_>) -> Vec<Requested> {
    // A file that can't be read has nothing to tell.
    let left = trail::left(trail).unwrap_or_default();
    left.into_iter()
        .map(|begun| Requested {
            host: begun.destination.host.to_string(),
            port: begun.destination.port.get(),
            method: Some(begun.method),
            path: Some(begun.path),
            status: None,
            credential: Some(begun.credential.to_string()),
            up: 0,
            down: 0,
            count: 1,
            is_cut_off: true,
        })
        .collect()
}

fn unstartable(errno: Errno) -> Error {
    Error::new(ErrorKind::State, "cannot start the gateway").because(errno).hint("cofferdam doctor")
}

/// Starts the program with these words and descriptors, and an empty environment.
pub(crate) fn start(context: &Context, words: &[&str], beside: &[BorrowedFd<'_>]) -> Result<Pid, Error> {
    let null = null()?;
    let mut descriptors = vec![null.as_fd(), null.as_fd(), null.as_fd()];
    descriptors.extend_from_slice(beside);
    start_on(context, words, &descriptors)
}

/// Starts it to be read from.
fn start_with_output(context: &Context, words: &[&str], output: BorrowedFd<'_>) -> Result<Pid, Error> {
    let null = null()?;
    start_on(context, words, &[null.as_fd(), output, null.as_fd()])
}

fn null() -> Result<OwnedFd, Error> {
    rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).map_err(unstartable)
}

fn start_on(context: &Context, words: &[&str], descriptors: &[BorrowedFd<'_>]) -> Result<Pid, Error> {
    let program = programs::beside(&context.program, PROGRAM)?;
    let program = CString::new(program.as_os_str().as_bytes()).map_err(|_nul| unstartable(Errno::INVAL))?;
    let words = std::iter::once(&PROGRAM).chain(words);
    let arguments = ExecStrings::new(words.filter_map(|word| CString::new(*word).ok()).collect());
    spawn(&program, &arguments, &ExecStrings::new(Vec::new()), descriptors).map_err(unstartable)
}

/// Sees that there is a certificate that cells can trust: made anew when there is none, or it is old.
///
/// # Errors
/// [`ErrorKind::State`] if it can't be made.
pub(crate) fn ensure_authority(context: &Context, state: &State) -> Result<(), Error> {
    let path = state.authority().join(system::AUTHORITY_CERTIFICATE);
    if is_fresh(context, &path) {
        return Ok(());
    }
    let directory = state.authority();
    let words = [wire::MODE_AUTHORITY, directory.to_str().unwrap_or_default()];
    let child = start(context, &words, &[])?;
    let ended = waitpid(Some(child), WaitOptions::empty()).ok().flatten();
    let made = ended.and_then(|(_, status)| status.exit_status());
    if made == Some(0) && path.is_file() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::State, "cannot make the certificate authority of your cells")
        .since(format!("the gateway's program could not write it into {}", directory.display()))
        .hint("see that the directory is yours and the disk has room"))
}

/// Which addresses names have, by the resolver that connections go by.
///
/// # Errors
/// [`ErrorKind::State`] if the gateway's program can't be asked.
pub(crate) fn lookup(context: &Context, names: &BTreeSet<DnsName>) -> Result<Looked, Error> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC).map_err(unstartable)?;
    let words: Vec<&str> =
        std::iter::once(wire::MODE_LOOKUP).chain(names.iter().map(DnsName::as_str)).collect();
    let child = start_with_output(context, &words, write.as_fd())?;
    drop(write);
    let mut text = Vec::new();
    let told = File::from(read).take(LOOKED_BYTES_MAX).read_to_end(&mut text).is_ok();
    let _ended = waitpid(Some(child), WaitOptions::empty()).is_ok();
    let looked = serde_json::from_slice(&text).ok().filter(|_| told);
    looked.ok_or_else(|| {
        Error::new(ErrorKind::State, "cannot look up where the places of a set are")
            .since(format!("the program {PROGRAM} gave no answer"))
            .hint(programs::SIDE_BY_SIDE)
    })
}

fn is_fresh(context: &Context, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let seconds = (context.now)().0 / 1_000_000_000;
    std::fs::metadata(path).is_ok_and(|found| {
        let age = seconds.saturating_sub(found.mtime());
        u64::try_from(age).is_ok_and(|age| age < AUTHORITY_AGE_MAX.as_secs())
    })
}
