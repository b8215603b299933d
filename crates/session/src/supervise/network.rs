//! The supervisor's side of the gateway: started at the first connection, heard, and told what the owner decides.
//!
//! What it says of hosts and paths is what the agent sent; it is recorded as such. If it can't be started or dies, the
//! relay's line breaks with it, and nothing leaves the cell any more; no other takes its place.

use super::{Ending, Supervisor};
use crate::error::Error;
use crate::gateway;
use crate::network::{Network as Seen, OTHERS, Published, Table, Thrift, Waiting};
use crate::notify::Occasion;
use crate::record;
use cofferdam_gateway::trail;
use cofferdam_gateway::wire::{self, LeakNote, Order, RefusalNote, RequestNote, Word};
use cofferdam_policy::event::{Decision, Event, Refused, Requested};
use cofferdam_policy::net::credential::OnHandleLeak;
use cofferdam_policy::net::host::{Destination, Port};
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::RecvFlags;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The most words taken at once, so that a gateway that says much keeps nobody else waiting.
const WORDS_AT_ONCE_MAX: usize = 64;
/// How long events may wait to be recorded together.
const RECORD_AFTER: Duration = Duration::from_millis(250);
/// How many of them may.
const UNRECORDED_MAX: usize = 256;
/// In place of a host that could not be read.
const UNREADABLE: &str = "(unreadable)";
/// How long a gateway has to say its last words when its session ends.
const LAST_WORDS_MAX: Duration = Duration::from_millis(500);

/// Where the gateway stands.
#[derive(Debug)]
pub(super) enum Stage {
    /// Nothing was connected yet: the line on which that shows.
    Awaited(OwnedFd),
    /// It is there.
    Begun(OwnedFd),
    /// It was never to be, or is gone.
    Gone,
}

/// The gateway, and what it said so far.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) stage: Stage,
    /// Whether there ever was one.
    began: bool,
    /// Why there is none any more.
    ended_for: String,
    /// What it noted of requests under way.
    trail: Option<OwnedFd>,
    /// The same, when all of it is taken up and not recorded yet.
    noted: Option<OwnedFd>,
    table: Table,
    waiting: BTreeMap<u64, (Refused, Instant)>,
    /// Given by the owner, and not said to be released yet.
    decided: BTreeMap<u64, Decision>,
    pub(super) published: BTreeMap<Port, Published>,
    thrift: Thrift,
    unrecorded: Vec<Event>,
    record_at: Option<Instant>,
}

impl Network {
    /// Before the first connection; without a line there will be none.
    pub(super) fn awaited(arrivals: Option<OwnedFd>) -> Self {
        Self {
            stage: arrivals.map_or(Stage::Gone, Stage::Awaited),
            began: false,
            ended_for: "it is gone".to_owned(),
            trail: None,
            noted: None,
            table: Table::default(),
            waiting: BTreeMap::new(),
            decided: BTreeMap::new(),
            published: BTreeMap::new(),
            thrift: Thrift::default(),
            unrecorded: Vec::new(),
            record_at: None,
        }
    }

