//! The radii that the gateway holds: which credentials can be used for what, and where data can leave to.

use super::Radius;
use crate::network::Published;
use crate::sets;
use cofferdam_policy::authority::Authority;
use cofferdam_policy::net::credential::{Credential, OnHandleLeak};
use cofferdam_policy::net::grant::{Grant, GrantOrigin, QueryRule};
use cofferdam_policy::net::host::{Host, HostPattern, Port};
use cofferdam_policy::plan::Capture;
use std::collections::BTreeSet;

/// What is said of each credential.
pub(super) fn credentials(authority: &Authority) -> Vec<String> {
    authority.credentials.iter().map(|credential| of_credential(authority, credential)).collect()
}

fn of_credential(authority: &Authority, credential: &Credential) -> String {
    let Credential { name, secret, place, environment } = credential;
    let uses: Vec<String> = authority
        .grants
        .iter()
        .filter(|grant| grant.credential.as_ref() == Some(name))
        .map(ToString::to_string)
        .collect();
    let uses = if uses.is_empty() { "nothing: no grant names it".to_owned() } else { uses.join(", ") };
    let variables: Vec<&str> = environment.iter().map(|variable| variable.as_str()).collect();
    let shown = match variables.as_slice() {
        [] => "it sees nothing of it".to_owned(),
        names => format!("it sees a handle, in {}", names.join(", ")),
    };
    format!("credential {name}: {shown}; the gateway puts secret {secret} in {}, for {uses}", place.phrase())
}

/// What holds credentials back.
pub(super) fn credentials_held_by(authority: &Authority) -> Option<String> {
    if authority.credentials.is_empty() {
        return None;
    }
    let leak = match authority.on_handle_leak {
        OnHandleLeak::Refuse => "is refused and recorded",
        OnHandleLeak::Stop => "ends the session",
    };
    Some(format!("the gateway, a process on the host: a handle in any other place than its own {leak}"))
}

/// Where data can leave to.
pub(super) fn exfiltration(authority: &Authority, capture: &Capture, published: &[Published]) -> Radius {
    let mut reach: Vec<String> = authority.grants.iter().map(of_grant).collect();
    let since = published.iter().filter_map(|published| Port::new(published.port));
    let ports: BTreeSet<Port> = authority.published.iter().copied().chain(since).collect();
    reach.extend(ports.iter().map(of_published));
    if reach.is_empty() {
        reach.push("nowhere: nothing is granted, and what is tried is refused and recorded".into());
    }
    reach.extend(authority.denied_hosts.iter().map(|host| format!("never {host}, whatever is granted")));
    let caught = match capture {
        Capture::Redirect => "every TCP connection, to whatever address and port, is caught (nf_tables)",
        Capture::AnyIp { .. } => {
            "connections to granted ports and the proxies are caught (any-IP: this kernel has no nf_tables); \
             others are refused"
        }
    };
    let held_by = vec![
        "a network namespace with nothing but lo; no packet leaves it".to_owned(),
        format!("{caught} and handed to the gateway on the host: one verdict for each request"),
        "names are answered inside, whatever they are; none is asked outside before its host is granted"
            .to_owned(),
    ];
    Radius { name: "exfiltration", question: "where can data leave to?", reach, held_by }
}

/// What a published port amounts to, wherever it leads.
fn of_published(port: &Port) -> String {
    format!(
        "anywhere, by your browser: port {} is published to it, and the agent's page that runs there can send what it \
         has to any host; no grant bounds that",
        port.get()
    )
}

fn of_grant(grant: &Grant) -> String {
    let origin = match &grant.origin {
        GrantOrigin::Policy => "your policy".to_owned(),
        GrantOrigin::Request => "the repository's request".to_owned(),
        GrantOrigin::Flag => "your flag".to_owned(),
        GrantOrigin::Set(name) => format!("the set {name}"),
    };
    let mut marks = vec![origin];
    if grant.is_unread() {
        marks.push("weaker: passed on unread, so any bytes can leave".to_owned());
    } else {
        if grant.query == QueryRule::Allow {
            marks.push("query strings are not judged".to_owned());
        }
        if grant.budget.up.is_none() {
            marks.push("no bound on what leaves".to_owned());
        }
    }
    marks.extend(of_addresses(grant));
    format!("{grant} ({})", marks.join("; "))
}

/// Where a grant leads by addresses of its own.
fn of_addresses(grant: &Grant) -> Option<String> {
    let addresses = match &grant.host {
        HostPattern::Exactly(Host::Address(address)) => vec![*address],
        HostPattern::Exactly(Host::Name(_)) | HostPattern::OneLabelBelow(_) | HostPattern::Below(_) => {
            grant.addresses.clone()
        }
    };
    match sets::leads_inward(&addresses) {
        Some(inward) => Some(format!("an opening into {}: at {}", inward.phrase(), sets::listed(&addresses))),
        None if grant.addresses.is_empty() => None,
        None => Some("at the addresses that are named".to_owned()),
    }
}
