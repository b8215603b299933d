//! Where the grants for a destination and a path are found without going through all of them.
//!
//! Hosts are looked up whole and by what follows each dot; paths by the literal beginning of their patterns. Whether a
//! grant permits anything is not decided here.

use crate::net::budget::Budget;
use crate::net::credential::CredentialName;
use crate::net::grant::{Grant, Method, Methods, QueryRule};
use crate::net::host::{Destination, DnsName, Host, HostPattern, Port};
use crate::net::path::{CanonicalPath, PathPattern};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    exactly: HashMap<Destination, Bucket>,
    below: HashMap<String, Below>,
    /// The most parts that a name in `below` has.
    suffix_labels_max: usize,
    /// At whatever port.
    hosts: HostSet,
}

/// Host patterns, to ask whether any of them means a host.
#[derive(Debug, Clone, Default)]
pub(super) struct HostSet {
    exactly: HashSet<Host>,
    one_label: HashSet<String>,
    any_depth: HashSet<String>,
}

#[derive(Debug, Clone, Default)]
struct Below {
    one_label: HashMap<Port, Bucket>,
    any_depth: HashMap<Port, Bucket>,
}

/// The grants of one host pattern at one port.
#[derive(Debug, Clone, Default)]
pub(super) struct Bucket {
    by_prefix: HashMap<String, Vec<Rule>>,
    /// The most segments that a key of `by_prefix` has.
    prefix_segments_max: usize,
    /// What the grants that are read permit together; `None` if there is no such grant.
    methods: Option<Methods>,
    unread: Vec<usize>,
    bound: Bound,
}

/// What the grants of a bucket bind to their place.
#[derive(Debug, Clone, Default)]
pub(super) struct Bound {
    /// Whether any of them is for a model.
    pub(super) is_of_model: bool,
    /// The narrowest bounds of all.
    pub(super) budget: Budget,
    /// The first grant that names addresses.
    pub(super) addressed: Option<usize>,
    /// The first grant with a credential, and the first with another one.
    credentials: [Option<usize>; 2],
    first: Option<CredentialName>,
}

impl Bound {
    fn take(&mut self, at: usize, grant: &Grant) {
        self.is_of_model |= grant.model.is_some();
        self.budget = self.budget.narrowest(grant.budget);
        self.addressed = self.addressed.or_else(|| (!grant.addresses.is_empty()).then_some(at));
        let [first, other] = &mut self.credentials;
        match (&self.first, &grant.credential) {
            (_, None) => {}
            (None, Some(credential)) => (self.first, *first) = (Some(credential.clone()), Some(at)),
            (Some(own), Some(credential)) if own == credential => {}
            (Some(_), Some(_)) => *other = other.or(Some(at)),
        }
    }

    /// A grant of each credential that there is, up to the second.
    pub(super) fn credentials(&self) -> impl Iterator<Item = usize> {
        self.credentials.into_iter().flatten()
    }
}

/// One path pattern of one grant.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    /// The grant's index.
    pub(super) grant: usize,
    /// How narrow it is: the greatest one holds.
    pub(super) specificity: Specificity,
    /// Whether the grant narrows anything that a header could take back.
    pub(super) is_narrowed: bool,
    pattern: PathPattern,
}

/// By host, path, methods, query and credential.
pub(super) type Specificity = ((u8, usize), (usize, bool, bool), usize, bool, bool);

impl Index {
    pub(super) fn of(grants: &[Arc<Grant>]) -> Self {
        let mut index = Self::default();
        for (at, grant) in grants.iter().enumerate() {
            index.bucket(grant).take(at, grant);
            index.hosts.take(&grant.host);
        }
        index
    }

    /// Whether anything is granted at `host`, at whatever port.
    pub(super) fn knows(&self, host: &Host) -> bool {
        self.hosts.means(host)
    }

    fn bucket(&mut self, grant: &Grant) -> &mut Bucket {
        match &grant.host {
            HostPattern::Exactly(host) => {
                let destination = Destination { host: host.clone(), port: grant.port };
                self.exactly.entry(destination).or_default()
            }
            HostPattern::OneLabelBelow(suffix) => {
                self.suffix(suffix).one_label.entry(grant.port).or_default()
            }
            HostPattern::Below(suffix) => self.suffix(suffix).any_depth.entry(grant.port).or_default(),
        }
    }

    fn suffix(&mut self, suffix: &DnsName) -> &mut Below {
        self.suffix_labels_max = self.suffix_labels_max.max(suffix.label_count());
        self.below.entry(suffix.as_str().to_owned()).or_default()
    }

