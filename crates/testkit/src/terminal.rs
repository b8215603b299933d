//! A person at a terminal: types, waits for a text to appear, reads the screen.
//!
//! The screen is what a real emulator would show, not the bytes. It answers no query that a program sends to it: a
//! test that wants a late reply sends one.

use std::fs::File;
use std::io::Write;
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{Gid, Uid, fchown};
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::command::{Capture, Watch};
use crate::deadline::WAIT_SECONDS_MAX;
use crate::must;

/// A program in a terminal of its own. Dropped, the program is killed and the terminal hangs up.
pub struct Terminal {
    watch: Watch,
    keyboard: File,
    output: Capture,
    emulator: vt100::Parser,
    shown: usize,
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal").field("watch", &self.watch).finish_non_exhaustive()
    }
}

impl Terminal {
    #[track_caller]
    pub(crate) fn start(
        mut command: Command,
        told: String,
        identity: Option<(u32, u32)>,
        rows: u16,
        columns: u16,
    ) -> Self {
        let ours =
            must(openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC), "open a terminal");
        must(grantpt(&ours), "grant a terminal");
        must(unlockpt(&ours), "unlock a terminal");
        let theirs = ioctl_tiocgptpeer(&ours, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC);
        let theirs = must(theirs, "open the other end of a terminal");
        must(tcsetwinsize(&theirs, size(rows, columns)), "size a terminal");
        if let Some((uid, gid)) = identity {
            // As login(1) does: the owner may open their terminal again by its name.
            must(fchown(&theirs, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))), "give away a terminal");
        }
        command.stdin(stdio(&theirs)).stdout(stdio(&theirs)).stderr(stdio(&theirs));
        let child = must(command.spawn(), format_args!("start {told} in a terminal"));
        // The command holds copies: only the program may keep its end open, or its end would never be seen.
        drop((command, theirs));
        let screen = File::from(must(ours.try_clone(), "share a terminal"));
        Self {
            watch: Watch::over(child, told),
            keyboard: File::from(ours),
            output: Capture::of(Some(screen)),
            emulator: vt100::Parser::new(cells(rows), cells(columns), 0),
            shown: 0,
        }
    }

    /// The pid of the program, which is also its session and its first process group.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.watch.pid()
    }

    /// Types `keys`: `"\r"` is Enter, `"\x03"` is Ctrl-C.
    #[track_caller]
    pub fn send(&mut self, keys: impl AsRef<[u8]>) {
        must(self.keyboard.write_all(keys.as_ref()), format_args!("type into {}", self.watch.told));
    }

    /// Sends the program a signal, as another terminal's kill(1) would.
    pub fn signal(&self, signal: Signal) {
        self.watch.signal(signal);
    }

    /// Changes the window's size; the program gets SIGWINCH.
    #[track_caller]
    pub fn resize(&mut self, rows: u16, columns: u16) {
        self.show();
        self.emulator.screen_mut().set_size(cells(rows), cells(columns));
        must(tcsetwinsize(&self.keyboard, size(rows, columns)), "resize a terminal");
    }

    /// Waits until `text` stands on the screen; fails the test after half a minute, showing the screen.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        self.wait_for_within(text, Duration::from_secs(WAIT_SECONDS_MAX));
    }

    /// As [`Terminal::wait_for`], with a deadline of one's own.
    #[track_caller]
    pub fn wait_for_within(&mut self, text: &str, within: Duration) {
        let end = Instant::now() + within;
        while !self.screen().contains(text) {
            let left = end.saturating_duration_since(Instant::now());
            if !self.output.wait_for_more(self.shown, left) {
                let screen = self.screen();
                assert!(
                    screen.contains(text),
                    "{} ended or fell silent before {text:?} was shown:\n{screen}",
                    self.watch.told
                );
            }
        }
    }

    /// What is on the screen now: its rows, without trailing blanks.
    #[must_use]
    pub fn screen(&mut self) -> String {
        self.show();
        self.emulator.screen().contents()
    }

    /// The emulator's view, for cursor, modes and attributes.
    #[must_use]
    pub fn emulator(&mut self) -> &vt100::Screen {
        self.show();
        self.emulator.screen()
    }

    /// Every byte that came out so far.
    #[must_use]
    pub fn raw(&self) -> Vec<u8> {
        self.output.bytes()
    }

    /// Waits for the program's end and for its last byte; fails the test after half a minute.
    #[track_caller]
    pub fn finish(&mut self) -> ExitStatus {
        let within = Duration::from_secs(WAIT_SECONDS_MAX);
        let Some(status) = self.watch.wait(within) else {
            let screen = self.screen();
            panic!("{} did not end within {WAIT_SECONDS_MAX} s:\n{screen}", self.watch.told)
        };
        assert!(
            self.output.wait_for_end(within),
            "{} has ended, but something still holds its terminal",
            self.watch.told
        );
        status
    }

    fn show(&mut self) {
        let bytes = self.output.bytes();
        self.emulator.process(bytes.get(self.shown..).unwrap_or_default());
        self.shown = bytes.len();
    }
}

#[track_caller]
fn cells(count: u16) -> NonZero<u16> {
    must(NonZero::new(count).ok_or("it has no cells"), "make a terminal")
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

#[track_caller]
fn stdio(terminal: &OwnedFd) -> Stdio {
    Stdio::from(must(terminal.try_clone(), "share a terminal"))
}

#[cfg(test)]
mod tests {
    use crate::{Home, Owner};

    #[test]
    fn a_program_has_a_terminal_of_its_own_that_can_be_typed_into_read_and_resized() {
        for owner in [Owner::current(), Owner::Ordinary] {
            let home = Home::of(owner);
            let mut terminal = home.invoke("sh").env("PS1", "prompt> ").arg("-i").terminal(24, 80);
            terminal.wait_for("prompt>");
            terminal.send("stty size; tty; echo over > /dev/tty\r");
            terminal.wait_for("24 80");
            terminal.wait_for("/dev/pts/");
            terminal.wait_for("\nover");
            terminal.resize(30, 100);
            terminal.send("stty size\r");
            terminal.wait_for("30 100");
            // What is typed shows as well: the answer must not be a part of the question.
            terminal.send("sh -c 'echo star\\ted; exec sleep 1000'\r");
            terminal.wait_for("started");
            terminal.send("\x03");
            terminal.wait_for("^C\nprompt>");
            terminal.send("exit 7\r");
            assert_eq!(terminal.finish().code(), Some(7), "{}", terminal.screen());
        }
    }

    #[test]
    fn a_dropped_terminal_ends_what_runs_in_it() {
        let home = Home::new();
        let mut terminal = home.invoke("sh").args(["-c", "echo here; sleep 1000; true"]).terminal(5, 20);
        terminal.wait_for("here");
        drop(terminal);
        home.wait_until_quiet();
    }
}
