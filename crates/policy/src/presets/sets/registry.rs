//! The sets of package tools: which requests installing needs at an index, a store of files, and what goes with them.
//!
//! Reading methods and nothing else, at the paths of each protocol. So what installs can't publish, sign in, or ask
//! who the owner is. Queries are refused but where a protocol can't do without: they would carry data out.

use super::base::{Base, BaseError};
use crate::net::grant::{Grant, QueryRule};

/// A package tool's registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Registry {
    /// npm, and what speaks its protocol.
    Npm,
    /// pip, uv: the simple index.
    Pypi,
    /// cargo: sparse indexes.
    Crates,
    /// apt.
    Debian,
    /// Go's module proxy and checksum database.
    Go,
    /// Maven, Gradle: a repository of artifacts.
    Maven,
    /// Container images: pulls.
    Docker,
}

/// What a place is in its protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Where names are looked up.
    Index,
    /// A Debian repository without `dists`: its suite ends with a slash, and all of it lies below.
    Flat,
    /// Where what was found is loaded from, if that is another place.
    Files,
    /// Go's checksum database.
    Checksums,
    /// Where pulls get their short-lived tokens.
    Tokens,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 5] = [Self::Index, Self::Flat, Self::Files, Self::Checksums, Self::Tokens];

    /// As a confirmed set writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Flat => "flat",
            Self::Files => "files",
            Self::Checksums => "checksums",
            Self::Tokens => "tokens",
        }
    }

    /// The role of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// By which installing is done.
const READING: [&str; 2] = ["GET", "HEAD"];

impl Registry {
    /// All registries.
    pub const ALL: [Self; 7] =
        [Self::Npm, Self::Pypi, Self::Crates, Self::Debian, Self::Go, Self::Maven, Self::Docker];

    /// The set's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pypi => "pypi",
            Self::Crates => "crates",
            Self::Debian => "debian",
            Self::Go => "go",
            Self::Maven => "maven",
            Self::Docker => "docker",
        }
    }

    /// The registry of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|registry| registry.name() == name)
    }

    /// Variables that keep the tool from asking for what is no part of installing.
    #[must_use]
    pub fn environment(self) -> &'static [(&'static str, &'static str)] {
        match self {
            // It would send the list of all packages, by POST.
            Self::Npm => &[("npm_config_audit", "false"), ("npm_config_update_notifier", "false")],
            Self::Pypi => &[("PIP_DISABLE_PIP_VERSION_CHECK", "1")],
            Self::Crates | Self::Debian | Self::Go | Self::Maven | Self::Docker => &[],
        }
    }

    /// The grant of one place in this set.
    ///
    /// # Errors
    /// [`BaseError`] if there can be none: the place is too broad, or its credential would go in clear text.
    pub fn grant(self, base: &Base, role: Role) -> Result<Grant, BaseError> {
        let mut base = base.clone();
        if self.needs_query(role) {
            base.query = QueryRule::Allow;
        }
        base.grant(self.name(), &READING, self.patterns(role))
    }

    /// Tokens are asked for by query, and image layers lie behind signed addresses.
    fn needs_query(self, role: Role) -> bool {
        match role {
            Role::Tokens => true,
            Role::Files => self == Self::Docker,
            Role::Index | Role::Flat | Role::Checksums => false,
        }
    }

    fn patterns(self, role: Role) -> &'static [&'static str] {
        match (role, self) {
            (Role::Flat, _) => &["/**"],
            (Role::Checksums, _) => &["/supported", "/latest", "/lookup/**", "/tile/**"],
            // The prefix is the whole path.
            (Role::Tokens, _) => &[""],
            (Role::Index, Self::Npm) => NPM_INDEX,
            (Role::Files, Self::Npm) => &["/**/*.tgz", "/**/*.tar.gz"],
            (Role::Index, Self::Pypi) => &["/", "/*", "/*/"],
            (Role::Files, Self::Pypi) => PYPI_FILES,
            (Role::Index, Self::Crates) => &["/config.json", "/1/*", "/2/*", "/3/*/*", "/*/*/*"],
            (Role::Files, Self::Crates) => &["/**/*.crate", "/**/download"],
            (Role::Index | Role::Files, Self::Debian) => &["/dists/**", "/pool/**"],
            (Role::Index | Role::Files, Self::Go) => GO_INDEX,
            (Role::Index | Role::Files, Self::Maven) => &["/**"],
            (Role::Index, Self::Docker) => {
                &["/v2/", "/v2", "/v2/**/manifests/*", "/v2/**/blobs/*:*", "/v2/**/referrers/*"]
            }
            (Role::Files, Self::Docker) => &["/**"],
        }
    }
}

/// Packages, scoped ones in both spellings; single versions, which have a dot where `/-/whoami` and its like have
/// none; packed files.
const NPM_INDEX: &[&str] = &[
    "/*",
    "/@*%2F*",
    "/@*/*",
    "/*/*.*",
    "/*/latest",
    "/@*%2F*/*.*",
    "/@*%2F*/latest",
    "/@*/*/*.*",
    "/@*/*/latest",
    "/*/-/*.tgz",
    "/@*/*/-/*.tgz",
    "/@*%2F*/-/*.tgz",
];

const PYPI_FILES: &[&str] = &[
    "/**/*.whl",
    "/**/*.whl.metadata",
    "/**/*.tar.gz",
    "/**/*.tar.gz.metadata",
    "/**/*.zip",
    "/**/*.tar.bz2",
    "/**/*.egg",
];

/// Modules, and the checksum database as proxies hand it on.
const GO_INDEX: &[&str] = &[
    "/**/@v/list",
    "/**/@v/*.info",
    "/**/@v/*.mod",
    "/**/@v/*.zip",
    "/**/@latest",
    "/sumdb/*/supported",
    "/sumdb/*/latest",
    "/sumdb/*/lookup/**",
    "/sumdb/*/tile/**",
];
