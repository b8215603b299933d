//! What sessions left behind that should be gone, and clearing it.
//!
//! Nothing of a session whose supervisor lives is touched, nor anything that may hold work which nobody has seen.
//! Before something is cleared it is looked at twice, with a pause between: a session that is just being
//! started or detached is not mistaken for a dead one.

use crate::cgroup::Hierarchies;
use crate::context::Context;
use crate::control;
use crate::doctor::place::SCRATCH_PREFIX;
use crate::policies::shown;
use crate::record::is_alive;
use crate::state::{State, open_directory};
use cofferdam_ledger::{EndState, Ending, Filter, Ledger, SessionRecord, SessionState};
use cofferdam_policy::event::{Event, StoppedBy};
use cofferdam_policy::session_id::SessionId;
use cofferdam_workspace::discard;
use rustix::fd::AsFd as _;
use rustix::fs::Timespec;
use rustix::io::Errno;
use serde::Serialize;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// How long a suspect is given to turn out alive.
const PAUSE_MS: i64 = 300;
/// A start without a recorded supervisor that is older than this was cut off.
const START_SECONDS_MAX: i64 = 600;
const FIX: &str = "cofferdam doctor --fix";

/// Something that was left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leftover {
    /// What it is.
    pub kind: LeftoverKind,
    /// Which: a session's name, or a path.
    pub subject: String,
    /// Why it counts as left over.
    pub reason: String,
    /// What clears it.
    pub command: String,
    /// What became of it.
    pub fate: Fate,
}

/// What can be left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeftoverKind {
    /// A session that is recorded as running, and nobody supervises it.
    Session,
    /// A session's directory that no session has.
    Directory,
    /// A socket at which nobody listens.
    Socket,
    /// A control group without a session.
    ControlGroup,
    /// A census that was never finished.
    Census,
    /// A shared veil that was never finished.
    Veil,
    /// A shared `/etc` that was never finished.
    Etc,
    /// What an earlier examination left.
    Scratch,
}

/// What became of a leftover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "fate", content = "why")]
pub enum Fate {
    /// It was only listed.
    Listed,
    /// It is gone.
    Cleared,
    /// It is for the owner to decide about.
    Kept(String),
    /// It could not be cleared.
    Failed(String),
}

/// A leftover, and what clears it.
struct Suspect<'s> {
    leftover: Leftover,
    clear: Clearing<'s>,
}

enum Clearing<'s> {
    Session(&'s SessionRecord),
    /// Below this directory, by name.
    Tree(PathBuf, String),
    Socket(PathBuf),
    Group(PathBuf),
    Nothing,
}

/// Everything that is left over; cleared, if `fix` says so.
pub(super) fn look(context: &Context, state: &State, fix: bool) -> Vec<Leftover> {
    let look =
        |sessions: &Option<Known>| Scene { context, state, sessions: sessions.as_ref() }.suspects_listed();
    let first_known = Known::read(context, state);
    let first = look(&first_known);
    if !fix || first.is_empty() {
        return first;
    }
    let pause = Timespec { tv_sec: 0, tv_nsec: PAUSE_MS * 1_000_000 };
    let _slept = rustix::thread::nanosleep(&pause);
    let known = Known::read(context, state);
    let scene = Scene { context, state, sessions: known.as_ref() };
    let still = scene.suspects().into_iter().filter(|suspect| first.contains(&suspect.leftover));
    still.map(|suspect| scene.clear(suspect)).collect()
}

/// What the ledger knows, and which directories there were *before* it was asked: a session is recorded first.
struct Known {
    ledger: Ledger,
    records: BTreeMap<SessionId, SessionRecord>,
    directories: Vec<String>,
}

impl Known {
    /// `None` without a ledger that can be read: then nothing can be said to be left over.
    fn read(context: &Context, state: &State) -> Option<Self> {
        let directories = names(&state.sessions());
        let ledger = Ledger::open_existing(&context.state.as_path().join("ledger")).ok()??;
        let records = ledger.sessions(&Filter { directory: None, discarded: true }).ok()?;
        let records = records.into_iter().map(|record| (record.id.clone(), record)).collect();
        Some(Self { ledger, records, directories })
    }
}

struct Scene<'s> {
    context: &'s Context,
    state: &'s State,
    sessions: Option<&'s Known>,
}

impl<'s> Scene<'s> {
    fn suspects_listed(&self) -> Vec<Leftover> {
        self.suspects().into_iter().map(|suspect| suspect.leftover).collect()
    }

