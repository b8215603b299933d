//! npm's `.npmrc` of the user and of the system, and its variables; also of what reads them: pnpm, yarn 1, bun.

use super::{Configuration, Configured, Hidden, Login, SettingsError, Surroundings, in_header, ini};
use crate::presets::sets::registry::Role;
use data_encoding::BASE64;

/// Where the system's settings lie, the more specific first.
const SYSTEM_FILES: [&str; 4] = ["/usr/local/etc/npmrc", "/usr/etc/npmrc", "/etc/npmrc", "/etc/npm/npmrc"];

/// A setting with where it stands.
struct Known {
    key: String,
    value: String,
    from: String,
}

pub(super) fn configured(surroundings: &Surroundings<'_>) -> Result<Configured, SettingsError> {
    let known = known(surroundings);
    let mut configured = Configured::default();
    for Known { key, value, from } in &known {
        let scope = key.strip_suffix(":registry").filter(|scope| scope.starts_with('@'));
        if key != "registry" && scope.is_none() {
            continue;
        }
        let mut place = Configuration::of(Role::Index, value, from)?;
        if let Some(login) = login(&known, &place) {
            place.login = Some(login);
        }
        // The first one counts: what goes before is more specific.
        let variable = format!("npm_config_{key}");
        if configured.environment.contains_key(&variable) {
            continue;
        }
        configured.environment.insert(variable, place.base.url());
        configured.is_complete |= key == "registry";
        configured.places.push(place);
    }
    Ok(configured)
}

/// All settings, those that go before others first.
fn known(surroundings: &Surroundings<'_>) -> Vec<Known> {
    let mut known = Vec::new();
    for variable in ["npm_config_registry", "NPM_CONFIG_REGISTRY"] {
        if let Some(value) = surroundings.variable(variable) {
            known.push(Known { key: "registry".into(), value, from: variable.into() });
        }
    }
    let pointed = |names: [&str; 2]| names.into_iter().find_map(|name| surroundings.variable(name));
    let user = pointed(["npm_config_userconfig", "NPM_CONFIG_USERCONFIG"]);
    let system = pointed(["npm_config_globalconfig", "NPM_CONFIG_GLOBALCONFIG"]);
    let user = user.unwrap_or_else(|| surroundings.below_home(".npmrc"));
    let system = system.into_iter().chain(SYSTEM_FILES.map(str::to_owned));
    for path in std::iter::once(user).chain(system) {
        let Some((path, text)) = surroundings.file(path) else { continue };
        known.extend(
            ini::entries(&text).into_iter().filter(|(section, ..)| section.is_empty()).map(
                |(_, key, value)| Known { key, value: expanded(&value, surroundings), from: path.clone() },
            ),
        );
    }
    known
}

/// With `${NAME}` replaced, as npm does; what is not set stays.
fn expanded(value: &str, surroundings: &Surroundings<'_>) -> String {
    let mut text = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}') else { break };
        text.push_str(before);
        match surroundings.variable(name.trim_end_matches('?')) {
            Some(value) => text.push_str(&value),
            None if name.ends_with('?') => {}
            None => text.push_str(&format!("${{{name}}}")),
        }
        rest = after;
    }
    text + rest
}

/// The login under `//host/path/`, looked for from the registry's own path upwards.
fn login(known: &[Known], place: &Configuration) -> Option<Login> {
    let address = place.base.url();
    let mut beginning = address.split_once(':').map(|(_, rest)| rest.to_owned())?;
    loop {
        let of = |key: &str| {
            let full = format!("{beginning}:{key}");
            let short = format!("{}:{key}", beginning.trim_end_matches('/'));
            let found = known.iter().find(|known| known.key == full || known.key == short);
            found.map(|known| known.value.as_str()).filter(|value| !value.is_empty())
        };
        if let Some(token) = of("_authToken") {
            return in_header("header:Authorization: Bearer {}", token);
        }
        if let Some(pair) = of("_auth") {
            return in_header("header:Authorization: Basic {}", pair);
        }
        if let (Some(user), Some(password)) = (of("username"), of("_password")) {
            return of_user(user, password);
        }
        let shorter = beginning.trim_end_matches('/');
        let cut = shorter.rfind('/').filter(|at| *at > 1)?;
        beginning = shorter.get(..=cut)?.to_owned();
        // Never above the host.
        if beginning == "//" {
            return None;
        }
    }
}

/// npm keeps passwords in base64.
fn of_user(user: &str, password: &str) -> Option<Login> {
    let password = String::from_utf8(BASE64.decode(password.as_bytes()).ok()?).ok()?;
    let place = format!("basic:{user}").parse().ok()?;
    Some(Login { place, value: Hidden::new(password), variables: Vec::new() })
}
