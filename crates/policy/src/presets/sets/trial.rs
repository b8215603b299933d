//! How a package tool is made to show where it loads from: one harmless command each, and what its requests tell.
//!
//! A tool is asked for one small package that everybody has. In a cell without grants its first request is refused, and
//! names the place that is compiled into it; with that place granted, the next one names where packages lie. What is
//! known here is the shape of these requests; nothing is run.

use super::base::{Base, BaseError};
use super::registry::{Registry, Role};
use crate::net::grant::Scheme;
use crate::net::host::Destination;

/// A command that loads one package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trial {
    /// The tool, for people.
    pub program: &'static str,
    /// Sets of the owner's tools in which it may lie, if it is none of the system's.
    pub tools: &'static [&'static str],
    /// For `sh`, in an empty directory.
    pub script: &'static str,
}

impl Registry {
    /// The command; `None` where no program of the owner's loads anything by itself.
    #[must_use]
    pub fn trial(self) -> Option<Trial> {
        let (program, tools, script): (_, &[&str], _) = match self {
            Self::Npm => ("npm", &["node"], NPM),
            Self::Pypi => ("pip", &["pyenv", "uv"], PIP),
            Self::Crates => ("cargo", &["cargo"], CARGO),
            Self::Go => ("go", &["go"], GO),
            Self::Maven => ("mvn", &["java"], MAVEN),
            // apt's sources are the whole of it, and Docker loads by a daemon, which no cell has.
            Self::Debian | Self::Docker => return None,
        };
        Some(Trial { program, tools, script })
    }

    /// What a place is, by a path that the trial asked for there.
    ///
    /// # Errors
    /// [`BaseError`] for a place that can't be one.
    pub fn observed(self, scheme: Scheme, at: &Destination, path: &str) -> Result<(Role, Base), BaseError> {
        let of = |prefix: &str| Base::at(scheme, at.host.clone(), at.port, prefix);
        if self == Self::Go && GO_SUMS.iter().any(|beginning| path.starts_with(beginning)) {
            return Ok((Role::Checksums, of("")?));
        }
        let before = match self {
            Self::Npm => path.strip_suffix("/ini"),
            Self::Pypi => path.strip_suffix("/six/").or_else(|| path.strip_suffix("/six")),
            Self::Crates => path.strip_suffix("/config.json"),
            Self::Go => path.split_once("/github.com/").map(|(before, _)| before),
            Self::Maven => path.split_once("/org/").map(|(before, _)| before),
            Self::Debian | Self::Docker => None,
        };
        if let Some(before) = before {
            return Ok((Role::Index, of(before)?));
        }
        // A store of files: what it has lies below the first part of the path.
        let below = path.strip_prefix('/').and_then(|path| path.split_once('/'));
        let first = below.map_or_else(String::new, |(first, _)| format!("/{first}"));
        Ok((Role::Files, of(&first)?))
    }
}

/// What Go asks its checksum database.
const GO_SUMS: [&str; 4] = ["/supported", "/lookup/", "/tile/", "/latest"];

const NPM: &str = "cache=$(mktemp -d) && npm pack ini --cache \"$cache\" --no-audit --no-update-notifier \
                   --fetch-retries 0 --pack-destination \"$cache\"";

const PIP: &str = "into=$(mktemp -d) && if command -v pip >/dev/null; then pip download six --no-deps \
                   --no-cache-dir --disable-pip-version-check --retries 0 --only-binary :all: -d \"$into\"; else \
                   uv pip install six --no-deps --no-cache --target \"$into\"; fi";

/// In a home of its own: what lies in the owner's caches is not asked for.
const CARGO: &str = "settings=${CARGO_HOME:-$HOME/.cargo}/config.toml && export CARGO_HOME=$(mktemp -d) && \
                     { ! [ -e \"$settings\" ] || cp \"$settings\" \"$CARGO_HOME\"; } && \
                     mkdir -p src && : >src/lib.rs && printf '[package]\\nname = \"trial\"\\nversion = \"0.1.0\"\\n\
                     [dependencies]\\ncfg-if = \"1\"\\n' >Cargo.toml && CARGO_NET_RETRY=0 cargo fetch";

const GO: &str = "printf 'module trial\\n\\ngo 1.20\\n' >go.mod && GOTOOLCHAIN=local GOMODCACHE=$(mktemp -d) \
                  go mod download -modcacherw github.com/pkg/errors@v0.9.1";

const MAVEN: &str = "mvn -B -q -Dmaven.repo.local=$(mktemp -d) \
                     org.apache.maven.plugins:maven-dependency-plugin:3.6.0:get -Dartifact=junit:junit:4.13.2 \
                     -Dtransitive=false";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::host::Port;

    fn observed(registry: Registry, path: &str) -> String {
        let at = Destination::parse("packages.test", Port::HTTPS).unwrap();
        let (role, base) = registry.observed(Scheme::Https, &at, path).unwrap();
        format!("{} {base}", role.name())
    }

    #[test]
    fn a_tool_s_first_request_tells_what_stands_before_its_paths() {
        for (registry, path, told) in [
            (Registry::Npm, "/ini", "index https://packages.test/"),
            (Registry::Npm, "/a/npm/ini", "index https://packages.test/a/npm/"),
            (Registry::Npm, "/store/ini/-/ini-4.1.0.tgz", "files https://packages.test/store/"),
            (Registry::Pypi, "/simple/six/", "index https://packages.test/simple/"),
            (Registry::Pypi, "/packages/ab/cd/six-1.0.whl", "files https://packages.test/packages/"),
            (Registry::Crates, "/config.json", "index https://packages.test/"),
            (Registry::Crates, "/crates/cfg-if/1.0.0/download", "files https://packages.test/crates/"),
            (Registry::Go, "/github.com/pkg/errors/@v/v0.9.1.info", "index https://packages.test/"),
            (Registry::Go, "/lookup/github.com/pkg/errors@v0.9.1", "checksums https://packages.test/"),
            (Registry::Maven, "/maven2/org/apache/x/1/x-1.pom", "index https://packages.test/maven2/"),
        ] {
            assert_eq!(observed(registry, path), told);
        }
        let at = Destination::parse("packages.test", Port::HTTPS).unwrap();
        assert!(Registry::Npm.observed(Scheme::Https, &at, "/a/../ini").is_err());
    }

    #[test]
    fn what_a_trial_asks_for_is_permitted_by_what_it_tells() {
        use crate::net::path::CanonicalPath;
        for (registry, path) in [
            (Registry::Npm, "/npm/ini"),
            (Registry::Pypi, "/simple/six/"),
            (Registry::Pypi, "/packages/ab/six-1.17.0-py2.py3-none-any.whl"),
            (Registry::Crates, "/index/config.json"),
            (Registry::Crates, "/api/v1/crates/cfg-if/1.0.0/download"),
            (Registry::Go, "/github.com/pkg/errors/@v/v0.9.1.info"),
            (Registry::Go, "/lookup/github.com/pkg/errors@v0.9.1"),
            (Registry::Maven, "/maven2/org/apache/x/1/x-1.pom"),
        ] {
            let at = Destination::parse("packages.test", Port::HTTPS).unwrap();
            let (role, base) = registry.observed(Scheme::Https, &at, path).unwrap();
            let grant = registry.grant(&base, role).unwrap();
            let path = CanonicalPath::parse(path.as_bytes()).unwrap();
            assert!(grant.paths.iter().any(|pattern| pattern.matches(&path)), "{} {path:?}", registry.name());
        }
    }
}
