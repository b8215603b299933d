//! npm's registry: packuments, tarballs, and what `npm` asks beside them.

use data_encoding::BASE64;
use serde_json::{Value, json};
use sha2::{Digest, Sha512};

use super::{Answer, Seen, archive, base, missing, writes};

/// Names with the ranges of their versions.
type Needs = &'static [(&'static str, &'static str)];

/// Name, version, what it needs.
const PACKAGES: [(&str, &str, Needs); 3] = [
    ("anchor", "1.0.0", &[("ballast", "^2.0.0"), ("@dock/crane", "^3.0.0")]),
    ("ballast", "2.1.0", &[]),
    ("@dock/crane", "3.0.1", &[]),
];

pub(super) fn answer(seen: &Seen) -> Answer {
    if seen.path.starts_with("/-/npm/v1/security/") {
        return Answer::json(&json!({}));
    }
    if writes(seen) {
        return Answer::json(&json!({"ok": true, "success": true})).with_status(201);
    }
    if seen.path == "/-/ping" {
        return Answer::json(&json!({}));
    }
    let path = seen.path.replace("%2f", "/").replace("%2F", "/");
    for (name, version, needs) in PACKAGES {
        if path.strip_prefix('/') == Some(name) {
            return Answer::json(&packument(&base(seen, "packages.test"), name, version, needs));
        }
        if path == tarball_path(name, version) {
            return Answer::bytes(tarball(name, version, needs))
                .header("content-type", "application/octet-stream");
        }
    }
    missing()
}

fn packument(base: &str, name: &str, version: &str, needs: Needs) -> Value {
    let hash = Sha512::digest(tarball(name, version, needs));
    let mut manifest = manifest(name, version, needs);
    let dist = json!({
        "tarball": format!("{base}{}", tarball_path(name, version)),
        "integrity": format!("sha512-{}", BASE64.encode(&hash)),
    });
    if let Some(manifest) = manifest.as_object_mut() {
        manifest.insert("dist".to_owned(), dist);
    }
    json!({"name": name, "dist-tags": {"latest": version}, "versions": {version: manifest}})
}

fn manifest(name: &str, version: &str, needs: Needs) -> Value {
    let needs: serde_json::Map<String, Value> =
        needs.iter().map(|(name, range)| ((*name).to_owned(), json!(range))).collect();
    json!({"name": name, "version": version, "main": "index.js", "dependencies": needs})
}

fn tarball_path(name: &str, version: &str) -> String {
    let bare = name.rsplit('/').next().unwrap_or(name);
    format!("/{name}/-/{bare}-{version}.tgz")
}

fn tarball(name: &str, version: &str, needs: Needs) -> Vec<u8> {
    let about = manifest(name, version, needs).to_string();
    let needed: Vec<String> = needs.iter().map(|(name, _)| format!("require('{name}')")).collect();
    let code = format!("module.exports = ['{name}', {}].flat()\n", needed.join(", "));
    archive::gzip(&archive::tar(&[
        ("package/package.json".to_owned(), about.as_bytes()),
        ("package/index.js".to_owned(), code.as_bytes()),
    ]))
}
