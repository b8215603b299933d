//! Starting and resuming a session: from a request to the end of its program.
//!
//! In this order, so that a failure leaves nothing half done: resolve, admit, record, prepare, build, supervise,
//! record the end, look what changed. The ledger knows of a session before anything is made for it that outlives its
//! processes: those are begun beside the record, and gone with whoever begins them.

use crate::changes::{self, Changes};
use crate::checkpoints;
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::gateway::{self, Networking};
use crate::handles::Handles;
use crate::launcher::Launcher;
use crate::machine::{self, Machine};
use crate::network;
use crate::notify::Notifier;
use crate::prepare::{self, Given, Progress};
use crate::program;
use crate::record;
use crate::request::RunRequest;
use crate::resolve::{self, Resolved};
use crate::sessions;
use crate::state::State;
use crate::supervise::{Connection, Ending, Outcome, Rhythm, Streams, Supervised, supervise};
use cofferdam_ledger::{
    EndState, Ending as Recorded, NameWish, NewSession, Resumption, SessionRecord, SessionState, UidRanges,
};
use cofferdam_policy::admission::{Permit, Verdict, admit};
use cofferdam_policy::authority::{Authority, CellKind};
use cofferdam_policy::event::{Event, ExitStatus, Refused, StoppedBy};
use cofferdam_policy::label::Label;
use cofferdam_policy::layout::{Ground, ID_RANGE};
use cofferdam_policy::presets::limits::LimitName;
use cofferdam_policy::session_id::{SessionId, SessionName};
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

/// The host ids that cells of uid 0 are given: above all that distributions and containers hand out.
pub(crate) const UID_RANGES: UidRanges =
    UidRanges { start: 0x7000_0000, size: ID_RANGE, ranges: 4096, first: 0 };

/// How a session is to be started.
#[derive(Debug, Clone, Copy)]
pub struct StartOptions {
    /// Go on in the background.
    pub detach: bool,
    /// Remove the session at its end, if nothing is unapplied.
    pub remove: bool,
    /// Hold what no grant permits, and ask the owner.
    pub ask: bool,
    /// The owner's streams.
    pub streams: Streams,
}

/// What there is to say while a session is started.
#[derive(Debug, Clone, Copy)]
pub enum News<'n> {
    /// What the owner should know of what it may touch.
    Notes(&'n [String]),
    /// Its program runs, and the owner's terminal is about to become its.
    Begun,
}

