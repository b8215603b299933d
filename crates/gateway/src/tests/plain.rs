//! The simple way: what is granted goes through, what is not is told why.

use super::harness::{cell, get, is_reset, run, say};
use super::origin::{echo, listen, listen_tls, tls};
use cofferdam_policy::net::grant::{Grant, GrantOrigin};
use cofferdam_policy::net::refusal::RefusalReason;
use tokio::io::AsyncWriteExt as _;

#[test]
fn what_is_granted_reaches_its_origin_and_is_told_of() {
    run(async {
        let origin = listen(echo).await;
        let cell = cell(&[&format!("http://a.test:{}/ok/** address=127.0.0.1", origin.port())]);
        let host = format!("a.test:{}", origin.port());
        let answer = say(&mut cell.connect(&host).await, &get("/ok/1?q", &host)).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("GET /ok/1?q HTTP/1.1\r\nhost: a.test:"), "{answer}");
        let note = cell.request().await;
        assert_eq!((note.method.as_str(), note.path.as_str(), note.status), ("GET", "/ok/1", Some(200)));
        assert!(note.down > 0);
    });
}

#[test]
fn what_is_granted_by_tls_reaches_its_origin_by_tls() {
    run(async {
        let origin = listen_tls(tls("a.test", &["http/1.1"]), echo).await;
        let cell = cell(&[&format!("a.test:{}/ok/** address=127.0.0.1", origin.port())]);
        let host = format!("a.test:{}", origin.port());
        let mut stream = cell.connect_tls(&host, "a.test", &["http/1.1"]).await;
        let answer = say(&mut stream, &get("/ok/1", &host)).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("GET /ok/1 HTTP/1.1\r\n"), "{answer}");
    });
}

#[test]
fn what_is_not_granted_is_told_so_in_its_own_protocol() {
    run(async {
        let cell = cell(&[]);
        let answer = say(&mut cell.connect("a.test:80").await, &get("/x?secret", "a.test")).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{head}");
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["reason"], "host-not-granted");
        assert_eq!(
            (&body["host"], &body["method"], &body["path"]),
            (&"a.test".into(), &"GET".into(), &"/x".into())
        );
        assert_eq!(body["grant_that_would_allow"], "GET http://a.test:80/x");
        let note = cell.refused(RefusalReason::HostNotGranted).await;
        assert_eq!(note.allow.as_deref(), Some("GET http://a.test:80/x"));

        let mut stream = cell.connect_tls("b.test:443", "b.test", &["http/1.1"]).await;
        let answer = say(&mut stream, &get("/x", "b.test")).await;
        assert!(answer.contains("\"grant_that_would_allow\":\"GET b.test:443/x query=deny\""), "{answer}");
    });
}

#[test]
fn what_is_no_http_is_reset_and_told_of() {
    run(async {
        let cell = cell(&[]);
        let mut ssh = cell.connect("a.test:22").await;
        ssh.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await.unwrap();
        assert!(is_reset(&mut ssh).await);
        let offered = cell.refused(RefusalReason::HostNotGranted).await.allow.unwrap();
        assert_eq!(offered, "a.test:22 protocols=tcp");
        assert!(Grant::from_line(&offered, GrantOrigin::Flag).is_ok());
        for (place, within_ms) in [("b.test:25", 100), ("b.test:4444", 1_500)] {
            let mut silent = cell.connect(place).await;
            let began = std::time::Instant::now();
            assert!(is_reset(&mut silent).await, "who waits to be greeted waits for a moment only");
            assert!(began.elapsed() < std::time::Duration::from_millis(within_ms), "{:?}", began.elapsed());
            let offered = cell.refused(RefusalReason::HostNotGranted).await.allow;
            assert_eq!(offered, Some(format!("{place} protocols=tcp")));
        }
    });
}
