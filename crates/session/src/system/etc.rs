//! The pieces of the host's `/etc` that a cell gets, and the directory that is made of them.

use super::is_directory;
use super::trust::Trust;
use cofferdam_policy::authority::Identity;
use cofferdam_policy::presets::system::{self, Account, EtcFile};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Counts up when the way in which the directory is made changes.
const LAYOUT_VERSION: u32 = 3;
/// What is a session's own: names in `/etc` that are links to [`OWN_PLACE`].
pub(super) const OWN: [&str; 4] = ["hostname", "hosts", "machine-id", "gitconfig"];
/// Where the cell keeps them; on its read-only root.
pub(crate) const OWN_PLACE: &str = "/var/lib/cofferdam";
/// The longest file that is copied.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// The most files that one pattern brings.
const MATCHES_MAX: usize = 64;
/// Holds nothing but links, and is copied whole: every program is reached through it.
const LINKS: &str = "/etc/alternatives";

/// What was found.
#[derive(Debug)]
pub(super) struct Parts {
    /// Shown as they are, by overlays of their own.
    pub(super) directories: Vec<PathBuf>,
    /// Path, whether a link may stay one, and what is there.
    files: Vec<(PathBuf, EtcFile, Metadata)>,
    /// The directory of links, as it is.
    links: Option<Metadata>,
    /// What its programs trust.
    trust: Option<Trust>,
}

impl Parts {
    pub(super) fn look(authority: Option<Vec<u8>>) -> Self {
        let mut listings = Listings::default();
        let named = system::ETC_DIRECTORIES.iter().flat_map(|pattern| listings.matching(pattern));
        // A link would have to be resolved to a place that may be hidden.
        let directories: Vec<PathBuf> =
            named.filter(|path| is_directory(path) && path != Path::new(LINKS)).collect();
        let mut files = Vec::new();
        for file in system::ETC_FILES {
            for path in listings.matching(file.pattern()) {
                if let Ok(found) = std::fs::symlink_metadata(&path) {
                    files.push((path, *file, found));
                }
            }
        }
        let links = std::fs::symlink_metadata(LINKS).ok().filter(Metadata::is_dir);
        let trust = authority.map(|certificate| Trust::look(certificate, &directories));
        Self { directories, files, links, trust }
    }

    /// The directories over which something of ours lies, and where it is below the directory that is made.
    pub(super) fn over(&self) -> impl Iterator<Item = (PathBuf, &'static str)> {
        let below = self.trust.iter().flat_map(Trust::directories);
        below.map(|below| (Path::new("/etc").join(below), below))
    }

    /// Changes when anything does that the directory is made of.
    pub(super) fn key(&self, identity: &Identity) -> String {
        let mut digest = Sha256::new();
        let mut add = |text: String| digest.update(text.as_bytes());
        add(format!(
            "{LAYOUT_VERSION} {} {} {} {}\n",
            identity.name, identity.uid, identity.gid, identity.home
        ));
        for (path, _, found) in &self.files {
            // What a link leads to may change without the link.
            let end = std::fs::metadata(path).map_or_else(|_| String::new(), |end| stamp(&end));
            add(format!("{} {} {end}\n", path.display(), stamp(found)));
        }
        add(self.links.as_ref().map_or_else(String::new, stamp));
        for path in &self.directories {
            add(format!("{}\n", path.display()));
        }
        if let Some(trust) = &self.trust {
            add(trust.key(stamp));
        }
        digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
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
        if self.links.is_some() {
            let target = at.join("alternatives");
            std::fs::create_dir(&target)?;
            for entry in std::fs::read_dir(LINKS)? {
                let entry = entry?;
                if let Ok(to) = std::fs::read_link(entry.path()) {
                    std::os::unix::fs::symlink(to, target.join(entry.file_name()))?;
                }
            }
        }
        // Mount points.
        for path in &self.directories {
            std::fs::create_dir_all(at.join(path.strip_prefix("/etc").unwrap_or(path)))?;
        }
        if let Some(trust) = &self.trust {
            trust.make(at)?;
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

fn stamp(found: &Metadata) -> String {
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

pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    std::fs::write(path, bytes)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))
}

/// Every directory of it, whatever the owner's umask made of them.
fn open_to_all(directory: &Path) -> io::Result<()> {
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

pub(super) fn is_public_file(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| {
        found.is_file() && found.permissions().mode() & 0o004 != 0 && found.len() <= FILE_BYTES_MAX
    })
}

fn is_in_usr(path: &Path) -> bool {
    std::fs::canonicalize(path).is_ok_and(|path| path.starts_with("/usr"))
}
