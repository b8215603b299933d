//! Authority: the complete, finite list of what a session may touch.
//!
//! A value, already resolved against the host (absolute paths, concrete values), that can be printed to its
//! last item, compared and digested. It holds no secrets and decides nothing; [`crate::admission`] does.

use crate::label::Label;
use crate::net::credential::{Credential, OnHandleLeak};
use crate::net::grant::Grant;
use crate::net::host::{HostPattern, Port};
use crate::path::AbsPath;
use crate::presets::limits::Limits;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// The layout of the canonical form; a change of it changes every digest.
pub const AUTHORITY_VERSION: u32 = 1;

/// Which enclosure a session runs in. The machine boundary (`vm`) joins with its own crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CellKind {
    /// Linux namespaces, overlays, Landlock and seccomp.
    Namespaces,
}

/// The owner, as the agent sees itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// User id inside.
    pub uid: u32,
    /// Group id inside.
    pub gid: u32,
    /// Login name inside.
    pub name: String,
    /// Home directory, at the owner's own path.
    pub home: AbsPath,
}

/// How the owner's directory is shown without being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum View {
    /// An overlay: the real directory below, the session's changes above.
    Overlay,
    /// A copy in the session's state, where an overlay can't be.
    Copy,
}

/// A directory of the owner's that the session works on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workspace {
    /// Where it is, on the host and inside alike.
    pub path: AbsPath,
    /// How it is shown.
    pub view: View,
    /// Whether agent instructions in it are shown (always so for the first).
    pub instructions: bool,
}

/// What may be done with a mount. Neither ever writes to the host's directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Reading only.
    Ro,
    /// Writing to a layer of the session's own.
    Cow,
}

/// On whose account a directory beside the workspaces is mounted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "of", deny_unknown_fields)]
pub enum Purpose {
    /// The owner named it.
    Chosen,
    /// A git directory, object store or LFS storage that a workspace points to.
    Git(AbsPath),
    /// A named set of tools.
    Tool(String),
    /// A download cache that belongs to a set of tools.
    Cache(String),
    /// Settings, instructions and skills of an agent program.
    AgentHome(String),
    /// The host's own programs and libraries.
    System,
}

/// A directory, or a single file, beside the workspaces.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mount {
    /// On the host.
    pub source: AbsPath,
    /// Inside.
    pub target: AbsPath,
    /// What may be done with it.
    pub access: Access,
    /// Whether it is one regular file, and not a directory; then it is read-only.
    pub file: bool,
    /// Why it is there.
    pub purpose: Purpose,
}

/// A file put into the session's home at its first start, filtered or whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HomeFile {
    /// On the host.
    pub source: AbsPath,
    /// Inside.
    pub target: AbsPath,
    /// The agent program or tool set it belongs to.
    pub of: String,
    /// Whether only an allow-list of its contents comes along.
    pub filtered: bool,
}

/// Where the value of an environment variable comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EnvValue {
    /// The owner's own, read at each start and written nowhere; at none of them may it look like a secret.
    Inherited,
    /// Likewise, and it may be a secret: the owner named it by the dangerous flag.
    DangerouslyInherited,
    /// This text.
    Literal(String),
}

/// A named widening of the system-call filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Nested user, pid and network namespaces and `chroot`: what a browser's own sandbox is built of.
    Chromium,
}

impl Profile {
    /// Every profile there is.
    pub const ALL: [Self; 1] = [Self::Chromium];

    /// Its name in policy, flags and `explain`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Chromium => "chromium",
        }
    }

    /// What it permits, for `explain`.
    #[must_use]
    pub fn permits(self) -> &'static str {
        match self {
            Self::Chromium => "nested user, pid and network namespaces, and chroot within them",
        }
    }
}

/// Everything that one session may touch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    /// [`AUTHORITY_VERSION`].
    pub version: u32,
    /// The enclosure.
    pub cell: CellKind,
    /// Who the agent is, inside.
    pub identity: Identity,
    /// What it works on; the first is where it starts.
    pub workspaces: Vec<Workspace>,
    /// What else it sees.
    pub mounts: Vec<Mount>,
    /// Files put into its home.
    pub home_files: Vec<HomeFile>,
    /// Directories outside the home that a set of tools writes to: empty inside, in memory, and the session's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scratch: Vec<AbsPath>,
    /// Its environment, beyond the few variables that every cell has.
    pub environment: BTreeMap<String, EnvValue>,
    /// Directories that come before the system's own in `PATH`.
    pub path: Vec<AbsPath>,
    /// Names hidden in workspaces and mounts, as patterns beside the default ones.
    pub masks: Vec<String>,
    /// Paths on the host that are hidden wherever they would show.
    pub denied: Vec<AbsPath>,
    /// What it may use up.
    pub limits: Limits,
    /// Widenings of the system-call filter.
    pub profiles: BTreeSet<Profile>,
    /// What it may reach.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Grant>,
    /// What it may use by a handle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<Credential>,
    /// Ports of its own that the owner's browser reaches.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub published: BTreeSet<Port>,
    /// Hosts that it never reaches, whatever is granted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denied_hosts: Vec<HostPattern>,
    /// What a handle in the wrong place brings about.
    #[serde(default, skip_serializing_if = "OnHandleLeak::is_default")]
    pub on_handle_leak: OnHandleLeak,
    /// What it has touched from the start.
    pub label: Label,
}

