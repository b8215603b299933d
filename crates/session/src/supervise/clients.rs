//! Commands that are connected to the supervisor: those that attach, those that started a program, those that ask
//! for a stop or a refresh.

use super::{Ending, MAIN, Supervisor, program::window_size};
use crate::control::{self, Answer, Ask, Packet};
use crate::error::Error;
use crate::record;
use crate::supervise::program::ProgramSide;
use crate::terminal::Size as ScreenSize;
use cofferdam_cell::{EntryStage, Order, Program, Streams};
use cofferdam_policy::event::{Event, ExitStatus};
use rustix::event::PollFlags;
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::time::Duration;

/// The most commands that may be connected at once.
const CLIENTS_MAX: usize = 64;
/// How much waits for a slow terminal before it is painted anew instead.
const BACKLOG_BYTES_MAX: usize = 1 << 20;
/// How much of it goes into one packet.
const PORTION_BYTES: usize = 32 << 10;

/// What a connected command is there for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Role {
    Asking,
    Attached,
    /// Waits for the end of this process.
    Running(u32),
    Stopping,
    Refreshing,
    /// Waits for the cell to stand still.
    Freezing,
    /// Holds it still.
    Holding,
}

#[derive(Debug)]
struct Client {
    socket: OwnedFd,
    role: Role,
    backlog: Vec<u8>,
    repaint: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Clients {
    connected: BTreeMap<u32, Client>,
    /// Numbers of clients and of the processes that they started alike; never used twice.
    last: u32,
}

impl Clients {
    pub(crate) fn add(&mut self, socket: OwnedFd) {
        if self.connected.len() < CLIENTS_MAX {
            self.last = self.last.max(MAIN) + 1;
            let client = Client { socket, role: Role::Asking, backlog: Vec::new(), repaint: false };
            self.connected.insert(self.last, client);
        }
    }

    /// Who is to be waited for: number, socket, whether something waits to be sent.
    pub(crate) fn polled(&self) -> impl Iterator<Item = (u32, BorrowedFd<'_>, bool)> {
        self.connected.iter().map(|(&number, client)| {
            (number, client.socket.as_fd(), client.repaint || !client.backlog.is_empty())
        })
    }

    /// Output of the program, for everybody who is attached.
    pub(crate) fn show(&mut self, bytes: &[u8]) {
        for client in self.connected.values_mut().filter(|client| client.role == Role::Attached) {
            if client.backlog.len() + bytes.len() > BACKLOG_BYTES_MAX {
                client.backlog.clear();
                client.repaint = true;
            } else {
                client.backlog.extend_from_slice(bytes);
            }
        }
    }

    pub(crate) fn started(&mut self, process: u32, controlling: Option<OwnedFd>) {
        let beside: Vec<BorrowedFd<'_>> = controlling.iter().map(OwnedFd::as_fd).collect();
        self.answer(|role| *role == Role::Running(process), &Answer::Done, &beside, false);
    }

    pub(crate) fn not_started(&mut self, process: u32, stage: EntryStage, errno: i32) {
        self.answer(|role| *role == Role::Running(process), &Answer::NotStarted { stage, errno }, &[], true);
    }

    pub(crate) fn ended(&mut self, process: u32, status: ExitStatus) {
        let answer = Answer::Ended { status: Some(status) };
        self.answer(|role| *role == Role::Running(process), &answer, &[], true);
    }

    pub(crate) fn refreshed(&mut self) {
        self.answer(|role| *role == Role::Refreshing, &Answer::Done, &[], true);
    }

    pub(crate) fn not_refreshed(&mut self, target: &str, errno: i32) {
        let answer = Answer::NotRefreshed { target: target.to_owned(), errno };
        self.answer(|role| *role == Role::Refreshing, &answer, &[], true);
    }

    /// The cell stands still, for all who asked for it.
    pub(super) fn frozen(&mut self) {
        self.answer(|role| *role == Role::Freezing, &Answer::Done, &[], false);
        for client in self.connected.values_mut().filter(|client| client.role == Role::Freezing) {
            client.role = Role::Holding;
        }
    }

    /// It does not, or no longer: those who hold it find their connection ended.
    pub(super) fn not_frozen(&mut self, why: &str) {
        self.answer(|role| *role == Role::Freezing, &Answer::NotFrozen { why: why.to_owned() }, &[], true);
        self.connected.retain(|_, client| client.role != Role::Holding);
    }

    /// Whether anybody wants the cell to stand still.
    pub(super) fn hold_still(&self) -> bool {
        self.connected.values().any(|client| matches!(client.role, Role::Freezing | Role::Holding))
    }

