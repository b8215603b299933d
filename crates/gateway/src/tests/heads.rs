//! Heads that do not come to their end, from many connections at once: bounded in memory, and in nobody's way.

use super::harness::{cell, hear, run, say};
use super::origin::{echo, listen};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{sleep, timeout};

const CONNECTIONS: usize = 700;
/// Just short of what is refused by its length.
const FIELD_BYTES: usize = 63_000;
/// Of all heads that a gateway reads at once; without a bound each of these takes twice its length and more.
const GROWTH_BYTES_MAX: usize = 64 << 20;

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    status.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn long_heads_without_an_end_take_bounded_memory_and_honest_ones_are_served_meanwhile() {
    run(async {
        let origin = listen(echo).await;
        let cell = cell(&[&format!("http://a.test:{} address=127.0.0.1", origin.port())]);
        let host = format!("a.test:{}", origin.port());
        let asked = |length: usize| {
            let field = "b".repeat(length);
            format!("GET /x HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nA: {field}\r\n\r\n")
        };
        let served = |answer: String| assert!(answer.starts_with("HTTP/1.1 200"), "{answer:.200}");
        served(say(&mut cell.connect(&host).await, &asked(40_000)).await);
        let unfinished = format!("GET /x HTTP/1.1\r\nHost: {host}\r\nA: {}", "a".repeat(FIELD_BYTES));
        let before = resident();
        let mut held = Vec::new();
        for count in 0..CONNECTIONS {
            let mut client = cell.connect(&host).await;
            let written = timeout(Duration::from_secs(1), client.write_all(unfinished.as_bytes())).await;
            assert!(written.is_ok(), "{count} is not listened to");
            held.push(client);
            if count % 100 == 99 {
                served(say(&mut cell.connect(&host).await, &asked(10)).await);
                served(say(&mut cell.connect(&host).await, &asked(40_000)).await);
            }
        }
        sleep(Duration::from_millis(100)).await;
        let growth = resident().saturating_sub(before);
        assert!(growth <= GROWTH_BYTES_MAX, "{growth} bytes");
        // The oldest had to go, and were told; the newest may still end.
        let answer = hear(&mut held[0]).await;
        assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("too-many-open"), "{answer}");
        let mut newest = held.pop().unwrap();
        served(say(&mut newest, "\r\nConnection: close\r\n\r\n").await);
    });
}
