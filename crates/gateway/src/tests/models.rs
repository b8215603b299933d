//! Requests to a model: known calls with known bodies go out, and an agent's own handle goes out as asterisks.

use super::harness::{Cell, Wishes, run, say, start};
use super::origin::{head, listen};
use crate::exchange::HeldSecret;
use crate::secret::Secret;
use crate::wire::Word;
use cofferdam_policy::net::credential::Credential;
use cofferdam_policy::net::handle::{Handle, Shape};
use cofferdam_policy::net::refusal::RefusalReason;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const SECRET: &str = "sk-ant-api03-planted0123456789plantedABCDEFGHIJabcdefghijklmnop";

fn handle(seed: u8) -> Handle {
    Handle::new(&Shape::of(SECRET.as_bytes()).unwrap(), &[seed; 32])
}

fn held(name: &str, seed: u8) -> HeldSecret {
    let place = "header:x-api-key: {}".parse().unwrap();
    let credential =
        Credential { name: name.parse().unwrap(), secret: name.parse().unwrap(), place, environment: vec![] };
    let value = Some(Secret::new(SECRET.into()).unwrap());
    HeldSecret { credential, handle: handle(seed), value, expires: None, revoked: false }
}

/// An origin that keeps of each request what `keep` says of its head and body.
async fn origin(keep: fn(String, String) -> String) -> (SocketAddr, UnboundedReceiver<String>) {
    let (seen, kept) = unbounded_channel();
    let origin = listen(move |mut stream| {
        let seen = seen.clone();
        async move {
            let head = head(&mut stream).await;
            let length = head
                .to_lowercase()
                .split("content-length: ")
                .nth(1)
                .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse::<usize>().unwrap());
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.unwrap();
            seen.send(keep(head, String::from_utf8(body).unwrap())).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
        }
    })
    .await;
    (origin, kept)
}

fn cell(origin: SocketAddr, of_grant: &str, place: &str) -> Cell {
    let mut own = held("model", 1);
    own.credential.place = place.parse().unwrap();
    start(Wishes {
        grants: vec![format!("* http://model.test:{}/** {of_grant} address=127.0.0.1", origin.port())],
        secrets: vec![own, held("other", 2)],
        ..Wishes::default()
    })
}

/// An origin that keeps the bodies that it gets, and a cell that may ask it as a model.
async fn scene(model: &str) -> (Cell, SocketAddr, UnboundedReceiver<String>) {
    let (origin, bodies) = origin(|_head, body| body).await;
    let cell = cell(origin, &format!("credential=model model={model}"), "header:x-api-key: {}");
    (cell, origin, bodies)
}

