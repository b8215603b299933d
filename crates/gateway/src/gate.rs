//! All that one session's gateway knows and has: what is granted, what is left of it, the ways in and out.

use crate::asking::Asking;
use crate::authority::Authority;
use crate::budget::{Allowance, Budgets};
use crate::exchange::{Exchange, Leak, LeakPlace};
use crate::origin::Origins;
use crate::passage::Revoked;
use crate::renewal::Renewals;
use crate::serve::{Desk, LongHeads, NEWER_MAX, REFUSED_MAX, REQUESTS_MAX};
use crate::words::Words;
use cofferdam_policy::net::credential::CredentialName;
use cofferdam_policy::net::grant::Grant;
use cofferdam_policy::net::host::{Destination, HostPattern};
use cofferdam_policy::net::verdict::Grants;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Shared by all connections.
#[derive(Debug)]
pub(crate) struct Gate {
    grants: Mutex<Arc<Grants>>,
    /// How many of them there were before any question.
    given: usize,
    denied: Vec<HostPattern>,
    pub(crate) authority: Authority,
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) origins: Origins,
    pub(crate) renewals: Renewals,
    pub(crate) budgets: Budgets,
    pub(crate) desk: Desk,
    pub(crate) long_heads: Arc<LongHeads>,
    pub(crate) words: Words,
    pub(crate) asking: Asking,
    pub(crate) revoked: Revoked,
    /// For requests under way.
    pub(crate) room: Arc<Semaphore>,
    /// For refusals with their reasons.
    pub(crate) refused_room: Arc<Semaphore>,
    /// For connections by HTTP/2.
    pub(crate) newer: Arc<Semaphore>,
}

/// The parts that need making.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) grants: Vec<Grant>,
    pub(crate) denied: Vec<HostPattern>,
    pub(crate) authority: Authority,
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) origins: Origins,
    pub(crate) renewals: Renewals,
    pub(crate) words: Words,
    pub(crate) asking: Asking,
    pub(crate) revoked: Revoked,
}

impl Gate {
    pub(crate) fn new(parts: Parts) -> Arc<Self> {
        let Parts { grants, denied, authority, exchange, origins, renewals, words, asking, revoked } = parts;
        let given = grants.len();
        let compiled = Arc::new(Grants::but(grants, denied.clone()));
        Arc::new(Self {
            grants: Mutex::new(compiled),
            given,
            denied,
            authority,
            exchange,
            origins,
            renewals,
            budgets: Budgets::default(),
            desk: Desk::default(),
            long_heads: Arc::default(),
            words,
            asking,
            revoked,
            room: Arc::new(Semaphore::new(REQUESTS_MAX)),
            refused_room: Arc::new(Semaphore::new(REFUSED_MAX)),
            newer: Arc::new(Semaphore::new(NEWER_MAX)),
        })
    }

    /// A credential of no use from here on: in no request, and on no connection.
    pub(crate) fn revoke(&self, credential: &CredentialName) {
        self.exchange.revoke(credential);
        self.revoked.revoke(credential.clone());
    }

    /// Whether the name of a host holds a handle; then that is told.
    pub(crate) fn leaks_in(&self, destination: &Destination, name: &[u8]) -> bool {
        let Some(credential) = self.exchange.leak_in(name) else { return false };
        self.words.leaked(&Leak { credential, place: LeakPlace::Name }, destination);
        true
    }

    /// What is granted now.
    pub(crate) fn grants(&self) -> Arc<Grants> {
        Arc::clone(&self.grants.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What would be granted with one grant more, which comes last, so that the others keep their places; and what there
    /// is to spend under it.
    pub(crate) fn grants_with(&self, grant: Grant, to: &Destination) -> (Arc<Grants>, Arc<Allowance>) {
        let grants = self.grants();
        let others = grants.budgets_at(to).take_while(|(at, _)| *at < self.given);
        let allowance = self.budgets.of_answer(grant.budget, others);
        let all = grants.iter().cloned().chain([grant]).collect();
        (Arc::new(Grants::but(all, self.denied.clone())), allowance)
    }

    /// One grant more until the session ends.
    pub(crate) fn grant(&self, grant: Grant, to: &Destination) -> Arc<Grants> {
        let (all, allowance) = self.grants_with(grant, to);
        self.budgets.put(all.iter().count().saturating_sub(1), allowance);
        *self.grants.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&all);
        all
    }
}
