//! Any three texts: sides can be exchanged, a side that changed nothing leaves the other's, and a merge holds no line that
//! none of them has.

use super::*;
use cofferdam_fuzz::{fuzz, parts};
use std::collections::BTreeSet;

#[test]
fn a_merge_is_the_same_from_both_sides_and_invents_nothing() {
    fuzz("merge", target);
}

fn target(input: &[u8]) -> String {
    let [base, ours, theirs] = parts(input);
    let merged = merge(base, ours, theirs);
    match (&merged, merge(base, theirs, ours)) {
        (Err(Unmerged::Overlapping(a)), Err(Unmerged::Overlapping(b))) => {
            let exchanged = |region: &Region| Region {
                base: region.base.clone(),
                ours: region.theirs.clone(),
                theirs: region.ours.clone(),
            };
            assert_eq!(a, &b.iter().map(exchanged).collect::<Vec<_>>());
        }
        (merged, exchanged) => assert_eq!(merged, &exchanged),
    }
    let has_nul = input.contains(&0);
    if !has_nul {
        assert_eq!(merge(base, base, theirs).unwrap(), theirs);
        assert_eq!(merge(base, ours, ours).unwrap(), ours);
    }
    match merged {
        Ok(text) => {
            let lines = |text| byte_lines(text).collect::<Vec<_>>();
            let known: BTreeSet<&[u8]> = [base, ours, theirs].into_iter().flat_map(lines).collect();
            assert!(byte_lines(&text).all(|line| known.contains(line)), "{}", text.escape_ascii());
            format!("{} {} {}", text == ours, text == theirs, text == base)
        }
        Err(Unmerged::Overlapping(regions)) => format!("{} regions", regions.len()),
        Err(error) => error.to_string(),
    }
}
