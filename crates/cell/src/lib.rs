//! The namespace cell: seals a plan, applies it step by step, becomes pid 1.
//!
//! Two halves that share one binary: the supervisor's ([`Cell`]), which never enters a cell, and the launcher's
//! ([`launch`]), which becomes guardian and pid 1. It knows nothing of policy files, sessions or the ledger.
#![forbid(unsafe_code)]

mod entry;
mod guardian;
pub mod idmap;
mod init;
mod inner;
pub mod landlock;
pub mod launch;
pub mod network;
mod refresh;
mod relay;
mod seccomp;
mod sources;
mod supervise;
mod view;
mod wire;

pub use supervise::{Cell, CellError, CellReport, Streams};
pub use wire::{EntryStage, Failure, LaunchAct, Order, PROGRAM_BYTES_MAX, Program, Report, WindowSize};
