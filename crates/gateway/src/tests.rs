//! The gateway as cells and origins meet it: sockets in, sockets out, the supervisor's wire beside.

mod asking;
mod attacks;
mod credentials;
mod frames;
pub(crate) mod harness;
mod heads;
mod hostile;
mod idle;
mod models;
mod named;
mod newer;
mod origin;
mod plain;
mod process;
mod proxies;
mod publishing;
mod renewals;
mod revocation;
mod streams;
