//! apt's sources: `sources.list` and what lies in `sources.list.d`, in both forms. They are the whole of what it asks.
//!
//! A cell has no `/etc/apt`, for logins lie there too. So apt finds the same sources by a configuration in the home,
//! with places for what it keeps. Keys are looked for where packages put them, below `/usr`, or come along.

mod keys;

use super::{Configuration, Configured, SettingsError, Surroundings, without_user};
use crate::presets::sets::registry::Role;

const LIST: &str = "/etc/apt/sources.list";
const DIRECTORY: &str = "/etc/apt/sources.list.d";

/// Below the home in the cell.
const OWN_LIST: &str = ".config/apt/sources.list";
const OWN_CONFIGURATION: &str = ".config/apt/apt.conf";
const OWN_STATE: &str = ".local/state/apt";
const OWN_CACHE: &str = ".cache/apt";

/// What is said of a source in brackets, as far as it matters where it is only loaded from.
const OPTIONS: [&str; 3] = ["arch", "signed-by", "trusted"];

/// One source of binary or source packages.
struct Source {
    kind: String,
    options: Vec<(String, String)>,
    address: String,
    suite: String,
    components: String,
}

pub(super) fn configured(surroundings: &Surroundings<'_>) -> Result<Configured, SettingsError> {
    let mut configured = Configured::default();
    let mut lines = String::new();
    let mut names_no_key = false;
    let parts = (surroundings.list)(DIRECTORY);
    for path in std::iter::once(LIST.to_owned()).chain(parts) {
        let is_list = path.ends_with(".list");
        if !is_list && !path.ends_with(".sources") {
            continue;
        }
        let Some((path, text)) = surroundings.file(path) else { continue };
        for mut source in if is_list { of_lines(&text) } else { of_stanzas(&text) } {
            if add(&mut configured, &source, &path)? {
                keys::take_named(&mut configured, &mut source, surroundings, &path);
                names_no_key |=
                    !source.options.iter().any(|(name, _)| name == "signed-by" || name == "trusted");
                lines.push_str(&source.line());
            }
        }
    }
    if configured.places.is_empty() {
        return Ok(configured);
    }
    configured.is_complete = true;
    let home = surroundings.home;
    let mut own = format!(
        "Dir::Etc::SourceList \"{home}/{OWN_LIST}\";\nDir::Etc::SourceParts \"/dev/null\";\n\
         Dir::Etc::Parts \"/dev/null\";\nDir::Etc::PreferencesParts \"/dev/null\";\n\
         Dir::State \"{home}/{OWN_STATE}\";\nDir::State::status \"{home}/{OWN_STATE}/status\";\n\
         Dir::Cache \"{home}/{OWN_CACHE}\";\nAPT::Sandbox::User \"\";\n"
    );
    if names_no_key {
        own.push_str(&keys::trusted(&mut configured, surroundings));
    }
    configured.environment.insert("APT_CONFIG".to_owned(), format!("{home}/{OWN_CONFIGURATION}"));
    let files = [
        (OWN_CONFIGURATION.to_owned(), own),
        (OWN_LIST.to_owned(), lines),
        (format!("{OWN_STATE}/status"), String::new()),
        // apt makes no directory whose parent is missing.
        (format!("{OWN_CACHE}/.here"), String::new()),
    ];
    configured.files.extend(files);
    Ok(configured)
}

/// Takes a source in, if it is loaded from the web.
fn add(configured: &mut Configured, source: &Source, path: &str) -> Result<bool, SettingsError> {
    let Source { address, suite, .. } = source;
    if !address.starts_with("http://") && !address.starts_with("https://") {
        if address.contains("mirror") {
            configured.notes.push(format!("{path}: lists of mirrors are not part of the set"));
        }
        return Ok(false);
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
    Ok(true)
}

impl Source {
    /// In the form of one line, without a user in its address.
    fn line(&self) -> String {
        let Self { kind, options, address, suite, components } = self;
        let options: Vec<String> = options.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let options = if options.is_empty() { String::new() } else { format!("[{}] ", options.join(" ")) };
        let line = format!("{kind} {options}{} {suite} {components}", without_user(address).0);
        format!("{}\n", line.trim_end())
    }
}

/// `deb [options] URI SUITE COMPONENTS`
fn of_lines(text: &str) -> Vec<Source> {
    let source = |line: &str| {
        let line = line.split('#').next().unwrap_or_default().trim();
        let (kind, rest) = line.split_once([' ', '\t'])?;
        if !matches!(kind, "deb" | "deb-src") {
            return None;
        }
        let rest = rest.trim_start();
        let (options, rest) = match rest.strip_prefix('[') {
            Some(options) => options.split_once(']')?,
            None => ("", rest),
        };
        let options = options.split_whitespace().filter_map(|option| option.split_once('='));
        let options = options.filter(|(name, _)| OPTIONS.contains(name));
        let mut words = rest.split_whitespace();
        Some(Source {
            kind: kind.to_owned(),
            options: options.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            address: words.next()?.to_owned(),
            suite: words.next()?.to_owned(),
            components: words.collect::<Vec<_>>().join(" "),
        })
    };
    text.lines().filter_map(source).collect()
}

/// Stanzas of `Key: value`, of which several hold lists.
fn of_stanzas(text: &str) -> Vec<Source> {
    let lines = text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>();
    let stanzas = lines.split(|line| line.trim().is_empty());
    stanzas.flat_map(|stanza| of_fields(&fields(stanza))).collect()
}

fn fields(stanza: &[&str]) -> Vec<(String, String)> {
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
    fields
}

fn of_fields(fields: &[(String, String)]) -> Vec<Source> {
    let of = |key: &str| fields.iter().find(|(own, _)| own == key).map_or("", |(_, value)| value);
    if matches!(of("enabled"), "no" | "false" | "0" | "off") {
        return Vec::new();
    }
    let listed = [("arch", "architectures"), ("signed-by", "signed-by"), ("trusted", "trusted")];
    let options = listed.into_iter().map(|(name, key)| (name, of(key)));
    // A key that stands in the stanza itself has lines of its own, which one line can't hold.
    let options = options.filter(|(_, value)| !value.is_empty() && !value.contains("BEGIN"));
    let options: Vec<(String, String)> =
        options.map(|(name, value)| (name.to_owned(), value.replace(' ', ","))).collect();
    let mut sources = Vec::new();
    for kind in of("types").split_whitespace() {
        for address in of("uris").split_whitespace() {
            for suite in of("suites").split_whitespace() {
                sources.push(Source {
                    kind: kind.to_owned(),
                    options: options.clone(),
                    address: address.to_owned(),
                    suite: suite.to_owned(),
                    components: of("components").to_owned(),
                });
            }
        }
    }
    sources
}
