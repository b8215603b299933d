//! The supervisor: one loop between the owner, the cell, and the commands that ask for something.
//!
//! It holds the lifeline: when this process goes, however it goes, the guardian ends the cell. It never enters the
//! cell and never looks into its files. Detaching forks it: the child goes on without a terminal.

mod asking;
mod clients;
mod frozen;
mod log;
mod network;
mod owner;
mod patience;
mod program;
mod published;
mod regular;
mod remains;

pub(crate) use log::former as former_log;
pub(crate) use owner::{PipeFilters, RawTerminal, filtered, window, write_some};
pub use owner::{Streams, columns};
pub(crate) use program::give;
pub(crate) use regular::Rhythm;
pub(crate) use remains::Remains;

use crate::context::Context;
use crate::control;
use crate::error::{Error, ErrorKind};
use crate::failure;
use crate::gateway::Networking;
use crate::notify::{Notifier, Occasion};
use crate::record;
use crate::start::{News, Told};
use crate::state::{SessionPlace, State, background};
use crate::terminal::{Departure, Size as ScreenSize, Stroke};
use clients::Clients;
use cofferdam_cell::{Cell, CellError, CellReport, Order, Program, Report};
use cofferdam_policy::event::{Event, ExitStatus};
use cofferdam_policy::plan::Plan;
use cofferdam_policy::session_id::{SessionId, SessionName};
use cofferdam_syscall::process::{Fork, Namespaces, clone_into_namespaces, next_signal, signal_descriptor};
use log::Log;
use program::ProgramSide;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// The number of the session's own program; those started by `exec` follow.
const MAIN: u32 = 1;
/// How much waits in a queue before its source is read no further.
const QUEUE_BYTES_MAX: usize = 64 << 10;
/// How long processes have between being asked and being ended.
pub(crate) const GRACE: Duration = Duration::from_secs(5);
/// How long what runs on a terminal has until it is hung up, if it did not heed: interactive shells never do.
const HANG_UP_AFTER: Duration = Duration::from_secs(1);
/// How long the last output of a session that was stopped is offered to a reader that takes none.
const UNREAD_MAX: Duration = Duration::from_secs(1);
/// How long a cell may take to say that it is empty; then its guardian ends it unasked.
const EMPTY_MAX: Duration = Duration::from_secs(2);

/// What is supervised.
pub(crate) struct Supervised<'c> {
    pub(crate) context: &'c Context,
    pub(crate) state: &'c State,
    pub(crate) id: SessionId,
    pub(crate) place: SessionPlace,
    pub(crate) plan: &'c Plan,
    pub(crate) time_max: Option<Duration>,
    pub(crate) regular: Option<Rhythm>,
    pub(crate) networking: Networking,
    pub(crate) notifier: Option<Notifier>,
    pub(crate) name: SessionName,
    pub(crate) told: Told<'c>,
}

/// How a supervised session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Its program ended.
    Exited(ExitStatus),
    /// It was stopped by the owner.
    Stopped,
    /// It came to its time limit.
    TimeLimit,
    /// The cell vanished under it.
    Vanished,
}

impl Ending {
    /// In words, for the owner's command.
    fn phrase(self) -> &'static str {
        match self {
            Self::Exited(ExitStatus::Code(0)) => "its program ended well",
            Self::Exited(_) => "its program failed",
            Self::Stopped => "it was stopped",
            Self::TimeLimit => "it came to its time limit",
            Self::Vanished => "its cell ended before its program did",
        }
    }
}

/// What became of the supervision in this process.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Over; `attended` if the owner's streams were connected to the end. No process of the agent's is left; what is
    /// left of the cell may still be on its way out.
    Ended { ending: Ending, attended: bool, had_gateway: bool, remains: Remains },
    /// A child of this process goes on with it.
    Detached,
}

/// How the owner wants to be connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connection {
    /// Stay connected to these streams.
    Foreground(Streams),
    /// Go on in the background as soon as the program runs.
    Background,
}

