//! From the bytes that a keyboard sends to keys, and from keys to acts.
//!
//! What is not understood is nothing: a late answer of the terminal's, or a paste, is never a decision (ATTACKS 21).

use super::model::Mode;

/// The longest sequence that is waited for; a longer one is thrown away until it ends.
const SEQUENCE_BYTES_MAX: usize = 64;

/// The same of a string.
const STRING_BYTES_MAX: usize = SEQUENCE_BYTES_MAX * SEQUENCE_BYTES_MAX;

/// One key, or a paste.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    Character(char),
    /// With Ctrl.
    Control(char),
    Enter,
    Escape,
    Erase,
    Tab,
    BackTab,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
    /// Characters that were pasted: typed text at most.
    Pasted(char),
}

/// What a person wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Down,
    Up,
    PageDown,
    PageUp,
    HalfDown,
    HalfUp,
    Top,
    Bottom,
    NextHunk,
    PreviousHunk,
    NextItem,
    PreviousItem,
    NextOpen,
    Take,
    Leave,
    TakeItem,
    LeaveItem,
    TakeRest,
    LeaveRest,
    Split,
    Undo,
    Note,
    NoteItem,
    Search,
    NextMatch,
    PreviousMatch,
    ToggleBeside,
    ToggleList,
    Help,
    Finish,
    Quit,
    Confirm,
    Cancel,
    Erase,
    Character(char),
}

/// The keys, for the help page and the document: what they are, and what they do.
pub(super) const HELP: &[(&str, &str)] = &[
    ("a", "take this hunk, or the entry where it has none"),
    ("x", "leave it out"),
    ("A  X", "take, or leave out, the whole entry"),
    ("s", "split the hunk into its changes"),
    ("u", "take the last decision back"),
    ("c  C", "note on the line, on the entry"),
    ("", ""),
    ("j k  ↓ ↑", "line by line"),
    ("space b", "read on, from entry to entry; back (also PgDn, PgUp)"),
    ("tab", "next hunk; shift-tab: the one before"),
    ("l h  → ←", "next entry, the one before"),
    ("o", "next that is not decided"),
    ("g G", "beginning, end"),
    ("/ n N", "search, next, the one before"),
    ("", ""),
    ("|", "side by side, or one under another"),
    ("f", "list of entries on, off"),
    ("R", "take all the rest that was on the screen and is not notable"),
    ("L", "leave all the rest out"),
    ("F", "finish: see what is chosen, then confirm"),
    ("q", "quit: nothing is recorded"),
];

/// The act of a key in a mode; nothing if it has none there.
pub(super) fn act(mode: &Mode, key: &Key) -> Option<Act> {
    let typing = matches!(mode, Mode::Typing { .. });
    Some(match key {
        Key::Control('c') => Act::Quit,
        Key::Enter => Act::Confirm,
        Key::Escape => Act::Cancel,
        Key::Erase => Act::Erase,
        Key::Character(c) | Key::Pasted(c) if typing => Act::Character(*c),
        Key::Pasted(_) => return None,
        Key::Character(c) => of_character(*c)?,
        Key::Control('d') => Act::HalfDown,
        Key::Control('u') => Act::HalfUp,
        Key::Control('f') | Key::PageDown => Act::PageDown,
        Key::Control('b') | Key::PageUp => Act::PageUp,
        Key::Control('n') | Key::Down => Act::Down,
        Key::Control('p') | Key::Up => Act::Up,
        Key::Control(_) => return None,
        Key::Tab => Act::NextHunk,
        Key::BackTab => Act::PreviousHunk,
        Key::Left => Act::PreviousItem,
        Key::Right => Act::NextItem,
        Key::Home => Act::Top,
        Key::End => Act::Bottom,
    })
}

