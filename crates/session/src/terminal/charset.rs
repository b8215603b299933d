//! The DEC character sets, translated to Unicode here.
//!
//! Designations (`ESC ( 0`) and shifts (SO, SI) never reach the owner's terminal: a session that ends while line
//! drawing is on would turn the owner's shell into boxes. So our own output is the same text in every set.
//!
//! Only G0 and G1 with the sets B (ASCII), 0 (line drawing) and A (United Kingdom) exist; the single and locking
//! shifts to G2 and G3 do not.

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Set {
    #[default]
    Ascii,
    LineDrawing,
    UnitedKingdom,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Designations {
    g0: Set,
    g1: Set,
    shifted_out: bool,
}

/// The sets in use, and those put aside with the cursor by `ESC 7`.
#[derive(Clone, Debug, Default)]
pub(super) struct Charsets {
    current: Designations,
    saved: Designations,
}

impl Charsets {
    /// `ESC slot name`. False if there is no such slot or set.
    pub(super) fn designate(&mut self, slot: u8, name: u8) -> bool {
        let set = match name {
            b'B' => Set::Ascii,
            b'0' => Set::LineDrawing,
            b'A' => Set::UnitedKingdom,
            _ => return false,
        };
        match slot {
            b'(' => self.current.g0 = set,
            b')' => self.current.g1 = set,
            // G2 and G3 can be designated but, without their shifts, are never shown.
            b'*' | b'+' => {}
            _ => return false,
        }
        true
    }

    pub(super) fn shift(&mut self, out: bool) {
        self.current.shifted_out = out;
    }

    pub(super) fn save(&mut self) {
        self.saved = self.current;
    }

    pub(super) fn restore(&mut self) {
        self.current = self.saved;
    }

    /// True while printable ASCII stands for itself.
    pub(super) fn is_ascii(&self) -> bool {
        self.active() == Set::Ascii
    }

    pub(super) fn translate(&self, c: char) -> char {
        match self.active() {
            Set::Ascii => c,
            Set::UnitedKingdom => united_kingdom(c),
            Set::LineDrawing => line_drawing(c),
        }
    }

    fn active(&self) -> Set {
        if self.current.shifted_out { self.current.g1 } else { self.current.g0 }
    }
}

fn united_kingdom(c: char) -> char {
    if c == '#' { '£' } else { c }
}

/// The DEC Special Character and Line Drawing Set (VT220 Programmer Reference Manual, table 2-4).
fn line_drawing(c: char) -> char {
    match c {
        '_' => ' ',
        '`' => '◆',
        'a' => '▒',
        'b' => '␉',
        'c' => '␌',
        'd' => '␍',
        'e' => '␊',
        'f' => '°',
        'g' => '±',
        'h' => '␤',
        'i' => '␋',
        'j' => '┘',
        'k' => '┐',
        'l' => '┌',
        'm' => '└',
        'n' => '┼',
        'o' => '⎺',
        'p' => '⎻',
        'q' => '─',
        'r' => '⎼',
        's' => '⎽',
        't' => '├',
        'u' => '┤',
        'v' => '┴',
        'w' => '┬',
        'x' => '│',
        'y' => '≤',
        'z' => '≥',
        '{' => 'π',
        '|' => '≠',
        '}' => '£',
        '~' => '·',
        _ => c,
    }
}