/// The SHA-256 of an authority's canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AuthorityDigest([u8; 32]);

impl std::fmt::Display for AuthorityDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Authority {
    /// One text for one authority: JSON with the fields in their order of declaration, no white space.
    #[must_use]
    pub fn canonical(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The digest that stands in the ledger for this authority.
    #[must_use]
    pub fn digest(&self) -> AuthorityDigest {
        AuthorityDigest(Sha256::digest(self.canonical().as_bytes()).into())
    }

    /// Every single item, as lines that can be compared: what `trust` shows as widening, and what makes
    /// "at most the parent's" a question about sets.
    #[must_use]
    pub fn items(&self) -> BTreeSet<String> {
        let mut items = BTreeSet::new();
        for w in &self.workspaces {
            items.insert(format!(
                "workspace {} ({})",
                unmistakable(&w.path),
                if w.instructions { "with instructions" } else { "instructions masked" }
            ));
        }
        for m in &self.mounts {
            let (source, target) = (unmistakable(&m.source), unmistakable(&m.target));
            items.insert(format!("mount {source} at {target} ({})", m.access.phrase()));
        }
        for f in &self.home_files {
            items.insert(format!(
                "file {} at {}{}",
                unmistakable(&f.source),
                unmistakable(&f.target),
                if f.filtered { " (filtered)" } else { "" }
            ));
        }
        for path in &self.scratch {
            items.insert(format!("empty directory at {}", unmistakable(path)));
        }
        for (key, value) in &self.environment {
            items.insert(match value {
                EnvValue::Inherited => format!("environment {key} (the owner's value at each start)"),
                EnvValue::DangerouslyInherited => {
                    format!("environment {key} (the owner's value at each start, a secret or not)")
                }
                EnvValue::Literal(text) => format!("environment {key}={text}"),
            });
        }
        for p in &self.profiles {
            items.insert(format!("profile {}: {}", p.name(), p.permits()));
        }
        items.extend(self.grants.iter().map(|grant| {
            let weaker = if grant.is_unread() { " (weaker: passed on unread)" } else { "" };
            format!("grant {grant}{weaker}")
        }));
        items.extend(self.credentials.iter().map(|credential| self.item_of(credential)));
        items.extend(self.published.iter().map(|port| {
            format!("port {} of its own in your browser, whose page can send anywhere", port.get())
        }));
        items
    }

    /// A credential and all that it can be used for.
    fn item_of(&self, credential: &Credential) -> String {
        let Credential { name, secret, place, environment } = credential;
        let grants = self.grants.iter().filter(|grant| grant.credential.as_ref() == Some(name));
        let places: BTreeSet<String> = grants.map(|grant| format!("{}:{}", grant.host, grant.port)).collect();
        let only = if places.is_empty() {
            "no grant".to_owned()
        } else {
            places.into_iter().collect::<Vec<_>>().join(", ")
        };
        let variables: Vec<&str> = environment.iter().map(|variable| variable.as_str()).collect();
        let shown = if variables.is_empty() {
            String::new()
        } else {
            format!("; its handle in {}", variables.join(", "))
        };
        format!("credential {name}: secret {secret} in {}, only for {only}{shown}", place.phrase())
    }

    /// What `self` widens: the items that `narrower` lacks, and limits that are looser.
    #[must_use]
    pub fn beyond(&self, narrower: &Self) -> BTreeSet<String> {
        let mut beyond: BTreeSet<String> = self.items().difference(&narrower.items()).cloned().collect();
        for bound in narrower.limits.iter() {
            let own = self.limits.get(bound.limit.name());
            if own.is_none_or(|own| own.limit.value() > bound.limit.value()) {
                let shown = own.map_or_else(|| "none".to_owned(), |own| own.limit.printed_value());
                beyond.insert(format!(
                    "limit {}: {shown} in place of {}",
                    bound.limit.name(),
                    bound.limit.printed_value()
                ));
            }
        }
        beyond
    }
}

/// A path as part of an item: in quotes where blanks could make two items read alike, and one hide the other.
fn unmistakable(path: &AbsPath) -> String {
    let text = path.as_str();
    if text.contains([' ', '"']) { format!("{text:?}") } else { text.to_owned() }
}

impl Access {
    /// In words, for people.
    #[must_use]
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Ro => "read-only",
            Self::Cow => "copy-on-write",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::grant::GrantOrigin;
    use crate::presets::limits::Machine;
    use proptest::prelude::*;

