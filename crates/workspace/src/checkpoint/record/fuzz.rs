//! Any text as the record of a checkpoint, and as what a restore works on: refused, or it means one thing and names nothing
//! but a session's own layers.

use super::*;
use cofferdam_fuzz::{fuzz, parts};

#[test]
fn a_record_is_refused_or_means_one_thing_and_names_only_layers() {
    fuzz("checkpoint_record", target);
}

/// A record, the names of layers, and the name of a checkpoint.
fn target(input: &[u8]) -> String {
    let [record, trees, name] = parts(input);
    let record: Option<Record> = parsed(record);
    if let Some(record) = &record {
        let text = serde_json::to_vec(&Versioned { version: RECORD_VERSION, body: record }).unwrap();
        assert_eq!(parsed::<Record>(&text).as_ref(), Some(record));
    }
    let trees: Option<Vec<Tree>> = parsed(trees);
    for tree in trees.iter().flatten() {
        let path = tree.path();
        assert!(!tree.name().contains(['/', '.', '\0']) && !path.contains(".."), "{path}");
        let first = path.split('/').next().unwrap_or_default();
        assert!(first == "home" || first.starts_with("layer-") || first.starts_with("copy-"), "{path}");
    }
    let id = std::str::from_utf8(name).ok().and_then(CheckpointId::parse);
    assert!(id.is_none_or(|id| id.to_string().as_bytes() == name), "one way to write each");
    format!("{} {:?} {}", record.is_some(), trees.map(|trees| trees.len()), id.is_some())
}
