//! The head of a request to a model, cut down to what inference needs.
//!
//! A body that was judged as JSON in UTF-8 must not be read as anything else: what the agent says of its type does not
//! go out. Which fields and parameters are needed is the policy's matter; secrets are put in elsewhere.

use super::request::Parts;
use cofferdam_policy::net::credential::Place;
use cofferdam_policy::net::model::{ModelCall, is_field, is_parameter};
use hyper::Uri;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::http::uri::{InvalidUri, InvalidUriParts, PathAndQuery};
use zeroize::Zeroizing;

/// By which an agent authenticates where the owner has no credential for it.
const AUTHENTICATING: [&str; 4] = ["api-key", "authorization", "x-api-key", "x-goog-api-key"];
/// The same as a parameter.
const AUTHENTICATING_PARAMETER: &str = "key";

/// Who authenticates.
#[derive(Debug, Clone, Copy)]
pub(super) enum Own<'p> {
    /// The agent by itself.
    Agents,
    /// The owner, at this place; whatever the agent brings goes.
    Owners(Option<&'p Place>),
}

/// Why there is no such head; can't be, by what it is made of.
#[derive(Debug, thiserror::Error)]
pub(super) enum NarrowError {
    /// The query.
    #[error("cannot write the query of a request to a model")]
    Query(#[from] InvalidUri),
    /// The whole.
    #[error("cannot write the URL of a request to a model")]
    Url(#[from] InvalidUriParts),
}

/// Takes away what is not needed.
pub(super) fn narrow(parts: &mut Parts, call: ModelCall, own: Own<'_>) -> Result<(), NarrowError> {
    let surplus = |name: &&HeaderName| !is_field(name.as_str()) && !own.has_field(name.as_str());
    let surplus: Vec<HeaderName> = parts.headers.keys().filter(surplus).cloned().collect();
    for name in surplus {
        while parts.headers.remove(&name).is_some() {}
    }
    match call {
        ModelCall::Inference(_) | ModelCall::TokenCount(_) => {
            parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        ModelCall::ModelList => while parts.headers.remove(CONTENT_TYPE).is_some() {},
    }
    narrow_query(parts, own)
}

fn narrow_query(parts: &mut Parts, own: Own<'_>) -> Result<(), NarrowError> {
    let Some(query) = parts.uri.query() else { return Ok(()) };
    // Some servers cut a query at `;` too.
    let is_needed = |one: &&str| {
        let key = one.split_once('=').map_or(*one, |(key, _)| key);
        !one.contains(';') && (is_parameter(key) || own.has_parameter(key))
    };
    let needed: Vec<&str> = query.split('&').filter(is_needed).collect();
    let path = parts.uri.path();
    // The secret may be among them.
    let text = match needed.as_slice() {
        [] => Zeroizing::new(path.to_owned()),
        needed => Zeroizing::new(format!("{path}?{}", needed.join("&"))),
    };
    let mut uri = parts.uri.clone().into_parts();
    uri.path_and_query = Some(PathAndQuery::try_from(text.as_str())?);
    parts.uri = Uri::from_parts(uri)?;
    Ok(())
}

impl Own<'_> {
    fn has_field(self, name: &str) -> bool {
        match self {
            Self::Agents => AUTHENTICATING.contains(&name),
            Self::Owners(Some(Place::Header { name: own, .. })) => own.eq_ignore_ascii_case(name),
            Self::Owners(Some(Place::Basic { .. })) => name == "authorization",
            Self::Owners(Some(Place::Query { .. }) | None) => false,
        }
    }

    fn has_parameter(self, key: &str) -> bool {
        match self {
            Self::Agents => key == AUTHENTICATING_PARAMETER,
            Self::Owners(Some(Place::Query { key: own })) => own == key,
            Self::Owners(Some(Place::Header { .. } | Place::Basic { .. }) | None) => false,
        }
    }
}