/// Who is told.
pub type Told<'t> = &'t dyn Fn(News<'_>);

/// What became of a session that was started.
#[derive(Debug)]
pub enum Started {
    /// It goes on in the background.
    Detached {
        /// Its name.
        name: SessionName,
        /// Its id.
        id: SessionId,
    },
    /// It went on in the background of a process that has nobody to tell; that process ends quietly.
    Unattended,
    /// It ended.
    Ended(Box<Ended>),
}

/// A session that has ended.
#[derive(Debug)]
pub struct Ended {
    /// Its name.
    pub name: SessionName,
    /// Its id.
    pub id: SessionId,
    /// How.
    pub ending: Ending,
    /// What it changed.
    pub changes: Changes,
    /// What its gateway refused since it was started, the most frequent first.
    pub refusals: Vec<Refused>,
    /// Whether it was removed.
    pub removed: bool,
}

/// Resolves and starts a session, with the launcher that was started ahead of it if there is one.
///
/// # Errors
/// Of every kind; what was made for a session that could not start is removed again.
pub fn run(
    context: &Context,
    ahead: Option<Launcher>,
    request: &RunRequest,
    options: StartOptions,
    told: Told<'_>,
    progress: Progress<'_>,
) -> Result<Started, Error> {
    let mut launcher = ahead.map_or_else(|| Launcher::start(&context.program), Ok)?;
    let state = State::open(context)?;
    let machine = Machine::look();
    let resolved = resolve::resolve(context, &state, &machine, request)?;
    told(News::Notes(&resolved.notes));
    // A command is checked before a name is taken, and a name is found before anything is made.
    if request.command.is_empty() {
        return Err(Error::new(ErrorKind::Usage, "cannot start a session without a command")
            .since("nothing follows `--`")
            .hint("cofferdam run -- COMMAND [ARGUMENTS]"));
    }
    let name = match &request.name {
        Some(name) => NameWish::Exactly(SessionName::from_os(name).map_err(|error| {
            Error::new(ErrorKind::Usage, "cannot name the session so")
                .because(error)
                .hint("use letters, digits, `.`, `_` and `-`")
        })?),
        None => NameWish::Like(SessionName::derived_from(
            resolved.directory.file_name().unwrap_or(resolved.directory.as_os_str()),
        )),
    };
    let permit = permit(resolved.authority.clone(), &machine)?;
    gateway::ensure_authority(context, &state)?;
    let id = SessionId::from_random(random()?);
    // The cell is begun beside its first record: on ids that are drawn by lot, where it needs some of its own. Should the
    // ledger have given them away, it gives others, and nothing of the agent's has been in a cell of these.
    let lot = u32::from(u16::from_ne_bytes(random()?)).checked_rem(UID_RANGES.ranges).unwrap_or_default();
    let drawn = (context.uid == 0).then(|| UID_RANGES.start + UID_RANGES.size * lot);
    launcher.begin(&state, &machine, &permit, &id, drawn)?;
    let session = state.ledger()?.begin_session(&NewSession {
        id,
        name,
        directory: resolved.directory.clone(),
        cell: CellKind::Namespaces,
        parent: None,
        uids: if context.uid == 0 { Some(UidRanges { first: lot, ..free_ranges()? }) } else { None },
        supervisor: Some(record::this_process()?),
        label: Label::initial(),
        command: printable(&request.command),
        authority_digest: resolved.authority.digest().to_string(),
        authority: resolved.authority.canonical(),
        at: (context.now)(),
    })?;
    let (state, machine, session, resolved) = (&state, &machine, &session, &resolved);
    let begun = Begun { context, state, machine, session, resolved, told };
    begun.go(launcher, &permit, &request.command, options, progress, true)
}

/// Starts a stopped session again, on the same layers and home.
///
/// # Errors
/// Of every kind; the session is as it was then.
pub fn resume(
    context: &Context,
    former: &SessionRecord,
    command: &[OsString],
    options: StartOptions,
    told: Told<'_>,
    progress: Progress<'_>,
) -> Result<Started, Error> {
    let state = State::open(context)?;
    let machine = Machine::look();
    if let Some(lost) = record::lost_with_power(context, &state, former)? {
        told(News::Notes(&[lost]));
    }
    let authority = sessions::authority(former)?;
    let resolved = resolve::reopen(context, authority, former.directory.clone())?;
    told(News::Notes(&resolved.notes));
    let permit = permit(resolved.authority.clone(), &machine)?;
    let command: Vec<OsString> = if command.is_empty() {
        former.command.iter().map(OsString::from).collect()
    } else {
        command.to_vec()
    };
    sessions::require_end(context, &state, &former.id)?;
    gateway::ensure_authority(context, &state)?;
    let launcher = Launcher::start(&context.program)?;
    let session = state.ledger()?.resume(
        &former.id,
        &Resumption {
            supervisor: Some(record::this_process()?),
            command: printable(&command),
            authority_digest: resolved.authority.digest().to_string(),
            authority: resolved.authority.canonical(),
            at: (context.now)(),
        },
    )?;
    let (state, machine, session, resolved) = (&state, &machine, &session, &resolved);
    let begun = Begun { context, state, machine, session, resolved, told };
    begun.go(launcher, &permit, &command, options, progress, false)
}

/// The verdict, as a permit or an error.
pub(crate) fn permit(authority: Authority, machine: &Machine) -> Result<Permit, Error> {
    match admit(authority, &machine.support) {
        Verdict::Permit(permit) => Ok(*permit),
        Verdict::Refuse(reasons) => Err(machine::refusal(&reasons)),
    }
}

/// A session that the ledger knows of.
struct Begun<'a> {
    context: &'a Context,
    state: &'a State,
    machine: &'a Machine,
    session: &'a SessionRecord,
    resolved: &'a Resolved,
    told: Told<'a>,
}

