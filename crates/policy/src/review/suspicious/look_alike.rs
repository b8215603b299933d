//! Words that read as ASCII and are not, by Unicode's table of confusables (UTS 39).
//!
//! Letters with accents are no imitation: they are seen. A line of prose in one other script is let be where it holds no
//! ASCII letter: many of its short words consist of letters that ASCII has too. Whether a word is known to a language
//! is not asked.

use super::{Finding, Mark};
use crate::glyph::Glyph;
use unicode_security::{MixedScript as _, skeleton};

/// Words longer than that are looked at piece by piece, in bytes.
const WORD_BYTES_MAX: usize = 256;

/// Adds the marks of look-alikes to those of `line`, and keeps all in order.
pub(super) fn add(line: &[u8], found: &mut Vec<Mark>) {
    let mut added = Vec::new();
    let prose = is_foreign_prose(line);
    let mut start = 0_usize;
    for chunk in line.utf8_chunks() {
        for (at, word) in words(chunk.valid()) {
            of_word(word, start.saturating_add(at), prose, &mut added);
        }
        let length = chunk.valid().len().saturating_add(chunk.invalid().len());
        start = start.saturating_add(length);
    }
    if !added.is_empty() {
        found.append(&mut added);
        found.sort_by_key(|mark| mark.at.start);
        found.dedup_by_key(|mark| mark.at.start);
    }
}

fn of_word(word: &str, start: usize, prose: bool, found: &mut Vec<Mark>) {
    if word.is_ascii() {
        return;
    }
    let imitating = word.char_indices().filter(|(_, c)| imitates_ascii(*c));
    let spans = imitating.map(|(at, c)| {
        let at = start.saturating_add(at);
        at..at.saturating_add(c.len_utf8())
    });
    let finding = match reads_as_ascii(word) {
        true if !prose => Finding::LookAlike,
        false if !word.is_single_script() => Finding::MixedScript,
        true | false => return,
    };
    found.extend(spans.map(|at| Mark { at, finding }));
}

/// Letters, digits and marks in a row; and each other character by itself.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
        let in_word = |(at, c): &(usize, char)| {
            *at < WORD_BYTES_MAX && (c.is_alphanumeric() || Glyph::of(*c) == Glyph::Mark)
        };
        let last = rest.char_indices().take_while(in_word).last();
        let first = rest.chars().next().map_or(1, char::len_utf8);
        let length = last.map_or(first, |(at, c)| at.saturating_add(c.len_utf8()));
        let word = (start, rest.get(..length).unwrap_or(rest));
        start = start.saturating_add(word.1.len());
        Some(word)
    })
}

/// Whether nobody could tell the word from one in ASCII.
fn reads_as_ascii(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii() || imitates_ascii(c))
}

/// Whether nobody could tell it from an ASCII character.
pub(super) fn imitates_ascii(c: char) -> bool {
    if c.is_ascii() || is_known_sight(c) || Glyph::of(c) != Glyph::Base {
        return false;
    }
    skeleton(c.encode_utf8(&mut [0; 4])).all(|c| c.is_ascii_graphic())
}

/// Letters of the western alphabets, and punctuation that typography and East Asian writing use all the time.
const fn is_known_sight(c: char) -> bool {
    match c {
        '\u{131}' | '\u{138}' | '\u{17f}' => false,
        '\u{a1}'..='\u{17f}'
        | '\u{2010}'..='\u{2027}'
        | '\u{2030}'..='\u{2034}'
        | '\u{203a}'
        | '\u{2039}' => true,
        '\u{2190}'..='\u{21ff}'
        | '\u{2500}'..='\u{25ff}'
        | '\u{2700}'..='\u{27bf}'
        | '\u{3001}'..='\u{30ff}' => true,
        // Full-width punctuation, not full-width letters and digits.
        '\u{ff01}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}' | '\u{ff5b}'..='\u{ff65}' => true,
        '\u{4e00}'..='\u{9fff}' => true,
        _ => false,
    }
}

/// No ASCII letter, and a word of two letters or more that could not be ASCII.
fn is_foreign_prose(line: &[u8]) -> bool {
    if line.iter().any(u8::is_ascii_alphabetic) {
        return false;
    }
    let mut texts = line.utf8_chunks().flat_map(|chunk| words(chunk.valid()));
    texts
        .any(|(_, word)| word.chars().filter(|c| c.is_alphabetic()).nth(1).is_some() && !reads_as_ascii(word))
}
