//! Commands that talk to a running session: exec, attach, stop, refresh.
//!
//! The command's own process stays outside: it holds the controlling side of a terminal, or pumps between the
//! owner's streams and pipes. Nothing of the owner's is handed into the cell.

use crate::context::Context;
use crate::control::{self, Answer, Ask, Line, Packet, Size, broken};
use crate::error::{Error, ErrorKind};
use crate::failure;
use crate::handles::Handles;
use crate::program;
use crate::resolve::AGENT_ID;
use crate::sessions;
use crate::state::State;
use crate::supervise::{GRACE, PipeFilters, RawTerminal, Streams, filtered, give, window, write_some};
use crate::system;
use crate::terminal::{Departure, Size as ScreenSize, Stroke, Terminal, reset};
use cofferdam_ledger::SessionRecord;
use cofferdam_policy::event::ExitStatus;
use cofferdam_syscall::process::{next_signal, signal_descriptor};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};
use std::ffi::OsString;
use std::time::Duration;

const QUEUE_BYTES_MAX: usize = 64 << 10;
const PORTION_BYTES: usize = 16 << 10;
/// How long a supervisor may take to record an end and to look what changed.
const RECORDED_MAX: Duration = Duration::from_secs(30);

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parting {
    /// The program ended; without a status, the whole session did.
    Ended(Option<ExitStatus>),
    /// The owner detached, and it goes on.
    Detached,
}

/// Starts a further program in a running session and stays with it; `begun` is called once it runs.
///
/// # Errors
/// [`ErrorKind::WrongState`] if the session does not run, [`ErrorKind::Command`] if the program can't be started.
pub fn exec(
    context: &Context,
    state: &State,
    record: &SessionRecord,
    command: &[OsString],
    streams: Streams,
    begun: &dyn Fn(),
) -> Result<Parting, Error> {
    let authority = sessions::authority(record)?;
    let handles = Handles::of(&state.session(&record.id))?;
    // A session that began before this owner's cells had an authority has no certificate, and its programs would trust
    // nobody by a file that is missing.
    let has_certificate = system::authority(state)?.is_some();
    let program = program::program(context, &authority, &record.name, &handles, command, has_certificate)?;
    let line = line(state, record)?;
    let called = program.arguments.first().cloned().unwrap_or_default();
    if streams.interactive() {
        let size = window();
        let terminal = Some(Size { rows: size.rows(), columns: size.columns() });
        let (answer, beside) = line.ask(&Ask::Exec { program, terminal }, &[])?;
        started(context, answer, &called)?;
        begun();
        let controlling = beside.into_iter().next().ok_or_else(|| broken(Errno::BADMSG))?;
        let screened = Screened::Direct { controlling, screen: Box::new(Terminal::new(size)) };
        return through_terminal(&line, screened, streams.destination());
    }
    let Pipes { ours, theirs } = Pipes::make(record.uid_base.map(|base| base + AGENT_ID)).map_err(broken)?;
    let borrowed: Vec<BorrowedFd<'_>> = theirs.iter().map(OwnedFd::as_fd).collect();
    let (answer, _) = line.ask(&Ask::Exec { program, terminal: None }, &borrowed)?;
    // Kept open here, the program's output would never end.
    drop(theirs);
    started(context, answer, &called)?;
    begun();
    through_pipes(&line, ours, streams)
}

/// Connects the owner's terminal to the session's program; `begun` is called when it is about to become its.
///
/// # Errors
/// [`ErrorKind::WrongState`] if it does not run or has no terminal, [`ErrorKind::Usage`] without a terminal here.
pub fn attach(
    context: &Context,
    state: &State,
    record: &SessionRecord,
    streams: Streams,
    begun: &dyn Fn(),
) -> Result<Parting, Error> {
    if !streams.interactive() {
        return Err(Error::new(ErrorKind::Usage, "cannot attach")
            .since("input and output are not a terminal")
            .hint("see what it printed: cofferdam logs"));
    }
    let line = line(state, record)?;
    let size = window();
    let (answer, _) =
        line.ask(&Ask::Attach { size: Size { rows: size.rows(), columns: size.columns() } }, &[])?;
    match answer {
        Answer::NoTerminal => Err(Error::new(ErrorKind::WrongState, "cannot attach to this session")
            .since("its program was started with pipes, and has no terminal")
            .hint("see what it printed: cofferdam logs")),
        Answer::Ended { status } => Ok(Parting::Ended(status)),
        Answer::NotStarted { stage, errno } => Err(failure::of_entry(context, b"attach", stage, errno)),
        Answer::Done | Answer::NotRefreshed { .. } | Answer::NotFrozen { .. } => {
            begun();
            through_terminal(&line, Screened::Relayed, streams.destination())
        }
    }
}

