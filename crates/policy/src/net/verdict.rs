//! Grants compiled, and the one place that judges by them.
//!
//! Whatever is not granted is refused, and what is denied is refused whatever is granted. A request needs one grant
//! that permits it in every respect; of several the most specific one holds, by (in this order) host, path, methods,
//! query, and naming a credential. If that leaves two with different credentials the request is refused: which
//! secret goes out is never a matter of chance. Where a read protocol is granted, nothing is passed on unread.
//!
//! Nothing is resolved, connected to or counted here.

mod index;

use crate::net::address::globally_routable;
use crate::net::budget::Budget;
use crate::net::credential::CredentialName;
use crate::net::grant::{Grant, Methods, Protocol, QueryRule, Scheme};
use crate::net::host::{Destination, Host, HostPattern};
use crate::net::model::ModelRule;
use crate::net::path::{CanonicalPath, PathPattern};
use crate::net::refusal::{Refusal, RefusalReason};
use index::{Bucket, HostSet, Index, Rule};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// All grants of a session, and what it must never reach.
#[derive(Debug, Clone)]
pub struct Grants {
    grants: Vec<Arc<Grant>>,
    index: Index,
    denied: HostSet,
}

/// What of a request is judged.
#[derive(Debug, Clone, Copy)]
pub struct Head<'r> {
    /// As it was sent.
    pub method: &'r str,
    /// As it was sent, without the query.
    pub path: &'r str,
    /// What follows `?`, if there is one.
    pub query: Option<&'r str>,
    /// What the connection is to become.
    pub upgrade: Upgrade,
    /// The names of all headers.
    pub header_names: &'r [&'r str],
    /// What `Host` or `:authority` names.
    pub authority: &'r Destination,
    /// What the client speaks; used only for the grant that is offered.
    pub scheme: Scheme,
}

/// What a request asks its connection to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Upgrade {
    /// Nothing else.
    None,
    /// A WebSocket, by HTTP/1.1 or as extended CONNECT of HTTP/2 (whose method is then judged as GET).
    WebSocket,
    /// Anything else; never permitted.
    Other,
}

/// How a destination may be spoken to.
#[derive(Debug, Clone)]
pub enum Reach {
    /// Requests are read, and each is judged by [`Grants::judge`].
    Read,
    /// The connection is passed on unread, by [`Protocol::TlsPassthrough`] or [`Protocol::Tcp`].
    Unread(SplicePermit),
}

/// The word to send exactly the request that was judged. Only [`Grants::judge`] makes one.
///
/// ```
/// use cofferdam_policy::net::host::Destination;
/// use cofferdam_policy::net::verdict::{Grants, Head, RequestPermit};
///
/// fn lawful(grants: &Grants, to: &Destination, head: &Head<'_>) -> Option<RequestPermit> {
///     grants.judge(to, head).ok()
/// }
/// ```
///
/// It can't be made in any other way:
///
/// ```compile_fail,E0451
/// use cofferdam_policy::net::grant::{Grant, Protocol};
/// use cofferdam_policy::net::host::Destination;
/// use cofferdam_policy::net::verdict::RequestPermit;
///
/// fn forged(grant: std::sync::Arc<Grant>, destination: Destination) -> RequestPermit {
///     RequestPermit { index: 0, grant, destination, protocol: Protocol::Http }
/// }
/// ```
///
/// nor turned to another destination:
///
/// ```compile_fail,E0616
/// use cofferdam_policy::net::host::Destination;
/// use cofferdam_policy::net::verdict::RequestPermit;
///
/// fn turned(permit: &mut RequestPermit, elsewhere: Destination) {
///     permit.destination = elsewhere;
/// }
/// ```
///
/// ```compile_fail,E0277
/// fn read<T: serde::de::DeserializeOwned>(text: &str) -> T {
///     serde_json::from_str(text).unwrap()
/// }
/// let permit: cofferdam_policy::net::verdict::RequestPermit = read("{}");
/// ```
#[derive(Debug, Clone)]
pub struct RequestPermit {
    index: usize,
    grant: Arc<Grant>,
    destination: Destination,
    protocol: Protocol,
}

