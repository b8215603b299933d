//! Go's module proxy protocol, without a checksum database.

use serde_json::json;

use super::{Answer, Seen, archive, missing, writes};

/// Module, version, code, what it needs.
const MODULES: [(&str, &str, &str, Option<&str>); 2] = [
    (
        "packages.test/anchor",
        "v1.0.0",
        "package anchor\n\nimport \"packages.test/ballast\"\n\nfunc Words() string { return \"anchor \" + ballast.Words() }\n",
        Some("packages.test/ballast v1.1.0"),
    ),
    (
        "packages.test/ballast",
        "v1.1.0",
        "package ballast\n\nfunc Words() string { return \"ballast\" }\n",
        None,
    ),
];

pub(super) fn answer(seen: &Seen) -> Answer {
    if writes(seen) {
        return Answer::status(201);
    }
    let Some((module, file)) = seen.path.strip_prefix("/go/").and_then(|path| path.split_once("/@")) else {
        return missing();
    };
    let Some((name, version, code, needs)) = MODULES.into_iter().find(|(name, ..)| *name == module) else {
        return missing();
    };
    let needs = needs.map(|need| format!("\nrequire {need}\n")).unwrap_or_default();
    let manifest = format!("module {name}\n\ngo 1.19\n{needs}");
    let info = json!({"Version": version, "Time": "2026-01-02T03:04:05Z"});
    let of_version = file.strip_prefix("v/").and_then(|file| file.strip_prefix(version));
    match (file, of_version) {
        ("latest", _) | (_, Some(".info")) => Answer::json(&info),
        ("v/list", _) => Answer::text(format!("{version}\n")),
        (_, Some(".mod")) => Answer::text(manifest),
        (_, Some(".zip")) => Answer::bytes(archive::zip(&[
            (format!("{name}@{version}/go.mod"), manifest.as_bytes()),
            (format!("{name}@{version}/words.go"), code.as_bytes()),
        ])),
        _ => missing(),
    }
}
