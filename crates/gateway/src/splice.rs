//! Bytes between two sockets, unread, for what is granted as `tcp` or `tls-passthrough`.
//!
//! All tunnels share one buffer: one that rests holds no memory for what might come. What a peer does not take at once
//! is kept for it, and nothing more is read until it has.

use crate::passage::{Exhausted, Passage};
use std::cell::RefCell;
use std::io;
use tokio::net::TcpStream;

const BUFFER_BYTES: usize = 64 << 10;

/// Reads in a row before others get their turn.
const READS_IN_A_ROW_MAX: usize = 16;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
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
    Left(Vec<u8>),
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
            Step::Left(bytes) => write_all(to, &bytes).await?,
            Step::End => return end(to),
        }
    }
}

fn step(from: &TcpStream, to: &TcpStream, count: impl Fn(u64) -> Result<(), Exhausted>) -> io::Result<Step> {
    BUFFER.with_borrow_mut(|buffer| {
        buffer.resize(BUFFER_BYTES, 0);
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
                        return Ok(Step::Left(rest.to_vec()));
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
