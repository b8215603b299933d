//! A line of others' text as cells of a screen: each one character wide or two, and each one that can be seen.
//!
//! Whatever deceives comes spelt out. Which colours the cells have is decided elsewhere.

use super::colour::Token;
use cofferdam_policy::glyph::{self, Glyph};
use cofferdam_policy::review::visible::{Piece, Spelt, visible};
use std::ops::Range;

/// A line of more than this many bytes is cut; how much is missing is said.
pub(super) const LINE_BYTES_MAX: usize = 2_000;
const TAB_COLUMNS: usize = 4;
/// Marks on one character that are shown on it; more are spelt out.
const MARKS_MAX: usize = 4;

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) character: char,
    /// Accents and the like, on the character.
    pub(super) marks: String,
    pub(super) columns: usize,
    pub(super) kind: Kind,
    /// Within the part of the line that differs from its counterpart.
    pub(super) stressed: bool,
}

/// What a cell is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The text's own.
    Text(Token),
    /// A part of a spelling: what stands there can't be seen, or is not what it seems.
    Spelt,
    /// Our own words.
    Said,
}

/// The bytes that a token covers.
pub(super) type Tokens = Vec<(Range<usize>, Token)>;

/// `line` without its line end, in cells. `stressed` is the part that differs.
pub(super) fn cells(line: &[u8], tokens: &Tokens, stressed: &Range<usize>) -> Vec<Cell> {
    let cut = cut(line);
    let mut row = Cells { cells: Vec::with_capacity(cut.len()), columns: 0, stressed: false };
    let (mut at, mut token) = (0, tokens.iter().peekable());
    let last_seen = cut.trim_ascii_end().len();
    for piece in visible(cut) {
        row.stressed = stressed.contains(&at);
        match piece {
            Piece::Text(text) => {
                for c in text.chars() {
                    while token.next_if(|(range, _)| range.end <= at).is_some() {}
                    let kind = token.peek().filter(|(range, _)| range.contains(&at));
                    row.stressed = stressed.contains(&at);
                    let drawn = if c == ' ' && at >= last_seen { '·' } else { c };
                    row.push(drawn, Kind::Text(kind.map_or(Token::Plain, |(_, token)| *token)));
                    at += c.len_utf8();
                }
            }
            Piece::Tab => {
                let next = (row.columns / TAB_COLUMNS + 1) * TAB_COLUMNS;
                while row.columns < next {
                    row.plain(' ', Kind::Text(Token::Plain));
                }
                at += 1;
            }
            Piece::Mark(spelling) => {
                row.say(&spelling.to_string(), Kind::Spelt);
                at += match spelling.what {
                    Spelt::Character(c) => c.len_utf8(),
                    Spelt::Byte(_) => 1,
                };
            }
        }
    }
    row.stressed = false;
    if cut.len() < line.len() {
        row.say(&format!(" … {} more bytes on this line", line.len() - cut.len()), Kind::Said);
    }
    row.cells
}

/// As much of a line as is shown, never half a character.
fn cut(line: &[u8]) -> &[u8] {
    let mut end = line.len().min(LINE_BYTES_MAX);
    while end > 0 && end < line.len() && line.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
        // At most three bytes: more of them are no character.
        if LINE_BYTES_MAX - end >= 3 {
            end = LINE_BYTES_MAX;
            break;
        }
        end -= 1;
    }
    line.get(..end).unwrap_or(line)
}

/// Our own words, in cells.
pub(super) fn said(text: &str) -> Vec<Cell> {
    let mut row = Cells { cells: Vec::new(), columns: 0, stressed: false };
    for c in text.chars() {
        row.push(c, Kind::Said);
    }
    row.cells
}

