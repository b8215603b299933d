//! Two lists of changes have one digest exactly when they would write the same, in whichever order they are given.

use super::*;
use crate::changeset::EntryKind;
use cofferdam_fuzz::{fuzz, parts};
use std::collections::BTreeSet;

#[test]
fn one_digest_stands_for_one_set_of_changes() {
    fuzz("change_set", target);
}

/// Two lists; each line is a byte each for change, kind, mode and content, then the path.
fn target(input: &[u8]) -> (usize, usize, bool) {
    let [one, other] = parts(input);
    let (one, other) = (set(one), set(other));
    let same = one == other;
    assert_eq!(digest(one.iter().cloned().collect()) == digest(other.iter().cloned().collect()), same);
    let backwards: Vec<Written<'_>> = one.iter().rev().cloned().collect();
    assert_eq!(digest(backwards), digest(one.iter().cloned().collect()));
    (one.len(), other.len(), same)
}

fn set(text: &[u8]) -> BTreeSet<Written<'_>> {
    let line = |line: &'_ [u8]| -> Option<(Change, EntryKind, u32, Option<Digest>, usize)> {
        let [change, kind, mode, content] = *line.first_chunk::<4>()?;
        let change = match change % 5 {
            0 => Change::Added,
            1 => Change::Modified,
            2 => Change::Deleted,
            3 => Change::Type,
            _ => Change::Mode,
        };
        let kind = match kind % 4 {
            0 => EntryKind::File,
            1 => EntryKind::Dir,
            2 => EntryKind::Symlink,
            _ => EntryKind::Gitlink,
        };
        Some((change, kind, u32::from(mode), (content != b'-').then(|| Digest::of(&[content])), 4))
    };
    text.split(|byte| *byte == b'\n')
        .filter_map(|bytes| {
            let (change, kind, mode, content, at) = line(bytes)?;
            Some(Written { path: &bytes[at..], change, kind, mode, content })
        })
        .collect()
}
