//! The probe: a static program that tries ways out of any enclosure, one by one, and reports what the kernel said.
//!
//! It measures any sandbox, and so knows nothing of cells: what it aims at is planted outside beforehand. Its acts are
//! inert where they succeed, or destroy nothing but what was planted for that.
#![forbid(unsafe_code)]

mod attempt;
mod catalog;
mod classes;
mod failure;
mod finding;
mod inside;
mod measurement;
pub mod outside;
mod plants;
mod program;
pub mod report;
mod showing;
mod witness;

pub use attempt::Radius;
pub use measurement::{Enclosed, Measured, Measurement, Runner, SCHEMA, Tally, Verdict};
pub use program::main;
