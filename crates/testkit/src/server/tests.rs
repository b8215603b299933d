//! The servers, asked by a real client.

use std::process::Command;

use super::*;

fn curl(arguments: &[&str]) -> (bool, String) {
    let output =
        Command::new("curl").args(["--silent", "--show-error", "--max-time", "20"]).args(arguments).output();
    let output = output.unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn at(server: &Server, name: &str) -> String {
    format!("{name}:{}:127.0.0.1", server.address().port())
}

#[test]
fn what_is_asked_is_answered_and_recorded_over_every_version() {
    let pki = Pki::new();
    let server =
        Server::secure(&pki, &["api.models.test"], |seen| Answer::text(format!("for {}", seen.path)));
    let root = pki.root_file().to_str().unwrap();
    let (resolve, url) = (at(&server, "api.models.test"), server.url("api.models.test") + "/a/b?c=d");
    for version in ["--http1.1", "--http2"] {
        let asked = [version, "--cacert", root, "--resolve", &resolve, "-u", "me:word", "-d", "body", &url];
        assert_eq!(curl(&asked), (true, "for /a/b".to_owned()), "{version}");
    }
    let seen = server.seen();
    assert_eq!(seen.iter().map(|seen| seen.over_http2).collect::<Vec<_>>(), [false, true]);
    for seen in &seen {
        assert_eq!((seen.line(), seen.query.as_deref()), ("POST /a/b".to_owned(), Some("c=d")));
        assert_eq!(seen.sni.as_deref(), Some("api.models.test"));
        assert_eq!(seen.authority, format!("api.models.test:{}", server.address().port()));
        assert_eq!(seen.basic(), Some(("me".to_owned(), "word".to_owned())));
        assert_eq!((seen.body.as_slice(), seen.body_bytes), (&b"body"[..], 4));
    }
}

#[test]
fn without_tls_both_versions_are_spoken_too() {
    let server = Server::plain(|seen| Answer::status(if seen.over_http2 { 202 } else { 201 }));
    for (version, status) in [("--http1.1", "201"), ("--http2-prior-knowledge", "202")] {
        let (ok, text) = curl(&[version, "-w", "%{http_code}", &server.url("127.0.0.1")]);
        assert_eq!((ok, text.as_str()), (true, status));
    }
}

#[test]
fn a_leaf_of_another_name_or_another_time_or_another_authority_is_no_good() {
    let (pki, stranger) = (Pki::new(), Pki::new());
    let server = |leaf| Server::secure_at((Ipv4Addr::LOCALHOST, 0).into(), leaf, |_| Answer::status(204));
    let good = server(pki.leaf(&["api.models.test"], Validity::Current));
    let over = server(pki.leaf(&["api.models.test"], Validity::Over));
    let asks = |server: &Server, pki: &Pki, name: &str| {
        let root = pki.root_file().to_str().unwrap();
        curl(&["--cacert", root, "--resolve", &at(server, name), &server.url(name)]).0
    };
    assert!(asks(&good, &pki, "api.models.test"));
    assert!(!asks(&good, &pki, "other.models.test"));
    assert!(!asks(&good, &stranger, "api.models.test"));
    assert!(!asks(&over, &pki, "api.models.test"));
}

#[test]
fn pieces_are_sent_as_they_come_and_the_end_of_the_server_ends_them() {
    let server = Server::plain(|_| Answer::pieces(std::iter::repeat_with(|| vec![b'x'; 1 << 16]).take(64)));
    let (ok, text) = curl(&[&server.url("127.0.0.1")]);
    assert!(ok);
    assert_eq!(text.len(), 4 << 20);
    let address = server.address();
    drop(server);
    assert!(std::net::TcpStream::connect(address).is_err());
}
