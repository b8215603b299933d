//! The owner's side of a session in the foreground: the terminal in raw mode, or plain pipes.
//!
//! What reaches the owner's terminal has passed the filter; what the owner types reaches the program, but for the
//! one keystroke that detaches. The terminal is put back as it was, however this ends.

use crate::terminal::{DetachKey, Filter, Medium, Size as ScreenSize};
use rustix::fd::BorrowedFd;
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};

/// What the owner's streams are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streams {
    /// Whether input is a terminal; only then the program gets one.
    pub input: bool,
    /// Whether output is a terminal.
    pub output: bool,
    /// Whether errors go to a terminal.
    pub error: bool,
    /// Whether output goes where errors go, because standard output is for a report alone.
    pub aside: bool,
}

impl Streams {
    /// As they are.
    #[must_use]
    pub fn look() -> Self {
        Self {
            input: isatty(rustix::stdio::stdin()),
            output: isatty(rustix::stdio::stdout()),
            error: isatty(rustix::stdio::stderr()),
            aside: false,
        }
    }

    /// As they are, with standard output kept for a report: the program's output goes to standard error.
    #[must_use]
    pub fn look_aside() -> Self {
        let streams = Self::look();
        Self { output: streams.error, aside: true, ..streams }
    }

    /// Where the program's output goes.
    pub(crate) fn destination(self) -> BorrowedFd<'static> {
        if self.aside { rustix::stdio::stderr() } else { rustix::stdio::stdout() }
    }

    /// Whether the program gets a terminal: both ways must be one.
    #[must_use]
    pub fn interactive(self) -> bool {
        self.input && self.output
    }
}

/// The size of the owner's terminal.
#[must_use]
pub(crate) fn window() -> ScreenSize {
    // Input, because output may be a file while a terminal is there.
    match tcgetwinsize(rustix::stdio::stdin()) {
        Ok(size) if size.ws_row > 0 && size.ws_col > 0 => ScreenSize::new(size.ws_row, size.ws_col),
        Ok(_) | Err(_) => ScreenSize::new(24, 80),
    }
}

/// How wide a report can be: the columns of the terminal that standard output is, `None` if it is none.
#[must_use]
pub fn columns() -> Option<usize> {
    const COLUMNS_DEFAULT: usize = 80;
    let stdout = rustix::stdio::stdout();
    isatty(stdout).then(|| match tcgetwinsize(stdout) {
        Ok(size) if size.ws_col > 0 => usize::from(size.ws_col),
        Ok(_) | Err(_) => COLUMNS_DEFAULT,
    })
}

/// The owner's terminal in raw mode; put back when dropped, with what was typed and not read thrown away, so that no
/// late answer reaches the owner's shell (ATTACKS 21).
#[derive(Debug)]
pub(crate) struct RawTerminal {
    before: Termios,
    pub(crate) key: DetachKey,
}

impl RawTerminal {
    pub(crate) fn enter() -> Result<Self, rustix::io::Errno> {
        let before = tcgetattr(rustix::stdio::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(rustix::stdio::stdin(), OptionalActions::Drain, &raw)?;
        Ok(Self { before, key: DetachKey::new() })
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        let _hung_up = tcsetattr(rustix::stdio::stdin(), OptionalActions::Flush, &self.before).is_err();
    }
}

/// The filters of plain pipes, where they end in a terminal.
#[derive(Debug, Default)]
pub(crate) struct PipeFilters {
    pub(crate) output: Option<Filter>,
    pub(crate) error: Option<Filter>,
}

impl PipeFilters {
    pub(crate) fn of(streams: Streams) -> Self {
        let filter = |terminal: bool| terminal.then(|| Filter::new(Medium::Pipe));
        Self { output: filter(streams.output), error: filter(streams.error) }
    }
}

/// Passes bytes on as they are, or filtered.
pub(crate) fn filtered(filter: Option<&mut Filter>, bytes: &[u8], out: &mut Vec<u8>) {
    match filter {
        Some(filter) => filter.feed(bytes, out),
        None => out.extend_from_slice(bytes),
    }
}

/// Writes at least something of a queue without waiting longer than one portion takes; `false` when nobody reads any
/// more.
pub(crate) fn write_some(to: BorrowedFd<'_>, queue: &mut Vec<u8>) -> bool {
    const PORTION_BYTES: usize = 4096;
    let portion = queue.get(..queue.len().min(PORTION_BYTES)).unwrap_or_default();
    match rustix::io::write(to, portion) {
        Ok(written) => {
            queue.drain(..written);
            true
        }
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => true,
        Err(_) => {
            queue.clear();
            false
        }
    }
}
