//! The pieces of the host's `/etc` that a cell gets, and the directory that is made of them.

use super::directory::Directory;
use super::is_directory;
use super::trust::Trust;
use cofferdam_policy::authority::Identity;
use cofferdam_policy::presets::system::{self, Account, EtcFile};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, Metadata};
use std::io::{self, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Counts up when the way in which the directory is made changes.
const LAYOUT_VERSION: u32 = 4;
/// What is a session's own: names in `/etc` that are links to [`OWN_PLACE`].
pub(super) const OWN: [&str; 4] = ["hostname", "hosts", "machine-id", "gitconfig"];
/// Where the cell keeps them; on its read-only root.
pub(crate) const OWN_PLACE: &str = "/var/lib/cofferdam";
/// The longest file that is copied.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// The most files that one pattern brings.
const MATCHES_MAX: usize = 64;

/// What was found.
#[derive(Debug)]
pub(super) struct Parts {
    /// Path, whether a link may stay one, and what is there.
    files: Vec<(PathBuf, EtcFile, Metadata)>,
    /// The directories that are copied whole, and all below them, parents first.
    directories: Vec<Directory>,
    /// What its programs trust.
    trust: Option<Trust>,
    /// Directories that patterns were looked up in.
    listed: Vec<PathBuf>,
}

impl Parts {
    pub(super) fn look(authority: Option<Vec<u8>>) -> Self {
        let mut listings = Listings::default();
        let named = system::ETC_DIRECTORIES.iter().flat_map(|pattern| listings.matching(pattern));
        // A link would have to be resolved to a place that may be hidden.
        let shown: Vec<PathBuf> = named.filter(|path| is_directory(path)).collect();
        let mut files = Vec::new();
        for file in system::ETC_FILES {
            for path in listings.matching(file.pattern()) {
                if let Ok(found) = std::fs::symlink_metadata(&path) {
                    files.push((path, *file, found));
                }
            }
        }
        let trust = authority.map(|certificate| Trust::look(certificate, &shown));
        let mut directories = Vec::new();
        shown.into_iter().for_each(|path| Directory::list(path, &mut directories));
        let listed = listings.0.into_keys().collect();
        Self { files, directories, trust, listed }
    }

    /// Every path of which anything could change what is found, those included at which there is nothing now.
    pub(super) fn witnesses(&self) -> BTreeSet<PathBuf> {
        let named = system::ETC_DIRECTORIES.iter().copied();
        let named = named.chain(system::ETC_FILES.iter().map(|file| file.pattern()));
        let named = named.filter(|name| !name.contains('*')).map(|name| Path::new("/etc").join(name));
        let mut all: BTreeSet<PathBuf> = named.chain(self.listed.iter().cloned()).collect();
        all.extend(self.files.iter().map(|(path, ..)| path.clone()));
        all.extend(self.files.iter().filter_map(|(path, ..)| std::fs::canonicalize(path).ok()));
        all.extend(self.directories.iter().flat_map(Directory::paths).map(Path::to_owned));
        all.extend(self.trust.iter().flat_map(Trust::paths));
        // Whether everybody can come to a file is a matter of what it lies in.
        let above: Vec<PathBuf> =
            all.iter().flat_map(|path| path.ancestors().skip(1)).map(PathBuf::from).collect();
        all.extend(above.into_iter().filter(|path| path != Path::new("/")));
        all
    }

    /// Whom the directory is made for: who runs in the cell, and which authority is trusted there.
    pub(super) fn subject(identity: &Identity, authority: Option<&[u8]>) -> String {
        let Identity { name, uid, gid, home, .. } = identity;
        let header = format!("{LAYOUT_VERSION} {name} {uid} {gid} {home}\n");
        hex(Sha256::new_with_prefix(header).chain_update(authority.unwrap_or_default()))
    }

    /// Changes when anything does that the directory is made of, as far as stamps show it.
    pub(super) fn key(&self) -> String {
        let mut digest = Sha256::new();
        let mut add = |text: String| digest.update(text.as_bytes());
        for (path, _, found) in &self.files {
            // What a link leads to may change without the link.
            let end = std::fs::metadata(path).map_or_else(|_| String::new(), |end| stamp(&end));
            // Uid 0 sees no difference when what it lies in is closed to others.
            let public = std::fs::canonicalize(path).is_ok_and(|real| is_public_file(&real));
            add(format!("{} {} {end} {public}\n", path.display(), stamp(found)));
        }
        for directory in &self.directories {
            directory.key(stamp, &mut add);
        }
        if let Some(trust) = &self.trust {
            add(trust.key(stamp));
        }
        hex(digest)
    }

    /// Makes the directory.
    pub(super) fn make(&self, identity: &Identity, at: &Path) -> io::Result<()> {
        for (path, kind, _) in &self.files {
            let Ok(below) = path.strip_prefix("/etc") else { continue };
            let target = at.join(below);
            if let Some(parent) = target.parent() {
                std::fs::create_dir_all(parent)?;
            }
            copy(path, *kind, &target)?;
        }
        if let Some(trust) = &self.trust {
            trust.make(at)?;
        }
        for directory in &self.directories {
            directory.copy(Path::new("/etc"), at)?;
        }
        for (name, text) in made(identity)? {
            write(&at.join(name), text.as_bytes())?;
        }
        std::os::unix::fs::symlink("/proc/self/mounts", at.join("mtab"))?;
        for name in OWN {
            std::os::unix::fs::symlink(Path::new(OWN_PLACE).join(name), at.join(name))?;
        }
        open_to_all(at)
    }
}

/// Tells directories apart by what is in them: each path with its kind, and what the file holds or where the link leads.
///
/// # Errors
/// What the file system says.
pub(super) fn digest(directory: &Path) -> io::Result<String> {
    let mut digest = Sha256::new();
    add(&mut digest, directory, Path::new(""))?;
    Ok(hex(digest))
}

fn add(digest: &mut Sha256, directory: &Path, below: &Path) -> io::Result<()> {
    let entries: io::Result<Vec<_>> = std::fs::read_dir(directory.join(below))?.collect();
    let mut entries = entries?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (path, kind) = (below.join(entry.file_name()), entry.file_type()?);
        let (kind, holds) = match kind {
            kind if kind.is_dir() => (b"d", Vec::new()),
            kind if kind.is_symlink() => {
                (b"l", std::fs::read_link(entry.path())?.into_os_string().into_vec())
            }
            _ => (b"f", std::fs::read(entry.path())?),
        };
        for part in [kind, path.as_os_str().as_bytes(), &holds] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        if kind == b"d" {
            add(digest, directory, &path)?;
        }
    }
    Ok(())
}

