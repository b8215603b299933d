//! A value typed on the terminal: nothing of it is echoed, and the terminal is as it was afterwards.
//!
//! Only from the terminal itself: what comes through a pipe has a source of its own (`command:cat FILE`, `file:PATH`).

use super::source::SourceError;
use cofferdam_policy::net::handle::SECRET_BYTES_MAX;
use rustix::fs::{Mode, OFlags};
use rustix::termios::{LocalModes, OptionalActions, Termios};
use std::fs::File;
use std::io::Write as _;
use zeroize::{Zeroize as _, Zeroizing};

const INTERRUPT: u8 = 3;
const END: u8 = 4;
const BACKSPACE: u8 = 8;
const LINE: u8 = 10;
const RETURN: u8 = 13;
const KILL_LINE: u8 = 21;
const DELETE: u8 = 127;

/// Asks for a value.
///
/// # Errors
/// [`SourceError::Terminal`] without a terminal, [`SourceError::Cancelled`] when it was left by Ctrl-C or Ctrl-D.
pub(super) fn ask(question: &str) -> Result<Zeroizing<Vec<u8>>, SourceError> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let no_terminal = |errno: rustix::io::Errno| SourceError::Terminal(errno.into());
    let mut terminal = File::from(rustix::fs::open("/dev/tty", flags, Mode::empty()).map_err(no_terminal)?);
    let before = rustix::termios::tcgetattr(&terminal).map_err(no_terminal)?;
    let mut silent = before.clone();
    // Ctrl-C comes as a character: who is ended by a signal leaves the terminal without echo.
    silent.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN);
    // What was typed before the question is dropped: it was no answer to it.
    rustix::termios::tcsetattr(&terminal, OptionalActions::Flush, &silent).map_err(no_terminal)?;
    let restore = Restore { terminal: terminal.try_clone().map_err(SourceError::Terminal)?, before };
    terminal.write_all(format!("{question}: ").as_bytes()).map_err(SourceError::Terminal)?;
    let typed = read_line(&mut terminal);
    drop(restore);
    terminal.write_all(b"\n").map_err(SourceError::Terminal)?;
    typed
}

/// Gives the terminal back as it was.
struct Restore {
    terminal: File,
    before: Termios,
}

impl Drop for Restore {
    fn drop(&mut self) {
        let _gone = rustix::termios::tcsetattr(&self.terminal, OptionalActions::Drain, &self.before).is_err();
    }
}

fn read_line(terminal: &mut impl std::io::Read) -> Result<Zeroizing<Vec<u8>>, SourceError> {
    let mut typed = Zeroizing::new(Vec::with_capacity(SECRET_BYTES_MAX + 1));
    let mut byte = [0];
    loop {
        if terminal.read(&mut byte).map_err(SourceError::Terminal)? == 0 {
            return Err(SourceError::Cancelled);
        }
        let [typed_byte] = byte;
        byte.zeroize();
        match typed_byte {
            LINE | RETURN => return Ok(typed),
            INTERRUPT | END => return Err(SourceError::Cancelled),
            BACKSPACE | DELETE => {
                typed.pop();
            }
            KILL_LINE => typed.zeroize(),
            other if typed.len() <= SECRET_BYTES_MAX => typed.push(other),
            _ => return Err(SourceError::TooLong),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_edited_as_one_expects() {
        let line = |bytes: &[u8]| read_line(&mut &bytes[..]);
        assert_eq!(&*line(b"abc\x7fd\n").unwrap(), b"abd");
        assert_eq!(&*line(b"wrong\x15right\r").unwrap(), b"right");
        for left in [b"abc\x03".as_slice(), b"abc\x04", b"abc"] {
            assert!(matches!(line(left), Err(SourceError::Cancelled)));
        }
        assert!(matches!(line(&[b'x'; SECRET_BYTES_MAX + 2]), Err(SourceError::TooLong)));
    }
}