/// Ends a running session; returns when nothing of it runs any more.
///
/// # Errors
/// [`ErrorKind::WrongState`] if it does not run.
pub fn stop(state: &State, record: &SessionRecord, grace: Option<Duration>) -> Result<(), Error> {
    let line = line(state, record)?;
    let grace_ms = u64::try_from(grace.unwrap_or(GRACE).as_millis()).unwrap_or(u64::MAX);
    let supervisor =
        record.supervisor.as_ref().and_then(|known| Pid::from_raw(i32::try_from(known.pid).ok()?));
    let supervisor = supervisor.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    line.ask(&Ask::Stop { grace_ms }, &[])?;
    // Its end is recorded before the supervisor goes: who asks next must not find the session running.
    if let Some(supervisor) = supervisor {
        let mut gone = [PollFd::new(&supervisor, PollFlags::IN)];
        let _in_time = poll(&mut gone, RECORDED_MAX.try_into().ok().as_ref()).is_ok();
    }
    Ok(())
}

/// Mounts the workspaces of a running session anew, so that the owner's later changes show.
///
/// # Errors
/// [`ErrorKind::WrongState`] if it does not run, or a process holds a workspace.
pub fn refresh(state: &State, record: &SessionRecord) -> Result<(), Error> {
    let line = line(state, record)?;
    match line.ask(&Ask::Refresh, &[])?.0 {
        Answer::NotRefreshed { target, errno } => {
            let errno = Errno::from_raw_os_error(errno);
            let why = if errno == Errno::BUSY {
                "a process of the session is in it".into()
            } else {
                errno.to_string()
            };
            Err(Error::new(ErrorKind::WrongState, format!("cannot {target} anew"))
                .since(why)
                .hint("leave the directory in the session, or: cofferdam stop, then cofferdam resume"))
        }
        Answer::Done
        | Answer::NoTerminal
        | Answer::NotStarted { .. }
        | Answer::NotFrozen { .. }
        | Answer::Ended { .. } => Ok(()),
    }
}

fn line(state: &State, record: &SessionRecord) -> Result<Line, Error> {
    Line::open(&state.session(&record.id).socket(), record.name.as_str())
}

fn started(context: &Context, answer: Answer, called: &[u8]) -> Result<(), Error> {
    match answer {
        Answer::Done => Ok(()),
        Answer::NotStarted { stage, errno } => Err(failure::of_entry(context, called, stage, errno)),
        Answer::NoTerminal
        | Answer::NotRefreshed { .. }
        | Answer::NotFrozen { .. }
        | Answer::Ended { .. } => Err(Error::new(ErrorKind::WrongState, "cannot start the command")
            .since("the session ended")
            .hint("start it again: cofferdam resume")),
    }
}

/// Where a terminal's bytes come from.
enum Screened {
    /// The controlling side is ours: what it says is filtered here.
    Direct { controlling: OwnedFd, screen: Box<Terminal> },
    /// The supervisor relays, filtered.
    Relayed,
}

