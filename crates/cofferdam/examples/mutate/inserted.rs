//! What the mutated copy of the `cell` crate has beside its own modules: it reads which mutant this program is.
//!
//! It is text for the copy alone: no target of this workspace compiles it, and what is shipped holds no such choice. A
//! program becomes a mutant when the bytes of [`CHOICE`] are overwritten in its file.

use cofferdam_policy::plan::Plan;
use cofferdam_syscall::confine::Instruction;
use cofferdam_syscall::filter::{ALWAYS, Alternative, RETURN, RETURN_ALLOW, Rule, compile, is_always};
use cofferdam_syscall::process::Namespaces;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether this mutant has changed a plan.
static HAS_CHANGED: AtomicBool = AtomicBool::new(false);

const ROOM_BYTES: usize = 1024;
/// Where the instructions on foreign architectures and unknown numbers stand in every filter of `compile`'s.
const FOREIGN: usize = 2;
const UNKNOWN: usize = 5;

static CHOICE: [u8; ROOM_BYTES] = {
    let mark = *b"which-mutant-this-is:";
    let mut room = [b' '; ROOM_BYTES];
    let mut at = 0;
    while at < mark.len() {
        room[at] = mark[at];
        at += 1;
    }
    room
};

fn choice() -> Value {
    let room = std::hint::black_box(&CHOICE);
    let text = room.splitn(2, |&byte| byte == b':').nth(1).unwrap_or_default();
    serde_json::from_slice(text.trim_ascii()).unwrap_or_default()
}

/// Whether this act is the one that is to be left out.
pub(crate) fn leaves_out(act: &str) -> bool {
    choice()["leave_out"] == act
}

/// The namespaces of a cell, but for one.
pub(crate) fn namespaces() -> Namespaces {
    let without = choice()["without_namespace"].as_i64().unwrap_or_default();
    Namespaces::CELL.without(i32::try_from(without).unwrap_or_default())
}

/// The text of a plan, changed.
pub(crate) fn plan(text: Vec<u8>) -> Vec<u8> {
    let choice = choice();
    let Ok(mut plan) = serde_json::from_slice::<Value>(&text) else { return text };
    let whole = plan.clone();
    change(&mut plan, &choice);
    HAS_CHANGED.fetch_or(plan != whole, Ordering::Relaxed);
    serde_json::to_vec(&plan).unwrap_or(text)
}

fn change(plan: &mut Value, choice: &Value) -> Option<()> {
    if let Some(wanted) = choice["step"].as_object() {
        // Found by what it is: another plan has it in another place, or not at all.
        let steps = plan["steps"].as_array_mut()?;
        let is_wanted = |step: &Value| wanted.iter().all(|(key, value)| stable(&step[key]) == stable(value));
        let at = steps.iter().position(is_wanted)?;
        match choice["act"].as_str()? {
            "remove" => drop(steps.remove(at)),
            "bind" => {
                let source = steps[at]["lower"].as_array()?.last()?.clone();
                let target = steps[at]["target"].clone();
                steps[at] = json!({"step": "bind", "source": source, "target": target, "through": choice["through"]});
            }
            "unveil" => drop(steps[at]["lower"].as_array_mut()?.remove(0)),
            field => steps[at][field] = choice["to"].clone(),
        }
    }
    if let Some((list, last)) = choice["remove"].as_str().and_then(|pointer| pointer.rsplit_once('/')) {
        let list = plan.pointer_mut(list)?.as_array_mut()?;
        let at = last.parse().ok().filter(|at| *at < list.len())?;
        drop(list.remove(at));
    }
    if let Some(place) = choice["set"].as_str().and_then(|pointer| plan.pointer_mut(pointer)) {
        *place = choice["to"].clone();
    }
    if let Some(list) = choice["append"].as_str() {
        plan.pointer_mut(list)?.as_array_mut()?.push(choice["to"].clone());
    }
    Some(())
}

/// Without the name of a scene's own directory, which is another in every run.
fn stable(value: &Value) -> String {
    let text = value.to_string();
    let parts = text.split('/').map(|part| if part.starts_with("cdt-") { "SCENE" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// Writes down what there is to mutate, and whether the plan was changed.
pub(crate) fn tell(plan: &Plan) {
    let Some(path) = choice()["tell"].as_str().map(str::to_owned) else { return };
    let rules = crate::seccomp::rules(&plan.entry.profiles);
    let rules: Vec<Value> = rules
        .values()
        .map(|rule| {
            let checks: Vec<usize> = rule.alternatives.iter().map(|alternative| alternative.0.len()).collect();
            json!({"number": rule.number, "always": is_always(rule), "checks": checks})
        })
        .collect();
    let told = json!({"plan": plan, "rules": rules, "has_changed": HAS_CHANGED.load(Ordering::Relaxed)});
    let written = std::fs::write(path, told.to_string());
    // Pid 1 reads the plan too, and can't write there.
    drop(written);
}

/// The filter of these rules, opened at one place.
pub(crate) fn filter(mut rules: BTreeMap<u32, Rule>, first_unknown: u32) -> Vec<Instruction> {
    let choice = choice();
    if let Some(number) = choice["call"].as_u64().and_then(|number| u32::try_from(number).ok()) {
        rules.insert(number, Rule::when(i64::from(number), ALWAYS, 0));
    }
    let check = |at: usize| choice["check"][at].as_u64().and_then(|n| usize::try_from(n).ok());
    if let (Some(number), Some(alternative), Some(check)) = (check(0), check(1), check(2))
        && let Some(rule) = u32::try_from(number).ok().and_then(|number| rules.get_mut(&number))
    {
        let mut alternatives: Vec<Alternative> = rule.alternatives.to_vec();
        let mut checks = alternatives[alternative].0.to_vec();
        checks.remove(check);
        alternatives[alternative] = Alternative(Vec::leak(checks));
        rule.alternatives = Vec::leak(alternatives);
    }
    let mut program = compile(&rules, first_unknown);
    let allow = Instruction { code: RETURN, jt: 0, jf: 0, k: RETURN_ALLOW };
    let at = match choice["open"].as_str() {
        Some("default") => program.len() - 1,
        Some("foreign") => FOREIGN,
        Some("unknown") => UNKNOWN,
        _ => return program,
    };
    program[at] = allow;
    program
}