    fn suspects(&self) -> Vec<Suspect<'s>> {
        let mut suspects = Vec::new();
        if let Some(known) = self.sessions {
            for record in known.records.values() {
                suspects.extend(self.session(record));
                suspects.extend(self.socket(record));
            }
            for name in &known.directories {
                suspects.extend(self.directory(known, name));
            }
            for path in Hierarchies::look().ours() {
                suspects.extend(self.group(known, path));
            }
        }
        suspects.extend(self.censuses());
        suspects.extend(self.veils());
        suspects.extend(self.etcs());
        suspects.extend(self.scratches());
        suspects
    }

    /// Recorded as starting or running, and nobody supervises it.
    fn session(&self, record: &'s SessionRecord) -> Option<Suspect<'s>> {
        let open = matches!(record.state, SessionState::Starting | SessionState::Running);
        (open && !self.lives(record)).then(|| Suspect {
            leftover: listed(
                LeftoverKind::Session,
                record.name.to_string(),
                format!("recorded as {}, but its supervisor is gone", record.state),
                FIX.to_owned(),
            ),
            clear: Clearing::Session(record),
        })
    }

    /// Whether a supervisor of this session may be there: by its process, or by an answer at its socket (this may run
    /// in another pid namespace).
    fn lives(&self, record: &SessionRecord) -> bool {
        let recorded = match (&record.supervisor, record.state) {
            (Some(supervisor), _) => is_alive(supervisor),
            (None, SessionState::Starting | SessionState::Running) => {
                let age_nanos = (self.context.now)().0.saturating_sub(record.created_at.0);
                age_nanos < START_SECONDS_MAX * 1_000_000_000
            }
            (None, SessionState::Stopped | SessionState::Failed | SessionState::Discarded) => false,
        };
        recorded || control::connect(&self.state.session(&record.id).socket()).is_ok()
    }

    fn socket(&self, record: &SessionRecord) -> Option<Suspect<'s>> {
        let path = self.state.session(&record.id).socket();
        let left = std::fs::symlink_metadata(&path).is_ok() && !self.lives(record);
        (left && record.state != SessionState::Discarded).then(|| Suspect {
            leftover: listed(
                LeftoverKind::Socket,
                shown(&path),
                format!("nobody listens for session {}", record.name),
                format!("rm {}", quoted(&path)),
            ),
            clear: Clearing::Socket(path),
        })
    }

    /// Without a record, or of a session that was discarded.
    fn directory(&self, known: &Known, name: &str) -> Option<Suspect<'s>> {
        let path = self.state.sessions().join(name);
        let id: Option<SessionId> = name.parse().ok();
        let record = id.and_then(|id| known.records.get(&id));
        let reason = match record {
            Some(record) if record.state == SessionState::Discarded => "its session was discarded",
            Some(_) => return None,
            None => "no session has it",
        };
        // The ledger may have lost its last rows with the power, and the layers not: work that nobody has seen.
        let holds_work = record.is_none() && holds_work(&path);
        let mut leftover = listed(LeftoverKind::Directory, shown(&path), reason.to_owned(), FIX.to_owned());
        if holds_work {
            leftover.command = format!("rm -r {}", quoted(&path));
            leftover.fate =
                Fate::Kept("it holds changes that were never applied; look at them first".to_owned());
        }
        let clear = if holds_work {
            Clearing::Nothing
        } else {
            Clearing::Tree(self.state.sessions(), name.to_owned())
        };
        Some(Suspect { leftover, clear })
    }

    /// Of ours, without processes, and of no session that lives: not one of another state directory either, whose
    /// ledger says nothing here.
    fn group(&self, known: &Known, path: PathBuf) -> Option<Suspect<'s>> {
        let session = path.file_name()?.to_str()?.strip_prefix("cofferdam-")?;
        let id: SessionId = session.parse().ok()?;
        let own = std::fs::symlink_metadata(&path).is_ok_and(|found| found.uid() == self.context.uid);
        let empty =
            std::fs::read_to_string(path.join("cgroup.procs")).is_ok_and(|pids| pids.trim().is_empty());
        let lives = match known.records.get(&id) {
            Some(record) => self.lives(record),
            None => self.may_begin(&path) || !sees_all_processes(),
        };
        (own && empty && !lives).then(|| Suspect {
            leftover: listed(
                LeftoverKind::ControlGroup,
                shown(&path),
                "it has no processes, and no session lives in it".to_owned(),
                format!("rmdir {}", quoted(&path)),
            ),
            clear: Clearing::Group(path),
        })
    }

    /// Whether a group is so young that its first process may still be on the way into it.
    fn may_begin(&self, group: &Path) -> bool {
        let made = std::fs::symlink_metadata(group).map_or(i64::MAX, |found| found.mtime());
        ((self.context.now)().0 / 1_000_000_000).saturating_sub(made) < START_SECONDS_MAX
    }

    /// `NAME.PID.THREAD`, written beside a census before it takes its place.
    fn censuses(&self) -> Vec<Suspect<'s>> {
        let of = |name: &str| {
            let (rest, thread) = name.rsplit_once('.')?;
            thread.parse::<u32>().ok()?;
            rest.rsplit_once('.')?.1.parse().ok()
        };
        unfinished(LeftoverKind::Census, &self.state.census(), of)
    }

    /// `DIGEST.PID`, made beside a shared veil before it takes its place.
    fn veils(&self) -> Vec<Suspect<'s>> {
        unfinished(LeftoverKind::Veil, &self.state.veils(), |name| name.rsplit_once('.')?.1.parse().ok())
    }

    /// Likewise.
    fn etcs(&self) -> Vec<Suspect<'s>> {
        unfinished(LeftoverKind::Etc, &self.state.etc(), |name| name.rsplit_once('.')?.1.parse().ok())
    }

    fn scratches(&self) -> Vec<Suspect<'s>> {
        let of = |name: &str| name.strip_prefix(SCRATCH_PREFIX)?.split('-').next()?.parse().ok();
        unfinished(LeftoverKind::Scratch, self.context.state.as_path(), of)
    }

    fn clear(&self, suspect: Suspect<'_>) -> Leftover {
        let Suspect { mut leftover, clear } = suspect;
        let cleared = match clear {
            Clearing::Nothing => return leftover,
            Clearing::Session(record) => self.stopped(record),
            Clearing::Tree(parent, name) => removed(&parent, &name),
            Clearing::Socket(path) => gone(rustix::fs::unlink(&path)),
            Clearing::Group(path) => gone(rustix::fs::rmdir(&path)),
        };
        leftover.fate = match cleared {
            Ok(()) => Fate::Cleared,
            Err(why) => Fate::Failed(why),
        };
        leftover
    }

    /// Recorded as stopped, if it is still the session that was looked at.
    fn stopped(&self, record: &SessionRecord) -> Result<(), String> {
        let Some(known) = self.sessions else { return Ok(()) };
        let now = known.ledger.session(&record.id).map_err(|error| error.to_string())?;
        if now.supervisor != record.supervisor || now.state != record.state || self.lives(&now) {
            return Err("it was started again meanwhile".to_owned());
        }
        let ending = Ending {
            state: EndState::Stopped,
            exit_status: None,
            event: Event::Stopped { by: StoppedBy::Doctor },
            at: (self.context.now)(),
        };
        known.ledger.set_ended(&record.id, &ending).map_err(|error| error.to_string())
    }
}

