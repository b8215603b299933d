//! One thin safe function per system call that rustix lacks; the only unsafe code.
#![deny(missing_docs)]
