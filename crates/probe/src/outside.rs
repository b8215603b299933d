//! The collector: it stands outside of an enclosure, plants what there is to go for, listens, and judges.
//!
//! Every attempt is made twice, on two equal scenes: outside of any enclosure, which must reach what it aims at (the
//! control), and inside. Only the difference says anything about the enclosure.

pub mod adapters;
mod collector;
pub(crate) mod confidant;
pub(crate) mod datagrams;
mod enclosure;
pub(crate) mod janitor;
mod judge;
mod listeners;
pub(crate) mod origin;
mod process;
mod sandbox;
mod scene;

pub use collector::{CollectError, Progress, Setting, measure};
pub use enclosure::{CommandLine, Declared, Enclosure};
pub use sandbox::Sandbox;
pub use scene::Scene;
