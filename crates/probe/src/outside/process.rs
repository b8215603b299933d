//! Running a program to its end or to a deadline, through pipes or on a terminal of its own.
//!
//! Nothing that it prints is believed here; what is kept of it is bounded.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use rustix::pty;

use crate::outside::enclosure::CommandLine;
use crate::outside::janitor::Janitor;

/// The most that is kept of what a program prints, in bytes.
const PRINTED_BYTES_MAX: usize = 16 << 20;
/// How much is read at once.
const PIECE_BYTES: usize = 16 << 10;

/// How a program ended, and what it printed.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) printed: Vec<u8>,
    /// The end of its standard error; nothing for a program on a terminal.
    pub(crate) complaint: String,
    /// How it ended; `None` if it had to be ended at the deadline.
    pub(crate) status: Option<ExitStatus>,
}

/// Where a program runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'p> {
    pub(crate) directory: &'p Path,
    pub(crate) environment: &'p [(OsString, OsString)],
    /// A directory that whoever starts it has left open: an enclosure is to close it.
    pub(crate) left_open: &'p Path,
    /// Who is to end it if the collector is ended.
    pub(crate) janitor: Option<&'p Janitor>,
}

/// Runs a program with pipes; `heard` gets everything that it has printed so far, each time there is more.
pub(crate) fn through_pipes(
    line: &CommandLine,
    place: Place<'_>,
    time_max: Duration,
    heard: &mut dyn FnMut(&[u8]),
) -> io::Result<Ran> {
    let mut command = prepared(line, place);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let left_open = left_open(place.left_open)?;
    let mut child = command.spawn()?;
    drop(left_open);
    place.watch(&child);
    let printed = child.stdout.take().map(pieces);
    let complained = child.stderr.take().map(pieces);
    let end = Instant::now() + time_max;
    let mut all = Vec::new();
    let in_time = printed.is_none_or(|printed| gather(&printed, end, &mut all, heard));
    let status = ended(&mut child, in_time, end)?;
    place.forget(&child);
    let mut complaint = Vec::new();
    if let Some(complained) = complained {
        gather(&complained, Instant::now() + LATE, &mut complaint, &mut |_| ());
    }
    Ok(Ran { printed: all, complaint: String::from_utf8_lossy(&complaint).into_owned(), status })
}

/// Runs a program on a terminal of its own, of the usual size, at which nobody types.
pub(crate) fn on_terminal(line: &CommandLine, place: Place<'_>, time_max: Duration) -> io::Result<Ran> {
    let (ours, theirs) = terminal()?;
    let mut command = prepared(line, place);
    command.stdin(theirs.try_clone()?).stdout(theirs.try_clone()?).stderr(theirs);
    let mut child = command.spawn()?;
    place.watch(&child);
    // The command holds the other end open.
    drop(command);
    let printed = pieces(File::from(ours));
    let (end, mut all) = (Instant::now() + time_max, Vec::new());
    let in_time = gather(&printed, end, &mut all, &mut |_| ());
    let status = ended(&mut child, in_time, end)?;
    place.forget(&child);
    Ok(Ran { printed: all, complaint: String::new(), status })
}

/// How long the end of a stream is waited for once its program has ended.
const LATE: Duration = Duration::from_millis(500);

fn prepared(line: &CommandLine, place: Place<'_>) -> Command {
    let mut command = Command::new(&line.program);
    command.args(&line.arguments).current_dir(place.directory).process_group(0);
    let variables = place.environment.iter().chain(&line.variables);
    command.env_clear().envs(variables.map(|(key, value)| (key, value)));
    command
}

/// A descriptor that a child inherits.
fn left_open(directory: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::io::dup(File::open(directory)?)?)
}

fn terminal() -> io::Result<(OwnedFd, OwnedFd)> {
    let ours = pty::openpt(pty::OpenptFlags::RDWR | pty::OpenptFlags::NOCTTY | pty::OpenptFlags::CLOEXEC)?;
    pty::grantpt(&ours)?;
    pty::unlockpt(&ours)?;
    let path = pty::ptsname(&ours, Vec::new())?;
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
    let theirs = rustix::fs::open(path, flags, rustix::fs::Mode::empty())?;
    let size = rustix::termios::Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&theirs, size)?;
    Ok((ours, theirs))
}

/// What comes from a stream, in pieces, until its end; a terminal whose other end is closed fails, which is its end.
fn pieces(mut stream: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut piece = vec![0; PIECE_BYTES];
        while let Ok(length @ 1..) = stream.read(&mut piece) {
            if send.send(piece.get(..length).unwrap_or_default().to_vec()).is_err() {
                break;
            }
        }
    });
    receive
}

/// Gathers pieces until their end, and whether that came in time.
fn gather(from: &Receiver<Vec<u8>>, end: Instant, all: &mut Vec<u8>, heard: &mut dyn FnMut(&[u8])) -> bool {
    loop {
        match from.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(piece) => {
                let room = PRINTED_BYTES_MAX.saturating_sub(all.len());
                all.extend_from_slice(piece.get(..piece.len().min(room)).unwrap_or_default());
                heard(all);
            }
            Err(RecvTimeoutError::Disconnected) => return true,
            Err(RecvTimeoutError::Timeout) => return false,
        }
    }
}

/// Waits for the child, which has closed its output if that came in time, and ends what is left of its group; the child
/// as well where it is late.
fn ended(child: &mut Child, in_time: bool, end: Instant) -> io::Result<Option<ExitStatus>> {
    let mut has_ended = false;
    while in_time && !has_ended && Instant::now() < end {
        has_ended = self::has_ended(child);
        if !has_ended {
            thread::sleep(Duration::from_millis(1));
        }
    }
    // Nobody has waited for it yet: its number, and its group's, is still its own.
    if let Some(group) = pid_of(child) {
        kill_process_group(group, Signal::KILL).ok();
    }
    let status = child.wait()?;
    Ok(has_ended.then_some(status))
}

/// Whether a child has ended; it is not waited for.
pub(crate) fn has_ended(child: &Child) -> bool {
    let flags = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    // ECHILD: somebody has waited for it.
    pid_of(child).is_some_and(|pid| waitid(WaitId::Pid(pid), flags).map_or(true, |ended| ended.is_some()))
}

fn pid_of(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

impl Place<'_> {
    fn watch(&self, child: &Child) {
        if let Some(janitor) = self.janitor {
            janitor.watch(child.id());
        }
    }

    fn forget(&self, child: &Child) {
        if let Some(janitor) = self.janitor {
            janitor.forget(child.id());
        }
    }
}

impl Ran {
    /// Why it did not end as it should have, in a few words; `None` if it did.
    pub(crate) fn cut_short(&self, time_max: Duration) -> Option<String> {
        match self.status {
            None => Some(format!("it had not ended after {} s", time_max.as_secs())),
            Some(status) => status.signal().map(|signal| format!("it was ended by signal {signal}")),
        }
    }
}
