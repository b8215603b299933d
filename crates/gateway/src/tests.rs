//! The gateway as cells and origins meet it: sockets in, sockets out, the supervisor's wire beside.

mod asking;
mod harness;
mod origin;
mod plain;
