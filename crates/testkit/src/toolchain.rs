//! The Rust toolchain that builds the running test, in the home of a test's owner, as rustup would have put it there.
//!
//! It lies under the home of whoever runs the tests, which no other user may enter. So the files themselves are linked
//! into the new home, or copied where links can't go: they stay whose they are, readable and startable for all. A link is
//! the same file under another name, hence nothing here or in a test may write to one; a cell can't, since all that an
//! owner has is only a lower layer in it. What a compiler does not need (documents, the standard library's source) stays
//! behind, and so does all that cargo downloaded.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Home, binary, must};

/// What of a toolchain is needed to build.
const PARTS: [&str; 3] = ["bin", "lib", "libexec"];

impl Home {
    /// Brings a toolchain into `~/.rustup`, as its default, and rustup's programs into `~/.cargo/bin`.
    #[track_caller]
    pub fn bring_toolchain(&self) {
        let sysroot = sysroot();
        let name = sysroot.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let toolchain = self.directory(self.home().join(".rustup/toolchains").join(&name));
        for part in PARTS.map(Path::new).into_iter().filter(|part| sysroot.join(part).is_dir()) {
            binary::share_tree(&sysroot.join(part), &toolchain.join(part));
        }
        let settings = format!("version = \"12\"\ndefault_toolchain = \"{name}\"\nprofile = \"default\"\n");
        self.write(self.home().join(".rustup/settings.toml"), settings);
        let programs = cargo_home().join("bin");
        let own = self.directory(self.home().join(".cargo")).join("bin");
        binary::share_tree(&programs, &own);
    }
}

/// Where the compiler of this very build lies.
#[track_caller]
fn sysroot() -> PathBuf {
    let asked = must(Command::new("rustc").args(["--print", "sysroot"]).output(), "start rustc");
    let said = String::from_utf8_lossy(&asked.stdout);
    let sysroot = PathBuf::from(said.trim());
    let above = sysroot.parent().and_then(Path::file_name);
    assert!(
        above.is_some_and(|above| above == "toolchains"),
        "the compiler in {} is not rustup's: these tests bring a toolchain of rustup's into a home, so install one",
        sysroot.display()
    );
    sysroot
}

/// Where rustup put its programs.
#[track_caller]
fn cargo_home() -> PathBuf {
    let told = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home: Option<OsString> = std::env::var_os("HOME");
    let Some(found) = told.or_else(|| home.map(|home| PathBuf::from(home).join(".cargo"))) else {
        panic!("neither CARGO_HOME nor HOME says where cargo lies")
    };
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Owner;
    use std::os::unix::fs::MetadataExt;

    fn brought(owner: Owner) {
        let home = Home::of(owner);
        home.bring_toolchain();
        let asked = home.invoke(home.home().join(".cargo/bin/cargo")).arg("--version").run();
        assert!(asked.assert_success().stdout().starts_with("cargo "), "{asked}");
        let compiler = home.home().join(".cargo/bin/rustc");
        let asked = home.invoke(compiler).args(["--print", "sysroot"]).run();
        let below = home.home().join(".rustup/toolchains");
        assert!(Path::new(asked.assert_success().stdout().trim()).starts_with(below), "{asked}");
    }

    #[test]
    fn a_toolchain_in_the_home_of_root_is_one_of_its_own() {
        brought(Owner::Root);
    }

    #[test]
    fn a_toolchain_in_the_home_of_an_ordinary_user_can_be_started_by_it() {
        brought(Owner::Ordinary);
    }

    #[test]
    fn the_files_that_a_home_was_linked_with_outlast_it_as_they_were() {
        let compiler = sysroot().join("bin/rustc");
        let seen = || {
            let found = std::fs::metadata(&compiler).unwrap();
            (found.mode(), found.uid(), found.len(), found.mtime())
        };
        let before = seen();
        let home = Home::of(Owner::Ordinary);
        home.bring_toolchain();
        if Owner::current() == Owner::Root {
            // Who runs the tests owns them: only another user has to be kept out, and is.
            let script = "head -c 1 $1 >/dev/null && ! printf x 2>/dev/null >>$1";
            let linked = home.home().join(".rustup/toolchains").join(sysroot().file_name().unwrap());
            let tried = home.invoke("sh").args(["-c", script, "sh"]).arg(linked.join("bin/rustc")).run();
            tried.assert_success();
        }
        drop(home);
        assert_eq!(seen(), before);
    }
}
