//! Addresses that git, or its user, left in plain texts: reflogs, fetched heads, messages, `.gitmodules`. They are shown
//! without user, password and query.
//!
//! A text is nobody's configuration, so nothing in it has to work: what could be part of a password goes, even if it
//! takes more of the address along. Texts without such an address are left alone.

use super::directory::DirectoryError;
use crate::beneath::{self, Listing};
use crate::census::DIRECTORY_PATH_BYTES_MAX;
use crate::path::{WorkspacePath, joined};
use crate::veil::VeilPlan;
use rustix::fd::{AsFd as _, BorrowedFd};
use rustix::fs::FileType;
use rustix::io::Errno;

/// Beside the reflogs: what the last fetch brought, and messages that were made for the user.
const TEXTS: [&[u8]; 3] = [b"FETCH_HEAD", b"MERGE_MSG", b"SQUASH_MSG"];

/// Of a work tree: where its submodules and its large files come from.
const WORK_TREE_TEXTS: [&[u8]; 2] = [b".gitmodules", b".lfsconfig"];

/// The most files and directories of reflogs in one git directory; beyond, none is shown.
const LOG_ENTRIES_MAX: usize = 50_000;

/// The longest text that is looked through, in bytes; a longer one is not shown.
const TEXT_BYTES_MAX: usize = 16 << 20;

/// The mode of a text that is shown in place of another.
const TEXT_MODE: u32 = 0o644;

/// Between the scheme and the rest of an address.
const SEPARATOR: &[u8] = b"://";

/// Adds to `plan` what the texts of the git directory at `path` need. `prefix` as for [`super::directory::cover`].
pub(super) fn cover_git_directory(
    root: BorrowedFd<'_>,
    path: &[u8],
    prefix: &[u8],
    plan: &mut VeilPlan,
) -> Result<(), DirectoryError> {
    for name in TEXTS {
        cover(root, &joined(path, name), prefix, plan)?;
    }
    let logs = joined(path, b"logs");
    let Some(found) = logs_below(root, &logs) else {
        plan.hide(WorkspacePath::new(joined(prefix, &logs))?);
        return Ok(());
    };
    found.iter().try_for_each(|log| cover(root, log, prefix, plan))
}

/// Adds to `plan` what the texts at the top of the work tree `prefix` need.
///
/// # Errors
/// [`DirectoryError`] for a name that can't be used.
pub fn cover_work_tree(
    root: BorrowedFd<'_>,
    prefix: &[u8],
    plan: &mut VeilPlan,
) -> Result<(), DirectoryError> {
    WORK_TREE_TEXTS.iter().try_for_each(|name| cover(root, &joined(prefix, name), b"", plan))
}

/// Shows one text without credentials, if it holds any; one that can't be looked through is hidden.
fn cover(
    root: BorrowedFd<'_>,
    path: &[u8],
    prefix: &[u8],
    plan: &mut VeilPlan,
) -> Result<(), DirectoryError> {
    let target = || WorkspacePath::new(joined(prefix, path));
    match beneath::read_small(root, path, TEXT_BYTES_MAX) {
        Ok(None) => {}
        Ok(Some(text)) => {
            if let Some(shown) = without_credentials(&text) {
                plan.replace(target()?, shown, TEXT_MODE);
            }
        }
        Err(_) => plan.hide(target()?),
    }
    Ok(())
}

/// The files below `logs`; `None` if there are too many or they lie too deep, or they can't be listed.
fn logs_below(root: BorrowedFd<'_>, logs: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (mut listing, mut found, mut pending) = (Listing::new(), Vec::new(), vec![logs.to_vec()]);
    let mut left = LOG_ENTRIES_MAX;
    while let Some(path) = pending.pop() {
        let fd = match beneath::open_directory(root, &path) {
            Ok(fd) => fd,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => continue,
            Err(_) => return None,
        };
        let entries = listing.sorted(fd.as_fd(), left).ok()?;
        left = left.saturating_sub(entries.len());
        for (name, kind) in entries {
            let entry = joined(&path, name.to_bytes());
            // Each is opened from the top: what deepens a chain of directories delays the start by its square.
            if entry.len() > DIRECTORY_PATH_BYTES_MAX {
                return None;
            }
            if kind == FileType::Directory { pending.push(entry) } else { found.push(entry) }
        }
    }
    Some(found)
}

