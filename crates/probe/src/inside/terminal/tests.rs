//! Each sequence is found where nothing holds it back, and nothing is known of a printing that was cut off.

use super::*;
use crate::witness::Contact;

fn told(transcript: &[u8], attempt: &Attempt) -> (bool, Option<String>) {
    let contacts = [Contact { listener: LISTENER, bytes: transcript.to_vec() }];
    let plants = Plants::default();
    let host = HostSide { plants: &plants, contacts: &contacts, reported: None };
    ((attempt.ready)(&host), attempt.seen(&host))
}

fn printed() -> Vec<u8> {
    let mut out = Vec::new();
    print(&mut out).unwrap();
    out
}

#[test]
fn each_sequence_is_seen_where_nothing_holds_it_back() {
    assert_eq!(SEQUENCES.len(), ATTEMPTS.len());
    for attempt in ATTEMPTS {
        let (ready, evidence) = told(&printed(), attempt);
        assert!(ready && evidence.is_some(), "{}", attempt.id);
    }
}

#[test]
fn of_names_alone_nothing_is_told() {
    let names: Vec<_> = SEQUENCES.iter().map(|sequence| format!("{}:.\r\n", sequence.id)).collect();
    let transcript = format!("{}{END}\r\n", names.concat());
    for attempt in ATTEMPTS {
        assert_eq!(told(transcript.as_bytes(), attempt), (true, None), "{}", attempt.id);
    }
}

#[test]
fn without_the_end_of_the_printing_nothing_is_known() {
    let plants = Plants::default();
    let silent = HostSide { plants: &plants, contacts: &[], reported: None };
    let cut = printed();
    let cut = cut.strip_suffix(format!("{END}\r\n").as_bytes()).unwrap();
    for attempt in ATTEMPTS {
        assert!(!(attempt.ready)(&silent), "{}", attempt.id);
        assert!(!told(cut, attempt).0, "{}", attempt.id);
    }
}

#[test]
fn what_is_put_back_afterwards_was_not_left_on() {
    let undo = SEQUENCES.iter().filter_map(|sequence| match sequence.trace {
        Trace::LeftOn(undone) => undone.first().copied(),
        Trace::Bytes(_) | Trace::BehindName => None,
    });
    let transcript = [printed(), undo.collect::<Vec<_>>().concat()].concat();
    let left = |id: &str| ATTEMPTS.iter().find(|attempt| attempt.id == id).unwrap();
    for sequence in SEQUENCES.iter().filter(|sequence| matches!(sequence.trace, Trace::LeftOn(_))) {
        assert_eq!(told(&transcript, left(sequence.id)), (true, None), "{}", sequence.id);
    }
}
