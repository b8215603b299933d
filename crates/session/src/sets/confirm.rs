//! Confirming where a package tool loads from: its settings first, then what it asks for in a cell.
//!
//! The tool runs with nothing but the places that the owner said yes to so far; what is refused then is what comes
//! next. Nothing is written before [`Draft::confirm`], and no place is spoken to that was not shown.

use super::confirmed::{self, Confirmed, Origin, Place};
use super::{credential, inward, surroundings};
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::request::RunRequest;
use crate::secrets::{self, Addition};
use crate::sessions;
use crate::shell;
use crate::start::{self, Ended, StartOptions, Started};
use crate::state::State;
use crate::supervise::{Ending, Streams};
use cofferdam_policy::event::{ExitStatus, Refused};
use cofferdam_policy::net::grant::{Grant, GrantOrigin, QueryRule, Scheme};
use cofferdam_policy::net::host::{Destination, Host, Port};
use cofferdam_policy::net::path::CanonicalPath;
use cofferdam_policy::net::refusal::RefusalReason;
use cofferdam_policy::presets::sets::base::Base;
use cofferdam_policy::presets::sets::registry::{Registry, Role};
use cofferdam_policy::presets::sets::trial::Trial;
use cofferdam_policy::presets::settings::Configured;
use cofferdam_policy::wish::Wish;
use std::collections::BTreeSet;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// How often a tool is run at most: what is compiled into it, its index, what that names, and where this leads.
pub const ROUNDS_MAX: u32 = 5;

/// How long one run may take.
const TRIAL_LIMIT: &str = "time=2m";
/// The most places that one run may bring up: a tool asks for few.
const OBSERVED_MAX: usize = 16;

/// What is to be confirmed.
#[derive(Debug)]
pub struct Draft {
    pub(super) registry: Registry,
    now: Configured,
    pub(super) confirmed: Confirmed,
    /// What was confirmed before.
    pub(super) before: Confirmed,
    /// Whose addresses were looked up.
    pub(super) looked_at: BTreeSet<(Host, Port)>,
}

/// What one run of a tool brought up.
#[derive(Debug, Default)]
pub struct Observed {
    /// Places that it asked for and was refused.
    pub places: Vec<Place>,
    /// What it asked for and no set can grant, as the refusals say it.
    pub others: Vec<String>,
    /// The exit code, if it failed.
    pub failed: Option<u8>,
}

