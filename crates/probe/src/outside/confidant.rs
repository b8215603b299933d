//! A stand-in for an ssh agent, a session bus or a container engine: whoever speaks to it gets the canary.
//!
//! It speaks no protocol: that somebody came to it, and heard its answer, is all that is to be known.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::time::Duration;

/// How long whoever came may say nothing.
const SILENCE_MAX: Duration = Duration::from_millis(500);

/// Serves until the listener fails, one after the other. `note` is told the first words of each.
pub(crate) fn serve(listener: UnixListener, words: &str, note: impl Fn(&[u8])) {
    for mut stream in listener.incoming().flatten() {
        let mut part = [0; 4096];
        let bounded = stream.set_read_timeout(Some(SILENCE_MAX)).and_then(|()| {
            stream.set_write_timeout(Some(SILENCE_MAX))?;
            stream.read(&mut part)
        });
        note(part.get(..bounded.unwrap_or(0)).unwrap_or_default());
        drop(stream.write_all(words.as_bytes()));
    }
}
