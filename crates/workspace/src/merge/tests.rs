//! Merges as `git merge-file` makes them, and what must hold for any.

use super::*;
use proptest::prelude::*;
use std::process::Command;

fn text(lines: &[&str]) -> Vec<u8> {
    lines.concat().into_bytes()
}

#[test]
fn edits_of_different_regions_come_together() {
    let base = b"one\ntwo\nthree\nfour\nfive\n";
    let merged = merge(base, b"ONE\ntwo\nthree\nfour\nfive\n", b"one\ntwo\nthree\nfour\n5\nsix\n");
    assert_eq!(merged.unwrap(), b"ONE\ntwo\nthree\nfour\n5\nsix\n");
}

#[test]
fn edits_of_the_same_lines_or_of_lines_that_touch_stay_apart() {
    let base = b"one\ntwo\nthree\nfour\n";
    let overlapping = merge(base, b"one\n2\nthree\nfour\n", b"one\nzwei\nthree\nfour\n");
    let region = Region { base: 1..2, ours: 1..2, theirs: 1..2 };
    assert_eq!(overlapping, Err(Unmerged::Overlapping(vec![region])));
    let touching = merge(base, b"one\n2\nthree\nfour\n", b"one\ntwo\n3\n4\n");
    let region = Region { base: 1..4, ours: 1..4, theirs: 1..4 };
    assert_eq!(touching, Err(Unmerged::Overlapping(vec![region])));
    let both_at_the_end = merge(base, &text(&["one\ntwo\nthree\nfour\na\n"]), b"one\ntwo\nthree\nfour\nb\n");
    assert!(matches!(both_at_the_end, Err(Unmerged::Overlapping(_))));
}

#[test]
fn the_same_edit_on_both_sides_is_one_edit() {
    let base = b"one\ntwo\nthree\nfour\nfive\n";
    let merged = merge(base, b"one\n2\nthree\nfour\nfive\n", b"one\n2\nthree\nfour\n5\n");
    assert_eq!(merged.unwrap(), b"one\n2\nthree\nfour\n5\n");
}

#[test]
fn line_ends_missing_newlines_and_bytes_that_are_no_text_are_kept_as_they_are() {
    let base = b"one\r\ntwo\r\nthree\r\nfour \xff\xfe";
    let merged =
        merge(base, b"ONE\r\ntwo\r\nthree\r\nfour \xff\xfe", b"one\r\ntwo\r\nthree\r\nfour \xff\xfe\n");
    assert_eq!(merged.unwrap(), b"ONE\r\ntwo\r\nthree\r\nfour \xff\xfe\n");
    let ends = merge(b"a\nb\nc\n", b"a\r\nb\r\nc\r\n", b"a\nB\nc\n");
    assert!(matches!(ends, Err(Unmerged::Overlapping(_))), "a change of all line ends is one of all lines");
}

#[test]
fn what_is_binary_or_too_long_never_merges() {
    let long = vec![b'x'; TEXT_BYTES_MAX + 1];
    let many = vec![b'\n'; LINES_MAX];
    for place in 0..3 {
        let mut texts: [&[u8]; 3] = [b"a\n"; 3];
        texts[place] = b"a\n\0";
        assert_eq!(merge(texts[0], texts[1], texts[2]), Err(Unmerged::Binary));
        for text in [&long, &many] {
            texts[place] = text;
            assert_eq!(merge(texts[0], texts[1], texts[2]), Err(Unmerged::TooLong));
        }
    }
    let half = vec![b'x'; TEXT_BYTES_MAX / 2 + 8];
    let (ours, theirs) = ([&half[..], b"\na\nb\n"].concat(), [b"a\nb\n", &half[..]].concat());
    assert_eq!(merge(b"a\nb\n", &ours, &theirs), Err(Unmerged::TooLong));
}

