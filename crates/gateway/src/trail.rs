//! Requests under way with a credential, noted in a file that outlives this process.
//!
//! What a request came to is said when it has ended. A gateway that ends in the midst of some, however that comes about,
//! has said nothing of them, and each has a secret in it; so each is noted before it is sent, and the note is wiped out when
//! the supervisor has been told. What is left when the gateway is gone, the supervisor reads here; and when that is gone,
//! too, whoever takes up what became of the session.

use crate::wire::WORD_PATH_BYTES_MAX;
use cofferdam_policy::net::credential::CredentialName;
use cofferdam_policy::net::host::Destination;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Room for one note: its length in two bytes, and JSON.
const NOTE_BYTES_MAX: usize = 2_048;
/// More requests than may be under way, and wait to be told, together.
const NOTES_MAX: u32 = 4_096;
/// The longest that the file becomes, in bytes.
pub(crate) const TRAIL_BYTES_MAX: u64 = NOTE_BYTES_MAX as u64 * NOTES_MAX as u64;

/// A request that was about to be sent with a secret in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begun {
    /// Where to.
    pub destination: Destination,
    /// By which method.
    pub method: String,
    /// For which path, cut to [`WORD_PATH_BYTES_MAX`].
    pub path: String,
    /// With which credential.
    pub credential: CredentialName,
}

/// The file for notes at this place, with what an earlier gateway left there.
///
/// # Errors
/// What `open(2)` says.
pub fn at(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)
}

/// Forgets all of it, which has been told.
///
/// # Errors
/// What `ftruncate(2)` says.
pub fn clear(file: BorrowedFd<'_>) -> Result<(), Errno> {
    rustix::io::retry_on_intr(|| rustix::fs::ftruncate(file, 0))
}

/// A file for notes that nobody else finds.
#[cfg(test)]
pub(crate) fn blank() -> Result<OwnedFd, Errno> {
    rustix::fs::memfd_create("cofferdam-trail", rustix::fs::MemfdFlags::CLOEXEC)
}

/// What is noted in the file, in no order. What is no note is left out.
///
/// # Errors
/// What `pread(2)` says.
pub fn left(file: BorrowedFd<'_>) -> Result<Vec<Begun>, Errno> {
    let mut found = Vec::new();
    let mut place = vec![0; NOTE_BYTES_MAX];
    for offset in (0..TRAIL_BYTES_MAX).step_by(NOTE_BYTES_MAX) {
        if rustix::io::retry_on_intr(|| rustix::io::pread(file, &mut place[..], offset))? == 0 {
            break;
        }
        let length = place.first_chunk().map_or(0, |bytes| usize::from(u16::from_le_bytes(*bytes)));
        let note = place.get(2..2 + length).filter(|note| !note.is_empty());
        found.extend(note.and_then(|note| serde_json::from_slice::<Begun>(note).ok()));
    }
    Ok(found)
}

/// The gateway's side; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Trail(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    file: OwnedFd,
    /// Free places, the lowest last: the file stays as short as it can.
    free: Mutex<Vec<u32>>,
}

/// A note. It stands until it is wiped out, whatever becomes of this.
#[derive(Debug)]
pub(crate) struct Mark {
    trail: Trail,
    place: u32,
}

impl Trail {
    pub(crate) fn new(file: OwnedFd) -> Self {
        Self(Arc::new(Shared { file, free: Mutex::new((0..NOTES_MAX).rev().collect()) }))
    }

    /// Notes a request before it is sent; `None` if that can't be done.
    pub(crate) fn mark(&self, mut begun: Begun) -> Option<Mark> {
        begun.path.truncate(begun.path.floor_char_boundary(WORD_PATH_BYTES_MAX));
        let note = serde_json::to_vec(&begun).ok().filter(|note| note.len() <= NOTE_BYTES_MAX - 2)?;
        let mut bytes = u16::try_from(note.len()).ok()?.to_le_bytes().to_vec();
        bytes.extend(note);
        let place = self.free().pop()?;
        let mark = Mark { trail: self.clone(), place };
        if self.write(place, &bytes) == Ok(bytes.len()) {
            return Some(mark);
        }
        mark.wipe_out();
        None
    }

    fn write(&self, place: u32, bytes: &[u8]) -> Result<usize, Errno> {
        let offset = u64::from(place) * NOTE_BYTES_MAX as u64;
        rustix::io::retry_on_intr(|| rustix::io::pwrite(self.0.file.as_fd(), bytes, offset))
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Vec<u32>> {
        self.0.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mark {
    /// The supervisor has been told what the request came to.
    pub(crate) fn wipe_out(self) {
        // A note that stands is told once too often, which is no loss.
        let _stands = self.trail.write(self.place, &[0; 2]).is_err();
        self.trail.free().push(self.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cofferdam_policy::net::host::Port;

    fn begun(path: &str) -> Begun {
        Begun {
            destination: Destination::parse("a.test", Port::HTTPS).unwrap(),
            method: "POST".into(),
            path: path.into(),
            credential: "github".parse().unwrap(),
        }
    }

    fn trail() -> (Trail, OwnedFd) {
        let file = blank().unwrap();
        (Trail::new(file.try_clone().unwrap()), file)
    }

    fn paths(file: &OwnedFd) -> Vec<String> {
        left(file.as_fd()).unwrap().into_iter().map(|begun| begun.path).collect()
    }

    #[test]
    fn what_is_under_way_stands_in_the_file_until_it_was_told() {
        let (trail, file) = trail();
        assert!(paths(&file).is_empty());
        let first = trail.mark(begun("/1")).unwrap();
        let second = trail.mark(begun("/2")).unwrap();
        assert_eq!(paths(&file), ["/1", "/2"]);
        first.wipe_out();
        assert_eq!(paths(&file), ["/2"]);
        let third = trail.mark(begun("/3")).unwrap();
        assert_eq!(paths(&file), ["/3", "/2"], "a place that is free is taken again");
        drop((second, third, trail));
        assert_eq!(paths(&file), ["/3", "/2"], "nobody was told");
    }

    #[test]
    fn there_is_room_for_as_many_as_may_be_under_way_and_no_path_is_too_long() {
        let (trail, file) = trail();
        let long = "/\u{1}".repeat(WORD_PATH_BYTES_MAX);
        let marks: Vec<_> = (0..NOTES_MAX).map(|_| trail.mark(begun(&long)).unwrap()).collect();
        assert!(trail.mark(begun("/")).is_none());
        assert_eq!(left(file.as_fd()).unwrap().len(), NOTES_MAX as usize);
        assert!(rustix::fs::fstat(&file).unwrap().st_size.cast_unsigned() <= TRAIL_BYTES_MAX);
        marks.into_iter().for_each(Mark::wipe_out);
        assert!(paths(&file).is_empty() && trail.mark(begun("/")).is_some());
    }

    #[test]
    fn what_an_earlier_gateway_left_is_there_until_it_is_told() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("trail");
        Trail::new(at(&path).unwrap()).mark(begun("/1")).unwrap();
        let file = at(&path).unwrap();
        assert_eq!(paths(&file), ["/1"]);
        clear(file.as_fd()).unwrap();
        assert!(paths(&at(&path).unwrap()).is_empty());
        let link = home.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(at(&link).err(), Some(Errno::LOOP));
    }

    #[test]
    fn what_is_no_note_is_left_out() {
        let (trail, file) = trail();
        let _marks = ["/1", "/2"].map(|path| trail.mark(begun(path)).unwrap());
        rustix::io::pwrite(&file, &[0xff; 64], 0).unwrap();
        assert_eq!(paths(&file), ["/2"]);
    }
}