fn of_character(c: char) -> Option<Act> {
    Some(match c {
        'j' => Act::Down,
        'k' => Act::Up,
        ' ' => Act::PageDown,
        'b' => Act::PageUp,
        'g' => Act::Top,
        'G' => Act::Bottom,
        'l' => Act::NextItem,
        'h' => Act::PreviousItem,
        'o' => Act::NextOpen,
        'a' => Act::Take,
        'x' => Act::Leave,
        'A' => Act::TakeItem,
        'X' => Act::LeaveItem,
        'R' => Act::TakeRest,
        'L' => Act::LeaveRest,
        's' => Act::Split,
        'u' => Act::Undo,
        'c' => Act::Note,
        'C' => Act::NoteItem,
        '/' => Act::Search,
        'n' => Act::NextMatch,
        'N' => Act::PreviousMatch,
        '|' => Act::ToggleBeside,
        'f' => Act::ToggleList,
        '?' => Act::Help,
        'F' => Act::Finish,
        'q' => Act::Quit,
        _ => return None,
    })
}

/// Bytes become keys, across reads.
#[derive(Debug, Default)]
pub(super) struct Keyboard {
    pending: Vec<u8>,
    pasting: bool,
    /// The end of this is waited for, and all until then thrown away.
    skipping: Option<Long>,
}

/// What is longer than anything that is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Long {
    Sequence,
    String,
}

impl Keyboard {
    /// The keys of `bytes`; what is not complete waits for more.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Key> {
        self.pending.extend_from_slice(bytes);
        let mut keys = Vec::new();
        while self.has_skipped()
            && let Some((length, key)) = next(&self.pending, self.pasting)
        {
            self.pending.drain(..length);
            match key {
                Read::PasteBegins => self.pasting = true,
                Read::PasteEnds => self.pasting = false,
                Read::TooLong(long) => self.skipping = Some(long),
                Read::Key(Key::Character(c)) if self.pasting => keys.push(Key::Pasted(c)),
                // What else stands in a paste is no key of a person's.
                Read::Key(key) if !self.pasting => keys.push(key),
                Read::Key(_) | Read::Nothing => {}
            }
        }
        keys
    }

    /// Throws away what goes on from something too long: the rest of a long answer is no more a decision than its
    /// beginning. Whether there is nothing (any more) to throw away.
    fn has_skipped(&mut self) -> bool {
        let Some(long) = self.skipping else { return true };
        let end = match long {
            Long::Sequence => self.pending.iter().position(ends_sequence).map(|at| at + 1),
            Long::String => string_end(&self.pending),
        };
        let length = end.unwrap_or(self.pending.len() - unfinished(&self.pending));
        self.pending.drain(..length);
        self.skipping = self.skipping.filter(|_| end.is_none());
        self.skipping.is_none()
    }

    /// Whether an escape byte may still be the key or the beginning of a sequence.
    pub(super) fn is_waiting(&self) -> bool {
        !self.pending.is_empty() || self.skipping.is_some()
    }

    /// Nothing followed: an escape byte was the key, and anything else nothing.
    pub(super) fn settle(&mut self) -> Option<Key> {
        let escape = self.pending == [0x1b] && !self.pasting && self.skipping.is_none();
        self.pending.clear();
        self.skipping = None;
        escape.then_some(Key::Escape)
    }
}

enum Read {
    Key(Key),
    PasteBegins,
    PasteEnds,
    TooLong(Long),
    Nothing,
}

/// The first key of `bytes` and how long it is; nothing if more must come.
fn next(bytes: &[u8], pasting: bool) -> Option<(usize, Read)> {
    let (first, rest) = bytes.split_first()?;
    let one = |key| Some((1, Read::Key(key)));
    match first {
        0x1b if pasting => in_paste(rest),
        0x1b => escape(rest),
        b'\r' => one(Key::Enter),
        b'\t' => one(Key::Tab),
        0x08 | 0x7f => one(Key::Erase),
        0x01..=0x1a => one(Key::Control(char::from(first + b'a' - 1))),
        0x00..=0x1f => Some((1, Read::Nothing)),
        b' '..=b'~' => one(Key::Character(char::from(*first))),
        _ => character(bytes),
    }
}

