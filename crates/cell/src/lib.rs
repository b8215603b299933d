//! The namespace cell: seals a plan, applies it step by step, becomes pid 1.
#![forbid(unsafe_code)]