async fn ask(cell: &Cell, origin: SocketAddr, line: &str, more: &str, body: &str) -> String {
    let host = format!("model.test:{}", origin.port());
    let request = format!(
        "{line} HTTP/1.1\r\nHost: {host}\r\n{more}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    say(&mut cell.connect(&host).await, &request).await
}

const PLAIN: &str = r#"{"model":"m","messages":[{"role":"user","content":"hello"}]}"#;
const SEARCHING: &str =
    r#"{"model":"m","messages":[],"tools":[{"type":"web_search_20250305","name":"web_search"}]}"#;

#[test]
fn inference_goes_out_and_everything_else_of_the_host_is_refused_by_its_reason() {
    run(async {
        let (cell, origin, mut bodies) = scene("anthropic").await;
        let messages = "POST /v1/messages?beta=true";
        let answer = ask(&cell, origin, messages, "anthropic-beta: context-1m-2025-08-07\r\n", PLAIN).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert_eq!(bodies.recv().await.unwrap(), PLAIN);
        for (line, more, body, reason) in [
            ("POST /v1/files", "", PLAIN, "model-call-unknown"),
            ("GET /v1/messages", "", "", "model-call-unknown"),
            (messages, "anthropic-beta: files-api-2025-04-14\r\n", PLAIN, "model-beta-feature"),
            (messages, "Content-Encoding: zstd\r\n", PLAIN, "model-body-encoded"),
            (messages, "", SEARCHING, "model-server-tool"),
            (messages, "", "{", "model-body-not-json"),
            (messages, "", r#"{"mcp_servers":[{"url":"https://x.test"}]}"#, "model-remote-server"),
        ] {
            let answer = ask(&cell, origin, line, more, body).await;
            assert!(answer.starts_with("HTTP/1.1 403") && answer.contains(reason), "{line} {body}: {answer}");
            cell.refused(reason.to_owned().try_into().unwrap()).await;
        }
        assert!(bodies.try_recv().is_err(), "nothing of those went out");
        let answer = ask(&cell, origin, "GET /v1/models", "", "").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    });
}

#[test]
fn what_the_owner_lets_through_by_name_goes_out_and_is_what_a_refusal_offers() {
    run(async {
        let (cell, origin, _bodies) = scene("anthropic").await;
        let refused = ask(&cell, origin, "POST /v1/messages", "", SEARCHING).await;
        assert!(
            refused.contains("model=anthropic+tools:web_search_20250305") && refused.contains("/tools/0"),
            "{refused}"
        );
        let (cell, origin, mut bodies) = scene("anthropic/anthropic/v1+tools:web_search").await;
        let answer = ask(&cell, origin, "POST /anthropic/v1/messages", "", SEARCHING).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert_eq!(bodies.recv().await.unwrap(), SEARCHING);
        let elsewhere = ask(&cell, origin, "POST /v1/messages", "", PLAIN).await;
        assert!(elsewhere.contains("model-call-unknown"), "{elsewhere}");
    });
}

#[test]
fn every_handle_of_a_session_is_asterisks_to_its_model_and_told_of_once() {
    run(async {
        let (cell, origin, mut bodies) = scene("anthropic").await;
        let (own, other) = (handle(1), handle(2));
        let told = |text: &str| PLAIN.replace("hello", text);
        let body = told(&format!("KEY={} twice {}", own.as_str(), own.as_str()));
        for _ in 0..2 {
            let answer = ask(&cell, origin, "POST /v1/messages", "", &body).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            let stars = "*".repeat(own.as_str().len());
            assert_eq!(bodies.recv().await.unwrap(), told(&format!("KEY={stars} twice {stars}")));
        }
        let leak = |word: &Word| if let Word::Leak(note) = word { Some(note.clone()) } else { None };
        let note = cell.word(leak).await;
        assert!(note.is_replaced && note.credential.as_str() == "model" && note.place == "body");
        let answer = ask(&cell, origin, "POST /v1/messages", "", &told(other.as_str())).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert_eq!(bodies.recv().await.unwrap(), told(&"*".repeat(other.as_str().len())));
        let note = cell.word(leak).await;
        assert!(note.is_replaced && note.credential.as_str() == "other", "told of once: {note:?}");
        assert!(bodies.try_recv().is_err());
    });
}

#[test]
fn a_client_that_tries_a_websocket_first_is_sent_to_http_at_once() {
    run(async {
        let (cell, origin, _bodies) = scene("openai").await;
        let socket = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n";
        let host = format!("model.test:{}", origin.port());
        for (path, status) in [("/v1/responses", "426"), ("/v1/realtime", "403")] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{socket}\r\n");
            let answer = say(&mut cell.connect(&host).await, &request).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        }
        // The first is no refusal to be told of.
        let note = cell.refused(RefusalReason::ProtocolNotGranted).await;
        assert_eq!(note.path.as_deref(), Some("/v1/realtime"));
    });
}

/// The first line and the fields of a head, in small letters.
fn fields(head: &str) -> Vec<String> {
    head.to_lowercase().lines().map(str::to_owned).filter(|line| !line.is_empty()).collect()
}

#[test]
fn the_attack_of_a_content_type_by_which_a_body_reads_as_another_does_not_go_out() {
    run(async {
        let (origin, mut heads) = origin(|head, _body| head).await;
        let cell = cell(origin, "credential=model model=openai", "header:x-api-key: {}");
        for said in [
            "Content-Type: application/json; charset=utf-7\r\n",
            "Content-Type: application/x-www-form-urlencoded\r\n",
            "Content-Type: text/plain\r\nContent-Type: application/json; charset=utf-16\r\n",
            "Content-Type: application/json\r\n",
            "",
        ] {
            let answer = ask(&cell, origin, "POST /v1/chat/completions", said, PLAIN).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            let head = fields(&heads.recv().await.unwrap());
            let types: Vec<&String> = head.iter().filter(|line| line.starts_with("content-type")).collect();
            assert_eq!(types, ["content-type: application/json"], "{said}");
        }
        ask(&cell, origin, "GET /v1/models", "Content-Type: text/x\r\n", "").await;
        assert!(!heads.recv().await.unwrap().to_lowercase().contains("content-type"));
    });
}

#[test]
fn the_attack_of_a_field_that_steers_a_proxy_of_models_does_not_go_out() {
    run(async {
        let (origin, mut heads) = origin(|head, _body| head).await;
        let cell = cell(origin, "credential=model model=anthropic", "header:x-own: {}");
        let more = "anthropic-version: 2023-06-01\r\nanthropic-beta: effort-2025-11-24\r\nuser-agent: x\r\n\
            x-stainless-lang: js\r\nsession_id: 1\r\nx-app: cli\r\nX-Portkey-Custom-Host: evil.test\r\n\
            helicone-target-url: https://evil.test\r\nX-Provider-API-Keys: k\r\nX_Own: attacker\r\n\
            x-http-host-override: evil.test\r\nAuthorization: Bearer attacker\r\n";
        let answer = ask(&cell, origin, "POST /v1/messages?beta=true", more, PLAIN).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let head = heads.recv().await.unwrap().to_lowercase();
        for needed in [
            "anthropic-version:",
            "anthropic-beta:",
            "user-agent: x",
            "x-stainless-lang:",
            "session_id:",
            "x-app:",
        ] {
            assert!(head.contains(needed), "{head}");
        }
        assert!(
            head.contains("x-own: sk-ant-") && head.starts_with("post /v1/messages?beta=true "),
            "{head}"
        );
        for steering in ["evil", "attacker", "x-provider-api-keys"] {
            assert!(!head.contains(steering), "{head}");
        }
    });
}

#[test]
fn the_attack_of_a_key_of_the_agents_beside_the_owners_does_not_go_out() {
    run(async {
        let (origin, mut heads) = origin(|head, _body| head).await;
        let body = r#"{"contents":[{"role":"user","parts":[{"text":"x"}]}]}"#;
        let call = "POST /v1beta/models/m-1:generateContent";
        let foreign =
            "?key=ATTACKER&alt=sse&%6bey=ATTACKER&alt=sse;key=ATTACKER&$httpHeaders=x-goog-api-key:ATTACKER";
        for (of_grant, place, line) in [
            ("credential=model model=gemini", "header:x-goog-api-key: {}", "?alt=sse "),
            ("credential=model model=gemini", "query:key", &*format!("?alt=sse&key={SECRET} ")),
        ] {
            let cell = cell(origin, of_grant, place);
            let more = "X-Goog-Api-Key: ATTACKER\r\n";
            let answer = ask(&cell, origin, &format!("{call}{foreign}"), more, body).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            let head = heads.recv().await.unwrap();
            assert!(head.starts_with(&format!("{call}{line}")) && head.contains(SECRET), "{head}");
            assert!(!head.contains("ATTACKER"), "{head}");
        }
        // Where the owner has none for it, the agent's own is all there is.
        let cell = cell(origin, "model=gemini", "query:key");
        ask(&cell, origin, &format!("{call}?key=mine"), "X-Goog-Api-Key: mine\r\n", body).await;
        let head = heads.recv().await.unwrap().to_lowercase();
        assert!(head.contains("?key=mine ") && head.contains("x-goog-api-key: mine"), "{head}");
    });
}
