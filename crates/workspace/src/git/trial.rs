//! Git itself, for the tests that compare with it. A test that needs it and finds none fails.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// What git prints when it is run in `directory` with nobody's configuration; it has to succeed.
pub(super) fn git(directory: &Path, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let output = run(directory, arguments, input);
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The same, however it ends.
pub(super) fn run(directory: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new("git");
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", directory);
    command.env("GIT_CONFIG_NOSYSTEM", "1").args(["-c", "user.name=A", "-c", "user.email=a@b"]);
    command.args(["-c", "protocol.file.allow=always", "-c", "safe.directory=*"]);
    command.args(arguments).current_dir(directory).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("git is needed for the tests: install it");
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}
