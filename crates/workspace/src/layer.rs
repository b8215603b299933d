//! The writable layer of an overlay: `upper`, which keeps what the agent did, and `work`, which is the kernel's.
//!
//! What is in them is read by [`changes`](crate::changes); here they are only made.

use crate::attributes::Looks;
use crate::beneath;
use crate::discard::{self, DiscardError};
use crate::ownership::Ownership;
use rustix::fd::BorrowedFd;
use rustix::fs::Mode;
use rustix::io::Errno;

/// Why there is no layer.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// What the kernel left of a former mount can't be cleared.
    #[error("cannot clear the work directory of the layer")]
    Former(#[source] DiscardError),
    /// It can't be made.
    #[error("cannot make the layer")]
    Make(#[source] Errno),
}

/// Makes `upper` and `work` in the directory `place`, for an overlay over `real`. An `upper` that is there is kept:
/// the session goes on in it. `work` is always made anew, with it goes the mark of a volatile mount. The root of a
/// merged directory takes its looks from the topmost layer, so a new `upper` gets those of `real`.
///
/// # Errors
/// [`LayerError`].
pub fn make(place: BorrowedFd<'_>, real: BorrowedFd<'_>, ownership: Ownership) -> Result<(), LayerError> {
    discard::remove(place, b"work").map_err(LayerError::Former)?;
    let looks = Looks::of(&beneath::stat_fd(real).map_err(LayerError::Make)?);
    for name in ["upper", "work"] {
        match rustix::fs::mkdirat(place, name, Mode::RWXU) {
            Ok(()) => {
                let made = beneath::open_directory(place, name.as_bytes()).map_err(LayerError::Make)?;
                looks.put_on(&made, ownership).map_err(LayerError::Make)?;
            }
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(LayerError::Make(errno)),
        }
    }
    Ok(())
}
