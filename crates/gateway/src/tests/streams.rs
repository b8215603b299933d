//! Bodies that stream: both ways, at once, without end, in constant memory.

use super::harness::{cell, hear, run, say};
use super::origin::{head, listen};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Large against all buffers, small against a test's patience.
const UPLOAD_BYTES: usize = 256 << 20;
const GROWTH_BYTES_MAX: usize = 24 << 20;

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    status.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn events_arrive_one_by_one_as_they_are_sent() {
    run(async {
        let (go, went) = tokio::sync::oneshot::channel::<()>();
        let went = std::sync::Arc::new(std::sync::Mutex::new(Some(went)));
        let origin = listen(move |mut socket: TcpStream| {
            let went = went.lock().unwrap().take().unwrap();
            async move {
                head(&mut socket).await;
                let begun = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n";
                socket.write_all(begun).await.unwrap();
                went.await.unwrap();
                socket.write_all(b"data: 2\n\n").await.unwrap();
            }
        })
        .await;
        let cell = cell(&[&format!("http://a.test:{} address=127.0.0.1", origin.port())]);
        let host = format!("a.test:{}", origin.port());
        let mut client = cell.connect(&host).await;
        client.write_all(super::harness::get("/events", &host).as_bytes()).await.unwrap();
        let mut heard = String::new();
        while !heard.contains("data: 1\n\n") {
            heard.push(char::from(client.read_u8().await.unwrap()));
        }
        // The second is not sent before the first has arrived: nothing waited for it.
        go.send(()).unwrap();
        assert!(hear(&mut client).await.contains("data: 2\n\n"));
    });
}

#[test]
fn an_upload_of_any_size_takes_constant_memory() {
    run(async {
        let origin = listen(|mut socket: TcpStream| async move {
            head(&mut socket).await;
            let (mut left, mut buffer) = (UPLOAD_BYTES, vec![0; 1 << 16]);
            while left > 0 {
                left -= socket.read(&mut buffer).await.unwrap();
            }
            socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone").await.unwrap();
        })
        .await;
        let cell = cell(&[&format!("POST http://a.test:{} address=127.0.0.1", origin.port())]);
        let host = format!("a.test:{}", origin.port());
        let mut client = cell.connect(&host).await;
        let head = format!(
            "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {UPLOAD_BYTES}\r\nConnection: close\r\n\r\n"
        );
        client.write_all(head.as_bytes()).await.unwrap();
        let (piece, before) = (vec![b'x'; 1 << 16], resident());
        for _ in 0..UPLOAD_BYTES / piece.len() {
            client.write_all(&piece).await.unwrap();
        }
        assert!(hear(&mut client).await.ends_with("done"));
        assert!(resident().saturating_sub(before) < GROWTH_BYTES_MAX, "{} to {}", before, resident());
        let (up, head_bytes_max) = (cell.request().await.up, 200);
        assert!((UPLOAD_BYTES as u64..UPLOAD_BYTES as u64 + head_bytes_max).contains(&up), "{up}");
    });
}

