//! What a short name on the command line stands for: tool sets, agent homes, system directories, limits.
//!
//! Tables and pure look-ups. Nothing here looks at a disk: paths are given relative to the owner's home or to
//! the root, and whether they exist is found out by the crates that mount them.

pub mod agents;
pub mod caches;
pub mod clones;
pub mod filter;
pub mod instructions;
pub mod limits;
pub mod network;
pub mod piece;
pub mod sets;
pub mod settings;
pub mod system;
pub mod tools;
