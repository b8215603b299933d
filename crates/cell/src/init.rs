//! Pid 1 of the cell: builds the view, then starts, signals and reaps processes on the supervisor's orders.
//!
//! It stands in the outer user namespace, so root in the inner one can neither trace nor write it. It ends when
//! the supervisor's or the guardian's socket closes, and the kernel then ends every process of the cell. It waits
//! for nothing that the agent could hold up. It is the cell's relay and resolver as well ([`crate::relay`]).

use crate::entry::{self, Gate, Ready, Streams};
use crate::idmap;
use crate::inner::Founder;
use crate::landlock;
use crate::launch::{Inherited, during, read_plan, take_over};
use crate::refresh::{Outcome, Places};
use crate::relay::Relay;
use crate::view::View;
use crate::wire::{
    self, EntryStage, Failure, LaunchAct, Order, PROGRAM_BYTES_MAX, Program, Report, WindowSize,
};
use cofferdam_policy::event::ExitStatus;
use cofferdam_policy::plan::Plan;
use cofferdam_syscall::confine::join_empty_keyring;
use cofferdam_syscall::process::{Fork, Namespaces, clone_into_namespaces, next_signal, signal_descriptor};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::RecvFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{DumpableBehavior, Gid, Pid, Signal, Uid, WaitOptions, WaitStatus};
use std::collections::HashMap;

/// Runs pid 1 to its end; returns its exit code.
pub(crate) fn run(inherited: &Inherited, handover: &OwnedFd) -> i32 {
    match Init::start(inherited, handover) {
        Ok(mut init) => init.serve(),
        Err(failure) => {
            let told = wire::send(inherited.control.as_fd(), &Report::Failed(failure), &[]);
            i32::from(told.is_err()) + 1
        }
    }
}

/// A part of the plan and the sources that it adds, as the guardian hands them over.
fn take_plan(guardian: BorrowedFd<'_>) -> Result<(Plan, Vec<OwnedFd>), Failure> {
    let mut descriptors = take_over(guardian).map_err(during(LaunchAct::Handover))?.into_iter();
    let sealed = descriptors.next().ok_or(during(LaunchAct::Handover)(Errno::BADMSG))?;
    Ok((read_plan(&sealed)?, descriptors.collect()))
}

/// A process that moves itself waits for nobody; see [`crate::guardian::Groups`].
fn join_groups(doors: &[OwnedFd]) -> Result<(), Errno> {
    doors.iter().try_for_each(|door| rustix::io::write(door, b"0").map(|_| ()))
}

struct Init<'s> {
    control: BorrowedFd<'s>,
    guardian: BorrowedFd<'s>,
    gate: Gate,
    children: OwnedFd,
    places: Places,
    /// Whether a refresh was asked for and its outcome not heard yet.
    refreshing: bool,
    processes: HashMap<Pid, u32>,
    /// Forked, and not yet through the gate.
    entering: HashMap<Pid, Entering>,
    relay: Relay<'s>,
}

/// A process between fork and exec. The agent may have stopped it there, so nobody waits for it.
struct Entering {
    process: u32,
    last_words: OwnedFd,
    /// The controlling side of its terminal, if it gets one.
    controlling: Option<OwnedFd>,
}

