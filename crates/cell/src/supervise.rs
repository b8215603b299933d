//! The supervisor's half of a cell: starts the launcher, gives orders, hears reports.

use crate::wire::{self, Order, PROGRAM_BYTES_MAX, Program, Report, Sealed, WindowSize};
use cofferdam_policy::plan::Plan;
use cofferdam_syscall::process::{ExecStrings, spawn};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, socketpair};
use rustix::process::Pid;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// A running cell. Dropping it closes the lifeline, upon which the guardian ends every process in it.
#[derive(Debug)]
pub struct Cell {
    control: OwnedFd,
    _lifeline: OwnedFd,
    /// The gateway's end, until somebody takes it.
    arrivals: Option<OwnedFd>,
    guardian: Pid,
}

/// What can go wrong between supervisor and cell; failures inside come as [`Report::Failed`].
#[derive(Debug, thiserror::Error)]
pub enum CellError {
    /// The plan can't be written down.
    #[error("cannot seal the plan")]
    Plan(#[source] cofferdam_policy::plan::PlanError),
    /// A system call of the supervisor's own failed.
    #[error("cannot {act}")]
    System {
        /// What was being done.
        act: &'static str,
        /// The kernel's answer.
        #[source]
        source: Errno,
    },
    /// Command line and environment are too long.
    #[error("the command line and environment are longer than {PROGRAM_BYTES_MAX} bytes")]
    ProgramTooLong,
}

/// What a process in the cell gets as its standard streams.
#[derive(Debug)]
pub enum Streams<'f> {
    /// A terminal of its own; the controlling side comes with [`Report::Spawned`].
    Terminal(WindowSize),
    /// Input, output and error.
    Pipes([BorrowedFd<'f>; 3]),
}

fn while_trying(act: &'static str) -> impl Fn(Errno) -> CellError {
    move |source| CellError::System { act, source }
}

impl Cell {
    /// Starts the launcher: a program that ends in [`crate::launch::main`], called with `arguments`, an empty
    /// environment, and its descriptors from number 3 on. It waits for
    /// a plan.
    ///
    /// # Errors
    /// [`CellError`]; nothing is left running then.
    pub fn launch(launcher: &Path, arguments: &[&str]) -> Result<Self, CellError> {
        let program = CString::new(launcher.as_os_str().as_bytes())
            .map_err(|_nul| while_trying("start the launcher")(Errno::INVAL))?;
        let (control, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .map_err(while_trying("make the control socket"))?;
        let (lifeline_end, lifeline) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
            .map_err(while_trying("make the lifeline"))?;
        let (arrivals, theirs_of_arrivals) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .map_err(while_trying("make the gateway's socket"))?;
        let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
            .map_err(while_trying("open /dev/null"))?;
        let strings =
            |list: &[&str]| list.iter().filter_map(|text| CString::new(*text).ok()).collect::<Vec<_>>();
        let guardian = spawn(
            &program,
            &ExecStrings::new(strings(arguments)),
            &ExecStrings::new(Vec::new()),
            &[
                null.as_fd(),
                null.as_fd(),
                null.as_fd(),
                theirs.as_fd(),
                lifeline_end.as_fd(),
                theirs_of_arrivals.as_fd(),
            ],
        )
        .map_err(while_trying("start the launcher"))?;
        Ok(Self { control, _lifeline: lifeline, arrivals: Some(arrivals), guardian })
    }

    /// Hands over a sealed plan to build by: a whole one, or the beginning of one while the rest is worked out. Each
    /// continues what came before.
    ///
    /// # Errors
    /// [`CellError`]; how the building goes comes as a report.
    pub fn build(&self, plan: &Plan) -> Result<(), CellError> {
        let text = plan.print().map_err(CellError::Plan)?;
        let sealed =
            wire::sealed("cofferdam-plan", text.as_bytes()).map_err(while_trying("seal the plan"))?;
        match wire::send(self.control.as_fd(), &Sealed {}, &[sealed.as_fd()]) {
            // A launcher that is gone has said why, and the report waits.
            Ok(()) | Err(Errno::PIPE | Errno::CONNRESET) => Ok(()),
            Err(errno) => Err(while_trying("hand the plan over")(errno)),
        }
    }

    /// Launches and builds.
    ///
    /// # Errors
    /// As [`Cell::launch`] and [`Cell::build`].
    pub fn start(plan: &Plan, launcher: &Path, arguments: &[&str]) -> Result<Self, CellError> {
        let cell = Self::launch(launcher, arguments)?;
        cell.build(plan)?;
        Ok(cell)
    }

    /// Gives up before the cell was used: returns when nothing of it is left.
    pub fn abandon(self) {
        let guardian = self.guardian;
        drop(self);
        let _reaped = rustix::process::waitpid(Some(guardian), rustix::process::WaitOptions::empty()).is_ok();
    }

    /// The guardian's pid, a child of the calling process.
    #[must_use]
    pub fn guardian(&self) -> Pid {
        self.guardian
    }

    /// Where connections of the cell arrive: packets, each an `Arrival` with the connected socket beside it; readable
    /// from the first one on. Taken once. When it is closed, connections are closed as they arrive, with a reset.
    pub fn take_arrivals(&mut self) -> Option<OwnedFd> {
        self.arrivals.take()
    }

    /// Orders a process to be started.
    ///
    /// # Errors
    /// [`CellError`] if the order can't be sent; whether it succeeded comes as a report.
    pub fn spawn(&self, process: u32, program: &Program, streams: Streams<'_>) -> Result<(), CellError> {
        let text = serde_json::to_vec(program).unwrap_or_default();
        if text.is_empty() || text.len() > PROGRAM_BYTES_MAX {
            return Err(CellError::ProgramTooLong);
        }
        let sealed = wire::sealed("cofferdam-program", &text).map_err(while_trying("seal the command"))?;
        let (terminal, pipes) = match streams {
            Streams::Terminal(size) => (Some(size), Vec::new()),
            Streams::Pipes(pipes) => (None, pipes.to_vec()),
        };
        let mut descriptors = vec![sealed.as_fd()];
        descriptors.extend(pipes);
        wire::send(self.control.as_fd(), &Order::Spawn { process, terminal }, &descriptors)
            .map_err(while_trying("order a process"))
    }

    /// Gives an order that needs no descriptors.
    ///
    /// # Errors
    /// [`CellError`] if the cell is gone.
    pub fn order(&self, order: &Order) -> Result<(), CellError> {
        wire::send(self.control.as_fd(), order, &[]).map_err(while_trying("give an order"))
    }

    /// The next report, without waiting for one.
    ///
    /// # Errors
    /// [`CellError`] for a report that can't be understood: the cell is then to be ended.
    pub fn report(&self) -> Result<CellReport, CellError> {
        match wire::receive::<Report>(self.control.as_fd(), RecvFlags::DONTWAIT) {
            Ok(Some((report, descriptors))) => Ok(CellReport::Said(report, descriptors.into_iter().next())),
            Ok(None) => Ok(CellReport::Gone),
            Err(Errno::AGAIN) => Ok(CellReport::Silent),
            Err(errno) => Err(while_trying("hear the cell")(errno)),
        }
    }
}

/// What [`Cell::report`] found.
#[derive(Debug)]
pub enum CellReport {
    /// A report, and the controlling side of a terminal if it brought one.
    Said(Report, Option<OwnedFd>),
    /// Nothing waits.
    Silent,
    /// The cell has ended.
    Gone,
}

impl AsFd for Cell {
    /// Readable when a report waits or the cell has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }
}
