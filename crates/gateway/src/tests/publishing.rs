//! The owner's browser, another site's page in it, and others on the machine; the test is supervisor and server as well.

use super::harness::{Cell, cell, hear, is_reset, run, say};
use super::origin::{echo, head, listen};
use crate::publish::{Peers, Published};
use crate::wire::{Order, Word};
use cofferdam_policy::net::host::{DnsName, Port};
use rustix::fd::OwnedFd;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const HOST: &str = "one-3000.localhost";

fn port(number: u16) -> Port {
    Port::new(number).unwrap()
}

/// Publishes a port; where browsers find it.
fn publish(cell: &Cell, number: u16, host: &str) -> SocketAddr {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = socket.local_addr().unwrap();
    let order = Order::Publish { port: port(number), host: DnsName::parse(host).unwrap() };
    cell.order_beside(&order, &[OwnedFd::from(socket)]);
    at
}

/// Does what a supervisor does with each question: connects to `server`.
async fn supervise(cell: &Cell, server: SocketAddr) {
    loop {
        let number = cell
            .word(|word| {
                let Word::Connect { number, port } = word else { return None };
                assert_eq!(port.get(), 3000);
                Some(*number)
            })
            .await;
        let socket = TcpStream::connect(server).await.unwrap().into_std().unwrap();
        cell.order_beside(&Order::Connected { number }, &[socket.into()]);
    }
}

async fn ask(at: SocketAddr, head: &str) -> String {
    say(&mut TcpStream::connect(at).await.unwrap(), &format!("{head}\r\nConnection: close\r\n\r\n")).await
}

#[test]
fn the_owners_browser_reaches_the_port_by_its_own_name_only() {
    run(async {
        let (cell, server) = (cell(&[]), listen(echo).await);
        let at = publish(&cell, 3000, HOST);
        let browsing = async {
            let number = at.port();
            let answer =
                ask(at, &format!("GET /page?q HTTP/1.1\r\nHost: {HOST}:{number}\r\nCookie: a=b")).await;
            assert!(
                answer.starts_with("HTTP/1.1 200") && answer.contains("GET /page?q HTTP/1.1"),
                "{answer}"
            );
            let told = answer.to_ascii_lowercase();
            assert!(
                told.contains(&format!("host: {HOST}:{number}")) && told.contains("cookie: a=b"),
                "{answer}"
            );
            assert!(told.contains("cross-origin-opener-policy: same-origin-allow-popups"), "{answer}");
            for foreign in [
                format!("GET / HTTP/1.1\r\nHost: localhost:{number}"),
                format!("GET / HTTP/1.1\r\nHost: 127.0.0.1:{number}"),
                format!("GET / HTTP/1.1\r\nHost: rebound.test:{number}"),
                format!("GET / HTTP/1.1\r\nHost: {HOST}"),
                format!("GET / HTTP/1.1\r\nHost: {HOST}.:{number}"),
                format!("GET / HTTP/1.1\r\nHost: {HOST}:{number}\r\nHost: {HOST}:{number}"),
                format!("GET http://{HOST}:{number}/ HTTP/1.1\r\nHost: {HOST}:{number}"),
                format!("CONNECT {HOST}:{number} HTTP/1.1\r\nHost: {HOST}:{number}"),
                "GET / HTTP/1.1\r\nX-None: x".to_owned(),
            ] {
                let answer = ask(at, &foreign).await;
                assert!(answer.starts_with("HTTP/1.1 421"), "{foreign}: {answer}");
            }
        };
        tokio::select! { () = browsing => {}, () = supervise(&cell, server) => {} }
    });
}

