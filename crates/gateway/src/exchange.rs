//! Handles for secrets on their way out, and nothing for secrets on their way back.
//!
//! A request that a grant with a credential permits gets that secret in the credential's one place, and loses whatever
//! else could authenticate it. It gets it whether or not it carries the handle: the grant is the permission, and a handle
//! that every process in the cell can read proves nothing; so programs work that were never told of it. A handle
//! anywhere else is refused and told.
//!
//! It decides nothing about where requests may go, opens no connection, and never changes which path was judged. That an
//! answer is scrubbed catches what an honest origin echoes; against one that means ill only the grant helps.

pub(crate) mod foreign;
mod forms;
mod place;
mod scan;
mod scrub;

pub use scan::{BodyScanner, Leak, LeakPlace};
pub use scrub::{Scrubber, Seam};

use crate::origin::Live;
use crate::secret::Secret;
use crate::secret::store::{Store, StoreError};
use cofferdam_policy::event::UnixNanos;
use cofferdam_policy::net::credential::{Credential, CredentialName, Place, SecretName};
use cofferdam_policy::net::handle::Handle;
use cofferdam_policy::net::refusal::{Refusal, RefusalReason};
use cofferdam_policy::net::secret::Standing;
use cofferdam_policy::net::verdict::{Permitted as _, RequestPermit};
use hyper::Request;
use hyper::header::HeaderMap;
use hyper::http::{request, response};
use scan::Scanner;
use scrub::Patterns;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// How many earlier values of a login are still looked for in answers.
const EARLIER_VALUES_MAX: usize = 4;

/// The most credentials of a session.
pub const CREDENTIALS_MAX: usize = 64;

/// A credential of the session's, with what the agent holds and what the store has.
#[derive(Debug)]
pub struct HeldSecret {
    /// Where it goes.
    pub credential: Credential,
    /// What the agent holds.
    pub handle: Handle,
    /// The value; none if the store has none that can be used.
    pub value: Option<Secret>,
    /// When it ends, if a login.
    pub expires: Option<UnixNanos>,
    /// Whether it was revoked before.
    pub revoked: bool,
}

/// Why nothing can be exchanged.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The store can't be read.
    #[error("cannot read the secrets of the session")]
    Store(#[from] StoreError),
    /// Each is searched for in all that passes.
    #[error("cannot hold more than {CREDENTIALS_MAX} credentials in one session")]
    TooMany,
}

/// A request that is not let through, and the leaks, if those are why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misuse {
    /// What the agent is told.
    pub refusal: Refusal,
    /// What the owner is told.
    pub leaks: Vec<Leak>,
}

/// Which secret a request is to get when it is sent. It is not the secret: what waits does not hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    credential: CredentialName,
    /// Whom the agent names beside its handle.
    user: Option<String>,
}

/// All credentials of a session.
#[derive(Debug)]
pub struct Exchange {
    slots: Vec<Slot>,
    scanner: Option<Arc<Scanner>>,
    patterns: RwLock<Option<Arc<Patterns>>>,
}

#[derive(Debug)]
struct Slot {
    credential: Credential,
    handle: Handle,
    revoked: AtomicBool,
    /// Whether it was told already that the handle was replaced in a body.
    replaced: AtomicBool,
    value: RwLock<Values>,
}

#[derive(Debug)]
struct Values {
    current: Option<Secret>,
    expires: Option<UnixNanos>,
    earlier: Vec<Secret>,
}

