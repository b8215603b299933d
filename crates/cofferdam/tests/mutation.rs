//! The list of what `make mutate` leaves out follows the sources: what it names is still there, once.
#![forbid(unsafe_code)]

#[path = "../examples/mutate/cuts.rs"]
mod cuts;
#[path = "../examples/mutate/source.rs"]
mod source;

use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_act_that_is_left_out_by_mutation_is_found_once_in_the_sources() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for file in source::files() {
        let text = std::fs::read_to_string(crates.join(file)).unwrap();
        let mutated = source::mutated(file, &text);
        assert_ne!(mutated, text, "{file}");
        for cut in cuts::CUTS.iter().filter(|cut| cut.file == file) {
            assert!(mutated.contains(&format!("leaves_out({:?})", cut.name)), "{}", cut.name);
        }
    }
}

#[test]
fn no_two_acts_share_a_name() {
    let names: BTreeSet<&str> = cuts::CUTS.iter().map(|cut| cut.name).collect();
    assert_eq!(names.len(), cuts::CUTS.len());
}

/// What is shipped holds nothing that could be told to leave something out: the choice exists in the copy alone.
#[test]
fn the_sources_of_what_is_shipped_know_of_no_mutation() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for file in source::files() {
        let text = std::fs::read_to_string(crates.join(file)).unwrap();
        assert!(!text.contains("mutation"), "{file}");
    }
}