impl Begun<'_> {
    fn go(
        &self,
        launcher: Launcher,
        permit: &Permit,
        command: &[OsString],
        options: StartOptions,
        progress: Progress<'_>,
        fresh: bool,
    ) -> Result<Started, Error> {
        match self.attempt(launcher, permit, command, options, progress) {
            Ok(Outcome::Detached) => {
                Ok(Started::Detached { name: self.session.name.clone(), id: self.session.id.clone() })
            }
            Ok(Outcome::Ended { ending, attended, had_gateway, remains }) => {
                // Beside the tearing down of the cell.
                let ended = self.look_back(ending, had_gateway, options.remove);
                remains.wait()?;
                let ended = ended?;
                self.state.tidy_ledger();
                Ok(if attended { Started::Ended(Box::new(ended)) } else { Started::Unattended })
            }
            Err(error) => Err(self.give_up(error, fresh)),
        }
    }

    fn attempt(
        &self,
        launcher: Launcher,
        permit: &Permit,
        command: &[OsString],
        options: StartOptions,
        progress: Progress<'_>,
    ) -> Result<Outcome, Error> {
        let authority = permit.authority();
        let handles = Handles::ready(self.context, self.state, &self.session.id, authority)?;
        let program = program::program(self.context, authority, &self.session.name, &handles, command, true)?;
        let (launcher, ground) = self.begun(launcher, permit)?;
        let session = self.session;
        checkpoints::recover_for_start(self.context, self.state, &session.id)?;
        let plan = prepare::prepare(
            self.context,
            self.state,
            session,
            self.resolved,
            Given { permit, handles: &handles },
            ground,
            progress,
        )?;
        let cell = launcher.build(&plan)?;
        let session = Supervised {
            context: self.context,
            state: self.state,
            id: self.session.id.clone(),
            place: self.state.session(&self.session.id),
            plan: &plan,
            time_max: authority
                .limits
                .get(LimitName::Time)
                .map(|bound| Duration::from_secs(bound.limit.value())),
            regular: self.rhythm(),
            networking: Networking::new(
                self.session.id.clone(),
                authority.clone(),
                handles.held(authority),
                options.ask,
            ),
            notifier: self.resolved.notify.clone().map(Notifier::new),
            name: self.session.name.clone(),
            told: self.told,
        };
        let connection =
            if options.detach { Connection::Background } else { Connection::Foreground(options.streams) };
        supervise(session, cell, &program, connection)
    }

    /// The cell with what it was begun on; one that was not begun yet, or on other ids than the session's, is begun now.
    fn begun(&self, mut launcher: Launcher, permit: &Permit) -> Result<(Launcher, Ground), Error> {
        let base = self.session.uid_base;
        match launcher.ground() {
            Some(ground) if ground.id_base == base => return Ok((launcher, ground)),
            Some(_) => launcher = Launcher::start(&self.context.program)?,
            None => {}
        }
        let ground = launcher.begin(self.state, self.machine, permit, &self.session.id, base)?;
        Ok((launcher, ground))
    }

    fn rhythm(&self) -> Option<Rhythm> {
        let asked = self.resolved.checkpoint;
        let every = Duration::from_secs(asked.every_seconds?);
        Some(Rhythm { every, keep: checkpoints::kept(asked) })
    }

    /// What changed is looked at first: it decides whether the end is also the removal.
    fn look_back(&self, ending: Ending, had_gateway: bool, remove: bool) -> Result<Ended, Error> {
        let (exit_status, event) = match ending {
            Ending::Exited(status) => (Some(status), Event::Exited { status }),
            Ending::Stopped | Ending::TimeLimit => (None, Event::Stopped { by: StoppedBy::Owner }),
            Ending::Vanished => (None, Event::Stopped { by: StoppedBy::Guardian }),
        };
        let recorded = Recorded { state: EndState::Stopped, exit_status, event, at: (self.context.now)() };
        let id = &self.session.id;
        let ledger = self.state.ledger()?;
        let changes = match changes::of(self.state, self.session, &self.resolved.authority) {
            Ok(changes) => changes,
            Err(error) => {
                ledger.set_ended(id, &recorded)?;
                return Err(error);
            }
        };
        let refusals = if had_gateway { network::refusals(self.state, self.session)? } else { Vec::new() };
        let removed = remove && changes.is_empty();
        if removed {
            ledger.set_ended_and_discarded(id, &recorded)?;
            sessions::remove_files(self.state, id, &mut |_| ())?;
        } else {
            ledger.set_ended(id, &recorded)?;
        }
        Ok(Ended { name: self.session.name.clone(), id: id.clone(), ending, changes, refusals, removed })
    }

    /// A new session whose program never ran leaves nothing behind; every other keeps its layers.
    fn give_up(&self, error: Error, fresh: bool) -> Error {
        let event = Event::Failed { step: error.to_string(), cause: error.why() };
        let at = (self.context.now)();
        let recorded = Recorded { state: EndState::Failed, exit_status: None, event, at };
        let _cleared = self.state.ledger().and_then(|ledger| {
            let never_ran = ledger.session(&self.session.id)?.state == SessionState::Starting;
            ledger.set_ended(&self.session.id, &recorded)?;
            drop(ledger);
            if fresh && never_ran {
                sessions::remove(self.context, self.state, &self.session.id, &mut |_| ())
            } else {
                Ok(())
            }
        });
        // The first failure is the one to mend; a second one is found by `doctor`.
        error
    }
}