/// The cells cut into rows of so many columns; at least one row.
pub(super) fn wrapped(cells: &[Cell], columns: usize) -> Vec<&[Cell]> {
    let (mut rows, mut start, mut used) = (Vec::new(), 0, 0);
    for (at, cell) in cells.iter().enumerate() {
        if used + cell.columns > columns && at > start {
            rows.push(cells.get(start..at).unwrap_or_default());
            (start, used) = (at, 0);
        }
        used += cell.columns;
    }
    rows.push(cells.get(start..).unwrap_or_default());
    rows
}

/// As [`wrapped`], but between words where there is a blank.
pub(super) fn between_words(cells: &[Cell], columns: usize) -> Vec<&[Cell]> {
    let mut rows = Vec::new();
    let mut rest = cells;
    // No more of the rest is looked at than can be in one row.
    while let [row, _, ..] = wrapped(rest.get(..=columns).unwrap_or(rest), columns).as_slice() {
        let blank = row.iter().rposition(|cell| cell.character == ' ').filter(|at| *at > 0);
        let end = blank.map_or(row.len(), |at| at + 1);
        let (row, below) = rest.split_at(end);
        rows.push(row);
        rest = below;
    }
    rows.push(rest);
    rows
}

struct Cells {
    cells: Vec<Cell>,
    columns: usize,
    stressed: bool,
}

impl Cells {
    fn push(&mut self, c: char, kind: Kind) {
        match Glyph::of(c) {
            Glyph::Base => self.plain(c, kind),
            Glyph::Mark => match self.cells.last_mut() {
                Some(last) if last.marks.chars().count() < MARKS_MAX && last.kind != Kind::Spelt => {
                    last.marks.push(c);
                }
                Some(_) | None => self.spell(c),
            },
            // What has a meaning after an emoji is legitimate, but terminals differ in how wide the whole is.
            Glyph::Blank
            | Glyph::WideBlank
            | Glyph::Icon
            | Glyph::Presentation
            | Glyph::Joiner
            | Glyph::Hidden => self.spell(c),
        }
    }

    fn spell(&mut self, c: char) {
        self.say(&format!("<U+{:04X}>", u32::from(c)), Kind::Spelt);
    }

    fn say(&mut self, text: &str, kind: Kind) {
        for c in text.chars() {
            self.plain(c, kind);
        }
    }

    fn plain(&mut self, character: char, kind: Kind) {
        let columns = glyph::columns(character);
        self.columns += columns;
        self.cells.push(Cell { character, marks: String::new(), columns, kind, stressed: self.stressed });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &[u8]) -> String {
        cells(line, &Vec::new(), &(0..0))
            .iter()
            .map(|cell| format!("{}{}", cell.character, cell.marks))
            .collect()
    }

    #[test]
    fn nothing_invisible_or_of_unsure_width_becomes_a_cell() {
        assert_eq!(
            shown("a\u{1b}]8;;x\u{7}b\u{202e}c\r".as_bytes()),
            "a<U+001B>]8;;x<U+0007>b<U+202E>c<U+000D>"
        );
        assert_eq!(shown("❤\u{fe0f}".as_bytes()), "❤<U+FE0F>");
        assert_eq!(shown("e\u{301}".as_bytes()), "e\u{301}");
        assert_eq!(shown(b"\tx\xff  "), "    x<0xFF>··");
    }

    #[test]
    fn a_long_line_is_cut_and_says_by_how_much() {
        let line = "é".repeat(50_000);
        let row = shown(line.as_bytes());
        assert!(row.ends_with(" … 98000 more bytes on this line"), "{}", &row[row.len() - 60..]);
        assert!(shown(&[0x80; 100_000]).contains("more bytes"));
    }

    #[test]
    fn a_row_is_never_wider_than_its_columns_but_for_one_wide_character() {
        let row = cells("a中b中cd".as_bytes(), &Vec::new(), &(0..0));
        let rows: Vec<usize> =
            wrapped(&row, 3).iter().map(|row| row.iter().map(|cell| cell.columns).sum()).collect();
        assert_eq!(rows, [3, 3, 2]);
    }
}
