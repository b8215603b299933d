//! What is alike is said once, and no flood of it is more than its words.

use super::*;
use crate::exchange::LeakPlace;
use crate::trail;
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

fn request(path: &str, credential: Option<&str>) -> RequestNote {
    RequestNote {
        destination: Destination::parse("a.test", Port::HTTPS).unwrap(),
        method: "GET".to_owned(),
        path: path.to_owned(),
        status: Some(200),
        up: 0,
        down: 0,
        milliseconds: 0,
        credential: credential.map(|name| name.parse().unwrap()),
    }
}

/// Requests with a secret, as many as there can be until one is refused.
fn carry(words: &Words, most: usize) -> usize {
    let begun = |path: &str| Begun {
        destination: Destination::parse("a.test", Port::HTTPS).unwrap(),
        method: "GET".to_owned(),
        path: path.to_owned(),
        credential: "github".parse().unwrap(),
    };
    let carry = |number: &usize| {
        let path = format!("/{number}");
        let mark = words.begun(|| begun(&path)).ok()?;
        words.request(request(&path, Some("github")), mark);
        Some(())
    };
    (0..most).map_while(|number| carry(&number)).count()
}

/// How many requests with a secret are told one by one, whose notes are wiped out then.
fn told_of_secret(lot: Lot) -> usize {
    let told: usize = lot
        .words
        .iter()
        .map(|word| {
            let Word::Requests { requests, .. } = word else { return 0 };
            requests.iter().filter(|note| note.credential.is_some()).count()
        })
        .sum();
    assert_eq!(lot.marks.len(), told, "what is said has no note any more, and nothing else");
    lot.marks.into_iter().for_each(Mark::wipe_out);
    told
}

#[test]
fn the_attack_of_a_flood_has_no_use_of_a_secret_go_unsaid() {
    let file = trail::blank().unwrap();
    let words = Words::leaving(Trail::new(file.try_clone().unwrap()));
    let (mut made, mut told, mut unsaid) = (0, 0, 0);
    for round in 0..40 {
        for number in 0..300 {
            words.refused(&refusal("x.test", &format!("/{round}/{number}")));
            words.request(request("/plain", None), None);
        }
        made += carry(&words, 200);
        let lot = words.lot(Instant::now());
        unsaid += lot
            .words
            .iter()
            .map(|word| if let Word::Requests { unsaid, .. } = word { *unsaid } else { 0 })
            .sum::<u64>();
        told += told_of_secret(lot);
    }
    assert_eq!((made, told), (8_000, 8_000), "each is said within its lot");
    // The control: of the others, most were only counted.
    assert!(unsaid > 0);
    // Where nobody listens, a request that could go untold is not made.
    let made = carry(&words, 100_000);
    assert!(made < 5_000 && carry(&words, 1) == 0, "{made}");
    assert_eq!(trail::left(rustix::fd::AsFd::as_fd(&file)).unwrap().len(), made);
    let told: usize = (0..20).map(|_| told_of_secret(words.lot(Instant::now()))).sum();
    assert_eq!((told, carry(&words, 1)), (made, 1));
}

#[test]
fn requests_are_said_in_batches_and_the_rest_is_counted() {
    let words = Words::default();
    let note = request("/", None);
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
