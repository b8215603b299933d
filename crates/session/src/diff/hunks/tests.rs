//! What is shown leads from one side to the other, also where it is compared coarsely.

use super::*;
use proptest::prelude::*;

/// What a patch makes of `before`, line by line.
fn patched(before: &[u8], hunks: &[Hunk<'_>]) -> Vec<u8> {
    let lines: Vec<&[u8]> = before.split_inclusive(|byte| *byte == b'\n').collect();
    let (mut result, mut at) = (Vec::new(), 0);
    for hunk in hunks {
        let start = hunk.before_start as usize - usize::from(hunk.before_lines > 0);
        result.extend(lines[at..start].concat());
        at = start;
        for line in &hunk.lines {
            match line {
                Line::Kept(text) | Line::Removed(text) => {
                    assert_eq!(lines[at], *text);
                    at += 1;
                }
                Line::Added(_) => {}
            }
            if let Line::Kept(text) | Line::Added(text) = line {
                result.extend(*text);
            }
        }
    }
    result.extend(lines[at..].concat());
    result
}

proptest! {
    #[test]
    fn what_is_shown_leads_from_one_side_to_the_other(before in "[ab\n]{0,60}", after in "[ab\n]{0,60}") {
        let hunks = hunks(before.as_bytes(), after.as_bytes());
        prop_assert_eq!(patched(before.as_bytes(), &hunks), after.as_bytes());
        prop_assert_eq!(hunks.is_empty(), before == after);
    }

    #[test]
    fn of_the_changes_those_that_are_chosen_are_made(before in "[ab\n]{0,60}", after in "[ab\n]{0,60}", skipped: u32) {
        let (before, after) = (before.as_bytes(), after.as_bytes());
        let count = hunks(before, after).last().map_or(0, |hunk| hunk.changes.end);
        let all: BTreeSet<u32> = (0..count).collect();
        prop_assert_eq!(with_changes(before, after, &BTreeSet::new()), before);
        prop_assert_eq!(with_changes(before, after, &all), after);
        let mut some = all.clone();
        if some.remove(&(skipped % count.max(1))) {
            prop_assert_ne!(with_changes(before, after, &some), after);
        }
    }

    #[test]
    fn the_changes_of_the_hunks_follow_one_another(before in "[ab\n]{0,90}", after in "[ab\n]{0,90}") {
        let mut next = 0;
        for hunk in hunks(before.as_bytes(), after.as_bytes()) {
            prop_assert_eq!(hunk.changes.start, next);
            let kept = |line: &&Line<'_>| matches!(line, Line::Kept(_));
            let stretches = hunk.lines.chunk_by(|a, b| kept(&a) == kept(&b)).filter(|lines| !kept(&&lines[0]));
            prop_assert_eq!(stretches.count(), hunk.changes.len());
            next = hunk.changes.end;
        }
    }

    #[test]
    fn a_coarse_comparison_leads_there_too_and_keeps_lines_between_changes(
        before in "[a-h\n]{0,60}",
        after in "[a-h\n]{0,60}",
    ) {
        let input = InternedInput::new(byte_lines(before.as_bytes()), byte_lines(after.as_bytes()));
        let changes = coarse::changes(&input.before, &input.after);
        let (mut result, mut from) = (Vec::new(), 0..0);
        for (number, change) in changes.iter().enumerate() {
            let (lines, news) = (change.before.clone(), change.after.clone());
            prop_assert!(number == 0 || lines.start > from.end, "something stays between them");
            prop_assert!(!lines.is_empty() || !news.is_empty());
            result.extend_from_slice(&input.before[from.end as usize..lines.start as usize]);
            result.extend_from_slice(&input.after[news.start as usize..news.end as usize]);
            from = lines;
        }
        result.extend_from_slice(&input.before[from.end as usize..]);
        prop_assert_eq!(result, input.after);
    }
}

/// Lines of `kinds` kinds in an order without a pattern.
fn noise(lines: usize, kinds: u8, mut state: u32) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..lines {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        text.extend([b'a' + u8::try_from(state % u32::from(kinds)).unwrap(), b'\n']);
    }
    text
}

#[test]
fn no_text_that_is_shown_makes_more_than_so_many_pairs_be_compared() {
    let lines = usize::try_from(crate::diff::UNSHOWN_BYTES_MAX).unwrap() / 2;
    for kinds in [2, 3, 26] {
        let (before, after) = (noise(lines, kinds, 1), noise(lines, kinds, 2));
        let input = InternedInput::new(byte_lines(before.as_slice()), byte_lines(after.as_slice()));
        assert!(pairs(&input.before, &input.after) > COMPARED_PAIRS_MAX, "the control");
        let hunks = hunks(&before, &after);
        assert_eq!(patched(&before, &hunks), after, "nothing is left out");
    }
    let same = noise(lines, 2, 1);
    let longer = [b"a\n", same.as_slice()].concat();
    let input = InternedInput::new(byte_lines(same.as_slice()), byte_lines(longer.as_slice()));
    assert!(pairs(&input.before, &input.after) <= COMPARED_PAIRS_MAX, "what is the same costs nothing");
}

#[test]
fn a_long_file_of_which_single_lines_change_is_shown_by_those_lines() {
    let text = |changed: &str| -> String {
        let word = |number: usize| if number % 5_000 == 7 { changed } else { "stays" };
        (0..30_000).map(|number| format!("{} {number}\n", word(number))).collect()
    };
    let (before, after) = (text("old"), text("new"));
    let input = InternedInput::new(byte_lines(before.as_bytes()), byte_lines(after.as_bytes()));
    assert!(pairs(&input.before, &input.after) > COMPARED_PAIRS_MAX, "the control");
    let hunks = hunks(before.as_bytes(), after.as_bytes());
    assert_eq!(hunks.len(), 6);
    assert!(hunks.iter().all(|hunk| hunk.lines.len() == 8), "each a line for a line, and three around it");
}
