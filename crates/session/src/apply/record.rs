//! What is kept of an apply over one or several directories, so that it is done in all of them or in none.
//!
//! A file for each in `applies/` of the state directory, whose name says how it stands: `begun-ID.json` until all
//! directories are written and the ledger knows of it, then `applied-ID.json`; `undoing-ID.json` while it is taken back,
//! then `undone-ID.json`. Beside them, a directory for each of the owner's, where the contents are kept that were
//! replaced. Nothing goes by itself: an apply can be undone as long as its file is there, also when the session is gone.

use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::state::{State, put_file};
use cofferdam_policy::event::UnixNanos;
use cofferdam_policy::path::AbsPath;
use cofferdam_policy::session_id::SessionId;
use cofferdam_workspace::apply::ApplyId;
use cofferdam_workspace::changeset::Digest;
use cofferdam_workspace::path::WorkspacePath;
use rustix::fd::OwnedFd;
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;

const VERSION: u32 = 1;

/// The most applies that are kept.
const RECORDS_MAX: usize = 100_000;

/// One apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    pub(super) version: u32,
    pub(super) id: ApplyId,
    pub(super) session: SessionId,
    /// What the session was called then.
    pub(super) name: String,
    pub(super) digest: Digest,
    pub(super) entries: u64,
    pub(super) at: UnixNanos,
    pub(super) members: Vec<Member>,
}

/// Its part in one directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Member {
    /// On the host.
    pub(super) directory: AbsPath,
    /// Of the session's layer.
    pub(super) number: usize,
    /// What came with the owner's edits merged in: the session has it otherwise, so that it stays the owner's edit.
    pub(super) merged: BTreeSet<WorkspacePath>,
    pub(super) apply: ApplyId,
    /// What takes it back.
    pub(super) undo: ApplyId,
    /// What takes that back again, if the others can't be taken back.
    pub(super) redo: ApplyId,
}

/// How an apply stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Begun,
    Applied,
    Undoing,
    Undone,
}

impl Standing {
    const ALL: [Self; 4] = [Self::Begun, Self::Applied, Self::Undoing, Self::Undone];

    const fn prefix(self) -> &'static str {
        match self {
            Self::Begun => "begun-",
            Self::Applied => "applied-",
            Self::Undoing => "undoing-",
            Self::Undone => "undone-",
        }
    }

    fn name(self, id: ApplyId) -> String {
        format!("{}{id}.json", self.prefix())
    }

    fn parse(name: &str) -> Option<(Self, ApplyId)> {
        Self::ALL.into_iter().find_map(|standing| {
            let id = name.strip_prefix(standing.prefix())?.strip_suffix(".json")?;
            Some((standing, ApplyId::parse(id)?))
        })
    }
}

impl Record {
    pub(super) fn new(
        id: ApplyId,
        session: (SessionId, String),
        digest: Digest,
        entries: u64,
        at: UnixNanos,
    ) -> Self {
        let (session, name) = session;
        Self { version: VERSION, id, session, name, digest, entries, at, members: Vec::new() }
    }
}

impl Member {
    pub(super) fn new(
        directory: AbsPath,
        number: usize,
        merged: BTreeSet<WorkspacePath>,
    ) -> Result<Self, Error> {
        Ok(Self { directory, number, merged, apply: new_id()?, undo: new_id()?, redo: new_id()? })
    }

    /// The same, to be taken back another time: an id is used once.
    pub(super) fn again(&self) -> Result<Self, Error> {
        Ok(Self { undo: new_id()?, redo: new_id()?, ..self.clone() })
    }

    /// What was taken back, and that taken back again, stands by its last id.
    pub(super) fn redone(&self) -> Result<Self, Error> {
        Self { apply: self.redo, ..self.clone() }.again()
    }
}

pub(super) fn new_id() -> Result<ApplyId, Error> {
    let mut random = [0_u8; 8];
    match rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty()) {
        Ok(8) => Ok(ApplyId::from_bytes(random)),
        Ok(_) | Err(_) => {
            Err(Error::new(ErrorKind::Internal, "cannot draw a random number").hint("try again"))
        }
    }
}

fn cannot<E: std::error::Error + Send + Sync + 'static>(act: &str) -> impl Fn(E) -> Error + '_ {
    move |error| {
        Error::new(ErrorKind::State, format!("cannot {act} the record of the apply"))
            .because(error)
            .hint("is the disk full? cofferdam doctor")
    }
}

/// The records of all applies.
#[derive(Debug)]
pub(super) struct Records {
    pub(super) directory: PathBuf,
}

/// The same, while nobody else applies, undoes or recovers anything of this owner's.
#[derive(Debug)]
pub(super) struct Locked {
    pub(super) records: Records,
    pub(super) uid: u32,
    _lock: OwnedFd,
}

impl Records {
    pub(super) fn of(state: &State) -> Self {
        Self { directory: state.applies() }
    }

    /// Nothing if another is at work.
    pub(super) fn try_lock(self, context: &Context) -> Result<Option<Locked>, Error> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let lock = rustix::fs::open(self.directory.join("lock"), flags, Mode::RUSR | Mode::WUSR)
            .map_err(cannot("lock"))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Locked { records: self, uid: context.uid, _lock: lock })),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(cannot("lock")(errno)),
        }
    }

    /// All that stand so, the earliest first.
    pub(super) fn standing(&self, wanted: &[Standing]) -> Result<Vec<(Record, Standing)>, Error> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.directory).map_err(cannot("read"))?.take(RECORDS_MAX) {
            let name = entry.map_err(cannot("read"))?.file_name();
            let parsed = name.to_str().and_then(Standing::parse);
            let Some((standing, id)) = parsed.filter(|(standing, _)| wanted.contains(standing)) else {
                continue;
            };
            let text = match std::fs::read(self.directory.join(&name)) {
                Ok(text) => text,
                // It got another name meanwhile.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(cannot("read")(error)),
            };
            let record: Record = serde_json::from_slice(&text).map_err(cannot("understand"))?;
            if record.version != VERSION || record.id != id {
                return Err(Error::new(
                    ErrorKind::State,
                    format!("cannot understand the record of the apply {id}"),
                )
                .since("it is of another version, or not in its place")
                .hint("use the version of cofferdam that wrote it"));
            }
            found.push((record, standing));
        }
        found.sort_by_key(|(record, _)| (record.at, record.id));
        Ok(found)
    }
}

impl Locked {
    /// On the disk when this returns.
    pub(super) fn write(&self, record: &Record, standing: Standing) -> Result<(), Error> {
        let text = serde_json::to_vec(record).unwrap_or_default();
        put_file(&self.records.directory, &standing.name(record.id), &text).map_err(cannot("write"))
    }

    pub(super) fn restand(&self, record: &Record, from: Standing, to: Standing) -> Result<(), Error> {
        let at = |standing: Standing| self.records.directory.join(standing.name(record.id));
        std::fs::rename(at(from), at(to)).map_err(cannot("mark"))?;
        self.sync()
    }

    pub(super) fn remove(&self, record: &Record, standing: Standing) -> Result<(), Error> {
        match std::fs::remove_file(self.records.directory.join(standing.name(record.id))) {
            Ok(()) => self.sync(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(cannot("remove")(error)),
        }
    }

    fn sync(&self) -> Result<(), Error> {
        let directory = std::fs::File::open(&self.records.directory).map_err(cannot("mark"))?;
        directory.sync_all().map_err(cannot("mark"))
    }
}