/// What the tool's settings say, with what the owner wrote into the confirmed set about the same places.
///
/// # Errors
/// [`ErrorKind::Usage`] for a set that needs no confirmation, or is none; [`ErrorKind::Policy`] for broken settings.
pub fn propose(context: &Context, name: &str) -> Result<Draft, Error> {
    let registry = Registry::named(name).ok_or_else(|| {
        let known: Vec<&str> = Registry::ALL.into_iter().map(Registry::name).collect();
        Error::new(ErrorKind::Usage, format!("cannot confirm the set {name:?}"))
            .since("only sets of package tools load from places that are to be found out")
            .hint(format!("choose from: {}", known.join(", ")))
    })?;
    let now = surroundings::configured(context, registry)?;
    // A file that can't be read is about to be replaced.
    let before = confirmed::read(context, registry).ok().flatten().unwrap_or_default();
    let mut environment = now.environment.clone();
    let usual = registry.environment().iter();
    environment.extend(usual.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    let confirmed = Confirmed { places: Vec::new(), environment, files: now.files.clone() };
    let mut draft = Draft { registry, now, confirmed, before, looked_at: BTreeSet::new() };
    for found in &draft.now.places.clone() {
        let mut base = found.base.clone();
        inward::check_not_loopback(registry, &base)?;
        base.credential = found.login.as_ref().and_then(|_| name_of(registry, &base));
        draft.take(Place::new(found.role, base, Origin::Settings));
    }
    for named in draft.before.places.clone() {
        if named.from == Origin::You {
            draft.take(Place::new(named.role, named.base.without_addresses(), Origin::You));
        }
    }
    Ok(draft)
}

/// `npm-packages-test`: of the secret for a place.
fn name_of(registry: Registry, base: &Base) -> Option<cofferdam_policy::net::credential::CredentialName> {
    let plain = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' };
    let name: String = format!("{}-{}", registry.name(), base.place()).chars().map(plain).collect();
    name.get(..name.len().min(64)).and_then(|name| name.parse().ok())
}

impl Draft {
    /// The set's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.registry.name()
    }

    /// What it comes to so far.
    #[must_use]
    pub fn places(&self) -> &[Place] {
        &self.confirmed.places
    }

    /// What the owner should know of the settings.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.now.notes
    }

    /// The command that shows what comes next, if there is one.
    #[must_use]
    pub fn trial(&self) -> Option<Trial> {
        self.registry.trial()
    }

    /// Logins of the settings that become secrets: the secret's name, and where its value is.
    #[must_use]
    pub fn logins(&self) -> Vec<(String, String)> {
        let of = |place: &Place| {
            let name = place.base.credential.as_ref()?;
            Some((name.to_string(), format!("setting:{}:{}", self.registry.name(), place.base.place())))
        };
        let mut logins: Vec<(String, String)> = self.confirmed.places.iter().filter_map(of).collect();
        logins.dedup();
        logins
    }

    /// Takes the logins of the settings into the store of secrets, where the gateway finds them.
    ///
    /// # Errors
    /// As [`secrets::add`].
    pub fn keep_logins(&self, context: &Context) -> Result<(), Error> {
        if self.logins().is_empty() {
            return Ok(());
        }
        // The store's directory is the state's.
        let _made = State::open(context)?;
        for (name, source) in self.logins() {
            secrets::add(context, &Addition { name, source, replace: true, token_endpoint: None })?;
        }
        Ok(())
    }

    /// Takes a place that the owner said yes to, with what the owner wrote of it before.
    pub fn take(&mut self, mut place: Place) {
        if let Some(known) = self.confirmed.places.iter_mut().find(|known| known.is_same(&place)) {
            if place.base.query == QueryRule::Allow {
                known.base.query = QueryRule::Allow;
            }
        } else {
            self.know(&mut place);
            self.confirmed.places.push(place);
        }
    }

    /// Takes a place that the owner names: `https://…` as an index, `files=https://…` in that role.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if it is no address.
    pub fn name_place(&mut self, named: &str) -> Result<(), Error> {
        let (role, url) = in_role(named);
        let base = Base::parse(url).map_err(|error| {
            Error::new(ErrorKind::Usage, format!("cannot take the address {url:?}"))
                .because(error)
                .hint("write it without a user: https://host:port/path/, or files=https://host/path/")
        })?;
        inward::check_not_loopback(self.registry, &base)?;
        self.take(Place::new(role, base, Origin::You));
        Ok(())
    }

    /// Runs the tool once in a cell that reaches nothing but the places so far.
    ///
    /// # Errors
    /// As [`start::run`]; [`ErrorKind::Policy`] for a set without a command.
    pub fn run(&self, context: &Context, tools: &[String]) -> Result<Observed, Error> {
        let Some(trial) = self.trial() else { return Ok(Observed::default()) };
        let place = Scratch::make(context, self.registry)?;
        let request = self.request(&trial, tools, &place.0)?;
        let streams = Streams { input: false, output: false, error: false, aside: true };
        let options = StartOptions { detach: false, remove: true, ask: false, streams };
        let started = start::run(context, None, &request, options, &|_| (), &mut |_, _| ())?;
        let Started::Ended(ended) = started else { return Ok(Observed::default()) };
        if !ended.removed {
            sessions::remove(context, &State::open(context)?, &ended.id, &mut |_| ())?;
        }
        Ok(self.observed(&ended))
    }

    fn request(&self, trial: &Trial, tools: &[String], place: &Path) -> Result<RunRequest, Error> {
        let grants = self.confirmed.places.iter().map(|place| self.registry.grant(&place.base, place.role));
        let grants = grants.collect::<Result<_, _>>().map_err(|error| {
            Error::new(ErrorKind::Policy, format!("cannot grant what {} loads from", self.name()))
                .because(error)
                .hint("mend the settings of the tool")
        })?;
        let logins = self.confirmed.places.iter().filter_map(|place| {
            let mut at = self.now.places.iter().filter(|found| found.base.is_at(&place.base));
            credential(place.base.credential.as_ref()?, at.find_map(|found| found.login.as_ref())?)
        });
        let tools: Vec<String> = match tools {
            [] => trial.tools.iter().map(|name| (*name).to_owned()).collect(),
            named => named.to_vec(),
        };
        let environment =
            self.confirmed.environment.iter().filter(|(key, _)| is_variable(key)).map(pair).collect();
        let limits = TRIAL_LIMIT.parse().into_iter().collect();
        let credentials = logins.collect();
        let wish = Wish { grants, credentials, tools, environment, limits, ..Wish::default() };
        let script = format!("{{ {}{}; }} </dev/null >/dev/null 2>&1", self.files_written(), trial.script);
        let command = ["sh", "-c", &script].map(Into::into).to_vec();
        Ok(RunRequest { workspaces: vec![place.to_owned()], wish, command, ..RunRequest::default() })
    }

    /// The files that a session with the set finds in its home, as commands that write them.
    fn files_written(&self) -> String {
        let write = |(below, text): (&String, &String)| {
            let directory = below.rsplit_once('/').map_or("", |(directory, _)| directory);
            let (directory, below, text) = (shell::word(directory), shell::word(below), shell::word(text));
            format!("mkdir -p \"$HOME\"/{directory} && printf %s {text} >\"$HOME\"/{below} && ")
        };
        self.confirmed.files.iter().map(write).collect()
    }

    fn observed(&self, ended: &Ended) -> Observed {
        let mut observed = Observed::default();
        if let Ending::Exited(ExitStatus::Code(code @ 1..)) = ended.ending {
            observed.failed = Some(code);
        }
        for refused in ended.refusals.iter().take(OBSERVED_MAX) {
            match self.place_of(refused) {
                Some(place) if !observed.places.iter().any(|known| known.is_same(&place)) => {
                    observed.places.push(place);
                }
                Some(_) => {}
                None => observed.others.push(told(refused)),
            }
        }
        observed
    }

    /// The place that a refusal tells of, if one more place would permit it.
    fn place_of(&self, refused: &Refused) -> Option<Place> {
        let of = |reason: RefusalReason| reason.code() == refused.reason;
        let is_new = of(RefusalReason::HostNotGranted) || of(RefusalReason::PortNotGranted);
        let has_query = of(RefusalReason::QueryNotGranted);
        if !is_new && !has_query && !of(RefusalReason::PathNotGranted) {
            return None;
        }
        let at = Destination { host: Host::parse(&refused.host).ok()?, port: Port::new(refused.port)? };
        let offered = refused.allow.as_deref();
        let offered = offered.and_then(|line| Grant::from_line(line, GrantOrigin::Flag).ok());
        let scheme = offered.map_or_else(|| Scheme::usual_at(at.port), |grant| grant.scheme);
        let (role, mut base) = self.registry.observed(scheme, &at, refused.path.as_deref()?).ok()?;
        if has_query {
            base.query = QueryRule::Allow;
        }
        let place = Place::new(role, base, Origin::Observed);
        let covers =
            |known: &Place| known.is_same(&place) && (!has_query || known.base.query == QueryRule::Allow);
        let is_known = self.confirmed.places.iter().any(covers);
        (!is_known && self.permits(&place, refused.path.as_deref()?)).then_some(place)
    }

    /// Whether a place would permit this path: a tool asks for what is no part of the set, too, and its host is not to be
    /// granted for nothing.
    fn permits(&self, place: &Place, path: &str) -> bool {
        let (grant, path) =
            (self.registry.grant(&place.base, place.role), CanonicalPath::parse(path.as_bytes()));
        let (Ok(grant), Ok(path)) = (grant, path) else { return false };
        grant.paths.iter().any(|pattern| pattern.matches(&path))
    }

    /// Writes what was taken.
    ///
    /// # Errors
    /// [`ErrorKind::Policy`] if that is nothing; [`ErrorKind::State`].
    pub fn confirm(&self, context: &Context) -> Result<PathBuf, Error> {
        if self.confirmed.places.is_empty() {
            return Err(Error::new(ErrorKind::Policy, format!("cannot confirm {}", self.name()))
                .since("no place is known that it loads from")
                .hint(format!("name one: cofferdam sets confirm {} --hosts https://HOST/", self.name())));
        }
        confirmed::write(context, self.registry, &self.confirmed)
    }
}

