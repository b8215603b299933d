//! What git keeps, as far as a session needs it: where its directories lie, and its configuration without
//! credentials and commands, which paths its index holds, and its objects.
//!
//! Git is never executed: attributes, filters, hooks and configuration are code, and the files may be hostile.
//! References are not read here either.

pub mod ancestor;
pub mod clones;
pub mod commits;
pub mod config;
pub mod directory;
pub mod import;
mod index;
pub mod objects;
pub mod owner;
pub mod packing;
pub mod places;
pub mod refs;
pub mod sanitise;
pub mod skip;
pub mod traces;
pub mod tracked;
mod url;

#[cfg(test)]
mod trial;