fn character(bytes: &[u8]) -> Option<(usize, Read)> {
    let chunk = bytes.utf8_chunks().next()?;
    if let Some(c) = chunk.valid().chars().next() {
        return Some((c.len_utf8(), Read::Key(Key::Character(c))));
    }
    // Up to three bytes may be the beginning of a character.
    (bytes.len() > chunk.invalid().len() || bytes.len() > 3).then_some((chunk.invalid().len(), Read::Nothing))
}

/// In a paste a sequence ends at the next escape at the latest, and a string is none: else a text with the beginning of
/// one would swallow the paste's own end, and no key would count any more.
fn in_paste(rest: &[u8]) -> Option<(usize, Read)> {
    if !matches!(rest.first()?, b'[' | b'O') {
        return Some((1, Read::Nothing));
    }
    let sequence = rest.get(..SEQUENCE_BYTES_MAX).unwrap_or(rest);
    let end = sequence.iter().skip(1).position(|byte| ends_sequence(byte) || *byte == 0x1b).map(|at| at + 1);
    match end {
        Some(at) if rest.get(..=at) == Some(b"[201~") => Some((at + 2, Read::PasteEnds)),
        Some(at) => Some((at + 1 + usize::from(rest.get(at) != Some(&0x1b)), Read::Nothing)),
        None => (rest.len() >= SEQUENCE_BYTES_MAX).then_some((1, Read::Nothing)),
    }
}

fn ends_sequence(byte: &u8) -> bool {
    (0x40..=0x7e).contains(byte)
}

fn escape(rest: &[u8]) -> Option<(usize, Read)> {
    match rest.first()? {
        b'[' | b'O' => {}
        // A string of the terminal's own, as answers are: thrown away to its end.
        b']' | b'P' | b'_' | b'^' | b'X' => return string(rest),
        0x1b => return Some((1, Read::Key(Key::Escape))),
        _ => return Some((2, Read::Nothing)),
    }
    let Some(end) = rest.iter().skip(1).position(ends_sequence).map(|at| at + 1) else {
        let long = Read::TooLong(Long::Sequence);
        return (rest.len() > SEQUENCE_BYTES_MAX).then_some((rest.len() + 1, long));
    };
    let read = match rest.get(1..=end).unwrap_or_default() {
        b"A" => Read::Key(Key::Up),
        b"B" => Read::Key(Key::Down),
        b"C" => Read::Key(Key::Right),
        b"D" => Read::Key(Key::Left),
        b"H" | b"1~" | b"7~" => Read::Key(Key::Home),
        b"F" | b"4~" | b"8~" => Read::Key(Key::End),
        b"Z" => Read::Key(Key::BackTab),
        b"5~" => Read::Key(Key::PageUp),
        b"6~" => Read::Key(Key::PageDown),
        b"200~" => Read::PasteBegins,
        b"201~" => Read::PasteEnds,
        _ => Read::Nothing,
    };
    Some((end + 2, read))
}

fn string(rest: &[u8]) -> Option<(usize, Read)> {
    match rest.get(1..).and_then(string_end) {
        Some(length) => Some((length + 2, Read::Nothing)),
        None => {
            let length = rest.len() + 1 - unfinished(rest);
            (rest.len() > STRING_BYTES_MAX).then_some((length, Read::TooLong(Long::String)))
        }
    }
}

/// How long the rest of a string is: to a BEL, or to an escape and a backslash.
fn string_end(bytes: &[u8]) -> Option<usize> {
    let end = |(at, byte): (usize, &u8)| match byte {
        0x07 => Some(at + 1),
        b'\\' if at.checked_sub(1).and_then(|before| bytes.get(before)) == Some(&0x1b) => Some(at + 1),
        _ => None,
    };
    bytes.iter().enumerate().find_map(end)
}

