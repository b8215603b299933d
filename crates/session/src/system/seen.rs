//! What the shared `/etc` was made of, as it was last seen, so that a start need not look through all of it again.
//!
//! A note in the owner's state directory for each subject: which directory it came to, and each path that had a part in
//! it with its stamps. A name that comes or goes changes the stamp of its directory, which is among them. A note that
//! can't be read, or of which anything differs, is none. Stamps tell of every change by a system call; what a program
//! stores through a mapping into a page that was dirty already moves none.

use super::etc::stamp;
use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Its last line: a note without it was cut off.
const END: &[u8] = b"end\n";
/// What changed so shortly before may change again without its stamp showing it.
const RACY_SECONDS: i64 = 2;

/// Paths, and what was found there.
#[derive(Debug)]
pub(super) struct Seen(Vec<(PathBuf, Found)>);

/// What is at a path, and what a link there leads to.
#[derive(Debug)]
struct Found {
    own: Option<Metadata>,
    end: Option<Metadata>,
}

impl Found {
    fn at(path: &Path) -> Self {
        let own = fs::symlink_metadata(path).ok();
        let is_link = own.as_ref().is_some_and(Metadata::is_symlink);
        Self { end: is_link.then(|| fs::metadata(path).ok()).flatten(), own }
    }

    fn text(&self) -> String {
        let text = |found: &Option<Metadata>| found.as_ref().map_or_else(|| "-".to_owned(), stamp);
        format!("{} {}", text(&self.own), text(&self.end))
    }

    fn changed_seconds(&self) -> i64 {
        [&self.own, &self.end].into_iter().flatten().map(Metadata::ctime).max().unwrap_or(0)
    }
}

impl Seen {
    /// What is at these paths now.
    pub(super) fn at(paths: BTreeSet<PathBuf>) -> Self {
        Self(paths.into_iter().map(|path| (path.clone(), Found::at(&path))).collect())
    }

    /// Notes that for `subject` all this came to the directory `name`, unless something is too fresh to be sure.
    ///
    /// # Errors
    /// What the file system says; there is the former note then, or none.
    pub(super) fn note(&self, directory: &Path, subject: &str, name: &str) -> io::Result<()> {
        let mut text = format!("{name}\n").into_bytes();
        for (path, found) in &self.0 {
            let path = path.as_os_str().as_bytes();
            if path.contains(&b'\n') {
                return Ok(());
            }
            text.extend(found.text().as_bytes());
            text.push(b' ');
            text.extend(path);
            text.push(b'\n');
        }
        text.extend(END);
        let place = place(directory, subject);
        let partial = place.with_extension(rustix::process::getpid().as_raw_nonzero().to_string());
        fs::write(&partial, text)?;
        let newest = self.0.iter().map(|(_, found)| found.changed_seconds()).max().unwrap_or(0);
        if newest.saturating_add(RACY_SECONDS) >= fs::symlink_metadata(&partial)?.ctime() {
            return fs::remove_file(&partial);
        }
        fs::rename(&partial, place)
    }
}

/// Where the note for `subject`, which holds no dot, lies in [`crate::state::State::etc`].
fn place(directory: &Path, subject: &str) -> PathBuf {
    directory.join(format!("seen-{subject}"))
}

/// The name of the directory that was made for `subject`, if all that it was made of is as it was.
pub(super) fn recall(directory: &Path, subject: &str) -> Option<String> {
    let text = fs::read(place(directory, subject)).ok()?;
    let mut lines = text.strip_suffix(END)?.strip_suffix(b"\n")?.split(|&byte| byte == b'\n');
    let name = std::str::from_utf8(lines.next()?).ok()?;
    let is_as_it_was = |line: &[u8]| {
        let mut fields = line.splitn(3, |&byte| byte == b' ');
        let (Some(own), Some(end), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
            return false;
        };
        let found = Found::at(Path::new(std::ffi::OsStr::from_bytes(path)));
        found.text().as_bytes() == [own, b" ", end].concat()
    };
    lines.all(is_as_it_was).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    #[test]
    fn a_note_holds_until_anything_that_was_seen_is_different() {
        let scene = tempfile::tempdir().unwrap();
        let at = |name: &str| scene.path().join(name);
        fs::create_dir_all(at("etc/list")).unwrap();
        fs::write(at("etc/file"), "one").unwrap();
        fs::write(at("target"), "one").unwrap();
        symlink(at("target"), at("etc/link")).unwrap();
        let paths: BTreeSet<PathBuf> = ["etc/list", "etc/file", "etc/link", "etc/missing"].map(at).into();
        let note = || {
            std::thread::sleep(Duration::from_millis(3_100));
            Seen::at(paths.clone()).note(scene.path(), "me", "made").unwrap();
            recall(scene.path(), "me")
        };
        Seen::at(paths.clone()).note(scene.path(), "me", "made").unwrap();
        assert_eq!(recall(scene.path(), "me"), None, "too fresh to be sure");
        assert_eq!(note().as_deref(), Some("made"));
        assert_eq!(recall(scene.path(), "other"), None);
        Seen::at(paths.clone()).note(scene.path(), "other", "another").unwrap();
        assert_eq!(recall(scene.path(), "other").as_deref(), Some("another"));
        assert_eq!(recall(scene.path(), "me").as_deref(), Some("made"), "the other's is beside it");
        let changes: [&dyn Fn(); 4] = [
            &|| fs::write(at("etc/file"), "other").unwrap(),
            &|| fs::write(at("target"), "other").unwrap(),
            &|| fs::write(at("etc/list/name"), "").unwrap(),
            &|| fs::write(at("etc/missing"), "").unwrap(),
        ];
        for change in changes {
            assert!(recall(scene.path(), "me").is_some() || note().is_some());
            change();
            assert_eq!(recall(scene.path(), "me"), None);
        }
        assert!(note().is_some());
        let whole = fs::read(at("seen-me")).unwrap();
        fs::write(at("seen-me"), whole.strip_suffix(END).unwrap()).unwrap();
        assert_eq!(recall(scene.path(), "me"), None, "cut off");
    }
}
