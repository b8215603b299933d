//! Where the built programs are, and a copy of each that any owner can start.
//!
//! It builds nothing: a program that is not there fails the test with the command that builds it.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::must;

/// Links or copies the built program `name` into `directory`, because the target directory may lie under a home
/// that no other user can enter.
#[track_caller]
pub(crate) fn share(name: &str, directory: &Path) -> PathBuf {
    let shared = directory.join(name);
    if shared.exists() {
        return shared;
    }
    let built = find(name);
    // A link costs nothing, but a file system or the kernel's `protected_hardlinks` may forbid it.
    if fs::hard_link(&built, &shared).is_err() {
        must(fs::copy(&built, &shared), format_args!("copy {} to {}", built.display(), shared.display()));
        must(
            fs::set_permissions(&shared, fs::Permissions::from_mode(0o755)),
            format_args!("make {} executable", shared.display()),
        );
    }
    shared
}

/// Links all files below `from` into a new directory `to`, or copies them. They stay whose they are.
#[track_caller]
pub(crate) fn share_tree(from: &Path, to: &Path) {
    let linked = Command::new("cp").arg("-alT").arg(from).arg(to).output();
    if linked.is_ok_and(|linked| linked.status.success()) {
        return;
    }
    // Another file system, or the kernel's `protected_hardlinks`; what was linked until then is in the way of a copy.
    let copy = ["-aT", "--remove-destination"];
    let copied = must(Command::new("cp").args(copy).arg(from).arg(to).output(), "start cp");
    assert!(copied.status.success(), "cannot copy {} to {}: {copied:?}", from.display(), to.display());
}

/// What cargo or nextest say, else the directory that the running test itself was built into.
#[track_caller]
fn find(name: &str) -> PathBuf {
    let told = [format!("NEXTEST_BIN_EXE_{name}"), format!("CARGO_BIN_EXE_{name}")];
    let told = told.iter().filter_map(env::var_os).map(PathBuf::from).find(|path| path.exists());
    let beside = || {
        let test = must(env::current_exe(), "find the running test");
        test.ancestors().skip(1).take(2).map(|directory| directory.join(name)).find(|path| path.is_file())
    };
    told.or_else(beside).unwrap_or_else(|| {
        panic!("{name} is not built: run `cargo build --workspace --bins` before the tests")
    })
}
