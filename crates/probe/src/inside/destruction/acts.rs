//! The acts of destruction, each on a victim of its own. Whether the host lost anything by them isn't known here.

use std::fs::{self, File, FileTimes, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use cofferdam_syscall::mapped;
use rustix::fs::{
    self as calls, AtFlags, CWD, FallocateFlags, IFlags, Mode, OFlags, RenameFlags, XattrFlags,
};

use super::victims::{FILE_BYTES, Victim};

/// What is written over the owner's lines.
const SCRAWL: &[u8] = b"The owner's line is no longer here.";
/// How far a file is grown without a block being taken: 1 GiB.
const GROWN_BYTES: u64 = 1 << 30;
/// A block of the usual file systems.
const BLOCK_BYTES: u64 = 4096;

pub(super) fn unlink(victim: &Victim) -> io::Result<()> {
    fs::remove_file(victim.file())
}

pub(super) fn remove_tree(victim: &Victim) -> io::Result<()> {
    fs::remove_dir_all(&victim.directory)
}

pub(super) fn remove_ignored(victim: &Victim) -> io::Result<()> {
    fs::remove_dir_all(victim.directory.join("target"))
}

pub(super) fn remove_sealed(victim: &Victim) -> io::Result<()> {
    let sealed = victim.directory.join("sealed");
    fs::set_permissions(&sealed, Permissions::from_mode(0o755))?;
    fs::remove_dir_all(sealed)
}

pub(super) fn unlink_by_descriptor(victim: &Victim) -> io::Result<()> {
    let directory = File::open(victim.tree())?;
    let again = File::open(format!("/proc/self/fd/{}", directory.as_raw_fd()))?;
    Ok(calls::unlinkat(&again, "leaf", AtFlags::empty())?)
}

pub(super) fn open_truncating(victim: &Victim) -> io::Result<()> {
    File::create(victim.file()).map(drop)
}

pub(super) fn truncate(victim: &Victim) -> io::Result<()> {
    writable(&victim.file())?.set_len(7)
}

pub(super) fn grow(victim: &Victim) -> io::Result<()> {
    writable(&victim.file())?.set_len(GROWN_BYTES)
}

pub(super) fn punch_hole(victim: &Victim) -> io::Result<()> {
    let file = writable(&victim.file())?;
    Ok(calls::fallocate(&file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, 0, BLOCK_BYTES)?)
}

pub(super) fn zero_range(victim: &Victim) -> io::Result<()> {
    Ok(calls::fallocate(writable(&victim.file())?, FallocateFlags::ZERO_RANGE, 0, BLOCK_BYTES)?)
}

pub(super) fn collapse_range(victim: &Victim) -> io::Result<()> {
    Ok(calls::fallocate(writable(&victim.file())?, FallocateFlags::COLLAPSE_RANGE, 0, BLOCK_BYTES)?)
}

pub(super) fn write(victim: &Victim) -> io::Result<()> {
    writable(&victim.file())?.write_all(SCRAWL)
}

pub(super) fn write_at_end(victim: &Victim) -> io::Result<()> {
    let at = (FILE_BYTES as u64).saturating_sub(SCRAWL.len() as u64);
    writable(&victim.file())?.write_all_at(SCRAWL, at)
}

pub(super) fn append(victim: &Victim) -> io::Result<()> {
    File::options().append(true).open(victim.file())?.write_all(SCRAWL)
}

pub(super) fn write_synced(victim: &Victim) -> io::Result<()> {
    let mut file = writable(&victim.file())?;
    file.write_all(SCRAWL)?;
    file.sync_data()
}

/// The time stamps are as before, so that only who reads the file sees it.
pub(super) fn store_by_mapping(victim: &Victim) -> io::Result<()> {
    let file = File::options().read(true).write(true).open(victim.file())?;
    let before = file.metadata()?;
    mapped::store(file.as_fd(), SCRAWL)?;
    file.set_times(FileTimes::new().set_modified(before.modified()?).set_accessed(before.accessed()?))
}

pub(super) fn copy_range(victim: &Victim) -> io::Result<()> {
    let from = File::open(victim.other())?;
    let copied = calls::copy_file_range(&from, None, writable(&victim.file())?, None, FILE_BYTES)?;
    if copied == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

pub(super) fn rename_over(victim: &Victim) -> io::Result<()> {
    fs::rename(victim.other(), victim.file())
}

pub(super) fn exchange(victim: &Victim) -> io::Result<()> {
    Ok(calls::renameat_with(CWD, victim.other(), CWD, victim.file(), RenameFlags::EXCHANGE)?)
}

pub(super) fn rename_away(victim: &Victim) -> io::Result<()> {
    fs::rename(victim.file(), victim.directory.join("elsewhere"))
}

pub(super) fn replace_by_symlink(victim: &Victim) -> io::Result<()> {
    fs::remove_file(victim.file())?;
    symlink("/dev/null", victim.file())
}

pub(super) fn replace_tree_by_file(victim: &Victim) -> io::Result<()> {
    fs::remove_dir_all(victim.tree())?;
    fs::write(victim.tree(), SCRAWL)
}

pub(super) fn replace_by_directory(victim: &Victim) -> io::Result<()> {
    fs::remove_file(victim.file())?;
    fs::create_dir(victim.file())
}

pub(super) fn close_file(victim: &Victim) -> io::Result<()> {
    fs::set_permissions(victim.file(), Permissions::from_mode(0o000))
}

pub(super) fn close_tree(victim: &Victim) -> io::Result<()> {
    fs::set_permissions(victim.tree(), Permissions::from_mode(0o000))
}

pub(super) fn set_time_back(victim: &Victim) -> io::Result<()> {
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    writable(&victim.file())?.set_times(FileTimes::new().set_modified(long_ago))
}

pub(super) fn set_attribute(victim: &Victim) -> io::Result<()> {
    Ok(calls::setxattr(victim.file(), "user.cofferdam-probe", SCRAWL, XattrFlags::empty())?)
}

pub(super) fn make_immutable(victim: &Victim) -> io::Result<()> {
    add_flags(&victim.file(), IFlags::IMMUTABLE)
}

pub(super) fn make_append_only(victim: &Victim) -> io::Result<()> {
    add_flags(&victim.file(), IFlags::APPEND)
}

fn add_flags(path: &Path, flags: IFlags) -> io::Result<()> {
    let file = File::open(path)?;
    let before = calls::ioctl_getflags(&file)?;
    Ok(calls::ioctl_setflags(&file, before | flags)?)
}

pub(super) fn by_hard_link(victim: &Victim) -> io::Result<()> {
    let link = victim.directory.join("link");
    fs::hard_link(victim.file(), &link)?;
    writable(&link)?.write_all(SCRAWL)
}

pub(super) fn by_symlink(victim: &Victim) -> io::Result<()> {
    let link = victim.directory.join("link");
    symlink(victim.file(), &link)?;
    writable(&link)?.write_all(SCRAWL)
}

pub(super) fn by_reopening(victim: &Victim) -> io::Result<()> {
    let reading = File::open(victim.file())?;
    writable(Path::new(&format!("/proc/self/fd/{}", reading.as_raw_fd())))?.write_all(SCRAWL)
}

/// `O_PATH` grants nothing by itself; what is reopened is checked anew.
pub(super) fn by_path_descriptor(victim: &Victim) -> io::Result<()> {
    let place = calls::open(victim.file(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    writable(Path::new(&format!("/proc/self/fd/{}", place.as_raw_fd())))?.write_all(SCRAWL)
}

pub(super) fn by_own_root(victim: &Victim) -> io::Result<()> {
    let path = format!("/proc/self/root{}", victim.file().display());
    writable(Path::new(&path))?.write_all(SCRAWL)
}

/// The directory goes by another name while the file below it is changed, and gets its name back.
pub(super) fn by_swapped_directory(victim: &Victim) -> io::Result<()> {
    let away = victim.directory.join("away");
    fs::rename(victim.tree(), &away)?;
    let changed = writable(&away.join("leaf")).and_then(|mut file| file.write_all(SCRAWL));
    fs::rename(&away, victim.tree())?;
    changed
}

pub(super) fn remove_from_repository(victim: &Victim) -> io::Result<()> {
    victim.in_repository().iter().try_for_each(fs::remove_file)
}

/// Forgets the last entry, as one does who wants no trace of it.
pub(super) fn shorten_in_repository(victim: &Victim) -> io::Result<()> {
    victim.in_repository().iter().try_for_each(|path| {
        let mut first = [0_u8; 1];
        File::open(path)?.read_exact(&mut first)?;
        writable(path)?.set_len(0)
    })
}

fn writable(path: &Path) -> io::Result<File> {
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    File::options().write(true).custom_flags(nonblocking).open(path)
}
