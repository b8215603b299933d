//! Whatever lies in an upper layer and beneath it, each change is counted once and listed with a path that is there.

use super::*;
use cofferdam_fuzz::fuzz;
use cofferdam_policy::mask::default_masks;
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags, XattrFlags};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

/// More lines than that are left out, so that an input takes milliseconds.
const LINES_MAX: usize = 24;

#[test]
fn each_change_in_a_layer_is_counted_once_and_is_there() {
    fuzz("overlay_tree", target);
}

/// Lines of `act path`, in the order in which they are carried out; what can't be is passed over.
fn target(input: &[u8]) -> Vec<(Change, FileKind, bool)> {
    let scene = tempfile::tempdir().unwrap();
    let (lower, upper) = (scene.path().join("lower"), scene.path().join("upper"));
    fs::create_dir(&lower).unwrap();
    fs::create_dir(&upper).unwrap();
    let mut hidden = BTreeSet::new();
    for line in input.split(|byte| *byte == b'\n').take(LINES_MAX) {
        let Some((act, path)) = line.split_first() else { continue };
        let Ok(path) = WorkspacePath::new(path.trim_ascii_start().to_vec()) else { continue };
        if *act == b'h' {
            hidden.insert(path);
            continue;
        }
        let tree = if b"FDLM".contains(act) { &lower } else { &upper };
        carry_out(*act, &tree.join(OsStr::from_bytes(path.as_bytes())));
    }
    let hidden: Vec<_> = hidden.into_iter().collect();
    let summary = read(&lower, &upper, &hidden);
    check(&summary, &lower, &upper, &hidden);
    summary.entries.iter().map(|entry| (entry.change, entry.kind, entry.masked)).collect()
}

/// What can't be done is no part of the tree.
fn carry_out(act: u8, place: &Path) -> Option<()> {
    fs::create_dir_all(place.parent()?).ok()?;
    let mark = |name: &str| rustix::fs::lsetxattr(place, name, b"y", XattrFlags::empty()).ok();
    let node = |kind| rustix::fs::mknodat(CWD, place, kind, Mode::RUSR, 0).ok();
    match act {
        // New ones only: what is there may be a FIFO.
        b'F' => fs::File::create_new(place).and_then(|mut file| file.write_all(b"old")).ok(),
        b'f' => fs::File::create_new(place).and_then(|mut file| file.write_all(b"new")).ok(),
        b'D' | b'd' => fs::create_dir_all(place).ok(),
        // They lead nowhere, so that nothing is made outside through them.
        b'L' => symlink("/nowhere/old", place).ok(),
        b'l' => symlink("/nowhere/new", place).ok(),
        b'M' | b'm' if !place.is_symlink() => {
            fs::set_permissions(place, fs::Permissions::from_mode(0o700)).ok()
        }
        b'w' => node(FileType::CharacterDevice),
        b'p' => node(FileType::Fifo),
        b'o' => mark("user.overlay.opaque"),
        b'x' => mark("user.overlay.whiteout"),
        _ => None,
    }
}

fn read(lower: &Path, upper: &Path, hidden: &[WorkspacePath]) -> ChangeSummary {
    let open = |path: &Path| -> OwnedFd {
        rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap()
    };
    let masks = MaskSet::new(default_masks().unwrap()).unwrap();
    let (lower, upper) = (open(lower), open(upper));
    let query = ChangeQuery { original: lower.as_fd(), masks: &masks, hidden, entries_max: 1000 };
    of_upper(upper.as_fd(), &query).unwrap()
}

fn check(summary: &ChangeSummary, lower: &Path, upper: &Path, hidden: &[WorkspacePath]) {
    assert!(!summary.truncated);
    assert_eq!(summary.total(), u64::try_from(summary.entries.len()).unwrap());
    assert!(summary.git_kept <= summary.git_internal && summary.masked <= summary.total());
    let paths: BTreeSet<_> = summary.entries.iter().map(|entry| entry.path.as_bytes()).collect();
    assert_eq!(paths.len(), summary.entries.len(), "a path is listed twice: {summary:?}");
    for entry in &summary.entries {
        let is_in =
            |tree: &Path| tree.join(OsStr::from_bytes(entry.path.as_bytes())).symlink_metadata().is_ok();
        match entry.change {
            Change::Added => assert!(is_in(upper), "{entry:?}"),
            Change::Deleted => assert!(is_in(lower) && !hidden.contains(&entry.path), "{entry:?}"),
            Change::Modified | Change::Type | Change::Mode => {
                assert!(is_in(lower) && is_in(upper), "{entry:?}")
            }
        }
    }
    let text = serde_json::to_string(summary).unwrap();
    assert_eq!(&serde_json::from_str::<ChangeSummary>(&text).unwrap(), summary);
}