/// The owner's side, as long as there is one.
enum OwnerSide {
    Terminal(RawTerminal),
    Pipes(Box<PipeFilters>),
    Absent,
}

pub(crate) struct Supervisor<'c> {
    session: Supervised<'c>,
    connection: Connection,
    cell: Option<Cell>,
    remains: Option<Remains>,
    /// The cell has said that no process of the agent's is left.
    emptied: bool,
    /// The program's name, for when it can't be started.
    called: Vec<u8>,
    program: ProgramSide,
    owner: OwnerSide,
    owner_reads: bool,
    to_program: Vec<u8>,
    to_owner: Vec<u8>,
    to_owner_error: Vec<u8>,
    clients: Clients,
    frozen: Option<frozen::Freezing>,
    regular: Option<regular::Regular>,
    network: network::Network,
    question: Option<asking::Question>,
    patience: patience::Patience,
    listener: OwnedFd,
    signals: OwnedFd,
    log: Log,
    deadline: Option<Instant>,
    stop_at: Option<Instant>,
    hang_up_at: Option<Instant>,
    leave_unread_at: Option<Instant>,
    empty_until: Option<Instant>,
    ending: Option<Ending>,
    failure: Option<Error>,
    has_run: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Cell,
    Signals,
    Listener,
    OwnerIn,
    OwnerOut,
    OwnerError,
    ProgramIn,
    ProgramOut,
    ProgramError,
    Regular,
    Network,
    Client(u32),
}

/// Runs `program` as the session's own in `cell`, until it ends or is detached.
///
/// # Errors
/// If the cell or the program can't be started, or the supervisor's own files can't be made.
pub(crate) fn supervise(
    session: Supervised<'_>,
    cell: Cell,
    program: &Program,
    connection: Connection,
) -> Result<Outcome, Error> {
    let mut supervisor = Supervisor::new(session, cell, connection)?;
    supervisor.start(program)?;
    supervisor.run()
}

fn own(act: &'static str) -> impl Fn(Errno) -> Error {
    move |errno| Error::new(ErrorKind::State, format!("cannot {act}")).because(errno).hint("cofferdam doctor")
}

impl<'c> Supervisor<'c> {
    fn new(session: Supervised<'c>, mut cell: Cell, connection: Connection) -> Result<Self, Error> {
        let listener = control::listen(&session.place.socket()).map_err(own("listen for commands"))?;
        let log = Log::at(session.place.log());
        let signals = signal_descriptor(&[
            Signal::INT,
            Signal::TERM,
            Signal::HUP,
            Signal::QUIT,
            Signal::WINCH,
            Signal::CHILD,
        ])
        .map_err(own("watch for signals"))?;
        let remains = Remains::of(&cell, session.plan)?;
        let owner = match connection {
            Connection::Foreground(streams) => OwnerSide::Pipes(Box::new(PipeFilters::of(streams))),
            Connection::Background => OwnerSide::Absent,
        };
        let network = network::Network::awaited(cell.take_arrivals());
        let deadline = session.time_max.map(|time| Instant::now() + time);
        let regular = session.regular.map(regular::Regular::new);
        Ok(Self {
            session,
            connection,
            cell: Some(cell),
            remains: Some(remains),
            emptied: false,
            called: Vec::new(),
            program: ProgramSide::Awaited,
            owner,
            owner_reads: true,
            to_program: Vec::new(),
            to_owner: Vec::new(),
            to_owner_error: Vec::new(),
            clients: Clients::default(),
            frozen: None,
            regular,
            network,
            question: None,
            patience: patience::Patience::default(),
            listener,
            signals,
            log,
            deadline,
            stop_at: None,
            hang_up_at: None,
            leave_unread_at: None,
            empty_until: None,
            ending: None,
            failure: None,
            has_run: false,
        })
    }

