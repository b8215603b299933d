//! Package registries with a few tiny packages of our own, as the real package programs ask them.
//!
//! All content is made in code, the same each time: `ballast`, and `anchor` which needs it (npm has a scoped one too).
//! Whatever would publish something is answered as if it had worked, changes nothing, and is kept: a test that
//! forbids publishing looks at [`Registry::written`].

mod archive;
mod crates;
mod debian;
mod docker;
mod go;
mod maven;
mod npm;
mod pypi;

use crate::pki::Pki;
use crate::server::{Answer, Seen, Server};

/// The names that their certificates are for. Some registries keep their files at another host than their index.
pub const NAMES: [&str; 6] = [
    "packages.test",
    "index.packages.test",
    "files.packages.test",
    "static.packages.test",
    "tokens.packages.test",
    "localhost",
];

/// Whose protocol is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistryKind {
    /// npm's: packuments and tarballs at one host.
    Npm,
    /// The Python index: pages at one host, files at another.
    Pypi,
    /// Cargo's sparse index, at another host than the crates.
    Crates,
    /// A Debian archive without signatures.
    Debian,
    /// Go's module proxy.
    Go,
    /// A Maven repository.
    Maven,
    /// Container images: tokens, manifests and layers at a host each.
    Docker,
}

/// A running registry.
#[derive(Debug)]
pub struct Registry {
    server: Server,
    kind: RegistryKind,
}

impl Registry {
    /// Under TLS, for [`NAMES`], open to everybody.
    #[track_caller]
    #[must_use]
    pub fn secure(pki: &Pki, kind: RegistryKind) -> Self {
        Self { server: Server::secure(pki, &NAMES, move |seen| answer(kind, seen)), kind }
    }

    /// The same for those who bring `key`: as a bearer, or as the password of whatever user.
    #[track_caller]
    #[must_use]
    pub fn guarded(pki: &Pki, kind: RegistryKind, key: &str) -> Self {
        let key = key.to_owned();
        let server = Server::secure(pki, &NAMES, move |seen| {
            let plain = seen.header("authorization").unwrap_or_default();
            let bearer = plain.strip_prefix("Bearer ").unwrap_or(plain);
            let opens = bearer == key || seen.basic().is_some_and(|(_, password)| password == key);
            if opens { answer(kind, seen) } else { locked() }
        });
        Self { server, kind }
    }

    /// The server below.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// What the package program is told: the address of the registry or of its index.
    #[must_use]
    pub fn url(&self) -> String {
        match self.kind {
            RegistryKind::Npm => self.server.url("packages.test") + "/",
            RegistryKind::Pypi => self.server.url("index.packages.test") + "/simple/",
            RegistryKind::Crates => format!("sparse+{}/", self.server.url("index.packages.test")),
            RegistryKind::Debian => self.server.url("packages.test") + "/debian",
            RegistryKind::Go => self.server.url("packages.test") + "/go",
            RegistryKind::Maven => self.server.url("packages.test") + "/maven",
            RegistryKind::Docker => self.server.url("packages.test") + "/",
        }
    }

    /// Where the package program would publish.
    #[must_use]
    pub fn publishing_url(&self) -> String {
        match self.kind {
            RegistryKind::Pypi => self.server.url("packages.test") + "/legacy/",
            RegistryKind::Npm
            | RegistryKind::Crates
            | RegistryKind::Debian
            | RegistryKind::Go
            | RegistryKind::Maven
            | RegistryKind::Docker => self.url(),
        }
    }

    /// All that came and would have changed something there.
    #[must_use]
    pub fn written(&self) -> Vec<Seen> {
        self.server.seen().into_iter().filter(writes).collect()
    }
}

/// npm asks with POST which packages have known faults.
fn writes(seen: &Seen) -> bool {
    !matches!(seen.method.as_str(), "GET" | "HEAD") && !seen.path.starts_with("/-/npm/v1/security/")
}

fn answer(kind: RegistryKind, seen: &Seen) -> Answer {
    match kind {
        RegistryKind::Npm => npm::answer(seen),
        RegistryKind::Pypi => pypi::answer(seen),
        RegistryKind::Crates => crates::answer(seen),
        RegistryKind::Debian => debian::answer(seen),
        RegistryKind::Go => go::answer(seen),
        RegistryKind::Maven => maven::answer(seen),
        RegistryKind::Docker => docker::answer(seen),
    }
}

fn missing() -> Answer {
    Answer::text("there is no such thing").with_status(404)
}

fn locked() -> Answer {
    Answer::status(401).header("www-authenticate", "Basic realm=\"registry\"")
}

/// `https://NAME:PORT` of another name of the same server.
fn base(seen: &Seen, name: &str) -> String {
    let port = seen.authority.rsplit_once(':').map(|(_, port)| format!(":{port}"));
    format!("https://{name}{}", port.unwrap_or_default())
}

#[cfg(test)]
mod tests;
