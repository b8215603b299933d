//! How far a long act has come: one line on standard error, if that is a terminal, and gone when the act is over.
//!
//! How much there is in all is not known: to count a tree takes about as long as to remove it.

use crate::output::Output;
use std::cell::Cell;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// What is over sooner needs no line.
const SILENCE: Duration = Duration::from_millis(300);
/// How long a line stands before it is replaced.
const PAUSE: Duration = Duration::from_millis(100);

/// The line; it is taken away when this is dropped, at the latest.
pub(super) struct Progress {
    quiet: bool,
    due: Cell<Instant>,
    shown: Cell<bool>,
}

impl Progress {
    pub(super) fn new(output: &Output) -> Self {
        let quiet = output.json || !std::io::stderr().is_terminal();
        Self { quiet, due: Cell::new(Instant::now() + SILENCE), shown: Cell::new(false) }
    }

    /// The line is this now, if the last one has stood long enough. It must fit a terminal.
    pub(super) fn show(&self, line: &str) {
        let now = Instant::now();
        if self.quiet || now < self.due.get() {
            return;
        }
        self.due.set(now + PAUSE);
        self.shown.set(true);
        write(line);
    }

    /// Of a copy.
    pub(super) fn show_copied(&self, files: u64, bytes: u64) {
        self.show(&format!("copying: {files} files, {} MiB", bytes >> 20));
    }

    /// The act is over; the line makes way for what comes.
    pub(super) fn clear(&self) {
        if self.shown.replace(false) {
            write("");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

fn write(line: &str) {
    let mut stderr = std::io::stderr().lock();
    let _closed = write!(stderr, "\r\u{1b}[K{line}").and_then(|()| stderr.flush()).is_err();
}
