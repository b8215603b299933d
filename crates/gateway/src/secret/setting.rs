//! Logins that stand in the settings of the owner's package tools, by the place that each is for.
//!
//! Which files these are and how they are read is `policy`'s; only here is a value of them used. No error holds one.

use super::source::World;
use cofferdam_policy::path::{AbsPath, PathError};
use cofferdam_policy::presets::sets::registry::Registry;
use cofferdam_policy::presets::settings::{self, SETTINGS_BYTES_MAX, SettingsError, Surroundings};
use std::ffi::OsStr;
use std::io::Read as _;

/// Why settings give no value.
#[derive(Debug, thiserror::Error)]
pub(super) enum SettingError {
    /// There is no home to look in.
    #[error("there is no home directory")]
    NoHome,
    /// It has a path that can't be used.
    #[error("the home directory can't be used")]
    Home(#[from] PathError),
    /// A file is not understood.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// There is no login for the place.
    #[error("the settings of {0} have no login for {1}")]
    NoLogin(&'static str, String),
}

/// The value of the login for `place`.
pub(super) fn value(world: &World, set: Registry, place: &str) -> Result<Vec<u8>, SettingError> {
    let variable = |key: &str| world.environment.get(OsStr::new(key))?.to_str().map(str::to_owned);
    let home = AbsPath::new(variable("HOME").ok_or(SettingError::NoHome)?)?;
    let surroundings =
        Surroundings { home: &home, environment: &variable, read: &text, list: &|_directory| Vec::new() };
    let login = settings::login(set, place, &surroundings)?;
    let login = login.ok_or_else(|| SettingError::NoLogin(set.name(), place.to_owned()))?;
    Ok(login.value.expose().as_bytes().to_vec())
}

fn text(path: &str) -> Option<String> {
    let max = u64::try_from(SETTINGS_BYTES_MAX).unwrap_or(u64::MAX);
    let is_file = std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() <= max);
    let mut text = String::new();
    let file = is_file.then(|| std::fs::File::open(path).ok()).flatten()?;
    file.take(max).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cofferdam_policy::event::UnixNanos;
    use std::ffi::OsString;

    #[test]
    fn a_login_comes_from_the_tool_s_own_file_and_for_its_own_place_only() {
        let home = tempfile::tempdir().unwrap();
        let npmrc =
            "registry=https://packages.test:8443/npm/\n//packages.test:8443/npm/:_authToken=planted-token\n";
        std::fs::write(home.path().join(".npmrc"), npmrc).unwrap();
        let environment = [(OsString::from("HOME"), home.path().as_os_str().to_owned())].into();
        let world = World { environment, now: UnixNanos(0) };
        assert_eq!(value(&world, Registry::Npm, "packages.test:8443").unwrap(), b"planted-token");
        for (set, place) in [(Registry::Npm, "packages.test"), (Registry::Pypi, "packages.test:8443")] {
            let error = value(&world, set, place).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("planted"), "{error}");
        }
    }
}
