//! Cargo's sparse index, the crates at another host, and the API that would publish one.

use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Answer, Seen, archive, base, missing, writes};

/// Name, version, code, what it needs.
const PACKAGES: [(&str, &str, &str, Option<&str>); 2] = [
    (
        "anchor",
        "1.0.0",
        "pub fn words() -> String { format!(\"anchor {}\", ballast::words()) }\n",
        Some("ballast"),
    ),
    ("ballast", "2.1.0", "pub fn words() -> String { \"ballast\".to_owned() }\n", None),
];

pub(super) fn answer(seen: &Seen) -> Answer {
    if writes(seen) {
        return Answer::json(&json!({"ok": true, "warnings": {}}));
    }
    if seen.path == "/config.json" {
        let download = format!("{}/crates", base(seen, "static.packages.test"));
        return Answer::json(&json!({"dl": download, "api": base(seen, "index.packages.test")}));
    }
    for (name, version, code, needs) in PACKAGES {
        let package = || package(name, version, code, needs);
        if seen.path == index_path(name) {
            let hash = archive::hex(&Sha256::digest(package()));
            let needs: Vec<_> = needs
                .into_iter()
                .map(|name| {
                    json!({
                        "name": name, "req": "^2", "features": [], "optional": false,
                        "default_features": true, "target": null, "kind": "normal",
                    })
                })
                .collect();
            let line = json!({
                "name": name, "vers": version, "deps": needs, "cksum": hash, "features": {}, "yanked": false,
            });
            return Answer::text(format!("{line}\n"));
        }
        if seen.path == format!("/crates/{name}/{version}/download") {
            return Answer::bytes(package()).header("content-type", "application/gzip");
        }
    }
    missing()
}

/// Names of four letters and more lie below their first two pairs.
fn index_path(name: &str) -> String {
    format!("/{}/{}/{name}", name.get(..2).unwrap_or_default(), name.get(2..4).unwrap_or_default())
}

fn package(name: &str, version: &str, code: &str, needs: Option<&str>) -> Vec<u8> {
    let needs = needs.map(|need| format!("[dependencies]\n{need} = \"2\"\n")).unwrap_or_default();
    let manifest =
        format!("[package]\nname = \"{name}\"\nversion = \"{version}\"\nedition = \"2021\"\n{needs}");
    archive::gzip(&archive::tar(&[
        (format!("{name}-{version}/Cargo.toml"), manifest.as_bytes()),
        (format!("{name}-{version}/src/lib.rs"), code.as_bytes()),
    ]))
}
