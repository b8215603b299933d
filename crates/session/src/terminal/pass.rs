//! What each thing that the parser finds does: printed again, replaced, translated, or dropped and counted.
//!
//! Whether something is admitted depends on what was admitted before ([`State::last`]), never on what was dropped.
//! How the input is cut into pieces for the parser is [`super::filter`]'s affair.

use vte::{Params, Perform};

use super::charset::Charsets;
use super::filter::{Dropped, Medium};
use super::modes::{self, ALTERNATE_SCREEN, Modes, PRIVATE_MODES, ScrollRegion};
use super::query::Query;
use super::sequence::Sequence;
use super::sgr::{write_attributes, write_number};
use cofferdam_policy::glyph::{self, Glyph};

/// Marks on one character; more would be drawn over the neighbouring lines.
const MARKS_PER_CHARACTER_MAX: u8 = 8;

const BEL: u8 = 0x07;

#[derive(Debug)]
pub(super) struct State {
    medium: Medium,
    charsets: Charsets,
    /// Printable ASCII stands for itself: asked for each character.
    ascii: bool,
    pub(super) modes: Modes,
    last: Last,
    marks: u8,
    pub(super) dropped: Dropped,
}

/// What was admitted last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Character(char),
    Bell,
    Other,
}

impl State {
    pub(super) fn new(medium: Medium) -> Self {
        Self {
            medium,
            charsets: Charsets::default(),
            ascii: true,
            modes: Modes::default(),
            last: Last::Other,
            marks: 0,
            dropped: Dropped::default(),
        }
    }
}

/// The state together with where its output goes, for one call.
pub(super) struct Pass<'a> {
    pub(super) state: &'a mut State,
    pub(super) out: &'a mut Vec<u8>,
    pub(super) query: Option<Query>,
}

impl Perform for Pass<'_> {
    #[inline]
    fn print(&mut self, c: char) {
        match c {
            ' '..='~' if self.state.ascii => {
                self.out.push(c as u8);
                self.state.last = Last::Character(c);
            }
            ' '..='~' => self.base(self.state.charsets.translate(c)),
            '\x7f' => self.state.dropped.controls += 1,
            _ => self.print_beyond_ascii(c),
        }
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            // A run of bells is one bell.
            BEL if self.state.last == Last::Bell => self.state.dropped.controls += 1,
            BEL => {
                self.out.push(BEL);
                self.state.last = Last::Bell;
            }
            b'\x08' | b'\t' | b'\n' | b'\r' => self.control(&[byte]),
            // VT and FF are LF on every terminal.
            0x0b | 0x0c if self.state.medium == Medium::Terminal => self.control(b"\n"),
            0x0e | 0x0f if self.state.medium == Medium::Terminal => {
                self.state.charsets.shift(byte == 0x0e);
                self.state.ascii = self.state.charsets.is_ascii();
            }
            // C1 in one byte or in two: a sequence's start to some terminals, nothing to others.
            0x80..=0x9f => self.hidden(),
            // NUL, ENQ (answerback), DC1 and DC3 (flow control), CAN, SUB and the rest.
            _ => self.state.dropped.controls += 1,
        }
    }

    fn hook(&mut self, _: &Params, _: &[u8], _: bool, _: char) {}

    fn put(&mut self, _: u8) {}

    fn unhook(&mut self) {}

    fn osc_dispatch(&mut self, _: &[&[u8]], _: bool) {
        self.state.dropped.strings += 1;
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: char) {
        let parsed = match u8::try_from(action) {
            Ok(final_byte) if !ignore => Sequence::parse(params, intermediates, final_byte),
            Ok(_) | Err(_) => None,
        };
        match (parsed, self.state.medium) {
            (Some(Sequence::Attributes), _) => self.attributes(params),
            (Some(sequence), Medium::Terminal) => self.sequence(sequence, params),
            (Some(_), Medium::Pipe) | (None, _) => self.state.dropped.sequences += 1,
        }
    }

    fn esc_dispatch(&mut self, intermediates: &[u8], ignore: bool, byte: u8) {
        // ST, the end of a string that is gone.
        if intermediates.is_empty() && byte == b'\\' {
            return;
        }
        if ignore || self.state.medium == Medium::Pipe || !self.escape(intermediates, byte) {
            self.state.dropped.sequences += 1;
        }
    }

    fn terminated(&self) -> bool {
        self.query.is_some()
    }
}