fn hex(digest: Sha256) -> String {
    digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn stamp(found: &Metadata) -> String {
    format!("{}.{}.{}.{}.{}", found.dev(), found.ino(), found.size(), found.ctime(), found.ctime_nsec())
}

fn copy(path: &Path, kind: EtcFile, target: &Path) -> io::Result<()> {
    if let EtcFile::Link(_) = kind
        && let Ok(to) = std::fs::read_link(path)
        && path.parent().is_some_and(|etc| is_in_usr(&etc.join(&to)))
    {
        return std::os::unix::fs::symlink(to, target);
    }
    // What a link of the administrator's leads to is taken only if it stays among public files of the system.
    let Ok(real) = std::fs::canonicalize(path) else { return Ok(()) };
    let in_etc = real.strip_prefix("/etc").ok().and_then(Path::to_str);
    let public = is_in_usr(&real) || in_etc.is_some_and(|below| !system::is_never_taken(below));
    if public && is_public_file(&real) { write(target, &std::fs::read(&real)?) } else { Ok(()) }
}

fn made(identity: &Identity) -> io::Result<[(&'static str, String); 4]> {
    let account = Account {
        name: &identity.name,
        uid: identity.uid,
        gid: identity.gid,
        home: identity.home.as_str(),
        shell: if Path::new("/usr/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" },
    };
    let odd = |error: system::AccountError| io::Error::other(error);
    Ok([
        ("passwd", system::passwd(&account).map_err(odd)?),
        ("group", system::group(&account).map_err(odd)?),
        ("resolv.conf", system::resolv_conf().to_owned()),
        ("nsswitch.conf", system::nsswitch().to_owned()),
    ])
}

/// Makes a file that is not there yet; nothing is written through a link.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

/// Every directory of it, whatever the owner's umask made of them.
pub(super) fn open_to_all(directory: &Path) -> io::Result<()> {
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755))?;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_to_all(&entry.path())?;
        }
    }
    Ok(())
}