impl<'s> Init<'s> {
    fn start(inherited: &'s Inherited, handover: &'s OwnedFd) -> Result<Self, Failure> {
        let (control, guardian) = (inherited.control.as_fd(), handover.as_fd());
        die_with_the_guardian(guardian).map_err(during(LaunchAct::Handover))?;
        rustix::process::setsid().map_err(during(LaunchAct::Handover))?;
        let mut view = View::new(take_plan(guardian)?.0);
        // It takes no ids, no sources, and nothing of the agent's: it is made while the guardian opens what does.
        view.make_network()?;
        let doors = take_over(guardian).map_err(during(LaunchAct::Handover))?;
        join_groups(&doors).map_err(during(LaunchAct::ControlGroup))?;
        drop(doors);
        let trees = take_over(guardian).map_err(during(LaunchAct::Handover))?;
        if view.plan.identities.privileged {
            idmap::become_cell_root().map_err(during(LaunchAct::Identity))?;
            // The change of ids hid this process from itself; until the inner namespace is made there is nobody
            // to hide from. It also took the signal that ends us with the guardian.
            rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable)
                .and_then(|()| die_with_the_guardian(guardian))
                .map_err(during(LaunchAct::Identity))?;
        }
        leave_the_owners_keys().map_err(during(LaunchAct::Identity))?;
        rustix::process::umask(rustix::fs::Mode::empty());
        let founder = idmap::host_proc().and_then(|proc| Founder::start(&view.plan, proc));
        let founder = founder.map_err(during(LaunchAct::Identity))?;
        view.begin(trees)?;
        while !view.plan.is_whole() {
            let (plan, trees) = take_plan(guardian)?;
            view.go_on_with(plan, trees)?;
        }
        let inner = view.proc().and_then(|proc| founder.namespace(proc.as_fd(), &view.plan.identities));
        let inner = inner.map_err(during(LaunchAct::Identity))?;
        view.finish()?;
        let places = Places::of(&mut view).map_err(during(LaunchAct::Identity))?;
        let relay = Relay::new(inherited.arrivals.as_fd(), view.listeners.take());
        let relay = relay.map_err(during(LaunchAct::Handover))?;
        let plan = view.into_plan();
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
            .and_then(|()| rustix::thread::set_no_new_privs(true))
            .map_err(during(LaunchAct::Identity))?;
        landlock::confine(&plan.entry).map_err(during(LaunchAct::Landlock))?;
        founder.end();
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        let children = signal_descriptor(&[Signal::CHILD]).map_err(during(LaunchAct::Identity))?;
        wire::send(control, &Report::Ready, &[]).map_err(during(LaunchAct::Handover))?;
        let gate = Gate::new(&plan.identities, &plan.entry, inner);
        let (processes, entering) = (HashMap::new(), HashMap::new());
        let refreshing = false;
        Ok(Self { control, guardian, gate, children, places, refreshing, processes, entering, relay })
    }

    fn serve(&mut self) -> i32 {
        loop {
            let ends = [self.control, self.guardian, self.children.as_fd()];
            let entering = self.entering.values().map(|entering| entering.last_words.as_fd());
            let mut inputs: Vec<PollFd<'_>> = ends
                .into_iter()
                .chain(entering)
                .map(|end| PollFd::from_borrowed_fd(end, PollFlags::IN))
                .chain(self.relay.ends())
                .collect();
            match poll(&mut inputs, self.relay.patience().as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return 1,
            }
            drop(inputs);
            let done = self.settle().and_then(|()| self.reap()).and_then(|()| self.hear_the_guardian());
            // The relay comes last: what the supervisor orders never waits for what the agent sends.
            match done.and_then(|guarded| Ok(guarded && self.obey()?)).and_then(|on| self.relay_some(on)) {
                Ok(true) => {}
                Ok(false) => return 0,
                Err(_) => return 1,
            }
        }
    }

    /// Relays as much as one round may; tells of connections that were asked for.
    fn relay_some(&mut self, goes_on: bool) -> Result<bool, Errno> {
        if goes_on {
            self.relay.turn();
            for (number, outcome) in self.relay.made() {
                match outcome {
                    Ok(socket) => {
                        wire::send(self.control, &Report::Connected { number }, &[socket.as_fd()])?;
                    }
                    Err(errno) => self.not_connected(number, errno)?,
                }
            }
        }
        Ok(goes_on)
    }

    fn not_connected(&self, number: u32, errno: Errno) -> Result<(), Errno> {
        let errno = errno.raw_os_error();
        wire::send(self.control, &Report::NotConnected { number, errno }, &[])
    }

    /// Tells the outcome of a refresh; `false` when the guardian is gone.
    fn hear_the_guardian(&mut self) -> Result<bool, Errno> {
        match wire::receive::<Outcome>(self.guardian, RecvFlags::DONTWAIT) {
            Ok(Some((Outcome { failed }, _))) => {
                self.refreshing = false;
                let report =
                    failed.map_or(Report::Refreshed, |(step, errno)| Report::NotRefreshed { step, errno });
                wire::send(self.control, &report, &[]).map(|()| true)
            }
            Ok(None) => Ok(false),
            Err(Errno::AGAIN) => Ok(true),
            Err(errno) => Err(errno),
        }
    }

    /// Takes the orders that wait; `false` when the supervisor is gone, or the cell was emptied: no order after
    /// that one can put anything into it.
    fn obey(&mut self) -> Result<bool, Errno> {
        loop {
            match wire::receive::<Order>(self.control, RecvFlags::DONTWAIT) {
                Ok(Some((Order::Empty, _))) => return self.empty().map(|()| false),
                Ok(Some((order, descriptors))) => self.follow(order, descriptors)?,
                Ok(None) => return Ok(false),
                Err(Errno::AGAIN) => return Ok(true),
                Err(errno) => return Err(errno),
            }
        }
    }

    fn follow(&mut self, order: Order, descriptors: Vec<OwnedFd>) -> Result<(), Errno> {
        match order {
            Order::Spawn { process, terminal } => match self.spawn(process, terminal, descriptors) {
                Ok(()) => Ok(()),
                Err(failure) => self.not_spawned(process, failure),
            },
            Order::Signal { process, signal } => {
                let named = self.processes.iter().find(|&(_, &number)| number == process);
                if let (Some((&pid, _)), Some(signal)) = (named, Signal::from_named_raw(signal)) {
                    // Its group where it leads one still; gone already is as good.
                    let _gone = rustix::process::kill_process_group(pid, signal)
                        .or_else(|_| rustix::process::kill_process(pid, signal));
                }
                Ok(())
            }
            Order::SignalAll { signal } => {
                Signal::from_named_raw(signal).into_iter().for_each(signal_all);
                Ok(())
            }
            Order::StopAll => {
                signal_all(Signal::STOP);
                wire::send(self.control, &Report::StopSent, &[])
            }
            Order::Empty => self.empty(),
            Order::Connect { number, port } => match self.relay.connect(number, port) {
                Ok(()) => Ok(()),
                Err(errno) => self.not_connected(number, errno),
            },
            Order::Refresh if self.refreshing => {
                let errno = Errno::ALREADY.raw_os_error();
                wire::send(self.control, &Report::NotRefreshed { step: 0, errno }, &[])
            }
            Order::Refresh => {
                self.refreshing = true;
                self.places.ask(self.guardian)
            }
        }
    }

    fn empty(&self) -> Result<(), Errno> {
        signal_all(Signal::KILL);
        // One that can't die holds this up, and the supervisor does not wait for ever.
        while rustix::io::retry_on_intr(|| rustix::process::wait(WaitOptions::empty())).is_ok() {}
        wire::send(self.control, &Report::Emptied, &[])
    }

    /// Starts a process; whether it comes through the gate shows later.
    fn spawn(
        &mut self,
        process: u32,
        terminal: Option<WindowSize>,
        descriptors: Vec<OwnedFd>,
    ) -> Result<(), (EntryStage, Errno)> {
        let at = |stage: EntryStage| move |errno: Errno| (stage, errno);
        let mut descriptors = descriptors.into_iter();
        let sealed = descriptors.next().ok_or((EntryStage::Order, Errno::BADMSG))?;
        let text = wire::unsealed(&sealed, PROGRAM_BYTES_MAX).map_err(at(EntryStage::Order))?;
        let program: Program =
            serde_json::from_slice(&text).ok().ok_or((EntryStage::Order, Errno::BADMSG))?;
        let ready = Ready::new(program).ok_or((EntryStage::Order, Errno::INVAL))?;
        let (streams, controlling) = match terminal {
            Some(size) => {
                let (controlling, terminal) = self.terminal(size).map_err(at(EntryStage::Terminal))?;
                (Streams::Terminal(terminal), Some(controlling))
            }
            None => (Streams::Pipes(three(descriptors).ok_or((EntryStage::Order, Errno::BADMSG))?), None),
        };
        let flags = PipeFlags::CLOEXEC | PipeFlags::NONBLOCK;
        let (last_words, writer) = pipe_with(flags).map_err(at(EntryStage::Fork))?;
        match clone_into_namespaces(Namespaces::NONE).map_err(at(EntryStage::Fork))? {
            Fork::Child => entry::enter(&self.gate, &ready, &streams, &writer),
            Fork::Parent(pid, _) => {
                self.processes.insert(pid, process);
                self.entering.insert(pid, Entering { process, last_words, controlling });
                Ok(())
            }
        }
    }

    /// Reports those that came through the gate, and those that did not.
    fn settle(&mut self) -> Result<(), Errno> {
        let entering: Vec<Pid> = self.entering.keys().copied().collect();
        entering.into_iter().try_for_each(|pid| self.settle_one(pid))
    }

    fn settle_one(&mut self, pid: Pid) -> Result<(), Errno> {
        let Some(entering) = self.entering.remove(&pid) else { return Ok(()) };
        let process = entering.process;
        match last_words(&entering.last_words) {
            Ok(None) => {
                let terminal: Vec<BorrowedFd<'_>> = entering.controlling.iter().map(OwnedFd::as_fd).collect();
                wire::send(self.control, &Report::Spawned { process }, &terminal)
            }
            Ok(Some(failure)) => {
                self.processes.remove(&pid);
                self.not_spawned(process, failure)
            }
            Err(Errno::AGAIN) => {
                self.entering.insert(pid, entering);
                Ok(())
            }
            Err(errno) => Err(errno),
        }
    }

    fn not_spawned(&self, process: u32, (stage, errno): (EntryStage, Errno)) -> Result<(), Errno> {
        let errno = errno.raw_os_error();
        wire::send(self.control, &Report::NotSpawned { process, stage, errno }, &[])
    }

    /// A terminal of the cell's own, belonging to the agent.
    fn terminal(&self, size: WindowSize) -> Result<(OwnedFd, OwnedFd), Errno> {
        use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let controlling = openpt(flags)?;
        unlockpt(&controlling)?;
        let terminal = ioctl_tiocgptpeer(&controlling, flags)?;
        let identities = &self.gate.identities;
        rustix::fs::fchown(
            &terminal,
            Some(Uid::from_raw(identities.uid)),
            Some(Gid::from_raw(identities.gid)),
        )?;
        let window =
            rustix::termios::Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&terminal, window)?;
        Ok((controlling, terminal))
    }

    /// Reaps every child and orphan that ended; reports those that the supervisor knows.
    fn reap(&mut self) -> Result<(), Errno> {
        // One read empties it: the kernel keeps one such signal, however many are sent (by the agent too).
        next_signal(self.children.as_fd())?;
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    self.settle_one(pid)?;
                    if let Some(process) = self.processes.remove(&pid) {
                        wire::send(
                            self.control,
                            &Report::Exited { process, status: exit_status(status) },
                            &[],
                        )?;
                    }
                }
                Ok(None) | Err(Errno::CHILD) => return Ok(()),
                Err(errno) => return Err(errno),
            }
        }
    }
}