/// `text` with each address cut: what stands between `://` and the last `@` of the same word, and what follows `?`.
/// `None` if there is nothing to cut.
fn without_credentials(text: &[u8]) -> Option<Vec<u8>> {
    let mut shown = Vec::new();
    let mut rest = text;
    let mut is_cut = false;
    while let Some(at) = rest.windows(SEPARATOR.len()).position(|window| window == SEPARATOR) {
        let (before, after) = rest.split_at_checked(at.saturating_add(SEPARATOR.len()))?;
        shown.extend_from_slice(before);
        let end = after.iter().position(|byte| ends_an_address(*byte)).unwrap_or(after.len());
        let (word, further) = after.split_at_checked(end)?;
        let kept = word.iter().rposition(|byte| *byte == b'@').map_or(0, |at| at.saturating_add(1));
        let address = word.get(kept..).unwrap_or_default();
        let address = address.split(|byte| *byte == b'?').next().unwrap_or_default();
        is_cut |= address.len() != word.len();
        shown.extend_from_slice(address);
        rest = further;
    }
    shown.extend_from_slice(rest);
    is_cut.then_some(shown)
}

fn ends_an_address(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte.is_ascii_control() || matches!(byte, b'"' | b'\'' | b'<' | b'>' | b'`')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rustix::fs::{Mode, OFlags};

    fn shown(text: &str) -> Option<String> {
        without_credentials(text.as_bytes()).map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn an_address_loses_its_user_its_password_and_its_query() {
        for (text, expected) in [
            (
                "pull https://me:SECRET@host/a.git main: Fast-forward",
                "pull https://host/a.git main: Fast-forward",
            ),
            ("clone: from https://SECRET@host/a?token=SECRET\n", "clone: from https://host/a\n"),
            ("of 'https://me:SEC/RET@host/a' and https://SECRET@b/", "of 'https://host/a' and https://b/"),
            ("url = \"ssh://git:SECRET@host/a\"", "url = \"ssh://host/a\""),
        ] {
            assert_eq!(shown(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_text_without_credentials_is_left_alone() {
        for text in
            ["", "commit: see https://host/a", "Ada <ada@host> 1 +0000\tcommit (initial): x", "git@host:a"]
        {
            assert_eq!(shown(text), None, "{text}");
        }
    }

    #[test]
    fn reflogs_that_lie_too_deep_are_hidden_as_a_whole() {
        let scene = tempfile::tempdir().unwrap();
        let root = rustix::fs::open(scene.path(), OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
        let mut path = b"logs".to_vec();
        rustix::fs::mkdirat(&root, "logs", Mode::RWXU).unwrap();
        let mut at = beneath::open_directory(root.as_fd(), b"logs").unwrap();
        std::fs::write(scene.path().join("logs/HEAD"), "x").unwrap();
        assert_eq!(logs_below(root.as_fd(), b"logs"), Some(vec![b"logs/HEAD".to_vec()]), "the control");
        let name = "d".repeat(200);
        while path.len() <= DIRECTORY_PATH_BYTES_MAX {
            rustix::fs::mkdirat(&at, name.as_str(), Mode::RWXU).unwrap();
            at = beneath::open_directory(at.as_fd(), name.as_bytes()).unwrap();
            path = joined(&path, name.as_bytes());
        }
        assert_eq!(logs_below(root.as_fd(), b"logs"), None);
    }

    proptest! {
        #[test]
        fn no_password_survives(before in "[ a-z\n]{0,9}", secret in "[a-zA-Z0-9@:/#?%]{0,9}", after in "[ a-z\n]{0,9}") {
            let text = format!("{before}https://me:QQ{secret}QQ@host/a {after}");
            prop_assert!(!shown(&text).unwrap().contains("QQ"));
        }
    }
}
