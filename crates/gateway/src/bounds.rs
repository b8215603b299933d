//! What one connection, request or tunnel can make the gateway and the kernel hold, whatever both its sides do or leave
//! undone: chosen by what it comes to for as many of them as there may be.

use crate::protocol::head::HEAD_BYTES_MAX;
use crate::serve::{LONG_HEADS_MAX, NEWER_MAX, REFUSED_MAX, REQUESTS_MAX, WEBSOCKET_BUFFER_BYTES};

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

/// A refusal with its reason; beyond, it has no grant that would allow.
pub(crate) const REFUSAL_BYTES_MAX: usize = 8 << 10;

/// What one request holds, or a WebSocket, which holds less: its body both ways by HTTP/2, what is not taken of either, and
/// what TLS keeps.
const REQUEST_BYTES_MAX: usize =
    CELL_WINDOW_BYTES as usize + NARROW_WINDOW_BYTES as usize + 2 * (SENDING_BYTES_MAX + SEALED_BYTES_MAX);
/// A WebSocket: a buffer and what hyper has read for each side, and a frame's part on its way through.
const _: () = assert!(6 * WEBSOCKET_BUFFER_BYTES + 2 * SEALED_BYTES_MAX <= REQUEST_BYTES_MAX);
/// An HTTP/2 connection beside its requests: a frame that has not come whole, what TLS keeps, and heads of answers.
const NEWER_BYTES_MAX: usize = (16 << 10) + SEALED_BYTES_MAX + (16 << 10);
/// A long head, which is in memory up to three times.
const LONG_HEAD_BYTES_MAX: usize = 3 * HEAD_BYTES_MAX;

/// Of its 512 MiB, what may be held for requests, refusals and heads that are not taken or do not end. Tunnels and the
/// bodies that models are asked with have bounds of their own.
const HELD_BYTES_MAX: usize = 480 << 20;
const _: () = assert!(
    REQUESTS_MAX * REQUEST_BYTES_MAX
        + WIDE_CONNECTIONS_MAX * WIDE_CONNECTION_WINDOW_BYTES as usize
        + REFUSED_MAX * REFUSAL_BYTES_MAX
        + NEWER_MAX * NEWER_BYTES_MAX
        + LONG_HEADS_MAX * LONG_HEAD_BYTES_MAX
        <= HELD_BYTES_MAX
);
