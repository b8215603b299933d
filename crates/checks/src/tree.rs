//! The files of the project as git knows them, and what cargo says of its crates.
//!
//! Files that are new and not yet added count as well, so that a check fails before the commit and not after it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{Metadata, MetadataCommand};

/// A file of the project.
#[derive(Debug, Clone)]
pub struct Tracked {
    /// Relative to the project's root, `/` between the parts.
    pub path: String,
    /// Its text; `None` when it is not text.
    pub text: Option<String>,
}

impl Tracked {
    /// Whether it is a Rust file.
    #[must_use]
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether it is a Rust file that is part of a crate, and not a test or a bench of one.
    #[must_use]
    pub fn is_crate_source(&self) -> bool {
        self.is_rust() && self.path.split('/').nth(2) == Some("src")
    }

    /// Its text, empty when it has none.
    #[must_use]
    pub fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }
}

/// The project's root.
#[must_use]
pub fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).unwrap_or(manifest).to_path_buf()
}

/// Every file of the project that git does not ignore.
#[track_caller]
#[must_use]
pub fn tracked() -> Vec<Tracked> {
    let root = root();
    let listed = Command::new("git")
        // The checkout may belong to somebody else than who runs the tests.
        .arg("-c")
        .arg(format!("safe.directory={}", root.display()))
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(&root)
        .output();
    let listed = match listed {
        Ok(listed) if listed.status.success() => listed.stdout,
        failed => {
            panic!("cannot list the files of the project: the checks need git and a checkout: {failed:?}")
        }
    };
    let paths = listed.split(|byte| *byte == 0).filter(|path| !path.is_empty());
    let paths = paths.map(|path| String::from_utf8_lossy(path).into_owned());
    // Deleted in the work tree but still in the index: not a file of the project any more.
    let files = paths.filter(|path| root.join(path).is_file());
    files.map(|path| Tracked { text: fs::read_to_string(root.join(&path)).ok(), path }).collect()
}

/// The text of the file at `path`; its absence fails the test, saying what the file is for.
#[track_caller]
#[must_use]
pub fn read(path: &str, purpose: &str) -> String {
    match fs::read_to_string(root().join(path)) {
        Ok(text) => text,
        Err(error) => panic!("cannot read {path}, which {purpose}: {error}"),
    }
}

/// What cargo says of the workspace, with the resolved dependencies for this target only; no network.
#[track_caller]
#[must_use]
pub fn metadata() -> Metadata {
    let target = "x86_64-unknown-linux-gnu";
    let options = ["--offline", "--locked", "--filter-platform", target].map(str::to_owned);
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .other_options(options)
        .exec()
        .unwrap_or_else(|error| {
            panic!("cannot ask cargo for the workspace (is Cargo.lock up to date?): {error}")
        })
}