/// The word to pass a connection on unread. Only [`Grants::reach`] makes one.
///
/// ```compile_fail,E0451
/// use cofferdam_policy::net::grant::{Grant, Protocol};
/// use cofferdam_policy::net::host::Destination;
/// use cofferdam_policy::net::verdict::SplicePermit;
///
/// fn forged(grant: std::sync::Arc<Grant>, destination: Destination) -> SplicePermit {
///     SplicePermit { index: 0, grant, destination, protocol: Protocol::Tcp }
/// }
/// ```
#[derive(Debug, Clone)]
pub struct SplicePermit {
    index: usize,
    grant: Arc<Grant>,
    destination: Destination,
    protocol: Protocol,
}

/// Addresses that may be connected to. Only [`check_addresses`] makes them.
///
/// ```compile_fail,E0451
/// let anywhere = cofferdam_policy::net::verdict::CheckedAddresses { addresses: Vec::new() };
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedAddresses {
    addresses: Vec<SocketAddr>,
}

/// What permits to connect somewhere.
pub trait Permitted {
    /// The grant.
    fn grant(&self) -> &Grant;
    /// Where to.
    fn destination(&self) -> &Destination;
}

impl Grants {
    /// These grants, and nothing denied.
    #[must_use]
    pub fn new(grants: Vec<Grant>) -> Self {
        Self::but(grants, Vec::new())
    }

    /// These grants, and hosts that are never reached.
    #[must_use]
    pub fn but(grants: Vec<Grant>, denied: Vec<HostPattern>) -> Self {
        let grants: Vec<Arc<Grant>> = grants.into_iter().map(Arc::new).collect();
        Self { index: Index::of(&grants), grants, denied: HostSet::of(&denied) }
    }

    /// All grants, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Grant> {
        self.grants.iter().map(AsRef::as_ref)
    }

    /// The grants that mean `destination` and have a budget, by their places in the list.
    pub fn budgets_at<'g>(
        &'g self,
        destination: &'g Destination,
    ) -> impl Iterator<Item = (usize, Budget)> + 'g {
        let is_there =
            |grant: &Grant| grant.port == destination.port && grant.host.matches(&destination.host);
        let bounded = self.iter().enumerate().map(|(at, grant)| (at, grant, grant.budget));
        bounded
            .filter(move |(_, grant, budget)| *budget != Budget::default() && is_there(grant))
            .map(|(at, _, budget)| (at, budget))
    }

    /// Whether anything is granted at `destination`, and how it may be spoken to.
    ///
    /// # Errors
    /// A [`Refusal`] if nothing is, or the host is denied.
    pub fn reach(&self, destination: &Destination) -> Result<Reach, Refusal> {
        let buckets = self.buckets(destination).map_err(|reason| {
            let line = self.offered(reason, destination, &[], Scheme::usual_at(destination.port), None);
            Refusal::of_connection(reason, destination).allowed_by(line)
        })?;
        if buckets.iter().any(|bucket| bucket.is_read()) {
            return Ok(Reach::Read);
        }
        // The exact host comes first, then what is below the longer name.
        let unread = buckets.iter().find(|bucket| !bucket.unread().is_empty());
        let unread = unread.into_iter().flat_map(|bucket| bucket.unread());
        let best = unread.filter_map(|index| Some((*index, self.grants.get(*index)?)));
        let best = best.max_by_key(|(_, grant)| (grant.protocols.permit(Protocol::TlsPassthrough), *grant));
        let found = best.and_then(|(index, grant)| Some((index, grant, grant.protocols.unread()?)));
        let Some((index, grant, protocol)) = found else {
            return Err(Refusal::of_connection(RefusalReason::HostNotGranted, destination));
        };
        let (grant, destination) = (Arc::clone(grant), destination.clone());
        Ok(Reach::Unread(SplicePermit { index, grant, destination, protocol }))
    }

    /// Whether this request may be sent to `destination`. In order: the host; what `Host` names; the form of the path;
    /// then a grant that has path, method, protocol and query, and no header that takes the judged ones back.
    ///
    /// # Errors
    /// A [`Refusal`] that names the first respect in which no grant permits it, and the grant that would.
    pub fn judge(&self, destination: &Destination, head: &Head<'_>) -> Result<RequestPermit, Refusal> {
        let parsed = CanonicalPath::parse_with_encoded_slash(head.path.as_bytes());
        let refusal = |reason, there: &[&Bucket]| {
            let offered = |path| self.offered(reason, destination, there, head.scheme, Some((head, path)));
            let line = parsed.as_ref().ok().and_then(offered);
            Refusal::of_request(reason, destination, head.method, head.path).allowed_by(line)
        };
        let buckets = self.buckets(destination).map_err(|reason| refusal(reason, &[]))?;
        let refuse = |reason| refusal(reason, &buckets);
        if head.authority != destination {
            return Err(refuse(RefusalReason::AuthorityMismatch));
        }
        let Ok(path) = &parsed else { return Err(refuse(RefusalReason::PathNotCanonical)) };
        let mut search = Search { head, best: None, came_to: RefusalReason::PathNotGranted };
        for bucket in &buckets {
            bucket.for_each_of_path(path, &mut |rule| {
                if let Some(grant) = self.grants.get(rule.grant) {
                    search.consider(rule, grant);
                }
            });
        }
        match search.best {
            Some(Best { rule, grant, is_ambiguous: false }) => Ok(RequestPermit {
                index: rule.grant,
                grant: Arc::clone(grant),
                destination: destination.clone(),
                protocol: head.upgrade.protocol().unwrap_or(Protocol::Http),
            }),
            Some(Best { is_ambiguous: true, .. }) => Err(refuse(RefusalReason::CredentialAmbiguous)),
            None => Err(refuse(reason(&buckets, path, head, search.came_to))),
        }
    }

    fn buckets(&self, destination: &Destination) -> Result<Vec<&Bucket>, RefusalReason> {
        if self.denied.means(&destination.host) {
            return Err(RefusalReason::HostDenied);
        }
        let buckets = self.index.at(destination);
        if !buckets.is_empty() {
            return Ok(buckets);
        }
        let is_elsewhere = self.index.knows(&destination.host);
        Err(if is_elsewhere { RefusalReason::PortNotGranted } else { RefusalReason::HostNotGranted })
    }
}

