//! Any text under a right checksum is refused, or is a journal that is stored as it was read and whose paths stay
//! below the tree; and no byte of a journal can change unnoticed.

use super::*;
use cofferdam_fuzz::fuzz;

#[test]
fn a_journal_is_refused_or_means_one_thing() {
    fuzz("apply_journal", target);
}

fn target(body: &[u8]) -> String {
    let mut bytes = sealed_header(body).into_bytes();
    bytes.extend_from_slice(body);
    match Journal::parse(&bytes) {
        Ok(journal) => {
            assert!(journal.moves.iter().all(|step| WorkspacePath::new(step.path.as_bytes()).is_ok()));
            assert_eq!(Journal::parse(&journal.print().unwrap()).unwrap(), journal);
            format!("{:?} {}", journal.place, journal.moves.len())
        }
        Err(JournalError::Shape(error)) => format!("{:?}", error.classify()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_journal_that_was_cut_short_or_changed_is_refused() {
    let seed = include_bytes!("../../../fuzz/corpus/apply_journal/all");
    let mut bytes = sealed_header(seed).into_bytes();
    bytes.extend_from_slice(seed);
    Journal::parse(&bytes).unwrap();
    for at in 0..bytes.len() {
        Journal::parse(&bytes[..at]).unwrap_err();
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        Journal::parse(&changed).unwrap_err();
    }
}
