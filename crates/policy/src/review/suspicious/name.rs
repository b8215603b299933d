//! Findings in the names of files and directories.
//!
//! It looks at a name as the file systems of colleagues do (`review::spelling`), and as a shell and a reader do. What
//! lies in the file is no matter here, nor whether the change set may have such a name at all.

use super::{Finding, marks};
use crate::review::spelling::folded;
use std::collections::{BTreeMap, BTreeSet};

/// Names of devices on Windows, with any ending.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

/// What git, or who reads its output, takes a name for.
const GIT_NAMES: [&str; 5] = [".git", ".gitmodules", ".gitattributes", ".gitignore", ".mailmap"];

/// Beginnings of the short names that NTFS gives to those (git's `is_ntfs_dotgit` and its like): `git~1`, `gi7eba~1`.
const GIT_SHORT_NAMES: [&str; 9] =
    ["git~", "gitmod~", "gi7eba~", "gitatt~", "gi7d29~", "gitign~", "gi250a~", "mailma~", "maba30~"];

/// What `name`, one name without a slash, holds.
#[must_use]
pub fn of_name(name: &[u8]) -> BTreeSet<Finding> {
    let mut found: BTreeSet<Finding> = marks(name).into_iter().map(|mark| mark.finding).collect();
    let control = |byte: &u8| matches!(byte, b'\n' | b'\t');
    let checks = [
        (Finding::NameNewline, name.iter().any(|byte| matches!(byte, b'\n' | b'\r'))),
        (Finding::Control, name.iter().any(control)),
        (Finding::NameBlankEnd, name.starts_with(b" ") || name.ends_with(b" ") || name.ends_with(b".")),
        (Finding::NameDash, name.starts_with(b"-")),
        (Finding::NameWindows, is_windows_reserved(name)),
        (Finding::NameGit, is_git_look_alike(name)),
        (Finding::RightToLeft, super::of_line(name).contains(&Finding::RightToLeft)),
    ];
    found.extend(checks.into_iter().filter(|(_, holds)| *holds).map(|(finding, _)| finding));
    found
}

/// What the names of a relative path hold.
#[must_use]
pub fn of_path(path: &[u8]) -> BTreeSet<Finding> {
    path.split(|byte| *byte == b'/').flat_map(of_name).collect()
}

/// Whether it is a file by whose rules git, and so a review, leaves things out.
#[must_use]
pub fn is_ignore_file(path: &[u8]) -> bool {
    path.rsplit(|byte| *byte == b'/').next() == Some(b".gitignore")
}

/// Groups of names of one directory that some file system takes for one; those that are alone are left out.
#[must_use]
pub fn collisions<'a>(names: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<&'a [u8]>> {
    let mut groups: BTreeMap<Vec<u8>, BTreeSet<&[u8]>> = BTreeMap::new();
    for name in names {
        groups.entry(folded(name)).or_default().insert(name);
    }
    groups.into_values().filter(|group| group.len() > 1).map(|group| group.into_iter().collect()).collect()
}

fn is_windows_reserved(name: &[u8]) -> bool {
    let forbidden = |byte: &u8| matches!(byte, b'\\' | b':' | b'*' | b'?' | b'"' | b'<' | b'>' | b'|');
    if name.iter().any(forbidden) {
        return true;
    }
    let folded = folded(name);
    let stem = folded.split(|byte| *byte == b'.').next().unwrap_or_default().trim_ascii_end();
    let numbered = |prefix: &[u8]| {
        let rest = stem.strip_prefix(prefix);
        rest.is_some_and(|digit| {
            matches!(digit, [b'0'..=b'9']) || ["¹", "²", "³"].iter().any(|d| d.as_bytes() == digit)
        })
    };
    DEVICES.iter().any(|device| device.as_bytes() == stem) || numbered(b"com") || numbered(b"lpt")
}

/// Spelt otherwise than git spells it, and yet the same for HFS+, APFS or NTFS. `\` separates there, so that each part
/// counts for itself.
fn is_git_look_alike(name: &[u8]) -> bool {
    name.split(|byte| *byte == b'\\').any(|part| {
        let folded = folded(part);
        let same = GIT_NAMES.iter().any(|own| folded == own.as_bytes() && part != own.as_bytes());
        let short = GIT_SHORT_NAMES.iter().any(|beginning| {
            let rest = folded.strip_prefix(beginning.as_bytes());
            rest.is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_digit))
        });
        same || short || (part == b".git" && part.len() < name.len())
    })
}

#[cfg(test)]
mod tests;