/// Text and control characters.
impl Pass<'_> {
    fn print_beyond_ascii(&mut self, c: char) {
        let last = match self.state.last {
            Last::Character(last) => Some(last),
            Last::Bell | Last::Other => None,
        };
        match Glyph::of(c) {
            Glyph::Base | Glyph::Icon => self.base(c),
            Glyph::Blank => self.base(' '),
            Glyph::WideBlank => {
                self.base(' ');
                self.base(' ');
            }
            Glyph::Mark if last.is_some() => self.mark(c),
            Glyph::Presentation if last.is_some_and(glyph::takes_presentation) => self.base(c),
            Glyph::Joiner if last.is_some_and(glyph::takes_joiner) => self.append(c),
            Glyph::Mark | Glyph::Presentation | Glyph::Joiner | Glyph::Hidden => self.hidden(),
        }
    }

    fn base(&mut self, c: char) {
        self.state.marks = 0;
        self.append(c);
    }

    /// The count is taken up again only after a character beyond ASCII or a mark, hence the look at the last one.
    fn mark(&mut self, c: char) {
        if matches!(self.state.last, Last::Character(' '..='~')) {
            self.state.marks = 0;
        }
        if self.state.marks < MARKS_PER_CHARACTER_MAX {
            self.state.marks += 1;
            self.append(c);
        } else {
            self.hidden();
        }
    }

    fn hidden(&mut self) {
        self.state.dropped.characters += 1;
        self.base(char::REPLACEMENT_CHARACTER);
    }

    fn append(&mut self, c: char) {
        self.out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        self.state.last = Last::Character(c);
    }

    fn control(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
        self.state.last = Last::Other;
    }
}

