//! What the owner asks for on the command line of `run` and `explain`, before it is resolved.

use cofferdam_policy::wish::Wish;
use std::ffi::OsString;
use std::path::PathBuf;

/// The flags of `run`, as given.
#[derive(Debug, Clone, Default)]
pub struct RunRequest {
    /// `--name`
    pub name: Option<OsString>,
    /// `--workspace`; none stands for the git top level of the current directory, or that directory.
    pub workspaces: Vec<PathBuf>,
    /// Everything else that widens or narrows, in the form of a policy.
    pub wish: Wish,
    /// The repository's request, looked at as if it were accepted: what `trust` shows. Relative paths in it start from
    /// the directory, not from where the command was typed.
    pub accepting: Option<Wish>,
    /// `--dangerous-env`: variables that are passed on although they look like secrets.
    pub dangerous_environment: Vec<String>,
    /// `--copy`
    pub copy: bool,
    /// `--policy`
    pub policy: Option<PathBuf>,
    /// The command and its arguments.
    pub command: Vec<OsString>,
}