/// A place as the owner names it: its role, and its address.
#[must_use]
pub fn in_role(named: &str) -> (Role, &str) {
    let role = named.split_once('=').and_then(|(role, url)| Role::named(role).map(|role| (role, url)));
    role.unwrap_or((Role::Index, named))
}

/// Names that `--env` takes; npm's scopes have others, and a trial needs none of them.
fn is_variable(key: &str) -> bool {
    key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn pair((key, value): (&String, &String)) -> String {
    format!("{key}={value}")
}

fn told(refused: &Refused) -> String {
    let method = refused.method.as_deref().unwrap_or("connection to");
    let path = refused.path.as_deref().unwrap_or_default();
    format!("{method} {}:{}{path} ({})", refused.host, refused.port, refused.reason)
}

/// An empty directory of the owner's, gone with this value.
struct Scratch(PathBuf);

impl Scratch {
    fn make(context: &Context, registry: Registry) -> Result<Self, Error> {
        let base = context.variable("TMPDIR").filter(|path| path.starts_with('/')).unwrap_or("/tmp");
        let unique = format!("cofferdam-sets-{}-{}", registry.name(), (context.now)().0);
        let path = Path::new(base).join(unique);
        // Fails where somebody else was first.
        std::fs::DirBuilder::new().mode(0o700).create(&path).map_err(|error| {
            Error::new(ErrorKind::State, format!("cannot make the directory {}", path.display()))
                .because(error)
                .hint("set TMPDIR to a directory that is yours")
        })?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It is empty: the session wrote to its own layer.
        let _left = std::fs::remove_dir(&self.0).is_err();
    }
}
