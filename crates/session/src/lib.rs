//! The stories: start, watch, stop, resume, discard; the supervisor.
#![forbid(unsafe_code)]
