//! Ways past a verdict: names and addresses written otherwise, later requests, smuggled ones, sockets that are none.

use super::harness::{Wishes, cell, get, hear, is_reset, run, say, start};
use super::origin::{echo, listen, listen_tls, tls};
use cofferdam_policy::net::arrival::Arrival;
use cofferdam_policy::net::refusal::RefusalReason;
use rustix::fd::OwnedFd;
use tokio::io::AsyncWriteExt as _;

#[test]
fn the_attack_of_a_length_that_only_some_servers_see_is_refused() {
    run(async {
        let origin = listen(echo).await;
        let host = format!("a.test:{}", origin.port());
        let cell = cell(&[&format!("http://{host}/** address=127.0.0.1")]);
        for (field, status) in [
            ("Content_Length: 5", 400),
            ("Transfer_Encoding: chunked", 400),
            ("Transfer.Encoding: chunked", 400),
            ("Content_Kind: 5", 200),
        ] {
            let request = format!("GET /x HTTP/1.1\r\nHost: {host}\r\n{field}\r\nConnection: close\r\n\r\n");
            let answer = say(&mut cell.connect(&host).await, &request).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{field}: {answer}");
        }
    });
}

#[test]
fn a_later_request_on_a_connection_is_judged_anew() {
    run(async {
        let origin = listen(echo).await;
        let port = origin.port();
        let cell = cell(&[&format!("http://a.test:{port}/ok/** address=127.0.0.1")]);
        let host = format!("a.test:{port}");
        let lawful = format!("GET /ok/1 HTTP/1.1\r\nHost: {host}\r\n\r\n");
        for (request, reason) in [
            (get("/secret", &host), "path-not-granted"),
            (get("/ok/1", &format!("b.test:{port}")), "authority-mismatch"),
            (get("/ok/1", "a.test"), "authority-mismatch"),
            (get(&format!("http://b.test:{port}/ok/1"), &host), "authority-mismatch"),
            (get("/ok/../secret", &host), "path-not-canonical"),
            (get("/ok/%2e%2e/secret", &host), "path-not-canonical"),
            (get("/ok//1", &host), "path-not-canonical"),
            (get("/ok/1;a", &host), "path-not-canonical"),
            (get("/ok/..%2fsecret", &host), "path-not-canonical"),
            (get("/ok\\1", &host), "path-not-canonical"),
            (get("/ok/1", &format!("a.test:{port}@b.test")), "host-malformed"),
            (get("/ok/1", &format!("a%2etest:{port}")), "host-malformed"),
        ] {
            let mut client = cell.connect(&host).await;
            let answer = say(&mut client, &format!("{lawful}{request}")).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{request}: {answer}");
            assert!(answer.contains(&format!("\"reason\":\"{reason}\"")), "{request}: {answer}");
        }
    });
}

#[test]
fn headers_that_change_method_or_path_are_refused_where_they_would_matter() {
    run(async {
        let origin = listen(echo).await;
        let cell = cell(&[&format!("http://a.test:{}/ok/** address=127.0.0.1", origin.port())]);
        let host = format!("a.test:{}", origin.port());
        for name in ["X-HTTP-Method-Override", "X-Original-URL", "X-Rewrite-URL"] {
            let request =
                format!("GET /ok/1 HTTP/1.1\r\nHost: {host}\r\n{name}: /x\r\nConnection: close\r\n\r\n");
            let answer = say(&mut cell.connect(&host).await, &request).await;
            assert!(answer.contains("header-override"), "{name}: {answer}");
        }
        let request = format!("TRACE /ok/1 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert!(say(&mut cell.connect(&host).await, &request).await.contains("method-not-granted"));
    });
}

#[test]
fn smuggled_requests_end_their_connection_and_reach_nobody() {
    run(async {
        let origin = listen(echo).await;
        let cell = cell(&[&format!("POST,GET http://a.test:{}/** address=127.0.0.1", origin.port())]);
        let host = format!("a.test:{}", origin.port());
        let smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n";
        for fields in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Transfer-Encoding:\r\n chunked\r\n",
            "Content-Length: 5\nTransfer-Encoding: chunked\r\n",
            "Content-Length: 5\r\nContent-Length: 5\r\n",
        ] {
            let request = format!("POST / HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n{smuggled}");
            let answer = say(&mut cell.connect(&host).await, &request).await;
            assert!(
                answer.starts_with("HTTP/1.1 400") && answer.contains("message-malformed"),
                "{fields}: {answer}"
            );
        }
        cell.refused(RefusalReason::MessageMalformed).await;
        let lawful =
            format!("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab");
        assert!(say(&mut cell.connect(&host).await, &lawful).await.starts_with("HTTP/1.1 200"));
    });
}