    /// The session is over: everybody is told, with what was left to be shown before it.
    pub(crate) fn all_ended(&mut self, status: Option<ExitStatus>) {
        for client in self.connected.values_mut() {
            let _slow = rustix::io::ioctl_fionbio(&client.socket, false).is_err();
            let timeout = Some(Duration::from_secs(1));
            let _unset = rustix::net::sockopt::set_socket_timeout(
                &client.socket,
                rustix::net::sockopt::Timeout::Send,
                timeout,
            )
            .is_err();
            while !client.backlog.is_empty() && client.send_portion().is_ok() {}
        }
        // What still ran was ended with the session: that its own program went well says nothing of another one.
        let is_cut_off = |role: &Role| matches!(role, Role::Running(_));
        self.answer(is_cut_off, &Answer::Ended { status: None }, &[], true);
        self.answer(|_| true, &Answer::Ended { status }, &[], true);
    }

    /// Answers those whose role fits; a client that can't be told is dropped.
    fn answer(
        &mut self,
        fits: impl Fn(&Role) -> bool,
        answer: &Answer,
        beside: &[BorrowedFd<'_>],
        last_word: bool,
    ) {
        self.connected.retain(|_, client| {
            if !fits(&client.role) {
                return true;
            }
            control::say(client.socket.as_fd(), answer, beside).is_ok() && !last_word
        });
    }

    fn drop_client(&mut self, number: u32) -> Option<Role> {
        self.connected.remove(&number).map(|client| client.role)
    }
}

impl Client {
    fn send_portion(&mut self) -> Result<(), Errno> {
        let portion = self.backlog.get(..self.backlog.len().min(PORTION_BYTES)).unwrap_or_default();
        control::pass(self.socket.as_fd(), portion)?;
        let sent = portion.len();
        self.backlog.drain(..sent);
        Ok(())
    }
}

impl Supervisor<'_> {
    /// Hears and serves one connected command.
    pub(super) fn attend_client(&mut self, number: u32, events: PollFlags) -> Result<(), Error> {
        if events.contains(PollFlags::OUT) {
            self.send_to(number);
        }
        if !events.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            return Ok(());
        }
        let Some(client) = self.clients.connected.get(&number) else { return Ok(()) };
        match control::hear::<Ask>(client.socket.as_fd()) {
            Ok(Packet::Silent) => Ok(()),
            Ok(Packet::Data(bytes)) => {
                if client.role == Role::Attached {
                    self.to_program.extend_from_slice(&bytes);
                }
                Ok(())
            }
            Ok(Packet::Word(ask, descriptors)) => self.serve(number, ask, descriptors),
            Ok(Packet::Gone) | Err(_) => self.lose(number),
        }
    }

    fn send_to(&mut self, number: u32) {
        let Some(client) = self.clients.connected.get_mut(&number) else { return };
        if std::mem::take(&mut client.repaint)
            && let ProgramSide::Terminal { screen, .. } = &self.program
        {
            client.backlog.clear();
            screen.repaint(&mut client.backlog);
        }
        if !client.backlog.is_empty() && !matches!(client.send_portion(), Ok(()) | Err(Errno::AGAIN)) {
            self.clients.connected.remove(&number);
        }
    }

    /// A command went away: a terminal is detached, a program that was started from it is hung up on.
    fn lose(&mut self, number: u32) -> Result<(), Error> {
        match self.clients.drop_client(number) {
            Some(Role::Attached) => {
                let _unrecorded = record::event(&self.session, &Event::Detached).is_err();
                Ok(())
            }
            Some(Role::Running(process)) => {
                self.signal(process, Signal::HUP.as_raw());
                Ok(())
            }
            Some(Role::Freezing | Role::Holding) => {
                self.thaw_if_unheld();
                Ok(())
            }
            Some(Role::Asking | Role::Stopping | Role::Refreshing) | None => Ok(()),
        }
    }

