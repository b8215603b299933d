//! `cofferdam-gateway secret …`: the short-lived mode that takes values into the store, so that no other program holds one.
//!
//! Called by `cofferdam`, not by people. One JSON value on standard output, done or failed; never a secret's value, nor a
//! part of one, in output, errors or arguments.

use super::login::LoginError;
use super::source::{self, Captured, SourceError, World};
use super::store::{Contents, Store, StoreError, Value};
use crate::wire::SecretStore;
use cofferdam_policy::event::UnixNanos;
use cofferdam_policy::net::credential::{CredentialError, SecretName};
use cofferdam_policy::net::secret::{
    LoginEntry, SecretAnswer, SecretEntry, SecretFailure, SecretFailureKind, SecretReport, Source,
    SourceTextError,
};
use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// The most names in one order.
const NAMES_MAX: usize = 256;
/// The longest address of a token endpoint, in bytes.
const ENDPOINT_BYTES_MAX: usize = 512;

/// One order.
#[derive(Debug, PartialEq, Eq)]
enum Order {
    Add { name: SecretName, source: Source, replace: bool, token_endpoint: Option<String> },
    Refresh { names: Vec<SecretName>, session: Option<String> },
    List { names: Vec<SecretName>, session: Option<String> },
    Revoke { name: SecretName, session: Option<String> },
    Remove { name: SecretName },
}

