//! The record of sessions and events, on SQLite.
//!
//! One file in the owner's state directory, opened by as many `cofferdam` processes at once as there are. Small
//! typed functions, synchronous; every write is one transaction. The ledger decides nothing about a session
//! beyond what keeps the record true: names and user-id ranges are unique, and a state follows from the one
//! before. It reads no clock and draws no randomness.
//!
//! Writes are either [`Durability::Process`], which survives the crash of any process, or [`Durability::Disk`],
//! which also survives a loss of power. Only the second waits for the disk.
//!
//! Tamper evidence is not here yet. Its place is beside [`events`](Ledger::events): `seq` is never used twice, so
//! it can number the leaves of a Merkle log whose heads are stored elsewhere.
#![forbid(unsafe_code)]

mod allocation;
mod error;
mod events;
mod lifecycle;
mod place;
mod row;
mod schema;
mod sessions;
mod store;
mod trust;

pub use error::Error;
pub use events::RecordedEvent;
pub use lifecycle::{EndState, Ending, NameWish, NewSession, Resumption, UidRanges};
pub use sessions::{Filter, SessionRecord, SessionState, Supervisor};
pub use store::{Durability, Ledger};
pub use trust::TrustRecord;
