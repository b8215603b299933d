//! What a secret was used for, as the ledger has it: in every session there ever was, under whatever name it had there.
//!
//! The ledger names credentials, which a session's authority joins to secrets. Queries, headers and bodies are never
//! recorded, so they are not here either.

use super::name;
use crate::error::{Error, ErrorKind};
use crate::sessions;
use crate::state::State;
use cofferdam_ledger::{Filter, Ledger, RecordedEvent};
use cofferdam_policy::event::{Event, EventKind, UnixNanos};
use cofferdam_policy::net::credential::{Credential, SecretName};
use cofferdam_policy::session_id::{SessionId, SessionName};
use serde::Deserialize;

/// What names a credential, and what says which authority holds from there on.
const TELLING: [EventKind; 5] = [
    EventKind::Started,
    EventKind::Resumed,
    EventKind::Requested,
    EventKind::HandleLeaked,
    EventKind::Revoked,
];

/// One use of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// By which session.
    pub id: SessionId,
    /// As it was called.
    pub session: SessionName,
    /// When it was recorded.
    pub at: UnixNanos,
    /// What happened.
    pub event: Event,
}

/// What a secret was used for, oldest first, by all sessions, also those that are discarded.
///
/// # Errors
/// [`ErrorKind::Usage`], [`ErrorKind::Ledger`].
pub fn uses(state: &State, secret: &str) -> Result<Vec<Use>, Error> {
    let secret = name(secret)?;
    let ledger = state.ledger()?;
    let mut found = Vec::new();
    for record in ledger.sessions(&Filter { directory: None, discarded: true })? {
        let mut names = Vec::new();
        let mut after = 0;
        loop {
            let events = ledger.events_of(&record.id, &TELLING, after, sessions::EVENTS_MAX)?;
            let Some(last) = events.last() else { break };
            after = last.seq;
            for RecordedEvent { at, event, .. } in events {
                if let Some(digest) = authority_from_here(&event) {
                    names = names_of(&ledger, digest, &secret)?;
                } else if event.credential().is_some_and(|used| names.iter().any(|name| name == used)) {
                    found.push(Use { id: record.id.clone(), session: record.name.clone(), at, event });
                }
            }
        }
    }
    found.sort_by_key(|used| used.at);
    Ok(found)
}

fn authority_from_here(event: &Event) -> Option<&str> {
    let (Event::Started { authority_digest, .. } | Event::Resumed { authority_digest, .. }) = event else {
        return None;
    };
    Some(authority_digest)
}

/// What of an authority matters here: it may be of a version that could not be run with any more.
#[derive(Deserialize)]
struct Granting {
    #[serde(default)]
    credentials: Vec<Credential>,
}

