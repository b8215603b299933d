//! What the owner's policy refuses by now, to a session that began before it did.
//!
//! It only narrows. What can be taken away from a session that has run is taken away, with a note; where its layers or
//! its home hold what came of it, the session is not resumed.

use crate::error::{Error, ErrorKind};
use cofferdam_policy::authority::{Authority, Purpose, View};
use cofferdam_policy::path::AbsPath;
use cofferdam_policy::wish::{Deny, Wish};

pub(super) fn narrow(
    authority: &mut Authority,
    policy: &Wish,
    denied: Vec<AbsPath>,
    notes: &mut Vec<String>,
) -> Result<(), Error> {
    let deny = &policy.deny;
    check_brought(authority, deny)?;
    check_copies(authority, &denied)?;
    authority.environment.retain(|key, _| {
        let stays = !deny.denies_variable(key);
        if !stays {
            notes.push(format!("denied by policy: environment {key}"));
        }
        stays
    });
    authority.profiles.retain(|profile| {
        let stays = !deny.profiles.iter().any(|name| name == profile.name());
        if !stays {
            notes.push(format!("denied by policy: profiles {}", profile.name()));
        }
        stays
    });
    let further: Vec<String> =
        policy.masks.iter().filter(|mask| !authority.masks.contains(mask)).cloned().collect();
    authority.masks.extend(further);
    let known = std::mem::take(&mut authority.denied);
    authority.denied = denied.into_iter().filter(|path| !known.contains(path)).collect();
    authority.denied.extend(known);
    let hosts = deny.hosts.iter().filter(|pattern| !authority.denied_hosts.contains(pattern));
    let hosts: Vec<_> = hosts.cloned().collect();
    authority.denied_hosts.extend(hosts);
    authority.on_handle_leak = authority.on_handle_leak.and(policy.on_handle_leak.unwrap_or_default());
    Ok(())
}

/// Tools and settings are mounts and files of the session's home, and its layers are counted by them.
fn check_brought(authority: &Authority, deny: &Deny) -> Result<(), Error> {
    let refused = |what: &str, name: &str, key: &str| {
        Err(Error::new(ErrorKind::Policy, format!("cannot bring {what} {name:?} again"))
            .since("the policy denies it by now")
            .hint(format!("take it from `{key}` of the policy first, or start a new session")))
    };
    let tools = authority.mounts.iter().filter_map(|mount| match &mount.purpose {
        Purpose::Tool(name) | Purpose::Cache(name) => Some(name),
        Purpose::Chosen | Purpose::Git(_) | Purpose::AgentHome(_) | Purpose::System => None,
    });
    if let Some(name) = tools.into_iter().find(|name| deny.tools.contains(name)) {
        return refused("the set of tools", name, "deny.tools");
    }
    let homes = authority.mounts.iter().filter_map(|mount| match &mount.purpose {
        Purpose::AgentHome(name) => Some(name),
        Purpose::Chosen | Purpose::Git(_) | Purpose::Tool(_) | Purpose::Cache(_) | Purpose::System => None,
    });
    let mut homes = homes.chain(authority.home_files.iter().map(|file| &file.of));
    match homes.find(|name| deny.agent_homes.contains(name)) {
        Some(name) => refused("the agent", name, "deny.agent-homes"),
        None => Ok(()),
    }
}

/// A copy was made before the denial, and nothing lies over it that could hide a part.
fn check_copies(authority: &Authority, denied: &[AbsPath]) -> Result<(), Error> {
    let mut copies = authority.workspaces.iter().filter(|known| known.view == View::Copy);
    let later = |path: &&AbsPath| !authority.denied.contains(path);
    let found = copies.find_map(|copy| {
        denied.iter().filter(later).find(|path| path.is_within(&copy.path)).map(|path| (copy, path))
    });
    match found {
        None => Ok(()),
        Some((copy, path)) => Err(Error::new(ErrorKind::Policy, format!("cannot show {}", copy.path))
            .since(format!("the policy denies {path} by now, and the session's copy may hold it"))
            .hint("take it from `deny.paths` of the policy first, or start a new session")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cofferdam_policy::authority::{AUTHORITY_VERSION, CellKind, Identity};
    use cofferdam_policy::label::Label;
    use cofferdam_policy::net::credential::OnHandleLeak;
    use cofferdam_policy::net::grant::{Grant, GrantOrigin};
    use cofferdam_policy::presets::limits::{Limits, Machine};
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn what_the_policy_denies_by_now_an_old_session_reaches_no_more() {
        let mut authority = Authority {
            version: AUTHORITY_VERSION,
            cell: CellKind::Namespaces,
            identity: Identity { uid: 1, gid: 1, name: "a".into(), home: AbsPath::root() },
            workspaces: Vec::new(),
            mounts: Vec::new(),
            home_files: Vec::new(),
            scratch: Vec::new(),
            environment: BTreeMap::new(),
            path: Vec::new(),
            masks: Vec::new(),
            denied: Vec::new(),
            limits: Limits::defaults(Machine { memory_bytes: 8 << 30 }),
            profiles: BTreeSet::new(),
            grants: vec![Grant::from_line("**.a.example", GrantOrigin::Flag).unwrap()],
            credentials: Vec::new(),
            published: BTreeSet::new(),
            denied_hosts: vec!["x.a.example".parse().unwrap()],
            on_handle_leak: OnHandleLeak::Refuse,
            label: Label::initial(),
        };
        let text = "on-handle-leak = 'stop'\n[deny]\nhosts = ['x.a.example', '*.b.a.example']\n";
        let policy = Wish::parse(text.as_bytes()).unwrap();
        narrow(&mut authority, &policy, Vec::new(), &mut Vec::new()).unwrap();
        let denied: Vec<String> = authority.denied_hosts.iter().map(ToString::to_string).collect();
        assert_eq!(denied, ["x.a.example", "*.b.a.example"]);
        assert_eq!(authority.on_handle_leak, OnHandleLeak::Stop);
        narrow(&mut authority, &Wish::default(), Vec::new(), &mut Vec::new()).unwrap();
        assert_eq!((authority.denied_hosts.len(), authority.on_handle_leak), (2, OnHandleLeak::Stop));
    }
}
