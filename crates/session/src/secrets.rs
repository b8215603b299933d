//! The owner's secrets, by name: added, listed, revoked, removed, and what they were used for.
//!
//! No value ever comes here. Each order starts the program `cofferdam-gateway`, which is beside this one and says only what
//! is known in the open.

mod uses;

pub use uses::{Use, uses};

use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::network;
use crate::programs;
use crate::sessions::{self, SessionRecord};
use crate::shell;
use crate::state::State;
use cofferdam_gateway::wire::PROGRAM;
use cofferdam_policy::net::credential::SecretName;
use cofferdam_policy::net::secret::{
    SecretAnswer, SecretFailure, SecretFailureKind, SecretReport, Source, Standing,
};
use cofferdam_policy::session_id::SessionId;
use rustix::io::Errno;
use std::ffi::OsString;
use std::io::Read as _;
use std::process::{Command, Stdio};

/// The longest answer of it, in bytes.
const ANSWER_BYTES_MAX: u64 = 4 << 20;

/// Write permission of the group, or of everybody.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// A secret to be added, as typed.
#[derive(Debug, Clone)]
pub struct Addition {
    /// What it is to be called.
    pub name: String,
    /// `env:X`, `file:PATH`, `command:…`, `prompt`, `login:claude`, `login:codex`
    pub source: String,
    /// In the place of one of that name.
    pub replace: bool,
    /// Where a login is refreshed, in place of its provider's address.
    pub token_endpoint: Option<String>,
}

/// What a revocation did.
#[derive(Debug)]
pub struct Revoked {
    /// The secret.
    pub report: SecretReport,
    /// Running sessions that had the use of it; they have been told.
    pub running: Vec<SessionRecord>,
}

/// Adds a secret.
///
/// # Errors
/// [`ErrorKind::Usage`], [`ErrorKind::NameTaken`], [`ErrorKind::Secret`], [`ErrorKind::State`].
pub fn add(context: &Context, addition: &Addition) -> Result<SecretReport, Error> {
    let name = name(&addition.name)?;
    let source = source(context, &addition.source)?;
    check_place_of_key(context)?;
    let mut words: Vec<OsString> = vec!["add".into()];
    if addition.replace {
        words.push("--replace".into());
    }
    if let Some(endpoint) = &addition.token_endpoint {
        words.extend(["--token-endpoint".into(), endpoint.into()]);
    }
    words.extend(["--".into(), name.as_str().into(), source.to_string().into()]);
    one(ask(context, words)?)
}

/// The key of the store lies in the configuration: nobody else may put another in its place.
fn check_place_of_key(context: &Context) -> Result<(), Error> {
    let place = context.config.as_path();
    let cannot =
        || Error::new(ErrorKind::State, format!("cannot keep the key of secrets in {}", place.display()));
    let found = match rustix::fs::stat(place) {
        Ok(found) => found,
        // It is made, for the owner alone.
        Err(Errno::NOENT) => return Ok(()),
        Err(errno) => {
            return Err(cannot().because(errno).hint("set XDG_CONFIG_HOME to a directory of your own"));
        }
    };
    if found.st_uid != context.uid {
        return Err(cannot()
            .since(format!("the directory belongs to another user (uid {})", found.st_uid))
            .hint("set XDG_CONFIG_HOME to a directory of your own"));
    }
    if found.st_mode & WRITABLE_BY_OTHERS != 0 {
        return Err(cannot()
            .since("others may write to the directory")
            .hint(format!("chmod go-w {}", shell::word(&place.to_string_lossy()))));
    }
    Ok(())
}

/// All secrets, or those that are named, as they stand for a session or for any.
///
/// # Errors
/// [`ErrorKind::State`].
pub fn list(
    context: &Context,
    names: &[SecretName],
    session: Option<&SessionId>,
) -> Result<Vec<SecretReport>, Error> {
    ask(context, words("list", names, session))
}

/// What a session is to be started with: files and commands are read anew, and each secret has a value that counts.
///
/// # Errors
/// [`ErrorKind::Secret`] names the first that is missing, expired or revoked; [`ErrorKind::State`].
pub fn ready(
    context: &Context,
    names: &[SecretName],
    session: Option<&SessionId>,
) -> Result<Vec<SecretReport>, Error> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let reports = ask(context, words("refresh", names, session))?;
    match reports.iter().find_map(unusable) {
        Some(error) => Err(error),
        None => Ok(reports),
    }
}

/// Revokes a secret, for one session or for all.
///
/// # Errors
/// [`ErrorKind::Secret`] if there is none of that name; [`ErrorKind::State`], [`ErrorKind::Ledger`].
pub fn revoke(
    context: &Context,
    state: &State,
    secret: &str,
    session: Option<&SessionRecord>,
) -> Result<Revoked, Error> {
    let name = name(secret)?;
    let id = session.map(|record| &record.id);
    // Marked first: whatever starts from now on has it no more.
    let report = one(ask(context, words("revoke", &[name], id))?)?;
    let running = match session {
        Some(record) => vec![record.clone()],
        None => sessions::list(context, state)?,
    };
    // One that ended meanwhile needs no telling.
    let told = |record: &SessionRecord| network::revoke(state, record, secret).unwrap_or_default();
    let running = running.into_iter().filter(|record| sessions::is_running(record) && told(record));
    Ok(Revoked { report, running: running.collect() })
}

