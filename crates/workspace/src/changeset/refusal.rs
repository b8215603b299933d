//! What is never brought back, whoever approves it.
//!
//! By looks and names only; what a content would do is the review's part.

use crate::beneath;
use crate::changes::FileKind;
use rustix::fs::{FileType, Statx};
use serde::{Deserialize, Serialize};

const SET_ID: u32 = 0o6000;

/// Why an entry is never brought back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// It would run as its owner or group.
    SetId,
    /// A block or character device.
    Device,
    /// A FIFO.
    Fifo,
    /// A socket.
    Socket,
    /// A link whose target is absolute.
    AbsoluteLink,
    /// A link that leads, or may lead, out of the workspace.
    OutwardLink,
    /// A git directory, or a pointer to one, that the owner does not have there.
    GitDirectory,
    /// A file of more than [`super::FILE_BYTES_MAX`] bytes.
    TooBig,
    /// A mask hides it: the agent never saw what the owner has there.
    Masked,
    /// A directory that would go, with something in it that rules ignore.
    HoldsIgnored,
    /// Only its mode changes, and it has further names, maybe elsewhere, which would change with it.
    HardLink,
}

impl Refusal {
    /// Whether it is a link that leads, or may lead, out: a person may take one, by itself.
    #[must_use]
    pub const fn is_link(self) -> bool {
        match self {
            Self::AbsoluteLink | Self::OutwardLink => true,
            Self::SetId
            | Self::Device
            | Self::Fifo
            | Self::Socket
            | Self::GitDirectory
            | Self::TooBig
            | Self::Masked
            | Self::HoldsIgnored
            | Self::HardLink => false,
        }
    }

    /// In words, for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::SetId => "it is setuid or setgid",
            Self::Device => "it is a device",
            Self::Fifo => "it is a FIFO",
            Self::Socket => "it is a socket",
            Self::AbsoluteLink => "it is a link to an absolute path",
            Self::OutwardLink => "it is a link that may lead out of the workspace",
            Self::GitDirectory => "it is a git directory that is not yours",
            Self::TooBig => "it is too big",
            Self::Masked => "a mask hides what you have there",
            Self::HoldsIgnored => "it holds what your rules ignore",
            Self::HardLink => "it has further names (hard links), whose mode would change too",
        }
    }
}

/// What speaks against a file by its kind and mode.
pub(super) fn of_looks(kind: FileKind, now: &Statx) -> Option<Refusal> {
    match beneath::kind(now) {
        FileType::Fifo => Some(Refusal::Fifo),
        FileType::Socket => Some(Refusal::Socket),
        FileType::CharacterDevice | FileType::BlockDevice | FileType::Unknown => Some(Refusal::Device),
        // On a directory setgid only says whose group new files get, is inherited, and is not written by anyone here.
        FileType::Directory | FileType::Symlink => None,
        FileType::RegularFile if kind == FileKind::File && beneath::permissions(now) & SET_ID != 0 => {
            Some(Refusal::SetId)
        }
        FileType::RegularFile => None,
    }
}

/// What speaks against the link `path` with this target.
///
/// Only leading `..` are counted, and one after a name is refused: the name may be a link, so that what stands there
/// says nothing of where it leads.
pub(crate) fn of_link(path: &[u8], target: &[u8]) -> Option<Refusal> {
    if target.starts_with(b"/") {
        return Some(Refusal::AbsoluteLink);
    }
    let mut depth = path.iter().filter(|byte| **byte == b'/').count();
    let mut below = false;
    for name in target.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." if below || depth == 0 => return Some(Refusal::OutwardLink),
            b".." => depth = depth.saturating_sub(1),
            _ => below = true,
        }
    }
    None
}

/// Whether a name is `.git` to some file system, though not to this one: in capitals, with characters that vanish, or
/// by its short name (as git's `core.protectHFS` and `core.protectNTFS` look at it).
pub(crate) fn resembles_git(name: &[u8]) -> bool {
    const VANISHING: [char; 4] = ['\u{200b}', '\u{200c}', '\u{200d}', '\u{feff}'];
    if is_git_elsewhere(name) {
        return name != b".git";
    }
    match std::str::from_utf8(name) {
        Ok(text) if !text.is_ascii() => {
            let ignored = |c: &char| {
                VANISHING.contains(c)
                    || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}')
            };
            text.chars().filter(|c| !ignored(c)).collect::<String>().eq_ignore_ascii_case(".git")
        }
        Ok(_) | Err(_) => false,
    }
}

/// `.git` or its short name in any case, with blanks and dots behind it, and a stream of it or something in it by a
/// backslash: what Windows takes for it, as git's `is_ntfs_dotgit` knows it.
fn is_git_elsewhere(name: &[u8]) -> bool {
    let begins = |with: &[u8]| name.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with));
    let Some(length) = [b".git".as_slice(), b"git~1"].iter().find(|with| begins(with)).map(|with| with.len())
    else {
        return false;
    };
    let behind = name.iter().skip(length);
    let next = behind.copied().find(|byte| !byte.is_ascii_whitespace() && *byte != b'.');
    next.is_none_or(|byte| matches!(byte, b':' | b'\\'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_may_lead_outside_is_refused_and_one_that_stays_is_not() {
        for (path, target) in
            [("l", ".."), ("a/l", "../.."), ("a/b/c/l", "d/../../y"), ("a/l", "./../../x"), ("l", "a/../b")]
        {
            assert_eq!(
                of_link(path.as_bytes(), target.as_bytes()),
                Some(Refusal::OutwardLink),
                "{path} {target}"
            );
        }
        assert_eq!(of_link(b"a/l", b"/etc/passwd"), Some(Refusal::AbsoluteLink));
        for (path, target) in [("l", "x"), ("a/l", "../x"), ("a/b/l", "../../x/y"), ("l", "./x//y/")] {
            assert_eq!(of_link(path.as_bytes(), target.as_bytes()), None, "{path} {target}");
        }
    }

    #[test]
    fn a_name_that_is_a_git_directory_elsewhere_is_known() {
        let spelt = [".GIT", ".Git", "git~1", "GIT~1", ".git.", ".git ", ".g\u{200c}it", "\u{feff}.git"];
        let behind =
            [".git...", ".git . .", ".GIT ..:x", ".git::$INDEX_ALLOCATION", ".git:s", "git~1\\hooks"];
        for name in spelt.iter().chain(&behind) {
            assert!(resembles_git(name.as_bytes()), "{name:?}");
        }
        for name in [".git", ".gitignore", "git", ".github", "größe", ".git.x", "git~10", ".git -x"] {
            assert!(!resembles_git(name.as_bytes()), "{name:?}");
        }
    }
}
