//! Names and texts of unknown origin, shown on a line of our own: in tables, errors and questions.
//!
//! Only what a person can see stays as it is ([`cofferdam_policy::glyph`], and no private use); everything else is escaped, as
//! `\xNN` for bytes that are not UTF-8 and `\u{..}` for characters. A backslash is doubled, so that no text can
//! pretend to have been escaped. Letters that look like other letters are shown as they are, and letters of scripts
//! written from right to left may still be reordered among themselves by the terminal.

use cofferdam_policy::glyph::{self, Glyph};

/// Columns of [`visible`].
pub const VISIBLE_COLUMNS_MAX: usize = 200;

/// Marks on one character that are shown.
const MARKS_PER_CHARACTER_MAX: usize = 4;

const ELLIPSIS: char = '…';

/// `bytes` on one line of at most [`VISIBLE_COLUMNS_MAX`] columns.
#[must_use]
pub fn visible(bytes: &[u8]) -> String {
    visible_within(bytes, VISIBLE_COLUMNS_MAX)
}

/// `bytes` on one line of at most `columns_max` columns; what does not fit is replaced by `…`. No escape is cut.
#[must_use]
pub fn visible_within(bytes: &[u8], columns_max: usize) -> String {
    let mut line = Line { text: String::new(), columns: 0, columns_max, room_for_ellipsis: 0, marks: None };
    for chunk in bytes.utf8_chunks() {
        let fits = chunk.valid().chars().all(|c| line.push(c))
            && chunk.invalid().iter().all(|byte| line.push_escape(&format!("\\x{byte:02x}")));
        if !fits {
            line.text.truncate(line.room_for_ellipsis);
            if columns_max > 0 {
                line.text.push(ELLIPSIS);
            }
            return line.text;
        }
    }
    line.show_last_blank();
    line.text
}

struct Line {
    text: String,
    columns: usize,
    columns_max: usize,
    /// Length of the text to which an ellipsis can still be added.
    room_for_ellipsis: usize,
    /// Marks on the last character; `None` if none can stand there.
    marks: Option<usize>,
}

impl Line {
    /// False if there is no room.
    fn push(&mut self, c: char) -> bool {
        match (c, Glyph::of(c), self.marks) {
            ('\\', _, _) => self.push_escape("\\\\"),
            ('\n', _, _) => self.push_escape("\\n"),
            ('\r', _, _) => self.push_escape("\\r"),
            ('\t', _, _) => self.push_escape("\\t"),
            // A blank at the start would be taken for the table's.
            (' ', _, _) if self.text.is_empty() => self.push_escape(BLANK_ESCAPED),
            (_, Glyph::Base, _) => {
                let taken = self.take(glyph::columns(c), |text| text.push(c));
                self.marks = Some(0);
                taken
            }
            (_, Glyph::Mark, Some(marks)) if marks < MARKS_PER_CHARACTER_MAX => {
                self.marks = Some(marks + 1);
                self.take(0, |text| text.push(c))
            }
            (
                _,
                Glyph::Mark
                | Glyph::Blank
                | Glyph::WideBlank
                | Glyph::Icon
                | Glyph::Presentation
                | Glyph::Joiner
                | Glyph::Hidden,
                _,
            ) => self.push_escape(&c.escape_unicode().to_string()),
        }
    }

    fn push_escape(&mut self, escape: &str) -> bool {
        self.marks = None;
        self.take(escape.len(), |text| text.push_str(escape))
    }

    fn take(&mut self, columns: usize, push: impl FnOnce(&mut String)) -> bool {
        if self.columns.saturating_add(columns) > self.columns_max {
            return false;
        }
        self.columns += columns;
        push(&mut self.text);
        if self.columns < self.columns_max {
            self.room_for_ellipsis = self.text.len();
        }
        true
    }

    /// A blank at the end would not be seen at all.
    fn show_last_blank(&mut self) {
        if self.text.ends_with(' ') && self.columns.saturating_add(BLANK_ESCAPED.len()) <= self.columns_max {
            self.text.pop();
            self.text.push_str(BLANK_ESCAPED);
        }
    }
}

const BLANK_ESCAPED: &str = "\\u{20}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in ["src/main.rs", "a b-c_d.txt", "größe", "e\u{301}te\u{301}", "日本語.md", "مرحبا", "😀"]
        {
            assert_eq!(visible(name.as_bytes()), name);
        }
    }

    #[test]
    fn what_a_person_would_not_see_is_spelt_out() {
        for (bytes, shown) in [
            (&b"a\nb\tc\rd"[..], "a\\nb\\tc\\rd"),
            (b"\x1b]52;c;AA\x07", "\\u{1b}]52;c;AA\\u{7}"),
            (b"\xff\xfe.txt", "\\xff\\xfe.txt"),
            ("invoice\u{202e}fdp.exe".as_bytes(), "invoice\\u{202e}fdp.exe"),
            (
                "a\u{200b}b\u{feff}\u{ad}\u{3164}\u{2800}".as_bytes(),
                "a\\u{200b}b\\u{feff}\\u{ad}\\u{3164}\\u{2800}",
            ),
            ("a\u{fe0f}\u{e0041}\u{9b}".as_bytes(), "a\\u{fe0f}\\u{e0041}\\u{9b}"),
            ("a\u{a0}b\u{3000}\u{e000}".as_bytes(), "a\\u{a0}b\\u{3000}\\u{e000}"),
            (b" both ends ", "\\u{20}both ends\\u{20}"),
        ] {
            assert_eq!(visible(bytes), shown);
        }
    }

    #[test]
    fn a_name_cannot_pretend_to_have_been_escaped() {
        assert_eq!(visible(br"\u{202e}"), r"\\u{202e}");
    }

    #[test]
    fn marks_need_a_character_and_do_not_pile_up() {
        assert_eq!(visible("\u{301}a".as_bytes()), "\\u{301}a");
        assert_eq!(visible("a\n\u{301}".as_bytes()), "a\\n\\u{301}");
        let piled = format!("a{}", "\u{301}".repeat(5));
        assert_eq!(visible(piled.as_bytes()), format!("a{}\\u{{301}}", "\u{301}".repeat(4)));
    }

    #[test]
    fn the_width_is_bounded_and_no_escape_is_cut() {
        assert_eq!(visible_within(b"abcdef", 6), "abcdef");
        assert_eq!(visible_within(b"abcdefg", 6), "abcde…");
        assert_eq!(visible_within("日本語文".as_bytes(), 6), "日本…");
        assert_eq!(visible_within(b"abc\x1b\x1bd", 6), "abc…");
        assert_eq!(visible_within(b"abc", 0), "");
        assert_eq!(visible_within(b"", 0), "");
        assert_eq!(visible(&[b'a'; 100_000]).chars().count(), VISIBLE_COLUMNS_MAX);
    }
}
