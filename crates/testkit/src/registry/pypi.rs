//! The Python package index: simple pages as HTML and JSON (PEP 503, PEP 691), wheels at another host, uploads.

use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Answer, Seen, archive, base, missing, writes};

/// Name, version, code, what it needs.
const PACKAGES: [(&str, &str, &str, &[&str]); 2] = [
    ("anchor", "1.0", "import ballast\nWORDS = ['anchor'] + ballast.WORDS\n", &["ballast>=2"]),
    ("ballast", "2.1", "WORDS = ['ballast']\n", &[]),
];

const JSON: &str = "application/vnd.pypi.simple.v1+json";

pub(super) fn answer(seen: &Seen) -> Answer {
    if writes(seen) {
        return Answer::text("taken");
    }
    for (name, version, code, needs) in PACKAGES {
        let file = format!("{name}-{version}-py3-none-any.whl");
        let wheel = || wheel(name, version, code, needs);
        if seen.path == format!("/simple/{name}/") {
            let url = format!("{}/packages/{file}", base(seen, "files.packages.test"));
            let hash = archive::hex(&Sha256::digest(wheel()));
            return page(seen, name, &file, &url, &hash);
        }
        if seen.path == format!("/packages/{file}") {
            return Answer::bytes(wheel()).header("content-type", "application/octet-stream");
        }
    }
    missing()
}

fn page(seen: &Seen, name: &str, file: &str, url: &str, hash: &str) -> Answer {
    if seen.header("accept").is_some_and(|accepted| accepted.contains(JSON)) {
        let file = json!({"filename": file, "url": url, "hashes": {"sha256": hash}});
        let page = json!({"meta": {"api-version": "1.0"}, "name": name, "files": [file]});
        return Answer::bytes(page.to_string()).header("content-type", JSON);
    }
    let page =
        format!("<!DOCTYPE html><html><body><a href=\"{url}#sha256={hash}\">{file}</a></body></html>\n");
    Answer::bytes(page).header("content-type", "text/html")
}

fn wheel(name: &str, version: &str, code: &str, needs: &[&str]) -> Vec<u8> {
    let about = format!("{name}-{version}.dist-info");
    let needs: String = needs.iter().map(|need| format!("Requires-Dist: {need}\n")).collect();
    let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}");
    let wheel = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
    let mut files = vec![
        (format!("{name}.py"), code.as_bytes()),
        (format!("{about}/METADATA"), metadata.as_bytes()),
        (format!("{about}/WHEEL"), wheel.as_bytes()),
    ];
    let record = format!("{about}/RECORD");
    let lines: String = files.iter().map(|(path, _)| format!("{path},,\n")).collect();
    let lines = format!("{lines}{record},,\n");
    files.push((record, lines.as_bytes()));
    archive::zip(&files)
}
