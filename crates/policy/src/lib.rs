//! Authority, patterns, labels, verdicts and the plan of a cell: pure, no I/O, no clock.
#![forbid(unsafe_code)]

pub mod admission;
pub mod authority;
pub mod checkpoint;
pub mod event;
pub mod glyph;
pub mod label;
pub mod layout;
pub mod mask;
pub mod net;
pub mod path;
pub mod plan;
pub mod presets;
pub mod review;
pub mod session_id;
pub mod wish;