    pub(super) fn serve(&mut self, number: u32, ask: Ask, descriptors: Vec<OwnedFd>) -> Result<(), Error> {
        let Some((ask, descriptors)) = self.put_off(number, ask, descriptors) else { return Ok(()) };
        match ask {
            Ask::Attach { size } => self.attach(number, ScreenSize::new(size.rows, size.columns)),
            Ask::Resize { size } => {
                if self.role(number) == Some(&Role::Attached) {
                    self.program.resize(ScreenSize::new(size.rows, size.columns));
                }
                Ok(())
            }
            Ask::Exec { program, terminal } => {
                let terminal = terminal.map(|size| ScreenSize::new(size.rows, size.columns));
                self.execute(number, &program, terminal, descriptors)
            }
            Ask::Signal { signal } => {
                if let Some(&Role::Running(process)) = self.role(number) {
                    self.signal(process, signal);
                }
                Ok(())
            }
            Ask::Stop { grace_ms } => {
                self.set_role(number, Role::Stopping);
                self.stop(Duration::from_millis(grace_ms), Ending::Stopped);
                Ok(())
            }
            Ask::Freeze => {
                self.freeze(number);
                Ok(())
            }
            Ask::Network => {
                let seen = self.network.seen();
                self.clients.tell(number, &seen);
                Ok(())
            }
            Ask::Decide { id, decision } => {
                let waited = self.decide(id, decision);
                self.clients.tell(number, &waited);
                Ok(())
            }
            Ask::Revoke { secret } => {
                let had = self.revoke(&secret);
                self.clients.tell(number, &had);
                Ok(())
            }
            Ask::Publish { port } => {
                let published = self.publish(port);
                self.clients.tell(number, &published);
                Ok(())
            }
            Ask::Unpublish { port } => {
                let was_published = self.unpublish(port);
                self.clients.tell(number, &was_published);
                Ok(())
            }
            Ask::Refresh => {
                self.set_role(number, Role::Refreshing);
                if let Some(cell) = &self.cell {
                    let _gone = cell.order(&Order::Refresh).is_err();
                }
                Ok(())
            }
        }
    }

    fn attach(&mut self, number: u32, size: ScreenSize) -> Result<(), Error> {
        if !matches!(self.program, ProgramSide::Terminal { .. }) {
            self.clients.answer_one(number, &Answer::NoTerminal);
            return Ok(());
        }
        if record::event(&self.session, &Event::Attached).is_err() {
            let errno = Errno::NOSPC.raw_os_error();
            self.clients.answer_one(number, &Answer::NotStarted { stage: EntryStage::Order, errno });
            return Ok(());
        }
        self.clients.answer_one(number, &Answer::Done);
        self.program.resize(size);
        if let Some(client) = self.clients.connected.get_mut(&number) {
            client.role = Role::Attached;
            client.repaint = true;
        }
        Ok(())
    }

    /// The same way in as for the session's own program, and no more authority: pid 1 knows no other.
    fn execute(
        &mut self,
        number: u32,
        program: &Program,
        terminal: Option<ScreenSize>,
        descriptors: Vec<OwnedFd>,
    ) -> Result<(), Error> {
        let command =
            program.arguments.iter().map(|part| String::from_utf8_lossy(part).into_owned()).collect();
        self.set_role(number, Role::Running(number));
        // What can't be recorded is not done; the session goes on all the same.
        if record::event(&self.session, &Event::Executed { command }).is_err() {
            self.clients.not_started(number, EntryStage::Order, Errno::NOSPC.raw_os_error());
            return Ok(());
        }
        let Some(cell) = &self.cell else { return Ok(()) };
        let ordered = match (terminal, <[OwnedFd; 3]>::try_from(descriptors)) {
            (Some(size), _) => cell.spawn(number, program, Streams::Terminal(window_size(size))),
            (None, Ok([input, output, error])) => {
                cell.spawn(number, program, Streams::Pipes([input.as_fd(), output.as_fd(), error.as_fd()]))
            }
            (None, Err(_)) => {
                self.clients.not_started(number, EntryStage::Order, Errno::BADMSG.raw_os_error());
                return Ok(());
            }
        };
        if ordered.is_err() {
            self.clients.not_started(number, EntryStage::Order, Errno::TOOBIG.raw_os_error());
        }
        Ok(())
    }

    fn signal(&self, process: u32, signal: i32) {
        if let Some(cell) = &self.cell {
            let _gone = cell.order(&Order::Signal { process, signal }).is_err();
        }
    }

    pub(super) fn role(&self, number: u32) -> Option<&Role> {
        self.clients.connected.get(&number).map(|client| &client.role)
    }

    pub(super) fn set_role(&mut self, number: u32, role: Role) {
        if let Some(client) = self.clients.connected.get_mut(&number) {
            client.role = role;
        }
    }
}

impl Clients {
    /// Gives a command the answer that only its question has.
    fn tell<A: serde::Serialize>(&mut self, number: u32, answer: &A) {
        if let Some(client) = self.connected.get(&number)
            && control::say(client.socket.as_fd(), answer, &[]).is_err()
        {
            self.connected.remove(&number);
        }
    }

    fn answer_one(&mut self, number: u32, answer: &Answer) {
        if let Some(client) = self.connected.get(&number)
            && control::say(client.socket.as_fd(), answer, &[]).is_err()
        {
            self.connected.remove(&number);
        }
    }
}
