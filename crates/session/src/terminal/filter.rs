//! The one-way valve between what the agent prints and what the owner's terminal gets.
//!
//! The bytes are parsed with `vte`, and only what an allow-list admits is *printed again* in canonical form: text
//! ([`cofferdam_policy::glyph`]), a few control characters, the sequences of [`super::sequence`]. All strings (OSC, DCS, APC,
//! PM, SOS: titles, links, clipboard, colours, images, device settings, passthrough) vanish with their contents.
//! What is hidden or would reorder a line is replaced by U+FFFD; other spaces become plain ones.
//!
//! The output is always whole characters and whole sequences, and does not depend on how the input was cut. Whether
//! something is admitted depends on what was *admitted* before, never on what was dropped; therefore filtering twice
//! is filtering once.
//!
//! The filter writes no answers (see [`super::query`]) and does not limit how fast an agent prints.

use vte::Parser;

use super::modes::{Modes, ScrollRegion};
use super::pass::{Pass, State};
use super::query::Query;

const BEL: u8 = 0x07;
const ESC: u8 = 0x1b;
const CAN: u8 = 0x18;
const SUB: u8 = 0x1a;

/// How the program's output is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// A pty: all that the allow-list has.
    Terminal,
    /// A pipe that the owner's terminal shows: text, colours, and BEL, BS, HT, LF, CR.
    Pipe,
}

/// What was kept back, for the summary and the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// OSC, DCS, APC, PM and SOS.
    pub strings: u64,
    /// CSI and ESC sequences, whole or in part, and questions in pipe mode.
    pub sequences: u64,
    /// Control characters.
    pub controls: u64,
    /// Characters that were replaced by U+FFFD.
    pub characters: u64,
}

/// How far [`Filter::advance`] went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "what was not consumed must be fed again"]
pub struct Advance {
    pub consumed: usize,
    /// The question at which it stopped.
    pub query: Option<Query>,
}

pub struct Filter {
    parser: Parser,
    position: Position,
    /// Bytes still missing from the character that the input ends in. `vte` 0.15 can lose a byte when it gets more
    /// than one after such an end, so it gets them one by one.
    awaited: u8,
    state: State,
}

/// Where the input stands, as far as it matters for skipping OSC strings: `vte` would collect them without bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    Elsewhere,
    AfterEscape,
    InOsc,
}

impl Filter {
    #[must_use]
    pub fn new(medium: Medium) -> Self {
        Self { parser: Parser::new(), position: Position::Elsewhere, awaited: 0, state: State::new(medium) }
    }

    /// Filters all of `input`; questions are dropped. For [`Medium::Pipe`].
    pub fn feed(&mut self, input: &[u8], out: &mut Vec<u8>) {
        let mut rest = input;
        while !rest.is_empty() {
            let step = self.advance(rest, out);
            if step.query.is_some() {
                self.state.dropped.sequences += 1;
            }
            rest = rest.get(step.consumed..).unwrap_or_default();
        }
    }

    /// Filters `input` up to its end or to the first question, which the caller answers before it goes on.
    pub fn advance(&mut self, input: &[u8], out: &mut Vec<u8>) -> Advance {
        let mut consumed = 0;
        while let Some(rest) = input.get(consumed..).filter(|rest| !rest.is_empty()) {
            let (skipped, parsed) = self.next_span(rest);
            let span = rest.get(skipped..skipped.saturating_add(parsed)).unwrap_or_default();
            let mut pass = Pass { state: &mut self.state, out, query: None };
            let read = self.parser.advance_until_terminated(&mut pass, span);
            let query = pass.query;
            consumed = consumed.saturating_add(skipped).saturating_add(read);
            self.moved_past(span.get(..read).unwrap_or_default());
            if query.is_some() {
                return Advance { consumed, query };
            }
        }
        Advance { consumed, query: None }
    }

    /// How many bytes of `rest` belong to an OSC string, and how many after those can be parsed at once.
    fn next_span(&self, rest: &[u8]) -> (usize, usize) {
        match self.position {
            Position::AfterEscape => (0, 1),
            Position::Elsewhere if self.awaited > 0 => (0, 1),
            Position::Elsewhere => {
                (0, rest.iter().position(|byte| *byte == ESC).map_or(rest.len(), |at| at + 1))
            }
            Position::InOsc => match rest.iter().position(|byte| matches!(*byte, BEL | ESC | CAN | SUB)) {
                Some(end) => (end, 1),
                None => (rest.len(), 0),
            },
        }
    }

    /// `read` is what the parser got; spans end where the position may change.
    fn moved_past(&mut self, read: &[u8]) {
        let end = read.last_chunk::<CHARACTER_REST_MAX>().map_or(read, |end| end);
        self.awaited = end.iter().fold(self.awaited, |before, byte| awaited_after(before, *byte));
        let Some(last) = read.last() else { return };
        self.position = match (self.position, *last) {
            (_, ESC) => Position::AfterEscape,
            (Position::AfterEscape, b']') => Position::InOsc,
            // The other strings are not collected: they only have to be counted.
            (Position::AfterEscape, b'P' | b'X' | b'^' | b'_') => {
                self.state.dropped.strings += 1;
                Position::Elsewhere
            }
            // Controls are executed within a sequence, and bytes that mean nothing in it are skipped.
            (Position::AfterEscape, 0x00..=0x17 | 0x19 | 0x1c..=0x1f | 0x7f..) => Position::AfterEscape,
            (Position::Elsewhere | Position::AfterEscape | Position::InOsc, _) => Position::Elsewhere,
        };
    }

    #[must_use]
    pub fn dropped(&self) -> Dropped {
        self.state.dropped
    }

    /// True if the owner's terminal, having got all output, shows the alternate screen.
    #[must_use]
    pub fn on_alternate_screen(&self) -> bool {
        self.state.modes.on_alternate_screen()
    }

    pub(super) fn modes(&self) -> &Modes {
        &self.state.modes
    }

    /// Terminals forget it when their size changes.
    pub(super) fn forget_scroll_region(&mut self) {
        self.state.modes.scroll_region = ScrollRegion::default();
    }
}

/// Bytes of a character after its first.
const CHARACTER_REST_MAX: usize = 3;

fn awaited_after(before: u8, byte: u8) -> u8 {
    match byte {
        0x80..=0xbf => before.saturating_sub(1),
        0xc2..=0xdf => 1,
        0xe0..=0xef => 2,
        0xf0..=0xf4 => 3,
        0x00..=0x7f | 0xc0 | 0xc1 | 0xf5.. => 0,
    }
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Filter")
            .field("position", &self.position)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
