//! The owner's directories as a session sees them: masks, git places, changes, apply.
//!
//! Everything here works beneath directories that are already open and never follows a symbolic link below them.
//! It mounts nothing, starts no process (git least of all), and prints nothing.
#![forbid(unsafe_code)]

pub mod apply;
mod attributes;
mod beneath;
pub mod census;
pub mod changes;
pub mod changeset;
pub mod checkpoint;
mod contents;
pub mod copy;
pub mod discard;
pub mod git;
pub mod ground;
mod journal;
pub mod layer;
pub mod merge;
pub mod ownership;
pub mod path;
pub mod veil;
