//! Bytes between two sockets, unread, for what is granted as `tcp` or `tls-passthrough`.
//!
//! All tunnels share one buffer: one that rests holds no memory for what might come. What a peer does not take at once
//! is kept for it, and nothing more is read until it has. Where much is kept already, little is read at once.

use crate::bounds::TUNNELS_BYTES_MAX;
use crate::passage::{Exhausted, Passage};
use std::cell::{Cell, RefCell};
use std::io;
use tokio::net::TcpStream;

const BUFFER_BYTES: usize = 64 << 10;
/// The same where all tunnels together hold as much as they may.
const SMALL_BUFFER_BYTES: usize = 2 << 10;

/// Reads in a row before others get their turn.
const READS_IN_A_ROW_MAX: usize = 16;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// What all tunnels hold, in bytes.
    static KEPT_BYTES: Cell<usize> = const { Cell::new(0) };
}

/// What one tunnel holds for a peer that did not take it.
struct Kept(Vec<u8>);

impl Kept {
    fn new(bytes: &[u8]) -> Self {
        KEPT_BYTES.set(KEPT_BYTES.get() + bytes.len());
        Self(bytes.to_vec())
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        KEPT_BYTES.set(KEPT_BYTES.get().saturating_sub(self.0.len()));
    }
}

/// Until both sides have ended, one has failed, or the budget is spent.
pub(crate) async fn both_ways(client: &TcpStream, origin: &TcpStream, passage: &Passage) -> io::Result<()> {
    let up = one_way(client, origin, |count| passage.up(count));
    let down = one_way(origin, client, |count| passage.down(count));
    tokio::try_join!(up, down).map(|((), ())| ())
}

enum Step {
    /// All that was there has been passed on.
    Waiting,
    /// There may be more.
    More,
    /// No more will come.
    End,
    /// The other side does not take this now.
    Left(Kept),
}

async fn one_way(
    from: &TcpStream,
    to: &TcpStream,
    count: impl Fn(u64) -> Result<(), Exhausted>,
) -> io::Result<()> {
    loop {
        match step(from, to, &count)? {
            Step::Waiting => from.readable().await?,
            Step::More => tokio::task::yield_now().await,
            Step::Left(kept) => write_all(to, &kept.0).await?,
            Step::End => return end(to),
        }
    }
}

fn step(from: &TcpStream, to: &TcpStream, count: impl Fn(u64) -> Result<(), Exhausted>) -> io::Result<Step> {
    BUFFER.with_borrow_mut(|buffer| {
        buffer.resize(BUFFER_BYTES, 0);
        let is_full = KEPT_BYTES.get() >= TUNNELS_BYTES_MAX;
        let room = if is_full { SMALL_BUFFER_BYTES } else { BUFFER_BYTES };
        let buffer = buffer.get_mut(..room).unwrap_or_default();
        for _ in 0..READS_IN_A_ROW_MAX {
            let read = match from.try_read(buffer) {
                Ok(0) => return Ok(Step::End),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Step::Waiting),
                Err(error) => return Err(error),
            };
            count(u64::try_from(read).unwrap_or(u64::MAX)).map_err(io::Error::other)?;
            let mut rest = buffer.get(..read).unwrap_or_default();
            while !rest.is_empty() {
                match to.try_write(rest) {
                    Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        return Ok(Step::Left(Kept::new(rest)));
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(Step::More)
    })
}

/// Writes all of it, waiting as long as it takes.
pub(crate) async fn write_all(to: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        to.writable().await?;
        match to.try_write(bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// One side has said all: the other is told so, and may go on speaking.
fn end(to: &TcpStream) -> io::Result<()> {
    match rustix::net::shutdown(to, rustix::net::Shutdown::Write) {
        Ok(()) | Err(rustix::io::Errno::NOTCONN) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}
