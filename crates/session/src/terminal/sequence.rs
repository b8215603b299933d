//! The control sequences that an agent may send, as data: what is not here does not exist.
//!
//! A sequence is parsed into a [`Sequence`] and printed again from that value in one canonical form, so that our
//! reading of it and the owner's terminal's cannot differ. Absent on purpose, among others: window operations (`t`),
//! media copy (`i`), tab stops (`g`, `W`: no terminal-independent way back), left and right margins, rectangles,
//! mode requests (`$p`), saving and restoring private modes, key protocols (`u`, `m` with `>`), locators, and
//! erasing the scrollback (`3 J`), which holds what the owner saw before.

use vte::Params;

use super::modes::ScrollRegion;
use super::query::Query;

/// Bound of counts and coordinates; beyond every terminal.
const NUMBER_MAX: u16 = 9999;

/// Bound of REP: the widest line of a [`super::Size`].
const REPEAT_MAX: u16 = 1000;

/// Bound of CHT: the tab stops of the widest line.
const TABS_MAX: u16 = REPEAT_MAX / 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sequence {
    /// `CSI count final`, the count at least 1.
    Counted {
        count: u16,
        final_byte: u8,
    },
    /// CUP, both at least 1.
    Position {
        row: u16,
        column: u16,
    },
    /// ED or EL with 0, 1 or 2.
    Erase {
        part: u16,
        final_byte: u8,
    },
    ScrollRegion(ScrollRegion),
    Tabs(u16),
    Repeat(u16),
    Attributes,
    PrivateModes {
        on: bool,
    },
    InsertMode {
        on: bool,
    },
    CursorStyle(u16),
    CursorSave,
    CursorRestore,
    SoftReset,
    Ask(Query),
}

/// Sequences with one count, and the final byte with which they are printed.
const COUNTED: &[(u8, u8)] = &[
    // ICH: insert blanks.
    (b'@', b'@'),
    // CUU, CUD, CUF, CUB: move up, down, right, left.
    (b'A', b'A'),
    (b'B', b'B'),
    (b'C', b'C'),
    (b'D', b'D'),
    // HPR and VPR are CUF and CUD by other names.
    (b'a', b'C'),
    (b'e', b'B'),
    // CNL, CPL: move to the start of a line below or above.
    (b'E', b'E'),
    (b'F', b'F'),
    // CHA, and HPA, the same: column.
    (b'G', b'G'),
    (b'`', b'G'),
    // VPA: row.
    (b'd', b'd'),
    // IL, DL: insert and delete lines.
    (b'L', b'L'),
    (b'M', b'M'),
    // DCH, ECH: delete and erase characters.
    (b'P', b'P'),
    (b'X', b'X'),
    // SU: scroll up. (SD has a double meaning: see `parse_bare`.)
    (b'S', b'S'),
    // CBT: tab stops backwards.
    (b'Z', b'Z'),
];

impl Sequence {
    /// `None` for what is not admitted. `Attributes` and `PrivateModes` leave their parameters to be read one by one.
    pub(super) fn parse(params: &Params, intermediates: &[u8], final_byte: u8) -> Option<Self> {
        if (intermediates, final_byte) == (&[], b'm') {
            return Some(Self::Attributes);
        }
        let numbers = Numbers::of(params)?;
        match intermediates {
            [] => Self::parse_bare(numbers, final_byte),
            b"?" => Self::parse_private(numbers, final_byte),
            b">" if numbers.count == 1 => Query::parse(Some(b'>'), numbers.first, final_byte).map(Self::Ask),
            b" " if final_byte == b'q' && numbers.first <= CURSOR_STYLE_LAST => {
                Some(Self::CursorStyle(numbers.first))
            }
            b"!" if final_byte == b'p' => Some(Self::SoftReset),
            _ => None,
        }
    }

    fn parse_bare(numbers: Numbers, final_byte: u8) -> Option<Self> {
        if let Some((_, printed)) = COUNTED.iter().find(|(read, _)| *read == final_byte) {
            return Some(Self::Counted { count: numbers.first_from_one(), final_byte: *printed });
        }
        let alone = numbers.count == 1;
        match final_byte {
            b'H' | b'f' => {
                Some(Self::Position { row: numbers.first_from_one(), column: numbers.second_from_one() })
            }
            b'J' | b'K' if numbers.first <= ERASE_WHOLE => {
                Some(Self::Erase { part: numbers.first, final_byte })
            }
            b'r' => Some(Self::ScrollRegion(ScrollRegion {
                top: numbers.first.min(NUMBER_MAX),
                bottom: numbers.second.min(NUMBER_MAX),
            })),
            b'b' => Some(Self::Repeat(numbers.first.clamp(1, REPEAT_MAX))),
            b'I' => Some(Self::Tabs(numbers.first.clamp(1, TABS_MAX))),
            b'h' | b'l' if alone && numbers.first == INSERT_MODE => {
                Some(Self::InsertMode { on: final_byte == b'h' })
            }
            // SD; with more parameters it is xterm's highlight tracking, which waits for an answer.
            b'T' if alone => Some(Self::Counted { count: numbers.first_from_one(), final_byte }),
            // With parameters `s` sets margins.
            b's' if alone && numbers.first == 0 => Some(Self::CursorSave),
            b'u' if alone && numbers.first == 0 => Some(Self::CursorRestore),
            b'n' | b'c' if alone => Query::parse(None, numbers.first, final_byte).map(Self::Ask),
            _ => None,
        }
    }

    fn parse_private(numbers: Numbers, final_byte: u8) -> Option<Self> {
        match final_byte {
            b'h' => Some(Self::PrivateModes { on: true }),
            b'l' => Some(Self::PrivateModes { on: false }),
            // DECSED and DECSEL: nothing can be protected here, so they are ED and EL.
            b'J' | b'K' if numbers.first <= ERASE_WHOLE => {
                Some(Self::Erase { part: numbers.first, final_byte })
            }
            _ => None,
        }
    }
}

const CURSOR_STYLE_LAST: u16 = 6;
const ERASE_WHOLE: u16 = 2;
const INSERT_MODE: u16 = 4;

/// The first two parameters of a sequence without subparameters. An omitted one reads as 0.
#[derive(Clone, Copy)]
struct Numbers {
    first: u16,
    second: u16,
    count: usize,
}

impl Numbers {
    fn of(params: &Params) -> Option<Self> {
        let mut numbers = Self { first: 0, second: 0, count: 0 };
        for param in params {
            let [number] = param else { return None };
            match numbers.count {
                0 => numbers.first = *number,
                1 => numbers.second = *number,
                _ => {}
            }
            numbers.count += 1;
        }
        Some(numbers)
    }

    fn first_from_one(self) -> u16 {
        self.first.clamp(1, NUMBER_MAX)
    }

    fn second_from_one(self) -> u16 {
        self.second.clamp(1, NUMBER_MAX)
    }
}
