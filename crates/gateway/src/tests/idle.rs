//! Connections on which nothing is asked: what they cost, and that they are as good as ever when something is.

use super::harness::{cell, get, hear, run, say};
use super::origin::{echo, head, listen, listen_tls, tls};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

const CONNECTIONS: usize = 300;
/// A task, a socket, what is known of the connection: without hyper's two buffers of 8 KiB.
const BYTES_EACH_MAX: usize = 6 << 10;
/// Long enough for everything that is under way in this process to have come to rest.
const PAUSE: Duration = Duration::from_millis(50);

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    status.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// One answer, without the end of its connection.
async fn answered(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &str) -> String {
    for piece in request.split_inclusive('|') {
        stream.write_all(piece.trim_end_matches('|').as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        sleep(if piece.ends_with('|') { PAUSE } else { Duration::ZERO }).await;
    }
    let head = head(stream).await;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    head + &String::from_utf8(body).unwrap()
}

#[test]
fn a_connection_that_has_asked_and_asks_nothing_more_keeps_no_buffers() {
    run(async {
        let origin = listen(echo).await;
        let cell = cell(&[&format!("http://a.test:{} address=127.0.0.1", origin.port())]);
        let host = format!("a.test:{}", origin.port());
        let request = format!("GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let mut held = Vec::new();
        let mut before = 0;
        // Of the first ones comes what there is once.
        for count in 0..CONNECTIONS + 20 {
            if count == 20 {
                before = resident();
            }
            let mut client = cell.connect(&host).await;
            assert!(answered(&mut client, &request).await.starts_with("HTTP/1.1 200"));
            held.push(client);
        }
        sleep(PAUSE).await;
        cofferdam_syscall::memory::give_back();
        let each = resident().saturating_sub(before) / CONNECTIONS;
        assert!(each <= BYTES_EACH_MAX, "{each} bytes for each");
        for client in held.iter_mut().step_by(50) {
            assert!(answered(client, &request).await.starts_with("HTTP/1.1 200"));
        }
    });
}

#[test]
fn requests_with_pauses_between_and_within_them_are_answered_on_one_connection() {
    async fn converse(client: &mut (impl AsyncRead + AsyncWrite + Unpin), host: &str) {
        for request in [
            format!("GET /1 HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            format!("|GET /2 HTTP/1.1\r\nHo|st: {host}\r\n|\r\n"),
            format!("|G|ET /3 HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        ] {
            let answer = answered(client, &request).await;
            assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("GET /"), "{request}: {answer}");
        }
        let refused = format!("|DELETE /4 HTTP/1.1\r\nHost: {host}\r\nContent-Length: 4\r\n\r\n|ab|cd");
        let answer = answered(client, &refused).await;
        assert!(answer.contains("method-not-granted"), "{answer}");
        let two = format!("|GET /5 HTTP/1.1\r\nHost: {host}\r\n\r\n{}", get("/6", host));
        let answer = say(client, &two.replace('|', "")).await;
        assert!(answer.contains("GET /5") && answer.contains("GET /6"), "{answer}");
    }
    run(async {
        let plain = listen(echo).await;
        let secure = listen_tls(tls("b.test", &["http/1.1"]), echo).await;
        let cell = cell(&[
            &format!("http://a.test:{} address=127.0.0.1", plain.port()),
            &format!("b.test:{} address=127.0.0.1", secure.port()),
        ]);
        let host = format!("a.test:{}", plain.port());
        converse(&mut cell.connect(&host).await, &host).await;
        let host = format!("b.test:{}", secure.port());
        converse(&mut cell.connect_tls(&host, "b.test", &["http/1.1"]).await, &host).await;
    });
}

#[test]
fn a_request_is_judged_as_strictly_after_a_pause() {
    run(async {
        let origin = listen(echo).await;
        let cell = cell(&[&format!("GET,POST http://a.test:{}/ok address=127.0.0.1", origin.port())]);
        let host = format!("a.test:{}", origin.port());
        let lawful = format!("GET /ok HTTP/1.1\r\nHost: {host}\r\n\r\n");
        for (second, expected) in [
            (get("/no", &host), "path-not-granted"),
            (
                format!(
                    "POST /ok HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
                ),
                "message-malformed",
            ),
            ("SSH-2.0-x\r\n".to_owned(), "HTTP/1.1 400"),
        ] {
            let mut client = cell.connect(&host).await;
            assert!(answered(&mut client, &lawful).await.starts_with("HTTP/1.1 200"));
            sleep(PAUSE).await;
            let answer = say(&mut client, &second).await;
            assert!(answer.contains(expected), "{second}: {answer}");
        }
    });
}

#[test]
fn an_idle_connection_ends_with_its_client_and_a_slow_answer_is_waited_for() {
    run(async {
        let origin = listen(|mut socket: TcpStream| async move {
            head(&mut socket).await;
            sleep(PAUSE * 3).await;
            socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nslow").await.unwrap();
            sleep(PAUSE * 3).await;
            socket.write_all(b"ness").await.unwrap();
        })
        .await;
        let cell = cell(&[&format!("http://a.test:{} address=127.0.0.1", origin.port())]);
        let host = format!("a.test:{}", origin.port());
        let mut client = cell.connect(&host).await;
        let request = format!("GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert!(answered(&mut client, &request).await.ends_with("slowness"));
        sleep(PAUSE).await;
        client.shutdown().await.unwrap();
        assert_eq!(hear(&mut client).await, "");
    });
}
