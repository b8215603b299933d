//! Pid 1 of the cell: builds the view, then starts, signals and reaps processes on the supervisor's orders.
//!
//! It stands in the outer user namespace, so root in the inner one can neither trace nor write it. It ends when
//! the supervisor's socket closes, and the kernel then ends every process of the cell. The relay and the
//! resolver of the gateway will be children of it.

use crate::entry::{self, Gate, Ready, Streams};
use crate::idmap;
use crate::landlock;
use crate::launch::{Inherited, during, take_over};
use crate::refresh::Mounter;
use crate::view::View;
use crate::wire::{
    self, EntryStage, Failure, LaunchAct, Order, PROGRAM_BYTES_MAX, Program, Report, WindowSize,
};
use cofferdam_policy::event::ExitStatus;
use cofferdam_policy::plan::{LimitedResource, Plan};
use cofferdam_syscall::process::{
    Fork, Namespaces, clone_into_namespaces, exit_now, next_signal, signal_descriptor, unshare,
};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::RecvFlags;
use rustix::process::{DumpableBehavior, Gid, Pid, Signal, Uid, WaitOptions, WaitStatus};
use std::collections::HashMap;

/// Runs pid 1 to its end; returns its exit code.
pub(crate) fn run(plan: &Plan, inherited: &Inherited, handover: &OwnedFd) -> i32 {
    match Init::start(plan, inherited.control.as_fd(), handover) {
        Ok(mut init) => init.serve(),
        Err(failure) => {
            let told = wire::send(inherited.control.as_fd(), &Report::Failed(failure), &[]);
            i32::from(told.is_err()) + 1
        }
    }
}

struct Init<'s> {
    control: BorrowedFd<'s>,
    gate: Gate,
    children: OwnedFd,
    mounter: Mounter,
    processes: HashMap<Pid, u32>,
}

impl<'s> Init<'s> {
    fn start(plan: &Plan, control: BorrowedFd<'s>, handover: &OwnedFd) -> Result<Self, Failure> {
        // The guardian's death is ours; the handover below fails if it died before this line.
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
            .map_err(during(LaunchAct::Handover))?;
        rustix::process::setsid().map_err(during(LaunchAct::Handover))?;
        let trees = take_over(handover.as_fd()).map_err(during(LaunchAct::Handover))?;
        if plan.identities.privileged {
            become_cell_root().map_err(during(LaunchAct::Identity))?;
        }
        rustix::process::umask(rustix::fs::Mode::empty());
        let mut view = View::build(plan, trees)?;
        let inner = inner_namespace(plan).map_err(during(LaunchAct::Identity))?;
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
            .map_err(during(LaunchAct::Identity))?;
        let mounter = Mounter::start(plan, &mut view).map_err(during(LaunchAct::Identity))?;
        drop(view);
        rustix::thread::set_no_new_privs(true).map_err(during(LaunchAct::Identity))?;
        landlock::confine(&plan.entry).map_err(during(LaunchAct::Landlock))?;
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        let children = signal_descriptor(&[Signal::CHILD]).map_err(during(LaunchAct::Identity))?;
        wire::send(control, &Report::Ready, &[]).map_err(during(LaunchAct::Handover))?;
        let gate = Gate::new(&plan.identities, &plan.entry, inner);
        Ok(Self { control, gate, children, mounter, processes: HashMap::new() })
    }

    fn serve(&mut self) -> i32 {
        loop {
            let mut inputs =
                [PollFd::from_borrowed_fd(self.control, PollFlags::IN), PollFd::new(&self.children, PollFlags::IN)];
            match poll(&mut inputs, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return 1,
            }
            let told = self.reap().and_then(|()| self.obey());
            match told {
                Ok(true) => {}
                Ok(false) => return 0,
                Err(_) => return 1,
            }
        }
    }

    /// Takes the orders that wait; `false` when the supervisor is gone.
    fn obey(&mut self) -> Result<bool, Errno> {
        loop {
            match wire::receive::<Order>(self.control, RecvFlags::DONTWAIT) {
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
                Ok(None) => wire::send(self.control, &Report::Spawned { process }, &[]),
                Ok(Some(terminal)) => wire::send(self.control, &Report::Spawned { process }, &[terminal.as_fd()]),
                Err((stage, errno)) => {
                    let errno = errno.raw_os_error();
                    wire::send(self.control, &Report::NotSpawned { process, stage, errno }, &[])
                }
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
                if let Some(signal) = Signal::from_named_raw(signal) {
                    signal_every_process(signal, self.mounter.pid());
                }
                Ok(())
            }
            Order::Refresh => match self.mounter.refresh() {
                Ok(()) => wire::send(self.control, &Report::Refreshed, &[]),
                Err((step, errno)) => {
                    wire::send(self.control, &Report::NotRefreshed { step, errno: errno.raw_os_error() }, &[])
                }
            },
        }
    }

