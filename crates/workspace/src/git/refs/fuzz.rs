//! Any bytes as `HEAD`, as what it names, and as the packed list: the branch has a name that leads nowhere else, the commit
//! is one, and the same is read where the layer holds it.

use super::*;
use cofferdam_fuzz::{fuzz, parts};
use rustix::fs::{CWD, Mode};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

#[test]
fn a_head_is_refused_or_names_a_branch_in_the_git_directory() {
    fuzz("git_refs", target);
}

/// A reference below `git`; what no file system takes is left out.
fn put(git: &Path, name: &[u8], content: &[u8]) {
    let path = git.join(OsStr::from_bytes(name));
    let made = path.parent().map(std::fs::create_dir_all);
    if made.is_some_and(|made| made.is_ok()) && !path.is_dir() {
        std::fs::write(path, content).unwrap_or_default();
    }
}

fn read(git: &Path, in_layer: bool) -> Result<Head, RefError> {
    let directory = rustix::fs::openat(CWD, git, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
    let side = Some(directory.as_fd());
    let layered = match in_layer {
        true => Layered { upper: side, lower: None, below: b"" },
        false => Layered { upper: None, lower: side, below: b"" },
    };
    head(&layered, &layered)
}

fn target(input: &[u8]) -> String {
    let [text, loose, packed] = parts(input);
    let scene = tempfile::tempdir().unwrap();
    let git = scene.path();
    put(git, b"HEAD", text);
    put(git, b"packed-refs", packed);
    for name in [text, loose].iter().filter_map(|text| symbolic(text.trim_ascii_end())) {
        if is_reference_name(&name) {
            assert!(!name.contains(&0) && name.split(|byte| *byte == b'/').all(|part| part != b".."));
            put(git, &name, loose);
        }
    }
    let found = read(git, false);
    let again = read(git, true);
    assert_eq!(found.as_ref().ok(), again.as_ref().ok(), "{found:?} {again:?}");
    match found {
        Ok(head) => {
            assert!(head.branch.as_ref().is_none_or(|branch| is_reference_name(branch)), "{head:?}");
            let commit = head.commit.as_deref().unwrap_or_default();
            assert!(matches!(commit.len(), 0 | 40 | 64), "{head:?}");
            assert!(commit.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase()));
            format!("{} {}", head.branch.is_some(), commit.len())
        }
        Err(RefError::Read { source, .. }) => format!("{source:?}"),
        Err(RefError::Format { .. }) => "format".to_owned(),
        Err(RefError::Circle) => "circle".to_owned(),
    }
}
