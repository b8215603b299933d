//! The mutants of a plan: each step left out, each value in it that holds something widened.

use crate::mutant::Mutant;
use cofferdam_policy::plan::{Plan, Step, Through};
use serde_json::{Value, json};

/// All mutants of this plan.
pub(crate) fn mutants(plan: &Value) -> Vec<Mutant> {
    let plan: Plan = serde_json::from_value(plan.clone()).unwrap();
    let mut mutants = Vec::new();
    for (at, step) in plan.steps.iter().enumerate() {
        let name = stable(&step.phrase());
        mutants.push(Mutant::new(format!("step {name}"), json!({"remove": format!("/steps/{at}")})));
        mutants.extend(widened(at, step, &name));
    }
    for (at, source) in plan.sources.iter().enumerate() {
        if source.identity.is_some() {
            mutants.push(set(
                format!("source any inode at {}", stable(source.path.as_str())),
                format!("/sources/{at}/identity"),
                Value::Null,
            ));
        }
    }
    mutants.extend(entry(&plan));
    for (at, group) in plan.groups.iter().enumerate() {
        mutants.push(Mutant::new(format!("group {at}"), json!({"remove": format!("/groups/{at}")})));
        for (setting, (file, _)) in group.settings.iter().enumerate() {
            let pointer = format!("/groups/{at}/settings/{setting}");
            mutants.push(Mutant::new(format!("group {at} {file}"), json!({"remove": pointer})));
        }
    }
    mutants
}

/// What holds every process that enters.
fn entry(plan: &Plan) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for (at, limit) in plan.entry.limits.iter().enumerate() {
        let name = format!("limit {:?}", limit.resource);
        mutants.push(Mutant::new(name, json!({"remove": format!("/entry/limits/{at}")})));
    }
    let append = |name: &str, list: &str, value: &str| {
        Mutant::new(format!("entry {name}"), json!({"append": format!("/entry/{list}"), "to": value}))
    };
    mutants.push(append("writable anywhere", "writable", "/"));
    mutants.push(append("devices anywhere", "devices", "/"));
    mutants.push(append("chromium profile", "profiles", "chromium"));
    for id in ["uid", "gid"] {
        mutants.push(set(format!("identity {id} 0"), format!("/identities/{id}"), json!(0)));
    }
    mutants
}

/// One step, holding less than it should.
fn widened(at: usize, step: &Step, name: &str) -> Vec<Mutant> {
    let pointer = |field: &str| format!("/steps/{at}/{field}");
    match step {
        Step::Tmpfs { owned, .. } => {
            let mut mutants = vec![
                set(format!("value {name}: any size"), pointer("bytes_max"), json!(0)),
                set(format!("value {name}: any number of files"), pointer("inodes_max"), json!(0)),
                set(format!("value {name}: open to all"), pointer("mode"), json!(0o1777)),
            ];
            if !owned {
                mutants.push(set(format!("value {name}: the agent's"), pointer("owned"), json!(true)));
            }
            mutants
        }
        Step::Directory { owned: false, .. } => {
            vec![set(format!("value {name}: the agent's"), pointer("owned"), json!(true))]
        }
        // Through a bind mount sockets and FIFOs lead to the host.
        Step::Overlay { target, lower, upper } => {
            let bound = |source: usize, through: &str| json!({"step": "bind", "source": source, "target": target, "through": through});
            let through = if upper.is_some() { "writing" } else { "reading" };
            let bottom = lower.last().copied().unwrap_or_default();
            let mut mutants =
                vec![set(format!("value {name}: bound"), format!("/steps/{at}"), bound(bottom, through))];
            if lower.len() > 1 {
                let unveiled = format!("/steps/{at}/lower/0");
                mutants
                    .push(Mutant::new(format!("value {name}: without its top"), json!({"remove": unveiled})));
            }
            mutants
        }
        Step::Bind { through, .. } => match through {
            Through::Reading => {
                vec![set(format!("value {name}: writable"), pointer("through"), json!("writing"))]
            }
            Through::Writing | Through::Device => Vec::new(),
        },
        Step::Stage { .. } => vec![set(format!("value {name}: any size"), pointer("bytes_max"), json!(0))],
        Step::Capture { .. } => {
            vec![set(format!("value {name}: any-ip"), pointer("capture"), json!({"any_ip": {"ports": []}}))]
        }
        Step::Hostname { .. }
        | Step::Loopback
        | Step::Directory { .. }
        | Step::File { .. }
        | Step::Symlink { .. }
        | Step::Proc { .. }
        | Step::Devpts { .. }
        | Step::Mqueue { .. }
        | Step::Freeze { .. }
        | Step::Leave
        | Step::View => Vec::new(),
    }
}

fn set(name: String, pointer: String, to: Value) -> Mutant {
    Mutant::new(name, json!({"set": pointer, "to": to}))
}

/// Without what differs from run to run: the scene's own directory, and the session's name.
fn stable(text: &str) -> String {
    let words = text.split('/').map(|part| if part.starts_with("cdt-") { "SCENE" } else { part });
    let text = words.collect::<Vec<_>>().join("/");
    match text.strip_prefix("name the cell ") {
        Some(_) => "name the cell".into(),
        None => text,
    }
}
