//! Making a new input of old ones: bytes and ranges changed, pieces of other inputs and words put in.
//!
//! It knows no format. Words come from the seeds themselves, and from a list of bytes that parsers trip over.

use crate::{INPUT_BYTES_MAX, SEPARATOR};
use std::collections::BTreeSet;
use std::ops::Range;

/// Bytes that mean something to one parser or another.
const HOSTILE: [&[u8]; 36] = [
    SEPARATOR,
    b"\0",
    b"\r\n",
    b"\n",
    b"\t",
    b" ",
    b"..",
    b"../",
    b"/",
    b"//",
    b"\\",
    b"\"",
    b"'",
    b"\"\"\"",
    b"[",
    b"]",
    b"{",
    b"}",
    b"=",
    b":",
    b";",
    b"#",
    b"%",
    b"@",
    b"*",
    b"**",
    b"?",
    b"\x1b[",
    b"\x1b]",
    b"\x07",
    b"\xc2\x9b",
    b"\xe2\x80\xae",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\xf0\x9f\x98\x80",
    b"18446744073709551616",
];

const NUMBERS: [u64; 8] = [0, 1, 0x7f, 0xff, 0x7fff_ffff, 0xffff_ffff, 0x7fff_ffff_ffff_ffff, u64::MAX];

/// Lengths of words that are taken from the seeds, in bytes.
const WORD_BYTES: Range<usize> = 2..33;

/// The most changes to one input.
const CHANGES_MAX: usize = 4;

/// The longest piece that is moved, doubled or removed, in bytes.
const PIECE_BYTES_MAX: usize = 64;

#[derive(Debug)]
pub(crate) struct Mutator {
    state: u64,
    words: Vec<Vec<u8>>,
}

impl Mutator {
    pub(crate) fn new(seed: u64, seeds: &[Vec<u8>]) -> Self {
        let in_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        let words: BTreeSet<&[u8]> =
            seeds.iter().flat_map(|seed| seed.split(|byte| !in_word(byte))).collect();
        let words = words.into_iter().filter(|word| WORD_BYTES.contains(&word.len())).map(<[u8]>::to_vec);
        Self { state: seed, words: words.collect() }
    }

    /// A changed copy of one of `pool`.
    pub(crate) fn mutated(&mut self, pool: &[Vec<u8>]) -> Vec<u8> {
        let mut input = self.pick(pool).cloned().unwrap_or_default();
        for _ in 0..=self.below(CHANGES_MAX) {
            self.change(&mut input, pool);
        }
        input.truncate(INPUT_BYTES_MAX);
        input
    }

    pub(crate) fn pick_mut<'a, T>(&mut self, among: &'a mut [T]) -> Option<&'a mut T> {
        let at = self.below(among.len());
        among.get_mut(at)
    }

    fn pick<'a, T>(&mut self, among: &'a [T]) -> Option<&'a T> {
        among.get(self.below(among.len()))
    }

    fn change(&mut self, input: &mut Vec<u8>, pool: &[Vec<u8>]) {
        let piece = self.piece(input.len());
        match self.below(9) {
            0 => {
                let bit = 1 << self.below(8);
                if let Some(byte) = self.pick_mut(input) {
                    *byte ^= bit;
                }
            }
            1 => drop(input.drain(piece)),
            2 => drop(input.splice(piece, std::iter::empty())),
            3 => {
                let copy = input.get(piece).unwrap_or_default().repeat(1 + self.below(8));
                self.insert(input, &copy);
            }
            4 => {
                let word = self.pick(&HOSTILE).copied().unwrap_or_default();
                self.insert(input, word);
            }
            5 => {
                let words = std::mem::take(&mut self.words);
                if let Some(word) = self.pick(&words) {
                    input.splice(piece, word.iter().copied());
                }
                self.words = words;
            }
            6 => {
                let number = self.pick(&NUMBERS).copied().unwrap_or_default().to_le_bytes();
                let width = 1 << self.below(4);
                let end = piece.start.saturating_add(width).min(input.len());
                input.splice(piece.start..end, number.into_iter().take(width));
            }
            7 => {
                let random = u8::try_from(self.below(256)).unwrap_or_default();
                self.insert(input, &[random]);
            }
            _ => {
                let other = self.pick(pool).cloned().unwrap_or_default();
                let from = self.piece(other.len());
                self.insert(input, other.get(from).unwrap_or_default());
            }
        }
    }

    fn insert(&mut self, input: &mut Vec<u8>, bytes: &[u8]) {
        let at = self.below(input.len() + 1);
        input.splice(at..at, bytes.iter().copied());
    }

    /// A range within `length`, short more often than long.
    fn piece(&mut self, length: usize) -> Range<usize> {
        let start = self.below(length);
        let longest = 1 + self.below(PIECE_BYTES_MAX);
        let end = start.saturating_add(1 + self.below(longest)).min(length);
        start..end
    }

    /// Below `end`, or 0.
    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % end).unwrap_or_default()
    }

    /// SplitMix64, by Steele, Lea and Flood: "Fast splittable pseudorandom number generators".
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
