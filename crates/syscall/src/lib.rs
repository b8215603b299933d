//! One thin safe function per system call that rustix lacks; the only unsafe code.
#![deny(missing_docs)]

pub mod confine;
pub mod filter;
pub mod inherited;
pub mod mapped;
pub mod memory;
pub mod mount;
pub mod network;
pub mod packet;
pub mod process;
pub mod raw;
pub mod sealed;