    fn start(&mut self, program: &Program) -> Result<(), Error> {
        self.called = program.arguments.first().cloned().unwrap_or_default();
        let Some(cell) = &self.cell else { return Ok(()) };
        let interactive = match self.connection {
            Connection::Foreground(streams) => streams.interactive(),
            // In the background a program has a terminal to be attached to, whatever it was started from.
            Connection::Background => true,
        };
        let (side, ordered) = ProgramSide::order(cell, MAIN, program, interactive.then(window), self.agent());
        self.program = side.map_err(own("make the program's pipes"))?;
        match ordered {
            // A cell that is gone already has said why, which is heard next.
            Ok(()) | Err(CellError::System { source: Errno::PIPE | Errno::CONNRESET, .. }) => Ok(()),
            Err(error @ CellError::ProgramTooLong) => {
                Err(Error::new(ErrorKind::Usage, "cannot start the command")
                    .because(error)
                    .hint("pass long lists in a file"))
            }
            Err(error @ (CellError::System { .. } | CellError::Plan(_))) => {
                Err(Error::new(ErrorKind::Cell, "cannot start the command")
                    .because(error)
                    .hint("cofferdam doctor"))
            }
        }
    }

    /// The agent's id on the host, where it is not the owner's own.
    fn agent(&self) -> Option<u32> {
        let identities = &self.session.plan.identities;
        let base = identities.outer_uids.first().filter(|_| identities.privileged)?.outside;
        Some(base + identities.uid)
    }

    fn run(&mut self) -> Result<Outcome, Error> {
        loop {
            if self.is_over() {
                return self.finish();
            }
            for (token, events) in self.wait()? {
                if self.handle(token, events)? == Turn::Leave {
                    return Ok(Outcome::Detached);
                }
            }
            if self.keep_time()? == Turn::Leave {
                return Ok(Outcome::Detached);
            }
        }
    }

    fn is_over(&self) -> bool {
        self.cell.is_none()
            && self.program.is_drained()
            && self.to_owner.is_empty()
            && self.to_owner_error.is_empty()
    }

