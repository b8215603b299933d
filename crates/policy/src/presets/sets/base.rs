//! A place that a set is about: scheme, host, port and what stands before its paths.
//!
//! Text in, text out. A base is not a grant: which paths below it are needed is said by each set's recipe.

use crate::net::credential::CredentialName;
use crate::net::grant::{Grant, GrantError, GrantOrigin, Methods, QueryRule, Scheme};
use crate::net::host::{Destination, Host, HostError, HostPattern, Port};
use crate::net::path::{CanonicalPath, PathError, PathPattern};
use std::fmt;
use std::net::IpAddr;

/// Why a text is no base.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaseError {
    /// Not `http://` or `https://`.
    #[error("an address begins with https:// or http://")]
    NotWeb,
    /// A user name or password in it.
    #[error("an address can't hold a user or a password here")]
    User,
    /// `?` or `#`.
    #[error("an address can't have a query or a fragment here")]
    Query,
    /// A star in it.
    #[error("an address can't hold `*`")]
    Star,
    /// Its host or port.
    #[error("its host can't be granted")]
    Host(#[from] HostError),
    /// Its path.
    #[error("its path can't be granted")]
    Path(#[from] PathError),
    /// What was made of it does not hold together.
    #[error("it can't be granted")]
    Grant(#[from] GrantError),
}

/// Scheme, host, port, and the path before all others, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Base {
    /// How the gateway speaks to it.
    pub scheme: Scheme,
    /// To whom.
    pub host: Host,
    /// At which port.
    pub port: Port,
    /// Empty, or `/a/b`.
    pub prefix: String,
    /// Where it is, if the resolver is not to be asked.
    pub addresses: Vec<IpAddr>,
    /// With which credential.
    pub credential: Option<CredentialName>,
    /// Whether its requests may have a query.
    pub query: QueryRule,
}

impl Base {
    /// Reads an address without user, query and fragment.
    ///
    /// # Errors
    /// [`BaseError`].
    pub fn parse(url: &str) -> Result<Self, BaseError> {
        let (scheme, rest) = match url.split_once("://") {
            Some((name, rest)) if name.eq_ignore_ascii_case("https") => (Scheme::Https, rest),
            Some((name, rest)) if name.eq_ignore_ascii_case("http") => (Scheme::Http, rest),
            Some(_) | None => return Err(BaseError::NotWeb),
        };
        if rest.contains(['?', '#']) {
            return Err(BaseError::Query);
        }
        let end = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err(BaseError::User);
        }
        let usual = if scheme == Scheme::Http { Port::HTTP } else { Port::HTTPS };
        let Destination { host, port } = Destination::parse(authority, usual)?;
        Self::at(scheme, host, port, path)
    }

    /// A base of these parts.
    ///
    /// # Errors
    /// [`BaseError`] for a path that is not canonical.
    pub fn at(scheme: Scheme, host: Host, port: Port, path: &str) -> Result<Self, BaseError> {
        if path.contains('*') {
            return Err(BaseError::Star);
        }
        let prefix = path.trim_end_matches('/');
        let canonical = if prefix.is_empty() { "/" } else { prefix };
        let prefix = match CanonicalPath::parse(canonical.as_bytes())?.as_str() {
            "/" => String::new(),
            prefix => prefix.to_owned(),
        };
        let (addresses, credential, query) = (Vec::new(), None, QueryRule::Deny);
        Ok(Self { scheme, host, port, prefix, addresses, credential, query })
    }

    /// Its address, with a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/", self.address())
    }

    /// Its address, without a slash at its end.
    #[must_use]
    pub fn address(&self) -> String {
        let usual = if self.scheme == Scheme::Http { Port::HTTP } else { Port::HTTPS };
        let port = if self.port == usual { String::new() } else { format!(":{}", self.port) };
        format!("{}://{}{port}{}", self.scheme.name(), self.host, self.prefix)
    }

    /// Whether `other` is the same place, whatever credential or address goes with it.
    #[must_use]
    pub fn is_at(&self, other: &Self) -> bool {
        let place = |base: &Self| (base.scheme, base.host.clone(), base.port, base.prefix.clone());
        place(self) == place(other)
    }

    /// The same place, wherever it is.
    #[must_use]
    pub fn without_addresses(mut self) -> Self {
        self.addresses.clear();
        self
    }

    /// `host`, or `host:port` where the port is not the usual one.
    #[must_use]
    pub fn place(&self) -> String {
        let usual = if self.scheme == Scheme::Http { Port::HTTP } else { Port::HTTPS };
        if self.port == usual { self.host.to_string() } else { format!("{}:{}", self.host, self.port) }
    }

    /// A grant by `methods` at `patterns` below this place, of the set `name`.
    ///
    /// # Errors
    /// [`BaseError`] if they make no grant.
    pub fn grant(&self, name: &str, methods: &[&str], patterns: &[&str]) -> Result<Grant, BaseError> {
        let host = HostPattern::Exactly(self.host.clone());
        let mut grant = Grant::to(host, self.port, GrantOrigin::Set(name.to_owned()));
        let below = |pattern: &&str| format!("{}{pattern}", self.prefix).parse::<PathPattern>();
        grant.methods = Methods::parse(methods.iter().copied())?;
        grant.paths = patterns.iter().map(below).collect::<Result<_, _>>()?;
        grant.scheme = self.scheme;
        grant.query = self.query;
        grant.addresses.clone_from(&self.addresses);
        grant.credential.clone_from(&self.credential);
        Ok(grant.checked()?)
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_read_and_written_the_same() {
        for (text, url) in [
            ("https://packages.test", "https://packages.test/"),
            ("HTTPS://Packages.Test:8443/npm/", "https://packages.test:8443/npm/"),
            ("http://packages.test:80/a/b", "http://packages.test/a/b/"),
            ("http://[::1]:8080", "http://[::1]:8080/"),
        ] {
            let base = Base::parse(text).unwrap();
            assert_eq!(base.url(), url);
            assert_eq!(Base::parse(url).unwrap(), base);
        }
    }

    #[test]
    fn what_could_be_read_as_another_place_is_no_base() {
        for text in [
            "packages.test",
            "ftp://packages.test/",
            "https://user:planted@packages.test/",
            "https://packages.test/a?b",
            "https://packages.test/a#b",
            "https://packages.test/a/../b",
            "https://packages.test/a//b",
            "https://packages.test/*/",
            "https://packages.test:0/",
            "https:///a",
        ] {
            assert!(Base::parse(text).is_err(), "{text}");
        }
    }
}
