//! Refusals that the owner may lift, one by one.

use super::harness::{Cell, Wishes, get, run, say, start};
use super::origin::{echo, listen};
use crate::wire::{Ask, Decision, Order, Word};
use cofferdam_policy::net::refusal::RefusalReason;
use tokio::io::AsyncWriteExt as _;

fn asking(seconds: u32, held_max: u32, port: u16) -> Cell {
    // Something has to name the address: nothing on this machine is reached without.
    let grants = vec![format!("http://a.test:{port}/known address=127.0.0.1")];
    start(Wishes { grants, ask: Some(Ask { seconds, held_max }), ..Wishes::default() })
}

async fn held(cell: &Cell) -> u64 {
    cell.word(|word| if let Word::Held { id, .. } = word { Some(*id) } else { None }).await
}

#[test]
fn a_held_request_waits_for_the_owner_and_is_refused_by_a_no() {
    run(async {
        let origin = listen(echo).await;
        let cell = asking(20, 4, origin.port());
        let host = format!("a.test:{}", origin.port());
        let mut client = cell.connect(&host).await;
        let owner = async {
            let id = held(&cell).await;
            cell.order(&Order::Decide { id, decision: Decision::Deny });
        };
        let request = get("/asked", &host);
        let (answer, ()) = tokio::join!(say(&mut client, &request), owner);
        assert!(answer.contains("\"reason\":\"held-denied\""), "{answer}");
        cell.word(|word| matches!(word, Word::Released { .. }).then_some(())).await;
    });
}

#[test]
fn a_yes_lets_it_through_once_or_for_the_session() {
    run(async {
        // An address is granted as such: it needs no name server, and no word about where it lies.
        let origin = listen(echo).await;
        let wishes = Wishes { ask: Some(Ask { seconds: 20, held_max: 4 }), ..Wishes::default() };
        let cell = start(wishes);
        let host = format!("127.0.0.1:{}", origin.port());
        let request = get("/asked", &host);
        for (decision, asked) in
            [(Decision::AllowOnce, true), (Decision::AllowForSession, true), (Decision::Deny, false)]
        {
            let mut client = cell.connect(&host).await;
            let owner = async {
                if asked {
                    let id = held(&cell).await;
                    cell.order(&Order::Decide { id, decision });
                }
            };
            let (answer, ()) = tokio::join!(say(&mut client, &request), owner);
            assert!(answer.starts_with("HTTP/1.1 200"), "{decision:?}: {answer}");
        }
    });
}

#[test]
fn the_attack_of_an_earlier_answer_gives_a_later_one_no_budget_of_its_own() {
    run(async {
        let origin = listen(echo).await;
        let host = format!("127.0.0.1:{}", origin.port());
        let grants = vec![format!("GET http://{host}/up/** up=1kB")];
        let cell = start(Wishes { grants, ask: Some(Ask { seconds: 20, held_max: 4 }), ..Wishes::default() });
        let answered = async |to: &str, request: String, decision: Decision| {
            let mut client = cell.connect(to).await;
            let owner = async {
                let id = held(&cell).await;
                cell.order(&Order::Decide { id, decision });
            };
            let (answer, ()) = tokio::join!(say(&mut client, &request), owner);
            answer
        };
        let put = |path: &str, length: usize| {
            let fields = format!("Host: {host}\r\nContent-Length: {length}\r\nConnection: close");
            format!("PUT {path} HTTP/1.1\r\n{fields}\r\n\r\n{}", "x".repeat(length))
        };
        // No budget is bound to that place.
        let nobody = "127.0.0.9:1";
        let answer = answered(nobody, get("/x", nobody), Decision::AllowOnce).await;
        assert!(answer.contains("upstream-unreachable"), "{answer}");
        let answer = answered(&host, put("/other", 5), Decision::AllowForSession).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let answer = say(&mut cell.connect(&host).await, &put("/other", 5_000)).await;
        assert!(answer.contains("budget-exhausted-up"), "{answer}");
        // Nor is another answer a way around it, nor does one that is spent leave something to its grant.
        for decision in [Decision::AllowOnce, Decision::AllowForSession] {
            let path = format!("/{decision:?}");
            let answer = answered(&host, put(&path, 5), decision).await;
            assert!(answer.contains("budget-exhausted-up"), "{answer}");
        }
        let answer = say(&mut cell.connect(&host).await, &get("/up/x", &host)).await;
        assert!(answer.contains("budget-exhausted-up"), "{answer}");
    });
}

