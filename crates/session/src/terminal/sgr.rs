//! Colours and attributes (SGR), read group by group and printed in the form that the oldest terminals read alike.
//!
//! Indexed and direct colours are printed with semicolons, whatever they came with. Underline styles and underline
//! colours exist with colons only (with semicolons an old terminal reads `58;5;n` as blink), and stand in sequences
//! of their own. Absent on purpose: 8 (concealed text is there to be copied, not seen) and 10–20 (fonts: 11 turns
//! control characters into glyphs on the Linux console).

use vte::Params;

/// Attributes that stand alone, as inclusive ranges.
const PLAIN: &[(u16, u16)] = &[
    // Normal, bold, faint, italic, underlined, both blinks, inverse.
    (0, 7),
    // Crossed out.
    (9, 9),
    // Doubly underlined, and the ends of the above.
    (21, 25),
    (27, 29),
    // Foreground, and its default.
    (30, 37),
    (39, 39),
    // Background, and its default.
    (40, 47),
    (49, 49),
    // Overlined, and its end.
    (53, 53),
    (55, 55),
    // The underline's colour is that of the text.
    (59, 59),
    // Bright foreground and background.
    (90, 97),
    (100, 107),
];

const FOREGROUND: u16 = 38;
const BACKGROUND: u16 = 48;
const UNDERLINE_COLOUR: u16 = 58;
const UNDERLINE_STYLE: u16 = 4;
const UNDERLINE_STYLE_LAST: u16 = 5;
const DIRECT: u16 = 2;
const INDEXED: u16 = 5;

#[derive(Clone, Copy)]
enum Colour {
    Indexed(u8),
    Direct(u8, u8, u8),
}

/// Appends the admitted part. False if something was left out.
pub(super) fn write_attributes(params: &Params, out: &mut Vec<u8>) -> bool {
    let mut writer = Writer { out, open: false };
    let mut whole = true;
    let mut groups = params.iter();
    while let Some(group) = groups.next() {
        let admitted = match group {
            [target @ (FOREGROUND | BACKGROUND | UNDERLINE_COLOUR)] => {
                let Some(colour) = read_colour(&mut groups) else {
                    // Where a malformed colour ends is anybody's guess: the rest is left out.
                    whole = false;
                    break;
                };
                writer.colour(*target, colour);
                true
            }
            [plain] if PLAIN.iter().any(|(first, last)| (*first..=*last).contains(plain)) => {
                writer.plain(&[*plain]);
                true
            }
            [UNDERLINE_STYLE, style @ 0..=UNDERLINE_STYLE_LAST] => {
                writer.underline(*style);
                true
            }
            [target @ (FOREGROUND | BACKGROUND | UNDERLINE_COLOUR), rest @ ..] => match colon_colour(rest) {
                Some(colour) => {
                    writer.colour(*target, colour);
                    true
                }
                None => false,
            },
            _ => false,
        };
        whole &= admitted;
    }
    writer.close();
    whole
}

/// `;5;index` or `;2;red;green;blue`
fn read_colour<'a>(groups: &mut impl Iterator<Item = &'a [u16]>) -> Option<Colour> {
    let mut next = || match groups.next() {
        Some([number]) => Some(*number),
        Some(_) | None => None,
    };
    match next()? {
        INDEXED => Some(Colour::Indexed(u8::try_from(next()?).ok()?)),
        DIRECT => {
            let (red, green, blue) = (next()?, next()?, next()?);
            direct(red, green, blue)
        }
        _ => None,
    }
}

/// `:5:index`, `:2:red:green:blue`, or `:2:space:red:green:blue` with what may follow.
fn colon_colour(rest: &[u16]) -> Option<Colour> {
    match rest {
        [INDEXED, index] => Some(Colour::Indexed(u8::try_from(*index).ok()?)),
        [DIRECT, red, green, blue] | [DIRECT, _, red, green, blue, ..] => direct(*red, *green, *blue),
        _ => None,
    }
}

fn direct(red: u16, green: u16, blue: u16) -> Option<Colour> {
    Some(Colour::Direct(u8::try_from(red).ok()?, u8::try_from(green).ok()?, u8::try_from(blue).ok()?))
}

/// Prints attributes, as many in one sequence as may stand together.
struct Writer<'a> {
    out: &'a mut Vec<u8>,
    open: bool,
}

impl Writer<'_> {
    fn plain(&mut self, numbers: &[u16]) {
        for number in numbers {
            self.out.extend_from_slice(if self.open { b";" } else { b"\x1b[" });
            self.open = true;
            write_number(self.out, *number);
        }
    }

    fn colour(&mut self, target: u16, colour: Colour) {
        match (target, colour) {
            (UNDERLINE_COLOUR, Colour::Indexed(index)) => self.alone(b"58:5:", &[index.into()]),
            (UNDERLINE_COLOUR, Colour::Direct(red, green, blue)) => {
                self.alone(b"58:2::", &[red.into(), green.into(), blue.into()]);
            }
            (_, Colour::Indexed(index)) => self.plain(&[target, INDEXED, index.into()]),
            (_, Colour::Direct(red, green, blue)) => {
                self.plain(&[target, DIRECT, red.into(), green.into(), blue.into()]);
            }
        }
    }

    fn underline(&mut self, style: u16) {
        match style {
            0 => self.plain(&[24]),
            1 => self.plain(&[UNDERLINE_STYLE]),
            _ => self.alone(b"4:", &[style]),
        }
    }

    /// A sequence of its own, so that a terminal that cannot read colons loses nothing else.
    fn alone(&mut self, start: &[u8], numbers: &[u16]) {
        self.close();
        self.out.extend_from_slice(b"\x1b[");
        self.out.extend_from_slice(start);
        for (place, number) in numbers.iter().enumerate() {
            if place > 0 {
                self.out.push(b':');
            }
            write_number(self.out, *number);
        }
        self.out.push(b'm');
    }

    fn close(&mut self) {
        if std::mem::take(&mut self.open) {
            self.out.push(b'm');
        }
    }
}

/// Decimal, without leading zeros.
pub(super) fn write_number(out: &mut Vec<u8>, number: u16) {
    let mut divisor = 10_000;
    while divisor > 1 && number < divisor {
        divisor /= 10;
    }
    while divisor > 0 {
        // One digit: 0 to 9.
        out.push(b'0' + u8::try_from(number / divisor % 10).unwrap_or_default());
        divisor /= 10;
    }
}