    fn authority(limits: &[&str]) -> Authority {
        let mut bounds = Limits::defaults(Machine { memory_bytes: 8 << 30 });
        limits.iter().for_each(|text| bounds.ask(text.parse().unwrap()));
        Authority {
            version: AUTHORITY_VERSION,
            cell: CellKind::Namespaces,
            identity: Identity { uid: 1, gid: 1, name: "a".into(), home: AbsPath::root() },
            workspaces: Vec::new(),
            mounts: Vec::new(),
            home_files: Vec::new(),
            scratch: Vec::new(),
            environment: BTreeMap::new(),
            path: Vec::new(),
            masks: Vec::new(),
            denied: Vec::new(),
            limits: bounds,
            profiles: BTreeSet::new(),
            grants: Vec::new(),
            credentials: Vec::new(),
            published: BTreeSet::new(),
            denied_hosts: Vec::new(),
            on_handle_leak: OnHandleLeak::Refuse,
            label: Label::initial(),
        }
    }

    #[test]
    fn a_request_that_loosens_a_default_limit_is_shown_as_widening() {
        let before = authority(&[]);
        let loose = authority(&["processes=1000000"]);
        let tight = authority(&["processes=10"]);
        assert!(
            loose.beyond(&before).iter().any(|item| item.contains("processes: 1000000 in place of 4096"))
        );
        assert!(tight.beyond(&before).is_empty());
        assert!(before.beyond(&before).is_empty());
    }

    fn granted(lines: &[&str]) -> Authority {
        let mut granted = authority(&[]);
        let read = |line: &&str| Grant::from_line(line, GrantOrigin::Policy).unwrap();
        granted.grants = lines.iter().map(read).collect();
        granted
    }

    #[test]
    fn every_grant_and_credential_is_an_item_and_weaker_ones_say_so() {
        let mut granted = granted(&[
            "GET api.example.com/repos/** credential=github",
            "db.example.com:5432 protocols=tcp",
            "tls.example.com protocols=tls-passthrough",
        ]);
        granted.credentials = vec![Credential {
            name: "github".parse().unwrap(),
            secret: "github".parse().unwrap(),
            place: "header:Authorization: Bearer {}".parse().unwrap(),
            environment: vec!["GH_TOKEN".parse().unwrap()],
        }];
        let items: Vec<String> = granted.beyond(&authority(&[])).into_iter().collect();
        assert_eq!(
            items,
            [
                "credential github: secret github in header authorization (as \"Bearer …\"), only for api.example.com:443; its handle in GH_TOKEN",
                "grant GET api.example.com:443/repos/** credential=github",
                "grant db.example.com:5432 protocols=tcp (weaker: passed on unread)",
                "grant tls.example.com:443 protocols=tls-passthrough (weaker: passed on unread)",
            ]
        );
    }

    #[test]
    fn a_grant_that_loses_its_budget_or_gains_a_credential_is_shown_as_widening() {
        let before = granted(&["a.example up=1MB", "b.example"]);
        assert!(granted(&["b.example"]).beyond(&before).is_empty());
        for wider in ["a.example", "a.example up=2MB", "b.example credential=x", "* b.example", "*.b.example"]
        {
            assert_eq!(granted(&[wider]).beyond(&before).len(), 1, "{wider}");
        }
    }

    #[test]
    fn an_authority_without_network_is_written_as_ever_and_one_with_it_is_read_back() {
        let without = authority(&[]);
        for key in ["grants", "credentials", "published", "denied_hosts", "on_handle_leak"] {
            assert!(!without.canonical().contains(key), "{key}");
        }
        let mut with = granted(&["POST a.example/x,/y up=1MB address=10.0.0.1"]);
        with.denied_hosts = vec!["**.b.example".parse().unwrap()];
        with.on_handle_leak = OnHandleLeak::Stop;
        with.published = BTreeSet::from([Port::HTTP]);
        assert_eq!(with.beyond(&granted(&["POST a.example/x,/y up=1MB address=10.0.0.1"])).len(), 1);
        let read: Authority = serde_json::from_str(&with.canonical()).unwrap();
        assert_eq!(read, with);
        assert_ne!(read.digest(), without.digest());
        let forged = with.canonical().replace("10.0.0.1", "10.0.0.1 colour=red");
        assert!(serde_json::from_str::<Authority>(&forged).is_err());
    }

    proptest! {
        #[test]
        fn what_goes_beyond_is_what_is_granted_more(kept in 0_u8..64, further in 0_u8..64) {
            let all = [
                "a.example",
                "a.example/x",
                "POST a.example",
                "a.example credential=x",
                "a.example up=1MB",
                "a.example:443 protocols=tcp",
            ];
            let chosen = |bits: u8| {
                let lines = all.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1);
                granted(&lines.map(|(_, line)| *line).collect::<Vec<_>>())
            };
            let (narrow, wide) = (chosen(kept), chosen(kept | further));
            prop_assert!(narrow.beyond(&wide).is_empty());
            prop_assert_eq!(wide.beyond(&narrow).len(), (further & !kept).count_ones() as usize);
        }
    }
}
