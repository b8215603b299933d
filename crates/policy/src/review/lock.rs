//! Which dependencies a lock file gained, lost or pinned otherwise, from its text before and after.
//!
//! Names, versions and sources in the answer are others' words and have to be made visible before they are printed.
//! What can't be understood is counted and said, never passed over. Nothing is resolved, fetched or verified here, and
//! the edges between dependencies are not compared: what only they change shows as [`Comparison::differs_otherwise`].

mod compare;
mod format;
mod lines;
mod reading;
mod tables;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

pub use compare::{Change, Comparison, Difference, compare};
pub use format::LockFormat;
pub use reading::{Pin, Reading, Unreadable};

/// The longest text that is read, in bytes.
pub const LOCK_BYTES_MAX: usize = 32 << 20;

/// The most pins that are read from one text.
pub const PINS_MAX: usize = 200_000;

/// The most differences that are listed; the rest is counted.
pub const DIFFERENCES_MAX: usize = 10_000;

/// The longest name, version or source that is taken over, in bytes; longer ones end with `…`.
pub const FIELD_BYTES_MAX: usize = 1024;
