//! A model of the agent's screen, fed with the filter's output.
//!
//! It says where the cursor is and what a freshly attached terminal must be shown. It is not what the owner sees:
//! the owner's terminal gets the same bytes and draws them itself. Insert mode, `CSI Z` and switched-off wrapping
//! are unknown to the model; a program that relies on them redraws when the window size changes.

use std::num::NonZeroU16;

use super::modes::{self, ALTERNATE_SCREEN, Modes, ScrollRegion};

/// Rows and columns of a terminal, each from 1 to 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    rows: NonZeroU16,
    columns: NonZeroU16,
}

impl Size {
    /// Sizes out of bounds are brought into them: 0 is what a terminal without a window reports.
    #[must_use]
    pub fn new(rows: u16, columns: u16) -> Self {
        Self { rows: bounded(rows), columns: bounded(columns) }
    }

    #[must_use]
    pub fn rows(self) -> u16 {
        self.rows.get()
    }

    #[must_use]
    pub fn columns(self) -> u16 {
        self.columns.get()
    }
}

const SIDE_MAX: u16 = 1000;

fn bounded(side: u16) -> NonZeroU16 {
    NonZeroU16::new(side.min(SIDE_MAX)).unwrap_or(NonZeroU16::MIN)
}

/// A place on the screen, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) row: u16,
    pub(super) column: u16,
}

pub struct Screen {
    model: vt100::Parser,
}

/// The model draws nothing for U+FFFD, though it takes a column; it gets this instead.
const REPLACEMENT_STAND_IN: &[u8] = b"?";

/// Emoji presentation, which the model does not get: `vt100` 0.18 panics when a character that it widens for it
/// stands at the margin or is overwritten, and a panic here would end the supervisor.
const EMOJI_PRESENTATION: char = '\u{fe0f}';

impl Screen {
    #[must_use]
    pub fn new(size: Size) -> Self {
        Self { model: vt100::Parser::new(size.rows, size.columns, 0) }
    }

    /// Takes output of the filter; must be fed whole characters.
    pub(super) fn feed(&mut self, filtered: &[u8]) {
        for chunk in filtered.utf8_chunks() {
            for (place, text) in chunk.valid().split(char::REPLACEMENT_CHARACTER).enumerate() {
                if place > 0 {
                    self.model.process(REPLACEMENT_STAND_IN);
                }
                for piece in text.split(EMOJI_PRESENTATION) {
                    self.model.process(piece.as_bytes());
                }
            }
        }
    }

    pub fn resize(&mut self, size: Size) {
        self.model.set_size(size.rows, size.columns);
    }

    #[must_use]
    pub fn size(&self) -> Size {
        let (rows, columns) = self.model.screen().size();
        Size { rows, columns }
    }

    /// The text on the screen, one line a row.
    #[must_use]
    pub fn contents(&self) -> String {
        self.model.screen().contents()
    }

    pub(super) fn cursor(&self) -> Cursor {
        let (row, column) = self.model.screen().cursor_position();
        // After a character in the last column the model's cursor stands beyond it.
        Cursor { row: row.saturating_add(1), column: column.saturating_add(1).min(self.size().columns()) }
    }

    /// Appends what draws this screen on a terminal in its normal state.
    pub(super) fn repaint(&self, modes: &Modes, out: &mut Vec<u8>) {
        let screen = self.model.screen();
        if modes.on_alternate_screen() {
            modes::write_private(out, ALTERNATE_SCREEN, true);
        } else {
            // What the owner's terminal shows goes into its scrollback before the first row is cleared.
            modes::write_sequence(out, format_args!("{};1H", self.size().rows()));
            out.extend(std::iter::repeat_n(b'\n', self.size().rows().into()));
        }
        out.extend_from_slice(screen.contents_formatted().as_bytes());
        if modes.scroll_region != ScrollRegion::default() {
            modes::write_sequence(
                out,
                format_args!("{};{}r", modes.scroll_region.top.max(1), modes.scroll_region.bottom),
            );
            out.extend_from_slice(screen.cursor_state_formatted().as_bytes());
        }
        out.extend_from_slice(screen.attributes_formatted().as_bytes());
        modes.write_changed(out);
    }
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Screen").field("size", &self.size()).finish_non_exhaustive()
    }
}
