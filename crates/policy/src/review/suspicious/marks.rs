//! Where in a line the characters stand that deceive: the one list that findings and display are both made from.
//!
//! It knows nothing of lines as wholes (their length, their blanks); that is the part of `line`.

use super::Finding;
use super::look_alike::{self, imitates_ascii};
use crate::glyph::{Glyph, takes_joiner, takes_presentation};
use std::ops::Range;

/// Marks on one character that writing needs.
pub const MARKS_PER_CHARACTER_MAX: usize = 4;

/// One character, or one byte that is no text, that is not to be shown as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Its bytes in the line.
    pub at: Range<usize>,
    /// What it is.
    pub finding: Finding,
}

/// The marks of a line, in order and apart from each other. The tab is none, nor is a line end.
#[must_use]
pub fn marks(line: &[u8]) -> Vec<Mark> {
    if line.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\n')) {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut start = 0_usize;
    for chunk in line.utf8_chunks() {
        of_text(chunk.valid(), start, &mut found);
        start = start.saturating_add(chunk.valid().len());
        for _ in chunk.invalid() {
            let end = start.saturating_add(1);
            found.push(Mark { at: start..end, finding: Finding::NotUtf8 });
            start = end;
        }
    }
    look_alike::add(line, &mut found);
    found
}

fn of_text(text: &str, start: usize, found: &mut Vec<Mark>) {
    let mut before: Option<char> = None;
    let mut piled: Option<usize> = None;
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        let rest = text.get(at..).unwrap_or_default();
        let after =
            characters.peek().map(|(_, after)| *after).filter(|after| Glyph::of(*after) == Glyph::Base);
        let glyph = Glyph::of(c);
        let finding = match glyph {
            _ if matches!(c, '\t' | '\n') => None,
            Glyph::Base => None,
            Glyph::Mark => match piled {
                Some(count) if count < MARKS_PER_CHARACTER_MAX => None,
                Some(_) | None => Some(Finding::PiledMarks),
            },
            Glyph::Presentation if before.is_some_and(takes_presentation) => None,
            Glyph::Joiner if before.is_some_and(takes_joiner) && after.is_some_and(takes_joiner) => None,
            Glyph::Presentation => Some(Finding::VariationSelector),
            Glyph::Blank | Glyph::WideBlank => Some(Finding::UnusualBlank),
            Glyph::Icon => Some(Finding::PrivateUse),
            Glyph::Joiner | Glyph::Hidden => Some(hidden(c, rest)),
        };
        piled = match (glyph, finding.is_none()) {
            (Glyph::Base, true) => Some(0),
            (Glyph::Mark, true) => piled.map(|count| count.saturating_add(1)),
            (Glyph::Presentation | Glyph::Joiner, true) => piled,
            (Glyph::Base | Glyph::Mark | Glyph::Presentation | Glyph::Joiner, false)
            | (Glyph::Blank | Glyph::WideBlank | Glyph::Icon | Glyph::Hidden, _) => None,
        };
        if let Some(finding) = finding {
            let at = start.saturating_add(at);
            found.push(Mark { at: at..at.saturating_add(c.len_utf8()), finding });
        }
        // What is spelt out can bear nothing.
        before = (finding.is_none() && !imitates_ascii(c)).then_some(c);
    }
}

/// What kind of character it is that can't be seen. `rest` begins with it.
fn hidden(c: char, rest: &str) -> Finding {
    match c {
        '\r' => Finding::CarriageReturn,
        '\u{1b}' if rest.starts_with("\u{1b}]8;") => Finding::Hyperlink,
        '\u{9d}' if rest.starts_with("\u{9d}8;") => Finding::Hyperlink,
        // CSI, DCS, OSC, SOS, PM, APC, single shifts; shift in and out; enquiry.
        '\u{1b}' | '\u{8e}'..='\u{90}' | '\u{98}'..='\u{9f}' | '\u{e}' | '\u{f}' | '\u{5}' => {
            Finding::ControlSequence
        }
        _ if c.is_control() => Finding::Control,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            Finding::Bidi
        }
        '\u{e0000}'..='\u{e007f}' => Finding::Tag,
        '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' | '\u{180b}'..='\u{180d}' | '\u{180f}' => {
            Finding::VariationSelector
        }
        _ => Finding::Invisible,
    }
}
