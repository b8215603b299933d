//! The record of sessions and events, on SQLite.
#![forbid(unsafe_code)]
