//! For any bytes in any chunks: only what the allow-list has comes out, however the input was cut, and filtering
//! again changes nothing.

use proptest::prelude::*;

use super::super::modes::PRIVATE_MODES;
use super::super::*;
use super::{filtered, piped};

/// Bytes in which sequences, strings, odd characters and noise are all likely.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..6),
        4 => "[a-z ~]{1,4}".prop_map(String::into_bytes),
        4 => prop::collection::vec(any::<char>(), 1..3).prop_map(|chars| chars.into_iter().collect::<String>().into_bytes()),
        8 => "\x1b\\[[?>!]{0,1}[0-9;:]{0,8}[ $]{0,1}[@-~]".prop_map(String::into_bytes),
        4 => (prop::collection::vec(prop::sample::select(vec![1u16, 6, 7, 25, 47, 1000, 1047, 1048, 1049, 2004]), 1..3), any::<bool>())
            .prop_map(|(numbers, on)| {
                let list: Vec<String> = numbers.iter().map(u16::to_string).collect();
                format!("\x1b[?{}{}", list.join(";"), if on { 'h' } else { 'l' }).into_bytes()
            }),
        3 => "\x1b[ -~]".prop_map(String::into_bytes),
        2 => "\x1b[\\]PX^_][ -~]{0,6}(\x07|\x1b\\\\|\x18|)".prop_map(String::into_bytes),
        3 => prop::sample::select(vec!["\u{301}", "\u{fe0f}", "\u{200d}", "😀", "日", "\u{202e}", "\x07", "\n", "\r", "\t", "\x08", "\x0e", "\x0f", "\x1b(0", "\u{9b}", "\u{3000}", "x\x1b[3b", "\x7f", "1", "ﬀ"])
            .prop_map(|piece| piece.as_bytes().to_vec()),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

pub(super) fn in_chunks(medium: Medium, input: &[u8], lengths: &[usize]) -> Vec<u8> {
    let (mut filter, mut out, mut rest) = (Filter::new(medium), Vec::new(), input);
    for length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (chunk, after) = rest.split_at((*length).clamp(1, rest.len()));
        filter.feed(chunk, &mut out);
        rest = after;
    }
    out
}

/// Reads the filter's output with a reader of its own, which knows the allow-list only.
pub(super) fn assert_allowed(out: &[u8]) -> Result<(), TestCaseError> {
    let text = std::str::from_utf8(out).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\x1b' => {}
            '\x07' | '\x08' | '\t' | '\n' | '\r' => continue,
            _ => {
                prop_assert!(!c.is_control(), "control U+{:04X}", u32::from(c));
                prop_assert!(!hides(c), "invisible U+{:04X}", u32::from(c));
                continue;
            }
        }
        match chars.next() {
            Some('7' | '8' | 'M' | '=' | '>') => continue,
            Some('[') => {}
            other => return Err(TestCaseError::fail(format!("ESC {other:?}"))),
        }
        let body: String = chars.by_ref().take_while_inclusive_final().collect();
        assert_sequence(&body)?;
    }
    Ok(())
}

fn hides(c: char) -> bool {
    let ranges = [
        (0xad, 0xad),
        (0x61c, 0x61c),
        (0x200b, 0x200c),
        (0x200e, 0x200f),
        (0x2028, 0x202e),
        (0x2060, 0x206f),
    ];
    let more = [(0xfe00, 0xfe0d), (0xfeff, 0xfeff), (0xfff0, 0xfffc), (0xe0000, 0xe0fff), (0x3164, 0x3164)];
    ranges.iter().chain(&more).any(|(first, last)| (*first..=*last).contains(&u32::from(c)))
}

trait TakeSequence: Iterator<Item = char> {
    /// Up to and with the final byte of a control sequence.
    fn take_while_inclusive_final(self) -> impl Iterator<Item = char>;
}

impl<I: Iterator<Item = char>> TakeSequence for I {
    fn take_while_inclusive_final(mut self) -> impl Iterator<Item = char> {
        let mut ended = false;
        std::iter::from_fn(move || {
            if ended {
                return None;
            }
            let c = self.next()?;
            ended = ('@'..='~').contains(&c);
            Some(c)
        })
    }
}

