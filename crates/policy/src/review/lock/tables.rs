//! Lock files in TOML and JSON.
//!
//! They are read by the ordinary parsers, whose own bounds on depth hold; here is only where the pins stand in them.

use super::reading::{Pin, Reading, Unreadable, origin};
use serde_json::Value as Json;
use toml::{Table, Value};

/// How deep the nested `dependencies` of the first format of npm are followed.
const NESTING_MAX: usize = 64;

/// Cargo, Poetry and uv: `[[package]]` with `name` and `version`.
pub(super) fn toml(text: &str, reading: &mut Reading) -> Result<(), Unreadable> {
    let table: Table = text.parse().ok().ok_or(Unreadable::Form("TOML"))?;
    let packages =
        table.get("package").map_or(Some(&[][..]), |packages| Some(packages.as_array()?.as_slice()));
    for package in packages.ok_or(Unreadable::Form("list of packages"))? {
        package_of_toml(package, reading);
    }
    // The checksums of Cargo before 2020 and of Poetry before 1.5.
    let metadata = table.get("metadata").and_then(Value::as_table);
    for (key, value) in metadata.into_iter().flatten() {
        old_checksum_of_cargo(key, value, reading);
    }
    let files = metadata.and_then(|metadata| metadata.get("files")).and_then(Value::as_table);
    for (name, files) in files.into_iter().flatten() {
        for pin in reading.pins.get_mut(name).into_iter().flat_map(|versions| versions.values_mut()) {
            hashes_of(files, pin);
        }
    }
    Ok(())
}

fn package_of_toml(package: &Value, reading: &mut Reading) {
    let text = |key: &str| package.get(key).and_then(Value::as_str).unwrap_or_default();
    let (name, version) = (text("name"), text("version"));
    let Some(pin) = reading.pin(name, version) else { return };
    match package.get("source") {
        Some(Value::String(source)) => pin.has_source(source, version),
        Some(Value::Table(source)) => {
            let parts: Vec<String> = source
                .iter()
                .map(|(key, value)| {
                    format!("{key}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                })
                .collect();
            pin.has_source(&parts.join(" "), version);
        }
        Some(_) => reading.not_understood(),
        None => {}
    }
    let Some(pin) = reading.pin(name, version) else { return };
    pin.has_checksum(text("checksum"));
    for key in ["files", "wheels", "sdist"] {
        if let Some(files) = package.get(key) {
            hashes_of(files, pin);
        }
    }
}

/// A table with `hash` and `url`, or a list of them.
fn hashes_of(files: &Value, pin: &mut Pin) {
    let list = files.as_array().map_or_else(|| std::slice::from_ref(files), Vec::as_slice);
    for file in list {
        pin.has_checksum(file.get("hash").and_then(Value::as_str).unwrap_or_default());
        // The paths of such addresses are hashes: only where they lead is compared.
        pin.has_source(origin(file.get("url").and_then(Value::as_str).unwrap_or_default()), "");
    }
}

/// `"checksum NAME VERSION (SOURCE)" = "HASH"`
fn old_checksum_of_cargo(key: &str, value: &Value, reading: &mut Reading) {
    let mut words = key.split(' ');
    if words.next() != Some("checksum") {
        return;
    }
    let (Some(name), Some(version), Some(hash)) = (words.next(), words.next(), value.as_str()) else {
        return reading.not_understood();
    };
    if let Some(pin) = reading.pin(name, version) {
        pin.has_checksum(hash);
    }
}

/// `packages` of the newer formats, else the nested `dependencies` of the first.
pub(super) fn npm(text: &str, reading: &mut Reading) -> Result<(), Unreadable> {
    let json: Json = serde_json::from_str(text).ok().ok_or(Unreadable::Form("JSON"))?;
    let object = json.as_object().ok_or(Unreadable::Form("JSON object"))?;
    if let Some(packages) = object.get("packages") {
        let packages = packages.as_object().ok_or(Unreadable::Form("list of packages"))?;
        for (path, package) in packages.iter().filter(|(path, _)| !path.is_empty()) {
            let below = path.rsplit("node_modules/").next().unwrap_or(path);
            let name = package.get("name").and_then(Json::as_str).unwrap_or(below);
            package_of_npm(name, package, reading);
        }
        return Ok(());
    }
    nested(object.get("dependencies"), NESTING_MAX, reading);
    Ok(())
}

fn nested(dependencies: Option<&Json>, depth: usize, reading: &mut Reading) {
    let Some(dependencies) = dependencies else { return };
    let (Some(dependencies), Some(depth)) = (dependencies.as_object(), depth.checked_sub(1)) else {
        return reading.not_understood();
    };
    for (name, package) in dependencies {
        package_of_npm(name, package, reading);
        nested(package.get("dependencies"), depth, reading);
    }
}

fn package_of_npm(name: &str, package: &Json, reading: &mut Reading) {
    let Some(fields) = package.as_object() else { return reading.not_understood() };
    let text = |key: &str| fields.get(key).and_then(Json::as_str).unwrap_or_default();
    let version = text("version");
    let Some(pin) = reading.pin(name, version) else { return };
    pin.has_address(text("resolved"), version);
    text("integrity").split_whitespace().for_each(|checksum| pin.has_checksum(checksum));
    if fields.get("link").and_then(Json::as_bool) == Some(true) {
        pin.has_source("link", "");
    }
    pin.runs_at_installation |= fields.get("hasInstallScript").and_then(Json::as_bool) == Some(true);
}