#[test]
fn what_concerns_one_connection_does_not_reach_the_origin() {
    run(async {
        let origin = listen(echo).await;
        let cell = cell(&[&format!("http://a.test:{}/** address=127.0.0.1", origin.port())]);
        let host = format!("a.test:{}", origin.port());
        let request = format!(
            "GET /kept HTTP/1.1\r\nHost: {host}\r\nConnection: close, X-Dropped\r\nX-Dropped: 1\r\nUpgrade: h2c\r\n\
             HTTP2-Settings: AA\r\nProxy-Authorization: Basic x\r\nKeep-Alive: 5\r\nX-Kept: 1\r\n\r\n"
        );
        let answer = say(&mut cell.connect(&host).await, &request).await.to_ascii_lowercase();
        assert!(answer.starts_with("http/1.1 200") && answer.contains("x-kept: 1"), "{answer}");
        for name in ["x-dropped", "upgrade", "http2-settings", "proxy-authorization", "keep-alive"] {
            assert!(!answer.contains(&format!("{name}:")), "{name}: {answer}");
        }
    });
}

#[test]
fn an_address_inside_is_not_reached_through_a_name_or_written_otherwise() {
    run(async {
        let origin = listen(echo).await;
        let port = origin.port();
        let wishes = Wishes {
            grants: vec![format!("http://**.x.test:{port}"), format!("http://127.0.0.1:{port}")],
            hosts:
                "127.0.0.1 a.x.test\n93.184.216.34 b.x.test\n10.0.0.1 b.x.test\n::ffff:127.0.0.1 c.x.test\n\
                    64:ff9b::7f00:1 d.x.test\n169.254.169.254 e.x.test\n2002:7f00:1:: f.x.test\n"
                    .to_owned(),
            ..Wishes::default()
        };
        let cell = start(wishes);
        for name in ["a", "b", "c", "d", "e", "f"] {
            let host = format!("{name}.x.test:{port}");
            let answer = say(&mut cell.connect(&host).await, &get("/", &host)).await;
            assert!(answer.contains("\"reason\":\"address-not-global\""), "{host}: {answer}");
        }
        let host = format!("127.0.0.1:{port}");
        let answer = say(&mut cell.connect(&host).await, &get("/", &host)).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "the owner has named this one: {answer}");
        for other in
            [format!("[::1]:{port}"), format!("127.0.0.2:{port}"), format!("[::ffff:127.0.0.2]:{port}")]
        {
            let answer = say(&mut cell.connect(&other).await, &get("/", &other)).await;
            assert!(answer.contains("not-granted") || answer.contains("host-malformed"), "{other}: {answer}");
        }
    });
}

#[test]
fn the_server_name_must_be_the_destination() {
    run(async {
        let origin = listen_tls(tls("a.test", &["http/1.1"]), echo).await;
        let port = origin.port();
        let cell =
            cell(&[&format!("a.test:{port} address=127.0.0.1"), &format!("c.test:{port} address=127.0.0.1")]);
        let host = format!("a.test:{port}");
        let mut lawful = cell.connect_tls(&host, "a.test", &["http/1.1"]).await;
        assert!(say(&mut lawful, &get("/", &host)).await.starts_with("HTTP/1.1 200"));
        for (destination, name) in [(host.as_str(), "b.test"), (&format!("192.0.2.1:{port}"), "a.test")] {
            let mut other = cell.connect_tls(destination, name, &["http/1.1"]).await;
            let answer = say(&mut other, &get("/", &host)).await;
            assert!(answer.contains("sni-mismatch"), "{destination} as {name}: {answer}");
        }
        // c.test is granted, but what answers there is a.test.
        let other = format!("c.test:{port}");
        let mut impostor = cell.connect_tls(&other, "c.test", &["http/1.1"]).await;
        let answer = say(&mut impostor, &get("/", &other)).await;
        assert!(answer.contains("upstream-tls"), "{answer}");
    });
}

