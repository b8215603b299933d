//! Any text of any language: the colours of a line lie in it one after another, and what is shown of it is the same text as
//! without them.

use super::super::cells::{Cell, LINE_BYTES_MAX, cells};
use super::*;
use cofferdam_fuzz::{fuzz, parts};

#[test]
fn colours_lie_in_their_line_and_change_no_text() {
    fuzz("review_colour", target);
}

/// The name of a file, and what is in it.
fn target(input: &[u8]) -> (Vec<Token>, State) {
    let [path, text] = parts(input);
    let language = Language::of(path, text);
    let (mut state, mut seen) = (State::default(), Vec::new());
    for line in text.split(|byte| *byte == b'\n') {
        let (tokens, next) = language.scan(state, line, LINE_BYTES_MAX);
        assert!(tokens.is_sorted_by(|a, b| a.0.end <= b.0.start), "{tokens:?}");
        assert!(tokens.iter().all(|(range, _)| range.start < range.end && range.end <= line.len()));
        let (coloured, plain) = (cells(line, &tokens, &(0..0)), cells(line, &Vec::new(), &(0..0)));
        let shown = |cell: &Cell| (cell.character, cell.marks.clone(), cell.columns);
        assert!(coloured.iter().map(shown).eq(plain.iter().map(shown)));
        assert!(plain.iter().all(|cell| !cell.character.is_control()));
        for (_, token) in tokens {
            if !seen.contains(&token) {
                seen.push(token);
            }
        }
        state = next;
    }
    (seen, state)
}
