//! Reading `/proc`, and other files from their beginning: bounded, and without an opinion on what it means.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;

use rustix::fs::OFlags;
use rustix::io::Errno;

/// What is read of one file at most.
pub(crate) const READ_BYTES_MAX: u64 = 1 << 20;

/// The beginning of a file. A FIFO or device does not block it.
pub(crate) fn read(path: &str) -> Result<Vec<u8>, Errno> {
    let nonblocking = i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY).bits()).unwrap_or(0);
    let file = fs::File::options().read(true).custom_flags(nonblocking).open(path);
    let mut bytes = Vec::new();
    let read = file.and_then(|file| file.take(READ_BYTES_MAX).read_to_end(&mut bytes));
    read.map(|_| bytes).map_err(|error| from_io(&error))
}

/// The beginning of a file as text; what is no UTF-8 is replaced.
pub(crate) fn read_text(path: &str) -> Result<String, Errno> {
    read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// The value of `name:` in the status of this process.
pub(crate) fn own_status(name: &str) -> Result<String, Errno> {
    status_of("self", name)
}

/// The value of `name:` in the status of a process.
pub(crate) fn status_of(process: &str, name: &str) -> Result<String, Errno> {
    let status = read_text(&format!("/proc/{process}/status"))?;
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.map(|value| value.trim().to_owned()).ok_or(Errno::NOENT)
}

/// What the links of this process's namespaces say, separated by spaces.
pub(crate) fn own_namespaces() -> String {
    namespaces("self").unwrap_or_default()
}

/// What the links of a process's namespaces say, separated by spaces; all of them, or why not.
pub(crate) fn namespaces(process: &str) -> Result<String, Errno> {
    let directory = format!("/proc/{process}/ns");
    let mut kinds = names(&directory)?;
    kinds.sort_unstable();
    let links = kinds.iter().map(|kind| link(&format!("{directory}/{kind}")));
    Ok(links.collect::<Result<Vec<_>, _>>()?.join(" "))
}

/// The pids that are visible, without this process.
pub(crate) fn visible_pids() -> Result<Vec<u32>, Errno> {
    let own = std::process::id();
    let entries = names("/proc")?;
    Ok(entries.iter().filter_map(|name| name.parse().ok()).filter(|pid| *pid != own).collect())
}

/// The names in a directory; those that are no UTF-8 with replacements.
pub(crate) fn names(directory: &str) -> Result<Vec<String>, Errno> {
    let entries = fs::read_dir(directory).map_err(|error| from_io(&error))?;
    Ok(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}

/// What a symbolic link says.
pub(crate) fn link(path: &str) -> Result<String, Errno> {
    let target = fs::read_link(path).map_err(|error| from_io(&error))?;
    Ok(target.to_string_lossy().into_owned())
}

/// The errno of an error of the standard library; `EIO` for one that has none.
pub(crate) fn from_io(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

/// Whether `needle` occurs in `bytes`.
pub(crate) fn contains(bytes: &[u8], needle: &str) -> bool {
    !needle.is_empty() && bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
}