#[test]
fn what_is_allowed_once_serves_nothing_else_over_its_connection() {
    run(async {
        let (seen, mut connections) = tokio::sync::mpsc::unbounded_channel();
        let origin = listen(move |socket| {
            seen.send(()).unwrap();
            echo(socket)
        })
        .await;
        let wishes = Wishes { ask: Some(Ask { seconds: 20, held_max: 4 }), ..Wishes::default() };
        let cell = start(wishes);
        let host = format!("127.0.0.1:{}", origin.port());
        let mut opened = Vec::new();
        for (path, decision) in [
            ("/1", Some(Decision::AllowOnce)),
            ("/2", Some(Decision::AllowOnce)),
            ("/3", Some(Decision::AllowForSession)),
            ("/3", None),
        ] {
            let mut client = cell.connect(&host).await;
            let owner = async {
                if let Some(decision) = decision {
                    let id = held(&cell).await;
                    cell.order(&Order::Decide { id, decision });
                }
            };
            let request = get(path, &host);
            let (answer, ()) = tokio::join!(say(&mut client, &request), owner);
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            opened.push(std::iter::from_fn(|| connections.try_recv().ok()).count());
        }
        assert_eq!(opened, [1, 1, 1, 0], "connections that were opened for each");
        // By TLS it is another place, though the grant has the same number; nothing goes there in clear text.
        let mut client = cell.connect_tls(&host, "127.0.0.1", &["http/1.1"]).await;
        let owner = async {
            let id = held(&cell).await;
            cell.order(&Order::Decide { id, decision: Decision::AllowForSession });
        };
        client.write_all(get("/4", &host).as_bytes()).await.unwrap();
        owner.await;
        connections.recv().await.unwrap();
    });
}

#[test]
fn nobody_answers_and_floods_are_refused() {
    run(async {
        let cell = asking(1, 1, 1);
        let request = get("/asked", "b.test");
        let (mut first, mut second) = (cell.connect("b.test:80").await, cell.connect("b.test:80").await);
        let (first, second) = tokio::join!(say(&mut first, &request), say(&mut second, &request));
        assert!(first.contains("held-timeout"), "{first}");
        assert!(second.contains("held-flood"), "{second}");
        cell.refused(RefusalReason::HeldFlood).await;
    });
}

#[test]
fn traffic_is_reported_when_it_is_asked_for_and_at_the_end() {
    run(async {
        let origin = listen(echo).await;
        let cell = asking(1, 0, origin.port());
        let host = format!("a.test:{}", origin.port());
        say(&mut cell.connect(&host).await, &get("/known", &host)).await;
        say(&mut cell.connect(&host).await, &get("/unknown", &host)).await;
        for order in [Order::Report {}, Order::Stop {}] {
            cell.order(&order);
            let hosts =
                cell.word(|word| if let Word::Traffic { hosts } = word { Some(hosts.clone()) } else { None });
            let hosts = hosts.await;
            assert_eq!((hosts[0].requests, hosts[0].refused, hosts[0].open), (1, 1, 0));
        }
    });
}

#[test]
fn what_could_not_be_shown_whole_is_refused_unasked() {
    run(async {
        let origin = listen(echo).await;
        let cell = asking(20, 4, origin.port());
        let host = format!("a.test:{}", origin.port());
        let mut client = cell.connect(&host).await;
        let long = get(&format!("/{}", "x".repeat(300)), &host);
        let answer = say(&mut client, &long).await;
        assert!(answer.contains("\"reason\":\"path-not-granted\""), "{answer}");
        let mut client = cell.connect(&host).await;
        let owner = async {
            let id = held(&cell).await;
            cell.order(&Order::Decide { id, decision: Decision::AllowOnce });
        };
        let short = get(&format!("/{}", "x".repeat(200)), &host);
        let (answer, ()) = tokio::join!(say(&mut client, &short), owner);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    });
}
