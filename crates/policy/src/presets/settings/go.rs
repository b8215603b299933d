//! Go's settings: the environment, the user's `go/env`, and the `go.env` that comes with Go and holds its defaults.

use super::{Configuration, Configured, SettingsError, Surroundings};
use crate::presets::sets::base::Base;
use crate::presets::sets::registry::Role;

/// Where Go lies if nothing else says so.
const USUAL_ROOTS: [&str; 2] = ["/usr/local/go", "/usr/lib/go"];

pub(super) fn configured(surroundings: &Surroundings<'_>) -> Result<Configured, SettingsError> {
    let mut configured = Configured::default();
    if let Some((proxies, from)) = setting("GOPROXY", surroundings) {
        configured.is_complete = true;
        let mut kept = Vec::new();
        for proxy in proxies.split_inclusive([',', '|']) {
            let (address, separator) = match proxy.strip_suffix([',', '|']) {
                Some(address) => (address, proxy.get(address.len()..).unwrap_or_default()),
                None => (proxy, ""),
            };
            match address.trim() {
                "direct" => {
                    configured.notes.push(format!(
                        "{from}: what the proxy does not have comes from its own host, which is not part of the set"
                    ));
                    kept.push(format!("direct{separator}"));
                }
                "off" | "" => kept.push(format!("{}{separator}", address.trim())),
                file if file.starts_with("file://") => {}
                address => {
                    let place = Configuration::of(Role::Index, address, &from)?;
                    kept.push(format!("{}{separator}", place.base.address()));
                    configured.places.push(place);
                }
            }
        }
        configured.environment.insert("GOPROXY".to_owned(), kept.concat());
    }
    if let Some((sums, from)) = setting("GOSUMDB", surroundings) {
        let mut words = sums.split_whitespace();
        let name = words.next().unwrap_or_default();
        let host = name.split('+').next().unwrap_or_default();
        let mut told = name.to_owned();
        if name != "off" && !host.is_empty() {
            let place = match words.next() {
                Some(address) => {
                    let place = Configuration::of(Role::Checksums, address, &from)?;
                    // Written anew: a user and a password may stand in the address.
                    told = format!("{name} {}", place.base.address());
                    place
                }
                // A name is no address: what looks like a user in it is nobody's login.
                None => Base::parse(&format!("https://{host}"))
                    .map(|base| Configuration::plain(Role::Checksums, base, &from))
                    .map_err(|error| SettingsError { from: from.clone(), why: super::told(&error) })?,
            };
            configured.places.push(place);
        }
        configured.environment.insert("GOSUMDB".to_owned(), told);
    }
    for key in ["GOPRIVATE", "GONOPROXY", "GONOSUMDB"] {
        if let Some((value, _)) = setting(key, surroundings).filter(|(value, _)| !value.is_empty()) {
            configured.environment.insert(key.to_owned(), value);
        }
    }
    Ok(configured)
}

/// A setting and where it stands: the environment goes first, then the user, then Go itself.
fn setting(key: &str, surroundings: &Surroundings<'_>) -> Option<(String, String)> {
    if let Some(value) = surroundings.variable(key) {
        return Some((value, key.to_owned()));
    }
    let user = surroundings.variable("GOENV").unwrap_or_else(|| surroundings.below_config("go/env"));
    let root = surroundings.variable("GOROOT");
    let path = surroundings.variable("PATH").unwrap_or_default();
    let beside = path.split(':').filter_map(|entry| entry.strip_suffix("/bin")).map(str::to_owned);
    let roots = root.into_iter().chain(beside).chain(USUAL_ROOTS.map(str::to_owned));
    let files = std::iter::once(user).chain(roots.map(|root| format!("{root}/go.env")));
    let mut files = files.filter(|path| path.starts_with('/')).filter_map(|path| surroundings.file(path));
    files.find_map(|(path, text)| {
        let mut lines = text.lines().filter(|line| !line.starts_with('#'));
        let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        Some((value.trim().to_owned(), path))
    })
}
