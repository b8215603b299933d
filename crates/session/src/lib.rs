//! The stories: start, watch, stop, resume, discard; the supervisor.
//!
//! The only crate in which cell, workspace and ledger meet. It never prints: it returns values and errors.
#![forbid(unsafe_code)]

pub mod apply;
mod base;
mod capture;
mod ceiling;
mod cgroup;
pub mod changes;
pub mod checkpoints;
pub mod commits;
pub mod connect;
pub mod context;
mod control;
pub mod diff;
pub mod doctor;
mod elsewhere;
pub mod error;
pub mod exit;
pub mod explain;
mod failure;
pub mod freeze;
mod gateway;
mod handles;
mod helper;
mod home;
pub mod init;
pub mod launcher;
pub mod machine;
pub mod network;
mod notify;
pub mod policies;
pub mod prepare;
mod program;
mod programs;
mod put;
mod record;
pub mod request;
pub mod resolve;
pub mod reviewed;
mod roots;
pub mod screen;
pub mod secrets;
pub mod selection;
pub mod sessions;
pub mod sets;
pub mod shell;
pub mod start;
pub mod state;
pub mod supervise;
mod system;
pub mod terminal;
pub mod trust;
mod veiling;