    /// What is to be listened to.
    pub(super) fn line(&self) -> Option<BorrowedFd<'_>> {
        match &self.stage {
            Stage::Awaited(line) | Stage::Begun(line) => Some(line.as_fd()),
            Stage::Gone => None,
        }
    }

    /// Whether there ever was a gateway.
    pub(super) fn began(&self) -> bool {
        self.began
    }

    /// When something is to be done unasked.
    pub(super) fn due(&self) -> Option<Instant> {
        [self.record_at, self.thrift.due()].into_iter().flatten().min()
    }

    /// Requests that wait for the owner, oldest first.
    pub(super) fn waiting(&self) -> Vec<Waiting> {
        let now = Instant::now();
        self.waiting
            .iter()
            .filter(|(id, _)| !self.decided.contains_key(id))
            .map(|(id, (refused, until))| Waiting {
                id: *id,
                refused: refused.clone(),
                seconds_left: until.saturating_duration_since(now).as_secs(),
            })
            .collect()
    }

    /// What the owner sees of it.
    pub(super) fn seen(&self) -> Seen {
        let published = self.published.values().cloned().collect();
        Seen { traffic: self.table.rows(), waiting: self.waiting(), published }
    }

    pub(super) fn note(&mut self, event: Event) {
        let Some(event) = self.thrift.take(event) else { return };
        self.unrecorded.push(event);
        self.record_at.get_or_insert_with(|| Instant::now() + RECORD_AFTER);
    }

    /// Takes up what the gateway had begun with a credential, and could not say the end of.
    fn note_left(&mut self) {
        let Some(trail) = self.trail.take() else { return };
        self.note_cut_off(trail.as_fd());
        self.noted = Some(trail);
    }

    fn note_cut_off(&mut self, trail: BorrowedFd<'_>) {
        for requested in gateway::cut_off(trail) {
            self.table.requested(&requested);
            self.note(Event::Requested(requested));
        }
    }

    fn ended(&mut self, cause: String) {
        self.ended_for.clone_from(&cause);
        self.note(Event::GatewayEnded { cause });
    }

    /// Why nothing can be asked of the gateway.
    pub(super) fn is_gone(&self) -> String {
        format!("the gateway ended: {}", self.ended_for)
    }

    pub(super) fn order(&self, order: &Order) -> Result<(), Errno> {
        self.order_beside(order, &[])
    }

    pub(super) fn order_beside(&self, order: &Order, beside: &[BorrowedFd<'_>]) -> Result<(), Errno> {
        match &self.stage {
            Stage::Begun(line) => wire::order_beside(line.as_fd(), order, beside),
            Stage::Awaited(_) | Stage::Gone => Err(Errno::PIPE),
        }
    }
}

