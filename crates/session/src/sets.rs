//! Named sets of grants on this machine: what each comes to, how it is confirmed, and what of it a session gets.
//!
//! What a set may do stands in `policy`; where a package tool loads from is found out here, from its settings and by
//! running it once in a cell, and counts only after the owner's word. Nothing that a workspace says is looked at.

mod confirm;
mod confirmed;
mod inward;
mod surroundings;

pub use confirm::{Draft, Observed, ROUNDS_MAX, in_role, propose};
pub use confirmed::{AddressesFrom, Confirmed, Origin, Place, path};
pub use inward::{Opening, Openings, leads_inward, listed};

use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::secrets;
use cofferdam_policy::authority::HomeFile;
use cofferdam_policy::net::credential::{Credential, CredentialName, SecretName};
use cofferdam_policy::net::grant::Grant;
use cofferdam_policy::path::AbsPath;
use cofferdam_policy::presets::sets::base::BaseError;
use cofferdam_policy::presets::sets::registry::Registry;
use cofferdam_policy::presets::sets::{self, Set};
use cofferdam_policy::presets::settings::{Configured, Login};
use cofferdam_policy::wish::Wish;
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

/// What the sets of a wish come to.
#[derive(Debug, Default)]
pub(crate) struct Comes {
    pub(crate) grants: Vec<Grant>,
    pub(crate) credentials: Vec<Credential>,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) home_files: Vec<HomeFile>,
}

/// A set and how it stands on this machine.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its name, with the form of what stands in parentheses.
    pub name: String,
    /// How it stands.
    pub standing: Standing,
}

/// How a set stands on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It can be used as it is.
    Ready,
    /// So can it, and it comes to these places.
    Confirmed(Vec<Place>),
    /// The settings changed since: in these respects.
    Changed(Vec<String>),
    /// It was never confirmed; these places are known from settings.
    Unconfirmed(Vec<String>),
    /// Its file or its settings can't be read.
    Broken(String),
}

/// All that one set comes to.
#[derive(Debug, Clone)]
pub struct Shown {
    /// As it was named.
    pub name: String,
    /// How it stands.
    pub standing: Standing,
    /// Its grants, one line each.
    pub grants: Vec<String>,
    /// Credentials, with the place of each.
    pub credentials: Vec<(String, String)>,
    /// Variables in the cell.
    pub environment: BTreeMap<String, String>,
    /// What the owner should know.
    pub notes: Vec<String>,
}

/// All sets.
#[must_use]
pub fn list(context: &Context) -> Vec<Listed> {
    let listed = |name: &str| {
        let standing = Registry::named(name).map_or(Standing::Ready, |registry| standing(context, registry));
        Listed { name: name.to_owned(), standing }
    };
    sets::names().into_iter().map(listed).collect()
}

/// One set, to the last grant.
///
/// # Errors
/// [`ErrorKind::Usage`] if there is none of that name.
pub fn show(context: &Context, name: &str) -> Result<Shown, Error> {
    let set = parse(name)?;
    let mut notes = Vec::new();
    let standing = match &set {
        Set::Registry(registry) => {
            let configured = surroundings::configured(context, *registry);
            notes.extend(configured.map(|configured| configured.notes).unwrap_or_default());
            standing(context, *registry)
        }
        Set::GithubRead(_) | Set::GithubPush(_) | Set::Provider(_) | Set::Compatible(_) | Set::Local(_) => {
            Standing::Ready
        }
    };
    // What can't be used comes to nothing; why is said by how it stands.
    let wish = Wish { sets: vec![name.to_owned()], ..Wish::default() };
    let comes = of_wish(context, &wish).unwrap_or_default();
    Ok(Shown {
        name: set.to_string(),
        standing,
        grants: comes.grants.iter().map(ToString::to_string).collect(),
        credentials: comes
            .credentials
            .iter()
            .map(|credential| (credential.secret.to_string(), credential.place.phrase()))
            .collect(),
        environment: comes.environment,
        notes,
    })
}

fn standing(context: &Context, registry: Registry) -> Standing {
    let told = |error: Error| match error.why() {
        why if why.is_empty() => error.to_string(),
        why => format!("{error}: {why}"),
    };
    let now = match surroundings::configured(context, registry) {
        Ok(now) => now,
        Err(error) => return Standing::Broken(told(error)),
    };
    match confirmed::read(context, registry) {
        Err(error) => Standing::Broken(told(error)),
        Ok(None) => {
            let places = now.places.iter().map(|place| format!("{} ({})", place.base, place.from));
            Standing::Unconfirmed(places.collect())
        }
        Ok(Some(confirmed)) => {
            match changes(context, &confirmed, &now).unwrap_or_else(|error| vec![told(error)]) {
                differences if differences.is_empty() => Standing::Confirmed(confirmed.places),
                differences => Standing::Changed(differences),
            }
        }
    }
}

