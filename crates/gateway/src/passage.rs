//! One request or tunnel under way: counted against its grant's budget while it lasts, and told of when it has ended.

use crate::budget::Allowance;
pub(crate) use crate::budget::Exhausted;
use crate::protocol::head::METHOD_BYTES_MAX;
use crate::trail::{Begun, Mark};
use crate::wire::{RequestNote, WORD_PATH_BYTES_MAX};
use crate::words::{Traffic, Unnoted, Words};
use cofferdam_policy::net::credential::CredentialName;
use cofferdam_policy::net::host::Destination;
use cofferdam_policy::net::refusal::RefusalReason;
use cofferdam_policy::net::verdict::Permitted;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use tokio::sync::watch;

/// What is said about a request in the end, and what it is held to until then.
#[derive(Debug)]
pub(crate) struct Passage {
    words: Words,
    allowance: Arc<Allowance>,
    traffic: Arc<Traffic>,
    destination: Destination,
    method: String,
    path: String,
    /// The one that is due to it.
    credential: Option<CredentialName>,
    mark: Option<Mark>,
    has_carried: AtomicBool,
    status: AtomicU16,
    up: AtomicU64,
    down: AtomicU64,
    /// Why the request's body was cut, if it was: an HTTP/2 origin's end of it tells nothing of that.
    cut: OnceLock<RefusalReason>,
    started: Instant,
}

/// How a request is named in what is said of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Named<'n> {
    pub(crate) method: &'n str,
    pub(crate) path: &'n str,
}

impl Passage {
    /// Counts one request; `Err` if the grant has none left.
    pub(crate) fn begin(
        words: &Words,
        allowance: Arc<Allowance>,
        permit: &impl Permitted,
        named: Named<'_>,
    ) -> Result<Arc<Self>, Exhausted> {
        let started = Instant::now();
        allowance.request(started)?;
        let destination = permit.destination().clone();
        let end = named.path.floor_char_boundary(WORD_PATH_BYTES_MAX);
        let method = named.method.get(..named.method.floor_char_boundary(METHOD_BYTES_MAX));
        let method = method.unwrap_or_default().to_owned();
        let path = named.path.get(..end).unwrap_or_default().to_owned();
        let credential = permit.grant().credential.clone();
        let noted = credential.as_ref().map(|credential| {
            words.begun(|| Begun {
                destination: destination.clone(),
                method: method.clone(),
                path: path.clone(),
                credential: credential.clone(),
            })
        });
        let mark = noted.transpose().map_err(|Unnoted| Exhausted::Notes)?.flatten();
        let traffic = words.traffic(&destination.host);
        traffic.requests.fetch_add(1, Ordering::Relaxed);
        traffic.open.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::new(Self {
            words: words.clone(),
            allowance,
            traffic,
            destination,
            method,
            path,
            credential,
            mark,
            has_carried: AtomicBool::new(false),
            status: AtomicU16::new(0),
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
            cut: OnceLock::new(),
            started,
        }))
    }

    /// The secret is about to be put into it.
    pub(crate) fn carries(&self) {
        self.has_carried.store(true, Ordering::Relaxed);
    }

    /// Bytes to the origin.
    pub(crate) fn up(&self, bytes: u64) -> Result<(), Exhausted> {
        self.up.fetch_add(bytes, Ordering::Relaxed);
        self.traffic.up.fetch_add(bytes, Ordering::Relaxed);
        self.allowance.up(bytes).inspect_err(|exhausted| self.cut(exhausted.reason()))
    }

    /// The request goes no further, for this reason; the first holds.
    pub(crate) fn cut(&self, reason: RefusalReason) {
        let _before = self.cut.set(reason);
    }

    /// Why it was cut.
    pub(crate) fn cut_for(&self) -> Option<RefusalReason> {
        self.cut.get().copied()
    }

    /// Bytes from the origin.
    pub(crate) fn down(&self, bytes: u64) -> Result<(), Exhausted> {
        self.down.fetch_add(bytes, Ordering::Relaxed);
        self.traffic.down.fetch_add(bytes, Ordering::Relaxed);
        self.allowance.down(bytes)
    }

    /// The origin has answered.
    pub(crate) fn answered(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    pub(crate) fn destination(&self) -> &Destination {
        &self.destination
    }

    pub(crate) fn method(&self) -> &str {
        &self.method
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn words(&self) -> &Words {
        &self.words
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.traffic.open.fetch_sub(1, Ordering::Relaxed);
        let status = self.status.load(Ordering::Relaxed);
        let has_carried = self.has_carried.load(Ordering::Relaxed);
        // What was refused for its body or found no origin is no use of the secret, and must not take the room of one.
        let unused = self.mark.take_if(|_| !has_carried);
        unused.into_iter().for_each(Mark::wipe_out);
        let note = RequestNote {
            destination: self.destination.clone(),
            method: std::mem::take(&mut self.method),
            path: std::mem::take(&mut self.path),
            status: (status != 0).then_some(status),
            up: self.up.load(Ordering::Relaxed),
            down: self.down.load(Ordering::Relaxed),
            milliseconds: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            credential: self.credential.take().filter(|_| has_carried),
        };
        self.words.request(note, self.mark.take());
    }
}

/// Which credentials are revoked, to be waited for by whatever carries one.
#[derive(Debug, Clone)]
pub(crate) struct Revoked(watch::Sender<Vec<CredentialName>>);

impl Revoked {
    pub(crate) fn none() -> Self {
        Self(watch::Sender::new(Vec::new()))
    }

    pub(crate) fn revoke(&self, credential: CredentialName) {
        self.0.send_modify(|all| all.push(credential));
    }

    /// Goes on with something while this credential is not revoked, which is looked at first each time; `None` when it is.
    pub(crate) async fn unless<T>(
        &self,
        credential: Option<&CredentialName>,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        tokio::select! {
            biased;
            () = self.wait(credential) => None,
            done = work => Some(done),
        }
    }

    /// Ends when this credential is revoked; never without one.
    pub(crate) async fn wait(&self, credential: Option<&CredentialName>) {
        let Some(credential) = credential else { return std::future::pending().await };
        // The sender is in `self`, so that there is an end only when it is revoked.
        let mut revoked = self.0.subscribe();
        let _revoked = revoked.wait_for(|all| all.contains(credential)).await;
    }
}
