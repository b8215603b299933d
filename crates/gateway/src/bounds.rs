//! What one connection, request or tunnel can make the gateway and the kernel hold, whatever both its sides do or leave
//! undone: chosen by what it comes to for as many of them as there may be.

use crate::protocol::head::HEAD_BYTES_MAX;
use crate::serve::REQUESTS_MAX;

/// Of an HTTP/1 connection from the cell: a head, and what is read beyond it; and as much of an answer.
pub(crate) const BUFFER_BYTES_MAX: usize = HEAD_BYTES_MAX + (16 << 10);

/// What TLS keeps, encrypted, for a socket that takes nothing: two records.
pub(crate) const SEALED_BYTES_MAX: usize = 32 << 10;
/// Of a body that comes by HTTP/2 from the cell, which is near.
pub(crate) const CELL_WINDOW_BYTES: u32 = 128 << 10;
/// Of all bodies that come by one connection from the cell.
pub(crate) const CELL_CONNECTION_WINDOW_BYTES: u32 = 1 << 20;
/// Of a body that comes by HTTP/2 from an origin, where many origins have connections.
pub(crate) const NARROW_WINDOW_BYTES: u32 = 64 << 10;
/// The same where few have, which may be far.
pub(crate) const WIDE_WINDOW_BYTES: u32 = 1 << 20;
/// Of all bodies that come by one connection from an origin.
pub(crate) const WIDE_CONNECTION_WINDOW_BYTES: u32 = 2 << 20;
/// Connections to origins that are given that much.
pub(crate) const WIDE_CONNECTIONS_MAX: usize = 32;
/// What waits of a body until an HTTP/2 connection takes it.
pub(crate) const SENDING_BYTES_MAX: usize = 32 << 10;
/// What the kernel keeps unsent of a connection (`TCP_NOTSENT_LOWAT`, tcp(7)).
pub(crate) const UNSENT_BYTES_MAX: u32 = 128 << 10;
/// What all tunnels hold together for peers that take nothing; beyond, each reads little at once.
pub(crate) const TUNNELS_BYTES_MAX: usize = 64 << 20;

/// Of its 512 MiB, what may be held for bodies that came by HTTP/2 and are not taken.
const BODIES_BYTES_MAX: usize = 384 << 20;
const _: () = assert!(
    REQUESTS_MAX
        * (CELL_WINDOW_BYTES as usize
            + NARROW_WINDOW_BYTES as usize
            + 2 * (SENDING_BYTES_MAX + SEALED_BYTES_MAX))
        + WIDE_CONNECTIONS_MAX * WIDE_CONNECTION_WINDOW_BYTES as usize
        <= BODIES_BYTES_MAX
);
