//! A line of others' text in pieces that can be printed: whatever deceives is spelt out in ASCII, as `<U+202E>`.
//!
//! What is left as it is can be seen, moves no cursor and stands for itself. Nothing is shortened, wrapped or coloured
//! here: that is done by who prints. Letters of scripts that are written from right to left stay, and a terminal may
//! still reorder them among themselves; `suspicious` says so.

use super::suspicious::{Finding, Mark, marks};
use std::fmt;

/// A piece of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// To be printed as it is.
    Text(&'a str),
    /// One tab: to be printed as blanks up to the next stop.
    Tab,
    /// Not to be printed; its [`fmt::Display`] is.
    Mark(Spelling),
}

/// A character or byte, spelt out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spelling {
    /// What it is.
    pub what: Spelt,
    /// Why it is not shown; `None` for a `<` that would look like a spelling.
    pub finding: Option<Finding>,
}

/// What is spelt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelt {
    /// A character.
    Character(char),
    /// A byte that is no text.
    Byte(u8),
}

impl fmt::Display for Spelling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            Spelt::Character(c) => write!(f, "<U+{:04X}>", u32::from(c)),
            Spelt::Byte(byte) => write!(f, "<0x{byte:02X}>"),
        }
    }
}

impl fmt::Display for Piece<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Tab => f.write_str("\t"),
            Self::Mark(spelling) => spelling.fmt(f),
        }
    }
}

/// `line`, without its line end, in pieces. No text can pretend to have been spelt out: such a `<` is itself.
#[must_use]
pub fn visible(line: &[u8]) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut start = 0;
    for Mark { at, finding } in marks(line) {
        plain(line.get(start..at.start).unwrap_or_default(), &mut pieces);
        let bytes = line.get(at.clone()).unwrap_or_default();
        let character = std::str::from_utf8(bytes).ok().and_then(|text| text.chars().next());
        let byte = bytes.first().copied().unwrap_or_default();
        let what = character.map_or(Spelt::Byte(byte), Spelt::Character);
        pieces.push(Piece::Mark(Spelling { what, finding: Some(finding) }));
        start = at.end;
    }
    plain(line.get(start..).unwrap_or_default(), &mut pieces);
    pieces
}

/// Text without marks; a line break in it is spelt, for a line has none.
fn plain<'a>(bytes: &'a [u8], pieces: &mut Vec<Piece<'a>>) {
    let mut rest = std::str::from_utf8(bytes).unwrap_or_default();
    while let Some(at) = rest.find(['\t', '\n', '<']) {
        let (before, from) = rest.split_at(at);
        let (piece, length) = match from.as_bytes().first() {
            Some(b'\t') => (Piece::Tab, 1),
            Some(b'\n') => (spelt('\n', Some(Finding::Control)), 1),
            _ if from.starts_with("<U+") || from.starts_with("<0x") => (spelt('<', None), 1),
            _ => {
                let end = from
                    .get(1..)
                    .and_then(|after| after.find(['\t', '\n', '<']))
                    .map_or(from.len(), |at| at + 1);
                (Piece::Text(from.get(..end).unwrap_or_default()), end)
            }
        };
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        pieces.push(piece);
        rest = from.get(length..).unwrap_or_default();
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
}

const fn spelt<'a>(c: char, finding: Option<Finding>) -> Piece<'a> {
    Piece::Mark(Spelling { what: Spelt::Character(c), finding })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &[u8]) -> String {
        visible(line).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn plain_text_stays_as_it_is() {
        for line in [
            "",
            "fn main() {",
            "a < b && c > d <= e",
            "größe = 1; // Straße",
            "日本語、（中文）。",
            "❤️ 👩‍💻 ✓",
            "привет, мир",
            "don’t — “quote” …",
            "e\u{301}te\u{301}",
            "x² ≤ ½",
            "\tindented",
        ] {
            assert_eq!(shown(line.as_bytes()), line);
        }
    }

    #[test]
    fn what_deceives_is_spelt_out() {
        for (line, expected) in [
            (&b"a\x1b[2Jb\x07"[..], "a<U+001B>[2Jb<U+0007>"),
            (b"safe\rEVIL", "safe<U+000D>EVIL"),
            (b"\xff\xfe", "<0xFF><0xFE>"),
            ("a\u{202e}b\u{2066}".as_bytes(), "a<U+202E>b<U+2066>"),
            ("x\u{e0041}\u{e0100}\u{fe0f}".as_bytes(), "x<U+E0041><U+E0100><U+FE0F>"),
            ("\u{3164}\u{a0}\u{2800}\u{ad}".as_bytes(), "<U+3164><U+00A0><U+2800><U+00AD>"),
            ("if p\u{430}yp\u{430}l {".as_bytes(), "if p<U+0430>yp<U+0430>l {"),
            ("environment\u{1c3}=x".as_bytes(), "environment<U+01C3>=x"),
            ("a\nb".as_bytes(), "a<U+000A>b"),
        ] {
            assert_eq!(shown(line), expected);
        }
    }

    #[test]
    fn no_text_can_pretend_to_have_been_spelt_out() {
        assert_eq!(shown(b"<U+202E> <0xFF> <u+1>"), "<U+003C>U+202E> <U+003C>0xFF> <u+1>");
    }
}
