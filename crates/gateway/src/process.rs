//! The gateway of one session as a process: what it is told, what it gives up, and how long it lives.
//!
//! 1. Take over the three descriptors; when the supervisor's end of its own closes, however that comes, end.
//! 2. Read the setup, and everything that is to be read: authority, roots, name servers.
//! 3. Give up all that is not needed from here on.
//! 4. Say that it is ready; take connections and orders until told to stop.

use crate::arrivals::{Arrivals, CONNECTIONS_MAX};
use crate::asking::Asking;
use crate::authority::{Authority, AuthorityError};
use crate::confine::{self, ConfineError};
use crate::exchange::{Exchange, ExchangeError};
use crate::gate::{Gate, Parts};
use crate::origin::{ClientTls, Dialer, Origins, Pool, Resolver, TrustError, Upstream, UpstreamError};
use crate::passage::Revoked;
use crate::publish::{Peers, Published};
use crate::renewal::Renewals;
use crate::secret::store::Store;
use crate::trail::{Mark, Trail};
use crate::wire::{self, Order, Setup, Word};
use crate::words::{LOT_EVERY, REPEATED_AFTER, Words};
use cofferdam_policy::event::UnixNanos;
use cofferdam_policy::net::refusal::{Refusal, RefusalReason};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::io::Errno;
use rustix::net::RecvFlags;
use std::sync::Arc;
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::io::unix::AsyncFd;
use tokio::sync::Semaphore;

/// Between looks at connections that wait too long.
const SWEEP_EVERY: Duration = Duration::from_secs(20);
/// What there is to say at the end is said within this time, or not at all.
const LAST_WORDS_TIME_MAX: Duration = Duration::from_secs(1);

