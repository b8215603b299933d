//! apt's sources: `sources.list` and what lies in `sources.list.d`, in both forms. They are the whole of what it asks.

use super::{Configuration, Configured, SettingsError, Surroundings};
use crate::presets::sets::registry::Role;

const LIST: &str = "/etc/apt/sources.list";
const DIRECTORY: &str = "/etc/apt/sources.list.d";

pub(super) fn configured(surroundings: &Surroundings<'_>) -> Result<Configured, SettingsError> {
    let mut configured = Configured::default();
    let parts = (surroundings.list)(DIRECTORY);
    for path in std::iter::once(LIST.to_owned()).chain(parts) {
        let is_list = path.ends_with(".list");
        if !is_list && !path.ends_with(".sources") {
            continue;
        }
        let Some((path, text)) = surroundings.file(path) else { continue };
        let sources = if is_list { of_lines(&text) } else { of_stanzas(&text) };
        for (address, suite) in sources {
            add(&mut configured, &address, &suite, &path)?;
        }
    }
    configured.is_complete = !configured.places.is_empty();
    Ok(configured)
}

fn add(configured: &mut Configured, address: &str, suite: &str, path: &str) -> Result<(), SettingsError> {
    let is_web = address.starts_with("http://") || address.starts_with("https://");
    if !is_web {
        if address.contains("mirror") {
            configured.notes.push(format!("{path}: lists of mirrors are not part of the set"));
        }
        return Ok(());
    }
    let (role, address) = match suite.strip_suffix('/') {
        Some(below) => {
            let below = below.trim_matches('/').trim_start_matches("./");
            let below = if below == "." { "" } else { below };
            (Role::Flat, format!("{}/{below}", address.trim_end_matches('/')))
        }
        None => (Role::Index, address.to_owned()),
    };
    let place = Configuration::of(role, &address, path)?;
    if !configured.places.iter().any(|known| known.role == role && known.base.is_at(&place.base)) {
        configured.places.push(place);
    }
    Ok(())
}

/// `deb [options] URI SUITE COMPONENTS`
fn of_lines(text: &str) -> Vec<(String, String)> {
    let source = |line: &str| {
        let line = line.split('#').next().unwrap_or_default().trim();
        let rest = line.strip_prefix("deb-src").or_else(|| line.strip_prefix("deb"))?;
        let rest = rest.strip_prefix([' ', '\t'])?.trim_start();
        let rest = match rest.strip_prefix('[') {
            Some(options) => options.split_once(']')?.1,
            None => rest,
        };
        let mut words = rest.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.to_owned()))
    };
    text.lines().filter_map(source).collect()
}

/// Stanzas of `Key: value`, of which `URIs` and `Suites` hold several.
fn of_stanzas(text: &str) -> Vec<(String, String)> {
    let mut sources = Vec::new();
    let lines = text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>();
    for stanza in lines.split(|line| line.trim().is_empty()) {
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in stanza {
            match (line.starts_with([' ', '\t']), line.split_once(':'), fields.last_mut()) {
                (true, _, Some((_, value))) => {
                    value.push(' ');
                    value.push_str(line.trim());
                }
                (false, Some((key, value)), _) => {
                    fields.push((key.trim().to_ascii_lowercase(), value.trim().to_owned()));
                }
                (true | false, _, _) => {}
            }
        }
        let of = |key: &str| fields.iter().find(|(own, _)| own == key).map_or("", |(_, value)| value);
        if matches!(of("enabled"), "no" | "false" | "0" | "off") {
            continue;
        }
        for address in of("uris").split_whitespace() {
            for suite in of("suites").split_whitespace() {
                sources.push((address.to_owned(), suite.to_owned()));
            }
        }
    }
    sources
}
