//! The files and variables in which the owner's package tools say where they load from.
//!
//! Read for their places. A login in them is found beside its place and left to the program that keeps secrets, which
//! reads it anew by itself.

use crate::context::Context;
use crate::error::{Error, ErrorKind};
use cofferdam_policy::presets::sets::registry::Registry;
use cofferdam_policy::presets::settings::{self, Configured, SETTINGS_BYTES_MAX, Surroundings};
use std::io::Read as _;

/// Where a tool loads from by the owner's and the system's settings.
pub(super) fn configured(context: &Context, registry: Registry) -> Result<Configured, Error> {
    let environment = |key: &str| context.variable(key).map(str::to_owned);
    let surroundings =
        Surroundings { home: &context.home, environment: &environment, read: &text, list: &entries };
    settings::configured(registry, &surroundings).map_err(|error| {
        Error::new(ErrorKind::Policy, format!("cannot read the settings of {}", registry.name()))
            .because(error)
            .hint(format!("mend them, and try again: cofferdam sets show {}", registry.name()))
    })
}

fn text(path: &str) -> Option<String> {
    let found = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    let max = u64::try_from(SETTINGS_BYTES_MAX).unwrap_or(u64::MAX);
    if found.len() > max {
        return None;
    }
    let mut text = String::new();
    std::fs::File::open(path).ok()?.take(max).read_to_string(&mut text).ok()?;
    Some(text)
}

fn entries(directory: &str) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<String> =
        entries.filter_map(|entry| entry.path().to_str().map(str::to_owned)).collect();
    paths.sort_unstable();
    paths
}