#[test]
fn what_an_agent_says_in_a_head_is_counted_against_its_budget() {
    run(async {
        let origin = listen(super::origin::echo).await;
        let cell = cell(&[&format!("http://a.test:{} address=127.0.0.1 up=2kB", origin.port())]);
        let host = format!("a.test:{}", origin.port());
        let asked = |note: &str| {
            format!("GET /x HTTP/1.1\r\nHost: {host}\r\nX-Note: {note}\r\nConnection: close\r\n\r\n")
        };
        let answer = say(&mut cell.connect(&host).await, &asked("short")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let long = "x".repeat(3000);
        for request in [asked(&long), asked("short")] {
            let answer = say(&mut cell.connect(&host).await, &request).await;
            assert!(answer.contains("budget-exhausted"), "{answer}");
        }
    });
}

#[test]
fn an_answer_that_can_have_no_body_says_no_length() {
    run(async {
        let origin = listen(|mut socket: TcpStream| async move {
            head(&mut socket).await;
            let answer = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\nETag: \"1\"\r\n\r\n";
            socket.write_all(answer).await.unwrap();
        })
        .await;
        let cell = cell(&[&format!("http://a.test:{} address=127.0.0.1", origin.port())]);
        let host = format!("a.test:{}", origin.port());
        let answer = say(&mut cell.connect(&host).await, &super::harness::get("/x", &host)).await;
        assert!(answer.starts_with("HTTP/1.1 304") && answer.contains("etag"), "{answer}");
        assert!(!answer.to_ascii_lowercase().contains("content-length"), "{answer}");
    });
}

#[test]
fn a_body_is_asked_for_only_when_its_request_may_go() {
    run(async {
        let origin = listen(|mut socket: TcpStream| async move {
            let asked = head(&mut socket).await;
            assert!(!asked.to_ascii_lowercase().contains("expect"), "{asked}");
            let mut body = [0; 3];
            socket.read_exact(&mut body).await.unwrap();
            socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n").await.unwrap();
            socket.write_all(&body).await.unwrap();
        })
        .await;
        let cell = cell(&[&format!("POST http://a.test:{}/ok address=127.0.0.1", origin.port())]);
        let host = format!("a.test:{}", origin.port());
        let request = |path: &str| {
            format!(
                "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\
                 Connection: close\r\n\r\n"
            )
        };
        let mut client = cell.connect(&host).await;
        client.write_all(request("/ok").as_bytes()).await.unwrap();
        assert!(head(&mut client).await.starts_with("HTTP/1.1 100"));
        assert!(say(&mut client, "abc").await.ends_with("abc"));
        let mut client = cell.connect(&host).await;
        let answer = say(&mut client, &request("/no")).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    });
}

#[test]
fn trailers_of_a_request_take_nothing_back_that_was_judged_or_removed() {
    run(async {
        let origin = listen(|mut socket: TcpStream| async move {
            head(&mut socket).await;
            let mut body = Vec::new();
            // Either the end at once, or trailers and their end.
            while !body.ends_with(b"\r\n\r\n") {
                body.push(socket.read_u8().await.unwrap());
            }
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            socket.write_all(&[answer.as_bytes(), &body].concat()).await.unwrap();
        })
        .await;
        let port = origin.port();
        let cell = cell(&[
            &format!("* http://open.test:{port} address=127.0.0.1"),
            &format!("POST http://narrow.test:{port}/x address=127.0.0.1"),
        ]);
        for (name, kept) in [("open.test", true), ("narrow.test", false)] {
            let host = format!("{name}:{port}");
            let fields =
                ["X-Sum", "X-HTTP-Method-Override", "X-Original-URL", "api-key", "x_api.key", "X-Host"];
            let trailers: String = fields.iter().map(|field| format!("{field}: 7\r\n")).collect();
            let request = format!(
                "POST /x HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\nTrailer: {}\r\n\
                 Connection: close\r\n\r\n3\r\nabc\r\n0\r\n{trailers}\r\n",
                fields.join(", ")
            );
            let answer = say(&mut cell.connect(&host).await, &request).await.to_ascii_lowercase();
            assert!(answer.starts_with("http/1.1 200") && answer.contains("abc"), "{answer}");
            assert_eq!(answer.contains("x-sum: 7"), kept, "{name}: {answer}");
            assert_eq!(answer.matches(": 7").count(), usize::from(kept), "{name}: {answer}");
        }
    });
}

#[test]
fn chunks_and_trailers_pass() {
    run(async {
        let origin = listen(|mut socket: TcpStream| async move {
            head(&mut socket).await;
            let mut body = Vec::new();
            while !body.ends_with(b"0\r\n\r\n") {
                body.push(socket.read_u8().await.unwrap());
            }
            let answer = "HTTP/1.1 200 OK\r\nTrailer: x-sum\r\nTransfer-Encoding: chunked\r\n\r\n\
                          2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n";
            socket.write_all(answer.as_bytes()).await.unwrap();
        })
        .await;
        let cell = cell(&[&format!("POST http://a.test:{} address=127.0.0.1", origin.port())]);
        let host = format!("a.test:{}", origin.port());
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\nConnection: close\r\n\r\n\
             3\r\nabc\r\n0\r\n\r\n"
        );
        let answer = say(&mut cell.connect(&host).await, &request).await;
        assert!(answer.contains("ok") && answer.to_ascii_lowercase().contains("x-sum: 7"), "{answer}");
    });
}
