//! Clients that resolve a name in the cell themselves, and then say its address to a proxy.

use super::harness::{Cell, Wishes, cell, get, is_reset, run, say, start};
use super::origin::{echo, head, listen, listen_tls, tls};
use cofferdam_policy::net::refusal::RefusalReason;
use std::net::IpAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const HTTP_PROXY: &str = "198.18.0.1:3128";
const SOCKS_PROXY: &str = "198.18.0.1:1080";
/// What names get in a cell, and what is beside that.
const ADDRESSES: [&str; 6] =
    ["198.18.0.20", "198.19.255.255", "198.18.0.1", "198.18.0.2", "fd00:c0ff:e::14", "fd00:c0ff:e::2"];

async fn by_connect(cell: &Cell, address: &str, port: u16) -> TcpStream {
    let address: IpAddr = address.parse().unwrap();
    let host = std::net::SocketAddr::new(address, port);
    let mut client = cell.connect(HTTP_PROXY).await;
    client.write_all(format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await.unwrap();
    assert!(head(&mut client).await.starts_with("HTTP/1.1 200"), "{host}");
    client
}

async fn by_socks(cell: &Cell, address: &str, port: u16) -> TcpStream {
    let bytes = match address.parse().unwrap() {
        IpAddr::V4(address) => [&[1][..], &address.octets()].concat(),
        IpAddr::V6(address) => [&[4][..], &address.octets()].concat(),
    };
    let mut client = cell.connect(SOCKS_PROXY).await;
    client.write_all(&[&[5, 1, 0, 5, 1, 0][..], &bytes, &port.to_be_bytes()].concat()).await.unwrap();
    let mut replies = [0; 12];
    client.read_exact(&mut replies).await.unwrap();
    assert_eq!(replies[..4], [5, 0, 5, 0]);
    client
}

#[test]
fn an_address_of_the_cells_leads_to_the_name_that_is_claimed_and_granted() {
    run(async {
        let origin = listen_tls(tls("a.test", &["http/1.1"]), echo).await;
        let port = origin.port();
        let cell = cell(&[
            &format!("a.test:{port}/ok address=127.0.0.1"),
            &format!("c.test:{port} address=127.0.0.1"),
        ]);
        let host = format!("a.test:{port}");
        for address in ADDRESSES {
            for (path, name, authority, expected) in [
                ("/ok", "a.test", host.as_str(), "HTTP/1.1 200"),
                ("/no", "a.test", &host, "path-not-granted"),
                ("/ok", "b.test", &format!("b.test:{port}"), "host-not-granted"),
                ("/ok", "a.test", &format!("c.test:{port}"), "authority-mismatch"),
                ("/ok", "a.test", &format!("{address}:{port}"), "HTTP/1.1 4"),
                // It is granted, but what answers there is a.test.
                ("/ok", "c.test", &format!("c.test:{port}"), "upstream-tls"),
            ] {
                for way in [by_connect(&cell, address, port).await, by_socks(&cell, address, port).await] {
                    let mut stream = cell.tls(way, name, &["http/1.1"]).await.unwrap();
                    let answer = say(&mut stream, &get(path, authority)).await;
                    assert!(answer.contains(expected), "{address} as {name} {authority}{path}: {answer}");
                }
            }
        }
    });
}

#[test]
fn in_clear_text_each_request_claims_its_host_and_is_judged_by_it() {
    run(async {
        let origin = listen(echo).await;
        let port = origin.port();
        let cell = cell(&[&format!("http://a.test:{port}/ok address=127.0.0.1")]);
        let host = format!("a.test:{port}");
        let lawful = format!("GET /ok HTTP/1.1\r\nHost: {host}\r\n\r\n");
        for (second, expected) in [
            (get("/ok", &host), "HTTP/1.1 200 OK"),
            (get("/no", &host), "path-not-granted"),
            (get("/ok", &format!("b.test:{port}")), "host-not-granted"),
            (get("/ok", "a.test:1"), "authority-mismatch"),
            (get("/ok", &format!("127.0.0.1:{port}")), "authority-mismatch"),
            (get("/ok", &format!("198.18.0.20:{port}")), "name-unknown"),
            (get(&format!("http://b.test:{port}/ok"), &host), "authority-mismatch"),
            (get("/ok", "a..test"), "host-malformed"),
            (format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n"), "method-not-granted"),
        ] {
            for mut way in
                [by_connect(&cell, "198.18.0.20", port).await, by_socks(&cell, "fd00:c0ff:e::14", port).await]
            {
                let answer = say(&mut way, &format!("{lawful}{second}")).await;
                let (first, rest) = answer.split_at(answer.rfind("HTTP/1.1 ").unwrap());
                assert!(first.starts_with("HTTP/1.1 200"), "{second}: {answer}");
                assert!(rest.contains(expected) || expected.ends_with("OK"), "{second}: {answer}");
            }
        }
    });
}

#[test]
fn an_address_of_the_cells_is_nothing_to_connect_to_whatever_is_granted() {
    run(async {
        // Whoever listened there would be reached, if anybody were dialled.
        let grants =
            ["http://198.18.0.20:80", "198.18.0.21:25 protocols=tcp", "198.18.0.22:443", "203.0.113.9:70"];
        let wishes = Wishes { grants: grants.map(str::to_owned).to_vec(), ..Wishes::default() };
        let cell = start(wishes);
        let request = get("/", "198.18.0.20");
        for mut way in [
            cell.connect("198.18.0.20:80").await,
            by_connect(&cell, "198.18.0.20", 80).await,
            by_socks(&cell, "198.18.0.20", 80).await,
        ] {
            assert!(say(&mut way, &request).await.contains("name-unknown"));
        }
        let absolute = get("http://198.18.0.20/", "198.18.0.20");
        let answer = say(&mut cell.connect(HTTP_PROXY).await, &absolute).await;
        assert!(
            answer.contains("name-unknown") && answer.contains("\"grant_that_would_allow\":null"),
            "{answer}"
        );
        for mut way in [by_connect(&cell, "198.18.0.21", 25).await, by_socks(&cell, "198.18.0.21", 25).await]
        {
            assert!(is_reset(&mut way).await);
        }
        let mut other = by_connect(&cell, "198.18.0.23", 70).await;
        other.write_all(b"\0\0\0\0").await.unwrap();
        assert!(is_reset(&mut other).await);
        cell.refused(RefusalReason::NameUnknown).await;
        // An address is not named in a hello.
        let silent = by_connect(&cell, "198.18.0.22", 443).await;
        let mut stream = cell.tls(silent, "198.18.0.22", &["http/1.1"]).await.unwrap();
        assert!(say(&mut stream, &get("/", "198.18.0.22")).await.contains("name-unknown"));
    });
}

#[test]
fn bytes_are_passed_on_unread_only_to_the_name_that_they_claim() {
    run(async {
        let origin = listen_tls(tls("a.test", &["http/1.1"]), echo).await;
        let port = origin.port();
        let cell = cell(&[&format!("a.test:{port} protocols=tls-passthrough address=127.0.0.1")]);
        let way = by_connect(&cell, "198.18.0.20", port).await;
        let refused = cell.tls(way, "a.test", &["http/1.1"]).await;
        assert!(refused.is_err(), "it is the origin's certificate, which a cell does not believe");
        assert_eq!(cell.request().await.method, "tls-passthrough");
        let way = by_connect(&cell, "198.18.0.20", port).await;
        let mut other = cell.tls(way, "b.test", &["http/1.1"]).await.unwrap();
        let answer = say(&mut other, &get("/", &format!("b.test:{port}"))).await;
        assert!(answer.contains("host-not-granted"), "{answer}");
    });
}
