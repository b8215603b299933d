//! Wishes: what a policy file, a repository's request or the command line asks for, before the host is looked at.
//!
//! A wish is text with a form; it becomes an authority only after its paths and names are resolved. The same
//! form serves the owner's policy and a repository's `cofferdam.toml`; the latter counts for nothing until the
//! owner accepts exactly its bytes. A key that is not enforced by this version is unknown, and refused. A request may
//! name credentials in grants, and never say what they are: that is the owner's alone.

mod network;

use crate::checkpoint::{CheckpointWishError, RegularCheckpoints};
use crate::mask::MaskError;
use crate::net::credential::{Credential, CredentialName, OnHandleLeak};
use crate::net::grant::{Grant, GrantOrigin};
use crate::net::host::{HostPattern, Port};
use crate::presets::limits::{Limit, LimitError};
use crate::review::runs_later::OwnerPattern;
use network::{AllowText, CredentialTable, GrantEntry, Network};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The longest policy or request taken, in bytes.
pub const WISH_BYTES_MAX: usize = 256 << 10;

/// The most entries in any one list of a wish.
pub const WISH_ENTRIES_MAX: usize = 1024;

/// What is asked for. Paths may begin with `~/` or be relative to the directory that the wish belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// Further workspaces.
    pub workspaces: Vec<String>,
    /// `SRC[:DST][:ro|:cow]`
    pub mounts: Vec<String>,
    /// `KEY` (the owner's value) or `KEY=VALUE`.
    pub environment: Vec<String>,
    /// Patterns of names to hide.
    pub masks: Vec<String>,
    /// Workspaces whose agent instructions are shown.
    pub instructions: Vec<String>,
    /// Agent programs whose settings come along.
    pub agent_homes: Vec<String>,
    /// Named sets of tools.
    pub tools: Vec<String>,
    /// Widenings of the system-call filter.
    pub profiles: Vec<String>,
    /// What the session may use up.
    pub limits: Vec<Limit>,
    /// Names that a review counts among what runs later, beside its own table.
    pub runs_later: Vec<OwnerPattern>,
    /// Copies of its layers that a session makes by itself.
    pub checkpoint: RegularCheckpoints,
    /// What it may reach.
    pub grants: Vec<Grant>,
    /// Named sets of grants.
    pub sets: Vec<String>,
    /// What it may use by a handle.
    pub credentials: Vec<Credential>,
    /// Ports of its own that the owner's browser reaches.
    pub publish: Vec<Port>,
    /// What a handle in the wrong place brings about, if it was said.
    pub on_handle_leak: Option<OnHandleLeak>,
    /// The owner's command that is told what can't wait; a shell runs it on the host.
    pub notify: Option<String>,
    /// What it must not have, whoever asks.
    pub deny: Deny,
}

/// What no wish can bring about: any deny wins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Deny {
    /// Directories: neither they nor anything in them is shown.
    pub paths: Vec<String>,
    /// Variables, by name; `*` at the end stands for any rest.
    pub environment: Vec<String>,
    /// Agent programs.
    pub agent_homes: Vec<String>,
    /// Sets of tools.
    pub tools: Vec<String>,
    /// Widenings.
    pub profiles: Vec<String>,
    /// Hosts that are never reached, whatever grants say.
    pub hosts: Vec<HostPattern>,
}

