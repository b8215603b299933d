//! Values out of the owner's environment, files, commands, terminal and logins, each with a limit in size and time.
//!
//! No error holds a byte of what was read.

use super::file::read_within;
use super::login::{self, LoginError};
use super::prompt;
use super::setting::{self, SettingError};
use super::store::Value;
use super::value::Secret;
use cofferdam_policy::event::UnixNanos;
use cofferdam_policy::net::credential::SecretName;
use cofferdam_policy::net::handle::{LoginFacts, LoginKind, SECRET_BYTES_MAX, ShapeError};
use cofferdam_policy::net::secret::Source;
use rustix::event::{PollFd, PollFlags, Timespec};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// How long a command may take, in seconds: somebody may have to touch a key.
const COMMAND_SECONDS_MAX: u64 = 60;
const LOGIN_FILE_BYTES_MAX: usize = 64 << 10;

/// Why a source gives no value.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceError {
    /// The variable is not set.
    #[error("the variable {0} is not set")]
    NoVariable(String),
    /// The file can't be read.
    #[error("{} cannot be read", .0.display())]
    File(PathBuf, #[source] std::io::Error),
    /// The command does not start, or can't be read from.
    #[error("its command cannot be run")]
    Command(#[source] std::io::Error),
    /// The command failed.
    #[error("its command failed: {0}")]
    CommandFailed(std::process::ExitStatus),
    /// The command took too long.
    #[error("its command did not end within {COMMAND_SECONDS_MAX} s")]
    CommandTime,
    /// There is nobody to ask.
    #[error("there is no terminal to ask on")]
    Terminal(#[source] std::io::Error),
    /// The question was left.
    #[error("nothing was typed")]
    Cancelled,
    /// More than a secret has.
    #[error("it has more than {SECRET_BYTES_MAX} bytes")]
    TooLong,
    /// What was read is no secret.
    #[error("what it gives is no secret of one line")]
    Shape(#[from] ShapeError),
    /// The settings of a tool can't be read, or have no login for the place.
    #[error("the settings of the tool give no login")]
    Setting(#[from] SettingError),
    /// What was read is no login.
    #[error("the login cannot be used")]
    Login(#[from] LoginError),
}

/// What a source gave.
#[derive(Debug)]
pub(super) struct Captured {
    /// The value.
    pub(super) value: Value,
    /// When it ends.
    pub(super) expires: Option<UnixNanos>,
    /// What a login says beside its tokens.
    pub(super) facts: Option<(LoginKind, LoginFacts)>,
}

/// The owner's world, as the process found it. Not to be printed: variables hold secrets.
pub(super) struct World {
    /// The environment.
    pub(super) environment: BTreeMap<OsString, OsString>,
    /// The time.
    pub(super) now: UnixNanos,
}

impl World {
    fn path(&self, variable: &str) -> Option<PathBuf> {
        let value = self.environment.get(OsStr::new(variable)).map(PathBuf::from);
        value.filter(|path| path.is_absolute())
    }
}

/// Reads a value from its source.
///
/// # Errors
/// [`SourceError`].
pub(super) fn capture(world: &World, name: &SecretName, source: &Source) -> Result<Captured, SourceError> {
    match source {
        Source::Env(variable) => {
            let value = world.environment.get(OsStr::new(variable));
            let value = value.ok_or_else(|| SourceError::NoVariable(variable.clone()))?;
            plain(Zeroizing::new(value.as_bytes().to_vec()))
        }
        Source::File(path) => {
            let path = PathBuf::from(path);
            let read = File::open(&path).and_then(|file| read_within(file, SECRET_BYTES_MAX + 2));
            plain(read.map_err(|error| SourceError::File(path, error))?)
        }
        Source::Command(command) => plain(run(world, command)?),
        Source::Prompt => plain(prompt::ask(&format!("value of the secret {name} (not shown)"))?),
        Source::Setting(set, place) => plain(Zeroizing::new(setting::value(world, *set, place)?)),
        Source::Login(kind) => {
            let path = login_path(world, *kind)?;
            let read = File::open(&path).and_then(|file| read_within(file, LOGIN_FILE_BYTES_MAX));
            let bytes = read.map_err(|error| SourceError::File(path, error))?;
            let login = login::parse_file(*kind, &bytes)?;
            let value = Value { secret: login.access, refresh: login.refresh };
            Ok(Captured { value, expires: login.expires, facts: Some((*kind, login.facts)) })
        }
    }
}

/// Without the line end that files and commands end with.
fn plain(mut bytes: Zeroizing<Vec<u8>>) -> Result<Captured, SourceError> {
    for end in *b"\n\r" {
        if bytes.last() == Some(&end) {
            bytes.pop();
        }
    }
    let secret = Secret::new(std::mem::take(&mut *bytes))?;
    let expires = login::token_expiry(secret.expose());
    Ok(Captured { value: Value { secret, refresh: None }, expires, facts: None })
}

fn login_path(world: &World, kind: LoginKind) -> Result<PathBuf, SourceError> {
    let own = match kind {
        LoginKind::Claude => world.path("CLAUDE_CONFIG_DIR").map(|path| path.join(".credentials.json")),
        LoginKind::Codex => world.path("CODEX_HOME").map(|path| path.join("auth.json")),
    };
    let usual = || world.path("HOME").map(|home| home.join(kind.file()));
    own.or_else(usual).ok_or_else(|| SourceError::NoVariable("HOME".into()))
}

/// Runs a command of the owner's with the owner's shell, terminal and environment; its errors go where ours go.
fn run(world: &World, command: &str) -> Result<Zeroizing<Vec<u8>>, SourceError> {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", command]).env_clear().envs(&world.environment).stdout(Stdio::piped());
    let mut child = shell.spawn().map_err(SourceError::Command)?;
    let read = read_until(&mut child, Instant::now() + Duration::from_secs(COMMAND_SECONDS_MAX));
    if read.is_err() {
        // It may have ended by itself meanwhile.
        let _ended = child.kill().is_err();
    }
    let status = child.wait().map_err(SourceError::Command)?;
    let bytes = read?;
    if status.success() { Ok(bytes) } else { Err(SourceError::CommandFailed(status)) }
}

fn read_until(child: &mut Child, end: Instant) -> Result<Zeroizing<Vec<u8>>, SourceError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(SECRET_BYTES_MAX + 3));
    let Some(mut stdout) = child.stdout.take() else { return Ok(bytes) };
    let mut piece = Zeroizing::new([0; 1024]);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(SourceError::CommandTime);
        }
        let timeout = Timespec { tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX), tv_nsec: 1 };
        let ready = rustix::event::poll(&mut [PollFd::new(&stdout, PollFlags::IN)], Some(&timeout));
        match ready {
            Ok(0) | Err(rustix::io::Errno::INTR) => continue,
            Ok(_) => {}
            Err(errno) => return Err(SourceError::Command(errno.into())),
        }
        let count = stdout.read(piece.as_mut_slice()).map_err(SourceError::Command)?;
        if count == 0 {
            return Ok(bytes);
        }
        bytes.extend_from_slice(piece.get(..count).unwrap_or_default());
        if bytes.len() > SECRET_BYTES_MAX + 2 {
            return Err(SourceError::TooLong);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(variables: &[(&str, &str)]) -> World {
        let pair = |(key, value): &(&str, &str)| (OsString::from(key), OsString::from(value));
        World { environment: variables.iter().map(pair).collect(), now: UnixNanos(0) }
    }

    fn captured(source: &str, variables: &[(&str, &str)]) -> Result<Captured, SourceError> {
        capture(&world(variables), &"name".parse().unwrap(), &source.parse().unwrap())
    }

    #[test]
    fn a_value_comes_without_its_line_end_from_variable_file_and_command() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        std::fs::write(&path, "from-a-file-1\r\n").unwrap();
        let file = format!("file:{}", path.display());
        let sources = [
            ("env:TOKEN", "from-the-environment"),
            (file.as_str(), "from-a-file-1"),
            ("command:printf '%s\\n' \"$TOKEN\"", "from-the-environment"),
        ];
        for (source, value) in sources {
            let captured = captured(source, &[("TOKEN", "from-the-environment"), ("PATH", "/usr/bin:/bin")]);
            assert_eq!(captured.unwrap().value.secret.expose(), value.as_bytes(), "{source}");
        }
    }

    #[test]
    fn no_error_holds_what_was_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        std::fs::write(&path, "planted-one\nplanted-two\n").unwrap();
        let file = format!("file:{}", path.display());
        let long = "planted".repeat(SECRET_BYTES_MAX);
        let sources = [
            (file.as_str(), "planted"),
            ("env:TOKEN", "planted\nline"),
            ("env:TOKEN", long.as_str()),
            ("command:echo planted; exit 3", ""),
            ("command:yes planted", ""),
            ("env:OTHER", "planted-value"),
            ("file:/nonexistent", ""),
        ];
        for (source, value) in sources {
            let error = captured(source, &[("TOKEN", value), ("PATH", "/usr/bin:/bin")]).unwrap_err();
            let mut told = error.to_string();
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                told.push_str(&error.to_string());
                cause = error.source();
            }
            assert!(!told.contains("planted"), "{told}");
            assert!(!format!("{error:?}").contains("planted"), "{error:?}");
        }
    }
}
