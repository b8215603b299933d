//! Origins that mean harm, or are broken: cut, told of, and of no harm to anybody else.

use super::harness::{Cell, cell, get, run, say};
use super::origin::{echo, head, listen};
use cofferdam_policy::net::refusal::RefusalReason;
use std::net::SocketAddr;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

async fn speaking(answer: &'static [u8]) -> SocketAddr {
    listen(move |mut socket: TcpStream| async move {
        head(&mut socket).await;
        // The gateway may have had enough.
        let _cut = socket.write_all(answer).await;
    })
    .await
}

async fn answer(cell: &Cell, origin: SocketAddr) -> String {
    let host = format!("a.test:{}", origin.port());
    say(&mut cell.connect(&host).await, &get("/x", &host)).await
}

fn granting(origin: SocketAddr) -> Cell {
    cell(&[&format!("http://a.test:{} address=127.0.0.1", origin.port())])
}

#[test]
fn what_is_no_answer_is_a_bad_gateway() {
    run(async {
        for malformed in [
            &b"SSH-2.0-x\r\n\r\n"[..],
            b"",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n",
            b"HTTP/1.1 99999 OK\r\n\r\n",
        ] {
            let origin = speaking(malformed).await;
            let cell = granting(origin);
            let said = answer(&cell, origin).await;
            assert!(said.starts_with("HTTP/1.1 502") && said.contains("upstream-malformed"), "{said}");
            cell.refused(RefusalReason::UpstreamMalformed).await;
        }
    });
}

#[test]
fn a_head_without_end_is_cut() {
    run(async {
        let origin = listen(|mut socket: TcpStream| async move {
            head(&mut socket).await;
            let _cut = socket.write_all(b"HTTP/1.1 200 OK\r\n").await;
            while socket
                .write_all(&b"X-More: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n".repeat(64))
                .await
                .is_ok()
            {}
        })
        .await;
        let cell = granting(origin);
        let said = answer(&cell, origin).await;
        assert!(said.starts_with("HTTP/1.1 502"), "{said}");
    });
}

#[test]
fn a_body_of_the_wrong_length_is_cut_and_told_of() {
    run(async {
        for short in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"[..],
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n",
        ] {
            let origin = speaking(short).await;
            let cell = granting(origin);
            let said = answer(&cell, origin).await;
            assert!(said.starts_with("HTTP/1.1 200") && !said.ends_with("0\r\n\r\n"), "{said}");
            cell.refused(RefusalReason::UpstreamMalformed).await;
        }
        // More than was said is another's answer, and nobody's.
        let origin =
            speaking(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n\r\nforged").await;
        let cell = granting(origin);
        let said = answer(&cell, origin).await;
        assert!(said.ends_with("\r\n\r\nhello"), "{said}");
    });
}

#[test]
fn a_budget_cuts_a_body_that_does_not_end() {
    run(async {
        let origin = listen(|mut socket: TcpStream| async move {
            head(&mut socket).await;
            let _cut = socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            while socket.write_all(&[b'x'; 4096]).await.is_ok() {}
        })
        .await;
        let cell = cell(&[&format!("http://a.test:{} address=127.0.0.1 down=1MB", origin.port())]);
        let said = answer(&cell, origin).await;
        assert!(said.len() <= 1_100_000, "{}", said.len());
        cell.refused(RefusalReason::BudgetExhaustedDown).await;
    });
}

#[test]
fn nobody_there_is_said_at_once_and_others_are_served() {
    run(async {
        let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let origin = listen(echo).await;
        let cell = cell(&[
            &format!("http://a.test:{} address=127.0.0.1", gone.port()),
            &format!("http://a.test:{} address=127.0.0.1", origin.port()),
        ]);
        assert!(answer(&cell, gone).await.contains("upstream-unreachable"));
        assert!(answer(&cell, origin).await.starts_with("HTTP/1.1 200"));
    });
}