fn assert_sequence(body: &str) -> Result<(), TestCaseError> {
    let (parameters, last) = body.split_at(body.len().saturating_sub(1));
    let numbers: Vec<u16> = parameters
        .trim_start_matches('?')
        .trim_end_matches(' ')
        .split([';', ':'])
        .map(|number| if number.is_empty() { Ok(0) } else { number.parse() })
        .collect::<Result<_, _>>()
        .map_err(|error| TestCaseError::fail(format!("CSI {body}: {error}")))?;
    prop_assert!(numbers.iter().all(|number| *number <= 9999), "CSI {body}");
    let allowed = match last {
        "h" | "l" if parameters.starts_with('?') => {
            numbers.len() == 1 && PRIVATE_MODES.iter().any(|mode| mode.number == numbers[0])
        }
        _ if parameters.starts_with('?') => false,
        "h" | "l" => parameters == "4",
        "q" => parameters.ends_with(' ') && numbers[0] <= 6,
        "m" => numbers.len() <= 64,
        "J" | "K" => numbers.len() == 1 && numbers[0] <= 2,
        "H" | "r" => numbers.len() <= 2,
        "b" => numbers.len() == 1 && numbers[0] <= 1000,
        _ => numbers.len() == 1 && "@ABCDEFGLMPSTXZd".contains(last),
    };
    prop_assert!(allowed && !parameters.contains(['>', '<', '=', '!', '$', '"', '\'']), "CSI {body}");
    prop_assert!(last == "m" || !parameters.contains(':'), "CSI {body}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn only_what_the_allow_list_has_comes_out(input in hostile()) {
        assert_allowed(&filtered(&input))?;
        let piped = piped(&input);
        assert_allowed(&piped)?;
        prop_assert!(!piped.windows(2).any(|pair| pair[0] == 0x1b && pair[1] != b'['));
    }

    #[test]
    fn the_output_does_not_depend_on_the_chunks(input in hostile(), lengths in prop::collection::vec(1usize..9, 1..6)) {
        for medium in [Medium::Terminal, Medium::Pipe] {
            let whole = in_chunks(medium, &input, &[usize::MAX]);
            prop_assert_eq!(&in_chunks(medium, &input, &lengths), &whole);
            prop_assert_eq!(&in_chunks(medium, &input, &[1]), &whole);
        }
    }

    #[test]
    fn filtering_twice_is_filtering_once(input in hostile()) {
        let once = filtered(&input);
        prop_assert_eq!(filtered(&once), once);
        let once = piped(&input);
        prop_assert_eq!(piped(&once), once);
    }

    /// The model takes any output at any size, through resizes, repaints and resets, without a panic.
    #[test]
    fn the_model_survives_anything(
        inputs in prop::collection::vec((hostile(), 0u16..40, 0u16..40), 1..5),
        rows in 0u16..12,
        columns in 0u16..12,
    ) {
        let mut terminal = Terminal::new(Size::new(rows, columns));
        let (mut out, mut replies) = (Vec::new(), Vec::new());
        for (input, rows, columns) in inputs {
            terminal.feed(&input, &mut out, &mut replies);
            let mut painted = Vec::new();
            terminal.repaint(&mut painted);
            let mut dropped = Filter::new(Medium::Terminal);
            dropped.feed(&painted, &mut Vec::new());
            prop_assert_eq!(Dropped { characters: 0, ..dropped.dropped() }, Dropped::default());
            terminal.resize(Size::new(rows, columns));
            terminal.leave(Departure::Detach, &mut painted);
        }
        assert_allowed(&out)?;
    }

    #[test]
    fn a_line_of_our_own_has_only_what_can_be_seen(bytes in hostile(), columns in 0usize..40) {
        let shown = visible_within(&bytes, columns);
        let seen = shown.chars().all(|c| !c.is_control() && !hides(c));
        prop_assert!(seen);
        prop_assert!(shown.chars().count() <= columns.saturating_mul(5));
    }
}
