//! Any bytes of a keyboard's or a terminal's are the same keys in whichever parts they come, and what stands in a paste,
//! or in an answer, is none.

use super::*;
use cofferdam_fuzz::{fuzz, parts};

#[test]
fn keys_are_the_same_in_whatever_parts_they_come() {
    fuzz("review_keys", target);
}

/// What is sent, and a text that is pasted or answered.
fn target(input: &[u8]) -> Vec<Key> {
    let [sent, text] = parts(input);
    let fed = |part: usize| {
        let mut keyboard = Keyboard::default();
        let keys: Vec<Key> = sent.chunks(part).flat_map(|part| keyboard.feed(part)).collect();
        (keys, keyboard.settle(), keyboard.feed(b"q"))
    };
    let whole = fed(usize::MAX);
    for part in [1, 2, 5, 64] {
        assert_eq!(fed(part), whole, "in parts of {part}");
    }
    let holds = |bytes: &[u8]| text.windows(bytes.len()).any(|window| window == bytes);
    let pasted = Keyboard::default().feed(&[b"\x1b[200~", text].concat());
    assert!(holds(b"\x1b[201~") || pasted.iter().all(|key| matches!(key, Key::Pasted(_))), "{pasted:?}");
    let mut keyboard = Keyboard::default();
    let answered = [b"\x1b]", text, b"\x1b\\"].concat();
    let keys: Vec<Key> = answered.chunks(3).flat_map(|part| keyboard.feed(part)).collect();
    assert!(holds(b"\x07") || holds(b"\x1b\\") || keys.is_empty(), "{keys:?}");
    whole.0
}
