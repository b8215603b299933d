//! Whatever stands in two lock files, they are compared within the bounds or refused, and the same has no difference.

use super::*;
use cofferdam_fuzz::{fuzz, parts};

#[test]
fn two_lock_files_are_compared_or_refused() {
    fuzz("lock", target);
}

type Outcome = Vec<Result<(usize, (u64, u64)), Unreadable>>;

/// The texts before and after; the first line of the input says the format, or all are tried.
fn target(input: &[u8]) -> Outcome {
    let [name, before, after] = parts::<3>(input);
    let named = LockFormat::of_path(name.trim_ascii());
    let formats = LockFormat::ALL.into_iter().filter(|format| named.is_none_or(|named| named == *format));
    formats.map(|format| outcome(format, before, after)).collect()
}

fn outcome(format: LockFormat, before: &[u8], after: &[u8]) -> Result<(usize, (u64, u64)), Unreadable> {
    let comparison = compare(format, Some(before), Some(after))?;
    for difference in &comparison.differences {
        assert!(!difference.name.is_empty() && difference.name.len() <= FIELD_BYTES_MAX + '…'.len_utf8());
        let moved = [
            difference.change.is_of_version(),
            difference.change.is_of_source(),
            difference.change.is_of_checksum(),
        ];
        let scripts = matches!(&difference.change, Change::Changed { before, after, .. } if before.runs_at_installation != after.runs_at_installation);
        let changed = matches!(difference.change, Change::Changed { .. });
        assert_eq!(changed, scripts || moved.contains(&true), "{difference:?}");
    }
    let back = compare(format, Some(after), Some(before))?;
    assert_eq!(back.differences.len(), comparison.differences.len());
    let same = compare(format, Some(after), Some(after))?;
    assert!(same.differences.is_empty() && !same.differs_otherwise);
    Ok((comparison.differences.len(), comparison.not_understood))
}
