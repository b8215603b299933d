//! What can go wrong with the ledger, each with the file or session that it is about.
//!
//! SQLite's own codes are sorted here, once, into what an owner can act on.

use crate::sessions::SessionState;
use cofferdam_policy::session_id::{SessionId, SessionName};
use rusqlite::ErrorCode;
use rustix::io::Errno;
use std::path::{Path, PathBuf};

/// Why a column can't be understood, in its parser's words.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why the ledger could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory or the file can't be looked at or made.
    #[error("cannot {act} {}", path.display())]
    Place {
        /// `open`, `create`, `lock`…
        act: &'static str,
        /// What it is about.
        path: PathBuf,
        /// Why.
        source: Errno,
    },
    /// Another user owns it and could rewrite what was recorded.
    #[error("cannot trust {}: it belongs to uid {uid}", path.display())]
    ForeignOwner {
        /// The directory or file.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// Others than its owner may read or write it.
    #[error("cannot trust {}: its mode {mode:03o} lets others in", path.display())]
    Exposed {
        /// The directory or file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is a link, or anything else but the directory or plain file that it should be.
    #[error("cannot trust {}: it is not a plain {expected}", path.display())]
    Irregular {
        /// The directory or file.
        path: PathBuf,
        /// `directory` or `file`.
        expected: &'static str,
    },
    /// A later version of the program has written it.
    #[error("cannot read {}: its schema is version {found}, this program knows {known}", path.display())]
    NewerSchema {
        /// The ledger.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The latest schema known here.
        known: i64,
    },
    /// There is no room for a write; nothing of it was kept.
    #[error("cannot {act}: no room for {}", path.display())]
    DiskFull {
        /// What was being done.
        act: &'static str,
        /// The ledger.
        path: PathBuf,
        /// SQLite's words.
        source: rusqlite::Error,
    },
    /// The file is damaged, or is no ledger at all.
    #[error("cannot {act}: {} is damaged", path.display())]
    Corrupt {
        /// What was being done.
        act: &'static str,
        /// The ledger.
        path: PathBuf,
        /// SQLite's words.
        source: rusqlite::Error,
    },
    /// Other processes held it for longer than we wait.
    #[error("cannot {act}: {} is held by another process", path.display())]
    Busy {
        /// What was being done.
        act: &'static str,
        /// The ledger.
        path: PathBuf,
        /// SQLite's words.
        source: rusqlite::Error,
    },
    /// Anything else that SQLite or the disk reports.
    #[error("cannot {act} in {}", path.display())]
    Database {
        /// What was being done.
        act: &'static str,
        /// The ledger.
        path: PathBuf,
        /// SQLite's words.
        source: rusqlite::Error,
    },
    /// A row holds what no version of this program writes.
    #[error("cannot read {what} of {key:?} in {}", path.display())]
    Row {
        /// The ledger.
        path: PathBuf,
        /// The column.
        what: &'static str,
        /// The row.
        key: String,
        /// What is wrong with it.
        source: Cause,
    },
    /// The name that was asked for belongs to a session that is not discarded.
    #[error("session name {name} is taken")]
    NameTaken {
        /// The name.
        name: SessionName,
    },
    /// Every range of user ids is in use.
    #[error("cannot give the session user ids of its own: all {ranges} ranges are in use")]
    UidsExhausted {
        /// How many there are.
        ranges: u32,
    },
    /// Nothing is called that.
    #[error("no session {asked:?}")]
    NotFound {
        /// What was asked for.
        asked: String,
    },
    /// More than one id begins like that.
    #[error("session {asked:?} could be {}", ids(matches))]
    Ambiguous {
        /// What was asked for.
        asked: String,
        /// Some of those that it could be.
        matches: Vec<SessionId>,
    },
    /// The session is in a state from which this can't be done.
    #[error("cannot {act} session {session}: it is {state}")]
    WrongState {
        /// What was asked for.
        act: &'static str,
        /// The session.
        session: SessionId,
        /// Its state.
        state: SessionState,
    },
}

/// What goes wrong inside a transaction, before it is known which file it is about.
#[derive(Debug)]
pub(crate) enum Fault {
    /// SQLite reports it.
    Sqlite(rusqlite::Error),
    /// A row can't be understood.
    Row { what: &'static str, key: String, source: Cause },
    /// It has its final form already.
    Final(Error),
}

impl Fault {
    /// The error that callers see.
    pub(crate) fn at(self, path: &Path, act: &'static str) -> Error {
        let path = path.to_owned();
        match self {
            Self::Final(error) => error,
            Self::Row { what, key, source } => Error::Row { path, what, key, source },
            Self::Sqlite(source) => match source.sqlite_error_code() {
                Some(ErrorCode::DiskFull) => Error::DiskFull { act, path, source },
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                    Error::Corrupt { act, path, source }
                }
                Some(
                    ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseLocked
                    | ErrorCode::FileLockingProtocolFailed,
                ) => Error::Busy { act, path, source },
                _ => Error::Database { act, path, source },
            },
        }
    }
}

/// For `map_err` and `ok_or`: the column `what` of the row `key` can't be understood, because of this.
pub(crate) fn unreadable<E: Into<Cause>>(what: &'static str, key: &str) -> impl FnOnce(E) -> Fault {
    move |source| Fault::Row { what, key: key.to_owned(), source: source.into() }
}

impl From<rusqlite::Error> for Fault {
    fn from(source: rusqlite::Error) -> Self {
        Self::Sqlite(source)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

fn ids(matches: &[SessionId]) -> String {
    matches.iter().map(SessionId::as_str).collect::<Vec<_>>().join(", ")
}
