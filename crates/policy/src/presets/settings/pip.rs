//! pip's configuration files and variables, and uv's: which indexes they ask.

use super::{Configuration, Configured, SettingsError, Surroundings, ini};
use crate::presets::sets::registry::Role;

/// What was found, the first of each kind being the one that counts.
#[derive(Default)]
struct Found {
    index: Option<(String, String)>,
    extra: Vec<(String, String)>,
    notes: Vec<String>,
}

pub(super) fn configured(surroundings: &Surroundings<'_>) -> Result<Configured, SettingsError> {
    let mut pip = of_pip(surroundings);
    let uv = of_uv(surroundings)?;
    let mut configured = Configured::default();
    // Both tools are one set; where they differ, the one's index is a further place of the other's.
    let (index, other) = match (pip.index.take(), uv.index) {
        (Some(pip), uv) => (Some(pip), uv),
        (None, uv) => (uv, None),
    };
    let mut addresses = Vec::new();
    for (at, (url, from)) in index.iter().chain(&other).chain(&pip.extra).chain(&uv.extra).enumerate() {
        let place = Configuration::of(Role::Index, url, from)?;
        if configured.places.iter().any(|known| known.base.is_at(&place.base)) {
            continue;
        }
        // The address as it is asked for: pip adds a slash, uv does not take one away.
        if at > 0 || index.is_none() {
            addresses.push(place.base.url());
        }
        configured.places.push(place);
    }
    if let Some(first) = configured.places.first().filter(|_| index.is_some()) {
        for variable in ["PIP_INDEX_URL", "UV_DEFAULT_INDEX"] {
            configured.environment.insert(variable.to_owned(), first.base.url());
        }
        configured.is_complete = true;
    }
    if !addresses.is_empty() {
        for variable in ["PIP_EXTRA_INDEX_URL", "UV_INDEX"] {
            configured.environment.insert(variable.to_owned(), addresses.join(" "));
        }
    }
    configured.notes = pip.notes;
    Ok(configured)
}

fn of_pip(surroundings: &Surroundings<'_>) -> Found {
    let mut found = Found::default();
    if let Some(url) = surroundings.variable("PIP_INDEX_URL") {
        found.index = Some((url, "PIP_INDEX_URL".into()));
    }
    let extra = surroundings.variable("PIP_EXTRA_INDEX_URL").unwrap_or_default();
    found.extra = extra.split_whitespace().map(|url| (url.into(), "PIP_EXTRA_INDEX_URL".into())).collect();
    // Later ones go before earlier ones in pip; here the first one counts.
    let named = surroundings.variable("PIP_CONFIG_FILE");
    let mut files: Vec<String> = named.filter(|path| path != "/dev/null").into_iter().collect();
    files.push(surroundings.below_config("pip/pip.conf"));
    files.push(surroundings.below_home(".pip/pip.conf"));
    files.extend(["/etc/xdg/pip/pip.conf", "/etc/pip.conf"].map(str::to_owned));
    let mut has_extra = !found.extra.is_empty();
    for (path, text) in files.into_iter().filter_map(|path| surroundings.file(path)) {
        let entries = ini::entries(&text);
        // What stands for a command goes before what stands for all of them.
        let of = |section: &str, key: &str| {
            let is_it = |entry: &&ini::Entry| entry.0 == section && entry.1.replace('_', "-") == key;
            entries.iter().rev().find(is_it).map(|(.., value)| value.clone())
        };
        let of = |key: &str| of("install", key).or_else(|| of("download", key)).or_else(|| of("global", key));
        if let Some(url) = of("index-url")
            && found.index.is_none()
        {
            found.index = Some((url, path.clone()));
        }
        if let Some(urls) = of("extra-index-url").filter(|_| !has_extra) {
            found.extra.extend(urls.split_whitespace().map(|url| (url.to_owned(), path.clone())));
            has_extra = true;
        }
        if of("find-links").is_some_and(|links| links.contains("://")) {
            found.notes.push(format!("{path}: find-links is no index, and not part of the set"));
        }
    }
    found
}

fn of_uv(surroundings: &Surroundings<'_>) -> Result<Found, SettingsError> {
    let mut found = Found::default();
    for variable in ["UV_DEFAULT_INDEX", "UV_INDEX_URL"] {
        if let Some(url) = surroundings.variable(variable)
            && found.index.is_none()
        {
            found.index = Some((unnamed(&url).to_owned(), variable.into()));
        }
    }
    for variable in ["UV_INDEX", "UV_EXTRA_INDEX_URL"] {
        let urls = surroundings.variable(variable).unwrap_or_default();
        found.extra.extend(urls.split_whitespace().map(|url| (unnamed(url).to_owned(), variable.to_owned())));
    }
    let files = [surroundings.below_config("uv/uv.toml"), "/etc/uv/uv.toml".to_owned()];
    for (path, text) in files.into_iter().filter_map(|path| surroundings.file(path)) {
        let table: toml::Table = text
            .parse()
            .map_err(|_form| SettingsError { from: path.clone(), why: "it is not TOML".to_owned() })?;
        let url_of = |value: &toml::Value| value.get("url").and_then(toml::Value::as_str).map(str::to_owned);
        let indexes = table.get("index").and_then(toml::Value::as_array).into_iter().flatten();
        for index in indexes {
            let Some(url) = url_of(index) else { continue };
            if index.get("default").and_then(toml::Value::as_bool) == Some(true) {
                found.index.get_or_insert((url, path.clone()));
            } else {
                found.extra.push((url, path.clone()));
            }
        }
        if let Some(url) = table.get("index-url").and_then(toml::Value::as_str) {
            found.index.get_or_insert((url.to_owned(), path.clone()));
        }
        let extra = table.get("extra-index-url").and_then(toml::Value::as_array).into_iter().flatten();
        found.extra.extend(extra.filter_map(|url| Some((url.as_str()?.to_owned(), path.clone()))));
    }
    Ok(found)
}

/// `NAME=URL` without the name.
fn unnamed(text: &str) -> &str {
    match text.split_once('=') {
        Some((name, url)) if !name.contains([':', '/']) => url,
        Some(_) | None => text,
    }
}
