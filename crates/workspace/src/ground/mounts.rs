//! The table of mounts, `/proc/self/mountinfo`, as proc_pid_mountinfo(5) describes it.
//!
//! Parsing only; where the text comes from is the caller's matter.

use rustix::io::Errno;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Its number.
    pub id: u64,
    /// Where it is mounted, unescaped.
    pub point: PathBuf,
    /// The type of its file system.
    pub kind: String,
}

/// Why the table of mounts can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MountsError {
    /// It can't be read.
    #[error("cannot read /proc/self/mountinfo")]
    Read(#[source] Errno),
    /// A line is not as documented.
    #[error("line {line} of /proc/self/mountinfo is not as documented")]
    Line {
        /// Counted from 1.
        line: usize,
    },
}

/// Reads the whole table.
///
/// # Errors
/// [`MountsError::Line`] for the first line that is not understood: a mount that is overlooked would be
/// shown to a session without having been looked at.
pub fn parse_mounts(table: &[u8]) -> Result<Vec<Mount>, MountsError> {
    let lines = table.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.zip(1..).map(|(text, line)| parse_line(text).ok_or(MountsError::Line { line })).collect()
}

/// `36 35 98:0 /root /mount/point options [optional…] - type source super-options`
fn parse_line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let id = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    let point = unescape(fields.nth(3)?)?;
    if !point.starts_with(b"/") {
        return None;
    }
    let mut after = fields.skip_while(|field| *field != b"-").skip(1);
    let kind = String::from_utf8(after.next()?.to_vec()).ok()?;
    Some(Mount { id, point: PathBuf::from(OsString::from_vec(point)), kind })
}

/// Space, tab, newline and backslash stand as three octal digits after a backslash.
fn unescape(field: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.iter();
    while let Some(byte) = rest.next() {
        if *byte != b'\\' {
            bytes.push(*byte);
            continue;
        }
        let mut value: u32 = 0;
        for _ in 0..3 {
            let digit = char::from(*rest.next()?).to_digit(8)?;
            value = value.checked_mul(8)?.checked_add(digit)?;
        }
        bytes.push(u8::try_from(value).ok()?);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn escaped_names_and_optional_fields_are_read() {
        let table = b"22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw\n\
            36 22 0:31 /a /home/me/with\\040space\\012and\\134more rw master:1 propagate_from:2 - tmpfs none rw\n";
        let mounts = parse_mounts(table).unwrap();
        assert_eq!(mounts[0], Mount { id: 22, point: "/".into(), kind: "ext4".into() });
        assert_eq!(mounts[1].point.as_os_str().as_bytes(), b"/home/me/with space\nand\\more");
        assert_eq!(mounts[1].kind, "tmpfs");
    }

    #[test]
    fn a_line_that_is_not_understood_is_an_error_and_not_skipped() {
        for line in [
            &b"x 1 0:1 / /a rw - t s"[..],
            b"1 1 0:1 / a rw - t s",
            b"1 1 0:1 / /a rw",
            b"1 1 0:1 / /\\9 rw - t s o",
        ] {
            assert_eq!(parse_mounts(line), Err(MountsError::Line { line: 1 }));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(table in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(mounts) = parse_mounts(&table) {
                prop_assert!(mounts.iter().all(|mount| mount.point.is_absolute()));
            }
        }
    }
}
