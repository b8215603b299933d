//! The mutated copy of the sources, and what is built from it.
//!
//! It lies below the target directory and is brought up to date file by file, so that a second build is short.

use crate::source::{files, mutated};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The programs of the copy.
#[derive(Debug)]
pub(crate) struct Built {
    /// `cofferdam` and its launcher, which say what they leave out; by name.
    pub(crate) product: BTreeMap<String, PathBuf>,
    /// The test binaries, by name; `cofferdam-cell` for the unit tests of the crate `cell`.
    pub(crate) tests: BTreeMap<String, PathBuf>,
    /// Where the other programs lie, as they are.
    pub(crate) programs: PathBuf,
    /// For files of the mutants' own.
    pub(crate) scratch: PathBuf,
}

/// Brings the copy up to date and builds it: a minute or two at first.
pub(crate) fn build() -> Built {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let place = target_directory().join("mutation");
    let (sources, built) = (place.join("sources"), place.join("built"));
    let listed = output(
        Command::new("git")
            .args(["-c", &format!("safe.directory={}", root.display())])
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root),
    );
    for path in listed.split('\0').filter(|path| root.join(path).is_file()) {
        let bytes = fs::read(root.join(path)).unwrap();
        let bytes = match path.strip_prefix("crates/").filter(|file| files().contains(file)) {
            Some(file) => mutated(file, &String::from_utf8(bytes).unwrap()).into_bytes(),
            None => bytes,
        };
        update(&sources.join(path), &bytes);
    }
    update(&sources.join("crates/cell/src/mutation.rs"), include_bytes!("inserted.rs"));
    let product = ["build", "-p", "cofferdam", "--bin", "cofferdam", "--bin", "cofferdam-cell"];
    let product = executables(&cargo(&sources, &built, &product));
    assert_eq!(product.len(), 2, "{product:?}");
    let cell = ["test", "--no-run", "-p", "cofferdam-cell", "--lib", "--test", "cell"];
    let mut tests = executables(&cargo(&sources, &built, &cell));
    // The others know the product by its path alone: they are the tests of the sources as they are.
    let suites = ["test", "--no-run", "-p", "cofferdam", "--test", "escape_cell"];
    tests.extend(executables(&cargo(root, &target_directory(), &suites)));
    let scratch = place.join("scratch");
    fs::create_dir_all(&scratch).unwrap();
    let programs = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_path_buf();
    Built { product, tests, programs, scratch }
}

fn cargo(sources: &Path, built: &Path, words: &[&str]) -> String {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(words).args(["--locked", "--quiet", "--message-format=json", "--target-dir"]).arg(built);
    output(command.current_dir(sources))
}

/// The directory that this program was built into: `DIRECTORY/TARGET/debug/examples/mutate`.
fn target_directory() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    program.ancestors().find(|above| above.join("CACHEDIR.TAG").exists()).unwrap().to_path_buf()
}

fn update(path: &Path, bytes: &[u8]) {
    if fs::read(path).is_ok_and(|found| found == bytes) {
        return;
    }
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn output(command: &mut Command) -> String {
    let ended = command.stderr(Stdio::inherit()).stdin(Stdio::null()).output().unwrap();
    assert!(ended.status.success(), "{command:?} ended with {}", ended.status);
    String::from_utf8(ended.stdout).unwrap()
}

/// What cargo says that it built, by the name of the target.
fn executables(messages: &str) -> BTreeMap<String, PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|message| {
            let path = message["executable"].as_str()?;
            Some((message["target"]["name"].as_str()?.replace('_', "-"), PathBuf::from(path)))
        })
        .collect()
}
