//! HTTP/2 on both sides, and WebSocket.

use super::harness::{Cell, cell, hear, run, say};
use super::origin::{head, listen, listen_tls, tls};
use crate::serve::REFUSED_MAX;
use cofferdam_policy::net::refusal::RefusalReason;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2::SendRequest;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

async fn newer(cell: &Cell, to: &str, name: &str) -> SendRequest<Full<Bytes>> {
    let stream = cell.connect_tls(to, name, &["h2", "http/1.1"]).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (sender, connection) = handshake.unwrap();
    tokio::spawn(connection);
    sender
}

async fn ask(sender: &mut SendRequest<Full<Bytes>>, uri: &str) -> (u16, String) {
    let request = Request::get(uri).body(Full::default()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn told(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let text = format!("{:?} {} {}", request.version(), request.method(), request.uri());
    Ok(Response::new(Full::new(text.into())))
}

#[test]
fn the_attack_of_a_query_that_http1_could_not_have_is_refused() {
    run(async {
        let origin = listen_tls(tls("a.test", &["http/1.1"]), super::origin::echo).await;
        let port = origin.port();
        let cell = cell(&[&format!("a.test:{port}/** address=127.0.0.1")]);
        let mut client = newer(&cell, &format!("a.test:{port}"), "a.test").await;
        for (query, status) in [("a=%C3%A9", 200), ("a=\u{e9}", 400), ("a=\u{202e}x", 400)] {
            let (answered, body) = ask(&mut client, &format!("https://a.test:{port}/?{query}")).await;
            assert_eq!(answered, status, "{query}: {body}");
            assert!(status == 200 || body.contains("message-malformed"), "{query}: {body}");
        }
    });
}

#[test]
fn the_attack_of_many_connections_that_take_nothing_leaves_reasons_and_connections_out_and_honest_ones_in() {
    run(async {
        let cell = cell(&[]);
        let mut client = newer(&cell, "no.test:443", "no.test").await;
        let uri = "https://no.test/x";
        let room = cell.gate.refused_room.try_acquire_many(REFUSED_MAX.try_into().unwrap()).unwrap();
        assert_eq!(ask(&mut client, uri).await, (403, String::new()));
        drop(room);
        let (status, body) = ask(&mut client, uri).await;
        assert!(status == 403 && body.contains("host-not-granted"), "{status} {body}");
        let request = Request::head(uri).body(Full::default()).unwrap();
        assert_eq!(client.send_request(request).await.unwrap().status().as_u16(), 403, "HEAD has no body");
        let rest = u32::try_from(cell.gate.newer.available_permits()).unwrap();
        let places = cell.gate.newer.try_acquire_many(rest).unwrap();
        let mut another = cell.connect_tls("no.test:443", "no.test", &["h2"]).await;
        assert_eq!(hear(&mut another).await, "");
        cell.refused(RefusalReason::TooManyOpen).await;
        assert_eq!(ask(&mut client, uri).await.0, 403, "those that stand go on");
        drop(places);
        assert_eq!(ask(&mut newer(&cell, "no.test:443", "no.test").await, uri).await.0, 403);
    });
}

#[test]
fn each_stream_is_judged_by_its_own_authority_and_path() {
    run(async {
        let origin = listen_tls(tls("a.test", &["h2"]), |stream| async move {
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let _ended = builder.serve_connection(TokioIo::new(stream), service_fn(told)).await;
        })
        .await;
        let port = origin.port();
        let cell = cell(&[
            &format!("a.test:{port}/ok/** address=127.0.0.1"),
            &format!("b.test:{port}/** address=127.0.0.1"),
        ]);
        let mut client = newer(&cell, &format!("a.test:{port}"), "a.test").await;
        for (uri, status, expected) in [
            (format!("https://a.test:{port}/ok/1"), 200, format!("HTTP/2.0 GET https://a.test:{port}/ok/1")),
            (format!("https://a.test:{port}/no"), 403, "path-not-granted".to_owned()),
            (format!("https://b.test:{port}/ok/1"), 403, "authority-mismatch".to_owned()),
            (format!("https://a.test:{port}/ok/2"), 200, "/ok/2".to_owned()),
        ] {
            let (answered, body) = ask(&mut client, &uri).await;
            assert_eq!(answered, status, "{uri}: {body}");
            assert!(body.contains(&expected), "{uri}: {body}");
        }
        // Where `Host` says otherwise than the stream's authority, neither counts.
        let request = Request::get(format!("https://a.test:{port}/ok/1")).header("Host", "b.test");
        let response = client.send_request(request.body(Full::default()).unwrap()).await.unwrap();
        assert_eq!(response.status().as_u16(), 403);
    });
}

#[test]
fn what_makes_a_newer_request_ambiguous_or_endless_is_refused_and_the_next_one_served() {
    run(async {
        let origin = listen_tls(tls("a.test", &["http/1.1"]), super::origin::echo).await;
        let port = origin.port();
        let cell = cell(&[&format!("* a.test:{port}/** address=127.0.0.1")]);
        let mut client = newer(&cell, &format!("a.test:{port}"), "a.test").await;
        let uri = format!("https://a.test:{port}/x");
        let long = "M".repeat(10_000);
        let request = Request::builder().method(long.as_str()).uri(&uri).body(Full::default()).unwrap();
        let answer = client.send_request(request).await.unwrap();
        assert_eq!(answer.status().as_u16(), 400);
        let note = cell.refused(RefusalReason::MessageMalformed).await;
        assert!(note.method.is_none_or(|method| method.len() <= 32), "what is said is short");
        let twice = Request::post(&uri).header("Content-Length", "0").header("Content-Length", "0");
        let answer = client.send_request(twice.body(Full::default()).unwrap()).await.unwrap();
        assert_eq!(answer.status().as_u16(), 400);
        assert_eq!(ask(&mut client, &uri).await.0, 200);
    });
}

#[test]
fn an_old_origin_serves_a_new_client_and_nothing_granted_is_told_by_http2() {
    run(async {
        let origin = listen_tls(tls("a.test", &["http/1.1"]), super::origin::echo).await;
        let port = origin.port();
        let cell = cell(&[&format!("a.test:{port}/ok/** address=127.0.0.1")]);
        let mut client = newer(&cell, &format!("a.test:{port}"), "a.test").await;
        let (status, body) = ask(&mut client, &format!("https://a.test:{port}/ok/1")).await;
        assert!(status == 200 && body.starts_with("GET /ok/1 HTTP/1.1\r\n"), "{body}");
        let mut stranger = newer(&cell, "b.test:443", "b.test").await;
        let (status, body) = ask(&mut stranger, "https://b.test/x").await;
        assert!(
            status == 403 && body.contains("\"grant_that_would_allow\":\"GET b.test:443/x query=deny\""),
            "{body}"
        );
    });
}

fn websocket(path: &str, host: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

#[test]
fn a_websocket_goes_where_it_is_granted_and_passes_what_is_said() {
    run(async {
        let origin = listen(|mut socket| async move {
            let asked = head(&mut socket).await.to_ascii_lowercase();
            assert!(asked.contains("upgrade: websocket\r\n"), "{asked}");
            let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                          Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhello";
            socket.write_all(answer.as_bytes()).await.unwrap();
            let mut frame = [0; 8];
            socket.read_exact(&mut frame).await.unwrap();
            socket.write_all(&frame).await.unwrap();
        })
        .await;
        let host = format!("a.test:{}", origin.port());
        let cell = cell(&[
            &format!("http://a.test:{}/ws protocols=http,websocket address=127.0.0.1", origin.port()),
            &format!("http://a.test:{}/plain address=127.0.0.1", origin.port()),
        ]);
        let mut client = cell.connect(&host).await;
        client.write_all(websocket("/ws", &host).as_bytes()).await.unwrap();
        assert!(head(&mut client).await.starts_with("HTTP/1.1 101"));
        client.write_all(b"\x01\x82\0\0\0\0ab").await.unwrap();
        assert_eq!(hear(&mut client).await.as_bytes(), "hello\u{1}\u{fffd}\0\0\0\0ab".as_bytes());
        let note = cell.request().await;
        assert_eq!((note.status, note.down), (Some(101), 13));
        let asked = websocket("/ws", &host).len() as u64;
        assert!((20..asked + 8).contains(&note.up), "the frame, and the head as it goes on: {}", note.up);
        for (path, reason) in [("/plain", "protocol-not-granted"), ("/other", "path-not-granted")] {
            let answer = say(&mut cell.connect(&host).await, &websocket(path, &host)).await;
            assert!(answer.starts_with("HTTP/1.1 403") && answer.contains(reason), "{path}: {answer}");
        }
    });
}
