//! What is alike is said once, and no flood of it is more than its words.

use super::*;
use crate::exchange::LeakPlace;
use cofferdam_policy::net::host::Port;

fn refusal(host: &str, path: &str) -> Refusal {
    let destination = Destination::parse(host, Port::HTTPS).unwrap();
    Refusal::of_request(RefusalReason::PathNotGranted, &destination, "GET", path)
}

fn refusals(lot: &[Word]) -> Vec<(Option<String>, u64)> {
    let note = |word: &Word| {
        let Word::Refused(note) = word else { return None };
        Some((note.path.clone(), note.count))
    };
    lot.iter().filter_map(note).collect()
}

fn later(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}

#[test]
fn refusals_that_are_alike_are_said_once_and_then_counted() {
    let words = Words::default();
    words.refused(&refusal("a.test", "/x"));
    assert_eq!(refusals(&words.lot(Instant::now()).words), [(Some("/x".to_owned()), 1)]);
    for _ in 0..1_000 {
        words.refused(&refusal("a.test", "/x"));
    }
    words.refused(&refusal("a.test", "/y"));
    assert_eq!(
        refusals(&words.lot(Instant::now()).words),
        [(Some("/y".to_owned()), 1)],
        "the first was just said"
    );
    assert_eq!(refusals(&words.lot(later(6)).words), [(Some("/x".to_owned()), 1_000)]);
    assert!(words.lot(later(60)).words.is_empty());
}

#[test]
fn a_flood_of_leaks_is_said_at_once_and_then_counted_and_none_is_lost() {
    let words = Words::default();
    let leak = Leak { credential: "github".parse().unwrap(), place: LeakPlace::Header };
    let to = |number: u32| Destination::parse(format!("{number}.test"), Port::HTTPS).unwrap();
    let leaks = |lot: &[Word]| -> Vec<u64> {
        lot.iter()
            .filter_map(|word| if let Word::Leak(note) = word { Some(note.count) } else { None })
            .collect()
    };
    words.leaked(&leak, &to(0));
    assert_eq!(leaks(&words.lot(Instant::now()).words), [1], "the first is said at once");
    for _ in 0..10_000 {
        words.leaked(&leak, &to(0));
    }
    assert!(words.lot(Instant::now()).words.is_empty());
    assert_eq!(leaks(&words.lot(later(6)).words), [10_000]);
    for number in 0..10_000 {
        words.leaked(&leak, &to(number));
    }
    assert!(words.waiting().leaks.len() <= LEAKS_MAX);
    let mut said = 0;
    for _ in 0..LEAKS_MAX {
        said += leaks(&words.lot(later(60)).words).iter().sum::<u64>();
    }
    assert_eq!(said, 10_000);
}

#[test]
fn a_flood_of_refusals_is_joined_by_host_and_said_in_lots() {
    let words = Words::default();
    for number in 0..100_000 {
        words.refused(&refusal("a.test", &format!("/{number}")));
    }
    for number in 0..100_000 {
        words.refused(&refusal(&format!("{number}.test"), "/x"));
    }
    assert!(words.waiting().refusals.len() <= 2 * REFUSALS_MAX + 1);
    assert!(words.lot(Instant::now()).words.len() <= LOT_WORDS_MAX);
    let mut said = 9;
    loop {
        let lot = words.lot(Instant::now()).words;
        assert!(lot.len() <= LOT_WORDS_MAX);
        if lot.is_empty() {
            break;
        }
        said += refusals(&lot).iter().map(|(_, count)| count).sum::<u64>();
    }
    assert_eq!(said, 200_000, "none is lost");
}

#[test]
fn requests_are_said_in_batches_and_the_rest_is_counted() {
    let words = Words::default();
    let note = RequestNote {
        destination: Destination::parse("a.test", Port::HTTPS).unwrap(),
        method: "GET".to_owned(),
        path: "/".to_owned(),
        status: Some(200),
        up: 0,
        down: 0,
        milliseconds: 0,
        credential: None,
    };
    for _ in 0..REQUESTS_MAX + 5 {
        words.request(note.clone(), None);
    }
    let mut count = 0;
    for _ in 0..REQUESTS_MAX / WORD_REQUESTS_MAX {
        for word in words.lot(Instant::now()).words {
            let Word::Requests { requests, unsaid } = word else { panic!("{word:?}") };
            assert!(requests.len() <= WORD_REQUESTS_MAX);
            count += requests.len() as u64 + unsaid;
        }
    }
    assert_eq!(count, REQUESTS_MAX as u64 + 5);
}

#[test]
fn the_hosts_that_are_counted_have_a_bound() {
    let words = Words::default();
    let kept = words.traffic(&Host::parse("a.test").unwrap());
    kept.requests.fetch_add(1, Ordering::Relaxed);
    for number in 0..3 * HOSTS_MAX {
        words.refused(&refusal(&format!("{number}.test"), "/x"));
    }
    assert!(words.0.traffic.lock().unwrap().len() <= HOSTS_MAX);
    let Word::Traffic { hosts } = words.report() else { panic!() };
    assert!(hosts.len() <= WORD_HOSTS_MAX);
    assert_eq!(hosts[0].host, Host::parse("a.test").unwrap());
}
