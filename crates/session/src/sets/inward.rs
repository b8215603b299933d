//! Places of a set in the owner's own network: found out, offered with a question of their own, compared at each start.
//!
//! A name that leads to a private address is refused by the gateway, so that nobody else's name can lead there. What the
//! owner says yes to here is one host at these very addresses, which a grant then names; the rule stays for all others.
//! No name is looked up before its place was said yes to, for a name that an index chose tells something to whoever
//! answers for it.

use super::confirm::Draft;
use super::confirmed::{self, AddressesFrom, Confirmed, Origin, Place};
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::gateway;
use cofferdam_gateway::wire::Looked;
use cofferdam_policy::net::address::globally_routable;
use cofferdam_policy::net::grant::{QueryRule, Scheme};
use cofferdam_policy::net::host::{DnsName, Host, Port};
use cofferdam_policy::net::inward::Inward;
use cofferdam_policy::presets::sets::base::Base;
use cofferdam_policy::presets::sets::registry::Registry;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Who says which addresses names have.
pub(super) type Lookup<'l> = &'l dyn Fn(&BTreeSet<DnsName>) -> Result<Looked, Error>;

/// A host of a set that is not out on the internet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// `host`, or `host:port`.
    pub place: String,
    /// Where it is by this machine's resolver.
    pub addresses: Vec<IpAddr>,
    /// Where it was when it was confirmed before.
    pub before: Vec<IpAddr>,
    /// Who says that the set loads from there.
    pub from: Origin,
    /// Whether a login goes there in clear text.
    pub bares_login: bool,
    at: (Host, Port),
}

/// What came of looking places up.
#[derive(Debug, Default)]
pub struct Openings {
    /// To be asked about, one by one.
    pub offered: Vec<Opening>,
    /// Places at addresses that are not offered, for people.
    pub notes: Vec<String>,
}

/// Where these addresses lead, if one of them leads inwards.
#[must_use]
pub fn leads_inward(addresses: &[IpAddr]) -> Option<Inward> {
    addresses.iter().find_map(|address| Inward::of(*address))
}

