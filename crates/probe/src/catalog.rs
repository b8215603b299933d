//! Every attempt, in the order in which they are listed and tried. The tables stand beside the code of each topic.

use crate::attempt::Attempt;
use crate::inside::{controls, devices, files, inherited, kernel, mounts, namespaces, network, places};
use crate::inside::{privileges, processes, resources, sockets, tallies};

const TABLES: &[&[Attempt]] = &[
    files::ATTEMPTS,
    places::ATTEMPTS,
    processes::ATTEMPTS,
    sockets::ATTEMPTS,
    network::ATTEMPTS,
    namespaces::ATTEMPTS,
    mounts::ATTEMPTS,
    kernel::ATTEMPTS,
    devices::ATTEMPTS,
    privileges::ATTEMPTS,
    inherited::ATTEMPTS,
    resources::ATTEMPTS,
    tallies::ATTEMPTS,
    controls::ATTEMPTS,
    processes::FATAL,
];

/// All attempts.
pub(crate) fn all() -> impl Iterator<Item = &'static Attempt> {
    TABLES.iter().flat_map(|table| table.iter())
}

/// The attempt named `id`.
pub(crate) fn find(id: &str) -> Option<&'static Attempt> {
    all().find(|attempt| attempt.id == id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::attempt::Kind;

    /// The first harness promised this many; it only ever grows.
    const ATTEMPTS_MIN: usize = 80;

    #[test]
    fn ids_are_unique_and_kebab_case() {
        let mut seen = BTreeSet::new();
        for attempt in all() {
            assert!(seen.insert(attempt.id), "{} occurs twice", attempt.id);
            let kebab =
                |part: &str| !part.is_empty() && part.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9'));
            assert!(attempt.id.split('-').all(kebab), "{} is not kebab-case", attempt.id);
        }
        assert!(seen.len() >= ATTEMPTS_MIN);
    }

    #[test]
    fn each_has_a_sentence_and_a_source() {
        for attempt in all() {
            let first = attempt.sentence.chars().next();
            assert!(
                first.is_some_and(char::is_uppercase) && attempt.sentence.ends_with('.'),
                "{}",
                attempt.id
            );
            assert!(!attempt.source.is_empty(), "{} has no source", attempt.id);
        }
    }

    #[test]
    fn without_its_plant_no_attempt_is_held() {
        let none = crate::plants::Plants::default();
        for attempt in all().filter(|attempt| !attempt.needs.is_empty()) {
            assert!(
                matches!(attempt.find(&none), crate::finding::Finding::Inconclusive(_)),
                "{}",
                attempt.id
            );
        }
    }

    #[test]
    fn there_are_positive_controls() {
        assert!(all().filter(|attempt| attempt.kind == Kind::Allowed).count() >= 5);
    }
}