fn through_terminal(
    line: &Line,
    mut screened: Screened,
    destination: BorrowedFd<'static>,
) -> Result<Parting, Error> {
    let signals = signal_descriptor(&[Signal::WINCH, Signal::HUP, Signal::TERM]).map_err(broken)?;
    let mut raw = RawTerminal::enter().map_err(broken)?;
    let (mut to_program, mut to_owner) = (Vec::new(), Vec::new());
    let mut ended: Option<Option<ExitStatus>> = None;
    let parting = loop {
        if let Some(status) = ended {
            while !to_owner.is_empty() && write_some(destination, &mut to_owner) {}
            break Parting::Ended(status);
        }
        let woken = wait_terminal(line, &screened, &signals, &to_program, (&to_owner, destination))
            .map_err(broken)?;
        if woken.signal {
            while let Some(number) = next_signal(signals.as_fd()).map_err(broken)? {
                if number == Signal::WINCH.as_raw() {
                    resized(line, &mut screened).map_err(broken)?;
                } else {
                    return leave(line, &screened, raw, Parting::Detached, destination);
                }
            }
        }
        if woken.typed && type_on(&mut raw, &mut to_program) == Typing::Leave {
            break Parting::Detached;
        }
        if woken.program_takes {
            feed(line, &screened, &mut to_program);
        }
        if woken.program_says {
            listen(&mut screened, &mut to_program, &mut to_owner);
        }
        if woken.line {
            match control::hear::<Answer>(line.socket.as_fd()).map_err(broken)? {
                Packet::Data(mut bytes) => to_owner.append(&mut bytes),
                Packet::Word(Answer::Ended { status }, _) => {
                    drain(&mut screened, &mut to_program, &mut to_owner);
                    ended = Some(status);
                }
                Packet::Gone => ended = Some(None),
                Packet::Word(..) | Packet::Silent => {}
            }
        }
        if woken.owner_takes && !write_some(destination, &mut to_owner) {
            break Parting::Detached;
        }
    };
    leave(line, &screened, raw, parting, destination)
}

/// What there is to do.
#[derive(Default)]
struct Woken {
    signal: bool,
    typed: bool,
    program_takes: bool,
    program_says: bool,
    line: bool,
    owner_takes: bool,
}

fn wait_terminal(
    line: &Line,
    screened: &Screened,
    signals: &OwnedFd,
    to_program: &[u8],
    (to_owner, destination): (&[u8], BorrowedFd<'static>),
) -> Result<Woken, Errno> {
    let stdin = rustix::stdio::stdin();
    let typing = if to_program.len() < QUEUE_BYTES_MAX { PollFlags::IN } else { PollFlags::empty() };
    let showing = if to_owner.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
    let hearing = if to_owner.len() < QUEUE_BYTES_MAX { PollFlags::IN } else { PollFlags::empty() };
    let feeding = if to_program.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
    let (program, line_flags) = match screened {
        Screened::Direct { controlling, .. } => (controlling.as_fd(), hearing),
        Screened::Relayed => (line.socket.as_fd(), hearing | feeding),
    };
    let mut polled = [
        PollFd::new(signals, PollFlags::IN),
        PollFd::from_borrowed_fd(stdin, typing),
        PollFd::from_borrowed_fd(destination, showing),
        PollFd::new(&line.socket, line_flags),
        PollFd::from_borrowed_fd(program, hearing | feeding),
    ];
    match poll(&mut polled, None) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(errno) => return Err(errno),
    }
    let [signal, typed, shown, line_events, program_events] = polled.map(|fd| fd.revents());
    let says = PollFlags::IN | PollFlags::HUP | PollFlags::ERR;
    let direct = matches!(screened, Screened::Direct { .. });
    Ok(Woken {
        signal: signal.intersects(PollFlags::IN),
        typed: typed.intersects(says),
        owner_takes: shown.intersects(PollFlags::OUT | PollFlags::ERR | PollFlags::HUP)
            && !to_owner.is_empty(),
        line: line_events.intersects(says),
        program_takes: program_events.contains(PollFlags::OUT) && !to_program.is_empty(),
        program_says: direct && program_events.intersects(PollFlags::IN),
    })
}

#[derive(PartialEq, Eq)]
enum Typing {
    On,
    Leave,
}

fn type_on(raw: &mut RawTerminal, to_program: &mut Vec<u8>) -> Typing {
    let mut bytes = [0_u8; PORTION_BYTES];
    match rustix::io::read(rustix::stdio::stdin(), &mut bytes) {
        Ok(0) => Typing::Leave,
        Ok(read) => match raw.key.feed(bytes.get(..read).unwrap_or_default(), to_program) {
            Stroke::Passed => Typing::On,
            Stroke::Detach => Typing::Leave,
        },
        Err(Errno::AGAIN | Errno::INTR) => Typing::On,
        Err(_) => Typing::Leave,
    }
}

fn feed(line: &Line, screened: &Screened, to_program: &mut Vec<u8>) {
    match screened {
        Screened::Direct { controlling, .. } => {
            write_some(controlling.as_fd(), to_program);
        }
        Screened::Relayed => {
            let portion = to_program.get(..to_program.len().min(PORTION_BYTES)).unwrap_or_default();
            // A supervisor that is gone is noticed when it is heard.
            let _gone = control::pass(line.socket.as_fd(), portion).is_err();
            let sent = portion.len();
            to_program.drain(..sent);
        }
    }
}