    /// Starts a process; returns the controlling side of its terminal, if it got one.
    fn spawn(
        &mut self,
        number: u32,
        terminal: Option<WindowSize>,
        descriptors: Vec<OwnedFd>,
    ) -> Result<Option<OwnedFd>, (EntryStage, Errno)> {
        let at = |stage: EntryStage| move |errno: Errno| (stage, errno);
        let mut descriptors = descriptors.into_iter();
        let sealed = descriptors.next().ok_or((EntryStage::Order, Errno::BADMSG))?;
        let text = wire::unsealed(&sealed, PROGRAM_BYTES_MAX).map_err(at(EntryStage::Order))?;
        let program: Program = serde_json::from_slice(&text).map_err(|_| (EntryStage::Order, Errno::BADMSG))?;
        let ready = Ready::new(program).ok_or((EntryStage::Order, Errno::INVAL))?;
        let (streams, controlling) = match terminal {
            Some(size) => {
                let (controlling, terminal) = self.terminal(size).map_err(at(EntryStage::Terminal))?;
                (Streams::Terminal(terminal), Some(controlling))
            }
            None => (Streams::Pipes(three(descriptors).ok_or((EntryStage::Order, Errno::BADMSG))?), None),
        };
        let (reader, writer) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(at(EntryStage::Fork))?;
        match clone_into_namespaces(Namespaces::NONE).map_err(at(EntryStage::Fork))? {
            Fork::Child => entry::enter(&self.gate, &ready, &streams, &writer),
            Fork::Parent(pid, _) => {
                drop(writer);
                if let Some(failure) = last_words(&reader) {
                    return Err(failure);
                }
                self.processes.insert(pid, number);
                Ok(controlling)
            }
        }
    }

    /// A terminal of the cell's own, belonging to the agent.
    fn terminal(&self, size: WindowSize) -> Result<(OwnedFd, OwnedFd), Errno> {
        use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let controlling = openpt(flags)?;
        unlockpt(&controlling)?;
        let terminal = ioctl_tiocgptpeer(&controlling, flags)?;
        let identities = &self.gate.identities;
        rustix::fs::fchown(&terminal, Some(Uid::from_raw(identities.uid)), Some(Gid::from_raw(identities.gid)))?;
        let window = rustix::termios::Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&terminal, window)?;
        Ok((controlling, terminal))
    }

    /// Reaps every child and orphan that ended; reports those that the supervisor knows.
    fn reap(&mut self) -> Result<(), Errno> {
        while next_signal(self.children.as_fd())?.is_some() {}
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    if let Some(process) = self.processes.remove(&pid) {
                        wire::send(self.control, &Report::Exited { process, status: exit_status(status) }, &[])?;
                    }
                }
                Ok(None) | Err(Errno::CHILD) => return Ok(()),
                Err(errno) => return Err(errno),
            }
        }
    }
}

/// From the host's root to the cell's: from here on the host knows this process by an id of the cell's range.
fn become_cell_root() -> Result<(), Errno> {
    rustix::thread::set_thread_groups(&[])?;
    rustix::thread::set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT)?;
    rustix::thread::set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT)?;
    // The change of ids hid this process from itself; until the inner namespace is made there is nobody to hide from.
    rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable)
}

/// The user namespace that the agent lives in, held by its descriptor alone.
///
/// The limit on processes is set before it is made: the kernel then keeps it for the namespace as a whole
/// (`UCOUNT_RLIMIT_NPROC`), beside the owner's other processes and not among them.
fn inner_namespace(plan: &Plan) -> Result<OwnedFd, Errno> {
    let (ready_reader, ready_writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    match clone_into_namespaces(Namespaces::NONE)? {
        Fork::Child => {
            let processes = plan.entry.limits.iter().filter(|limit| limit.resource == LimitedResource::Processes);
            let made = processes.map(entry::limit).collect::<Result<(), Errno>>().and_then(|()| unshare(Namespaces::USER));
            let told = rustix::io::write(&ready_writer, &[u8::from(made.is_ok())]);
            // Waits to be killed: the parent opens the namespace meanwhile.
            while told.is_ok() {
                let pause = rustix::fs::Timespec { tv_sec: 60, tv_nsec: 0 };
                let _slept = rustix::thread::nanosleep(&pause);
            }
            exit_now(1)
        }
        Fork::Parent(pid, pidfd) => {
            let mut made = [0_u8];
            let told = rustix::io::retry_on_intr(|| rustix::io::read(&ready_reader, &mut made));
            let namespace = match (told, made) {
                (Ok(1), [1]) => idmap::write_maps(pid, &idmap::inner(&plan.identities))
                    .and_then(|()| idmap::user_namespace_of(pid)),
                (Ok(_), _) => Err(Errno::PERM),
                (Err(errno), _) => Err(errno),
            };
            rustix::process::pidfd_send_signal(&pidfd, Signal::KILL)?;
            rustix::process::waitpid(Some(pid), WaitOptions::empty())?;
            namespace
        }
    }
}

/// What the entering process said before it ended; `None` when its program runs.
fn last_words(reader: &OwnedFd) -> Option<(EntryStage, Errno)> {
    let mut words = [0_u8; 5];
    match rustix::io::retry_on_intr(|| rustix::io::read(reader, &mut words)) {
        Ok(0) => None,
        Ok(5) => {
            let [stage, a, b, c, d] = words;
            let errno = Errno::from_raw_os_error(i32::from_ne_bytes([a, b, c, d]));
            Some((EntryStage::from_byte(stage), errno))
        }
        Ok(_) => Some((EntryStage::Exec, Errno::IO)),
        Err(errno) => Some((EntryStage::Exec, errno)),
    }
}

/// All but pid 1 and the mounter, which is ours.
fn signal_every_process(signal: Signal, spared: Pid) {
    let Ok(directory) = std::fs::read_dir("/proc") else { return };
    let numbers = directory.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    for pid in numbers.filter_map(Pid::from_raw).filter(|&pid| pid != Pid::INIT && pid != spared) {
        let _gone = rustix::process::kill_process(pid, signal).is_err();
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
