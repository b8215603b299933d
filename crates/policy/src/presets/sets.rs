//! Named sets of grants: what a name such as `npm` or `github-push(acme/app)` on the command line stands for.
//!
//! Recipes only. A set of a registry holds no host: it is made of the places that the owner's own tool uses, which
//! others find out and the owner confirms. GitHub and the vendors of models have one place each, and stand here. Every
//! set is as narrow as its use allows: what installs can't publish, what reads can't write, what infers does nothing
//! else. Nothing here reads a file or knows which secrets there are.

pub mod base;
pub mod github;
pub mod model;
pub mod registry;
pub mod trial;

use crate::net::credential::{Credential, CredentialName, VarName};
use crate::net::grant::Grant;
use base::{Base, BaseError};
use github::Repositories;
use model::{Compatible, Local, Provider};
use registry::Registry;
use std::collections::BTreeMap;
use std::fmt;

/// A named set, with what stands in its parentheses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Set {
    /// What a package tool installs from.
    Registry(Registry),
    /// Public repositories, or some with the owner's credential.
    GithubRead(Option<Repositories>),
    /// One repository: fetch and push.
    GithubPush(Repositories),
    /// A vendor of models.
    Provider(Provider),
    /// Another place that speaks a vendor's interface.
    Compatible(Compatible),
    /// A model on the owner's machine.
    Local(Local),
}

/// Why a text names no set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// No such name.
    #[error("there is no set of that name: {}", names().join(", "))]
    Unknown,
    /// A set that takes nothing in parentheses.
    #[error("`{0}` takes nothing in parentheses")]
    NoArgument(&'static str),
    /// A set that needs it.
    #[error("`{name}` needs to know what it is about: write {form}")]
    Argument {
        /// The set.
        name: &'static str,
        /// How it is written.
        form: &'static str,
    },
    /// What stands in parentheses is no place.
    #[error("what stands in the parentheses of `{name}` can't be granted")]
    Place {
        /// The set.
        name: &'static str,
        /// Why.
        #[source]
        cause: BaseError,
    },
}

/// What a set comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comes {
    /// What it permits.
    pub grants: Vec<Grant>,
    /// Definitions of the credentials that its grants name, for where the policy has none.
    pub credentials: Vec<Credential>,
    /// Variables by which programs in the cell find the place.
    pub environment: BTreeMap<String, String>,
}

/// Names and forms of all sets, in the order in which they are listed.
#[must_use]
pub fn names() -> Vec<&'static str> {
    let registries = Registry::ALL.into_iter().map(Registry::name);
    let providers = Provider::ALL.into_iter().map(Provider::name);
    registries.chain([github::READ, github::PUSH_FORM]).chain(providers).chain(model::FORMS).collect()
}

impl Set {
    /// Reads a name with what may stand in parentheses.
    ///
    /// # Errors
    /// [`SetError`].
    pub fn parse(text: &str) -> Result<Self, SetError> {
        let (name, about) = match text.split_once('(') {
            Some((name, rest)) => (name, Some(rest.strip_suffix(')').ok_or(SetError::Unknown)?)),
            None => (text, None),
        };
        if let Some(registry) = Registry::named(name) {
            return plain(registry.name(), about).map(|()| Self::Registry(registry));
        }
        if let Some(provider) = Provider::named(name) {
            return plain(provider.name(), about).map(|()| Self::Provider(provider));
        }
        match name {
            github::READ => match about {
                None => Ok(Self::GithubRead(None)),
                Some(about) => Repositories::parse(github::READ, about, true).map(Some).map(Self::GithubRead),
            },
            github::PUSH => {
                let about = about.unwrap_or_default();
                Repositories::parse(github::PUSH, about, false).map(Self::GithubPush)
            }
            model::LOCAL => Local::parse(about.unwrap_or_default()).map(Self::Local),
            _ => match Compatible::parse(name, about.unwrap_or_default()) {
                Some(compatible) => compatible.map(Self::Compatible),
                None => Err(SetError::Unknown),
            },
        }
    }

    /// What it comes to where nothing has to be found out first; `None` for a registry, whose places the owner
    /// confirms. `known` tells whether a credential of that name can be had: by the policy, or by a secret of that name.
    #[must_use]
    pub fn comes(&self, known: &dyn Fn(&CredentialName) -> bool) -> Option<Comes> {
        let comes = match self {
            Self::Registry(_) => return None,
            Self::GithubRead(repositories) => github::read(repositories.as_ref(), known),
            Self::GithubPush(repository) => github::push(repository),
            Self::Provider(provider) => provider.comes(known),
            Self::Compatible(compatible) => compatible.comes(known),
            Self::Local(local) => local.comes(),
        };
        Some(comes)
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(registry) => f.write_str(registry.name()),
            Self::GithubRead(None) => f.write_str(github::READ),
            Self::GithubRead(Some(repositories)) => write!(f, "{}({repositories})", github::READ),
            Self::GithubPush(repository) => write!(f, "{}({repository})", github::PUSH),
            Self::Provider(provider) => f.write_str(provider.name()),
            Self::Compatible(compatible) => compatible.fmt(f),
            Self::Local(local) => local.fmt(f),
        }
    }
}

fn plain(name: &'static str, about: Option<&str>) -> Result<(), SetError> {
    match about {
        None => Ok(()),
        Some(_) => Err(SetError::NoArgument(name)),
    }
}

/// A definition out of a table: what is misspelled there is left out, and a test sees that nothing is.
fn credential(name: &str, secret: &str, place: &str, variables: &[&str]) -> Option<Credential> {
    let variables = variables.iter().map(|variable| variable.parse::<VarName>().ok());
    Some(Credential {
        name: name.parse().ok()?,
        secret: secret.parse().ok()?,
        place: place.parse().ok()?,
        environment: variables.collect::<Option<_>>()?,
    })
}

/// One grant by `methods` at `patterns` below a base, of the set `name`.
fn grant(name: &str, base: &Base, methods: &[&str], patterns: &[&str]) -> Option<Grant> {
    base.grant(name, methods, patterns).ok()
}

#[cfg(test)]
mod tests;