/// The reason for a request that no grant permits, when the search came as far as `came_to`.
fn reason(
    buckets: &[&Bucket],
    path: &CanonicalPath<'_>,
    head: &Head<'_>,
    came_to: RefusalReason,
) -> RefusalReason {
    if came_to != RefusalReason::PathNotGranted {
        return came_to;
    }
    if !buckets.iter().any(|bucket| bucket.is_read()) {
        return RefusalReason::ProtocolNotGranted;
    }
    if path.has_encoded_slash() {
        return RefusalReason::PathNotCanonical;
    }
    if buckets.iter().any(|bucket| bucket.permits_method(head.method)) {
        RefusalReason::PathNotGranted
    } else {
        RefusalReason::MethodNotGranted
    }
}

/// What is found while the grants at a destination are gone through.
struct Search<'s> {
    head: &'s Head<'s>,
    best: Option<Best<'s>>,
    came_to: RefusalReason,
}

struct Best<'s> {
    rule: &'s Rule,
    grant: &'s Arc<Grant>,
    is_ambiguous: bool,
}

impl<'s> Search<'s> {
    /// Takes in a rule whose path is the request's.
    fn consider(&mut self, rule: &'s Rule, grant: &'s Arc<Grant>) {
        if let Err(reason) = permits(grant, rule, self.head) {
            if rank(reason) > rank(self.came_to) {
                self.came_to = reason;
            }
            return;
        }
        let Some(best) = &mut self.best else {
            self.best = Some(Best { rule, grant, is_ambiguous: false });
            return;
        };
        match rule.specificity.cmp(&best.rule.specificity) {
            std::cmp::Ordering::Greater => *best = Best { rule, grant, is_ambiguous: false },
            std::cmp::Ordering::Equal if grant.credential != best.grant.credential => {
                best.is_ambiguous = true
            }
            // The line decides between equals, so that the order in which they were written does not.
            std::cmp::Ordering::Equal if **grant > **best.grant => {
                *best = Best { rule, grant, is_ambiguous: best.is_ambiguous };
            }
            std::cmp::Ordering::Equal | std::cmp::Ordering::Less => {}
        }
    }
}

