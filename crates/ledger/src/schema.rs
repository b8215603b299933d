//! The schema of the ledger and how an older one becomes the present one.
//!
//! Migrations only go forward. A schema that is newer than the newest known here is refused, never guessed at.

use crate::error::{Error, Fault};
use rusqlite::Connection;
use std::path::Path;

/// Every migration, in order; the schema's version is how many were applied.
const MIGRATIONS: [&str; 1] = [include_str!("../migrations/0001_sessions_events_trust.sql")];

/// The version of a ledger that has every migration.
const VERSION: i64 = MIGRATIONS.len() as i64;

/// What is to be done with a ledger before it can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing.
    Current,
    /// It must be migrated.
    Older,
}

/// Reads the schema's version.
pub(crate) fn standing(connection: &Connection, path: &Path) -> Result<Standing, Fault> {
    let found = version(connection)?;
    if found > VERSION {
        return Err(Error::NewerSchema { path: path.to_owned(), found, known: VERSION }.into());
    }
    Ok(if found == VERSION { Standing::Current } else { Standing::Older })
}

/// Brings an empty or older ledger to [`VERSION`], in one transaction: all of it or none. To be called by one
/// process at a time. Done a second time it changes nothing, so that a crash at any point is made good.
pub(crate) fn migrate(connection: &Connection, path: &Path) -> Result<(), Fault> {
    // Both are kept in the file, so they are said only here, and can't be changed within a transaction. A small page,
    // because a start changes a few rows in a dozen places, and the log, which the next start reads, takes whole pages.
    connection.execute_batch("PRAGMA page_size = 1024")?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    debug_assert_eq!(mode, "wal");
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let result = apply_pending(connection, path);
    match result {
        Ok(()) => Ok(connection.execute_batch("COMMIT")?),
        Err(fault) => {
            connection.execute_batch("ROLLBACK").unwrap_or_default();
            Err(fault)
        }
    }
}

fn apply_pending(connection: &Connection, path: &Path) -> Result<(), Fault> {
    if standing(connection, path)? == Standing::Current {
        return Ok(());
    }
    let applied = usize::try_from(version(connection)?).unwrap_or_default();
    for migration in MIGRATIONS.iter().skip(applied) {
        connection.execute_batch(migration)?;
    }
    Ok(connection.execute_batch(&format!("PRAGMA user_version = {VERSION}"))?)
}

fn version(connection: &Connection) -> Result<i64, Fault> {
    Ok(connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}