/// Why an order was not done.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error("cannot understand the order to the store of secrets")]
    Usage(#[source] UsageError),
    #[error("cannot use the store of secrets")]
    Store(#[from] StoreError),
    #[error("cannot read the secret {0}")]
    Source(SecretName, #[source] SourceError),
    #[error("cannot describe the secret {0}")]
    Shape(SecretName, #[source] cofferdam_policy::net::handle::ShapeError),
    #[error("cannot add the secret {0}")]
    Taken(SecretName),
    #[error("cannot find the secret {0}")]
    Unknown(SecretName),
}

#[derive(Debug, thiserror::Error)]
enum UsageError {
    #[error("its arguments are not those of this version: {0}")]
    Arguments(&'static str),
    #[error(transparent)]
    Name(#[from] CredentialError),
    #[error(transparent)]
    Source(#[from] SourceTextError),
}

/// Does one order: `--state DIR --config DIR add|refresh|list|revoke|remove …`.
pub fn run(arguments: Vec<OsString>, environment: BTreeMap<OsString, OsString>, now: UnixNanos) -> ExitCode {
    // No core dump of it, and nobody else of this user's reads its memory.
    let _tried =
        rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable).is_ok();
    let world = World { environment, now };
    let done =
        parse(arguments).map_err(CommandError::Usage).and_then(|(store, order)| act(&world, &store, order));
    let (answer, code) = match done {
        Ok(reports) => (SecretAnswer::Secrets(reports), ExitCode::SUCCESS),
        Err(error) => (SecretAnswer::Failed(failure(&error)), ExitCode::FAILURE),
    };
    let text = serde_json::to_string(&answer).unwrap_or_default();
    match writeln!(std::io::stdout().lock(), "{text}") {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}

fn parse(arguments: Vec<OsString>) -> Result<(Store, Order), UsageError> {
    let mut words = Vec::with_capacity(arguments.len());
    for word in arguments {
        words.push(word.into_string().map_err(|_untold| UsageError::Arguments("not UTF-8"))?);
    }
    let mut options: BTreeMap<String, String> = BTreeMap::new();
    let mut plain = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.strip_prefix("--") {
            Some("replace") => {
                options.insert("replace".into(), String::new());
            }
            Some(key @ ("state" | "config" | "session" | "token-endpoint")) => {
                let value = words.next().ok_or(UsageError::Arguments("an option without its value"))?;
                options.insert(key.into(), value);
            }
            // What follows is taken as it is: a command of the owner's may begin with dashes.
            Some("") => plain.extend(words.by_ref()),
            Some(_) => return Err(UsageError::Arguments("an unknown option")),
            None => plain.push(word),
        }
    }
    let place = |key: &str| options.get(key).map(PathBuf::from).filter(|path| path.is_absolute());
    let (Some(state), Some(config)) = (place("state"), place("config")) else {
        return Err(UsageError::Arguments("no directories"));
    };
    let mut plain = plain.into_iter();
    let mode = plain.next().unwrap_or_default();
    let rest: Vec<String> = plain.collect();
    Ok((Store::at(&SecretStore::of(&state, &config)), order(&mode, &rest, &options)?))
}

fn order(mode: &str, rest: &[String], options: &BTreeMap<String, String>) -> Result<Order, UsageError> {
    let session = options.get("session").cloned();
    let names = || -> Result<Vec<SecretName>, UsageError> {
        if rest.len() > NAMES_MAX {
            return Err(UsageError::Arguments("too many names"));
        }
        rest.iter().map(|text| Ok(text.parse::<SecretName>()?)).collect()
    };
    match (mode, rest) {
        ("add", [name, source]) => {
            let token_endpoint = options.get("token-endpoint").cloned();
            let address = |text: &String| {
                let web = text.starts_with("https://") || text.starts_with("http://");
                web && text.len() <= ENDPOINT_BYTES_MAX && text.bytes().all(|b| b.is_ascii_graphic())
            };
            if token_endpoint.as_ref().is_some_and(|text| !address(text)) {
                return Err(UsageError::Arguments("a token endpoint is an http(s) address"));
            }
            let replace = options.contains_key("replace");
            Ok(Order::Add { name: name.parse()?, source: source.parse()?, replace, token_endpoint })
        }
        ("refresh", _) => Ok(Order::Refresh { names: names()?, session }),
        ("list", _) => Ok(Order::List { names: names()?, session }),
        ("revoke", [name]) => Ok(Order::Revoke { name: name.parse()?, session }),
        ("remove", [name]) => Ok(Order::Remove { name: name.parse()? }),
        _ => Err(UsageError::Arguments("no such order")),
    }
}

fn act(world: &World, store: &Store, order: Order) -> Result<Vec<SecretReport>, CommandError> {
    match order {
        Order::Add { name, source, replace, token_endpoint } => {
            // Asked first, so that nobody types a value in vain.
            if !replace && store.entries()?.contains_key(&name) {
                return Err(CommandError::Taken(name));
            }
            let captured = capture(world, &name, &source)?;
            store.change(|contents| {
                if !replace && contents.entries.contains_key(&name) {
                    return Err(CommandError::Taken(name.clone()));
                }
                contents.entries.remove(&name);
                keep(contents, world.now, &name, source, captured, token_endpoint)
            })?;
            Ok(store.report(&[name], world.now, None)?)
        }
        Order::Refresh { names, session } => {
            refresh(world, store, &names)?;
            Ok(store.report(&names, world.now, session.as_deref())?)
        }
        Order::List { names, session } => Ok(store.report(&names, world.now, session.as_deref())?),
        Order::Revoke { name, session } => {
            let entry = store.change_entries(|entries| {
                let entry = entries.get_mut(&name).ok_or_else(|| CommandError::Unknown(name.clone()))?;
                match session {
                    Some(session) => {
                        entry.revoked_in.entry(session).or_insert(world.now);
                    }
                    None => {
                        entry.revoked.get_or_insert(world.now);
                    }
                }
                Ok::<_, CommandError>(entry.clone())
            })?;
            let standing = entry.standing(world.now, None);
            Ok(vec![SecretReport { name, standing, entry: Some(entry) }])
        }
        Order::Remove { name } => {
            store.change(|contents| {
                contents.values.remove(&name);
                contents.entries.remove(&name).ok_or_else(|| CommandError::Unknown(name.clone()))
            })?;
            Ok(Vec::new())
        }
    }
}

/// Reads anew what has a source that lasts. Values are read one by one before the store is touched: a command may take
/// its time.
fn refresh(world: &World, store: &Store, names: &[SecretName]) -> Result<(), CommandError> {
    let contents = store.contents()?;
    let mut read = Vec::new();
    for name in names {
        let Some(entry) = contents.entries.get(name).filter(|entry| entry.revoked.is_none()) else {
            continue;
        };
        if !entry.source.is_read_anew() {
            continue;
        }
        match capture(world, name, &entry.source) {
            Ok(captured) if is_news(&contents, name, entry, &captured) => read.push((name, captured)),
            Ok(_) => {}
            // A login that the store can refresh by itself needs its file no more.
            Err(_) if entry.login.as_ref().is_some_and(|login| login.renewable) => {}
            Err(error) => return Err(error),
        }
    }
    if read.is_empty() {
        return Ok(());
    }
    store.change(|contents| {
        for (name, captured) in read {
            // Removed or revoked meanwhile: then so be it.
            let Some(entry) = contents.entries.get(name).filter(|entry| entry.revoked.is_none()) else {
                continue;
            };
            let endpoint = entry.login.as_ref().and_then(|login| login.token_endpoint.clone());
            let source = entry.source.clone();
            keep(contents, world.now, name, source, captured, endpoint)?;
        }
        Ok(())
    })
}

/// A login's file may be older than what the store refreshed itself; everything else is as its source says now.
fn is_news(contents: &Contents, name: &SecretName, entry: &SecretEntry, captured: &Captured) -> bool {
    let Some(kept) = contents.values.get(name) else { return true };
    if captured.facts.is_some() && captured.expires <= entry.expires {
        return false;
    }
    kept.secret != captured.value.secret || captured.expires != entry.expires
}

fn capture(world: &World, name: &SecretName, source: &Source) -> Result<Captured, CommandError> {
    source::capture(world, name, source).map_err(|error| CommandError::Source(name.clone(), error))
}

/// Puts a value in the place of what was there; when it was first added and for whom it was revoked stays.
fn keep(
    contents: &mut Contents,
    now: UnixNanos,
    name: &SecretName,
    source: Source,
    captured: Captured,
    token_endpoint: Option<String>,
) -> Result<(), CommandError> {
    let Captured { value: Value { secret, refresh }, expires, facts } = captured;
    let shape = secret.shape().map_err(|error| CommandError::Shape(name.clone(), error))?;
    let before = contents.entries.get(name);
    let renewable = refresh.is_some();
    let entry = SecretEntry {
        shape,
        source,
        added: before.map_or(now, |entry| entry.added),
        refreshed: now,
        expires,
        revoked: None,
        revoked_in: before.map(|entry| entry.revoked_in.clone()).unwrap_or_default(),
        login: facts.map(|(kind, facts)| LoginEntry { kind, facts, token_endpoint, renewable }),
    };
    contents.entries.insert(name.clone(), entry);
    contents.values.insert(name.clone(), Value { secret, refresh });
    Ok(())
}

/// What `cofferdam` tells the owner.
fn failure(error: &CommandError) -> SecretFailure {
    let mut why = Vec::new();
    let mut cause = StdError::source(error);
    while let Some(error) = cause {
        why.push(error.to_string());
        cause = error.source();
    }
    let (kind, remedy) = remedy(error);
    let why = if why.is_empty() { told(error) } else { why.join(": ") };
    SecretFailure { kind, what: error.to_string(), why, what_to_do: remedy }
}

fn told(error: &CommandError) -> String {
    match error {
        CommandError::Taken(_) => "there is one of that name".into(),
        CommandError::Unknown(_) => "there is none of that name".into(),
        CommandError::Usage(_)
        | CommandError::Store(_)
        | CommandError::Source(..)
        | CommandError::Shape(..) => error.to_string(),
    }
}

fn remedy(error: &CommandError) -> (SecretFailureKind, String) {
    match error {
        CommandError::Usage(UsageError::Name(_) | UsageError::Source(_)) => {
            (SecretFailureKind::Usage, "cofferdam secret --help".into())
        }
        CommandError::Usage(UsageError::Arguments(_)) => {
            (SecretFailureKind::Usage, "install cofferdam and cofferdam-gateway of one version".into())
        }
        CommandError::Store(error) => (SecretFailureKind::Store, store_remedy(error)),
        CommandError::Taken(name) => {
            (SecretFailureKind::Taken, format!("replace it with --replace, or: cofferdam secret rm {name}"))
        }
        CommandError::Unknown(_) => (SecretFailureKind::Source, "cofferdam secret ls".into()),
        CommandError::Source(name, error) => (SecretFailureKind::Source, source_remedy(name, error)),
        CommandError::Shape(name, _) => {
            (SecretFailureKind::Source, format!("cofferdam secret add {name} --replace --from …"))
        }
    }
}

fn store_remedy(error: &StoreError) -> String {
    match error {
        StoreError::File { act: "lock", .. } => {
            "wait for the other cofferdam, or look for what holds it".into()
        }
        StoreError::File { path, .. } => {
            format!("it must be yours and closed to others: chmod go= {0}; ls -l {0}", path.display())
        }
        StoreError::NoKey(path) => format!(
            "bring {} back from where it went; else remove the secrets' store beside the state, and add them anew",
            path.display()
        ),
        StoreError::Cipher { path, .. } | StoreError::Damaged(path) => {
            format!("bring {} back from a backup, or move it away and add the secrets anew", path.display())
        }
        StoreError::Full => "remove what is not used: cofferdam secret rm NAME".into(),
    }
}

fn source_remedy(name: &SecretName, error: &SourceError) -> String {
    match error {
        SourceError::NoVariable(variable) => format!("export {variable}, or name another source with --from"),
        SourceError::File(..) => "is the file there, and may you read it?".into(),
        SourceError::Command(_) | SourceError::CommandFailed(_) | SourceError::CommandTime => {
            "try the command by itself: it has to print the value and nothing else".into()
        }
        SourceError::Terminal(_) => {
            "on a terminal, or with --from env:X, file:PATH or command:COMMAND".into()
        }
        SourceError::Cancelled => format!("cofferdam secret add {name} --from prompt"),
        SourceError::TooLong | SourceError::Shape(_) => {
            "a secret is one line of visible characters, 8 to 7168 of them".into()
        }
        SourceError::Setting(_) => "see where the tool loads from: cofferdam sets".into(),
        SourceError::Login(LoginError::NoLogin) => "sign in with the agent's own program first".into(),
        SourceError::Login(_) => "sign in with the agent's own program again".into(),
    }
}

#[cfg(test)]
mod tests;
