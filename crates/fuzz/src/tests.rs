//! The harness finds what can be found, makes it small, and is the same every time.

use super::*;

#[test]
fn parts_are_split_at_lines_of_their_own() {
    assert_eq!(parts::<3>(b"a%%\n%%\nb"), [&b"a%%"[..], b"b", b""]);
    assert_eq!(parts::<2>(b"a\n%%\nb\n%%\nc"), [&b"a"[..], b"b\n%%\nc"]);
    assert_eq!(parts::<2>(b""), [&b""[..], b""]);
}

#[test]
fn an_input_that_breaks_the_target_is_found_and_shown_small() {
    fn target(input: &[u8]) -> usize {
        let far = input.windows(2).filter(|pair| pair == b"/.").count();
        assert!(far < 3, "three of them");
        far
    }
    let failed = catch_unwind(|| fuzz("harness", target)).unwrap_err();
    let message = failed.downcast_ref::<String>().unwrap();
    assert!(
        message.contains("harness breaks on b\"/./././\"") || message.contains("b\"/././.\""),
        "{message}"
    );
}

#[test]
fn a_short_run_is_the_same_every_time() {
    let pool = vec![b"one two".to_vec(), b"three".to_vec()];
    let made = || {
        let mut mutator = Mutator::new(7, &pool);
        (0..100).map(|_| mutator.mutated(&pool)).collect::<Vec<_>>()
    };
    assert_eq!(made(), made());
    assert!(made().iter().any(|input| !pool.contains(input)));
}