/// How far a request came that was refused for `reason`.
fn rank(reason: RefusalReason) -> u8 {
    use RefusalReason::{HeaderOverride, MethodNotGranted, ProtocolNotGranted, QueryNotGranted};
    [MethodNotGranted, ProtocolNotGranted, QueryNotGranted, HeaderOverride]
        .into_iter()
        .zip(1..)
        .find_map(|(known, rank)| (known == reason).then_some(rank))
        .unwrap_or(0)
}

/// Whether `grant`, whose path the request has, permits it in every other respect.
fn permits(grant: &Grant, rule: &Rule, head: &Head<'_>) -> Result<(), RefusalReason> {
    if !grant.methods.permit(head.method) {
        return Err(RefusalReason::MethodNotGranted);
    }
    if !head.upgrade.protocol().is_some_and(|protocol| grant.protocols.permit(protocol)) {
        return Err(RefusalReason::ProtocolNotGranted);
    }
    if grant.query == QueryRule::Deny && head.query.is_some() {
        return Err(RefusalReason::QueryNotGranted);
    }
    if rule.is_narrowed && head.header_names.iter().any(|name| overrides(name)) {
        return Err(RefusalReason::HeaderOverride);
    }
    Ok(())
}

/// Headers by which some origins take another method or URL than the request line's.
const OVERRIDING_HEADERS: [&str; 12] = [
    "x-forwarded-method",
    "x-forwarded-path",
    "x-forwarded-uri",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-method",
    "x-original-path",
    "x-original-uri",
    "x-original-url",
    "x-override-url",
    "x-rewrite-url",
];

/// Gateways to older interfaces can't tell `_` from `-`, and some no character that is neither letter nor digit.
fn overrides(name: &str) -> bool {
    let folded = |byte: u8| if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' };
    let is_same = |own: u8, byte: u8| own == folded(byte);
    name.starts_with(['x', 'X'])
        && OVERRIDING_HEADERS.iter().any(|own| {
            own.len() == name.len() && own.bytes().zip(name.bytes()).all(|(own, byte)| is_same(own, byte))
        })
}

impl Upgrade {
    fn protocol(self) -> Option<Protocol> {
        match self {
            Self::None => Some(Protocol::Http),
            Self::WebSocket => Some(Protocol::Websocket),
            Self::Other => None,
        }
    }
}

impl Grants {
    /// The refusal of a connection on which no HTTP is spoken, with the grant that would allow that.
    #[must_use]
    pub fn offering_tcp(&self, refusal: Refusal) -> Refusal {
        let line = refusal.destination.as_ref().filter(|_| refusal.reason.is_of_grants()).and_then(|to| {
            let mut grant = self.offer(to, &self.index.at(to), Scheme::usual_at(to.port))?;
            (grant.methods, grant.paths) = (Methods::none(), Vec::new());
            grant.protocols = crate::net::grant::Protocols::new([Protocol::Tcp]).ok()?;
            grant.checked().ok().map(|grant| grant.line())
        });
        refusal.allowed_by(line)
    }

    /// A grant of this very place, at the addresses that what is granted `there` names for it, without which it would
    /// lead nowhere, and with what the owner binds to it: the credential, so that no other account is used there, and
    /// the narrowest budgets. There is none where a model is: what is no call to it can't be let out as one, and
    /// beside the rule it would be let out unlooked.
    fn offer(&self, destination: &Destination, there: &[&Bucket], scheme: Scheme) -> Option<Grant> {
        let host = HostPattern::Exactly(destination.host.clone());
        let mut grant = Grant::to(host, destination.port, crate::net::grant::GrantOrigin::Flag);
        grant.scheme = scheme;
        let addressed = there.iter().find_map(|bucket| self.grants.get(bucket.bound().addressed?));
        grant.addresses = addressed.map(|known| known.addresses.clone()).unwrap_or_default();
        for bucket in there {
            let bound = bucket.bound();
            if bound.is_of_model {
                return None;
            }
            grant.budget = grant.budget.narrowest(bound.budget);
            for known in bound.credentials().filter_map(|known| self.grants.get(known)) {
                match &grant.credential {
                    Some(other) if Some(other) == known.credential.as_ref() => {}
                    // Which of two it should be is the owner's to say.
                    Some(_) => return None,
                    None => {
                        grant.credential.clone_from(&known.credential);
                        // The secret goes as it goes there, and never in clear text because the agent spoke so.
                        (grant.scheme, grant.addresses) = (known.scheme, known.addresses.clone());
                    }
                }
            }
        }
        Some(grant)
    }