fn listen(screened: &mut Screened, to_program: &mut Vec<u8>, to_owner: &mut Vec<u8>) -> bool {
    let Screened::Direct { controlling, screen } = screened else { return false };
    let mut bytes = [0_u8; PORTION_BYTES];
    match rustix::io::read(&*controlling, &mut bytes) {
        Ok(read) if read > 0 => {
            screen.feed(bytes.get(..read).unwrap_or_default(), to_owner, to_program);
            true
        }
        Ok(_) | Err(_) => false,
    }
}

/// What the program had printed before it ended.
fn drain(screened: &mut Screened, to_program: &mut Vec<u8>, to_owner: &mut Vec<u8>) {
    const DRAINED_BYTES_MAX: usize = 4 << 20;
    if let Screened::Direct { controlling, .. } = &screened
        && rustix::io::ioctl_fionbio(controlling, true).is_err()
    {
        return;
    }
    while to_owner.len() < DRAINED_BYTES_MAX && listen(screened, to_program, to_owner) {}
}

fn resized(line: &Line, screened: &mut Screened) -> Result<(), Errno> {
    let size: ScreenSize = window();
    match screened {
        Screened::Direct { controlling, screen } => {
            screen.resize(size);
            let size = rustix::termios::Winsize {
                ws_row: size.rows(),
                ws_col: size.columns(),
                ws_xpixel: 0,
                ws_ypixel: 0,
            };
            rustix::termios::tcsetwinsize(&*controlling, size)
        }
        Screened::Relayed => {
            let size = Size { rows: size.rows(), columns: size.columns() };
            control::say(line.socket.as_fd(), &Ask::Resize { size }, &[])
        }
    }
}

/// The terminal is put back, and says no more.
fn leave(
    line: &Line,
    screened: &Screened,
    raw: RawTerminal,
    parting: Parting,
    destination: BorrowedFd<'static>,
) -> Result<Parting, Error> {
    let departure = match parting {
        Parting::Detached => Departure::Detach,
        Parting::Ended(_) => Departure::End,
    };
    let mut last = Vec::new();
    match screened {
        Screened::Direct { screen, .. } => screen.leave(departure, &mut last),
        Screened::Relayed => reset(true, departure, &mut last),
    }
    while !last.is_empty() && write_some(destination, &mut last) {}
    drop(raw);
    // A program that was started from here ends with its terminal: the supervisor hangs up on it.
    let _open = line.socket.as_fd();
    Ok(parting)
}

/// Pipes for a program that gets no terminal.
struct Pipes {
    ours: [Option<OwnedFd>; 3],
    theirs: [OwnedFd; 3],
}

impl Pipes {
    fn make(agent: Option<u32>) -> Result<Self, Errno> {
        let (their_input, input) = pipe_with(PipeFlags::CLOEXEC)?;
        let (output, their_output) = pipe_with(PipeFlags::CLOEXEC)?;
        let (error, their_error) = pipe_with(PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&input, true)?;
        let theirs = [their_input, their_output, their_error];
        give(&theirs, agent)?;
        Ok(Self { ours: [Some(input), Some(output), Some(error)], theirs })
    }
}

fn through_pipes(line: &Line, mut ours: [Option<OwnedFd>; 3], streams: Streams) -> Result<Parting, Error> {
    let signals =
        signal_descriptor(&[Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT]).map_err(broken)?;
    let mut filters = PipeFilters::of(streams);
    let mut ended: Option<Option<ExitStatus>> = None;
    let mut typed = Typed::default();
    loop {
        if let (Some(status), [_, None, None]) = (ended, &ours) {
            return Ok(Parting::Ended(status));
        }
        let woken = wait_pipes(line, &signals, &ours, &typed, ended.is_none()).map_err(broken)?;
        let [input, output, error] = &mut ours;
        for stream in woken {
            match stream {
                Stream::Signals => {
                    while let Some(signal) = next_signal(signals.as_fd()).map_err(broken)? {
                        control::say(line.socket.as_fd(), &Ask::Signal { signal }, &[]).map_err(broken)?;
                    }
                }
                Stream::Owner => typed.read(),
                Stream::Input => typed.write(input),
                Stream::Output => {
                    pump_out(output, streams.destination(), filters.output.as_mut()).map_err(broken)?;
                }
                Stream::Error => {
                    pump_out(error, rustix::stdio::stderr(), filters.error.as_mut()).map_err(broken)?;
                }
                Stream::Line => match control::hear::<Answer>(line.socket.as_fd()).map_err(broken)? {
                    Packet::Word(Answer::Ended { status }, _) => ended = Some(status),
                    Packet::Gone => ended = Some(None),
                    Packet::Word(..) | Packet::Data(_) | Packet::Silent => {}
                },
            }
        }
        if typed.over && typed.waiting.is_empty() {
            // The program finds the end of its input once it has got all of it.
            *input = None;
        }
    }
}

