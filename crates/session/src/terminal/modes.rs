//! The private modes that an agent may switch, and which are on.
//!
//! One table serves the allow-list, the repaint at `attach` and the reset at the end: a mode that cannot be put back
//! to a default that all terminals share is not in it. Left out for that reason: 3 (columns), 6 (origin: leaving it
//! moves the cursor), 8 (auto-repeat), 45, 69 (margins), 1007 (alternate scroll: the default differs), 1034–1042
//! (meta keys, bell), 2027, 2031. Left out because a newer one does the same: 9, 1005, 1015, 1016 (mouse).

use std::io::Write as _;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PrivateMode {
    pub(super) number: u16,
    /// The state in which an ordinary shell expects its terminal.
    pub(super) normally_on: bool,
}

const fn off(number: u16) -> PrivateMode {
    PrivateMode { number, normally_on: false }
}

const fn on(number: u16) -> PrivateMode {
    PrivateMode { number, normally_on: true }
}

/// Alternate screen, with the cursor put aside. 47 and 1047 are printed as this one, which every terminal knows.
pub(super) const ALTERNATE_SCREEN: u16 = 1049;

pub(super) const PRIVATE_MODES: [PrivateMode; PRIVATE_MODES_COUNT] = [
    // DECCKM: cursor keys send ESC O instead of CSI.
    off(1),
    // DECSCNM: dark on light; used as a visible bell.
    off(5),
    // DECAWM: wrap at the right margin.
    on(7),
    // Blinking cursor.
    off(12),
    // DECTCEM: the cursor is shown.
    on(25),
    // Mouse: presses and releases.
    off(1000),
    // Mouse: and motion with a button held.
    off(1002),
    // Mouse: and all motion.
    off(1003),
    // Focus in and out are reported as keys.
    off(1004),
    // Mouse reports in decimal.
    off(1006),
    off(ALTERNATE_SCREEN),
    // Bracketed paste.
    off(2004),
    // Synchronised output: the terminal shows a frame when it is whole.
    off(2026),
];

const PRIVATE_MODES_COUNT: usize = 13;

/// Rows of the scroll region as in `CSI top;bottom r`; 0 for the terminal's own edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ScrollRegion {
    pub(super) top: u16,
    pub(super) bottom: u16,
}

/// The modes that the agent's output has left its terminal in.
#[derive(Clone, Debug)]
pub(super) struct Modes {
    private: [bool; PRIVATE_MODES_COUNT],
    /// IRM: characters push the rest of the line to the right.
    pub(super) inserting: bool,
    /// DECKPAM: the keypad sends ESC O.
    pub(super) keypad_sequences: bool,
    /// DECSCUSR, 0 to 6.
    pub(super) cursor_style: u16,
    pub(super) scroll_region: ScrollRegion,
}

impl Default for Modes {
    fn default() -> Self {
        Self {
            private: PRIVATE_MODES.map(|mode| mode.normally_on),
            inserting: false,
            keypad_sequences: false,
            cursor_style: 0,
            scroll_region: ScrollRegion::default(),
        }
    }
}

impl Modes {
    /// False if the mode is not on the list.
    pub(super) fn set_private(&mut self, number: u16, on: bool) -> bool {
        let known = PRIVATE_MODES.iter().position(|mode| mode.number == number);
        match known.and_then(|place| self.private.get_mut(place)) {
            Some(state) => {
                *state = on;
                true
            }
            None => false,
        }
    }

    pub(super) fn on_alternate_screen(&self) -> bool {
        self.changed().any(|(mode, _)| mode.number == ALTERNATE_SCREEN)
    }

    /// Brings a terminal in its normal state into these modes; the screen, the cursor's place and the scroll region
    /// are the caller's.
    pub(super) fn write_changed(&self, out: &mut Vec<u8>) {
        for (mode, on) in self.changed().filter(|(mode, _)| mode.number != ALTERNATE_SCREEN) {
            write_private(out, mode.number, on);
        }
        if self.inserting {
            out.extend_from_slice(b"\x1b[4h");
        }
        if self.keypad_sequences {
            out.extend_from_slice(b"\x1b=");
        }
        if self.cursor_style != 0 {
            write_sequence(out, format_args!("{} q", self.cursor_style));
        }
    }

    fn changed(&self) -> impl Iterator<Item = (PrivateMode, bool)> {
        PRIVATE_MODES.into_iter().zip(self.private).filter(|(mode, on)| mode.normally_on != *on)
    }
}

pub(super) fn write_private(out: &mut Vec<u8>, number: u16, on: bool) {
    write_sequence(out, format_args!("?{number}{}", if on { 'h' } else { 'l' }));
}

/// Writes `CSI` and `rest`.
pub(super) fn write_sequence(out: &mut Vec<u8>, rest: std::fmt::Arguments<'_>) {
    out.extend_from_slice(b"\x1b[");
    // Writing to a Vec cannot fail.
    out.write_fmt(rest).unwrap_or_default();
}