#[test]
fn tls_that_is_passed_through_goes_to_its_own_name_only() {
    run(async {
        let origin = listen_tls(tls("a.test", &["http/1.1"]), echo).await;
        let port = origin.port();
        let cell = cell(&[&format!("a.test:{port} protocols=tls-passthrough address=127.0.0.1")]);
        let host = format!("a.test:{port}");
        let socket = cell.connect(&host).await;
        let refused = cell.tls(socket, "a.test", &["http/1.1"]).await;
        assert!(refused.is_err(), "it is the origin's certificate, which a cell does not believe");
        let note = cell.request().await;
        assert_eq!(note.method, "tls-passthrough");
        let mut other = cell.connect_tls(&host, "b.test", &["http/1.1"]).await;
        assert!(say(&mut other, &get("/", &host)).await.contains("sni-mismatch"));
        let mut plain = cell.connect(&host).await;
        let answer = say(&mut plain, &get("/", &host)).await;
        assert!(answer.contains("protocol-not-granted"), "{answer}");
    });
}

#[test]
fn bytes_are_passed_only_where_bytes_are_granted() {
    run(async {
        let origin = listen(|mut socket| async move {
            socket.write_all(b"220 hello\r\n").await.unwrap();
            assert!(hear(&mut socket).await.contains("QUIT"));
        })
        .await;
        let cell = cell(&[&format!("a.test:{} protocols=tcp address=127.0.0.1 down=100B", origin.port())]);
        let host = format!("a.test:{}", origin.port());
        let mut client = cell.connect(&host).await;
        client.write_all(b"QUIT\r\n").await.unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(hear(&mut client).await, "220 hello\r\n");
        let mut elsewhere = cell.connect(&format!("b.test:{}", origin.port())).await;
        elsewhere.write_all(b"QUIT\r\n").await.unwrap();
        assert!(is_reset(&mut elsewhere).await);
    });
}

#[test]
fn a_descriptor_that_is_no_connection_is_dropped() {
    run(async {
        let origin = listen(echo).await;
        let cell = cell(&[&format!("http://a.test:{} address=127.0.0.1", origin.port())]);
        let message = Arrival { destination: "198.18.0.16:80".parse().unwrap(), name: None }.encode();
        let file = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        let listener = || OwnedFd::from(std::net::TcpListener::bind("127.0.0.1:0").unwrap());
        let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
        let datagram = OwnedFd::from(std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
        cell.arrive(&message, &[file()]);
        cell.arrive(&message, &[listener()]);
        cell.arrive(&message, &[near.into()]);
        cell.arrive(&message, &[datagram]);
        cell.arrive(&message, &[]);
        cell.arrive(&message, &[file(), file()]);
        cell.arrive(b"{}", &[file()]);
        cell.arrive(&[b'x'; 4096], &[file()]);
        drop(far);
        let host = format!("a.test:{}", origin.port());
        let answer = say(&mut cell.connect(&host).await, &get("/", &host)).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    });
}

#[test]
fn what_is_denied_stays_denied_whatever_is_granted() {
    run(async {
        let origin = listen(echo).await;
        let wishes = Wishes {
            grants: vec![format!("http://a.test:{} address=127.0.0.1", origin.port())],
            denied: vec!["a.test".to_owned()],
            ..Wishes::default()
        };
        let cell = start(wishes);
        let host = format!("a.test:{}", origin.port());
        let answer = say(&mut cell.connect(&host).await, &get("/", &host)).await;
        assert!(answer.contains("\"reason\":\"host-denied\""), "{answer}");
    });
}

#[test]
fn budgets_end() {
    run(async {
        let origin = listen(echo).await;
        let cell = cell(&[&format!("http://a.test:{} address=127.0.0.1 requests=2", origin.port())]);
        let host = format!("a.test:{}", origin.port());
        for expected in ["HTTP/1.1 200", "HTTP/1.1 200", "HTTP/1.1 403"] {
            let answer = say(&mut cell.connect(&host).await, &get("/", &host)).await;
            assert!(answer.starts_with(expected), "{answer}");
        }
        cell.refused(RefusalReason::BudgetExhaustedRequests).await;
    });
}
