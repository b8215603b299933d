//! Bringing a pack and a reference into the owner's repository, as git's own `fetch` would leave them.
//!
//! Under `refs/cofferdam/` only: no branch of the owner's moves, and nothing is checked out. The pack is on the disk
//! before the reference names what is in it. Only files are written; a repository that keeps references otherwise
//! (`reftable`) is refused by the caller.

use super::objects::ObjectId;
use super::refs::{PACKED_BYTES_MAX, is_reference_name};
use crate::beneath;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, RenameFlags, Uid};
use rustix::io::Errno;

/// Where imported commits are named.
pub const REFERENCES: &str = "refs/cofferdam/";

const DIRECTORY_MODE: u32 = 0o777;
const REFERENCE_MODE: u32 = 0o644;
const PACK_MODE: u32 = 0o444;

/// Why nothing was imported. A pack may lie there all the same: git throws away what nothing names.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A name that no reference can have.
    #[error("{name} can be no reference")]
    Name {
        /// Which, shown harmlessly.
        name: String,
    },
    /// A reference of the owner's is called like a directory above it, or like something below.
    #[error("{name} cannot be made beside {other}")]
    Collides {
        /// Which, shown harmlessly.
        name: String,
        /// The one that is there.
        other: String,
    },
    /// Another git is about to change the same reference.
    #[error("{name} is locked by another git")]
    Locked {
        /// Which, shown harmlessly.
        name: String,
    },
    /// A file of the repository can't be written.
    #[error("cannot write {path} in the git directory")]
    Write {
        /// Relative to the git directory, shown harmlessly.
        path: String,
        /// The kernel's answer.
        #[source]
        source: Errno,
    },
}

fn failed(path: &str) -> impl Fn(Errno) -> ImportError {
    let path = crate::path::visible(path.as_bytes());
    move |source| ImportError::Write { path: path.clone(), source }
}

/// Whether a reference of this name can be made, as far as names tell: to be asked before anything is written. Loose
/// references are files, which collide by themselves; packed ones are lines of a list.
///
/// # Errors
/// [`ImportError::Name`], [`ImportError::Collides`], [`ImportError::Write`] if the list can't be read.
pub fn require_name(common: BorrowedFd<'_>, name: &str) -> Result<(), ImportError> {
    let shown = |name: &[u8]| crate::path::visible(name);
    if !is_reference_name(name.as_bytes()) || !name.starts_with(REFERENCES) {
        return Err(ImportError::Name { name: shown(name.as_bytes()) });
    }
    let packed =
        beneath::read_small(common, b"packed-refs", PACKED_BYTES_MAX).map_err(failed("packed-refs"))?;
    let lines = packed.as_deref().unwrap_or_default().split(|byte| *byte == b'\n');
    let names = lines.filter_map(|line| line.splitn(2, |byte| *byte == b' ').nth(1));
    let below =
        |path: &[u8], above: &[u8]| path.strip_prefix(above).is_some_and(|rest| rest.starts_with(b"/"));
    for other in names.filter(|other| other.starts_with(REFERENCES.as_bytes())) {
        if below(other, name.as_bytes()) || below(name.as_bytes(), other) {
            return Err(ImportError::Collides { name: shown(name.as_bytes()), other: shown(other) });
        }
    }
    Ok(())
}

/// Puts `NAME.pack` and `NAME.idx` of `from` into the git directory `common`, called after `checksum`.
///
/// # Errors
/// [`ImportError::Write`].
pub fn install_pack(
    common: BorrowedFd<'_>,
    from: BorrowedFd<'_>,
    name: &str,
    checksum: &str,
) -> Result<(), ImportError> {
    let place = "objects/pack";
    let cannot = failed(place);
    let objects = beneath::open_directory(common, b"objects").map_err(&cannot)?;
    make_directory(&objects, "pack").map_err(&cannot)?;
    let packs = beneath::open_directory(&objects, b"pack").map_err(&cannot)?;
    // The pack before its index: git looks for indexes.
    for ending in ["pack", "idx"] {
        let source =
            beneath::open(from, format!("{name}.{ending}").as_bytes(), OFlags::RDONLY).map_err(&cannot)?;
        let partial = format!("tmp_{ending}_{}", rustix::process::getpid().as_raw_nonzero());
        let written = copy(&source, &packs, &partial).and_then(|()| {
            let whole = format!("pack-{checksum}.{ending}");
            match rustix::fs::renameat_with(&packs, &partial, &packs, whole, RenameFlags::NOREPLACE) {
                // The same objects, packed before.
                Err(Errno::EXIST) => rustix::fs::unlinkat(&packs, &partial, AtFlags::empty()),
                other => other,
            }
        });
        if let Err(errno) = written {
            let _left_over = rustix::fs::unlinkat(&packs, &partial, AtFlags::empty()).is_err();
            return Err(cannot(errno));
        }
    }
    rustix::fs::fsync(&packs).map_err(&cannot)
}

