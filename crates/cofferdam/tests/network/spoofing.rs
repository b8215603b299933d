//! One destination named to the gateway, another one meant: in the tunnel, the handshake, the head, the path, later on.

use super::raw::{Case, heard};
use super::scene::{NAME, OTHER, Scene, WORD};
use serde_json::json;
use std::collections::BTreeMap;

/// The start of HTTP/2 (RFC 9113, 3.4), with settings that change nothing.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// The client opens no more streams.
const GOAWAY: &[u8] = b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// A GET over HTTP/2 as one frame: its fields as they are, neither indexed nor compressed.
fn stream(number: u8, authority: &str, path: &str) -> Vec<u8> {
    let fields = [(":method", "GET"), (":scheme", "https"), (":authority", authority), (":path", path)];
    let mut block = Vec::new();
    for (name, value) in fields {
        for text in [name, value] {
            if text == name {
                block.push(0);
            }
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    let length = u32::try_from(block.len()).unwrap().to_be_bytes();
    [&length[1..], &[1, 5, 0, 0, 0, number], &block].concat()
}

fn get(path: &str, host: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

/// Both names are granted, each for its own path.
fn grants(scene: &Scene) -> [String; 2] {
    let other = format!("GET {OTHER}:{}/other/** address=127.0.0.1", scene.server.address().port());
    [scene.grant("GET", "/v1/**"), other]
}

fn heard_with_both(scene: &Scene, cases: Vec<Case>) -> BTreeMap<String, String> {
    let [one, other] = grants(scene);
    heard(scene, "one", &["--allow", &one, "--allow", &other], cases)
}

/// Each case was answered with what is beside its name, and the server saw these requests only.
#[track_caller]
fn assert_heard(scene: &Scene, heard: &BTreeMap<String, String>, expected: &[(&str, &str)], seen: &[&str]) {
    for (name, word) in expected {
        assert!(heard[*name].contains(word), "{name}: {word} is not in {}", heard[*name]);
        let is_answered = heard[*name].contains(WORD);
        assert_eq!(is_answered, word.contains(WORD), "{name}: {}", heard[*name]);
    }
    assert_eq!(heard.len(), expected.len());
    let mut lines: Vec<String> =
        scene.server.seen().iter().map(|seen| format!("{} {}", seen.authority, seen.path)).collect();
    lines.sort();
    assert_eq!(lines, seen);
}

#[test]
fn another_name_in_the_tunnel_the_handshake_or_the_head_reaches_nobody() {
    let scene = Scene::new();
    let (port, place) = (scene.server.address().port(), scene.place());
    let other = format!("{OTHER}:{port}");
    let old = &["http/1.1"];
    let cases = vec![
        Case::to("lawful", &place).tls(NAME, old).say(get("/v1/a", &place)),
        Case::by_proxy("lawful tunnel", &place).tls(NAME, old).say(get("/v1/b", &place)),
        Case::by_proxy("tunnel and handshake", &place).tls(OTHER, old).say(get("/other/a", &other)),
        Case::to("connection and handshake", &place).tls(OTHER, old).say(get("/other/a", &other)),
        Case::by_proxy("tunnel to an address", &format!("127.0.0.1:{port}"))
            .tls(NAME, old)
            .say(get("/v1/a", &place)),
        Case::to("handshake and host", &place).tls(NAME, old).say(get("/other/a", &other)),
        Case::to("absolute form", &place)
            .tls(NAME, old)
            .say(get(&format!("https://{other}/other/a"), &place)),
        Case::to("absolute form and host", &place)
            .tls(NAME, old)
            .say(get(&format!("https://{place}/v1/a"), &other)),
        Case::to("two hosts", &place).tls(NAME, old).say(format!(
            "GET /v1/a HTTP/1.1\r\nHost: {place}\r\nHost: {other}\r\nConnection: close\r\n\r\n"
        )),
        Case::to("later host", &place)
            .tls(NAME, old)
            .say(format!("GET /v1/c HTTP/1.1\r\nHost: {place}\r\n\r\n{}", get("/other/a", &other))),
        Case::to("lawful h2", &place)
            .tls(NAME, &["h2"])
            .say([PREFACE, &stream(1, &place, "/v1/d"), GOAWAY].concat()),
        Case::to("authority of h2", &place)
            .tls(NAME, &["h2"])
            .say([PREFACE, &stream(1, &other, "/other/a"), GOAWAY].concat()),
        Case::to("coalesced h2", &place)
            .tls(NAME, &["h2"])
            .say([PREFACE, &stream(1, &place, "/v1/e"), &stream(3, &other, "/other/a"), GOAWAY].concat()),
        Case::to("the other, lawfully", &other).tls(OTHER, old).say(get("/other/z", &other)),
    ];
    let mut heard = heard_with_both(&scene, cases);
    for half in ["later host", "coalesced h2"] {
        let both = heard.remove(half).unwrap();
        assert!(both.contains(WORD) && both.contains("authority-mismatch"), "{half}: {both}");
    }
    let expected = [
        ("lawful", WORD),
        ("lawful tunnel", WORD),
        ("tunnel and handshake", "sni-mismatch"),
        ("connection and handshake", "sni-mismatch"),
        ("tunnel to an address", "sni-mismatch"),
        ("handshake and host", "authority-mismatch"),
        ("absolute form", "authority-mismatch"),
        ("absolute form and host", "authority-mismatch"),
        ("two hosts", "message-malformed"),
        ("lawful h2", WORD),
        ("authority of h2", "authority-mismatch"),
        ("the other, lawfully", WORD),
    ];
    let mut seen: Vec<String> = ["a", "b", "c", "d", "e"].map(|path| format!("{place} /v1/{path}")).to_vec();
    seen.push(format!("{other} /other/z"));
    let seen: Vec<&str> = seen.iter().map(String::as_str).collect();
    assert_heard(&scene, &heard, &expected, &seen);
}

#[test]
fn what_is_neither_tls_nor_http_goes_through_no_tunnel() {
    let scene = Scene::new();
    let place = scene.place();
    let inner = |target: &str| format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
    let cases = vec![
        Case::by_proxy("lawful", &place).tls(NAME, &[]).say(get("/v1/a", &place)),
        Case::by_proxy("ssh", &place).say("SSH-2.0-OpenSSH_9.6\r\n"),
        Case::to("ssh without proxy", &place).say("SSH-2.0-OpenSSH_9.6\r\n"),
        Case::by_proxy("bytes", &place).say(b"\0\x01\x02\x03\x04\x05\x06\x07"),
        Case::by_proxy("tunnel in a tunnel", &place).say(inner("198.51.100.1:22")),
        Case::by_proxy("tunnel in tls", &place).tls(NAME, &[]).say(inner(&place)),
        Case::by_proxy("tunnel to the proxy", "198.18.0.1:3128").say(inner(&place)),
        Case::to("not a port", "198.18.0.1:3128").say(inner(&format!("{NAME}:0"))),
        Case::to("no port", "198.18.0.1:3128").say(inner(NAME)),
        Case::to("userinfo", "198.18.0.1:3128").say(inner(&format!("{place}@evil.test:443"))),
        Case::to("line end", "198.18.0.1:3128").say(inner(&format!("{NAME}%0d%0a:443"))),
    ];
    let heard = heard_with_both(&scene, cases);
    assert!(heard["lawful"].contains(WORD), "{heard:?}");
    for (name, answer) in heard.iter().filter(|(name, _)| *name != "lawful") {
        assert!(!answer.contains(WORD) && !answer.contains("<silence>"), "{name}: {answer}");
        let is_refused = answer.contains("\"reason\":") || answer.starts_with("HTTP/1.1 400 ");
        assert!(answer.starts_with("<reset>") || is_refused, "{name}: {answer:?}");
    }
    assert!(
        heard["ssh"].starts_with("<reset>") && heard["ssh without proxy"].starts_with("<reset>"),
        "{heard:?}"
    );
    let lines: Vec<String> = scene.server.seen().iter().map(|seen| seen.line()).collect();
    assert_eq!(lines, ["GET /v1/a"]);
    assert!(scene.events_of("one", "refused").iter().any(|refused| refused["reason"] == "protocol-unknown"));
}

#[test]
fn no_way_of_cutting_the_handshake_hides_its_name() {
    let scene = Scene::new();
    let place = scene.place();
    let mut cases = Vec::new();
    let cuts = [
        json!({"segment": 1}),
        json!({"record": 1}),
        json!({"record": 7, "segment": 3}),
        json!({"record": 64}),
    ];
    for (number, cut) in cuts.into_iter().enumerate() {
        for sni in [NAME, OTHER] {
            let mut wish = cut.clone();
            wish["sni"] = json!(sni);
            let case = Case::to(format!("{number} {sni}"), &place).tls_cut(wish);
            cases.push(case.say(get(&format!("/v1/{number}"), &place)));
        }
    }
    let heard = heard_with_both(&scene, cases);
    for (name, answer) in &heard {
        let word = if name.ends_with(OTHER) { "sni-mismatch" } else { WORD };
        assert!(answer.contains(word), "{name}: {answer}");
    }
    assert_eq!((heard.len(), scene.server.seen().len()), (8, 4));
}

#[test]
fn no_upgrade_leads_past_the_verdict() {
    let scene = Scene::new();
    let place = scene.place();
    let upgrade = |path: &str, to: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: {place}\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: {to}\r\n\
             HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
    };
    let old = &["http/1.1"];
    let to = |name: &str, text: String| Case::to(name, &place).tls(NAME, old).say(text);
    let cases = vec![
        to("h2c is overlooked", upgrade("/v1/a", "h2c")),
        to("websocket where only http is granted", upgrade("/v1/b", "websocket")),
        to("websocket to another path", upgrade("/admin", "websocket")),
        to("something else", upgrade("/v1/c", "ssh")),
        to(
            "websocket after a request",
            upgrade("/v1/d", "h2c").replace(", close", "") + &upgrade("/admin", "websocket"),
        ),
        Case::to("h2 in clear text", &place).say([PREFACE, &stream(1, &place, "/v1/x"), GOAWAY].concat()),
    ];
    let heard = heard_with_both(&scene, cases);
    let reasons = [
        ("h2c is overlooked", WORD),
        ("websocket where only http is granted", "protocol-not-granted"),
        ("websocket to another path", "not-granted"),
        ("something else", "protocol-not-granted"),
        ("websocket after a request", "not-granted"),
    ];
    for (name, word) in reasons {
        assert!(heard[name].contains(word) && !heard[name].contains(" 101 "), "{name}: {}", heard[name]);
    }
    assert!(!heard["h2 in clear text"].contains(WORD), "{heard:?}");
    let seen = scene.server.seen();
    let mut lines: Vec<String> = seen.iter().map(|seen| seen.line()).collect();
    lines.sort();
    assert_eq!(lines, ["GET /v1/a", "GET /v1/d"]);
    assert!(
        seen.iter().all(|seen| seen.header("upgrade").is_none() && seen.header("http2-settings").is_none())
    );
}

#[test]
fn no_spelling_of_a_path_and_no_header_means_another_path_or_method() {
    let scene = Scene::new();
    let place = scene.place();
    let paths = [
        "/v1/../admin",
        "/v1/%2e%2e/admin",
        "/v1/%2E%2e/admin",
        "/v1/..%2fadmin",
        "/v1/%2e%2e%2fadmin",
        "/v1//admin",
        "//admin",
        "/v1/;/../admin",
        "/v1/a;/..",
        "/v1\\..\\admin",
        "/v1/%5c..%5cadmin",
        "/v1/%252e%252e/admin",
        "/v1/%00",
        "/v1/./a",
        "/%761/a",
        "/V1/a",
        "/admin",
        "/v1x",
    ];
    let fields = [
        "X-HTTP-Method-Override: DELETE",
        "X-HTTP-Method: PUT",
        "X-Original-URL: /admin",
        "X-Rewrite-URL: /admin",
    ];
    let tell = |path: &str, field: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: {place}\r\n{field}Connection: close\r\n\r\n")
    };
    let to = |name: &str, text: String| Case::to(name, &place).tls(NAME, &["http/1.1"]).say(text);
    let mut cases: Vec<Case> = paths.iter().map(|path| to(path, tell(path, ""))).collect();
    cases.extend(fields.iter().map(|field| to(field, tell("/v1/a", &format!("{field}\r\n")))));
    cases.push(
        to("h2", String::new())
            .tls(NAME, &["h2"])
            .say([PREFACE, &stream(1, &place, "/v1/%2e%2e/admin"), GOAWAY].concat()),
    );
    cases.push(to("lawful", tell("/v1/a%20b/c.d", "X-Other: 1\r\n")));
    let heard = heard_with_both(&scene, cases);
    assert!(heard["lawful"].contains(WORD), "{}", heard["lawful"]);
    for (name, answer) in heard.iter().filter(|(name, _)| *name != "lawful") {
        let reason = if name.starts_with("X-") { "header-override" } else { "path-not-" };
        let malformed = answer.contains("message-malformed");
        assert!(answer.contains(reason) || malformed, "{name}: {answer:?}");
    }
    let lines: Vec<String> = scene.server.seen().iter().map(|seen| seen.line()).collect();
    assert_eq!(lines, ["GET /v1/a%20b/c.d"]);
}