/// kill(-1): all but ourselves, at one moment, so that no fork slips through.
fn signal_all(signal: Signal) {
    // ESRCH: there is nobody.
    let _nobody = rustix::process::kill_process_group(Pid::INIT, signal).is_err();
}

/// The guardian's death is ours, though it were killed and we were stopped. One that died before this line left
/// its end of the socket closed.
fn die_with_the_guardian(guardian: BorrowedFd<'_>) -> Result<(), Errno> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let mut end = [PollFd::from_borrowed_fd(guardian, PollFlags::empty())];
    let now = rustix::fs::Timespec { tv_sec: 0, tv_nsec: 0 };
    match poll(&mut end, Some(&now))? {
        0 => Ok(()),
        _ => Err(Errno::PIPE),
    }
}

/// The owner's session keyring is no part of the authority; the filter keeps the agent from every call on keys,
/// but file systems and `/proc/keys` look there too.
fn leave_the_owners_keys() -> Result<(), Errno> {
    match join_empty_keyring() {
        // A kernel without keyrings has none to leave.
        Ok(()) | Err(Errno::NOSYS) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// What the entering process said before it ended; `None` when its program runs, `EAGAIN` while neither is so.
fn last_words(reader: &OwnedFd) -> Result<Option<(EntryStage, Errno)>, Errno> {
    let mut words = [0_u8; 5];
    match rustix::io::retry_on_intr(|| rustix::io::read(reader, &mut words))? {
        0 => Ok(None),
        5 => {
            let [stage, a, b, c, d] = words;
            let errno = Errno::from_raw_os_error(i32::from_ne_bytes([a, b, c, d]));
            Ok(Some((EntryStage::from_byte(stage), errno)))
        }
        _ => Ok(Some((EntryStage::Exec, Errno::IO))),
    }
}

fn three(mut descriptors: impl Iterator<Item = OwnedFd>) -> Option<[OwnedFd; 3]> {
    Some([descriptors.next()?, descriptors.next()?, descriptors.next()?])
}

fn exit_status(status: WaitStatus) -> ExitStatus {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => ExitStatus::Code(u8::try_from(code & 0xFF).unwrap_or(u8::MAX)),
        (None, Some(signal)) => ExitStatus::Signal(signal),
        (None, None) => ExitStatus::Code(0),
    }
}
