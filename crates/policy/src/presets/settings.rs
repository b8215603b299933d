//! Where the owner's package tools load from by their own settings: the user's and the system's, never a workspace's.
//!
//! The files are read by whoever asks; here they are understood. A login that stands in them is found together with the
//! place that it is for, and hidden: only the program that keeps secrets has a use for its value. What a tool does
//! without any setting is compiled into it, and not known here.

mod apt;
mod cargo;
mod docker;
mod go;
mod ini;
mod maven;
mod npm;
mod pip;

use super::piece::Environment;
use super::sets::base::{Base, BaseError};
use super::sets::registry::{Registry, Role};
use crate::net::credential::{Place, VarName};
use crate::path::AbsPath;
use data_encoding::BASE64;
use std::collections::BTreeMap;
use std::fmt;

/// The longest file of settings that is read, in bytes.
pub const SETTINGS_BYTES_MAX: usize = 1 << 20;

/// The most places that one tool's settings may name.
pub const PLACES_MAX: usize = 64;

/// What is asked of the world outside.
#[derive(Clone, Copy)]
pub struct Surroundings<'s> {
    /// The owner's home.
    pub home: &'s AbsPath,
    /// The owner's environment.
    pub environment: Environment<'s>,
    /// The text of a file; `None` if there is none that can be read.
    pub read: &'s dyn Fn(&str) -> Option<String>,
    /// The paths of what lies in a directory, in order of name.
    pub list: &'s dyn Fn(&str) -> Vec<String>,
}

/// What a tool's settings come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Configured {
    /// Places that it loads from.
    pub places: Vec<Configuration>,
    /// Variables by which the same tool finds them in a cell, where its files are not.
    pub environment: BTreeMap<String, String>,
    /// Files in the home for what no variable can say: their paths below it, and their texts.
    pub files: BTreeMap<String, String>,
    /// Whether the places leave nothing of what is compiled into the tool.
    pub is_complete: bool,
    /// What the owner should know of what was passed over.
    pub notes: Vec<String>,
}

/// One place by settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// What it is.
    pub role: Role,
    /// Where.
    pub base: Base,
    /// The file or variable that says so.
    pub from: String,
    /// How the owner signs in there.
    pub login: Option<Login>,
}

/// How the owner signs in to a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Where in a request it stands.
    pub place: Place,
    /// What stands there.
    pub value: Hidden,
    /// Variables without which the tool would not even ask.
    pub variables: Vec<VarName>,
}

/// A value that is not to be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

/// Settings that can't be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot understand {from}: {why}")]
pub struct SettingsError {
    /// The file or variable.
    pub from: String,
    /// Why; nothing of a value is in it.
    pub why: String,
}

/// Where a tool loads from.
///
/// # Errors
/// [`SettingsError`] for the first setting that is not understood.
pub fn configured(registry: Registry, surroundings: &Surroundings<'_>) -> Result<Configured, SettingsError> {
    let mut configured = match registry {
        Registry::Npm => npm::configured(surroundings),
        Registry::Pypi => pip::configured(surroundings),
        Registry::Crates => cargo::configured(surroundings),
        Registry::Debian => apt::configured(surroundings),
        Registry::Go => go::configured(surroundings),
        Registry::Maven => maven::configured(surroundings),
        Registry::Docker => docker::configured(surroundings),
    }?;
    if configured.places.len() > PLACES_MAX {
        configured.notes.push(format!("only the first {PLACES_MAX} places count"));
        configured.places.truncate(PLACES_MAX);
    }
    Ok(configured)
}

/// The login for a place, as [`Base::place`] writes it.
///
/// # Errors
/// As [`configured`].
pub fn login(
    registry: Registry,
    place: &str,
    surroundings: &Surroundings<'_>,
) -> Result<Option<Login>, SettingsError> {
    let places = configured(registry, surroundings)?.places;
    let mut at = places.into_iter().filter(|found| found.base.place() == place);
    Ok(at.find_map(|found| found.login))
}

impl Hidden {
    /// Hides a value.
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value, for the program that keeps secrets.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Surroundings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").field("home", self.home).finish_non_exhaustive()
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden")
    }
}

impl Surroundings<'_> {
    /// A variable that is set and not empty.
    fn variable(&self, name: &str) -> Option<String> {
        (self.environment)(name).filter(|value| !value.is_empty())
    }

    /// A path below the home.
    fn below_home(&self, below: &str) -> String {
        format!("{}/{below}", self.home)
    }

    /// A path below `$XDG_CONFIG_HOME`.
    fn below_config(&self, below: &str) -> String {
        let base = self.variable("XDG_CONFIG_HOME").filter(|path| path.starts_with('/'));
        base.map_or_else(|| self.below_home(&format!(".config/{below}")), |base| format!("{base}/{below}"))
    }

    /// A file's text with its path.
    fn file(&self, path: String) -> Option<(String, String)> {
        (self.read)(&path).map(|text| (path, text))
    }
}

impl Configuration {
    /// A place by its address, in which a user and a password may stand.
    fn of(role: Role, url: &str, from: &str) -> Result<Self, SettingsError> {
        let broken = |why: String| SettingsError { from: from.to_owned(), why };
        let (plain, user) = without_user(url);
        let base = Base::parse(&plain).map_err(|error| broken(told(&error)))?;
        let login = user.map(|(user, password)| basic(&user, password.as_deref())).transpose();
        let login = login.map_err(|()| broken("the user in its address can't be used".to_owned()))?;
        Ok(Self { role, base, from: from.to_owned(), login })
    }

    /// A place where only its address counts: no user in it is anybody's secret.
    fn plain(role: Role, base: Base, from: &str) -> Self {
        Self { role, base, from: from.to_owned(), login: None }
    }
}

fn told(error: &BaseError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// A user and, where there is one, a password.
type User = (String, Option<String>);

/// An address without its user and password, and these, decoded.
fn without_user(url: &str) -> (String, Option<User>) {
    let Some((scheme, rest)) = url.split_once("://") else { return (url.to_owned(), None) };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let Some((user, host)) = authority.rsplit_once('@') else { return (url.to_owned(), None) };
    let (user, password) = match user.split_once(':') {
        Some((user, password)) => (user, Some(decoded(password))),
        None => (user, None),
    };
    (format!("{scheme}://{host}{path}"), Some((decoded(user), password)))
}

/// With percent signs decoded; what encodes nothing stays.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let pair = after.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        let byte = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match byte {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            Some(_) | None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Basic authentication. A user alone is the secret itself, as tokens are often written.
fn basic(user: &str, password: Option<&str>) -> Result<Login, ()> {
    let (place, value) = match password {
        Some(password) if !password.is_empty() => (format!("basic:{user}"), password.to_owned()),
        Some(_) | None => {
            ("header:Authorization: Basic {}".to_owned(), BASE64.encode(format!("{user}:").as_bytes()))
        }
    };
    Ok(Login { place: place.parse().map_err(|_odd| ())?, value: Hidden(value), variables: Vec::new() })
}

/// A token or the like in a header.
fn in_header(place: &str, value: &str) -> Option<Login> {
    Some(Login { place: place.parse().ok()?, value: Hidden(value.to_owned()), variables: Vec::new() })
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
