//! A registry of container images (OCI Distribution): tokens at one host, manifests at a second, blobs at a third.
//!
//! Its one image is `acme/anchor:1.0`, with one layer. Everybody gets a token for whatever they ask; who has none is
//! told where to get it. What is pushed is taken and forgotten.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Answer, Seen, archive, base, missing, writes};

const TOKEN: &str = "token-of-a-test";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

pub(super) fn answer(seen: &Seen) -> Answer {
    if seen.path == "/token" {
        return Answer::json(&json!({"token": TOKEN, "access_token": TOKEN, "expires_in": 300}));
    }
    if let Some(digest) = seen.path.strip_prefix("/layers/") {
        return blob(digest).map_or_else(missing, Answer::bytes);
    }
    if seen.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
        let challenge = format!(
            "Bearer realm=\"{}/token\",service=\"packages.test\"",
            base(seen, "tokens.packages.test")
        );
        return Answer::status(401).header("www-authenticate", challenge);
    }
    let version = |answer: Answer| answer.header("docker-distribution-api-version", "registry/2.0");
    if writes(seen) {
        return version(pushed(seen));
    }
    version(match seen.path.strip_prefix("/v2/acme/anchor/") {
        Some("manifests/1.0") => {
            let digest = digest(&manifest());
            Answer::bytes(manifest()).header("content-type", MANIFEST).header("docker-content-digest", digest)
        }
        Some(path) => match path.strip_prefix("blobs/").filter(|digest| blob(digest).is_some()) {
            Some(digest) => Answer::status(307).header(
                "location",
                format!("{}/layers/{digest}?signature=x", base(seen, "files.packages.test")),
            ),
            None => missing(),
        },
        None if seen.path == "/v2/" => Answer::json(&json!({})),
        None => missing(),
    })
}

/// An upload begins, goes on and is finished, as if it were kept.
fn pushed(seen: &Seen) -> Answer {
    let uploads = "/v2/acme/anchor/blobs/uploads/";
    let digest_asked = seen.query.as_deref().and_then(|query| query.split('&').find_map(digest_of));
    match (seen.method.as_str(), seen.path.starts_with(uploads)) {
        ("POST" | "PATCH", true) => Answer::status(202)
            .header("location", format!("{}{uploads}1", base(seen, "packages.test")))
            .header("range", format!("0-{}", seen.body.len().saturating_sub(1)))
            .header("docker-upload-uuid", "1"),
        ("PUT", true) => {
            Answer::status(201).header("docker-content-digest", digest_asked.unwrap_or_default())
        }
        _ => Answer::status(201).header("docker-content-digest", digest(&seen.body)),
    }
}

fn digest_of(pair: &str) -> Option<String> {
    pair.strip_prefix("digest=").map(|digest| digest.replace("%3A", ":").replace("%3a", ":"))
}

fn blob(asked: &str) -> Option<Vec<u8>> {
    [layer(), config()].into_iter().find(|bytes| digest(bytes) == asked)
}

fn layer() -> Vec<u8> {
    archive::gzip(&archive::tar(&[("word".to_owned(), b"anchor\n")]))
}

fn config() -> Vec<u8> {
    let tar = archive::tar(&[("word".to_owned(), b"anchor\n")]);
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [digest(&tar)]},
    });
    config.to_string().into_bytes()
}

fn manifest() -> Vec<u8> {
    let of = |kind: &str, bytes: &[u8]| -> Value {
        json!({"mediaType": kind, "digest": digest(bytes), "size": bytes.len()})
    };
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": of(CONFIG, &config()), "layers": [of(LAYER, &layer())],
    });
    manifest.to_string().into_bytes()
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", archive::hex(&Sha256::digest(bytes)))
}
