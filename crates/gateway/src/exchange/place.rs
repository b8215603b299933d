//! Where a secret stands in a request, and the edits that put it there and take away what else authenticates.

use super::foreign::{asks_for_a_part, folded, is_foreign, is_foreign_parameter, may_trail, subprotocols};
use super::forms::{percent_decoded, percent_encoded};
use crate::secret::Secret;
use cofferdam_policy::net::credential::{Credential, Place};
use cofferdam_policy::net::handle::Handle;
use data_encoding::{BASE64, BASE64_NOPAD};
use hyper::Uri;
use hyper::header::{
    ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_PROTOCOL,
};
use hyper::http::request;
use hyper::http::uri::PathAndQuery;
use zeroize::Zeroizing;

/// Headers that ask for an answer that can't be looked through: the one extension of WebSockets that there is compresses
/// (RFC 7692).
const ENCODING_HEADERS: [&str; 2] = ["accept-encoding", "sec-websocket-extensions"];

/// What an origin gives to somebody who has authenticated, good without the secret and longer than it: not let in.
const MINTED_HEADERS: [&str; 4] =
    ["authentication-info", "proxy-authentication-info", "set-cookie", "set-cookie2"];

/// The user of Basic authentication where neither the credential nor the agent names one; services that take a token
/// as the password take any.
const BASIC_USER: &str = "token";

/// What would be put in makes no header or URL; can't be, by the types of secrets and places.
#[derive(Debug)]
pub(super) struct Unfit;

/// The header of a place, if it is one.
pub(super) fn header_of(place: &Place) -> Option<&str> {
    match place {
        Place::Header { name, .. } => Some(name),
        Place::Basic { .. } => Some(AUTHORIZATION.as_str()),
        Place::Query { .. } => None,
    }
}

/// The user that the agent names beside its handle by Basic authentication.
pub(super) fn basic_user(headers: &HeaderMap, handle: &Handle) -> Option<String> {
    let decoded = basic(headers.get(AUTHORIZATION)?.as_bytes())?;
    let (user, _password) = decoded.split_once(':')?;
    let is_user = !user.is_empty() && user != handle.as_str() && user.bytes().all(|b| b.is_ascii_graphic());
    is_user.then(|| user.to_owned())
}

/// `user:password` of a header.
pub(super) fn basic(value: &[u8]) -> Option<Zeroizing<String>> {
    const SCHEME: &[u8] = b"basic ";
    let (scheme, rest) = value.split_at_checked(SCHEME.len())?;
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return None;
    }
    // With or without what fills it up: some clients leave that out.
    let text = rest.trim_ascii();
    let end = text.iter().rposition(|byte| *byte != b'=').map_or(0, |at| at + 1);
    let bytes = BASE64_NOPAD.decode(text.get(..end)?).ok()?;
    String::from_utf8(bytes).ok().map(Zeroizing::new)
}

/// The path and query without the handle in its place, to look for handles in.
pub(super) fn url_without_own(uri: &Uri, own: Option<(&Credential, &Handle)>) -> Vec<u8> {
    let mut url = uri.path().as_bytes().to_vec();
    let own = own.and_then(|(credential, handle)| match &credential.place {
        Place::Query { key } => Some((key, handle)),
        Place::Header { .. } | Place::Basic { .. } => None,
    });
    for parameter in uri.query().unwrap_or_default().split('&') {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let is_own = own.is_some_and(|(own, handle)| {
            percent_decoded(key.as_bytes()) == own.as_bytes()
                && percent_decoded(value.as_bytes()) == handle.as_str().as_bytes()
        });
        if !is_own {
            url.push(b'&');
            url.extend_from_slice(parameter.as_bytes());
        }
    }
    url
}

/// Takes away whatever authenticates, and whatever some server could take for the secret's own header.
pub(super) fn remove_authentication(parts: &mut request::Parts, place: &Place) {
    let own = header_of(place).map(folded);
    remove(&mut parts.headers, |name| {
        is_foreign(name) || own.as_ref().is_some_and(|own| folded(name) == *own)
    });
    let offers: Vec<HeaderValue> = parts.headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().cloned().collect();
    parts.headers.remove(SEC_WEBSOCKET_PROTOCOL);
    for offer in offers {
        let kept = subprotocols(&String::from_utf8_lossy(offer.as_bytes()));
        if let (false, Ok(kept)) = (kept.is_empty(), HeaderValue::try_from(kept)) {
            parts.headers.append(SEC_WEBSOCKET_PROTOCOL, kept);
        }
    }
    edit_query(parts, &|key| is_foreign_parameter(&percent_decoded(key.as_bytes())), None);
}