fn copy(source: &OwnedFd, directory: &OwnedFd, name: &str) -> Result<(), Errno> {
    const PART_BYTES: usize = 1 << 20;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory, name, flags, Mode::from_raw_mode(PACK_MODE))?;
    give_to_owner(directory, &file)?;
    let mut part = vec![0; PART_BYTES];
    loop {
        match rustix::io::read(source, &mut part) {
            Ok(0) => return rustix::fs::fsync(&file),
            Ok(read) => beneath::write_all(&file, part.get(..read).unwrap_or_default())?,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Lets `name`, below [`REFERENCES`], name the commit `id`, whatever it named before.
///
/// # Errors
/// [`ImportError`].
pub fn set_reference(common: BorrowedFd<'_>, name: &str, id: &ObjectId) -> Result<(), ImportError> {
    require_name(common, name)?;
    let cannot = failed(name);
    let (above, last) = name.rsplit_once('/').unwrap_or(("", name));
    let mut directory = beneath::open_directory(common, b"").map_err(&cannot)?;
    for part in above.split('/') {
        make_directory(&directory, part).map_err(&cannot)?;
        directory = beneath::open_directory(&directory, part.as_bytes()).map_err(&cannot)?;
    }
    let lock = format!("{last}.lock");
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(&directory, lock.as_str(), flags, Mode::from_raw_mode(REFERENCE_MODE))
    {
        Ok(file) => file,
        Err(Errno::EXIST) => return Err(ImportError::Locked { name: crate::path::visible(name.as_bytes()) }),
        Err(errno) => return Err(cannot(errno)),
    };
    let written = give_to_owner(&directory, &file)
        .and_then(|()| beneath::write_all(&file, format!("{id}\n").as_bytes()))
        .and_then(|()| rustix::fs::fsync(&file))
        .and_then(|()| rustix::fs::renameat(&directory, lock.as_str(), &directory, last));
    if let Err(errno) = written {
        let _left_over = rustix::fs::unlinkat(&directory, lock.as_str(), AtFlags::empty()).is_err();
        return Err(cannot(errno));
    }
    rustix::fs::fsync(&directory).map_err(&cannot)
}

fn make_directory(above: &OwnedFd, name: &str) -> Result<(), Errno> {
    match rustix::fs::mkdirat(above, name, Mode::from_raw_mode(DIRECTORY_MODE)) {
        Ok(()) => give_to_owner(above, &beneath::open_directory(above, name.as_bytes())?),
        Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// What root makes in another user's repository is that user's.
fn give_to_owner(above: impl AsFd, made: impl AsFd) -> Result<(), Errno> {
    let above = beneath::stat_fd(above)?;
    if rustix::process::geteuid().is_root() && above.stx_uid != 0 {
        rustix::fs::fchown(made, Some(Uid::from_raw(above.stx_uid)), Some(Gid::from_raw(above.stx_gid)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::CWD;

    #[test]
    fn a_packed_reference_above_or_below_is_found_before_anything_is_written() {
        let scene = tempfile::tempdir().unwrap();
        let id = "1".repeat(40);
        let packed = format!("# pack-refs with: peeled\n{id} refs/cofferdam/s/b\n^{id}\n{id} refs/heads/s\n");
        std::fs::write(scene.path().join("packed-refs"), packed).unwrap();
        let common = rustix::fs::openat(CWD, scene.path(), OFlags::RDONLY, Mode::empty()).unwrap();
        let asked = |name: &str| require_name(common.as_fd(), name);
        for name in ["refs/cofferdam/s/b/c", "refs/cofferdam/s"] {
            assert!(matches!(asked(name), Err(ImportError::Collides { .. })), "{name}");
        }
        for name in ["refs/cofferdam/s/b", "refs/cofferdam/s/bc", "refs/cofferdam/t/b"] {
            assert!(asked(name).is_ok(), "{name}");
        }
        for name in
            ["refs/heads/x", "refs/cofferdam/../heads/x", "refs/cofferdam/a b", "refs/cofferdam/x.lock"]
        {
            assert!(matches!(asked(name), Err(ImportError::Name { .. })), "{name}");
        }
    }
}