/// `10.1.2.3, 10.1.2.4`
#[must_use]
pub fn listed(addresses: &[IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// As the gateway of a session would find them.
pub(super) fn lookup(context: &Context) -> impl Fn(&BTreeSet<DnsName>) -> Result<Looked, Error> {
    |names| gateway::lookup(context, names)
}

/// Loopback in a cell is the cell's own: a tool that is told `localhost` there would never ask the gateway.
pub(super) fn check_not_loopback(registry: Registry, base: &Base) -> Result<(), Error> {
    let is_loopback = match &base.host {
        Host::Name(name) => name.as_str() == "localhost" || name.as_str().ends_with(".localhost"),
        Host::Address(address) => Inward::of(*address) == Some(Inward::Machine),
    };
    if !is_loopback {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Policy, format!("cannot confirm {}", registry.name()))
        .since(format!("{base} is the cell's own loopback in a cell, where nothing of yours listens"))
        .hint(format!(
            "give it another name in /etc/hosts, and name that in the settings of {0}",
            registry.name()
        )))
}

/// Places whose names lead elsewhere by now than when the owner said yes to their addresses.
pub(super) fn moved(confirmed: &Confirmed, lookup: Lookup<'_>) -> Result<Vec<String>, Error> {
    let resolved = confirmed.places.iter().filter(|place| place.addresses_from == AddressesFrom::Resolver);
    let named: Vec<(&DnsName, &Place)> =
        resolved.filter_map(|place| name_of(&place.base).map(|name| (name, place))).collect();
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let looked = lookup(&named.iter().map(|(name, _)| (*name).clone()).collect())?;
    let mut moved: Vec<String> = Vec::new();
    for (name, place) in named {
        let now = looked.get(name).map(Vec::as_slice).unwrap_or_default();
        let known = &place.base.addresses;
        if now.iter().any(|address| !known.contains(address)) {
            moved.push(format!("{name} is at {} now, and was at {}", listed(now), listed(known)));
        }
    }
    moved.dedup();
    Ok(moved)
}

fn name_of(base: &Base) -> Option<&DnsName> {
    match &base.host {
        Host::Name(name) => Some(name),
        Host::Address(_) => None,
    }
}

fn at(place: &Place) -> (Host, Port) {
    (place.base.host.clone(), place.base.port)
}

impl Draft {
    /// Hosts that have not been looked at yet and are not out on the internet.
    ///
    /// # Errors
    /// [`ErrorKind::State`] if the gateway's program can't be asked.
    pub fn openings(&mut self, context: &Context) -> Result<Openings, Error> {
        self.openings_by(context, &lookup(context))
    }

    pub(super) fn openings_by(&mut self, context: &Context, lookup: Lookup<'_>) -> Result<Openings, Error> {
        let is_open =
            |place: &&Place| place.base.addresses.is_empty() && !self.looked_at.contains(&at(place));
        let places: Vec<Place> = self.confirmed.places.iter().filter(is_open).cloned().collect();
        let names: BTreeSet<DnsName> =
            places.iter().filter_map(|place| name_of(&place.base)).cloned().collect();
        let looked = if names.is_empty() { Looked::new() } else { lookup(&names)? };
        let mut openings = Openings::default();
        for place in &places {
            if !self.looked_at.insert(at(place)) {
                continue;
            }
            let addresses = match &place.base.host {
                Host::Name(name) => looked.get(name).cloned().unwrap_or_default(),
                Host::Address(address) => vec![*address],
            };
            let is_global = |address: &IpAddr| globally_routable(*address);
            if addresses.iter().all(is_global) {
                continue;
            }
            if addresses.iter().all(|address| is_global(address) || Inward::of(*address).is_some()) {
                openings.offered.push(self.opening(place, addresses));
            } else {
                openings.notes.push(format!(
                    "{} leads to {}, which is never offered, so requests there are refused; if it is meant, \
                     write its address into {}",
                    place.base.place(),
                    listed(&addresses),
                    confirmed::path(context, self.registry).display()
                ));
            }
        }
        Ok(openings)
    }

    fn opening(&self, place: &Place, addresses: Vec<IpAddr>) -> Opening {
        let before = self.before.places.iter().find(|known| at(known) == at(place));
        let here = self.confirmed.places.iter().filter(|other| at(other) == at(place));
        let bares = |other: &Place| other.base.scheme == Scheme::Http && other.base.credential.is_some();
        Opening {
            place: place.base.place(),
            addresses,
            before: before.map(|known| known.base.addresses.clone()).unwrap_or_default(),
            from: place.from,
            bares_login: here.into_iter().any(bares),
            at: at(place),
        }
    }

    /// Takes the addresses that the owner said yes to, for all places at this host and port.
    pub fn open(&mut self, opening: &Opening) {
        for place in self.confirmed.places.iter_mut().filter(|place| at(place) == opening.at) {
            if place.base.addresses.is_empty() {
                place.base.addresses.clone_from(&opening.addresses);
                place.addresses_from = AddressesFrom::Resolver;
            }
        }
    }

    /// Hosts with the addresses that the owner said yes to in this confirmation.
    #[must_use]
    pub fn openings_so_far(&self) -> Vec<(String, Vec<IpAddr>)> {
        let resolved =
            self.confirmed.places.iter().filter(|place| place.addresses_from == AddressesFrom::Resolver);
        resolved.map(|place| (place.base.place(), place.base.addresses.clone())).collect()
    }

    /// What is known of a place from the file before, or from another place at its host and port.
    pub(super) fn know(&self, place: &mut Place) {
        if let Some(known) = self.before.places.iter().find(|known| known.is_same(place)) {
            if known.base.query == QueryRule::Allow {
                place.base.query = QueryRule::Allow;
            }
            if known.addresses_from == AddressesFrom::You {
                place.base.addresses.clone_from(&known.base.addresses);
            }
        }
        let beside = self.confirmed.places.iter().find(|known| at(known) == at(place));
        if let Some(beside) = beside.filter(|_| place.base.addresses.is_empty()) {
            place.base.addresses.clone_from(&beside.base.addresses);
            place.addresses_from = beside.addresses_from;
        }
    }
}

#[cfg(test)]
mod tests;
