//! What a reviewer is told of a change: what runs later on the host, which dependencies moved, what deceives.
//!
//! Pure: names, modes and texts come in as bytes, findings go out as values with stable codes. Nothing here decides
//! whether something is applied, and nothing here says that a change is harmless: what has no finding was not found.

pub mod lock;
pub mod runs_later;
mod spelling;
pub mod suspicious;
pub mod visible;

#[cfg(test)]
mod document;
