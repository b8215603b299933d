//! What a process inherits without asking: descriptors, environment, signals, a directory that it cannot reach.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;

use crate::attempt::{Attempt, Radius};
use crate::finding::{Finding, Gate};
use crate::inside::proc;
use crate::plants::{Plant, PlantError, Plants};

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::forbidden(
        "inherited-fds",
        "Inherits a descriptor besides the first three.",
        "CVE-2024-21626",
        |_| descriptors(),
    ),
    Attempt::forbidden(
        "inherited-directory-fds",
        "Inherits a directory as one of the first three.",
        "attacks 5",
        |_| standard_directories(),
    ),
    Attempt::forbidden("inherited-canary", "Inherits the canary in its environment.", "attacks 16", canary)
        .of(Radius::Credential)
        .needs(&[Plant::Canary]),
    Attempt::forbidden(
        "inherited-secret-names",
        "Inherits variables named like secrets.",
        "attacks 16",
        secret_names,
    )
    .of(Radius::Credential),
    Attempt::forbidden(
        "inherited-sockets",
        "Inherits the address of an agent or a bus.",
        "attacks 5",
        |_| named(&SOCKET_VARIABLES),
    )
    .of(Radius::Credential),
    Attempt::forbidden("inherited-signals", "Inherits blocked or ignored signals.", "signal(7)", |_| {
        signals()
    }),
    Attempt::forbidden("inherited-cwd", "Stands in a directory outside its root.", "CVE-2024-21626", |_| {
        cwd()
    }),
];

/// Variables by which programs find the owner's agents, buses and displays.
const SOCKET_VARIABLES: [&str; 10] = [
    "SSH_AUTH_SOCK",
    "GPG_AGENT_INFO",
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "DOCKER_HOST",
    "TMUX",
    "XDG_RUNTIME_DIR",
    "KRB5CCNAME",
];
/// Endings of names that hold secrets.
const SECRET_ENDINGS: [&str; 6] = ["_TOKEN", "_KEY", "_SECRET", "_PASSWORD", "_CREDENTIALS", "_PAT"];

fn descriptors() -> Result<Finding, PlantError> {
    let names = match proc::names("/proc/self/fd") {
        Ok(names) => names,
        failed @ Err(_) => return Ok(Gate::PATH.judge("/proc/self/fd", failed)),
    };
    let beyond = names.iter().filter_map(|name| name.parse::<u32>().ok()).filter(|fd| *fd > 2);
    // The descriptor by which the directory was listed is closed by now, and its link gone with it.
    let open: Vec<_> = beyond
        .filter_map(|fd| {
            proc::link(&format!("/proc/self/fd/{fd}")).ok().map(|target| format!("{fd} → {target}"))
        })
        .collect();
    Ok(if open.is_empty() {
        Finding::Held("none but the first three".to_owned())
    } else {
        Finding::Reached(open.join(", "))
    })
}

fn standard_directories() -> Result<Finding, PlantError> {
    let directory =
        (0..3).find(|fd| std::fs::metadata(format!("/proc/self/fd/{fd}")).is_ok_and(|meta| meta.is_dir()));
    Ok(match directory {
        Some(fd) => Finding::Reached(format!("descriptor {fd} is a directory")),
        None => Finding::Held("none of the three is a directory".to_owned()),
    })
}

fn environment() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(key, _)| !key.to_str().is_some_and(Plants::is_variable))
}

/// Without those that the authority passes on by name.
fn not_given(plants: &Plants) -> impl Iterator<Item = (OsString, OsString)> {
    let given = plants.given_variables();
    environment().filter(move |(key, _)| !key.to_str().is_some_and(|key| given.contains(&key)))
}

/// Names only: a value would end in a report, and a report in a log.
fn canary(plants: &Plants) -> Result<Finding, PlantError> {
    let canary = plants.text(Plant::Canary)?;
    let mut found = not_given(plants).filter(|(_, value)| proc::contains(value.as_bytes(), canary));
    Ok(match found.next() {
        Some((key, _)) => Finding::Reached(format!("{} holds it", key.to_string_lossy())),
        None => Finding::Held("no variable holds it".to_owned()),
    })
}

fn secret_names(plants: &Plants) -> Result<Finding, PlantError> {
    let names: Vec<_> = not_given(plants)
        .map(|(key, _)| key.to_string_lossy().into_owned())
        .filter(|key| SECRET_ENDINGS.iter().any(|ending| key.to_ascii_uppercase().ends_with(ending)))
        .collect();
    Ok(if names.is_empty() {
        Finding::Held("no variable is named like a secret".to_owned())
    } else {
        Finding::Reached(names.join(", "))
    })
}

fn named(wanted: &[&str]) -> Result<Finding, PlantError> {
    let found: Vec<_> = wanted.iter().copied().filter(|name| std::env::var_os(name).is_some()).collect();
    Ok(if found.is_empty() {
        Finding::Held("none of them is set".to_owned())
    } else {
        Finding::Reached(found.join(", "))
    })
}

fn signals() -> Result<Finding, PlantError> {
    /// SIGPIPE, ignored by the start-up code of this very program, and 32 and 33, which belong to the C library:
    /// `sigaction(3)` can neither set nor reset them, and nothing outside hears of them.
    const NOT_ASKED: u64 = (1 << 12) | (1 << 31) | (1 << 32);
    let mask = |name| proc::own_status(name).ok().and_then(|bits| u64::from_str_radix(&bits, 16).ok());
    let (Some(blocked), Some(ignored)) = (mask("SigBlk"), mask("SigIgn")) else {
        return Ok(Finding::Inconclusive("the status of this process cannot be read".to_owned()));
    };
    let ignored = ignored & !NOT_ASKED;
    Ok(if blocked == 0 && ignored == 0 {
        Finding::Held("none is blocked or ignored".to_owned())
    } else {
        Finding::Reached(format!("blocked {blocked:#x}, ignored {ignored:#x}"))
    })
}

fn cwd() -> Result<Finding, PlantError> {
    const PATH: &str = "/proc/self/cwd";
    Ok(match proc::link(PATH) {
        Ok(path) if path.starts_with("(unreachable)") => Finding::Reached(format!("{PATH}: {path}")),
        Ok(path) => Finding::Held(format!("{PATH}: {path}")),
        failed @ Err(_) => Gate::PATH.judge(PATH, failed),
    })
}