/// Why a text is not a wish.
#[derive(Debug, thiserror::Error)]
pub enum WishError {
    /// It is longer than [`WISH_BYTES_MAX`].
    #[error("it is longer than {WISH_BYTES_MAX} bytes")]
    TooLong,
    /// It is not UTF-8.
    #[error("it is not valid UTF-8")]
    NotUtf8,
    /// It is not TOML of the known form; unknown keys are named.
    #[error("{0}")]
    Form(#[source] Box<toml::de::Error>),
    /// A limit in it is not one.
    #[error("a limit in it can't be taken")]
    Limit(#[source] LimitError),
    /// A name for reviews is no pattern.
    #[error("a pattern in `review.runs-later` can't be taken")]
    RunsLater(#[source] MaskError),
    /// What it says of checkpoints can't be taken.
    #[error(transparent)]
    Checkpoint(CheckpointWishError),
    /// A request says what a credential is.
    #[error(
        "`credential.{0}` can't stand in a repository's request: only the owner's policy says which secret is used where"
    )]
    CredentialInRequest(CredentialName),
    /// A request names a command for the host.
    #[error("`notify` can't stand in a repository's request: it is a command that runs on your machine")]
    NotifyInRequest,
    /// A list is longer than [`WISH_ENTRIES_MAX`].
    #[error("`{0}` has more than {WISH_ENTRIES_MAX} entries")]
    TooMany(&'static str),
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[derive(Default)]
struct File {
    workspaces: Vec<String>,
    mounts: Vec<String>,
    environment: Vec<String>,
    masks: Vec<String>,
    instructions: Vec<String>,
    agent_homes: Vec<String>,
    tools: Vec<String>,
    profiles: Vec<String>,
    limits: BTreeMap<String, Value>,
    review: Review,
    checkpoint: Checkpoint,
    grant: Vec<GrantEntry>,
    allow: Vec<AllowText>,
    credential: BTreeMap<CredentialName, CredentialTable>,
    publish: Vec<Port>,
    on_handle_leak: Option<OnHandleLeak>,
    deny: Deny,
    notify: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Checkpoint {
    every: Option<String>,
    keep: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Review {
    runs_later: Vec<String>,
}

/// `memory = "4G"` and `processes = 500` are both natural to write.
#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Text(String),
    Whole(u64),
}

impl Wish {
    /// Reads a repository's request: like a policy, but its grants are known as a request's, and it defines no
    /// credentials.
    ///
    /// # Errors
    /// [`WishError`]: anything that is not wholly understood, or is not a repository's to ask for.
    pub fn parse_request(bytes: &[u8]) -> Result<Self, WishError> {
        let mut wish = Self::parse(bytes)?;
        if let Some(defined) = wish.credentials.first() {
            return Err(WishError::CredentialInRequest(defined.name.clone()));
        }
        if wish.notify.is_some() {
            return Err(WishError::NotifyInRequest);
        }
        wish.grants.iter_mut().for_each(|grant| grant.origin = GrantOrigin::Request);
        Ok(wish)
    }

    /// Reads a policy.
    ///
    /// # Errors
    /// [`WishError`]: anything that is not wholly understood.
    pub fn parse(bytes: &[u8]) -> Result<Self, WishError> {
        if bytes.len() > WISH_BYTES_MAX {
            return Err(WishError::TooLong);
        }
        let text = std::str::from_utf8(bytes).ok().ok_or(WishError::NotUtf8)?;
        let file: File = toml::from_str(text).map_err(|error| WishError::Form(Box::new(error)))?;
        file.into_wish()
    }

    /// This wish and another one, together: lists are joined, denials too; of two limits the tighter one holds
    /// when they are asked for.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.workspaces.extend(other.workspaces);
        self.mounts.extend(other.mounts);
        self.environment.extend(other.environment);
        self.masks.extend(other.masks);
        self.instructions.extend(other.instructions);
        self.agent_homes.extend(other.agent_homes);
        self.tools.extend(other.tools);
        self.profiles.extend(other.profiles);
        self.limits.extend(other.limits);
        self.runs_later.extend(other.runs_later);
        self.checkpoint = self.checkpoint.and(other.checkpoint);
        self.grants.extend(other.grants);
        self.sets.extend(other.sets);
        self.credentials.extend(other.credentials);
        self.publish.extend(other.publish);
        // The stricter one holds: a request can't take back what the policy says.
        self.on_handle_leak = self.on_handle_leak.max(other.on_handle_leak);
        self.notify = self.notify.or(other.notify);
        self.deny = self.deny.and(other.deny);
        self
    }

    /// The entries that no denial by name strikes out; denied paths need the host and are dealt with there.
    #[must_use]
    pub fn without_denied_names(mut self) -> Self {
        let deny = &self.deny;
        self.environment.retain(|entry| !deny.denies_variable(entry.split('=').next().unwrap_or(entry)));
        self.agent_homes.retain(|name| !deny.agent_homes.contains(name));
        self.tools.retain(|name| !deny.tools.contains(name));
        self.profiles.retain(|name| !deny.profiles.contains(name));
        self
    }
}

impl Deny {
    fn and(mut self, other: Self) -> Self {
        self.paths.extend(other.paths);
        self.environment.extend(other.environment);
        self.agent_homes.extend(other.agent_homes);
        self.tools.extend(other.tools);
        self.profiles.extend(other.profiles);
        self.hosts.extend(other.hosts);
        self
    }

    /// Whether a variable of this name is denied.
    #[must_use]
    pub fn denies_variable(&self, name: &str) -> bool {
        self.environment.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == pattern,
        })
    }
}

impl File {
    fn into_wish(self) -> Result<Wish, WishError> {
        let mut limits = Vec::new();
        for (name, value) in &self.limits {
            let text = match value {
                Value::Text(text) => format!("{name}={text}"),
                Value::Whole(number) => format!("{name}={number}"),
            };
            limits.push(text.parse().map_err(WishError::Limit)?);
        }
        let patterns = self.review.runs_later.iter().map(|text| text.parse());
        let runs_later = patterns.collect::<Result<_, _>>().map_err(WishError::RunsLater)?;
        let Checkpoint { every, keep } = &self.checkpoint;
        let checkpoint = RegularCheckpoints::parse(every.as_deref(), *keep).map_err(WishError::Checkpoint)?;
        let network = Network::of(self.grant, self.allow, self.credential);
        let wish = Wish {
            workspaces: self.workspaces,
            mounts: self.mounts,
            environment: self.environment,
            masks: self.masks,
            instructions: self.instructions,
            agent_homes: self.agent_homes,
            tools: self.tools,
            profiles: self.profiles,
            limits,
            runs_later,
            checkpoint,
            grants: network.grants,
            sets: network.sets,
            credentials: network.credentials,
            publish: self.publish,
            on_handle_leak: self.on_handle_leak,
            notify: self.notify,
            deny: self.deny,
        };
        wish.bounded()
    }
}

impl Wish {
    fn bounded(self) -> Result<Self, WishError> {
        let lists = [
            ("workspaces", self.workspaces.len()),
            ("mounts", self.mounts.len()),
            ("environment", self.environment.len()),
            ("masks", self.masks.len()),
            ("instructions", self.instructions.len()),
            ("agent-homes", self.agent_homes.len()),
            ("tools", self.tools.len()),
            ("profiles", self.profiles.len()),
            ("review.runs-later", self.runs_later.len()),
            ("grant", self.grants.len()),
            ("allow", self.sets.len()),
            ("credential", self.credentials.len()),
            ("publish", self.publish.len()),
            ("deny.hosts", self.deny.hosts.len()),
            ("deny.paths", self.deny.paths.len()),
            ("deny.environment", self.deny.environment.len()),
        ];
        match lists.into_iter().find(|&(_, length)| length > WISH_ENTRIES_MAX) {
            Some((name, _)) => Err(WishError::TooMany(name)),
            None => Ok(self),
        }
    }
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod network_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_that_is_not_enforced_is_refused_by_name() {
        for text in [
            "grants = []",
            "[[grant]]\nhots = 'a.b'",
            "[limits]\nmemmory = \"1G\"",
            "[deny]\nnetwork = true",
            "mount = []",
        ] {
            assert!(Wish::parse(text.as_bytes()).is_err(), "{text}");
        }
        let error = Wish::parse(b"grants = []").unwrap_err().to_string();
        assert!(error.contains("grants"), "{error}");
        assert!(Wish::parse(b"tools = [\"cargo\"]\n[limits]\nmemory = \"1G\"\nprocesses = 500\n").is_ok());
    }

