//! Any index with a right checksum is refused, or is a tree whose paths stay below its root and which is stored as it
//! was loaded. (A wrong checksum has a law of its own.)

use super::*;
use crate::path::WorkspacePath;
use cofferdam_fuzz::fuzz;

#[test]
fn an_index_is_refused_or_stays_below_its_root() {
    fuzz("census_index", target);
}

/// The number of directories, then the rest of the file after its checksum.
fn target(input: &[u8]) -> Option<Vec<(Standing, usize)>> {
    let identity = Identity { masks: [7; 32], dev_major: 8, dev_minor: 1, ino: 42, mount: 1 };
    let (count, body) = input.split_first()?;
    let mut bytes = identity.header(usize::from(*count), checksum(body));
    bytes.extend_from_slice(body);
    let tree = parse(&bytes, &identity)?;
    assert_eq!(tree.nodes.len(), usize::from(*count));
    for node in tree.nodes.iter().skip(1) {
        assert!(
            WorkspacePath::new(tree.path(node).to_vec()).is_ok_and(|path| path.as_bytes() == tree.path(node))
        );
    }
    let mut again = Vec::new();
    for node in &tree.nodes {
        print_node(&mut again, node, crate::path::split(tree.path(node)).1);
    }
    let mut stored = identity.header(tree.nodes.len(), checksum(&again));
    stored.extend(again);
    assert_eq!(format!("{:?}", parse(&stored, &identity).unwrap()), format!("{tree:?}"));
    Some(tree.nodes.iter().map(|node| (node.standing, node.findings.len())).collect())
}
