//! The command of a session: its arguments, its environment from nothing, and where it starts.

use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::handles::Handles;
use crate::resolve;
use cofferdam_cell::Program;
use cofferdam_policy::authority::{Authority, EnvValue};
use cofferdam_policy::presets::network;
use cofferdam_policy::session_id::SessionName;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

/// What every Linux program finds its helpers by.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Harmless variables that programs look and speak by; taken from the owner when set.
const TASTE: [&str; 14] = [
    "TERM",
    "COLORTERM",
    "NO_COLOR",
    "FORCE_COLOR",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LC_COLLATE",
    "LC_MESSAGES",
    "LC_NUMERIC",
    "LC_TIME",
    "TZ",
    "TERM_PROGRAM",
];

/// The longest value of such a variable.
const TASTE_BYTES_MAX: usize = 128;

/// Makes a program for a session with this authority; without a certificate in its cell none is named.
///
/// # Errors
/// [`ErrorKind::Usage`] without a command, [`ErrorKind::Secret`] for a variable that looks like one.
pub(crate) fn program(
    context: &Context,
    authority: &Authority,
    name: &SessionName,
    handles: &Handles,
    command: &[OsString],
    has_certificate: bool,
) -> Result<Program, Error> {
    if command.is_empty() {
        return Err(Error::new(ErrorKind::Usage, "cannot start without a command")
            .since("nothing follows `--`")
            .hint("put it there: -- COMMAND [ARGUMENTS]"));
    }
    Ok(Program {
        arguments: command.iter().map(|argument| argument.as_bytes().to_vec()).collect(),
        environment: environment(context, authority, name, handles, has_certificate)?,
        directory: directory(context, authority),
    })
}

fn environment(
    context: &Context,
    authority: &Authority,
    name: &SessionName,
    handles: &Handles,
    has_certificate: bool,
) -> Result<Vec<Vec<u8>>, Error> {
    let mut variables: BTreeMap<String, OsString> = BTreeMap::new();
    for key in TASTE {
        let value = context.variable(key).filter(|value| value.len() <= TASTE_BYTES_MAX && plain(value));
        variables.extend(value.map(|value| (key.to_owned(), value.into())));
    }
    let network = if has_certificate { network::network_environment() } else { network::proxy_environment() };
    variables.extend(network.into_iter().map(|(key, value)| (key.to_owned(), value.into())));
    for (key, value) in &authority.environment {
        let value = match value {
            EnvValue::Literal(text) => Some(OsString::from(text)),
            EnvValue::Inherited => inherited(context, key)?.map(OsString::from),
            EnvValue::DangerouslyInherited => context.variable(key).map(OsString::from),
        };
        variables.extend(value.map(|value| (key.clone(), value)));
    }
    let given = handles.environment(authority);
    variables.extend(given.map(|(key, handle)| (key.to_owned(), handle.into())));
    let identity = &authority.identity;
    let mut path: Vec<&str> = authority.path.iter().map(|entry| entry.as_str()).collect();
    let own = format!("{}/.local/bin", identity.home);
    path.extend([own.as_str(), SYSTEM_PATH]);
    let fixed = [
        ("HOME", identity.home.to_string()),
        ("USER", identity.name.clone()),
        ("LOGNAME", identity.name.clone()),
        ("SHELL", if Path::new("/usr/bin/bash").exists() { "/bin/bash".into() } else { "/bin/sh".into() }),
        ("PATH", path.join(":")),
        ("XDG_RUNTIME_DIR", format!("/run/user/{}", identity.uid)),
        ("COFFERDAM_SESSION", name.as_str().to_owned()),
    ];
    variables.extend(fixed.into_iter().map(|(key, value)| (key.to_owned(), value.into())));
    let pair = |(key, value): (String, OsString)| [key.as_bytes(), b"=", &value.into_vec()].concat();
    Ok(variables.into_iter().map(pair).collect())
}

/// The owner's value by now: at an `exec` or `resume` it may be a secret that was none when the session began.
fn inherited<'c>(context: &'c Context, key: &str) -> Result<Option<&'c str>, Error> {
    let Some(value) = context.variable(key) else { return Ok(None) };
    resolve::check_value(key, value).map_err(|error| {
        error.hint(format!("unset it here; or start a new session with --dangerous-env {key}"))
    })?;
    Ok(Some(value))
}

fn plain(value: &str) -> bool {
    value.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
}

/// The owner's current directory where it is shown, else the first workspace.
fn directory(context: &Context, authority: &Authority) -> Vec<u8> {
    let current = authority.workspaces.iter().any(|known| context.current.starts_with(known.path.as_path()));
    let first = authority.workspaces.first().map(|known| known.path.as_path());
    let start = if current { Some(context.current.as_path()) } else { first };
    start.unwrap_or(Path::new("/")).as_os_str().as_bytes().to_vec()
}
