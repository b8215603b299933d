//! The owner's terminal while a view of ours has it: raw, on its alternate screen, and put back however that ends.
//!
//! Nothing is ever asked of the terminal, so that no answer can come late; what was typed and not read is thrown away
//! when it is given back (ATTACKS 21). What is drawn and what keys mean is the caller's business.

use crate::error::{Error, ErrorKind};
use cofferdam_syscall::process::{next_signal, signal_descriptor, unblock_signals};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::io::Errno;
use rustix::process::{Signal, getpid, kill_process};
use rustix::stdio::{stdin, stdout};
use rustix::termios::{
    OptionalActions, QueueSelector, Termios, isatty, tcflush, tcgetattr, tcgetwinsize, tcsetattr,
};
use std::time::Duration;

/// The alternate screen, no cursor, pastes in brackets.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[2J\x1b[?25l\x1b[?2004h";
/// All of it undone; colours, too, whatever was being drawn.
const LEAVE: &[u8] = b"\x1b[0m\x1b[?2026l\x1b[?2004l\x1b[?25h\x1b[?1049l";

/// What is read at once.
const INPUT_BYTES_MAX: usize = 4096;

const WATCHED: [Signal; 6] =
    [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT, Signal::TSTP, Signal::WINCH];

/// What happened while the view waited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// Bytes that came from the keyboard, or from what pretends to be one.
    Input(Vec<u8>),
    /// The window may have another size: everything is to be drawn again.
    Resized,
    /// Somebody asks this process to pause: [`Screen::pause`].
    Pause,
    /// Somebody asks this process to end, or the terminal is gone.
    End,
    /// Nothing, for as long as was asked.
    Silence,
}

/// The terminal, until it is dropped.
#[derive(Debug)]
pub struct Screen {
    before: Termios,
    signals: OwnedFd,
}

impl Screen {
    /// Whether a view can be shown: both ways must be a terminal.
    #[must_use]
    pub fn is_there() -> bool {
        isatty(stdin()) && isatty(stdout())
    }

    /// Takes the terminal.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] if it can't be switched.
    pub fn take() -> Result<Self, Error> {
        let failed = |errno: Errno| {
            Error::new(ErrorKind::Internal, "cannot use the terminal")
                .because(errno)
                .hint("into a pipe, without one: cofferdam diff")
        };
        let before = tcgetattr(stdin()).map_err(failed)?;
        let signals = signal_descriptor(&WATCHED).map_err(failed)?;
        restore_at_panic(before.clone());
        let screen = Self { before, signals };
        screen.enter().map_err(failed)?;
        Ok(screen)
    }

    fn enter(&self) -> Result<(), Errno> {
        let mut raw = self.before.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Flush, &raw)?;
        write(ENTER)
    }

    fn leave(&self) {
        give_back(&self.before);
    }

    /// Its rows and columns.
    #[must_use]
    pub fn size(&self) -> (u16, u16) {
        match tcgetwinsize(stdout()) {
            Ok(size) if size.ws_row > 0 && size.ws_col > 0 => (size.ws_row, size.ws_col),
            Ok(_) | Err(_) => (24, 80),
        }
    }

    /// Sends what is to be drawn.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] if nobody takes it.
    pub fn draw(&self, bytes: &[u8]) -> Result<(), Error> {
        write(bytes).map_err(|errno| {
            Error::new(ErrorKind::Internal, "cannot draw on the terminal").because(errno).hint("try again")
        })
    }

    /// Waits for the next thing to happen; for ever, if no time is given.
    #[must_use]
    pub fn wait(&self, within: Option<Duration>) -> Happening {
        let timeout = within.and_then(|within| Timespec::try_from(within).ok());
        let input = stdin();
        let mut ends = [
            PollFd::new(&input, PollFlags::IN),
            PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN),
        ];
        match poll(&mut ends, timeout.as_ref()) {
            Ok(0) => return Happening::Silence,
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return Happening::End,
        }
        match next_signal(self.signals.as_fd()).map(|number| number.and_then(Signal::from_named_raw)) {
            Ok(Some(Signal::WINCH)) => return Happening::Resized,
            Ok(Some(Signal::TSTP)) => return Happening::Pause,
            Ok(Some(_)) | Err(_) => return Happening::End,
            Ok(None) => {}
        }
        let [keyboard, _] = &ends;
        if keyboard.revents().is_empty() {
            // Woken for nothing: no silence, which must have lasted for as long as was asked.
            return Happening::Resized;
        }
        let mut bytes = vec![0_u8; INPUT_BYTES_MAX];
        match rustix::io::read(stdin(), &mut bytes) {
            Ok(0) | Err(_) => Happening::End,
            Ok(length) => {
                bytes.truncate(length);
                Happening::Input(bytes)
            }
        }
    }

    /// Throws away what was typed and not read.
    pub fn forget_input(&self) {
        drop_what_was_typed();
    }

    /// Gives the terminal back, stops this process, and takes the terminal again when it goes on.
    pub fn pause(&self) {
        self.leave();
        let _stopped = kill_process(getpid(), Signal::STOP).is_err();
        let _hung_up = self.enter().is_err();
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.leave();
        if !std::thread::panicking() {
            drop(std::panic::take_hook());
        }
        let _unchanged = unblock_signals(&WATCHED).is_err();
    }
}

/// Throws away what was typed on the terminal that is standard input and was not read; off a terminal, nothing.
pub fn drop_what_was_typed() {
    let _no_terminal = tcflush(stdin(), QueueSelector::IFlush).is_err();
}

/// A release build aborts, so that nothing is dropped: the terminal is put back before anything is said.
fn restore_at_panic(before: Termios) {
    let say = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        give_back(&before);
        say(panic);
    }));
}

fn give_back(before: &Termios) {
    let _gone = write(LEAVE).is_err();
    let _hung_up = tcsetattr(stdin(), OptionalActions::Flush, before).is_err();
}

fn write(mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::write(stdout(), bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                poll(&mut [PollFd::new(&stdout(), PollFlags::OUT)], None)?;
            }
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
