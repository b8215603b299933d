//! Requests of repositories that the owner accepted, byte for byte.
//!
//! Whether a repository's request is still the accepted one is for the caller to compare, by digest; the ledger
//! only keeps the promise, on disk before the call returns.

use crate::error::Error;
use crate::store::{Durability, Ledger};
use cofferdam_policy::event::UnixNanos;
use rusqlite::{OptionalExtension as _, params};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// What was accepted for a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustRecord {
    /// Digest of the request.
    pub request_digest: String,
    /// When it was accepted.
    pub accepted_at: UnixNanos,
    /// The request itself, exactly as it was shown.
    pub body: String,
}

impl Ledger {
    /// Records that the owner accepted this request for `directory`; it takes the place of an earlier one.
    ///
    /// # Errors
    /// No room, or a damaged file. Then nothing is accepted.
    pub fn trust(&self, directory: &Path, accepted: &TrustRecord) -> Result<(), Error> {
        self.write(Durability::Disk, "record trust", |connection| {
            connection
                .prepare(
                    "INSERT OR REPLACE INTO trust (directory, request_digest, accepted_at, body) \
                     VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![
                    directory.as_os_str().as_bytes(),
                    accepted.request_digest,
                    accepted.accepted_at.0,
                    accepted.body
                ])?;
            Ok(())
        })
    }

    /// What was accepted for exactly this directory; `None` where nothing was.
    ///
    /// # Errors
    /// A damaged file.
    pub fn trusted(&self, directory: &Path) -> Result<Option<TrustRecord>, Error> {
        self.read("look up trust", |connection| {
            let found = connection
                .prepare("SELECT request_digest, accepted_at, body FROM trust WHERE directory = ?1")?
                .query_row(params![directory.as_os_str().as_bytes()], |row| {
                    Ok(TrustRecord {
                        request_digest: row.get(0)?,
                        accepted_at: UnixNanos(row.get(1)?),
                        body: row.get(2)?,
                    })
                })
                .optional()?;
            Ok(found)
        })
    }

    /// Takes back what was accepted for `directory`; returns whether there was anything.
    ///
    /// # Errors
    /// No room, or a damaged file.
    pub fn untrust(&self, directory: &Path) -> Result<bool, Error> {
        self.write(Durability::Disk, "take back trust", |connection| {
            let removed = connection
                .prepare("DELETE FROM trust WHERE directory = ?1")?
                .execute(params![directory.as_os_str().as_bytes()])?;
            Ok(removed > 0)
        })
    }
}