    /// The narrowest grant that would allow what is refused, if a grant could. What is granted `there` narrows it.
    fn offered(
        &self,
        reason: RefusalReason,
        destination: &Destination,
        there: &[&Bucket],
        scheme: Scheme,
        request: Option<(&Head<'_>, &CanonicalPath<'_>)>,
    ) -> Option<String> {
        if !reason.is_of_grants() {
            return None;
        }
        let mut grant = self.offer(destination, there, scheme)?;
        if let Some((head, path)) = request {
            grant.methods = Methods::parse([head.method]).ok().filter(|methods| *methods != Methods::Any)?;
            grant.paths = vec![PathPattern::of(path)?];
            grant.query = if head.query.is_some() { QueryRule::Allow } else { QueryRule::Deny };
            grant.protocols = crate::net::grant::Protocols::new([head.upgrade.protocol()?]).ok()?;
        }
        grant.checked().ok().map(|grant| grant.line())
    }
}

impl RequestPermit {
    /// The grant's place in the list that the grants were made of; what budgets are counted by.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// The credential that is to be put in, and no other.
    #[must_use]
    pub fn credential(&self) -> Option<&CredentialName> {
        self.grant.credential.as_ref()
    }

    /// What the body is understood as.
    #[must_use]
    pub fn model(&self) -> Option<&ModelRule> {
        self.grant.model.as_ref()
    }

    /// How much may pass.
    #[must_use]
    pub fn budget(&self) -> Budget {
        self.grant.budget
    }

    /// How the origin is spoken to.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.grant.scheme
    }

    /// HTTP or WebSocket.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }
}

impl SplicePermit {
    /// The grant's place in the list that the grants were made of; what budgets are counted by.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// How much may pass.
    #[must_use]
    pub fn budget(&self) -> Budget {
        self.grant.budget
    }

    /// [`Protocol::TlsPassthrough`] or [`Protocol::Tcp`].
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }
}

impl Permitted for RequestPermit {
    fn grant(&self) -> &Grant {
        &self.grant
    }

    fn destination(&self) -> &Destination {
        &self.destination
    }
}

impl Permitted for SplicePermit {
    fn grant(&self) -> &Grant {
        &self.grant
    }

    fn destination(&self) -> &Destination {
        &self.destination
    }
}

/// Which addresses may be connected to: those that the grant names, in place of all that the resolver says; else those
/// that were resolved, if every one of them is globally routable; else an address that is granted as such.
///
/// # Errors
/// A [`Refusal`] if there is none, or one of them is not routable: then none is used (rebinding mixes both).
pub fn check_addresses(permit: &impl Permitted, resolved: &[IpAddr]) -> Result<CheckedAddresses, Refusal> {
    let (grant, destination) = (permit.grant(), permit.destination());
    let refuse = |reason| Refusal::of_connection(reason, destination);
    let port = destination.port.get();
    let checked = |addresses: &[IpAddr]| CheckedAddresses {
        addresses: addresses.iter().map(|address| SocketAddr::new(*address, port)).collect(),
    };
    if !grant.addresses.is_empty() {
        return Ok(checked(&grant.addresses));
    }
    if let Host::Address(address) = destination.host {
        // No pattern but this very address can have matched it.
        return Ok(checked(&[address]));
    }
    if resolved.is_empty() {
        return Err(refuse(RefusalReason::NameNotResolved));
    }
    // Which address it was is not told: an agent would learn the owner's internal names from it.
    if resolved.iter().all(|address| globally_routable(*address)) {
        Ok(checked(resolved))
    } else {
        Err(refuse(RefusalReason::AddressNotGlobal))
    }
}

impl CheckedAddresses {
    /// The addresses, with the port that is granted.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

#[cfg(test)]
mod tests;