/// Why there is no gateway.
#[derive(Debug, Error)]
pub(crate) enum ProcessError {
    /// Not started by a supervisor.
    #[error("cannot take over descriptors 3 to 5: this program is started by cofferdam, not by hand")]
    Descriptors(#[source] Errno),
    /// No setup.
    #[error("cannot read what the supervisor says")]
    Setup(#[source] Errno),
    /// No certificate authority.
    #[error("cannot use the certificate authority")]
    Authority(#[from] AuthorityError),
    /// No roots.
    #[error("cannot tell which servers to believe")]
    Trust(#[from] TrustError),
    /// The host's proxy can't be understood.
    #[error("cannot use the host's proxy")]
    Proxy(#[from] UpstreamError),
    /// The secrets can't be read.
    #[error("cannot take the session's secrets")]
    Secrets(#[from] ExchangeError),
    /// Not confined, hence not run.
    #[error("cannot confine the gateway")]
    Confine(#[from] ConfineError),
    /// The runtime.
    #[error("cannot wait for events")]
    Runtime(#[source] std::io::Error),
}

/// The gateway's descriptors, in the order in which they are handed over from number 3 on.
#[derive(Debug)]
pub(crate) struct Inherited {
    /// To the supervisor.
    pub(crate) supervisor: OwnedFd,
    /// By which connections arrive.
    pub(crate) arrivals: OwnedFd,
    /// For notes that outlive it.
    pub(crate) trail: OwnedFd,
}

impl Inherited {
    /// Takes them over, first of all in `main`.
    ///
    /// # Errors
    /// [`ProcessError::Descriptors`] for a process that was not started as the gateway.
    pub(crate) fn take() -> Result<Self, ProcessError> {
        let [supervisor, arrivals, trail] =
            cofferdam_syscall::inherited::take().map_err(ProcessError::Descriptors)?;
        Ok(Self { supervisor, arrivals, trail })
    }
}

/// Serves one session; returns when the supervisor has ended it, or is gone.
///
/// # Errors
/// [`ProcessError`], which the supervisor has been told.
pub(crate) fn serve(inherited: Inherited, clock: fn() -> UnixNanos) -> Result<(), ProcessError> {
    let told = inherited.supervisor.try_clone();
    run(inherited, clock).inspect_err(|error| {
        if let Ok(supervisor) = told {
            // Nobody may be left to be told.
            let _gone = wire::send(supervisor.as_fd(), &Word::Failed { causes: causes(error) });
        }
    })
}

fn causes(error: &dyn std::error::Error) -> Vec<String> {
    let all = std::iter::successors(Some(error), |error| error.source());
    all.map(ToString::to_string).collect()
}

fn run(inherited: Inherited, clock: fn() -> UnixNanos) -> Result<(), ProcessError> {
    let Inherited { supervisor, arrivals, trail } = inherited;
    confine::stand_alone().map_err(ConfineError::Process)?;
    let setup = wire::receive_setup(supervisor.as_fd()).map_err(ProcessError::Setup)?;
    let store = setup.secrets.as_ref().map(Store::at);
    let exchange = exchange(&setup, store.as_ref(), clock())?;
    // What ends is written anew; a session without a login writes nothing.
    let logins = store.filter(|_| exchange.has_logins());
    let kept = logins.as_ref().map(Store::places);
    let words = Words::leaving(Trail::new(trail));
    let gate = gate(&setup, exchange, Renewals::new(logins, clock), words)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(ProcessError::Runtime)?;
    // Without the tables nothing is published; all else goes on.
    let published = Published::new(Peers::open().ok());
    confine::confine(&[&setup.resolver.configuration, &setup.resolver.hosts], kept.as_ref())?;
    runtime.block_on(live(gate, published, supervisor, arrivals)).map_err(ProcessError::Runtime)
}

fn gate(
    setup: &Setup,
    exchange: Exchange,
    renewals: Renewals,
    words: Words,
) -> Result<Arc<Gate>, ProcessError> {
    let revoked = Revoked::none();
    let upstream = setup.proxy.as_ref().map(Upstream::read).transpose()?;
    let resolver = Resolver::read(&setup.resolver);
    let dialer = Dialer { resolver, tls: ClientTls::read(&setup.trust)?, upstream };
    Ok(Gate::new(Parts {
        grants: setup.grants.clone(),
        denied: setup.denied_hosts.clone(),
        authority: Authority::read(&setup.authority)?,
        exchange: Arc::new(exchange),
        origins: Origins { dialer, pool: Pool::new(revoked.clone()) },
        renewals,
        words,
        asking: Asking::new(setup.ask),
        revoked,
    }))
}

/// The secrets of the session, read once: from here on they are in memory only.
fn exchange(setup: &Setup, store: Option<&Store>, now: UnixNanos) -> Result<Exchange, ExchangeError> {
    let held = setup.credentials.iter().map(|held| (held.credential.clone(), held.handle.clone())).collect();
    match store {
        Some(store) => Exchange::open(held, store, &setup.session, now),
        // Nothing is in no store: whatever names a credential is refused for want of it.
        None => Exchange::new(Vec::new()),
    }
}

/// From being ready to the end.
pub(crate) async fn live(
    gate: Arc<Gate>,
    published: Published,
    supervisor: OwnedFd,
    arrivals: OwnedFd,
) -> std::io::Result<()> {
    let supervisor = crate::stream::watched(supervisor)?;
    let arrivals = Arrivals::new(arrivals)?;
    gate.words.say(Word::Ready { program: env!("CARGO_PKG_VERSION").to_owned(), warnings: Vec::new() });
    let ended = tokio::select! {
        ended = obey(&gate, &published, &supervisor) => ended,
        ended = speak(&gate.words, &supervisor) => ended,
        ended = ask(&published, &supervisor) => ended,
        ended = take_in(&gate, &arrivals) => ended,
        () = sweep(&gate) => Ok(()),
    };
    // The supervisor may be gone, and then there is nobody to say them to.
    let _unsaid = tokio::time::timeout(LAST_WORDS_TIME_MAX, say_all(&gate.words, &supervisor)).await;
    ended
}

/// All that is left to be said, also what would have waited to be said again.
async fn say_all(words: &Words, supervisor: &AsyncFd<OwnedFd>) -> std::io::Result<()> {
    words.say(words.report());
    let now = Instant::now() + REPEATED_AFTER;
    while say_lot(words, supervisor, now).await? > 0 {}
    Ok(())
}

/// Takes connections in until the session ends: the cell may be gone before, and its last requests still under way.
async fn take_in(gate: &Arc<Gate>, arrivals: &Arrivals) -> std::io::Result<()> {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    while let Some((arrival, socket)) = arrivals.next().await? {
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            gate.words.refused(&Refusal::of_nowhere(RefusalReason::TooManyOpen));
            crate::stream::reset(socket);
            continue;
        };
        let gate = Arc::clone(gate);
        tokio::spawn(async move {
            crate::tunnel::serve(gate, arrival, socket).await;
            drop(place);
        });
    }
    std::future::pending().await
}

/// Takes orders until there is one to stop, or nobody to give any.
async fn obey(gate: &Arc<Gate>, published: &Published, supervisor: &AsyncFd<OwnedFd>) -> std::io::Result<()> {
    loop {
        let mut ready = supervisor.readable().await?;
        let (order, beside) = match wire::receive_order(supervisor.get_ref().as_fd(), RecvFlags::DONTWAIT) {
            Ok(None) => return Ok(()),
            Ok(Some(received)) => received,
            Err(Errno::AGAIN) => {
                ready.clear_ready();
                continue;
            }
            Err(errno) => return Err(errno.into()),
        };
        match order {
            Order::Stop {} => return Ok(()),
            Order::Decide { id, decision } => gate.asking.decide(id, decision),
            Order::Revoke { credential } => gate.revoke(&credential),
            Order::Publish { port, host } => published.publish(port, &host, beside),
            Order::Unpublish { port } => published.unpublish(port),
            Order::Connected { number } => published.answered(number, beside.into_iter().next()),
            Order::NotConnected { number } => published.answered(number, None),
            Order::Report {} => gate.words.say(gate.words.report()),
        }
    }
}

/// Asks for connections into the cell, at once.
async fn ask(published: &Published, supervisor: &AsyncFd<OwnedFd>) -> std::io::Result<()> {
    loop {
        say(&published.question().await, supervisor).await?;
    }
}

/// Says what there is to say, no faster than it can be listened to.
async fn speak(words: &Words, supervisor: &AsyncFd<OwnedFd>) -> std::io::Result<()> {
    loop {
        words.something().await;
        say_lot(words, supervisor, Instant::now()).await?;
        tokio::time::sleep(LOT_EVERY).await;
    }
}

/// How many were said.
async fn say_lot(words: &Words, supervisor: &AsyncFd<OwnedFd>, now: Instant) -> std::io::Result<usize> {
    let lot = words.lot(now);
    for word in &lot.words {
        say(word, supervisor).await?;
    }
    lot.marks.into_iter().for_each(Mark::wipe_out);
    Ok(lot.words.len())
}

async fn say(word: &Word, supervisor: &AsyncFd<OwnedFd>) -> std::io::Result<()> {
    loop {
        let mut ready = supervisor.writable().await?;
        match wire::send(supervisor.get_ref().as_fd(), word) {
            Ok(()) => return Ok(()),
            Err(Errno::AGAIN) => ready.clear_ready(),
            // One word less is less of a loss than the session.
            Err(Errno::MSGSIZE) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        }
    }
}

async fn sweep(gate: &Arc<Gate>) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        gate.origins.pool.sweep();
        cofferdam_syscall::memory::give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    #[test]
    fn a_word_too_long_to_be_said_is_left_out_and_the_next_one_said() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let kind = SocketType::SEQPACKET;
            let (ours, theirs) = socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap();
            let supervisor = crate::stream::watched(theirs).unwrap();
            let failed = |cause: String| Word::Failed { causes: vec![cause] };
            say(&failed("x".repeat(wire::MESSAGE_BYTES_MAX)), &supervisor).await.unwrap();
            say(&failed("short".to_owned()), &supervisor).await.unwrap();
            let heard = wire::receive::<Word>(ours.as_fd(), RecvFlags::DONTWAIT).unwrap();
            assert!(matches!(heard, Some(Word::Failed { causes }) if causes == ["short"]));
        });
    }
}
