//! A directory of the host's `/etc` that is taken whole: listed, and copied.

use super::etc::{is_public_file, write};
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// A directory that is copied, as it was found.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// A link can't change without it.
    found: Metadata,
    files: Vec<(PathBuf, Metadata)>,
    links: Vec<PathBuf>,
    /// The directories in it, those too that are closed and may be opened.
    below: Vec<PathBuf>,
}

impl Directory {
    /// The directory and all below it, as far as everybody may read them.
    pub(super) fn list(path: PathBuf, all: &mut Vec<Self>) {
        let public =
            std::fs::symlink_metadata(&path).ok().filter(|found| found.permissions().mode() & 0o005 == 0o005);
        let (Some(found), Ok(entries)) = (public, std::fs::read_dir(&path)) else { return };
        let mut listed = Self { path, found, files: Vec::new(), links: Vec::new(), below: Vec::new() };
        for entry in entries.flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => listed.below.push(entry.path()),
                Ok(kind) if kind.is_symlink() => listed.links.push(entry.path()),
                Ok(kind) if kind.is_file() => {
                    listed.files.extend(entry.metadata().ok().map(|found| (entry.path(), found)));
                }
                Ok(_) | Err(_) => {}
            }
        }
        listed.files.sort_by(|one, other| one.0.cmp(&other.0));
        listed.below.sort();
        let below = listed.below.clone();
        all.push(listed);
        below.into_iter().for_each(|path| Self::list(path, all));
    }

    /// Itself and what is in it.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        let files = self.files.iter().map(|(path, _)| path.as_path());
        std::iter::once(self.path.as_path()).chain(files).chain(self.below.iter().map(PathBuf::as_path))
    }

    /// Tells what changes when anything does in it.
    pub(super) fn key(&self, stamp: impl Fn(&Metadata) -> String, tell: &mut impl FnMut(String)) {
        tell(format!("{} {}\n", self.path.display(), stamp(&self.found)));
        for (path, found) in &self.files {
            tell(format!("{} {} {}\n", path.display(), stamp(found), is_public_file(path)));
        }
    }

    /// Copies it, which lies below `host`, below what becomes the cell's `/etc`. What is there already stays in its
    /// place; so nothing is ever written through a link.
    pub(super) fn copy(&self, host: &Path, etc: &Path) -> io::Result<()> {
        let target =
            |path: &Path| path.strip_prefix(host).map(|below| etc.join(below)).map_err(io::Error::other);
        std::fs::create_dir_all(target(&self.path)?)?;
        for path in &self.links {
            if let Ok(to) = std::fs::read_link(path) {
                unless_there(std::os::unix::fs::symlink(to, target(path)?))?;
            }
        }
        for (path, _) in &self.files {
            if is_public_file(path) {
                unless_there(write(&target(path)?, &std::fs::read(path)?))?;
            }
        }
        Ok(())
    }
}

fn unless_there(made: io::Result<()>) -> io::Result<()> {
    made.or_else(|error| if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::etc::{open_to_all, stamp};
    use std::fs::Permissions;
    use std::os::unix::fs::symlink;

    /// A directory as it may lie in `/etc`, with all of it open to everybody but one.
    fn host() -> tempfile::TempDir {
        let host = tempfile::tempdir_in("/var/tmp").unwrap();
        let at = |name: &str| host.path().join(name);
        for directory in ["certs", "certs/java", "certs/private"] {
            std::fs::create_dir(at(directory)).unwrap();
        }
        for (file, mode) in
            [("open", 0o644), ("java/store", 0o644), ("private/key", 0o644), ("closed", 0o600)]
        {
            write(&at("certs").join(file), file.as_bytes()).unwrap();
            std::fs::set_permissions(at("certs").join(file), Permissions::from_mode(mode)).unwrap();
        }
        symlink("open", at("certs/link")).unwrap();
        symlink(at("outside"), at("certs/away")).unwrap();
        write(&at("outside"), b"the host's").unwrap();
        open_to_all(host.path()).unwrap();
        std::fs::set_permissions(at("certs/private"), Permissions::from_mode(0o700)).unwrap();
        host
    }

    fn directories(host: &Path) -> Vec<Directory> {
        let mut directories = Vec::new();
        Directory::list(host.join("certs"), &mut directories);
        directories
    }

    fn key(host: &Path) -> String {
        let mut text = String::new();
        directories(host).iter().for_each(|directory| directory.key(stamp, &mut |more| text += &more));
        text
    }

    /// What is copied, as if the host's directory were `/etc`.
    fn copied(host: &Path, etc: &Path) -> Vec<String> {
        for directory in directories(host) {
            directory.copy(host, etc).unwrap();
        }
        let mut all = Vec::new();
        Directory::list(etc.join("certs"), &mut all);
        let files = all.iter().flat_map(|each| each.files.iter().map(|(path, _)| path).chain(&each.links));
        let mut names: Vec<String> =
            files.map(|path| path.strip_prefix(etc).unwrap().display().to_string()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_directory_that_is_closed_or_opened_afterwards_makes_a_difference() {
        let host = host();
        let private = host.path().join("certs/private");
        let mut all = directories(host.path());
        assert!(all.drain(..).any(|each| each.paths().any(|path| path == private)), "nobody looks at it");
        let open = key(host.path());
        std::fs::set_permissions(host.path(), Permissions::from_mode(0o700)).unwrap();
        assert_ne!(open, key(host.path()), "uid 0 can look into it as before");
    }

    #[test]
    fn only_what_everybody_may_read_is_copied_with_its_links_as_they_are() {
        let (host, etc) = (host(), tempfile::tempdir().unwrap());
        let names = copied(host.path(), etc.path());
        assert_eq!(names, ["certs/away", "certs/java/store", "certs/link", "certs/open"]);
        assert_eq!(std::fs::read_link(etc.path().join("certs/link")).unwrap(), Path::new("open"));
        let is_public = |name: &str| is_public_file(&host.path().join("certs").join(name));
        assert!(is_public("java/store") && !is_public("private/key") && !is_public("closed"));
    }

    #[test]
    fn what_lies_there_already_stays_and_nothing_is_written_through_a_link() {
        let (host, etc) = (host(), tempfile::tempdir().unwrap());
        let at = |name: &str| etc.path().join(name);
        std::fs::create_dir(at("certs")).unwrap();
        write(&at("certs/open"), b"ours").unwrap();
        copied(host.path(), etc.path());
        assert_eq!(std::fs::read(at("certs/open")).unwrap(), b"ours");
        assert_eq!(write(&at("certs/away"), b"ours").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(host.path().join("outside")).unwrap(), b"the host's");
    }

    #[test]
    fn a_change_of_any_file_or_link_makes_another_key() {
        let host = host();
        let at = |name: &str| host.path().join(name);
        let mut keys = vec![key(host.path())];
        assert_eq!(keys, [key(host.path())]);
        let changes: [&dyn Fn(); 4] = [
            &|| std::fs::write(at("certs/java/store"), "longer than it was").unwrap(),
            &|| symlink("open", at("certs/another")).unwrap(),
            &|| std::fs::remove_file(at("certs/another")).unwrap(),
            &|| std::fs::set_permissions(at("certs/open"), Permissions::from_mode(0o600)).unwrap(),
        ];
        for change in changes {
            // A change within one tick of the kernel's clock is none that a stamp could show.
            std::thread::sleep(std::time::Duration::from_millis(20));
            change();
            let changed = key(host.path());
            assert!(!keys.contains(&changed), "{keys:?}");
            keys.push(changed);
        }
    }
}
