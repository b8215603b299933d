//! Authorities and a machine for tests: everything that can vary has a plain default.

use cofferdam_policy::admission::{Mechanism, Permit, Support, Verdict, admit};
use cofferdam_policy::authority::{
    AUTHORITY_VERSION, Access, Authority, CellKind, Identity, Mount, Purpose, View, Workspace,
};
use cofferdam_policy::label::Label;
use cofferdam_policy::net::credential::OnHandleLeak;
use cofferdam_policy::path::AbsPath;
use cofferdam_policy::presets::limits::{LimitName, Limits, Machine};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn path(text: &str) -> AbsPath {
    AbsPath::new(text).unwrap()
}

pub(crate) fn authority() -> Authority {
    Authority {
        version: AUTHORITY_VERSION,
        cell: CellKind::Namespaces,
        identity: Identity { uid: 1000, gid: 1000, name: "owner".into(), home: path("/home/owner") },
        workspaces: vec![workspace("/home/owner/project")],
        mounts: Vec::new(),
        home_files: Vec::new(),
        scratch: Vec::new(),
        environment: BTreeMap::new(),
        path: Vec::new(),
        masks: Vec::new(),
        denied: Vec::new(),
        limits: Limits::defaults(Machine { memory_bytes: 8 << 30 }),
        profiles: BTreeSet::new(),
        grants: Vec::new(),
        credentials: Vec::new(),
        published: BTreeSet::new(),
        denied_hosts: Vec::new(),
        on_handle_leak: OnHandleLeak::Refuse,
        label: Label::initial(),
    }
}

pub(crate) fn workspace(at: &str) -> Workspace {
    Workspace { path: path(at), view: View::Overlay, instructions: true }
}

pub(crate) fn mount(source: &str, target: &str, access: Access) -> Mount {
    Mount { source: path(source), target: path(target), access, file: false, purpose: Purpose::Chosen }
}

pub(crate) fn support() -> Support {
    Support {
        landlock: Some(7),
        landlock_min: 2,
        mechanisms: BTreeMap::from([
            (LimitName::Processes, Mechanism::Rlimit),
            (LimitName::Files, Mechanism::Rlimit),
            (LimitName::Tmp, Mechanism::SizedTmpfs),
            (LimitName::Time, Mechanism::Timer),
        ]),
    }
}

pub(crate) fn permit(authority: Authority, machine: &Support) -> Permit {
    match admit(authority, machine) {
        Verdict::Permit(permit) => *permit,
        Verdict::Refuse(reasons) => panic!("refused: {reasons:?}"),
    }
}