/// The credentials that are this secret under an authority.
fn names_of(ledger: &Ledger, digest: &str, secret: &SecretName) -> Result<Vec<String>, Error> {
    let canonical = ledger.authority(digest)?.unwrap_or_else(|| "{}".to_owned());
    let authority: Granting = serde_json::from_str(&canonical).map_err(|error| {
        Error::new(ErrorKind::Ledger, format!("cannot read the authority {digest}"))
            .because(error)
            .hint("use the version of cofferdam that wrote it")
    })?;
    let those = authority.credentials.into_iter().filter(|credential| credential.secret == *secret);
    Ok(those.map(|credential| credential.name.to_string()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;
    use cofferdam_ledger::{Durability, EndState, Ending, NameWish, NewSession, Resumption};
    use cofferdam_policy::authority::CellKind;
    use cofferdam_policy::event::{Requested, StoppedBy};
    use cofferdam_policy::label::Label;
    use std::collections::BTreeMap;

    struct Scene {
        _directory: tempfile::TempDir,
        state: State,
        id: SessionId,
    }

    /// An authority under which these credentials are these secrets.
    fn authority(credentials: &[(&str, &str)]) -> (String, String) {
        let credential = |(name, secret): &(&str, &str)| serde_json::json!({ "name": name, "secret": secret, "place": "header:Authorization: Bearer {}" });
        let credentials: Vec<_> = credentials.iter().map(credential).collect();
        let canonical = serde_json::json!({ "credentials": credentials }).to_string();
        (format!("digest of {canonical}"), canonical)
    }

    impl Scene {
        fn started(credentials: &[(&str, &str)]) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let environment = BTreeMap::from([("HOME".into(), directory.path().as_os_str().to_owned())]);
            let context = Context::new(environment, directory.path().to_owned(), || UnixNanos(1)).unwrap();
            let state = State::open(&context).unwrap();
            let (authority_digest, authority) = authority(credentials);
            let new = NewSession {
                id: SessionId::from_random([7; 8]),
                name: NameWish::Like("s".parse().unwrap()),
                directory: "/x".into(),
                cell: CellKind::Namespaces,
                parent: None,
                uids: None,
                supervisor: None,
                label: Label::initial(),
                command: vec!["true".into()],
                authority_digest,
                authority,
                at: UnixNanos(0),
            };
            let id = state.ledger().unwrap().begin_session(&new).unwrap().id;
            Self { _directory: directory, state, id }
        }

        fn end(&self) {
            let event = Event::Stopped { by: StoppedBy::Owner };
            let ending = Ending { state: EndState::Stopped, exit_status: None, event, at: UnixNanos(0) };
            self.state.ledger().unwrap().set_ended(&self.id, &ending).unwrap();
        }

        fn resume(&self, credentials: &[(&str, &str)]) {
            self.end();
            let (authority_digest, authority) = authority(credentials);
            let command = vec!["true".into()];
            let resumption =
                Resumption { supervisor: None, command, authority_digest, authority, at: UnixNanos(0) };
            self.state.ledger().unwrap().resume(&self.id, &resumption).unwrap();
        }

        fn record(&self, events: &[Event]) {
            let ledger = self.state.ledger().unwrap();
            ledger.record_all(&self.id, UnixNanos(0), events, Durability::Process).unwrap();
        }

        fn uses(&self, secret: &str) -> usize {
            uses(&self.state, secret).unwrap().len()
        }
    }

    fn requested(credential: Option<&str>) -> Event {
        Event::Requested(Requested {
            host: "a.test".into(),
            port: 443,
            method: Some("GET".into()),
            path: Some("/".into()),
            status: Some(200),
            credential: credential.map(str::to_owned),
            up: 0,
            down: 0,
            count: 1,
            is_cut_off: false,
        })
    }

    #[test]
    fn no_use_is_hidden_behind_ever_so_many_other_events() {
        let scene = Scene::started(&[("github", "github")]);
        let mut events = vec![requested(Some("github"))];
        events.extend((0..sessions::EVENTS_MAX).map(|_| requested(None)));
        events.extend([requested(Some("github")), requested(Some("other"))]);
        scene.record(&events);
        assert_eq!(scene.uses("github"), 2);
    }

    #[test]
    fn a_secret_is_found_by_its_own_name_whatever_the_credential_is_called() {
        let scene = Scene::started(&[("push", "github"), ("github", "gitlab")]);
        scene.record(&[requested(Some("push")), requested(Some("github")), requested(Some("github"))]);
        assert_eq!((scene.uses("github"), scene.uses("gitlab"), scene.uses("push")), (1, 2, 0));
        scene.resume(&[("push", "gitlab")]);
        scene.record(&[requested(Some("push")), Event::Revoked { credential: "push".into() }]);
        assert_eq!((scene.uses("github"), scene.uses("gitlab")), (1, 4));
    }

    #[test]
    fn a_use_outlives_the_session_that_made_it() {
        let scene = Scene::started(&[("github", "github")]);
        scene.record(&[requested(Some("github"))]);
        scene.end();
        scene.state.ledger().unwrap().set_discarded(&scene.id, UnixNanos(0)).unwrap();
        assert_eq!(scene.uses("github"), 1);
    }
}