    fn wait(&mut self) -> Result<Vec<(Token, PollFlags)>, Error> {
        let mut polled: Vec<(Token, PollFd<'_>)> = Vec::new();
        let mut on = |token: Token, fd, flags| polled.push((token, PollFd::from_borrowed_fd(fd, flags)));
        on(Token::Signals, self.signals.as_fd(), PollFlags::IN);
        on(Token::Listener, self.listener.as_fd(), PollFlags::IN);
        if let Some(cell) = &self.cell {
            on(Token::Cell, cell.as_fd(), PollFlags::IN);
        }
        let attended = !matches!(self.owner, OwnerSide::Absent);
        if attended
            && self.owner_reads
            && self.program.takes_input()
            && self.to_program.len() < QUEUE_BYTES_MAX
        {
            on(Token::OwnerIn, rustix::stdio::stdin(), PollFlags::IN);
        }
        if attended && !self.to_owner.is_empty() {
            on(Token::OwnerOut, self.destination(), PollFlags::OUT);
        }
        if attended && !self.to_owner_error.is_empty() {
            on(Token::OwnerError, rustix::stdio::stderr(), PollFlags::OUT);
        }
        if let Some(input) = self.program.input().filter(|_| !self.to_program.is_empty()) {
            on(Token::ProgramIn, input, PollFlags::OUT);
        }
        // A question stands on the owner's terminal: what the program prints waits.
        let shown = self.to_owner.len() < QUEUE_BYTES_MAX && !self.is_asking();
        if let Some(output) = self.program.output().filter(|_| shown) {
            on(Token::ProgramOut, output, PollFlags::IN);
        }
        if let Some(error) = self.program.error().filter(|_| self.to_owner_error.len() < QUEUE_BYTES_MAX) {
            on(Token::ProgramError, error, PollFlags::IN);
        }
        if let Some(child) = self.regular.as_ref().and_then(regular::Regular::at_work) {
            on(Token::Regular, child, PollFlags::IN);
        }
        if let Some(line) = self.network.line() {
            on(Token::Network, line, PollFlags::IN);
        }
        for (number, client, wants_out) in self.clients.polled() {
            let flags = if wants_out { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
            on(Token::Client(number), client, flags);
        }
        let (tokens, mut fds): (Vec<Token>, Vec<PollFd<'_>>) = polled.into_iter().unzip();
        let due = [self.deadline, self.hang_up_at, self.stop_at, self.leave_unread_at, self.empty_until];
        let frozen = self.frozen.as_ref().map(frozen::Freezing::due);
        let regular = self.regular.as_ref().and_then(regular::Regular::due);
        let due =
            due.into_iter().chain([frozen, regular, self.network.due(), self.answer_due()]).flatten().min();
        let timeout =
            due.map(|due| due.saturating_duration_since(Instant::now())).and_then(|d| d.try_into().ok());
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(own("wait")(errno)),
        }
        Ok(tokens
            .into_iter()
            .zip(&fds)
            .map(|(t, f)| (t, f.revents()))
            .filter(|(_, e)| !e.is_empty())
            .collect())
    }

    fn handle(&mut self, token: Token, events: PollFlags) -> Result<Turn, Error> {
        match token {
            Token::Cell => return self.hear_cell(),
            Token::Signals => return self.take_signals(),
            Token::Listener => {
                if let Ok(Some(socket)) = control::accept(self.listener.as_fd(), self.session.context.uid) {
                    self.clients.add(socket);
                }
            }
            Token::OwnerIn => return self.read_owner(),
            Token::OwnerOut => {
                let destination = self.destination();
                if !write_some(destination, &mut self.to_owner) {
                    self.program.close_output();
                }
            }
            Token::OwnerError => {
                if !write_some(rustix::stdio::stderr(), &mut self.to_owner_error) {
                    self.program.close_error();
                }
            }
            Token::ProgramIn => self.feed_program(),
            Token::ProgramOut => self.read_program(),
            Token::ProgramError => self.read_program_error(),
            Token::Regular => self.regular_is_done(),
            Token::Network => self.attend_network(),
            Token::Client(number) => self.attend_client(number, events)?,
        }
        Ok(Turn::Stay)
    }

    fn hear_cell(&mut self) -> Result<Turn, Error> {
        loop {
            let Some(cell) = &self.cell else { return Ok(Turn::Stay) };
            let heard = cell.report().map_err(|error| {
                Error::new(ErrorKind::Cell, "cannot understand the cell")
                    .because(error)
                    .hint("cofferdam doctor")
            })?;
            match heard {
                CellReport::Silent => return Ok(Turn::Stay),
                CellReport::Gone => {
                    self.end(Ending::Vanished);
                    self.let_go();
                    return Ok(Turn::Stay);
                }
                CellReport::Said(report, descriptor) => {
                    if self.take_report(report, descriptor)? == Turn::Leave {
                        return Ok(Turn::Leave);
                    }
                }
            }
        }
    }

    fn take_report(&mut self, report: Report, descriptor: Option<OwnedFd>) -> Result<Turn, Error> {
        match report {
            Report::Ready => {}
            Report::Failed(cause) => {
                self.failure = Some(failure::of_cell(self.session.plan, cause));
                self.end(Ending::Vanished);
                self.let_go();
            }
            Report::Spawned { process: MAIN } => {
                self.has_run = true;
                self.program.started(descriptor, window());
                self.publish_granted();
                return self.connect();
            }
            Report::NotSpawned { process: MAIN, stage, errno } => {
                self.failure = Some(failure::of_entry(self.session.context, &self.called, stage, errno));
                self.end(Ending::Vanished);
            }
            Report::Exited { process: MAIN, status } => self.end(Ending::Exited(status)),
            Report::StopSent => self.stop_was_sent(),
            Report::Emptied => {
                self.emptied = true;
                self.let_go();
            }
            Report::Spawned { process } => self.clients.started(process, descriptor),
            Report::NotSpawned { process, stage, errno } => self.clients.not_started(process, stage, errno),
            Report::Exited { process, status } => self.clients.ended(process, status),
            Report::Connected { number } => self.hand_connection(number, descriptor),
            Report::NotConnected { number, .. } => self.hand_connection(number, None),
            Report::Refreshed => {
                // It is done, recorded or not.
                let _unrecorded = record::event(&self.session, &Event::Refreshed).is_err();
                self.clients.refreshed();
            }
            Report::NotRefreshed { step, errno } => {
                let target = self.session.plan.steps.get(step).map_or_else(String::new, |step| step.phrase());
                self.clients.not_refreshed(&target, errno);
            }
        }
        Ok(Turn::Stay)
    }

    /// The program runs: the terminal becomes its, or it is left to itself.
    fn connect(&mut self) -> Result<Turn, Error> {
        match self.connection {
            Connection::Background => self.detach(),
            Connection::Foreground(streams) if streams.interactive() => {
                record::running(&self.session)?;
                (self.session.told)(News::Begun);
                let raw = RawTerminal::enter().map_err(own("take over the terminal"))?;
                self.owner = OwnerSide::Terminal(raw);
                Ok(Turn::Stay)
            }
            Connection::Foreground(_) => {
                record::running(&self.session)?;
                (self.session.told)(News::Begun);
                Ok(Turn::Stay)
            }
        }
    }

    fn take_signals(&mut self) -> Result<Turn, Error> {
        while let Some(number) = next_signal(self.signals.as_fd()).map_err(own("read signals"))? {
            match Signal::from_named_raw(number) {
                Some(Signal::WINCH) => self.resize(window()),
                Some(Signal::TERM) => self.stop(GRACE, Ending::Stopped),
                Some(Signal::HUP) if matches!(self.owner, OwnerSide::Terminal(_)) => return self.detach(),
                Some(Signal::HUP) => self.stop(GRACE, Ending::Stopped),
                Some(signal @ (Signal::INT | Signal::QUIT)) => self.signal_main(signal),
                Some(_) | None => {}
            }
        }
        Ok(Turn::Stay)
    }

    fn signal_main(&mut self, signal: Signal) {
        if let Some(cell) = &self.cell {
            let order = Order::Signal { process: MAIN, signal: signal.as_raw() };
            // A cell that can't be told is gone, which its socket says.
            let _gone = cell.order(&order).is_err();
        }
    }

    fn resize(&mut self, size: ScreenSize) {
        if !matches!(self.owner, OwnerSide::Absent) {
            self.program.resize(size);
        }
    }

    fn read_owner(&mut self) -> Result<Turn, Error> {
        let mut bytes = [0_u8; 16 << 10];
        let read = match rustix::io::retry_on_intr(|| rustix::io::read(rustix::stdio::stdin(), &mut bytes)) {
            Ok(read) => read,
            Err(Errno::AGAIN) => return Ok(Turn::Stay),
            Err(_) => 0,
        };
        let typed = bytes.get(..read).unwrap_or_default();
        if read > 0 && self.is_asking() {
            return self.read_answer(typed);
        }
        match &mut self.owner {
            OwnerSide::Terminal(_) if read == 0 => return self.detach(),
            OwnerSide::Terminal(raw) => {
                if raw.key.feed(typed, &mut self.to_program) == Stroke::Detach {
                    return self.detach();
                }
            }
            OwnerSide::Pipes(_) | OwnerSide::Absent => {
                self.to_program.extend_from_slice(typed);
                self.owner_reads = read > 0;
            }
        }
        if !self.owner_reads && self.to_program.is_empty() {
            self.program.close_input();
        }
        Ok(Turn::Stay)
    }

    fn feed_program(&mut self) {
        if let Some(input) = self.program.input()
            && !write_some(input, &mut self.to_program)
        {
            self.program.close_input();
        }
        if !self.owner_reads && self.to_program.is_empty() {
            self.program.close_input();
        }
    }

    fn read_program(&mut self) {
        let Some(bytes) = self.program.read_output() else { return };
        self.log.append(&bytes);
        match &mut self.program {
            ProgramSide::Terminal { screen, .. } => {
                let mut shown = Vec::new();
                screen.feed(&bytes, &mut shown, &mut self.to_program);
                self.clients.show(&shown);
                if matches!(self.owner, OwnerSide::Terminal(_)) {
                    self.to_owner.append(&mut shown);
                }
            }
            ProgramSide::Pipes { .. } | ProgramSide::Awaited => {
                if let OwnerSide::Pipes(filters) = &mut self.owner {
                    filtered(filters.output.as_mut(), &bytes, &mut self.to_owner);
                }
            }
        }
    }

    fn read_program_error(&mut self) {
        let Some(bytes) = self.program.read_error() else { return };
        self.log.append(&bytes);
        if let OwnerSide::Pipes(filters) = &mut self.owner {
            filtered(filters.error.as_mut(), &bytes, &mut self.to_owner_error);
        }
    }

    fn stop(&mut self, grace: Duration, why: Ending) {
        if self.stop_at.is_some() {
            return;
        }
        // What stands still can't be asked to end.
        self.thaw();
        if let Some(cell) = &self.cell {
            let asked = cell.order(&Order::SignalAll { signal: Signal::TERM.as_raw() });
            // What is stopped can't hear; and a cell that can't be told is gone.
            let _gone =
                asked.and_then(|()| cell.order(&Order::SignalAll { signal: Signal::CONT.as_raw() })).is_err();
        }
        let now = Instant::now();
        let on_terminal = matches!(self.program, ProgramSide::Terminal { .. });
        self.hang_up_at = (on_terminal && grace > HANG_UP_AFTER).then(|| now + HANG_UP_AFTER);
        self.stop_at = Some(now + grace);
        self.ending = Some(why);
    }

    fn keep_time(&mut self) -> Result<Turn, Error> {
        self.keep_frozen();
        self.keep_regular();
        self.keep_network();
        self.keep_answer();
        let now = Instant::now();
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.deadline = None;
            let reached = Event::LimitReached { limit: "time".into() };
            // The limit holds, recorded or not.
            let _unrecorded = record::event(&self.session, &reached).is_err();
            self.stop(GRACE, Ending::TimeLimit);
        }
        if self.hang_up_at.is_some_and(|at| at <= now) {
            self.hang_up_at = None;
            self.signal_main(Signal::HUP);
        }
        if self.stop_at.is_some_and(|at| at <= now) {
            self.stop_at = None;
            self.end(self.ending.unwrap_or(Ending::Stopped));
        }
        if self.empty_until.is_some_and(|until| until <= now) {
            self.let_go();
        }
        if self.leave_unread_at.is_some_and(|at| at <= now) {
            self.leave_unread_at = None;
            self.program.close_output();
            self.program.close_error();
            self.to_owner.clear();
            self.to_owner_error.clear();
        }
        Ok(Turn::Stay)
    }

    /// Closes the lifeline: the guardian ends what is left.
    fn let_go(&mut self) {
        self.cell = None;
        self.empty_until = None;
    }

    /// Has the cell emptied: whatever still runs in it ends, and the program's streams come to their end.
    fn end(&mut self, ending: Ending) {
        // What was decided first holds: a program that ends because it was stopped was stopped.
        let ending = *self.ending.get_or_insert(ending);
        self.thaw();
        // Who stops a session does not wait for a reader that has stopped reading (ATTACKS 7).
        if matches!(ending, Ending::Stopped | Ending::TimeLimit) {
            self.leave_unread_at = Some(Instant::now() + UNREAD_MAX);
        }
        match &self.cell {
            Some(_) if self.empty_until.is_some() => {}
            Some(cell) if cell.order(&Order::Empty).is_ok() => {
                self.empty_until = Some(Instant::now() + EMPTY_MAX);
            }
            Some(_) | None => self.let_go(),
        }
        self.stop_at = None;
        self.hang_up_at = None;
        self.program.close_input();
        if matches!(self.program, ProgramSide::Awaited) || matches!(self.owner, OwnerSide::Absent) {
            self.to_owner.clear();
            self.to_owner_error.clear();
        }
    }

    fn finish(&mut self) -> Result<Outcome, Error> {
        self.end_regular();
        self.end_network();
        self.leave_terminal(Departure::End);
        let remains = self.remains.take().ok_or_else(|| own("end twice")(Errno::ALREADY))?;
        if !self.emptied {
            remains.wait()?;
        }
        let ending = self.ending.unwrap_or(Ending::Vanished);
        self.clients.all_ended(match ending {
            Ending::Exited(status) => Some(status),
            Ending::Stopped | Ending::TimeLimit | Ending::Vanished => None,
        });
        let _was_there = rustix::fs::unlink(self.session.place.socket()).is_ok();
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if !self.has_run && ending == Ending::Vanished {
            return Err(Error::new(ErrorKind::Cell, "cannot start the command")
                .since("the cell ended before it, without a word")
                .hint("cofferdam doctor"));
        }
        self.notify(Occasion::Ended, ending.phrase());
        let attended = !matches!(self.owner, OwnerSide::Absent);
        Ok(Outcome::Ended { ending, attended, had_gateway: self.network.began(), remains })
    }

    /// Tells the owner's own command, if there is one.
    fn notify(&mut self, occasion: Occasion, text: &str) {
        let Supervised { context, notifier, name, .. } = &mut self.session;
        if let Some(notifier) = notifier {
            // A command that can't be started tells nobody; what it was to tell is in the events.
            let _unstarted = notifier.tell(context, name, occasion, text).is_err();
        }
    }

    /// Where the program's output goes as long as the owner is there.
    fn destination(&self) -> BorrowedFd<'static> {
        match self.connection {
            Connection::Foreground(streams) => streams.destination(),
            Connection::Background => rustix::stdio::stdout(),
        }
    }