impl Supervisor<'_> {
    /// The gateway's line has something: the first connection of all, or words.
    pub(super) fn attend_network(&mut self) {
        match std::mem::replace(&mut self.network.stage, Stage::Gone) {
            Stage::Awaited(arrivals) => self.begin_gateway(arrivals),
            Stage::Begun(line) => {
                self.network.stage = Stage::Begun(line);
                self.hear_gateway();
            }
            Stage::Gone => {}
        }
    }

    pub(super) fn begin_gateway(&mut self, arrivals: OwnedFd) {
        self.network.began = true;
        match self.start_gateway(arrivals) {
            Ok(line) => self.network.stage = Stage::Begun(line),
            Err(error) => self.network.ended(format!("{error}: {}", error.why())),
        }
    }

    fn start_gateway(&mut self, arrivals: OwnedFd) -> Result<OwnedFd, Error> {
        let (context, state) = (self.session.context, self.session.state);
        let trail = gateway::trail(state, &self.session.id)?;
        // What is left of an earlier start, and nobody took up.
        self.network.note_cut_off(trail.as_fd());
        let line = gateway::serve(context, state, &self.session.networking, arrivals, trail.as_fd())?;
        self.network.trail = Some(trail);
        Ok(line)
    }

    fn hear_gateway(&mut self) {
        for _ in 0..WORDS_AT_ONCE_MAX {
            let Stage::Begun(line) = &self.network.stage else { return };
            match wire::receive::<Word>(line.as_fd(), RecvFlags::DONTWAIT) {
                Ok(Some(word)) => self.take_word(word),
                Err(Errno::AGAIN) => break,
                Ok(None) => self.lose_gateway("it ended"),
                Err(_) => self.lose_gateway("it can't be understood"),
            }
        }
        if self.network.unrecorded.len() >= UNRECORDED_MAX {
            self.record_network();
        }
        self.keep_asking();
    }

    fn lose_gateway(&mut self, cause: &str) {
        self.network.stage = Stage::Gone;
        self.network.note_left();
        self.network.waiting.clear();
        self.forget_published();
        if self.ending.is_none() {
            self.network.ended(cause.to_owned());
        }
    }

    fn take_word(&mut self, word: Word) {
        match word {
            Word::Ready { .. } => self.network.note(Event::GatewayBegan),
            Word::Failed { causes } => {
                self.network.stage = Stage::Gone;
                self.forget_published();
                self.network.ended(causes.join(": "));
            }
            Word::Refused(note) => {
                let refused = refused(note);
                self.network.table.refused(&refused);
                self.network.note(Event::Refused(refused));
            }
            Word::Held { id, refusal } => self.hold(id, refused(refusal)),
            Word::Released { id } => self.release(id),
            Word::Requests { requests, unsaid } => {
                for requested in together(requests).into_iter().chain(untold(unsaid)) {
                    self.network.table.requested(&requested);
                    self.network.note(Event::Requested(requested));
                }
            }
            Word::Leak(note) => self.leaked(&note),
            Word::Connect { number, port } => self.connect_to(number, port),
            // The table is kept from what is said one by one.
            Word::Traffic { .. } => {}
        }
    }

    fn hold(&mut self, id: u64, refused: Refused) {
        if self.patience.is_over(Instant::now()) {
            // The gateway says of it that it was refused; a gateway that is gone holds nothing.
            let _gone = self.network.order(&Order::Decide { id, decision: wire::Decision::Deny }).is_err();
            return;
        }
        let seconds = self.session.networking.ask_seconds();
        let method = refused.method.as_deref().unwrap_or("connect");
        let path = refused.path.as_deref().unwrap_or_default();
        let text = format!("{method} {}:{}{path}", refused.host, refused.port);
        self.network.note(Event::Held { id, refused: refused.clone() });
        self.network.waiting.insert(id, (refused, Instant::now() + Duration::from_secs(seconds.into())));
        self.notify(Occasion::Held, &format!("{id}: {text}"));
        self.say_held(id, &text);
    }

    fn release(&mut self, id: u64) {
        let decision = self.network.decided.remove(&id).unwrap_or(Decision::TimedOut);
        if self.network.waiting.remove(&id).is_some() {
            self.network.note(Event::Decided { id, decision });
        }
    }

    fn leaked(&mut self, note: &LeakNote) {
        let how = if note.is_replaced { ", replaced by asterisks" } else { "" };
        let place = format!("{} to {}{how}", note.place, note.destination);
        let credential = note.credential.to_string();
        self.notify(Occasion::HandleLeaked, &format!("{credential}: {place}"));
        self.network.note(Event::HandleLeaked { credential, place, count: note.count });
        match self.session.networking.on_handle_leak() {
            OnHandleLeak::Refuse => {}
            // It did not leave, and an agent that has shown its own environment to its model goes on.
            OnHandleLeak::Stop if note.is_replaced => {}
            OnHandleLeak::Stop => self.stop(super::GRACE, Ending::Stopped),
        }
    }

    /// Decides a held request; whether it waited. A denial with which the owner's patience ends is one of all that wait.
    pub(super) fn decide(&mut self, id: u64, decision: Decision) -> bool {
        let waited = self.pass_on(id, decision);
        if waited && decision == Decision::Denied && self.patience.denied(Instant::now()) {
            self.network.decided.insert(id, Decision::DeniedForNow);
            for waiting in self.network.waiting() {
                self.pass_on(waiting.id, Decision::DeniedForNow);
            }
            self.say_unasked();
        }
        waited
    }

    /// Tells the gateway what becomes of a held request; whether it waited.
    fn pass_on(&mut self, id: u64, decision: Decision) -> bool {
        let said = match decision {
            Decision::AllowedOnce => wire::Decision::AllowOnce,
            Decision::AllowedForSession => wire::Decision::AllowForSession,
            Decision::Denied | Decision::DeniedForNow | Decision::TimedOut => wire::Decision::Deny,
        };
        let waits = self.network.waiting.contains_key(&id) && !self.network.decided.contains_key(&id);
        if !waits || self.network.order(&Order::Decide { id, decision: said }).is_err() {
            return false;
        }
        self.network.decided.insert(id, decision);
        true
    }

    /// Lets a secret be used no more; whether the session has it.
    pub(super) fn revoke(&mut self, secret: &str) -> bool {
        let revoked = self.session.networking.revoke(secret);
        for credential in &revoked {
            self.network.note(Event::Revoked { credential: credential.to_string() });
            // A gateway that has not begun is told at its start; one that is gone needs no telling.
            let _gone = self.network.order(&Order::Revoke { credential: credential.clone() }).is_err();
        }
        !revoked.is_empty()
    }

    /// Records what has waited long enough.
    pub(super) fn keep_network(&mut self) {
        let now = Instant::now();
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_due(self.network.thrift.due()) {
            let together = self.network.thrift.together();
            self.network.unrecorded.extend(together);
            self.record_network();
        } else if is_due(self.network.record_at) {
            self.record_network();
        }
    }

    fn record_network(&mut self) {
        self.network.record_at = None;
        let events = std::mem::take(&mut self.network.unrecorded);
        if !events.is_empty() && record::events(&self.session, &events).is_err() {
            // What can't be recorded is not done: the way out is closed.
            self.network.stage = Stage::Gone;
            self.network.ended_for = "what it let through can't be recorded".to_owned();
            self.network.published.clear();
        } else if let Some(noted) = self.network.noted.take() {
            // What stays would be told once more, which is no loss.
            let _stays = trail::clear(noted.as_fd()).is_err();
        }
    }

    /// The session is over: the gateway says its last words, and they are recorded.
    pub(super) fn end_network(&mut self) {
        if self.network.order(&Order::Stop {}).is_ok() {
            let until = Instant::now() + LAST_WORDS_MAX;
            while let Stage::Begun(line) = &self.network.stage {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() || !readable(line.as_fd(), left) {
                    break;
                }
                self.hear_gateway();
            }
        }
        self.network.stage = Stage::Gone;
        self.network.note_left();
        let together = self.network.thrift.together();
        self.network.unrecorded.extend(together);
        self.record_network();
    }
}