/// Removes a secret, its value and what is known of it. It is revoked before: a session that runs has the value in its
/// gateway, and would keep the use of it.
///
/// # Errors
/// [`ErrorKind::Secret`] if there is none of that name; [`ErrorKind::State`], [`ErrorKind::Ledger`].
pub fn remove(context: &Context, state: &State, secret: &str) -> Result<Revoked, Error> {
    let name = name(secret)?;
    // A store that can't be read is not written to either.
    ask(context, words("list", std::slice::from_ref(&name), None))?;
    let revoked = revoke(context, state, secret, None)?;
    ask(context, words("remove", &[name], None)).map(|_none| revoked)
}

/// Why a secret can't be used, if it can't.
fn unusable(report: &SecretReport) -> Option<Error> {
    let name = &report.name;
    let cannot = |why: &str, hint: String| {
        Some(Error::new(ErrorKind::Secret, format!("cannot use the secret {name}")).since(why).hint(hint))
    };
    let again =
        report.entry.as_ref().map_or_else(|| "…".to_owned(), |entry| shell::word(&entry.source.to_string()));
    match report.standing {
        Standing::Usable => None,
        Standing::Missing => cannot(
            "the store has no value for it",
            format!("cofferdam secret add {name} --from env:X, file:PATH, command:COMMAND or prompt"),
        ),
        Standing::Expired => {
            cannot("its time is over", format!("cofferdam secret add {name} --replace --from {again}"))
        }
        Standing::Revoked => {
            cannot("you revoked it", format!("cofferdam secret add {name} --replace --from {again}"))
        }
    }
}

fn name(text: &str) -> Result<SecretName, Error> {
    text.parse().map_err(|error| {
        Error::new(ErrorKind::Usage, "cannot take this name for a secret")
            .because(error)
            .hint("for example: cofferdam secret add github --from env:GH_TOKEN")
    })
}

/// With the path of a file made absolute: the session that reads it anew starts elsewhere.
fn source(context: &Context, text: &str) -> Result<Source, Error> {
    let text = match text.strip_prefix("file:") {
        Some(path) => {
            let path = context.expand(path, &context.current);
            format!("file:{}", path.to_string_lossy())
        }
        None => text.to_owned(),
    };
    text.parse().map_err(|error| {
        Error::new(ErrorKind::Usage, "cannot take this source of a secret")
            .because(error)
            .hint("for example: cofferdam secret add github --from prompt")
    })
}

fn words(mode: &str, names: &[SecretName], session: Option<&SessionId>) -> Vec<OsString> {
    let mut words: Vec<OsString> = vec![mode.into()];
    if let Some(session) = session {
        words.extend(["--session".into(), session.as_str().into()]);
    }
    words.push("--".into());
    words.extend(names.iter().map(|name| name.as_str().into()));
    words
}

fn one(reports: Vec<SecretReport>) -> Result<SecretReport, Error> {
    reports.into_iter().next().ok_or_else(|| broken("it says nothing of the secret".to_owned()))
}

/// Starts the program with our terminal and environment, and reads what it says.
fn ask(context: &Context, order: Vec<OsString>) -> Result<Vec<SecretReport>, Error> {
    let program = programs::beside(&context.program, PROGRAM)?;
    let places = [("--state", &context.state), ("--config", &context.config)];
    let places = places.map(|(option, path)| [OsString::from(option), path.as_path().as_os_str().to_owned()]);
    let mut command = Command::new(&program);
    command.arg("secret").args(places.as_flattened()).args(order);
    // HOME as we resolved it: a login lies below it.
    command.env_clear().envs(&context.environment).env("HOME", context.home.as_path());
    let cannot = |error: std::io::Error| {
        Error::new(ErrorKind::State, format!("cannot run {}", program.display()))
            .because(error)
            .hint(programs::SIDE_BY_SIDE)
    };
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(cannot)?;
    let mut text = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(ANSWER_BYTES_MAX).read_to_end(&mut text).map_err(cannot)?;
    }
    let status = child.wait().map_err(cannot)?;
    match serde_json::from_slice(&text) {
        Ok(SecretAnswer::Secrets(reports)) => Ok(reports),
        Ok(SecretAnswer::Failed(failure)) => Err(told(failure)),
        Err(_unreadable) => Err(broken(format!("it ended with {status}"))),
    }
}

fn told(failure: SecretFailure) -> Error {
    let kind = match failure.kind {
        SecretFailureKind::Usage => ErrorKind::Usage,
        SecretFailureKind::Source => ErrorKind::Secret,
        SecretFailureKind::Store => ErrorKind::State,
        SecretFailureKind::Taken => ErrorKind::NameTaken,
    };
    Error::new(kind, failure.what).since(failure.why).hint(failure.what_to_do)
}

fn broken(why: String) -> Error {
    Error::new(ErrorKind::State, format!("cannot understand the program {PROGRAM}"))
        .since(why)
        .hint(programs::SIDE_BY_SIDE)
}