/// In what a set is not what was confirmed any more: by the settings, and by where names lead.
fn changes(context: &Context, confirmed: &Confirmed, now: &Configured) -> Result<Vec<String>, Error> {
    let mut differences = confirmed.differences(now);
    differences.extend(inward::moved(confirmed, &inward::lookup(context))?);
    Ok(differences)
}

fn parse(name: &str) -> Result<Set, Error> {
    Set::parse(name).map_err(|error| {
        Error::new(ErrorKind::Usage, format!("cannot use the set of grants {name:?}"))
            .because(error)
            .hint("see what there is: cofferdam sets")
    })
}

/// What the sets of a wish come to here, now.
///
/// # Errors
/// [`ErrorKind::Policy`] for a set that is not confirmed, or not any more; [`ErrorKind::Usage`] for an unknown one.
pub(crate) fn of_wish(context: &Context, wish: &Wish) -> Result<Comes, Error> {
    let stored: OnceCell<BTreeSet<SecretName>> = OnceCell::new();
    // Asked only if a set wants to know; what goes wrong is said when the secret is to be used.
    let is_stored = |name: &str| {
        let stored = stored.get_or_init(|| {
            let reports = secrets::list(context, &[], None).unwrap_or_default();
            reports.into_iter().map(|report| report.name).collect()
        });
        stored.iter().any(|secret| secret.as_str() == name)
    };
    let known = |name: &CredentialName| {
        wish.credentials.iter().any(|credential| credential.name == *name) || is_stored(name.as_str())
    };
    let mut comes = Comes::default();
    for name in wish.sets.iter().collect::<BTreeSet<_>>() {
        match parse(name)? {
            Set::Registry(registry) => comes.registry(context, registry)?,
            set @ (Set::GithubRead(_)
            | Set::GithubPush(_)
            | Set::Provider(_)
            | Set::Compatible(_)
            | Set::Local(_)) => {
                let of = set.comes(&known).unwrap_or_default();
                comes.grants.extend(of.grants);
                comes.credentials.extend(of.credentials);
                comes.environment.extend(of.environment);
            }
        }
    }
    // What the policy says of a credential goes before what is usual; two sets may mean the same one.
    let mut names: BTreeSet<CredentialName> =
        wish.credentials.iter().map(|credential| credential.name.clone()).collect();
    comes.credentials.retain(|credential| names.insert(credential.name.clone()));
    Ok(comes)
}

impl Comes {
    fn registry(&mut self, context: &Context, registry: Registry) -> Result<(), Error> {
        let name = registry.name();
        let cannot = || Error::new(ErrorKind::Policy, format!("cannot use the set of grants {name:?}"));
        let again = format!("cofferdam sets confirm {name}");
        let Some(confirmed) = confirmed::read(context, registry)? else {
            return Err(cannot()
                .since("you have not confirmed where it loads from on this machine")
                .hint(again));
        };
        let now = surroundings::configured(context, registry)?;
        let differences = changes(context, &confirmed, &now)?;
        if !differences.is_empty() {
            let why = format!("it is not what you confirmed any more: {}", differences.join("; "));
            return Err(cannot().since(why).hint(again));
        }
        self.confirmed(context, registry, &confirmed, &now).map_err(|why| cannot().since(why).hint(again))
    }

    /// Grants of what was confirmed, and the credentials by the tool's settings.
    fn confirmed(
        &mut self,
        context: &Context,
        registry: Registry,
        confirmed: &Confirmed,
        now: &Configured,
    ) -> Result<(), String> {
        for place in &confirmed.places {
            let grant = registry.grant(&place.base, place.role);
            let told = |error| format!("{}: {}", place.base, with_cause(&error));
            self.grants.push(grant.map_err(told)?);
            let Some(name) = &place.base.credential else { continue };
            let mut at = now.places.iter().filter(|found| found.base.is_at(&place.base));
            if let Some(login) = at.find_map(|found| found.login.as_ref()) {
                self.credentials.extend(credential(name, login));
            }
        }
        self.environment.extend(confirmed.environment.clone());
        for below in confirmed.files.keys() {
            let source = AbsPath::new(confirmed::home_file(context, registry, below));
            if let (Ok(target), Ok(source)) = (context.home.join(below), source) {
                let of = registry.name().to_owned();
                self.home_files.push(HomeFile { source, target, of, filtered: false });
            }
        }
        Ok(())
    }
}

/// The credential for a place of a tool's settings: one secret of the same name.
fn credential(name: &CredentialName, login: &Login) -> Option<Credential> {
    let secret = name.as_str().parse().ok()?;
    Some(Credential {
        name: name.clone(),
        secret,
        place: login.place.clone(),
        environment: login.variables.clone(),
    })
}

/// An error and its cause in one line.
fn with_cause(error: &BaseError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
