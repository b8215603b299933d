//! The program's side: the controlling side of its terminal, or three pipes.

use crate::terminal::{Size as ScreenSize, Terminal};
use cofferdam_cell::{Cell, CellError, Program, Streams, WindowSize};
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::fs::{Gid, Uid};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::termios::Winsize;

/// How much is read from the program at once.
const PORTION_BYTES: usize = 32 << 10;

/// The program's standard streams as the supervisor holds them.
pub(crate) enum ProgramSide {
    /// It was ordered with a terminal and does not run yet.
    Awaited,
    /// A terminal of its own, and the model of what it shows.
    Terminal { controlling: Option<OwnedFd>, screen: Box<Terminal> },
    /// Pipes; each closed in its own time.
    Pipes { input: Option<OwnedFd>, output: Option<OwnedFd>, error: Option<OwnedFd> },
}

impl ProgramSide {
    /// Orders `program` from the cell, with a terminal of that size or with pipes.
    pub(crate) fn order(
        cell: &Cell,
        number: u32,
        program: &Program,
        terminal: Option<ScreenSize>,
        agent: Option<u32>,
    ) -> (Result<Self, Errno>, Result<(), CellError>) {
        if let Some(size) = terminal {
            return (Ok(Self::Awaited), cell.spawn(number, program, Streams::Terminal(window_size(size))));
        }
        match pipes(agent) {
            Ok((side, theirs)) => {
                let [input, output, error] = &theirs;
                let ordered = cell.spawn(
                    number,
                    program,
                    Streams::Pipes([input.as_fd(), output.as_fd(), error.as_fd()]),
                );
                (Ok(side), ordered)
            }
            Err(errno) => (Err(errno), Ok(())),
        }
    }

    /// It runs; with a terminal, this is its controlling side.
    pub(crate) fn started(&mut self, controlling: Option<OwnedFd>, size: ScreenSize) {
        if let (Self::Awaited, Some(controlling)) = (&self, controlling) {
            let _blocking = rustix::io::ioctl_fionbio(&controlling, true).is_err();
            let screen = Box::new(Terminal::new(size));
            *self = Self::Terminal { controlling: Some(controlling), screen };
        }
    }

    pub(crate) fn input(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Awaited => None,
            Self::Terminal { controlling, .. } => controlling.as_ref().map(OwnedFd::as_fd),
            Self::Pipes { input, .. } => input.as_ref().map(OwnedFd::as_fd),
        }
    }

    pub(crate) fn takes_input(&self) -> bool {
        self.input().is_some()
    }

    pub(crate) fn output(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Awaited => None,
            Self::Terminal { controlling, .. } => controlling.as_ref().map(OwnedFd::as_fd),
            Self::Pipes { output, .. } => output.as_ref().map(OwnedFd::as_fd),
        }
    }

    pub(crate) fn error(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Awaited | Self::Terminal { .. } => None,
            Self::Pipes { error, .. } => error.as_ref().map(OwnedFd::as_fd),
        }
    }

    /// Whether nothing more can come from it.
    pub(crate) fn is_drained(&self) -> bool {
        self.output().is_none() && self.error().is_none()
    }

    /// The next portion of output; closes it at its end (for a terminal that is `EIO`).
    pub(crate) fn read_output(&mut self) -> Option<Vec<u8>> {
        let portion = portion(self.output()?);
        if portion.is_none() {
            self.close_output();
        }
        portion.filter(|bytes| !bytes.is_empty())
    }

    /// The next portion of errors.
    pub(crate) fn read_error(&mut self) -> Option<Vec<u8>> {
        let portion = portion(self.error()?);
        if portion.is_none() {
            self.close_error();
        }
        portion.filter(|bytes| !bytes.is_empty())
    }

    /// The program finds end-of-file when it reads on. A terminal stays open: its input and output are one.
    pub(crate) fn close_input(&mut self) {
        if let Self::Pipes { input, .. } = self {
            *input = None;
        }
    }

    pub(crate) fn close_output(&mut self) {
        match self {
            Self::Awaited => {}
            Self::Terminal { controlling, .. } => *controlling = None,
            Self::Pipes { output, .. } => *output = None,
        }
    }

    pub(crate) fn close_error(&mut self) {
        if let Self::Pipes { error, .. } = self {
            *error = None;
        }
    }

    /// The window that shows the program has another size.
    pub(crate) fn resize(&mut self, size: ScreenSize) {
        if let Self::Terminal { controlling: Some(controlling), screen } = self {
            let _gone = set_window(controlling.as_fd(), size).is_err();
            screen.resize(size);
        }
    }
}

/// Tells a terminal its size.
pub(crate) fn set_window(terminal: BorrowedFd<'_>, size: ScreenSize) -> Result<(), Errno> {
    let window = Winsize { ws_row: size.rows(), ws_col: size.columns(), ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(terminal, window)
}

/// The size, for the cell.
pub(crate) fn window_size(size: ScreenSize) -> WindowSize {
    WindowSize { rows: size.rows(), columns: size.columns() }
}

/// Our ends, non-blocking, and the program's: input, output, error.
fn pipes(agent: Option<u32>) -> Result<(ProgramSide, [OwnedFd; 3]), Errno> {
    let (their_input, input) = pipe_with(PipeFlags::CLOEXEC)?;
    let (output, their_output) = pipe_with(PipeFlags::CLOEXEC)?;
    let (error, their_error) = pipe_with(PipeFlags::CLOEXEC)?;
    for ours in [&input, &output, &error] {
        rustix::io::ioctl_fionbio(ours, true)?;
    }
    let side = ProgramSide::Pipes { input: Some(input), output: Some(output), error: Some(error) };
    let theirs = [their_input, their_output, their_error];
    give(&theirs, agent)?;
    Ok((side, theirs))
}

/// Makes pipes the agent's, where its id on the host is not the owner's: else a program could not open its own
/// output by name (`/dev/stderr`).
pub(crate) fn give(pipes: &[OwnedFd], agent: Option<u32>) -> Result<(), Errno> {
    let Some(id) = agent else { return Ok(()) };
    pipes
        .iter()
        .try_for_each(|pipe| rustix::fs::fchown(pipe, Some(Uid::from_raw(id)), Some(Gid::from_raw(id))))
}

/// `None` at the end; empty when nothing waits.
fn portion(from: BorrowedFd<'_>) -> Option<Vec<u8>> {
    let mut bytes = vec![0_u8; PORTION_BYTES];
    match rustix::io::read(from, &mut bytes) {
        Ok(0) => None,
        Ok(read) => {
            bytes.truncate(read);
            Some(bytes)
        }
        Err(Errno::AGAIN | Errno::INTR) => Some(Vec::new()),
        Err(_) => None,
    }
}

impl std::fmt::Debug for ProgramSide {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Awaited => "Awaited",
            Self::Terminal { .. } => "Terminal",
            Self::Pipes { .. } => "Pipes",
        })
    }
}
