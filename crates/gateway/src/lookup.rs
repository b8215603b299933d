//! `cofferdam-gateway lookup NAME…`: which addresses names have, by the very resolver that connections go by.
//!
//! Called by `cofferdam` before it asks the owner about places in their own network. It says what the host's resolver
//! says, and judges nothing.

use crate::origin::Resolver;
use crate::wire::{LOOKUP_NAMES_MAX, Looked, Resolver as Places};
use cofferdam_policy::net::host::{DnsName, HostError};
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long all names together may take: somebody waits at a terminal.
const TIME_MAX: Duration = Duration::from_secs(5);

/// Why nothing was looked up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookupError {
    #[error("cannot look up more than {LOOKUP_NAMES_MAX} names at once")]
    TooMany,
    #[error("cannot look up {0:?}")]
    Name(OsString, #[source] Option<HostError>),
    #[error("cannot wait for name servers")]
    Runtime(#[source] io::Error),
    #[error("cannot tell what was looked up")]
    Told(#[source] io::Error),
}

/// Looks all names up at once and prints a [`Looked`].
pub(crate) fn run(words: &[OsString]) -> Result<(), LookupError> {
    if words.len() > LOOKUP_NAMES_MAX {
        return Err(LookupError::TooMany);
    }
    let names = words.iter().map(name).collect::<Result<Vec<_>, _>>()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let looked =
        runtime.map_err(LookupError::Runtime)?.block_on(all(Resolver::read(&Places::usual()), names));
    let text = serde_json::to_string(&looked).map_err(|error| LookupError::Told(error.into()))?;
    writeln!(io::stdout().lock(), "{text}").map_err(LookupError::Told)
}

fn name(word: &OsString) -> Result<DnsName, LookupError> {
    let text = word.to_str().ok_or_else(|| LookupError::Name(word.clone(), None))?;
    DnsName::parse(text).map_err(|error| LookupError::Name(word.clone(), Some(error)))
}

async fn all(resolver: Resolver, names: Vec<DnsName>) -> Looked {
    let resolver = Arc::new(resolver);
    let mut looked: Looked = names.iter().map(|name| (name.clone(), Vec::new())).collect();
    let mut asked = JoinSet::new();
    for name in names {
        let resolver = Arc::clone(&resolver);
        asked.spawn(async move {
            let found = resolver.addresses(&name).await;
            (name, found.map(|addresses| addresses.to_vec()).unwrap_or_default())
        });
    }
    let answers = async {
        while let Some(answer) = asked.join_next().await {
            // A name whose lookup broke has no addresses.
            let Ok((name, mut addresses)) = answer else { continue };
            addresses.sort_unstable();
            addresses.dedup();
            looked.insert(name, addresses);
        }
    };
    let _late = timeout(TIME_MAX, answers).await.is_err();
    looked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked(hosts: &str, names: &[&str]) -> Looked {
        let place = tempfile::tempdir().unwrap();
        let (configuration, hosts_file) = (place.path().join("resolv.conf"), place.path().join("hosts"));
        // A port of loopback at which nobody answers.
        std::fs::write(&configuration, "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n").unwrap();
        std::fs::write(&hosts_file, hosts).unwrap();
        let names = names.iter().map(|name| DnsName::parse(name).unwrap()).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(all(Resolver::read(&Places { configuration, hosts: hosts_file }), names))
    }

    #[test]
    fn every_name_is_answered_and_one_that_nobody_knows_has_no_address() {
        let hosts = "10.1.2.3 packages.test\nfd00::1 packages.test\n10.1.2.3 packages.test\n";
        let looked = looked(hosts, &["packages.test", "unknown.test"]);
        let told: Vec<String> = looked.values().map(|addresses| format!("{addresses:?}")).collect();
        assert_eq!(told, ["[10.1.2.3, fd00::1]", "[]"]);
    }

    #[test]
    fn what_is_no_name_is_not_looked_up() {
        for word in ["", "10.0.0.1", "a b", "-x"] {
            assert!(matches!(run(&[word.into()]), Err(LookupError::Name(..))), "{word}");
        }
        let many = vec![OsString::from("packages.test"); LOOKUP_NAMES_MAX + 1];
        assert!(matches!(run(&many), Err(LookupError::TooMany)));
    }
}