    fn leave_terminal(&mut self, departure: Departure) {
        let OwnerSide::Terminal(_) = &self.owner else { return };
        self.take_question_away();
        if let ProgramSide::Terminal { screen, .. } = &self.program {
            screen.leave(departure, &mut self.to_owner);
            let destination = self.destination();
            while !self.to_owner.is_empty() && write_some(destination, &mut self.to_owner) {}
        }
        // Dropping it puts the terminal back; what follows on it is plain.
        self.owner = OwnerSide::Pipes(Box::default());
    }

    /// Goes on in a child without a terminal; this process is done.
    fn detach(&mut self) -> Result<Turn, Error> {
        self.leave_terminal(Departure::Detach);
        self.session.state.close_ledger();
        let (taken, handover) = pipe_with(PipeFlags::CLOEXEC).map_err(own("go on in the background"))?;
        match clone_into_namespaces(Namespaces::NONE).map_err(own("go on in the background"))? {
            Fork::Parent(..) => {
                // Leaving before the child has a session of its own and is recorded would hang up on it, and show
                // everybody a session that nobody supervises. It says so by closing its end, or by its own end.
                drop(handover);
                let _ended = rustix::io::retry_on_intr(|| rustix::io::read(&taken, &mut [0_u8; 1])).is_err();
                Ok(Turn::Leave)
            }
            Fork::Child => {
                drop(taken);
                let foreground = !matches!(self.owner, OwnerSide::Absent);
                self.owner = OwnerSide::Absent;
                self.to_owner.clear();
                self.to_owner_error.clear();
                background().map_err(own("leave the terminal"))?;
                record::running(&self.session)?;
                if foreground {
                    record::event(&self.session, &Event::Detached)?;
                }
                drop(handover);
                self.session.state.close_ledger();
                Ok(Turn::Stay)
            }
        }
    }
}

/// Whether this process goes on supervising.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Stay,
    Leave,
}