    /// Every bucket whose host and port are the destination's.
    pub(super) fn at(&self, destination: &Destination) -> Vec<&Bucket> {
        let mut buckets: Vec<&Bucket> = self.exactly.get(destination).into_iter().collect();
        let Host::Name(name) = &destination.host else { return buckets };
        let labels = name.label_count();
        let mut rest = name.parent();
        let mut left = labels.saturating_sub(1);
        while let Some(suffix) = rest {
            if left <= self.suffix_labels_max
                && let Some(below) = self.below.get(suffix)
            {
                let one_label = below.one_label.get(&destination.port).filter(|_| left + 1 == labels);
                buckets.extend(one_label);
                buckets.extend(below.any_depth.get(&destination.port));
            }
            rest = suffix.split_once('.').map(|(_, rest)| rest);
            left = left.saturating_sub(1);
        }
        buckets
    }
}

impl HostSet {
    pub(super) fn of(patterns: &[HostPattern]) -> Self {
        let mut set = Self::default();
        patterns.iter().for_each(|pattern| set.take(pattern));
        set
    }

    fn take(&mut self, pattern: &HostPattern) {
        match pattern {
            HostPattern::Exactly(host) => self.exactly.insert(host.clone()),
            HostPattern::OneLabelBelow(suffix) => self.one_label.insert(suffix.as_str().to_owned()),
            HostPattern::Below(suffix) => self.any_depth.insert(suffix.as_str().to_owned()),
        };
    }

    pub(super) fn means(&self, host: &Host) -> bool {
        if self.exactly.contains(host) {
            return true;
        }
        let parent = host.name().and_then(DnsName::parent);
        let mut above = std::iter::successors(parent, |name| name.split_once('.').map(|(_, rest)| rest));
        parent.is_some_and(|parent| self.one_label.contains(parent))
            || (!self.any_depth.is_empty() && above.any(|name| self.any_depth.contains(name)))
    }
}

impl Bucket {
    fn take(&mut self, at: usize, grant: &Grant) {
        self.bound.take(at, grant);
        if grant.is_unread() {
            self.unread.push(at);
            return;
        }
        self.methods = Some(match (self.methods.take(), &grant.methods) {
            (Some(Methods::These(own)), Methods::These(more)) => {
                Methods::These(own.union(more).cloned().collect::<BTreeSet<Method>>())
            }
            (None, methods) => methods.clone(),
            (Some(Methods::Any), _) | (Some(_), Methods::Any) => Methods::Any,
        });
        for pattern in &grant.paths {
            let prefix = pattern.literal_prefix();
            let segments = prefix.matches('/').count();
            self.prefix_segments_max = self.prefix_segments_max.max(segments);
            self.by_prefix.entry(prefix.to_owned()).or_default().push(Rule {
                grant: at,
                specificity: specificity(grant, pattern),
                is_narrowed: is_narrowed(grant),
                pattern: pattern.clone(),
            });
        }
    }

    /// Calls `take` with every rule whose path pattern means `path`.
    pub(super) fn for_each_of_path<'b>(&'b self, path: &CanonicalPath<'_>, take: &mut impl FnMut(&'b Rule)) {
        let text = path.as_str();
        let ends = text.match_indices('/').map(|(at, _)| at).chain([text.len()]);
        // The first end is the empty prefix, of patterns that begin with a wildcard.
        for end in ends.take(self.prefix_segments_max + 1) {
            let rules = text.get(..end).and_then(|prefix| self.by_prefix.get(prefix));
            rules.into_iter().flatten().filter(|rule| rule.pattern.matches(path)).for_each(&mut *take);
        }
    }

    pub(super) fn bound(&self) -> &Bound {
        &self.bound
    }

    pub(super) fn is_read(&self) -> bool {
        self.methods.is_some()
    }

    /// Whether any grant that is read permits `method`, at whatever path.
    pub(super) fn permits_method(&self, method: &str) -> bool {
        self.methods.as_ref().is_some_and(|methods| methods.permit(method))
    }

    pub(super) fn unread(&self) -> &[usize] {
        &self.unread
    }
}

fn specificity(grant: &Grant, pattern: &PathPattern) -> Specificity {
    let host = match &grant.host {
        HostPattern::Exactly(_) => (2, 0),
        HostPattern::OneLabelBelow(suffix) => (1, suffix.label_count() * 2 + 1),
        HostPattern::Below(suffix) => (1, suffix.label_count() * 2),
    };
    let methods = match &grant.methods {
        Methods::These(methods) => usize::MAX - methods.len(),
        Methods::Any => 0,
    };
    let has_query_rule = grant.query == QueryRule::Deny;
    (host, pattern.specificity(), methods, has_query_rule, grant.credential.is_some())
}

fn is_narrowed(grant: &Grant) -> bool {
    let reads_all = grant.paths.iter().any(PathPattern::is_everything);
    grant.credential.is_some() || grant.methods != Methods::Any || !reads_all
}
