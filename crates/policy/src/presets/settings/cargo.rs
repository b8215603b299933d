//! cargo's `config.toml` and `credentials.toml` in its home: replaced sources, further registries, their tokens.

use super::{Configuration, Configured, SettingsError, Surroundings, in_header};
use crate::presets::sets::registry::Role;
use std::collections::BTreeMap;
use toml::{Table, Value};

/// The source that is compiled into cargo, by the name that its settings have for it.
const COMPILED: &str = "crates-io";
/// How many replacements of replacements are followed.
const REPLACEMENTS_MAX: usize = 8;

pub(super) fn configured(surroundings: &Surroundings<'_>) -> Result<Configured, SettingsError> {
    let home = surroundings.variable("CARGO_HOME").filter(|path| path.starts_with('/'));
    let home = home.unwrap_or_else(|| surroundings.below_home(".cargo"));
    let table = |names: [&str; 2]| -> Result<Option<(String, Table)>, SettingsError> {
        let file = names.into_iter().find_map(|name| surroundings.file(format!("{home}/{name}")));
        let Some((from, text)) = file else { return Ok(None) };
        match text.parse() {
            Ok(table) => Ok(Some((from, table))),
            Err(_form) => Err(SettingsError { from, why: "it is not TOML".to_owned() }),
        }
    };
    let (from, config) = table(["config.toml", "config"])?.unwrap_or_default();
    let (_, tokens) = table(["credentials.toml", "credentials"])?.unwrap_or_default();
    let mut cargo = Cargo { surroundings, from, config, tokens, configured: Configured::default() };
    cargo.sources()?;
    cargo.registries()?;
    if let Some(text) = cargo.text() {
        match home.strip_prefix(&format!("{}/", surroundings.home)) {
            Some(below) => {
                cargo.configured.files.insert(format!("{below}/config.toml"), text);
            }
            None => cargo.configured.notes.push(format!(
                "{home} is not in your home: replaced sources are not known to cargo in a cell"
            )),
        }
    }
    Ok(cargo.configured)
}

struct Cargo<'c> {
    surroundings: &'c Surroundings<'c>,
    from: String,
    config: Table,
    tokens: Table,
    configured: Configured,
}

impl Cargo<'_> {
    /// What the compiled source is replaced with, to the end of the chain.
    fn sources(&mut self) -> Result<(), SettingsError> {
        let mut name = COMPILED.to_owned();
        for _ in 0..REPLACEMENTS_MAX {
            let Some(with) = at(&self.config, &["source", &name, "replace-with"]) else { break };
            name = with.to_owned();
        }
        if name == COMPILED {
            return Ok(());
        }
        self.configured.is_complete = true;
        let address = at(&self.config, &["source", &name, "registry"])
            .or_else(|| at(&self.config, &["registries", &name, "index"]));
        match address.map(str::to_owned) {
            Some(address) => self.place(&name, &address, self.from.clone()),
            // `directory`, `local-registry`: nothing is loaded.
            None => Ok(()),
        }
    }

    fn registries(&mut self) -> Result<(), SettingsError> {
        let tables = self.config.get("registries").and_then(Value::as_table).cloned().unwrap_or_default();
        for name in tables.keys() {
            let variable = format!("CARGO_REGISTRIES_{}_INDEX", as_variable(name));
            let set = self.surroundings.variable(&variable).map(|value| (value, variable));
            let written = at(&self.config, &["registries", name, "index"]);
            let written = written.map(|value| (value.to_owned(), self.from.clone()));
            if let Some((address, from)) = set.or(written) {
                self.place(name, &address, from)?;
            }
        }
        Ok(())
    }

    fn place(&mut self, name: &str, address: &str, from: String) -> Result<(), SettingsError> {
        let Some(url) = address.strip_prefix("sparse+") else {
            self.configured.notes.push(format!(
                "{from}: the index of {name} is a git repository, and not part of the set: use a sparse one"
            ));
            return Ok(());
        };
        let mut place = Configuration::of(Role::Index, url, &from)?;
        let variable = format!("CARGO_REGISTRIES_{}_TOKEN", as_variable(name));
        let token = self.surroundings.variable(&variable);
        let token = token.or_else(|| at(&self.tokens, &["registries", name, "token"]).map(str::to_owned));
        let token = token.or_else(|| at(&self.config, &["registries", name, "token"]).map(str::to_owned));
        if let Some(token) = token {
            place.login = in_header("header:Authorization: {}", &token);
            if let Some(login) = &mut place.login {
                // Without a token of its own cargo does not ask.
                login.variables.extend(variable.parse());
            }
        }
        if !self.configured.places.iter().any(|known| known.base.is_at(&place.base)) {
            self.configured.places.push(place);
        }
        Ok(())
    }

    /// The part of the configuration that says where crates come from, and nothing else of it.
    fn text(&self) -> Option<String> {
        let keep: BTreeMap<&str, &[&str]> =
            BTreeMap::from([("source", &["replace-with", "registry"][..]), ("registries", &["index"][..])]);
        let mut kept = Table::new();
        for (section, keys) in keep {
            let Some(tables) = self.config.get(section).and_then(Value::as_table) else { continue };
            let mut of = Table::new();
            for (name, table) in tables {
                let Some(table) = table.as_table() else { continue };
                let plain =
                    table.iter().filter(|(key, value)| keys.contains(&key.as_str()) && value.is_str());
                let plain = plain.map(|(key, value)| {
                    let text = value.as_str().map(|text| super::without_user(text).0).unwrap_or_default();
                    (key.clone(), Value::String(text))
                });
                let plain: Table = plain.collect();
                if !plain.is_empty() {
                    of.insert(name.clone(), Value::Table(plain));
                }
            }
            if !of.is_empty() {
                kept.insert(section.to_owned(), Value::Table(of));
            }
        }
        (!kept.is_empty()).then(|| kept.to_string())
    }
}

fn at<'t>(table: &'t Table, path: &[&str]) -> Option<&'t str> {
    let (last, before) = path.split_last()?;
    let mut table = table;
    for key in before {
        table = table.get(*key)?.as_table()?;
    }
    table.get(*last)?.as_str()
}

fn as_variable(name: &str) -> String {
    name.to_ascii_uppercase().replace('-', "_")
}