/// The exit status that a shell would show.
#[must_use]
pub fn shell_status(status: ExitStatus) -> u8 {
    match status {
        ExitStatus::Code(code) => code,
        ExitStatus::Signal(signal) => u8::try_from(signal.saturating_add(128)).unwrap_or(u8::MAX),
    }
}

fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0_u8; N];
    match rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()) {
        Ok(length) if length == N => Ok(bytes),
        Ok(_) | Err(_) => {
            Err(Error::new(ErrorKind::Internal, "cannot draw a random number").hint("try again"))
        }
    }
}

/// The ranges, if nobody else on this host has been promised them.
fn free_ranges() -> Result<UidRanges, Error> {
    let first = u64::from(UID_RANGES.start);
    let last = first + u64::from(UID_RANGES.size) * u64::from(UID_RANGES.ranges) - 1;
    for file in ["/proc/self/uid_map", "/proc/self/gid_map"] {
        let text = std::fs::read_to_string(Path::new(file)).unwrap_or_default();
        if !covers(&text, first, last) {
            return Err(Error::new(ErrorKind::Unenforceable, "cannot give the cell user ids of its own")
                .since(format!(
                    "this user namespace (a container's?) has no ids {first} to {last}: see {file}"
                ))
                .hint("run it as an ordinary user, or on the host itself"));
        }
    }
    for file in ["/etc/subuid", "/etc/subgid"] {
        let text = std::fs::read_to_string(Path::new(file)).unwrap_or_default();
        for line in text.lines() {
            let mut fields = line.split(':').skip(1).map(|field| field.trim().parse::<u64>());
            if let (Some(Ok(start)), Some(Ok(count))) = (fields.next(), fields.next())
                && start <= last
                && start.saturating_add(count) > first
            {
                return Err(Error::new(ErrorKind::Unenforceable, "cannot give the cell user ids of its own")
                    .since(format!("{file} promises ids from {first} to {last} to somebody else: {line}"))
                    .hint("move that range, or run as an ordinary user"));
            }
        }
    }
    Ok(UID_RANGES)
}

/// Whether one extent of an id map (user_namespaces(7)) holds all ids from `first` to `last`.
fn covers(map: &str, first: u64, last: u64) -> bool {
    map.lines().any(|line| {
        let fields: Vec<u64> = line.split_ascii_whitespace().filter_map(|field| field.parse().ok()).collect();
        matches!(fields[..], [inside, _, count] if inside <= first && last < inside.saturating_add(count))
    })
}

fn printable(command: &[OsString]) -> Vec<String> {
    command.iter().map(|part| part.to_string_lossy().into_owned()).collect()
}