impl Exchange {
    /// Of the values that a session starts with.
    ///
    /// # Errors
    /// [`ExchangeError::TooMany`].
    pub fn new(held: Vec<HeldSecret>) -> Result<Self, ExchangeError> {
        if held.len() > CREDENTIALS_MAX {
            return Err(ExchangeError::TooMany);
        }
        let slot = |held: HeldSecret| Slot {
            credential: held.credential,
            handle: held.handle,
            revoked: AtomicBool::new(held.revoked),
            replaced: AtomicBool::new(false),
            value: RwLock::new(Values { current: held.value, expires: held.expires, earlier: Vec::new() }),
        };
        let slots: Vec<Slot> = held.into_iter().map(slot).collect();
        let names = slots.iter().map(|slot| (slot.credential.name.clone(), &slot.handle));
        let scanner = Scanner::new(names).map(Arc::new);
        let exchange = Self { slots, scanner, patterns: RwLock::new(None) };
        exchange.find_patterns();
        Ok(exchange)
    }

    /// Of what the store has now for these credentials. What it lacks, or what was revoked, is refused when it is used.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn open(
        credentials: Vec<(Credential, Handle)>,
        store: &Store,
        session: &str,
        now: UnixNanos,
    ) -> Result<Self, ExchangeError> {
        if credentials.is_empty() {
            return Self::new(Vec::new());
        }
        let contents = store.contents()?;
        let held = credentials.into_iter().map(|(credential, handle)| {
            let entry = contents.entries.get(&credential.secret);
            let standing = entry.map_or(Standing::Missing, |entry| entry.standing(now, Some(session)));
            let (revoked, usable) = match standing {
                Standing::Usable => (false, true),
                Standing::Revoked => (true, false),
                Standing::Missing | Standing::Expired => (false, false),
            };
            let expires = entry.filter(|entry| entry.login.is_some()).and_then(|entry| entry.expires);
            // Two credentials may stand for one secret; so it stays for the next.
            let value = contents.values.get(&credential.secret).filter(|_| usable);
            HeldSecret {
                value: value.map(|value| value.secret.clone()),
                credential,
                handle,
                expires,
                revoked,
            }
        });
        Self::new(held.collect())
    }

    /// Makes a request that was permitted into the one that is sent, but for its secret. In order: no handle may stand
    /// anywhere but in its place; the credential must count and have a value; everything that authenticates goes; the
    /// answer is asked for unencoded and whole.
    ///
    /// # Errors
    /// [`RefusalReason::HandleMisplaced`], [`RefusalReason::CredentialRevoked`], [`RefusalReason::CredentialMissing`].
    pub fn outgoing(
        &self,
        permit: &RequestPermit,
        parts: &mut request::Parts,
    ) -> Result<Option<Due>, Box<Misuse>> {
        let slot = permit.credential().and_then(|name| self.slot(name));
        let leaks = self.misplaced(slot, parts);
        if !leaks.is_empty() {
            let mut refusal = refusal(RefusalReason::HandleMisplaced, permit, parts);
            if leaks.iter().any(|leak| leak.place == LeakPlace::Url) {
                refusal.path = None;
            }
            return Err(Box::new(Misuse { refusal, leaks }));
        }
        let Some(credential) = permit.credential().cloned() else { return Ok(None) };
        let refuse = |reason| Box::new(Misuse { refusal: refusal(reason, permit, parts), leaks: Vec::new() });
        let usable = slot.ok_or(RefusalReason::CredentialMissing);
        let usable = usable.and_then(|slot| slot.usable().map(|_value| slot));
        let slot = usable.map_err(refuse)?;
        let user = place::basic_user(&parts.headers, &slot.handle);
        // As a user, not even the own handle goes anywhere.
        let user = user.filter(|user| self.leak_in(user.as_bytes()).is_none());
        place::remove_authentication(parts, &slot.credential.place);
        place::ask_for_plain_answer(&mut parts.headers);
        Ok(Some(Due { credential, user }))
    }

    /// Puts the secret that is due in its place, on a connection that takes the request at once; whether it may be sent
    /// is looked at here, however long the request has waited.
    ///
    /// # Errors
    /// [`RefusalReason::CredentialRevoked`], [`RefusalReason::CredentialMissing`].
    pub(crate) fn put<B: Default, C>(
        &self,
        due: &Due,
        request: &mut Request<B>,
        _over: &Live<'_, C>,
    ) -> Result<(), RefusalReason> {
        let slot = self.slot(&due.credential).ok_or(RefusalReason::CredentialMissing)?;
        let secret = slot.usable()?;
        let (mut parts, body) = std::mem::take(request).into_parts();
        let put = place::put(&mut parts, &slot.credential.place, &secret, due.user.clone());
        *request = Request::from_parts(parts, body);
        put.map_err(|_unfit| RefusalReason::CredentialMissing)
    }

    /// Where the secret of a permitted request stands, if it gets one.
    pub(crate) fn place_of(&self, permit: &RequestPermit) -> Option<&Place> {
        permit.credential().and_then(|name| self.slot(name)).map(|slot| &slot.credential.place)
    }

    /// Something that looks for handles in the body of a request; nothing if the session has none.
    #[must_use]
    pub fn body_scanner(&self) -> Option<BodyScanner> {
        self.scanner.as_ref().map(|scanner| BodyScanner::new(Arc::clone(scanner)))
    }

    /// Puts asterisks in the place of every handle of the session: what an agent has seen, it tells its model in each
    /// request from then on. Those come back that are replaced for the first time.
    pub fn replace_handles(&self, body: &mut [u8]) -> Vec<Leak> {
        let Some(scanner) = &self.scanner else { return Vec::new() };
        let is_first = |slot: &&Slot| {
            scanner.replace(&slot.credential.name, body) && !slot.replaced.swap(true, Ordering::SeqCst)
        };
        let first = self.slots.iter().filter(is_first);
        first.map(|slot| Leak { credential: slot.credential.name.clone(), place: LeakPlace::Body }).collect()
    }

    /// Whose handle is in a body that is there as a whole.
    #[must_use]
    pub fn leak_in_body(&self, body: &[u8]) -> Option<Leak> {
        self.body_scanner()?.push(body).err()
    }

    /// Whose handle is in this text: a name to resolve or to connect to, a server name, a URL, bytes of any protocol.
    #[must_use]
    pub fn leak_in(&self, text: &[u8]) -> Option<CredentialName> {
        self.scanner.as_ref()?.find_in_text(text)
    }

    /// Whose handle is in these headers: the trailers of a request, or one that no grant permits.
    #[must_use]
    pub fn leak_in_headers(&self, headers: &HeaderMap) -> Option<Leak> {
        let scanner = self.scanner.as_ref()?;
        headers.iter().find_map(|(name, value)| {
            let found = scanner.find_in_text(name.as_str().as_bytes());
            let credential = found.or_else(|| scanner.find_in_header(value.as_bytes()))?;
            Some(Leak { credential, place: LeakPlace::Header })
        })
    }

    /// Takes secrets out of the head of an answer, and what would let somebody in without them.
    pub fn scrub_head(&self, permit: &RequestPermit, parts: &mut response::Parts) {
        self.scrub_fields(permit.credential(), &mut parts.headers);
    }

    /// The same in its trailers.
    pub(crate) fn scrub_fields(&self, credential: Option<&CredentialName>, fields: &mut HeaderMap) {
        if credential.is_some() {
            place::remove_minted(fields);
        }
        if let Some(patterns) = self.patterns() {
            patterns.scrub_headers(fields);
        }
    }

    /// Takes out of a request's trailers what authenticates, routes or frames.
    pub fn clean_trailers(&self, trailers: &mut HeaderMap) {
        place::remove_from_trailers(trailers);
    }

    /// Something that takes secrets out of the body of any answer, for what an origin was told under one grant may be
    /// read by another; nothing where the session has none.
    #[must_use]
    pub fn scrubber(&self) -> Option<Scrubber> {
        self.patterns().map(Scrubber::new)
    }

    /// From now on the credential is in no request. Whoever holds open connections that it was used on closes them.
    pub fn revoke(&self, name: &CredentialName) {
        if let Some(slot) = self.slot(name) {
            slot.revoked.store(true, Ordering::SeqCst);
        }
    }

    /// Whether it was revoked.
    #[must_use]
    pub fn is_revoked(&self, name: &CredentialName) -> bool {
        self.slot(name).is_some_and(|slot| slot.revoked.load(Ordering::SeqCst))
    }

    /// Whether any of the values ends by itself.
    #[must_use]
    pub fn has_logins(&self) -> bool {
        self.slots.iter().any(|slot| slot.values().expires.is_some())
    }

    /// The login behind a permit, if it ends by `soon` and has to be refreshed first.
    #[must_use]
    pub fn to_refresh(&self, permit: &RequestPermit, soon: UnixNanos) -> Option<SecretName> {
        let slot = self.slot(permit.credential()?)?;
        let ends = slot.values().expires.is_some_and(|end| end <= soon);
        ends.then(|| slot.credential.secret.clone())
    }

    /// Takes a value that was refreshed; the earlier one is still looked for in answers.
    pub fn refreshed(&self, name: &SecretName, value: &Secret, expires: Option<UnixNanos>) {
        for slot in self.slots.iter().filter(|slot| slot.credential.secret == *name) {
            let mut values = slot.value.write().unwrap_or_else(PoisonError::into_inner);
            let before = values.current.replace(value.clone()).filter(|before| before != value);
            values.earlier.extend(before);
            let surplus = values.earlier.len().saturating_sub(EARLIER_VALUES_MAX);
            values.earlier.drain(..surplus);
            values.expires = expires;
        }
        self.find_patterns();
    }

    fn slot(&self, name: &CredentialName) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.credential.name == *name)
    }

    /// Handles anywhere in the head but in the place of the credential that the grant names.
    fn misplaced(&self, slot: Option<&Slot>, parts: &request::Parts) -> Vec<Leak> {
        let Some(scanner) = &self.scanner else { return Vec::new() };
        let own = slot.map(|slot| (&slot.credential, &slot.handle));
        let url = place::url_without_own(&parts.uri, own);
        let mut leaks = BTreeSet::new();
        leaks.extend(scanner.all_in_text(&url).into_iter().map(|name| (LeakPlace::Url, name)));
        for (name, value) in &parts.headers {
            let is_place = own.is_some_and(|(own, _)| place::header_of(&own.place) == Some(name.as_str()));
            let mut found = scanner.all_in_header(value.as_bytes());
            found.retain(|found| !is_place || own.is_none_or(|(own, _)| own.name != *found));
            found.append(&mut scanner.all_in_text(name.as_str().as_bytes()));
            leaks.extend(found.into_iter().map(|name| (LeakPlace::Header, name)));
        }
        leaks.into_iter().map(|(place, credential)| Leak { credential, place }).collect()
    }

    fn patterns(&self) -> Option<Arc<Patterns>> {
        self.patterns.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn find_patterns(&self) {
        let mut all = Vec::new();
        for slot in &self.slots {
            let values = slot.values();
            let secrets = values.current.iter().chain(&values.earlier);
            all.extend(secrets.map(|secret| (secret.clone(), slot.handle.clone())));
        }
        let patterns = Patterns::new(&all).map(Arc::new);
        *self.patterns.write().unwrap_or_else(PoisonError::into_inner) = patterns;
    }
}

impl Slot {
    /// The value, if it may be sent now.
    fn usable(&self) -> Result<Secret, RefusalReason> {
        if self.revoked.load(Ordering::SeqCst) {
            return Err(RefusalReason::CredentialRevoked);
        }
        self.values().current.clone().ok_or(RefusalReason::CredentialMissing)
    }

    fn values(&self) -> std::sync::RwLockReadGuard<'_, Values> {
        self.value.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refusal(reason: RefusalReason, permit: &RequestPermit, parts: &request::Parts) -> Refusal {
    Refusal::of_request(reason, permit.destination(), parts.method.as_str(), parts.uri.path())
}

#[cfg(test)]
pub(crate) mod tests;