/// A compressed echo of the secret would not be found, and a part of one neither.
pub(super) fn ask_for_plain_answer(headers: &mut HeaderMap) {
    remove(headers, |name| asks_for_a_part(name) || ENCODING_HEADERS.contains(&folded(name).as_str()));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
}

/// Takes away what is not for trailers.
pub(super) fn remove_from_trailers(headers: &mut HeaderMap) {
    remove(headers, |name| !may_trail(name));
}

fn remove(headers: &mut HeaderMap, is_one: impl Fn(&str) -> bool) {
    let found: Vec<HeaderName> = headers.keys().filter(|name| is_one(name.as_str())).cloned().collect();
    for name in found {
        headers.remove(&name);
    }
}

/// Takes away what was given to whoever authenticated.
pub(super) fn remove_minted(headers: &mut HeaderMap) {
    for name in MINTED_HEADERS {
        headers.remove(name);
    }
}

/// Puts the secret in its place.
pub(super) fn put(
    parts: &mut request::Parts,
    place: &Place,
    secret: &Secret,
    user: Option<String>,
) -> Result<(), Unfit> {
    match place {
        Place::Header { name, prefix, suffix } => {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_unfit| Unfit)?;
            let value = Zeroizing::new([prefix.as_bytes(), secret.expose(), suffix.as_bytes()].concat());
            parts.headers.insert(name, sensitive(&value)?);
        }
        Place::Basic { user: fixed } => {
            let user = fixed.clone().or(user).unwrap_or_else(|| BASIC_USER.to_owned());
            let pair = Zeroizing::new([user.as_bytes(), b":", secret.expose()].concat());
            let value = Zeroizing::new(format!("Basic {}", BASE64.encode(&pair)));
            parts.headers.insert(AUTHORIZATION, sensitive(value.as_bytes())?);
        }
        Place::Query { key } => {
            let is_key = |other: &str| percent_decoded(other.as_bytes()) == key.as_bytes();
            let own = Zeroizing::new(format!("{key}={}", percent_encoded(secret.expose())));
            if !edit_query(parts, &is_key, Some(&own)) {
                return Err(Unfit);
            }
        }
    }
    Ok(())
}

fn sensitive(value: &[u8]) -> Result<HeaderValue, Unfit> {
    let mut value = HeaderValue::from_bytes(value).map_err(|_unfit| Unfit)?;
    // Neither shown by `Debug` nor kept in a table of compressed headers.
    value.set_sensitive(true);
    Ok(value)
}

/// Removes parameters by their keys and adds one; whether it was done. The path stays, byte for byte.
fn edit_query(parts: &mut request::Parts, remove: &dyn Fn(&str) -> bool, add: Option<&str>) -> bool {
    let query = parts.uri.query();
    let key = |pair: &str| pair.split_once('=').map_or(pair, |(key, _)| key).to_owned();
    // Some servers cut a query at `;` too: what stands behind one would be read before what is added.
    let goes = |parameter: &str| parameter.split(';').any(|pair| remove(&key(pair)));
    let has = query.is_some_and(|query| query.split('&').any(goes));
    if !has && add.is_none() {
        return true;
    }
    let kept =
        query.into_iter().flat_map(|query| query.split('&')).filter(|one| !one.is_empty() && !goes(one));
    let all: Vec<&str> = kept.chain(add).collect();
    let path = parts.uri.path();
    let text =
        Zeroizing::new(if all.is_empty() { path.to_owned() } else { format!("{path}?{}", all.join("&")) });
    let Ok(edited) = PathAndQuery::try_from(text.as_str()) else { return false };
    let mut uri = parts.uri.clone().into_parts();
    uri.path_and_query = Some(edited);
    match Uri::from_parts(uri) {
        Ok(uri) => {
            parts.uri = uri;
            true
        }
        Err(_unfit) => false,
    }
}
