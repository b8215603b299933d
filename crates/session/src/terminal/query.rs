//! The questions that an agent may put to its terminal, and our answers.
//!
//! They are answered from here and never by the owner's terminal: an answer that comes late, after a detach or the
//! end, would be typed into the owner's shell. All others stay unanswered (colours, window size in pixels, titles,
//! settings, terminal names, key protocols): programs that ask send DA1 after the question and go on when DA1 is
//! answered. No answer is itself a question, so an echoing pty cannot make a loop.

use std::io::Write as _;

use super::screen::Cursor;

/// Answers to one call of [`super::Terminal::feed`]; more questions in one chunk are not answered.
pub const REPLY_BYTES_MAX: usize = 512;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Query {
    /// DSR 5: are you well?
    Status,
    /// DSR 6: where is the cursor?
    CursorPosition,
    /// DA1: what are you?
    PrimaryAttributes,
    /// DA2: which version?
    SecondaryAttributes,
}

impl Query {
    /// The question that `CSI marker number final_byte` is.
    pub(super) fn parse(marker: Option<u8>, number: u16, final_byte: u8) -> Option<Self> {
        match (marker, number, final_byte) {
            (None, 5, b'n') => Some(Self::Status),
            (None, 6, b'n') => Some(Self::CursorPosition),
            (None, 0, b'c') => Some(Self::PrimaryAttributes),
            (Some(b'>'), 0, b'c') => Some(Self::SecondaryAttributes),
            _ => None,
        }
    }

    /// Appends the answer, unless `replies` would grow beyond `end`.
    pub(super) fn answer(self, cursor: Cursor, end: usize, replies: &mut Vec<u8>) {
        let start = replies.len();
        match self {
            Self::Status => replies.extend_from_slice(b"\x1b[0n"),
            // Writing to a Vec cannot fail.
            Self::CursorPosition => {
                write!(replies, "\x1b[{};{}R", cursor.row, cursor.column).unwrap_or_default();
            }
            // A VT220 with ANSI colours, as several terminals of today say.
            Self::PrimaryAttributes => replies.extend_from_slice(b"\x1b[?62;22c"),
            // An xterm too old for editors to ask it for what we do not answer, of a number that they take to speak
            // decimal mouse reports.
            Self::SecondaryAttributes => replies.extend_from_slice(b"\x1b[>0;95;0c"),
        }
        if replies.len() > end {
            replies.truncate(start);
        }
    }
}