/// The escape at the end may be the first half of what ends a string.
fn unfinished(bytes: &[u8]) -> usize {
    usize::from(bytes.last() == Some(&0x1b))
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_the_keys_of_the_help_page() {
        let document = include_str!("../../../../../docs/review.md");
        let escaped = |text: &str| text.replace('|', "\\|");
        for (keys, what) in HELP.iter().filter(|(keys, _)| !keys.is_empty()) {
            let row = format!("| `{}` | {} |", escaped(keys), escaped(what));
            assert!(document.contains(&row), "docs/review.md lacks: {row}");
        }
    }

    #[test]
    fn keys_are_told_apart_also_when_they_come_in_parts() {
        let mut keyboard = Keyboard::default();
        assert_eq!(
            keyboard.feed(b"a\r\x1b[B\x1bOA\x03"),
            [Key::Character('a'), Key::Enter, Key::Down, Key::Up, Key::Control('c')]
        );
        assert_eq!(keyboard.feed(b"\x1b"), []);
        assert!(keyboard.is_waiting());
        assert_eq!(keyboard.feed(b"[6~"), [Key::PageDown]);
        assert_eq!(keyboard.feed(b"\xc3"), []);
        assert_eq!(keyboard.feed(b"\xa9"), [Key::Character('é')]);
        assert_eq!(keyboard.feed(b"\x1b"), []);
        assert_eq!(keyboard.settle(), Some(Key::Escape));
    }

    #[test]
    fn neither_a_paste_nor_an_answer_of_the_terminals_is_a_decision() {
        let mut keyboard = Keyboard::default();
        let pasted = keyboard.feed(b"\x1b[200~A\rq\x1b[B\x1b[201~x");
        assert_eq!(pasted, [Key::Pasted('A'), Key::Pasted('q'), Key::Character('x')]);
        assert_eq!(act(&Mode::Browsing, &Key::Pasted('A')), None);
        let answers = b"\x1b[?62;1;4c\x1b]11;rgb:0000/AAAA/ffff\x07\x1bP>|xterm A\x1b\\\x1b[24;80R\x1b[?1;2c";
        let keys = Keyboard::default().feed(answers);
        assert_eq!(keys, []);
    }

    #[test]
    fn no_bytes_are_kept_for_ever_nor_passed_twice() {
        for byte in 0..=255_u8 {
            for begin in [&b""[..], b"\x1b", b"\x1b[", b"\x1b]", b"\x1bP\x1b"] {
                let mut keyboard = Keyboard::default();
                let bytes = [begin, &vec![byte; 10_000]].concat();
                bytes.chunks(701).for_each(|part| drop(keyboard.feed(part)));
                assert!(keyboard.pending.len() <= STRING_BYTES_MAX + 8);
            }
        }
    }

    #[test]
    fn an_answer_that_is_longer_than_any_and_comes_in_parts_is_no_decision() {
        let long = "A".repeat(3 * STRING_BYTES_MAX);
        for (answer, part) in [
            (format!("\x1b]52;c;{long}\x07"), 701),
            (format!("\x1bP{long}\x1b\\"), 1),
            (format!("\x1b_{long}\x1b\\"), STRING_BYTES_MAX),
            (format!("\x1b[{}A", "1;".repeat(500)), 70),
        ] {
            let mut keyboard = Keyboard::default();
            let keys: Vec<Key> =
                answer.as_bytes().chunks(part).flat_map(|part| keyboard.feed(part)).collect();
            assert_eq!(keys, [], "{part}");
            assert_eq!(keyboard.feed(b"q"), [Key::Character('q')], "what comes after it counts");
        }
        let mut keyboard = Keyboard::default();
        assert_eq!(keyboard.feed(format!("\x1b]{long}").as_bytes()), []);
        assert!(keyboard.is_waiting());
        assert_eq!((keyboard.settle(), keyboard.feed(b"q")), (None, vec![Key::Character('q')]));
    }

    #[test]
    fn a_paste_ends_whatever_is_in_it() {
        for text in ["\x1b]0;x", "\x1b[", "\x1b[20", "\x1bP\x1b", "\x1b\x1b"] {
            let mut keyboard = Keyboard::default();
            let keys = keyboard.feed(format!("\x1b[200~{text}\x1b[201~").as_bytes());
            assert!(keys.iter().all(|key| matches!(key, Key::Pasted(_))), "{keys:?}");
            assert_eq!(keyboard.feed(b"\x03"), [Key::Control('c')], "{text:?}");
        }
    }
}
