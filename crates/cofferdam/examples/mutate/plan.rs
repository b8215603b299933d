//! The mutants of a plan: each step left out, each value in it that holds something widened.

use crate::mutant::Mutant;
use cofferdam_policy::plan::{Plan, Step, Through};
use serde_json::{Value, json};

/// All mutants of this plan.
pub(crate) fn mutants(plan: &Value) -> Vec<Mutant> {
    let plan: Plan = serde_json::from_value(plan.clone()).unwrap();
    let mut mutants = Vec::new();
    for step in &plan.steps {
        let name = stable(&step.phrase());
        mutants.push(on(step, format!("step {name}"), "remove", Value::Null));
        mutants.extend(widened(step, &name));
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
fn widened(step: &Step, name: &str) -> Vec<Mutant> {
    let widen = |what: &str, field: &str, to: Value| on(step, format!("value {name}: {what}"), field, to);
    match step {
        Step::Tmpfs { owned, mode, .. } => {
            let mut mutants = vec![
                widen("any size", "bytes_max", json!(0)),
                widen("any number of files", "inodes_max", json!(0)),
            ];
            // One that is open to all already can't be opened further.
            if mode & 0o002 == 0 {
                mutants.push(widen("open to all", "mode", json!(0o1777)));
                mutants.extend((!owned).then(|| widen("the agent's", "owned", json!(true))));
            }
            mutants
        }
        Step::Directory { owned: false, .. } => vec![widen("the agent's", "owned", json!(true))],
        // Through a bind mount sockets and FIFOs lead to the host.
        Step::Overlay { lower, upper, .. } => {
            let mut bound = widen("bound", "bind", Value::Null);
            bound.choice["through"] = json!(if upper.is_some() { "writing" } else { "reading" });
            let unveiled = (lower.len() > 1).then(|| widen("without its top", "unveil", Value::Null));
            std::iter::once(bound).chain(unveiled).collect()
        }
        Step::Bind { through: Through::Reading, .. } => vec![widen("writable", "through", json!("writing"))],
        Step::Stage { .. } => vec![widen("any size", "bytes_max", json!(0))],
        Step::Capture { .. } => vec![widen("any-ip", "capture", json!({"any_ip": {"ports": []}}))],
        Step::Bind { through: Through::Writing | Through::Device, .. }
        | Step::Directory { owned: true, .. }
        | Step::Hostname { .. }
        | Step::Loopback
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

/// An act on a step, which is known by its kind and its target.
fn on(step: &Step, name: String, act: &str, to: Value) -> Mutant {
    let written = serde_json::to_value(step).unwrap();
    let mut known = json!({"step": written["step"]});
    if let Some(target) = written.get("target") {
        known["target"] = target.clone();
    }
    Mutant::new(name, json!({"step": known, "act": act, "to": to}))
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