/// The owner's input on its way to a program that takes it in its own time: waiting for the program here, while it
/// waits to be read, would be for ever.
#[derive(Default)]
struct Typed {
    waiting: Vec<u8>,
    over: bool,
}

impl Typed {
    fn read(&mut self) {
        let mut bytes = [0_u8; PORTION_BYTES];
        match rustix::io::read(rustix::stdio::stdin(), &mut bytes) {
            Err(Errno::INTR | Errno::AGAIN) => {}
            Ok(0) | Err(_) => self.over = true,
            Ok(read) => self.waiting.extend_from_slice(bytes.get(..read).unwrap_or_default()),
        }
    }

    fn write(&mut self, input: &mut Option<OwnedFd>) {
        if input.as_ref().is_some_and(|pipe| !write_some(pipe.as_fd(), &mut self.waiting)) {
            *input = None;
        }
    }
}

/// What woke us between pipes.
#[derive(Clone, Copy)]
enum Stream {
    Signals,
    Owner,
    Input,
    Output,
    Error,
    Line,
}

fn wait_pipes(
    line: &Line,
    signals: &OwnedFd,
    [input, output, error]: &[Option<OwnedFd>; 3],
    typed: &Typed,
    listening: bool,
) -> Result<Vec<Stream>, Errno> {
    let mut streams = vec![Stream::Signals];
    let mut polled = vec![PollFd::new(signals, PollFlags::IN)];
    let mut on = |stream: Stream, fd, flags| {
        streams.push(stream);
        polled.push(PollFd::from_borrowed_fd(fd, flags));
    };
    if input.is_some() && !typed.over && typed.waiting.len() < QUEUE_BYTES_MAX {
        on(Stream::Owner, rustix::stdio::stdin(), PollFlags::IN);
    }
    if let Some(pipe) = input.as_ref().filter(|_| !typed.waiting.is_empty()) {
        on(Stream::Input, pipe.as_fd(), PollFlags::OUT);
    }
    if let Some(pipe) = output {
        on(Stream::Output, pipe.as_fd(), PollFlags::IN);
    }
    if let Some(pipe) = error {
        on(Stream::Error, pipe.as_fd(), PollFlags::IN);
    }
    // Not once the other side is gone: that would wake us for ever.
    if listening {
        on(Stream::Line, line.socket.as_fd(), PollFlags::IN);
    }
    match poll(&mut polled, None) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(errno) => return Err(errno),
    }
    Ok(streams.into_iter().zip(&polled).filter(|(_, fd)| !fd.revents().is_empty()).map(|(s, _)| s).collect())
}

fn pump_out(
    from: &mut Option<OwnedFd>,
    to: BorrowedFd<'_>,
    filter: Option<&mut crate::terminal::Filter>,
) -> Result<(), Errno> {
    let more = match from.as_ref() {
        Some(fd) => pump(fd.as_fd(), to, filter)?,
        None => false,
    };
    if !more {
        *from = None;
    }
    Ok(())
}

/// Passes one portion on; `false` at the end, or when nobody takes it.
fn pump(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    filter: Option<&mut crate::terminal::Filter>,
) -> Result<bool, Errno> {
    let mut bytes = [0_u8; PORTION_BYTES];
    let read = match rustix::io::read(from, &mut bytes) {
        Ok(0) => return Ok(false),
        Ok(read) => read,
        Err(Errno::INTR | Errno::AGAIN) => return Ok(true),
        Err(Errno::IO | Errno::BADF) => return Ok(false),
        Err(errno) => return Err(errno),
    };
    let mut queue = Vec::new();
    filtered(filter, bytes.get(..read).unwrap_or_default(), &mut queue);
    while !queue.is_empty() {
        if !write_some(to, &mut queue) {
            return Ok(false);
        }
    }
    Ok(true)
}
