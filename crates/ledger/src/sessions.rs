//! Sessions as the ledger knows them, and how they are found.
//!
//! Nothing here changes a session; see [`lifecycle`](crate::lifecycle).

use crate::error::{Error, Fault, unreadable};
use crate::row::from_json;
use crate::store::Ledger;
use cofferdam_policy::authority::CellKind;
use cofferdam_policy::event::{ExitStatus, UnixNanos};
use cofferdam_policy::label::Label;
use cofferdam_policy::session_id::{SessionId, SessionName};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

/// How many sessions an ambiguous prefix is answered with.
const MATCHES_MAX: usize = 8;

/// The columns that [`from_row`] reads.
const COLUMNS: &str = "id, name, directory, state, cell_kind, parent, uid_base, supervisor_pid, supervisor_started, \
                       boot_id, created_at, started_at, ended_at, exit_status, label, command, authority_digest, \
                       (SELECT canonical FROM authorities WHERE digest = authority_digest) AS authority";

/// Where a session is between its start and its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SessionState {
    /// Recorded, and its cell is being made.
    Starting,
    /// Its program runs.
    Running,
    /// Its program ended or was ended; it can be resumed.
    Stopped,
    /// It could not be started or broke down; it can be resumed.
    Failed,
    /// Its layers are gone; only the record is left.
    Discarded,
}

/// The process that watches a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supervisor {
    /// Its process id.
    pub pid: u32,
    /// When it started, in clock ticks since boot (field 22 of `/proc/PID/stat`): another process that got the
    /// same pid later has another value.
    pub started_ticks: i64,
    /// The boot that both belong to (`/proc/sys/kernel/random/boot_id`).
    pub boot_id: String,
}

/// All that is recorded of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// Its id.
    pub id: SessionId,
    /// Its name; unique among sessions that are not discarded.
    pub name: SessionName,
    /// The owner's directory that it was started from.
    pub directory: PathBuf,
    /// Where it stands.
    pub state: SessionState,
    /// Its enclosure.
    pub cell: CellKind,
    /// The session that spawned it.
    pub parent: Option<SessionId>,
    /// First of the host's user ids that are its own.
    pub uid_base: Option<u32>,
    /// Who watches it, while it starts or runs.
    pub supervisor: Option<Supervisor>,
    /// When it was recorded.
    pub created_at: UnixNanos,
    /// When its program last began to run.
    pub started_at: Option<UnixNanos>,
    /// When it last ended.
    pub ended_at: Option<UnixNanos>,
    /// How its program last ended.
    pub exit_status: Option<ExitStatus>,
    /// What it has touched.
    pub label: Label,
    /// Its program and arguments.
    pub command: Vec<String>,
    /// SHA-256 of `authority`, in hexadecimal.
    pub authority_digest: String,
    /// Its authority, in canonical form.
    pub authority: String,
}

/// Which sessions to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those started from this directory.
    pub directory: Option<PathBuf>,
    /// Those too of which only the record is left.
    pub discarded: bool,
}

impl SessionState {
    /// Every state there is.
    pub const ALL: [Self; 5] = [Self::Starting, Self::Running, Self::Stopped, Self::Failed, Self::Discarded];

    /// As it is written in the ledger and shown to people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Discarded => "discarded",
        }
    }
}

impl fmt::Display for SessionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Ledger {
    /// The session with this id.
    ///
    /// # Errors
    /// [`Error::NotFound`], or a damaged file or row.
    pub fn session(&self, id: &SessionId) -> Result<SessionRecord, Error> {
        self.read("read a session", |connection| by_id(connection, id))
    }

    /// The session that a person means by `asked`: an id, else the name of a session that is not discarded, else
    /// the beginning of exactly one id, where those of discarded sessions count only if no other begins so.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Ambiguous`], or a damaged file or row.
    pub fn find(&self, asked: &str) -> Result<SessionRecord, Error> {
        self.read("find a session", |connection| {
            let exact = select(
                connection,
                "id = ?1 OR (name = ?1 AND state <> 'discarded') ORDER BY id = ?1 DESC LIMIT 1",
                params![asked],
            )?;
            match exact.into_iter().next() {
                Some(session) => Ok(session),
                None => by_prefix(connection, asked),
            }
        })
    }

    /// The session that was started last from exactly this directory and is not discarded.
    ///
    /// # Errors
    /// A damaged file or row.
    pub fn latest_for(&self, directory: &Path) -> Result<Option<SessionRecord>, Error> {
        self.read("find the latest session", |connection| {
            let found = select(
                connection,
                "directory = ?1 AND state <> 'discarded' ORDER BY created_at DESC, rowid DESC LIMIT 1",
                params![directory.as_os_str().as_bytes()],
            )?;
            Ok(found.into_iter().next())
        })
    }

    /// The canonical form of an authority that some session had, by its digest.
    ///
    /// # Errors
    /// A damaged file or row.
    pub fn authority(&self, digest: &str) -> Result<Option<String>, Error> {
        let sql = "SELECT canonical FROM authorities WHERE digest = ?1";
        self.read("read an authority", |connection| {
            Ok(connection.prepare(sql)?.query_row([digest], |row| row.get(0)).optional()?)
        })
    }

