//! What a directory holds, to the last byte and time stamp, so that a test can state that nothing changed.
//!
//! Access times are left out: reading is allowed.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fmt::Write as _;
use std::fs;
use std::hash::{Hash, Hasher};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::must;

/// How many differences a failure shows.
const SHOWN_MAX: usize = 20;

/// The entries below a directory, and the directory itself as the empty path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    directory: PathBuf,
    entries: BTreeMap<PathBuf, Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    kind: Kind,
    mode: u32,
    uid: u32,
    gid: u32,
    inode: u64,
    links: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Directory,
    File { bytes: u64, hash: u64 },
    Link { target: PathBuf },
    Special { device: u64 },
}

impl Tree {
    /// Reads every entry below `directory`.
    #[track_caller]
    pub fn of(directory: impl AsRef<Path>) -> Self {
        let directory = directory.as_ref().to_path_buf();
        let mut entries = BTreeMap::new();
        let mut open = vec![PathBuf::new()];
        while let Some(relative) = open.pop() {
            let path = directory.join(&relative);
            let entry = Entry::read(&path);
            if entry.kind == Kind::Directory {
                for child in must(fs::read_dir(&path), format_args!("list {}", path.display())) {
                    let child = must(child, format_args!("list {}", path.display()));
                    open.push(relative.join(child.file_name()));
                }
            }
            entries.insert(relative, entry);
        }
        Self { directory, entries }
    }

    /// The paths of all entries, relative to the directory.
    #[must_use]
    pub fn paths(&self) -> Vec<&Path> {
        self.entries.keys().map(PathBuf::as_path).collect()
    }

    /// One line for each entry that was added, removed or is not what it was in `before`.
    #[must_use]
    pub fn differences(&self, before: &Self) -> Vec<String> {
        let mut found = Vec::new();
        for (path, now) in &self.entries {
            match before.entries.get(path) {
                None => found.push(format!("added {}", path.display())),
                Some(was) if was != now => found.push(format!("{}: {was:?} became {now:?}", path.display())),
                Some(_) => {}
            }
        }
        let removed = before.entries.keys().filter(|path| !self.entries.contains_key(*path));
        found.extend(removed.map(|path| format!("removed {}", path.display())));
        found
    }

    /// Fails the test unless every entry is what it was: bytes, modes, owners, inodes, times.
    #[track_caller]
    pub fn assert_same_as(&self, before: &Self) {
        let found = self.differences(before);
        let mut shown = String::new();
        for line in found.iter().take(SHOWN_MAX) {
            must(writeln!(shown, "  {line}"), "format a difference");
        }
        assert!(found.is_empty(), "{} has {} differences:\n{shown}", self.directory.display(), found.len());
    }
}

impl Entry {
    #[track_caller]
    fn read(path: &Path) -> Self {
        let metadata = must(fs::symlink_metadata(path), format_args!("read {}", path.display()));
        let kind = if metadata.is_dir() {
            Kind::Directory
        } else if metadata.is_symlink() {
            Kind::Link { target: must(fs::read_link(path), format_args!("read the link {}", path.display())) }
        } else if metadata.is_file() {
            let bytes = must(fs::read(path), format_args!("read {}", path.display()));
            let mut hasher = DefaultHasher::new();
            bytes.hash(&mut hasher);
            Kind::File { bytes: metadata.len(), hash: hasher.finish() }
        } else {
            let kind = metadata.file_type();
            let device = if kind.is_block_device() || kind.is_char_device() { metadata.rdev() } else { 0 };
            Kind::Special { device }
        };
        Self {
            kind,
            mode: metadata.mode(),
            uid: metadata.uid(),
            gid: metadata.gid(),
            inode: metadata.ino(),
            links: metadata.nlink(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_content_that_keeps_the_length_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "before").unwrap();
        let before = Tree::of(directory.path());
        Tree::of(directory.path()).assert_same_as(&before);
        fs::write(&file, "after!").unwrap();
        assert_eq!(Tree::of(directory.path()).differences(&before).len(), 1);
    }

    #[test]
    fn an_added_and_a_removed_entry_are_seen() {
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("below");
        fs::create_dir(&below).unwrap();
        fs::write(below.join("old"), "").unwrap();
        let before = Tree::of(&below);
        fs::remove_file(below.join("old")).unwrap();
        fs::write(below.join("new"), "").unwrap();
        let found = Tree::of(&below).differences(&before);
        assert!(found.contains(&"added new".to_owned()), "{found:?}");
        assert!(found.contains(&"removed old".to_owned()), "{found:?}");
    }
}
