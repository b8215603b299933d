//! The network of a cell: nothing but `lo`, to which every address belongs, and where every connection is caught.
//!
//! 1. Routes make every address local, and `lo` has one of its own beside loopback, so that a datagram to any is refused at once where nobody listens.
//! 2. Listeners stand on loopback, at ports that the agent can't bind, so that all that it can are left to it.
//! 3. A table of the kernel's sends every TCP connection but those to the cell's own addresses to the listeners, and every
//!    question about names to the resolver. Where the kernel has no such tables, the plan has listeners at the granted
//!    ports of every address in its place ([`Capture::AnyIp`]).
//!
//! No program of the host's is called, and nothing here decides what is let through: what was caught goes to the
//! gateway. IPv6 is left out where the kernel has none; then no address of it is reached either.

mod listeners;
mod netlink;
mod routes;
mod table;

pub(crate) use listeners::{Listener, Listeners, Way};

use cofferdam_policy::plan::Capture;
use rustix::io::Errno;

/// Makes the network of the calling process's namespace, of which `lo` is up.
pub(crate) fn capture(capture: &Capture) -> Result<Listeners, Errno> {
    let listeners = Listeners::open(capture)?;
    routes::make_all_local(listeners.v6)?;
    match capture {
        Capture::Redirect => table::redirect()?,
        Capture::AnyIp { .. } => {}
    }
    Ok(listeners)
}

/// Tries in the calling process's network namespace, which must be a fresh one, whether connections can be redirected.
///
/// # Errors
/// The kernel's answer: `EPROTONOSUPPORT`, `EOPNOTSUPP` or `ENOENT` without nf_tables or a part of it.
pub fn try_redirect() -> Result<(), Errno> {
    cofferdam_syscall::network::loopback_up()?;
    capture(&Capture::Redirect).map(drop)
}
