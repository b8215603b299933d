//! Secrets at rest, and where they come from.
//!
//! Values lie in one file in the age format, names and shapes in the open beside it. The key lies on the same disk: this
//! keeps secrets from backups, from other users and from accidents, not from who is the owner already.

pub mod age;
mod bech32;
pub mod command;
mod file;
pub mod login;
mod prompt;
mod setting;
mod source;
pub mod store;
mod value;

pub use value::Secret;
