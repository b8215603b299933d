//! Every attempt, in the order in which they are listed and tried. The tables stand beside the code of each topic.

use std::collections::HashSet;

use crate::attempt::Attempt;
use crate::classes::{self, Class};
use crate::inside::{
    channels, confidants, controls, credential, destruction, devices, egress, files, gateway, grant,
    inherited, kernel, masked, model, mounts, namespaces, network, paths, places, secrets, smuggling,
};
use crate::inside::{privileges, processes, resources, review, sockets, tallies, terminal};
use crate::plants::Planting;

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
    secrets::ATTEMPTS,
    masked::ATTEMPTS,
    confidants::ATTEMPTS,
    credential::ATTEMPTS,
    egress::ATTEMPTS,
    channels::ATTEMPTS,
    gateway::ATTEMPTS,
    grant::ATTEMPTS,
    paths::ATTEMPTS,
    model::ATTEMPTS,
    smuggling::ATTEMPTS,
    resources::ATTEMPTS,
    tallies::ATTEMPTS,
    destruction::ATTEMPTS,
    review::arrivals::ATTEMPTS,
    review::repository::ATTEMPTS,
    review::later::ATTEMPTS,
    review::home::ATTEMPTS,
    terminal::ATTEMPTS,
    controls::ATTEMPTS,
    processes::FATAL,
];

const CLASS_TABLES: &[&[Class]] = &[
    classes::CLASSES,
    destruction::CLASSES,
    secrets::CLASSES,
    masked::CLASSES,
    confidants::CLASSES,
    credential::CLASSES,
    egress::CLASSES,
    channels::CLASSES,
    gateway::CLASSES,
    grant::CLASSES,
    paths::CLASSES,
    model::CLASSES,
    smuggling::CLASSES,
    review::arrivals::CLASSES,
    review::repository::CLASSES,
    review::later::CLASSES,
    review::home::CLASSES,
    terminal::CLASSES,
];

/// What is planted on the host's side for some topics, besides what every run has.
pub(crate) const PLANTINGS: &[Planting] =
    &[destruction::PLANTING, review::PLANTING, secrets::PLANTING, channels::PLANTING];

/// All attempts.
pub(crate) fn all() -> impl Iterator<Item = &'static Attempt> {
    TABLES.iter().flat_map(|table| table.iter())
}

/// All classes. One that is empty or names what isn't there fails a test.
pub(crate) fn classes() -> impl Iterator<Item = &'static Class> {
    CLASS_TABLES.iter().flat_map(|table| table.iter())
}

/// The attempts that a class names, in the order in which they are tried: what may end the probe comes last.
pub(crate) fn measured() -> impl Iterator<Item = &'static Attempt> {
    let members: HashSet<&str> = classes().flat_map(|class| class.members).copied().collect();
    all().filter(move |attempt| members.contains(attempt.id))
}

/// The same, half a round apart: two that go through these and those at the same time never make the same attempt at
/// once, and so don't take from each other what a user has only so much of.
pub(crate) fn measured_apart() -> Vec<&'static Attempt> {
    let mut attempts: Vec<&Attempt> = measured().collect();
    let last = attempts.len().saturating_sub(processes::FATAL.len());
    if let Some(rest) = attempts.get_mut(..last) {
        rest.rotate_left(last / 2);
    }
    attempts
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
    /// The lines of the list of attacks that this program can try.
    const ATTACK_LINES: u8 = 21;

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
    fn each_attempt_has_one_class_at_most_and_each_member_is_an_attempt() {
        let (mut seen, mut names) = (BTreeSet::new(), BTreeSet::new());
        for class in classes() {
            assert!(names.insert(class.name), "two classes are named {}", class.name);
            assert!((1..=ATTACK_LINES).contains(&class.attack), "{} is no line of attacks", class.attack);
            assert!(!class.members.is_empty(), "{} is empty", class.name);
            for id in class.members {
                assert!(find(id).is_some(), "{id} of {} is no attempt", class.name);
                assert!(seen.insert(id), "{id} is in two classes");
            }
        }
    }

    #[test]
    fn there_are_positive_controls() {
        assert!(all().filter(|attempt| attempt.kind == Kind::Allowed).count() >= 5);
    }
}