    #[test]
    fn names_for_a_review_are_patterns_and_add_up() {
        let wish = Wish::parse(b"[review]\nruns-later = [\"/ops/*.yaml\", \"playbook/\"]\n").unwrap();
        let both = wish.clone().and(Wish::parse(b"[review]\nruns-later = [\"x\"]\n").unwrap());
        let texts: Vec<_> = both.runs_later.iter().map(OwnerPattern::as_str).collect();
        assert_eq!(texts, ["/ops/*.yaml", "playbook/", "x"]);
        assert!(matches!(Wish::parse(b"[review]\nruns-later = [\"!x\"]\n"), Err(WishError::RunsLater(_))));
        assert!(Wish::parse(b"[review]\nhide = []\n").is_err());
    }

    #[test]
    fn an_empty_policy_asks_for_nothing() {
        assert_eq!(Wish::parse(b"").unwrap(), Wish::default());
    }

    proptest! {
        #[test]
        fn adding_a_deny_never_brings_anything_about(
            environment in prop::collection::vec("[A-C]{1,3}(=x)?", 0..6),
            tools in prop::collection::vec("[a-c]{1,2}", 0..6),
            denied in prop::collection::vec("[A-C]{1,2}\\*?", 0..4),
            denied_tools in prop::collection::vec("[a-c]{1,2}", 0..4),
        ) {
            let wish = Wish { environment, tools, ..Wish::default() };
            let deny = Deny { environment: denied, tools: denied_tools, ..Deny::default() };
            let before = wish.clone().without_denied_names();
            let after = wish.and(Wish { deny, ..Wish::default() }).without_denied_names();
            prop_assert!(after.environment.iter().all(|e| before.environment.contains(e)));
            prop_assert!(after.tools.iter().all(|t| before.tools.contains(t)));
            prop_assert!(after.environment.iter().all(|e| !after.deny.denies_variable(e.split('=').next().unwrap())));
        }

        #[test]
        fn no_text_makes_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(wish) = Wish::parse(&bytes) {
                prop_assert!(wish.mounts.len() <= WISH_ENTRIES_MAX);
            }
        }
    }
}
