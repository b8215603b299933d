//! Secrets and handles as they cross the gateway: out where a grant says, back never, revoked at once.

use super::harness::{Cell, Wishes, get, run, say, start};
use super::origin::{echo, listen, listen_tls, tls};
use crate::exchange::HeldSecret;
use crate::secret::Secret;
use crate::wire::{Order, Word};
use cofferdam_policy::net::credential::Credential;
use cofferdam_policy::net::handle::{Handle, Shape};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const SECRET: &str = "ghp_planted0123456789plantedABCDEFGHIJab";

fn handle() -> Handle {
    Handle::new(&Shape::of(SECRET.as_bytes()).unwrap(), &[7; 32])
}

/// `a.test` with a credential, `b.test` without, both by TLS at one origin each.
fn holding(a: SocketAddr, b: SocketAddr) -> Cell {
    let place = "header:Authorization: Bearer {}".parse().unwrap();
    let names = ("github".parse().unwrap(), "github".parse().unwrap());
    let credential = Credential { name: names.0, secret: names.1, place, environment: Vec::new() };
    let value = Some(Secret::new(SECRET.into()).unwrap());
    start(Wishes {
        grants: vec![
            format!("GET,POST a.test:{}/** credential=github address=127.0.0.1", a.port()),
            format!("GET,POST http://b.test:{}/** address=127.0.0.1", b.port()),
        ],
        secrets: vec![HeldSecret { credential, handle: handle(), value, expires: None, revoked: false }],
        ..Wishes::default()
    })
}

async fn leak(cell: &Cell) -> String {
    cell.word(|word| if let Word::Leak(note) = word { Some(note.place.clone()) } else { None }).await
}

#[test]
fn the_secret_goes_out_and_comes_back_neither_in_head_nor_body() {
    run(async {
        let (seen, mut heads) = tokio::sync::mpsc::unbounded_channel();
        let a = listen_tls(tls("a.test", &["http/1.1"]), move |mut stream| {
            let seen = seen.clone();
            async move {
                let head = super::origin::head(&mut stream).await;
                let body = head.clone().repeat(3);
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nX-Echo: {SECRET}\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                // In pieces, so that the secret is cut.
                for piece in answer.as_bytes().chunks(7) {
                    stream.write_all(piece).await.unwrap();
                    stream.flush().await.unwrap();
                }
                seen.send(head).unwrap();
            }
        })
        .await;
        let b = listen(echo).await;
        let cell = holding(a, b);
        let host = format!("a.test:{}", a.port());
        let request = format!(
            "GET /x HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\nX-Api-Key: foreign\r\nConnection: close\r\n\r\n",
            handle().as_str()
        );
        let mut client = cell.connect_tls(&host, "a.test", &["http/1.1"]).await;
        let answer = say(&mut client, &request).await;
        assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains(SECRET), "{answer}");
        let head = heads.recv().await.unwrap();
        assert!(head.contains(&format!("Bearer {SECRET}")) && !head.contains("foreign"), "{head}");
        assert_eq!(cell.request().await.credential, Some("github".parse().unwrap()));
    });
}

#[test]
fn a_request_that_the_secret_was_not_put_into_is_no_use_of_it() {
    run(async {
        let b = listen(echo).await;
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let host = format!("a.test:{}", closed.port());
        let cell = holding(closed, b);
        let mut client = cell.connect_tls(&host, "a.test", &["http/1.1"]).await;
        assert!(say(&mut client, &get("/x", &host)).await.contains("upstream-unreachable"));
        assert_eq!(cell.request().await.credential, None);
    });
}

#[test]
fn what_a_grant_with_the_secret_had_an_origin_store_is_not_read_by_a_grant_without() {
    run(async {
        let told = |mut socket: tokio::net::TcpStream| async move {
            super::origin::head(&mut socket).await;
            let body = format!("stored: {SECRET}\nend");
            let answer = format!(
                "HTTP/1.1 200 OK\r\nX-Echo: {SECRET}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            socket.write_all(answer.as_bytes()).await.unwrap();
        };
        let (a, b) = (listen(echo).await, listen(told).await);
        let cell = holding(a, b);
        let host = format!("b.test:{}", b.port());
        let answer = say(&mut cell.connect(&host).await, &get("/x", &host)).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\nend"), "{answer}");
        assert!(!answer.contains(SECRET), "{answer}");
    });
}

#[test]
fn a_handle_elsewhere_is_refused_and_told_of() {
    run(async {
        let (a, b) = (listen(echo).await, listen(echo).await);
        let cell = holding(a, b);
        let host = format!("b.test:{}", b.port());
        let handle = handle();
        let handle = handle.as_str();
        let fields = [
            get(&format!("/x?{handle}"), &host),
            format!("GET / HTTP/1.1\r\nHost: {host}\r\nX-Any: {handle}\r\nConnection: close\r\n\r\n"),
            format!(
                "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{handle}",
                handle.len()
            ),
        ];
        for (request, place) in fields.iter().zip(["URL", "header", "body"]) {
            let answer = say(&mut cell.connect(&host).await, request).await;
            assert!(answer.contains("handle-misplaced"), "{place}: {answer}");
            assert_eq!(leak(&cell).await, place);
        }
        let elsewhere = get(&format!("/{handle}"), "c.test");
        let answer = say(&mut cell.connect("c.test:80").await, &elsewhere).await;
        assert!(answer.contains("handle-misplaced") && !answer.contains(handle), "{answer}");
        assert_eq!(leak(&cell).await, "URL");
    });
}

#[test]
fn a_revoked_credential_cuts_what_is_under_way_and_is_in_nothing_more() {
    run(async {
        let a = listen_tls(tls("a.test", &["http/1.1"]), |mut stream| async move {
            super::origin::head(&mut stream).await;
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nbegun\n\r\n")
                .await
                .unwrap();
            stream.flush().await.unwrap();
            // Until the gateway goes.
            let _ended = stream.read_u8().await;
        })
        .await;
        let b = listen(echo).await;
        let cell = holding(a, b);
        let host = format!("a.test:{}", a.port());
        let mut client = cell.connect_tls(&host, "a.test", &["http/1.1"]).await;
        client.write_all(get("/stream", &host).as_bytes()).await.unwrap();
        let mut heard = Vec::new();
        while !heard.ends_with(b"begun\n") {
            heard.push(client.read_u8().await.unwrap());
        }
        cell.order(&Order::Revoke { credential: "github".parse().unwrap() });
        let rest = super::harness::hear(&mut client).await;
        assert!(!rest.contains("0\r\n\r\n"), "it was cut: {rest}");
        let mut client = cell.connect_tls(&host, "a.test", &["http/1.1"]).await;
        assert!(say(&mut client, &get("/x", &host)).await.contains("credential-revoked"));
    });
}
