//! The host's programs and libraries, as the cell shows them: from the tables of `policy` to what is really there.
//!
//! Only looks. Of `/etc` regular files that everybody may read are taken, and no link is followed out of `/usr`
//! and `/etc`.

use cofferdam_policy::authority::Identity;
use cofferdam_policy::layout::System;
use cofferdam_policy::path::AbsPath;
use cofferdam_policy::presets::system::{self, Account, AccountError, EtcFile};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The longest file of `/etc` that is copied.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// The most files that one pattern brings.
const MATCHES_MAX: usize = 64;

/// What a cell for this identity shows of the host.
///
/// # Errors
/// A name or home that can't stand in a password file.
pub(crate) fn look(identity: &Identity, hostname: &str, seed: &str) -> Result<System, AccountError> {
    let mut found = System::default();
    for directory in system::DIRECTORIES {
        if is_directory(Path::new(directory)) {
            found.directories.extend(AbsPath::new(directory));
        }
    }
    for path in system::MERGED {
        match std::fs::read_link(path) {
            Ok(to) => {
                let link = AbsPath::new(path).ok().zip(to.to_str().map(str::to_owned));
                found.links.extend(link);
            }
            Err(_) if is_directory(Path::new(path)) => found.directories.extend(AbsPath::new(path)),
            Err(_) => {}
        }
    }
    for pattern in system::ETC_DIRECTORIES {
        for path in matching(pattern) {
            // A link would have to be resolved to a place that may be hidden.
            if is_directory(&path) {
                found.directories.extend(AbsPath::new(&path));
            }
        }
    }
    for file in system::ETC_FILES {
        for path in matching(file.pattern()) {
            take_file(*file, &path, &mut found);
        }
    }
    make_files(identity, hostname, seed, &mut found)?;
    Ok(found)
}

fn take_file(kind: EtcFile, path: &Path, found: &mut System) {
    let Ok(target) = AbsPath::new(path) else { return };
    match kind {
        EtcFile::Binary(_) => {
            if is_public_file(path) {
                found.files.push(target);
            }
        }
        EtcFile::Link(_) => match std::fs::read_link(path) {
            Ok(to) if path.parent().is_some_and(|etc| is_in_usr(&etc.join(&to))) => {
                found.links.extend(to.to_str().map(|to| (target, to.to_owned())));
            }
            Ok(_) | Err(_) => take_text(path, target, found),
        },
        EtcFile::Text(_) => take_text(path, target, found),
    }
}

fn take_text(path: &Path, target: AbsPath, found: &mut System) {
    // What a link of the administrator's leads to is taken only if it stays among public files of the system.
    let Ok(real) = std::fs::canonicalize(path) else { return };
    let inside = is_in_usr(&real) || real.strip_prefix("/etc").is_ok_and(|below| {
        below.to_str().is_some_and(|below| !system::is_never_taken(below))
    });
    if inside && is_public_file(&real) {
        match std::fs::read_to_string(&real) {
            Ok(text) => found.made.push((target, text)),
            // Not text: shown as it is.
            Err(_) => found.files.extend(AbsPath::new(&real).ok().filter(|real| *real == target)),
        }
    }
}

fn make_files(identity: &Identity, hostname: &str, seed: &str, found: &mut System) -> Result<(), AccountError> {
    let account = Account {
        name: &identity.name,
        uid: identity.uid,
        gid: identity.gid,
        home: identity.home.as_str(),
        shell: if Path::new("/usr/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" },
    };
    let made = [
        ("/etc/passwd", system::passwd(&account)?),
        ("/etc/group", system::group(&account)?),
        ("/etc/hosts", system::hosts(hostname)?),
        ("/etc/hostname", format!("{hostname}\n")),
        ("/etc/resolv.conf", system::resolv_conf().to_owned()),
        ("/etc/nsswitch.conf", system::nsswitch().to_owned()),
        ("/etc/machine-id", system::machine_id(seed)),
        ("/sys/devices/system/cpu/online", cpus()),
        ("/sys/devices/system/cpu/possible", cpus()),
        ("/sys/devices/system/cpu/present", cpus()),
    ];
    for (path, text) in made {
        found.made.extend(AbsPath::new(path).ok().map(|path| (path, text)));
    }
    found.links.extend(AbsPath::new("/etc/mtab").ok().map(|path| (path, "/proc/self/mounts".to_owned())));
    Ok(())
}

/// The machine's processors, which `/proc/cpuinfo` shows anyway.
fn cpus() -> String {
    std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_else(|_| "0\n".into())
}

/// The paths below `/etc` that a pattern names, in order; a pattern without `*` names one.
fn matching(pattern: &str) -> Vec<PathBuf> {
    let mut found = vec![(PathBuf::from("/etc"), String::new())];
    for segment in pattern.split('/') {
        let mut next = Vec::new();
        for (directory, below) in found {
            let join = |name: &str| if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
            if !segment.contains('*') {
                next.push((directory.join(segment), join(segment)));
                continue;
            }
            let Ok(entries) = std::fs::read_dir(&directory) else { continue };
            let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
            let mut names: Vec<String> = names.filter(|name| system::matches(segment, name)).collect();
            names.sort();
            next.extend(names.into_iter().take(MATCHES_MAX).map(|name| (directory.join(&name), join(&name))));
        }
        found = next;
    }
    found.into_iter().filter(|(_, below)| !system::is_never_taken(below)).map(|(path, _)| path).collect()
}

fn is_directory(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}

fn is_public_file(path: &Path) -> bool {
    std::fs::symlink_metadata(path)
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o004 != 0 && found.len() <= FILE_BYTES_MAX)
}

fn is_in_usr(path: &Path) -> bool {
    let resolved = std::fs::canonicalize(path);
    resolved.is_ok_and(|path| path.starts_with("/usr"))
}
