//! The agent's terminal: a pty of its own, of which the owner's terminal gets only what an allow-list admits.
//!
//! [`Terminal`] is what stands between the two for as long as a session runs, attached or not: it filters what the
//! agent prints ([`Filter`]), answers the agent's questions itself, keeps a model of the screen for the next
//! `attach` ([`Screen`]) and knows how to leave the owner's terminal clean ([`reset`]). [`DetachKey`] finds the one
//! keystroke that is ours in the owner's input; [`visible`] shows untrusted names on a line of our own.
//!
//! Nothing here does I/O, knows a file descriptor or reads a clock. Nothing here filters what the owner types: no
//! question reaches the owner's terminal, so no answer can come from it, and keys are the owner's business.

mod charset;
mod detach;
mod filter;
mod modes;
mod pass;
mod query;
mod reset;
mod screen;
mod sequence;
mod sgr;
mod visible;

#[cfg(test)]
mod tests;

pub use detach::{DETACH_KEY_NAME, DetachKey, Stroke};
pub use filter::{Advance, Dropped, Filter, Medium};
pub use query::{Query, REPLY_BYTES_MAX};
pub use reset::{Departure, RESET_STEPS, ResetStep, reset};
pub use screen::{Screen, Size};
pub use visible::{VISIBLE_COLUMNS_MAX, visible, visible_within};

/// The agent's terminal as its supervisor holds it.
#[derive(Debug)]
pub struct Terminal {
    filter: Filter,
    screen: Screen,
}

impl Terminal {
    #[must_use]
    pub fn new(size: Size) -> Self {
        Self { filter: Filter::new(Medium::Terminal), screen: Screen::new(size) }
    }

    /// Takes bytes that the agent printed, in chunks of any length.
    ///
    /// What the owner's terminal may get is appended to `out` (always whole characters and whole sequences, so a
    /// detach can fall between any two calls); what the agent's pty gets as answers is appended to `replies`, at
    /// most [`REPLY_BYTES_MAX`] a call.
    pub fn feed(&mut self, input: &[u8], out: &mut Vec<u8>, replies: &mut Vec<u8>) {
        let replies_end = replies.len().saturating_add(REPLY_BYTES_MAX);
        let mut rest = input;
        while !rest.is_empty() {
            let start = out.len();
            let Advance { consumed, query } = self.filter.advance(rest, out);
            self.screen.feed(out.get(start..).unwrap_or_default());
            if let Some(query) = query {
                query.answer(self.screen.cursor(), replies_end, replies);
            }
            rest = rest.get(consumed..).unwrap_or_default();
        }
    }

    /// The owner's window has another size now. The agent's pty is told by the caller.
    pub fn resize(&mut self, size: Size) {
        self.screen.resize(size);
        self.filter.forget_scroll_region();
    }

    /// What a terminal in its normal state must get to show the agent's screen and to be in the agent's modes.
    /// What was on that terminal is scrolled away, not erased.
    pub fn repaint(&self, out: &mut Vec<u8>) {
        self.screen.repaint(self.filter.modes(), out);
    }

    /// What the owner's terminal must get when it stops showing this one; see [`reset`].
    pub fn leave(&self, departure: Departure, out: &mut Vec<u8>) {
        reset(self.filter.on_alternate_screen(), departure, out);
    }

    /// Whether the program has switched to the alternate screen.
    #[must_use]
    pub fn on_alternate_screen(&self) -> bool {
        self.filter.on_alternate_screen()
    }

    /// What was kept from the owner's terminal so far.
    #[must_use]
    pub fn dropped(&self) -> Dropped {
        self.filter.dropped()
    }

    #[must_use]
    pub fn size(&self) -> Size {
        self.screen.size()
    }
}
