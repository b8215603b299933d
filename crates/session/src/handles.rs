//! What a session's agent holds in place of secrets: made at its first start, and the same as long as the session is.
//!
//! A secret that is missing, expired or revoked is said before anything is started. No value is ever here; handles are
//! made of shapes.

use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::secrets;
use crate::state::{self, SessionPlace, State};
use cofferdam_gateway::wire::HeldCredential;
use cofferdam_policy::authority::Authority;
use cofferdam_policy::net::credential::{CredentialName, SecretName};
use cofferdam_policy::net::handle::{HANDLE_SEED_BYTES, Handle, LoginFacts, LoginKind, Shape, login_file};
use cofferdam_policy::net::secret::{SecretEntry, SecretReport};
use cofferdam_policy::session_id::SessionId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The file in the session's directory.
const FILE: &str = "handles.json";

/// The handles of one session.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Handles(BTreeMap<CredentialName, Kept>);

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    handle: Handle,
    /// Of the secret, when the handle was made: one of another shape needs another handle.
    shape: Shape,
    /// The login that it belongs to, if its program keeps it in a file.
    login: Option<(LoginKind, LoginFacts)>,
}

impl Handles {
    /// Those of a session that is about to start: what it had, and new ones for what is new.
    ///
    /// # Errors
    /// [`ErrorKind::Secret`] for a secret that can't be used.
    pub(crate) fn ready(
        context: &Context,
        state: &State,
        session: &SessionId,
        authority: &Authority,
    ) -> Result<Self, Error> {
        if authority.credentials.is_empty() {
            return Ok(Self::default());
        }
        let names: Vec<SecretName> =
            authority.credentials.iter().map(|credential| credential.secret.clone()).collect();
        let reports = secrets::ready(context, &names, Some(session))?;
        let mut before = Self::of(&state.session(session))?;
        let mut handles = BTreeMap::new();
        for credential in &authority.credentials {
            let entry = entry(&reports, &credential.secret)?;
            let known = before.0.remove(&credential.name).filter(|kept| kept.shape == entry.shape);
            let login = entry.login.as_ref().map(|login| (login.kind, login.facts.clone()));
            let kept = match known {
                Some(kept) => Kept { login, ..kept },
                None => {
                    Kept { handle: Handle::new(&entry.shape, &seed()?), shape: entry.shape.clone(), login }
                }
            };
            handles.insert(credential.name.clone(), kept);
        }
        Ok(Self(handles))
    }

    /// Those that a session was started with.
    ///
    /// # Errors
    /// [`ErrorKind::State`] if they can't be read.
    pub(crate) fn of(place: &SessionPlace) -> Result<Self, Error> {
        match std::fs::read(place.root().join(FILE)) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| unreadable().because(error)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(unreadable().because(error)),
        }
    }

    /// Keeps them for `exec` and `resume`.
    ///
    /// # Errors
    /// [`ErrorKind::State`] if they can't be written.
    pub(crate) fn keep(&self, place: &SessionPlace) -> Result<(), Error> {
        if self.0.is_empty() {
            return Ok(());
        }
        let text = serde_json::to_vec(&self.0).map_err(|error| unreadable().because(error))?;
        state::put_file(place.root(), FILE, &text).map_err(|error| unreadable().because(error))
    }

    /// The variables in which the agent finds them.
    pub(crate) fn environment<'h>(
        &'h self,
        authority: &'h Authority,
    ) -> impl Iterator<Item = (&'h str, &'h str)> {
        authority.credentials.iter().flat_map(|credential| {
            let kept = self.0.get(&credential.name);
            let variables = credential.environment.iter();
            variables.filter_map(move |variable| Some((variable.as_str(), kept?.handle.as_str())))
        })
    }

    /// The files in which agents' programs keep their logins, below the home: with handles in place of tokens.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] without random numbers.
    pub(crate) fn login_files(&self) -> Result<Vec<(&'static Path, String)>, Error> {
        let logins = self.0.values().filter_map(|kept| Some((kept.login.as_ref()?, &kept.handle)));
        logins
            .map(|((kind, facts), handle)| {
                Ok((Path::new(kind.file()), login_file(*kind, handle, facts, &seed()?)))
            })
            .collect()
    }

    /// Each credential with its handle, for the gateway.
    pub(crate) fn held(&self, authority: &Authority) -> Vec<HeldCredential> {
        let held = |credential: &cofferdam_policy::net::credential::Credential| {
            let handle = self.0.get(&credential.name)?.handle.clone();
            Some(HeldCredential { credential: credential.clone(), handle })
        };
        authority.credentials.iter().filter_map(held).collect()
    }
}

/// What is known of a secret that [`secrets::ready`] has found to count.
fn entry<'r>(reports: &'r [SecretReport], name: &SecretName) -> Result<&'r SecretEntry, Error> {
    let report = reports.iter().find(|report| report.name == *name);
    report.and_then(|report| report.entry.as_ref()).ok_or_else(|| {
        Error::new(ErrorKind::Secret, format!("cannot give the session the use of secret {name}"))
            .since("nothing is known of it")
            .hint("cofferdam secret ls")
    })
}

fn seed() -> Result<[u8; HANDLE_SEED_BYTES], Error> {
    let mut seed = [0_u8; HANDLE_SEED_BYTES];
    match rustix::rand::getrandom(&mut seed, rustix::rand::GetRandomFlags::empty()) {
        Ok(HANDLE_SEED_BYTES) => Ok(seed),
        Ok(_) | Err(_) => {
            Err(Error::new(ErrorKind::Internal, "cannot draw a random number").hint("try again"))
        }
    }
}

fn unreadable() -> Error {
    Error::new(ErrorKind::State, "cannot keep the session's handles").hint("cofferdam doctor")
}
