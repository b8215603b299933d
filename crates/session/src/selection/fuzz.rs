//! Any text as what a review took: refused, or it means one thing, and what is left out of it is taken no more.

use super::*;
use cofferdam_fuzz::fuzz;

#[test]
fn what_a_review_took_is_refused_or_means_one_thing() {
    fuzz("selection", target);
}

fn target(input: &[u8]) -> Option<Vec<usize>> {
    let selection: Selection = serde_json::from_slice(input).ok()?;
    let text = serde_json::to_vec(&selection).unwrap();
    assert_eq!(serde_json::from_slice::<Selection>(&text).unwrap(), selection);
    let mut rest = selection.clone();
    for (directory, taken) in &selection.taken {
        for (path, take) in taken {
            assert_eq!(selection.of(directory, path), Some(take));
            rest.leave(directory, path);
            assert_eq!(rest.of(directory, path), None);
            let mut again = Selection::default();
            again.take(directory, path, take.clone());
            assert!(!again.is_empty() && again.of(directory, path) == Some(take));
        }
    }
    assert!(rest.is_empty());
    Some(selection.taken.values().map(BTreeMap::len).collect())
}
