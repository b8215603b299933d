//! Whatever stands in the settings of package tools, what they come to is places that can be granted, a login is hidden
//! in nothing that reaches a cell or a person, and a tool in a cell finds no place beside these.

use super::*;
use cofferdam_fuzz::{fuzz, parts};

const HOME: &str = "/home/me";
/// In the seeds this is a secret, and the one only.
const PLANTED: &str = "planted";

/// The files that an input's second and third text stand for, by tool.
const fn files(registry: Registry) -> [&'static [&'static str]; 2] {
    match registry {
        Registry::Npm => [&["/home/me/.npmrc"], &["/etc/npmrc"]],
        Registry::Pypi => {
            [&["/home/me/.config/pip/pip.conf"], &["/home/me/.config/uv/uv.toml", "/etc/pip.conf"]]
        }
        Registry::Crates => [&["/home/me/.cargo/config.toml"], &["/home/me/.cargo/credentials.toml"]],
        Registry::Debian => [&["/etc/apt/sources.list"], &["/etc/apt/sources.list.d/a.sources"]],
        Registry::Go => [&["/home/me/.config/go/env"], &["/usr/local/go/go.env"]],
        Registry::Maven => [&["/home/me/.m2/settings.xml"], &["/etc/maven/settings.xml"]],
        Registry::Docker => [&["/home/me/.config/docker/daemon.json"], &["/etc/docker/daemon.json"]],
    }
}

#[test]
fn settings_come_to_places_and_to_no_login_in_clear() {
    fuzz("tool_settings", target);
}

/// The tool's name, the user's file, another one, and variables.
fn target(input: &[u8]) -> Result<[usize; 6], String> {
    let [name, user, other, variables] = parts::<4>(input).map(String::from_utf8_lossy);
    let registry = Registry::named(&name).unwrap_or(Registry::ALL[input.len() % Registry::ALL.len()]);
    let [of_user, of_other] = files(registry);
    let texts =
        of_user.iter().map(|path| (*path, &*user)).chain(of_other.iter().map(|path| (*path, &*other)));
    let texts: BTreeMap<String, String> =
        texts.map(|(path, text)| (path.to_owned(), text.to_owned())).collect();
    let variables = variables.lines().filter_map(|line| line.split_once('='));
    let variables: BTreeMap<String, String> =
        variables.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let configured = match tried(registry, &texts, &variables) {
        Ok(configured) => configured,
        Err(error) => {
            assert!(!error.why.contains(PLANTED), "{error}");
            return Err(error.why);
        }
    };
    assert!(configured.places.len() <= PLACES_MAX);
    for place in &configured.places {
        let again = Base::parse(&place.base.url()).unwrap();
        assert!(again.is_at(&place.base), "{} is not {}", again, place.base);
    }
    keeps_logins_hidden(&configured, &[&user, &other], &variables);
    finds_no_other_place(registry, &configured);
    let Configured { places, environment, files, is_complete, notes } = &configured;
    let logins = places.iter().filter(|place| place.login.is_some()).count();
    Ok([places.len(), environment.len(), files.len(), usize::from(*is_complete), notes.len(), logins])
}

fn tried(
    registry: Registry,
    files: &BTreeMap<String, String>,
    variables: &BTreeMap<String, String>,
) -> Result<Configured, SettingsError> {
    let home = AbsPath::new(HOME).unwrap();
    let environment = |key: &str| variables.get(key).cloned();
    let read = |path: &str| files.get(path).cloned();
    let list = |directory: &str| {
        let below =
            files.keys().filter(|path| path.rsplit_once('/').is_some_and(|(above, _)| above == directory));
        below.cloned().collect()
    };
    configured(registry, &Surroundings { home: &home, environment: &environment, read: &read, list: &list })
}

/// Where the secret stands once, and in a login, it is in nothing else.
fn keeps_logins_hidden(configured: &Configured, texts: &[&str], variables: &BTreeMap<String, String>) {
    let all = texts.iter().copied().chain(variables.values().map(String::as_str));
    let is_secret = all.map(|text| text.matches(PLANTED).count()).sum::<usize>() == 1
        && configured
            .places
            .iter()
            .filter_map(|place| place.login.as_ref())
            .any(|login| login.value.expose().contains(PLANTED));
    assert!(!is_secret || !format!("{configured:?}").contains(PLANTED), "{configured:?}");
}

/// What is laid into a cell for its tool leads to nothing but what was found.
fn finds_no_other_place(registry: Registry, configured: &Configured) {
    let laid = configured.files.iter().map(|(below, text)| (format!("{HOME}/{below}"), text.clone()));
    let mut laid: BTreeMap<String, String> = laid.collect();
    if let Some(own) = laid.remove("/home/me/.config/apt/sources.list") {
        laid.insert("/etc/apt/sources.list".to_owned(), own);
    }
    let Ok(again) = tried(registry, &laid, &configured.environment) else {
        panic!("the tool could not read {laid:?} and {:?}", configured.environment)
    };
    for place in &again.places {
        let known = configured.places.iter().any(|known| known.base.is_at(&place.base));
        // Those beyond the limit are laid all the same, and not granted.
        assert!(known || configured.places.len() == PLACES_MAX, "{place:?} in {configured:?}");
        assert_eq!(place.login, None, "{configured:?}");
    }
}