fn readable(line: BorrowedFd<'_>, within: Duration) -> bool {
    use rustix::event::{PollFd, PollFlags, poll};
    let mut line = [PollFd::from_borrowed_fd(line, PollFlags::IN)];
    poll(&mut line, within.try_into().ok().as_ref()).is_ok_and(|ready| ready > 0)
}

fn refused(note: RefusalNote) -> Refused {
    let (host, port) = note.destination.as_ref().map_or_else(|| (UNREADABLE.to_owned(), 0), place);
    Refused {
        reason: note.reason.code().to_owned(),
        host,
        port,
        method: note.method,
        path: note.path,
        allow: note.allow,
        count: note.count,
    }
}

fn place(destination: &Destination) -> (String, u16) {
    (destination.host.to_string(), destination.port.get())
}

/// Requests of which the gateway could say no more than how many they were.
fn untold(count: u64) -> Option<Requested> {
    (count > 0).then(|| Requested {
        host: OTHERS.to_owned(),
        port: 0,
        method: None,
        path: None,
        status: None,
        credential: None,
        up: 0,
        down: 0,
        count,
        is_cut_off: false,
    })
}

/// Requests that differ in nothing that is recorded, as one.
fn together(notes: Vec<RequestNote>) -> Vec<Requested> {
    let mut requested: Vec<Requested> = Vec::new();
    for note in notes {
        let (host, port) = place(&note.destination);
        let one = Requested {
            host,
            port,
            method: Some(note.method),
            path: Some(note.path),
            status: note.status,
            credential: note.credential.map(|name| name.to_string()),
            up: note.up,
            down: note.down,
            count: 1,
            is_cut_off: false,
        };
        let alike = |known: &&mut Requested| {
            (&known.host, known.port, &known.method, &known.path, known.status, &known.credential)
                == (&one.host, one.port, &one.method, &one.path, one.status, &one.credential)
        };
        match requested.iter_mut().find(alike) {
            Some(known) => {
                known.up += one.up;
                known.down += one.down;
                known.count += 1;
            }
            None => requested.push(one),
        }
    }
    requested
}
