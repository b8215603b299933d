//! How the owner's terminal is left: on detach, at the end, and after a crash of the agent.
//!
//! The steps undo everything that the allow-list admits, always all of them, so that they hold whatever was on. They
//! never erase: what stands on the owner's screen and in its scrollback stays. The caller then drains the input
//! (`tcflush`), since mouse and focus reports may be on their way.

/// One thing put right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResetStep {
    pub bytes: &'static [u8],
    pub undoes: &'static str,
}

const fn step(bytes: &'static [u8], undoes: &'static str) -> ResetStep {
    ResetStep { bytes, undoes }
}

/// Leaves the alternate screen. Sent only if the agent is on it: elsewhere it would move the cursor to a place
/// that was saved long ago.
const ALTERNATE_SCREEN_LEAVE: &[u8] = b"\x1b[?1049l";

/// Moves below all that the agent drew, for a program that still runs has its cursor anywhere.
const BELOW_EVERYTHING: &[u8] = b"\x1b[9999;1H\r\n";

/// In the order in which they are written; any number of times is the same as once.
pub const RESET_STEPS: &[ResetStep] = &[
    // First, so that what follows is seen at once even if a frame was never finished.
    step(b"\x1b[?2026l", "an unfinished synchronised frame"),
    // Removing the region moves the cursor home, hence the saving and restoring around it.
    step(b"\x1b7\x1b[r\x1b8", "a scroll region"),
    step(b"\x1b[m", "colours and attributes"),
    step(b"\x0f\x1b(B", "line drawing characters"),
    step(b"\x1b[4l", "insert mode"),
    step(b"\x1b[?7h", "no wrapping at the margin"),
    step(b"\x1b[?5l", "reversed screen"),
    step(b"\x1b[?1l", "application cursor keys"),
    step(b"\x1b>", "application keypad"),
    step(b"\x1b[?1000l", "reports of mouse presses"),
    step(b"\x1b[?1002l", "reports of mouse drags"),
    step(b"\x1b[?1003l", "reports of all mouse motion"),
    step(b"\x1b[?1006l", "decimal mouse reports"),
    step(b"\x1b[?1004l", "reports of focus"),
    step(b"\x1b[?2004l", "bracketed paste"),
    step(b"\x1b[?12l", "a blinking cursor"),
    step(b"\x1b[0 q", "the cursor's shape"),
    step(b"\x1b[?25h", "a hidden cursor"),
];

/// Why the owner's terminal stops showing the agent's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// The program goes on without a terminal to show it.
    Detach,
    /// The program has ended and left the cursor where it wants it.
    End,
}

/// Appends what puts the owner's terminal back to normal. `on_alternate_screen` is the filter's knowledge.
pub fn reset(on_alternate_screen: bool, departure: Departure, out: &mut Vec<u8>) {
    if on_alternate_screen {
        out.extend_from_slice(ALTERNATE_SCREEN_LEAVE);
    }
    for step in RESET_STEPS {
        out.extend_from_slice(step.bytes);
    }
    match departure {
        Departure::Detach if !on_alternate_screen => out.extend_from_slice(BELOW_EVERYTHING),
        Departure::Detach | Departure::End => {}
    }
}
