//! The open ledger: how it is opened, read, written and kept small.
//!
//! What is written is the business of the modules beside this one. No function here or there keeps a
//! transaction open after it returns.

use crate::error::{Error, Fault};
use crate::place::Place;
use crate::schema::{self, Standing};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a write waits for those of other processes. A write takes well under a millisecond, so that even a
/// thousand of them are done by then.
const BUSY_WAIT_MAX: Duration = Duration::from_secs(30);

/// Above this [`Ledger::tidy`] moves the log into the file. Whoever opens the ledger while nobody else has it open
/// reads the whole log, so its length is part of every start.
const LOG_BYTES_MAX: u64 = 128 << 10;

/// What a write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The crash of any process; a loss of power may undo the last writes, in order, and nothing else.
    Process,
    /// A loss of power too: the call returns when the disk has it.
    Disk,
}

/// The record of sessions and events.
#[derive(Debug)]
pub struct Ledger {
    connection: Connection,
    path: PathBuf,
}

impl Ledger {
    /// Opens the ledger in `directory`, which must exist and be the owner's alone (mode 0700); makes or migrates
    /// it where needed.
    ///
    /// # Errors
    /// A place that others own or can reach, a damaged file, a newer schema, or no room.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let place = Place::open(directory)?;
        if place.file_length()?.is_some_and(|length| length > 0) {
            let ledger = Self::connect(place.file())?;
            if ledger.standing()? == Standing::Current {
                return Ok(ledger);
            }
        }
        Self::create_or_migrate(&place)
    }

    /// As [`Ledger::open`], but makes nothing: `None` where there is no ledger yet.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub fn open_existing(directory: &Path) -> Result<Option<Self>, Error> {
        match Place::open(directory) {
            Ok(place) if place.file_length()?.is_none() => Ok(None),
            Ok(_) => Self::open(directory).map(Some),
            Err(Error::Place { source: rustix::io::Errno::NOENT, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Where the ledger lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Moves a log that has grown long into the file, so that the next start is quick. It waits for the disk and
    /// for nobody else: call it when no person waits. Returns whether there was anything to do.
    ///
    /// # Errors
    /// A damaged file or no room.
    pub fn tidy(&self) -> Result<bool, Error> {
        let log = self.path.with_extension("db-wal");
        if std::fs::metadata(log).map_or(0, |metadata| metadata.len()) <= LOG_BYTES_MAX {
            return Ok(false);
        }
        let act = "tidy the log";
        self.connection.busy_timeout(Duration::ZERO).map_err(|source| self.failed(act, source.into()))?;
        let result = self.move_log();
        self.connection.busy_timeout(BUSY_WAIT_MAX).map_err(|source| self.failed(act, source.into()))?;
        match result.map_err(|fault| self.failed(act, fault)) {
            Err(Error::Busy { .. }) => Ok(false),
            other => other,
        }
    }

    /// Empties the log, then writes one frame, because the first write into an empty log waits for the disk and
    /// is better done here than in somebody's start. Returns whether nobody was in the way.
    fn move_log(&self) -> Result<bool, Fault> {
        let busy: bool =
            self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if !busy {
            let version: i64 = self.connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
            self.connection.execute_batch(&format!("PRAGMA user_version = {version}"))?;
        }
        Ok(!busy)
    }

    /// Under the lock of the directory, so that of many processes that come first one does it and none fails.
    fn create_or_migrate(place: &Place) -> Result<Self, Error> {
        let _lock = place.lock()?;
        place.create_file()?;
        // A link, or a file of another user's, may have been there already.
        place.file_length()?;
        let ledger = Self::connect(place.file())?;
        schema::migrate(&ledger.connection, &ledger.path)
            .map_err(|fault| ledger.failed("migrate the ledger", fault))?;
        Ok(ledger)
    }

    fn connect(path: &Path) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)
            .and_then(|connection| prepare(&connection).map(|()| connection))
            .map_err(|source| Fault::from(source).at(path, "open the ledger"))?;
        Ok(Self { connection, path: path.to_owned() })
    }

    fn standing(&self) -> Result<Standing, Error> {
        schema::standing(&self.connection, &self.path).map_err(|fault| self.failed("open the ledger", fault))
    }

    /// One transaction that reads.
    pub(crate) fn read<T>(
        &self,
        act: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, Error> {
        work(&self.connection).map_err(|fault| self.failed(act, fault))
    }

    /// One transaction that writes: all of `work` or nothing of it.
    pub(crate) fn write<T>(
        &self,
        durability: Durability,
        act: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, Error> {
        let result = match durability {
            Durability::Process => self.transact(work),
            Durability::Disk => self.transact_to_disk(work),
        };
        result.map_err(|fault| self.failed(act, fault))
    }

    /// With a sync of the log at the commit; the setting can't be changed within a transaction.
    fn transact_to_disk<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        self.connection.execute_batch("PRAGMA synchronous = FULL")?;
        let result = self.transact(work);
        self.connection.execute_batch("PRAGMA synchronous = NORMAL")?;
        result
    }

    /// Takes the write lock first, since a read that becomes a write can't wait for others.
    fn transact<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let result = work(&self.connection)
            .and_then(|value| self.connection.execute_batch("COMMIT").map(|()| value).map_err(Fault::from));
        if result.is_err() && !self.connection.is_autocommit() {
            // The first error is the one to tell; a rollback that fails leaves nothing behind either.
            self.connection.execute_batch("ROLLBACK").unwrap_or_default();
        }
        result
    }

    fn failed(&self, act: &'static str, fault: Fault) -> Error {
        fault.at(&self.path, act)
    }
}

/// What every connection needs; none of it touches the disk.
fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_WAIT_MAX)?;
    // The last process to close would move the log into the file and wait for the disk; `tidy` does so instead.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.execute_batch("PRAGMA synchronous = NORMAL")
}
