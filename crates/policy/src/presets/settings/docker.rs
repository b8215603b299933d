//! Docker's mirrors of its default registry, where the daemon's configuration can be read.
//!
//! Logins are not taken: what they are exchanged for is a token that the client itself would hold.

use super::{Configuration, Configured, SettingsError, Surroundings};
use crate::presets::sets::registry::Role;

pub(super) fn configured(surroundings: &Surroundings<'_>) -> Result<Configured, SettingsError> {
    let mut configured = Configured::default();
    let files = [surroundings.below_config("docker/daemon.json"), "/etc/docker/daemon.json".to_owned()];
    for (path, text) in files.into_iter().filter_map(|path| surroundings.file(path)) {
        let broken = |_form| SettingsError { from: path.clone(), why: "it is not JSON".to_owned() };
        let value: serde_json::Value = serde_json::from_str(&text).map_err(broken)?;
        let mirrors = value.get("registry-mirrors").and_then(serde_json::Value::as_array);
        for mirror in mirrors.into_iter().flatten().filter_map(serde_json::Value::as_str) {
            let place = Configuration::of(Role::Index, mirror, &path)?;
            if place.login.is_some() {
                configured.notes.push(format!("{path}: a login in an address is not used"));
            }
            configured.places.push(Configuration::plain(Role::Index, place.base, &path));
        }
    }
    Ok(configured)
}