    /// Sessions, the latest first.
    ///
    /// # Errors
    /// A damaged file or row.
    pub fn sessions(&self, filter: &Filter) -> Result<Vec<SessionRecord>, Error> {
        let live = if filter.discarded { "TRUE" } else { "state <> 'discarded'" };
        let order = "ORDER BY created_at DESC, rowid DESC";
        self.read("list sessions", |connection| match &filter.directory {
            Some(directory) => select(
                connection,
                &format!("directory = ?1 AND {live} {order}"),
                params![directory.as_os_str().as_bytes()],
            ),
            None => select(connection, &format!("{live} {order}"), params![]),
        })
    }
}

/// The session with this id, within a transaction of the caller's.
pub(crate) fn by_id(connection: &Connection, id: &SessionId) -> Result<SessionRecord, Fault> {
    select(connection, "id = ?1", params![id.as_str()])?
        .pop()
        .ok_or_else(|| Error::NotFound { asked: id.to_string() }.into())
}

fn by_prefix(connection: &Connection, asked: &str) -> Result<SessionRecord, Fault> {
    if SessionId::may_begin_with(asked) {
        // `{` follows `z`, the last letter of the alphabet of ids.
        let end = format!("{asked}{{");
        for live in ["state <> 'discarded'", "state = 'discarded'"] {
            let condition = format!("id >= ?1 AND id < ?2 AND {live} ORDER BY id LIMIT {MATCHES_MAX}");
            let mut found = select(connection, &condition, params![asked, end])?;
            match (found.pop(), found.is_empty()) {
                (Some(only), true) => return Ok(only),
                (Some(last), false) => {
                    let matches = found.into_iter().chain([last]).map(|session| session.id).collect();
                    return Err(Error::Ambiguous { asked: asked.to_owned(), matches }.into());
                }
                (None, _) => {}
            }
        }
    }
    Err(Error::NotFound { asked: asked.to_owned() }.into())
}

/// Sessions for which `condition` holds; it is ours, never a caller's text.
fn select(
    connection: &Connection,
    condition: &str,
    parameters: &[&dyn rusqlite::ToSql],
) -> Result<Vec<SessionRecord>, Fault> {
    let mut statement = connection.prepare(&format!("SELECT {COLUMNS} FROM sessions WHERE {condition}"))?;
    let mut rows = statement.query(parameters)?;
    let mut sessions = Vec::new();
    while let Some(row) = rows.next()? {
        sessions.push(from_row(row)?);
    }
    Ok(sessions)
}

fn from_row(row: &Row<'_>) -> Result<SessionRecord, Fault> {
    let key: String = row.get("id")?;
    let name: String = row.get("name")?;
    let exit_status: Option<String> = row.get("exit_status")?;
    let parent: Option<String> = row.get("parent")?;
    Ok(SessionRecord {
        id: key.parse().map_err(unreadable("id", &key))?,
        name: name.parse().map_err(unreadable("name", &key))?,
        directory: OsString::from_vec(row.get("directory")?).into(),
        state: state(&row.get::<_, String>("state")?).map_err(unreadable("state", &key))?,
        cell: cell(&row.get::<_, String>("cell_kind")?).map_err(unreadable("cell_kind", &key))?,
        parent: parent.map(|id| id.parse()).transpose().map_err(unreadable("parent", &key))?,
        uid_base: row.get("uid_base")?,
        supervisor: supervisor(row)?,
        created_at: UnixNanos(row.get("created_at")?),
        started_at: row.get::<_, Option<i64>>("started_at")?.map(UnixNanos),
        ended_at: row.get::<_, Option<i64>>("ended_at")?.map(UnixNanos),
        exit_status: exit_status.map(|text| from_json("exit_status", &key, &text)).transpose()?,
        label: from_json("label", &key, &row.get::<_, String>("label")?)?,
        command: from_json("command", &key, &row.get::<_, String>("command")?)?,
        authority_digest: row.get("authority_digest")?,
        authority: row.get("authority")?,
    })
}

fn state(name: &str) -> Result<SessionState, String> {
    let found = SessionState::ALL.into_iter().find(|state| state.name() == name);
    found.ok_or_else(|| format!("unknown state {name:?}"))
}

fn supervisor(row: &Row<'_>) -> Result<Option<Supervisor>, Fault> {
    let pid: Option<u32> = row.get("supervisor_pid")?;
    let started_ticks: Option<i64> = row.get("supervisor_started")?;
    let boot_id: Option<String> = row.get("boot_id")?;
    Ok(match (pid, started_ticks, boot_id) {
        (Some(pid), Some(started_ticks), Some(boot_id)) => Some(Supervisor { pid, started_ticks, boot_id }),
        _ => None,
    })
}

/// How a kind of cell is written.
pub(crate) fn cell_name(cell: CellKind) -> &'static str {
    match cell {
        CellKind::Namespaces => "namespaces",
    }
}

fn cell(name: &str) -> Result<CellKind, String> {
    let found = [CellKind::Namespaces].into_iter().find(|cell| cell_name(*cell) == name);
    found.ok_or_else(|| format!("unknown kind of cell {name:?}"))
}