#[test]
fn texts_made_to_be_slow_are_merged_in_time() {
    // Lines in two orders, and few different ones: what costs a plain algorithm the square of the length.
    let line = |number: usize| format!("{}\n", number % 7).into_bytes();
    let base: Vec<u8> = (0..19_999).flat_map(line).collect();
    let ours: Vec<u8> = (0..19_999).flat_map(|number| line(number * number / 3)).collect();
    let theirs: Vec<u8> = (0..19_999).rev().flat_map(|number| line(number / 2)).collect();
    let begun = std::time::Instant::now();
    drop(merge(&base, &ours, &theirs));
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}

/// What git makes of it; nothing if it finds a conflict.
fn by_git(base: &[u8], ours: &[u8], theirs: &[u8]) -> Option<Vec<u8>> {
    let scene = tempfile::tempdir().unwrap();
    for (name, text) in [("base", base), ("ours", ours), ("theirs", theirs)] {
        std::fs::write(scene.path().join(name), text).unwrap();
    }
    let mut command = Command::new("git");
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("GIT_CONFIG_NOSYSTEM", "1");
    command.args(["merge-file", "-p", "ours", "base", "theirs"]).current_dir(scene.path());
    let output = command.output().expect("git is needed for the tests: install it");
    let code = output.status.code().unwrap();
    assert!(code < 128, "{output:?}");
    (code == 0).then_some(output.stdout)
}

/// A base of lines, few of them equal, and a version of it.
fn edited(base: &[u8], edits: &[(usize, usize, Vec<u8>)], ends: bool) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = base.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    for (at, gone, new) in edits {
        let at = at % (lines.len() + 1);
        let end = (at + gone).min(lines.len());
        let new = new.iter().map(|byte| vec![*byte, b'\n']);
        lines.splice(at..end, new);
    }
    let mut text = lines.concat();
    if !ends {
        text.pop();
    }
    text
}

fn edits() -> impl Strategy<Value = Vec<(usize, usize, Vec<u8>)>> {
    let new = proptest::collection::vec(b'a'..b'f', 0..3);
    proptest::collection::vec((0..60_usize, 0..3_usize, new), 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn merges_are_those_of_git(
        lines in 1..40_u8,
        (ours, theirs) in (edits(), edits()),
        (ends_ours, ends_theirs) in (any::<bool>(), any::<bool>()),
    ) {
        let base: Vec<u8> = (0..lines).flat_map(|line| [b'@' + line, b'X', b'\n']).collect();
        let (ours, theirs) = (edited(&base, &ours, ends_ours), edited(&base, &theirs, ends_theirs));
        prop_assert_eq!(merge(&base, &ours, &theirs).ok(), by_git(&base, &ours, &theirs));
    }

    /// Which of several equal lines was kept can be told in two ways, so that one finds a conflict and the other none.
    #[test]
    fn where_lines_repeat_clean_merges_are_those_of_git(
        lines in proptest::collection::vec(0..20_u8, 0..40),
        (ours, theirs) in (edits(), edits()),
    ) {
        let base: Vec<u8> = lines.iter().flat_map(|line| [b'0' + line, b'\n']).collect();
        let (ours, theirs) = (edited(&base, &ours, true), edited(&base, &theirs, true));
        if let (Ok(merged), Some(gits)) = (merge(&base, &ours, &theirs), by_git(&base, &ours, &theirs)) {
            prop_assert_eq!(merged, gits);
        }
    }

    #[test]
    fn a_side_that_changed_nothing_leaves_the_others(base in "[ab\n\r]{0,40}", text in "[ab\n\r]{0,40}") {
        let (base, text) = (base.as_bytes(), text.as_bytes());
        prop_assert_eq!(merge(base, base, text).unwrap(), text);
        prop_assert_eq!(merge(base, text, base).unwrap(), text);
        prop_assert_eq!(merge(base, text, text).unwrap(), text);
    }

    #[test]
    fn the_sides_can_be_exchanged(base in "[abc\n]{0,40}", ours in "[abc\n]{0,40}", theirs in "[abc\n]{0,40}") {
        let (base, ours, theirs) = (base.as_bytes(), ours.as_bytes(), theirs.as_bytes());
        prop_assert_eq!(merge(base, ours, theirs).ok(), merge(base, theirs, ours).ok());
    }
}