#[test]
fn a_page_of_another_site_is_refused_and_one_of_the_session_is_not() {
    run(async {
        let (cell, server) = (cell(&[]), listen(echo).await);
        let (at, other) = (publish(&cell, 3000, HOST), publish(&cell, 8000, "one-8000.localhost"));
        let browsing = async {
            let own = format!("http://{HOST}:{}", at.port());
            let sister = format!("http://one-8000.localhost:{}", other.port());
            for (method, fields, is_let_in) in [
                ("POST", format!("Origin: {own}"), true),
                ("POST", format!("Origin: {sister}\r\nSec-Fetch-Site: cross-site"), true),
                ("POST", "Origin: null\r\nSec-Fetch-Site: same-origin".to_owned(), true),
                ("GET", "Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate".to_owned(), true),
                ("GET", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate".to_owned(), true),
                ("GET", format!("Sec-Fetch-Site: cross-site\r\nReferer: {sister}/page"), true),
                ("POST", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate".to_owned(), false),
                ("GET", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors".to_owned(), false),
                ("GET", "Sec-Fetch-Site: same-site\r\nReferer: http://localhost:3000/".to_owned(), false),
                ("GET", "Origin: https://evil.test".to_owned(), false),
                ("POST", "Origin: null".to_owned(), false),
            ] {
                let head = format!("{method} / HTTP/1.1\r\nHost: {HOST}:{}\r\n{fields}", at.port());
                let answer = ask(at, &head).await;
                let status = if is_let_in { "HTTP/1.1 200" } else { "HTTP/1.1 403" };
                assert!(answer.starts_with(status), "{method} {fields}: {answer}");
            }
        };
        tokio::select! { () = browsing => {}, () = supervise(&cell, server) => {} }
    });
}

#[test]
fn an_answer_keeps_no_cookie_for_other_hosts_and_names_no_place_to_report_to() {
    run(async {
        let cell = cell(&[]);
        let server = listen(|mut socket: TcpStream| async move {
            head(&mut socket).await;
            let answer = "HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Domain=localhost; Path=/\r\nSet-Cookie: b=2\r\n\
                          NEL: {}\r\nReporting-Endpoints: a=\"https://evil.test\"\r\nAlt-Svc: h2=\"evil.test:1\"\r\n\
                          Strict-Transport-Security: max-age=9\r\nReferrer-Policy: no-referrer\r\n\
                          Content-Length: 2\r\n\r\nok";
            let _gone = socket.write_all(answer.as_bytes()).await;
        })
        .await;
        let at = publish(&cell, 3000, HOST);
        let browsing = async {
            let answer = ask(at, &format!("GET / HTTP/1.1\r\nHost: {HOST}:{}", at.port())).await;
            let told = answer.to_ascii_lowercase();
            assert!(
                told.contains("set-cookie: a=1; path=/\r\n") && told.contains("set-cookie: b=2\r\n"),
                "{answer}"
            );
            assert!(
                !told.contains("evil.test") && !told.contains("nel:") && !told.contains("strict"),
                "{answer}"
            );
            assert!(told.contains("referrer-policy: no-referrer\r\n") && told.ends_with("ok"), "{answer}");
        };
        tokio::select! { () = browsing => {}, () = supervise(&cell, server) => {} }
    });
}

#[test]
fn a_websocket_of_the_page_is_open_both_ways_until_the_port_is_published_no_longer() {
    run(async {
        let cell = cell(&[]);
        let server = listen(|mut socket: TcpStream| async move {
            let asked = head(&mut socket).await.to_ascii_lowercase();
            assert!(asked.contains("upgrade: websocket\r\n"), "{asked}");
            let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                          Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhello";
            socket.write_all(answer.as_bytes()).await.unwrap();
            let mut frame = [0; 4];
            while socket.read_exact(&mut frame).await.is_ok() {
                let _gone = socket.write_all(&frame).await;
            }
        })
        .await;
        let at = publish(&cell, 3000, HOST);
        let browsing = async {
            let mut client = TcpStream::connect(at).await.unwrap();
            let request = format!(
                "GET /hot HTTP/1.1\r\nHost: {HOST}:{0}\r\nOrigin: http://{HOST}:{0}\r\nConnection: Upgrade\r\n\
                 Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                at.port()
            );
            client.write_all(request.as_bytes()).await.unwrap();
            assert!(head(&mut client).await.starts_with("HTTP/1.1 101"));
            client.write_all(b"ping").await.unwrap();
            let mut heard = [0; 9];
            client.read_exact(&mut heard).await.unwrap();
            assert_eq!(&heard, b"helloping");
            cell.order(&Order::Unpublish { port: port(3000) });
            assert_eq!(hear(&mut client).await, "");
            assert!(TcpStream::connect(at).await.is_err());
        };
        tokio::select! { () = browsing => {}, () = supervise(&cell, server) => {} }
    });
}

#[test]
fn a_server_that_is_not_there_or_speaks_no_http_is_told_of() {
    run(async {
        let cell = cell(&[]);
        let server = listen(|mut socket: TcpStream| async move {
            let _gone = socket.write_all(b"SSH-2.0-x\r\n").await;
        })
        .await;
        let at = publish(&cell, 3000, HOST);
        let page = format!("GET / HTTP/1.1\r\nHost: {HOST}:{}", at.port());
        let refusing = async {
            let number =
                cell.word(|word| if let Word::Connect { number, .. } = word { Some(*number) } else { None });
            let number = number.await;
            cell.order(&Order::NotConnected { number });
        };
        let (answer, ()) = tokio::join!(ask(at, &page), refusing);
        assert!(
            answer.starts_with("HTTP/1.1 502") && answer.contains("nothing in the cell listens"),
            "{answer}"
        );
        let browsing = async {
            let answer = ask(at, &page).await;
            assert!(answer.starts_with("HTTP/1.1 502") && answer.contains("speaks no HTTP"), "{answer}");
        };
        tokio::select! { () = browsing => {}, () = supervise(&cell, server) => {} }
    });
}

#[test]
fn connections_of_another_user_are_reset() {
    run(async {
        // The control is every other test here.
        for peers in [Peers::of(rustix::process::getuid().as_raw() + 1).ok(), None] {
            let published = Published::new(peers);
            let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let at = socket.local_addr().unwrap();
            published.publish(port(3000), &DnsName::parse(HOST).unwrap(), vec![socket.into()]);
            let mut client = TcpStream::connect(at).await.unwrap();
            assert!(is_reset(&mut client).await);
            let asked = tokio::time::timeout(Duration::from_millis(50), published.question()).await;
            assert!(asked.is_err(), "{asked:?}");
        }
    });
}
