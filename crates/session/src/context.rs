//! What a story knows of the world outside: environment, directories, identity, clock and chance.
//!
//! Read once in `main` and handed on as a value, so that stories can be told twice with the same end.

use crate::error::{Error, ErrorKind};
use cofferdam_policy::event::UnixNanos;
use cofferdam_policy::path::AbsPath;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// The world as `main` found it.
#[derive(Debug, Clone)]
pub struct Context {
    /// The owner's environment.
    pub environment: BTreeMap<OsString, OsString>,
    /// The owner's home directory.
    pub home: AbsPath,
    /// The current directory, resolved.
    pub current: PathBuf,
    /// The owner's user id.
    pub uid: u32,
    /// The owner's group id.
    pub gid: u32,
    /// `$XDG_STATE_HOME/cofferdam`
    pub state: AbsPath,
    /// `$XDG_CONFIG_HOME/cofferdam`
    pub config: AbsPath,
    /// This program's own file: the others lie beside it. Empty where nothing is started.
    pub program: PathBuf,
    /// The time, now.
    pub now: fn() -> UnixNanos,
}

impl Context {
    /// Makes sense of an environment.
    ///
    /// # Errors
    /// [`ErrorKind::State`] without a usable home directory.
    pub fn new(
        environment: BTreeMap<OsString, OsString>,
        current: PathBuf,
        now: fn() -> UnixNanos,
    ) -> Result<Self, Error> {
        let unusable = |what: &str, why: String| {
            Error::new(ErrorKind::State, format!("cannot use {what}"))
                .since(why)
                .hint("set HOME to an absolute path without odd characters")
        };
        let text =
            environment.get(OsStr::new("HOME")).ok_or_else(|| unusable("HOME", "it is not set".into()))?;
        // The resolved path: what lies below a linked home is mounted at its real place.
        let real = std::fs::canonicalize(text).map_err(|error| unusable("HOME", error.to_string()))?;
        let home = AbsPath::new(&real).map_err(|error| unusable("HOME", error.to_string()))?;
        let directory = |key: &str, default: &str| {
            let given = environment.get(OsStr::new(key)).filter(|value| Path::new(value).is_absolute());
            let base = given.map_or_else(|| home.as_path().join(default), PathBuf::from);
            AbsPath::new(base.join("cofferdam")).map_err(|error| unusable(key, error.to_string()))
        };
        Ok(Self {
            state: directory("XDG_STATE_HOME", ".local/state")?,
            config: directory("XDG_CONFIG_HOME", ".config")?,
            home,
            current,
            uid: rustix::process::getuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
            environment,
            program: PathBuf::new(),
            now,
        })
    }

    /// A variable of the owner's environment, if it is valid UTF-8.
    #[must_use]
    pub fn variable(&self, key: &str) -> Option<&str> {
        self.environment.get(OsStr::new(key)).and_then(|value| value.to_str())
    }

    /// The path that `text` names: absolute, below the home after `~/`, or below `base`.
    #[must_use]
    pub fn expand(&self, text: &str, base: &Path) -> PathBuf {
        match text.strip_prefix("~/") {
            Some(rest) => self.home.as_path().join(rest),
            None if text == "~" => self.home.as_path().to_owned(),
            None => base.join(text),
        }
    }
}