/// Sequences.
impl Pass<'_> {
    fn escape(&mut self, intermediates: &[u8], byte: u8) -> bool {
        match (intermediates, byte) {
            ([], b'7') => self.save_cursor(),
            ([], b'8') => self.restore_cursor(),
            // IND is LF and NEL is CR LF: the terminal is never in newline mode.
            ([], b'D') => self.control(b"\n"),
            ([], b'E') => self.control(b"\r\n"),
            ([], b'M') => self.control(b"\x1bM"),
            ([], b'=') => self.keypad(true),
            ([], b'>') => self.keypad(false),
            ([], b'c') => self.full_reset(),
            ([slot], name) => {
                let known = self.state.charsets.designate(*slot, name);
                self.state.ascii = self.state.charsets.is_ascii();
                return known;
            }
            _ => return false,
        }
        true
    }

    fn sequence(&mut self, sequence: Sequence, params: &Params) {
        match sequence {
            Sequence::Counted { count: 1, final_byte } => self.write(&[], final_byte),
            Sequence::Counted { count, final_byte } => self.write(&[count], final_byte),
            Sequence::Position { row: 1, column: 1 } => self.write(&[], b'H'),
            Sequence::Position { row, column } => self.write(&[row, column], b'H'),
            Sequence::Erase { part: 0, final_byte } => self.write(&[], final_byte),
            Sequence::Erase { part, final_byte } => self.write(&[part], final_byte),
            Sequence::ScrollRegion(region) => self.scroll_region(region),
            Sequence::Tabs(count) => (0..count).for_each(|_| self.control(b"\t")),
            Sequence::Repeat(count) => self.repeat(count),
            Sequence::Attributes => self.attributes(params),
            Sequence::PrivateModes { on } => {
                for number in params.iter().flatten() {
                    self.private_mode(*number, on);
                }
            }
            Sequence::InsertMode { on } => self.insert_mode(on),
            Sequence::CursorStyle(style) => self.cursor_style(style),
            Sequence::CursorSave => self.save_cursor(),
            Sequence::CursorRestore => self.restore_cursor(),
            Sequence::SoftReset => self.soft_reset(),
            Sequence::Ask(query) => self.query = Some(query),
        }
    }

    /// `CSI numbers final`
    fn write(&mut self, numbers: &[u16], final_byte: u8) {
        self.out.extend_from_slice(b"\x1b[");
        for (place, number) in numbers.iter().enumerate() {
            if place > 0 {
                self.out.push(b';');
            }
            write_number(self.out, *number);
        }
        self.control(&[final_byte]);
    }

    fn attributes(&mut self, params: &Params) {
        let before = self.out.len();
        if !write_attributes(params, self.out) {
            self.state.dropped.sequences += 1;
        }
        if self.out.len() > before {
            self.state.last = Last::Other;
        }
    }

    /// REP means the character printed just before; after anything else terminals differ.
    fn repeat(&mut self, count: u16) {
        match self.state.last {
            Last::Character(c) if c == ' ' || Glyph::of(c) == Glyph::Base => self.write(&[count], b'b'),
            Last::Character(_) | Last::Bell | Last::Other => self.state.dropped.sequences += 1,
        }
    }

    fn scroll_region(&mut self, region: ScrollRegion) {
        self.state.modes.scroll_region = region;
        match region {
            ScrollRegion { top: 0 | 1, bottom: 0 } => self.write(&[], b'r'),
            ScrollRegion { top, bottom: 0 } => self.write(&[top], b'r'),
            ScrollRegion { top, bottom } => self.write(&[top.max(1), bottom], b'r'),
        }
    }

    fn private_mode(&mut self, number: u16, on: bool) {
        let number = match number {
            47 | 1047 => ALTERNATE_SCREEN,
            1048 if on => return self.save_cursor(),
            1048 => return self.restore_cursor(),
            other => other,
        };
        if self.state.modes.set_private(number, on) {
            modes::write_private(self.out, number, on);
            self.state.last = Last::Other;
        } else {
            self.state.dropped.sequences += 1;
        }
    }

    fn insert_mode(&mut self, on: bool) {
        self.state.modes.inserting = on;
        self.write(&[4], if on { b'h' } else { b'l' });
    }

    fn keypad(&mut self, sequences: bool) {
        self.state.modes.keypad_sequences = sequences;
        self.control(if sequences { b"\x1b=" } else { b"\x1b>" });
    }

    fn cursor_style(&mut self, style: u16) {
        self.state.modes.cursor_style = style;
        modes::write_sequence(self.out, format_args!("{style} q"));
        self.state.last = Last::Other;
    }

    fn save_cursor(&mut self) {
        self.state.charsets.save();
        self.control(b"\x1b7");
    }

    fn restore_cursor(&mut self) {
        self.state.charsets.restore();
        self.state.ascii = self.state.charsets.is_ascii();
        self.control(b"\x1b8");
    }

    /// DECSTR, spelt out: terminals disagree on what it covers. The cursor stays where it is.
    fn soft_reset(&mut self) {
        self.state.charsets = Charsets::default();
        self.state.ascii = true;
        self.save_cursor();
        self.scroll_region(ScrollRegion::default());
        self.restore_cursor();
        self.insert_mode(false);
        self.keypad(false);
        for mode in PRIVATE_MODES.iter().filter(|mode| matches!(mode.number, 1 | 7 | 25)) {
            self.private_mode(mode.number, mode.normally_on);
        }
        self.control(b"\x1b[0m");
    }

    /// RIS would erase the owner's scrollback on many terminals: everything is put back without it.
    fn full_reset(&mut self) {
        if self.state.modes.on_alternate_screen() {
            self.private_mode(ALTERNATE_SCREEN, false);
        }
        self.soft_reset();
        self.cursor_style(0);
        for mode in PRIVATE_MODES.iter().filter(|mode| mode.number != ALTERNATE_SCREEN) {
            self.private_mode(mode.number, mode.normally_on);
        }
        self.write(&[], b'H');
        self.write(&[2], b'J');
    }
}