/// The names in directories that patterns look into, each read once.
#[derive(Debug, Default)]
struct Listings(BTreeMap<PathBuf, Vec<String>>);

impl Listings {
    /// The paths below `/etc` that a pattern names, in order; a pattern without `*` names one.
    fn matching(&mut self, pattern: &str) -> Vec<PathBuf> {
        if !pattern.contains('*') {
            // A test holds the lists themselves against what is never taken.
            return vec![Path::new("/etc").join(pattern)];
        }
        let mut found = vec![(PathBuf::from("/etc"), String::new())];
        for segment in pattern.split('/') {
            let mut next = Vec::new();
            for (directory, below) in found {
                let join =
                    |name: &str| if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
                if !segment.contains('*') {
                    next.push((directory.join(segment), join(segment)));
                    continue;
                }
                let names = self.of(&directory).iter().filter(|name| system::matches(segment, name));
                next.extend(names.take(MATCHES_MAX).map(|name| (directory.join(name), join(name))));
            }
            found = next;
        }
        found.into_iter().filter(|(_, below)| !system::is_never_taken(below)).map(|(path, _)| path).collect()
    }

    /// Sorted; none for what is no directory.
    fn of(&mut self, directory: &Path) -> &[String] {
        self.0.entry(directory.to_owned()).or_insert_with(|| {
            let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
            let mut names: Vec<String> =
                entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
            names.sort();
            names
        })
    }
}

/// Whether everybody can come to it and may read it.
pub(super) fn is_public_file(path: &Path) -> bool {
    let is_open = |directory: &Path| {
        std::fs::symlink_metadata(directory).is_ok_and(|found| found.permissions().mode() & 0o001 != 0)
    };
    std::fs::symlink_metadata(path).is_ok_and(|found| {
        found.is_file() && found.permissions().mode() & 0o004 != 0 && found.len() <= FILE_BYTES_MAX
    }) && path.ancestors().skip(1).all(is_open)
}

fn is_in_usr(path: &Path) -> bool {
    std::fs::canonicalize(path).is_ok_and(|path| path.starts_with("/usr"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn the_same_is_known_again_and_any_other_name_link_or_content_is_told_apart() {
        let made = |change: &dyn Fn(&Path)| {
            let scene = tempfile::tempdir().unwrap();
            std::fs::create_dir(scene.path().join("list")).unwrap();
            write(&scene.path().join("list/one"), b"1").unwrap();
            write(&scene.path().join("two"), b"22").unwrap();
            symlink("two", scene.path().join("link")).unwrap();
            change(scene.path());
            digest(scene.path()).unwrap()
        };
        let same = made(&|_| {});
        assert_eq!(
            same,
            made(&|at| File::open(at.join("two")).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap())
        );
        let changes: [&dyn Fn(&Path); 6] = [
            &|at| std::fs::write(at.join("two"), "33").unwrap(),
            &|at| std::fs::rename(at.join("list/one"), at.join("one")).unwrap(),
            &|at| std::fs::remove_file(at.join("list/one")).unwrap(),
            &|at| std::fs::create_dir(at.join("empty")).unwrap(),
            &|at| std::fs::rename(at.join("link"), at.join("other")).unwrap(),
            &|at| {
                std::fs::remove_file(at.join("link")).unwrap();
                symlink("list", at.join("link")).unwrap();
            },
        ];
        let mut all: BTreeSet<String> = changes.iter().map(|change| made(*change)).collect();
        all.insert(same);
        assert_eq!(all.len(), changes.len() + 1);
    }
}