fn listed(kind: LeftoverKind, subject: String, reason: String, command: String) -> Leftover {
    Leftover { kind, subject, reason, command, fate: Fate::Listed }
}

/// What processes that are gone left unfinished at `place`; `of` gives the process that a name speaks of.
fn unfinished<'s>(kind: LeftoverKind, place: &Path, of: impl Fn(&str) -> Option<u32>) -> Vec<Suspect<'s>> {
    let left = names(place).into_iter().filter(|name| of(name).is_some_and(|pid| !process_lives(pid)));
    left.map(|name| {
        let subject = shown(&place.join(&name));
        let leftover = listed(kind, subject, "the process that made it is gone".to_owned(), FIX.to_owned());
        Suspect { leftover, clear: Clearing::Tree(place.to_owned(), name) }
    })
    .collect()
}

fn removed(parent: &Path, name: &str) -> Result<(), String> {
    let parent = open_directory(parent).map_err(|error| format!("{error}: {}", error.why()))?;
    discard::remove(parent.as_fd(), name.as_bytes()).map(drop).map_err(|error| {
        let why = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
        format!("{error}{why}")
    })
}

fn gone(answer: Result<(), Errno>) -> Result<(), String> {
    match answer {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno.to_string()),
    }
}

/// Whether a session's layers or copies have anything in them; see `SessionPlace`.
fn holds_work(session: &Path) -> bool {
    names(session).iter().any(|name| {
        let path = session.join(name);
        name.starts_with("layer-") && !is_empty(&path.join("upper"))
            || name.starts_with("copy-") && !is_empty(&path)
    })
}

/// One that can't be listed may hold anything.
fn is_empty(directory: &Path) -> bool {
    match std::fs::read_dir(directory) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

/// The names in a directory of ours. None of ours is anything but UTF-8.
fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// Whether this is the first pid namespace: from any other, groups with processes look empty (cgroups(7)).
fn sees_all_processes() -> bool {
    /// `PROC_PID_INIT_INO` (include/linux/proc_ns.h)
    const FIRST: &str = "pid:[4026531836]";
    std::fs::read_link("/proc/self/ns/pid").is_ok_and(|namespace| namespace == Path::new(FIRST))
}

fn process_lives(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// For a shell.
fn quoted(path: &Path) -> String {
    let text = shown(path);
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-@%+=:".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests;
