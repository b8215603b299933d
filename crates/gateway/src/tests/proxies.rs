//! The proxies that programs may be told of, and the host's own.

use super::harness::{Wishes, cell, get, hear, is_reset, run, say, start};
use super::origin::{echo, head, listen, listen_tls, tls};
use crate::wire::UpstreamProxy;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const HTTP_PROXY: &str = "198.18.0.1:3128";
const SOCKS_PROXY: &str = "198.18.0.1:1080";

#[test]
fn connect_opens_a_way_on_which_everything_is_judged() {
    run(async {
        let origin = listen_tls(tls("a.test", &["http/1.1"]), echo).await;
        let cell = cell(&[&format!("a.test:{}/ok address=127.0.0.1", origin.port())]);
        let host = format!("a.test:{}", origin.port());
        for (path, name, expected) in [
            ("/ok", "a.test", "HTTP/1.1 200"),
            ("/no", "a.test", "path-not-granted"),
            ("/ok", "b.test", "sni-mismatch"),
        ] {
            let mut client = cell.connect(HTTP_PROXY).await;
            client
                .write_all(format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes())
                .await
                .unwrap();
            assert!(head(&mut client).await.starts_with("HTTP/1.1 200"));
            let mut stream = cell.tls(client, name, &["http/1.1"]).await.unwrap();
            let answer = say(&mut stream, &get(path, &host)).await;
            assert!(answer.contains(expected), "{answer}");
        }
    });
}

#[test]
fn connect_inside_connect_and_ssh_through_it_are_refused() {
    run(async {
        let origin = listen(echo).await;
        let cell = cell(&[&format!("http://a.test:{} address=127.0.0.1", origin.port())]);
        let host = format!("a.test:{}", origin.port());
        let connect = format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let mut client = cell.connect(HTTP_PROXY).await;
        client.write_all(connect.as_bytes()).await.unwrap();
        assert!(head(&mut client).await.starts_with("HTTP/1.1 200"));
        let answer = say(&mut client, &connect).await;
        assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("method-not-granted"), "{answer}");
        let mut client = cell.connect(HTTP_PROXY).await;
        client.write_all(b"CONNECT a.test:22 HTTP/1.1\r\nHost: a.test:22\r\n\r\n").await.unwrap();
        assert!(head(&mut client).await.starts_with("HTTP/1.1 200"));
        client.write_all(b"SSH-2.0-x\r\n").await.unwrap();
        assert!(is_reset(&mut client).await);
    });
}

#[test]
fn absolute_requests_go_where_they_say_and_nowhere_else() {
    run(async {
        let origin = listen(echo).await;
        let port = origin.port();
        let cell = cell(&[&format!("http://a.test:{port} address=127.0.0.1")]);
        let host = format!("a.test:{port}");
        for (url, host, expected) in [
            (format!("http://{host}/x"), host.as_str(), "GET /x HTTP/1.1"),
            (format!("http://{host}/x"), "b.test", "authority-mismatch"),
            ("http://b.test/x".to_owned(), "b.test", "host-not-granted"),
            (format!("http://b.test@{host}/x"), host.as_str(), "host-malformed"),
            (format!("https://{host}/x"), host.as_str(), "protocol-unknown"),
            ("/x".to_owned(), host.as_str(), "message-malformed"),
            ("http://0x7f.1/x".to_owned(), "0x7f.1", "host-malformed"),
            ("http://2130706433/x".to_owned(), "2130706433", "host-malformed"),
        ] {
            let answer = say(&mut cell.connect(HTTP_PROXY).await, &get(&url, host)).await;
            assert!(answer.contains(expected), "{url} {host}: {answer}");
        }
        for target in ["a.test", "a.test:0", "a.test:443@b.test:443", "a..test:443", "[::1%25lo]:443"] {
            let request = format!("CONNECT {target} HTTP/1.1\r\nHost: x\r\n\r\n");
            let answer = say(&mut cell.connect(HTTP_PROXY).await, &request).await;
            assert!(answer.starts_with("HTTP/1.1 4"), "{target}: {answer}");
        }
    });
}

#[test]
fn socks_leads_to_names_and_addresses_that_are_granted() {
    run(async {
        let origin = listen(echo).await;
        let port = origin.port();
        let cell = cell(&[&format!("http://a.test:{port} address=127.0.0.1")]);
        let name = [&[5, 1, 0, 5, 1, 0, 3, 6][..], b"a.test", &port.to_be_bytes()].concat();
        let mut client = cell.connect(SOCKS_PROXY).await;
        client.write_all(&name).await.unwrap();
        let mut replies = [0; 12];
        client.read_exact(&mut replies).await.unwrap();
        assert_eq!(replies[..4], [5, 0, 5, 0]);
        let host = format!("a.test:{port}");
        assert!(say(&mut client, &get("/x", &host)).await.contains("GET /x HTTP/1.1"));

        let address = [&[5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1][..], &port.to_be_bytes()].concat();
        let mut client = cell.connect(SOCKS_PROXY).await;
        client.write_all(&address).await.unwrap();
        client.read_exact(&mut replies).await.unwrap();
        let host = format!("127.0.0.1:{port}");
        assert!(say(&mut client, &get("/x", &host)).await.contains("host-not-granted"));

        let mut old = cell.connect(SOCKS_PROXY).await;
        old.write_all(b"\x04\x01\x00\x50\x00\x00\x00\x01\x00a.test\x00").await.unwrap();
        assert_eq!(hear(&mut old).await, "");
        let mut bind = cell.connect(SOCKS_PROXY).await;
        bind.write_all(&[5, 1, 0, 5, 2, 0, 1, 127, 0, 0, 1, 0, 80]).await.unwrap();
        let heard = hear(&mut bind).await;
        assert_eq!(heard.as_bytes()[..4], [5, 0, 5, 7]);
    });
}

#[test]
fn the_hosts_proxy_is_asked_for_the_address_that_was_checked() {
    run(async {
        let origin = listen(echo).await;
        let (asked, mut seen) = tokio::sync::mpsc::unbounded_channel();
        let proxy = listen(move |mut client| {
            let asked = asked.clone();
            async move {
                asked.send(head(&mut client).await).unwrap();
                let mut onward = tokio::net::TcpStream::connect(origin).await.unwrap();
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                let _ended = tokio::io::copy_bidirectional(&mut client, &mut onward).await;
            }
        })
        .await;
        let wishes = Wishes {
            grants: vec!["http://a.test:80".to_owned()],
            hosts: "93.184.216.34 a.test\n".to_owned(),
            proxy: Some(UpstreamProxy { url: format!("http://me:word@{proxy}"), except: String::new() }),
            ..Wishes::default()
        };
        let cell = start(wishes);
        let answer = say(&mut cell.connect("a.test:80").await, &get("/x", "a.test")).await;
        assert!(answer.contains("GET /x HTTP/1.1\r\nhost: a.test\r\n"), "{answer}");
        let asked = seen.recv().await.unwrap();
        assert!(asked.starts_with("CONNECT 93.184.216.34:80 HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains("Proxy-Authorization: Basic bWU6d29yZA==\r\n"), "{asked}");
    });
}
