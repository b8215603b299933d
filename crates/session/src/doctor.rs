//! `cofferdam doctor`: what this machine can and cannot do for a cell, tried one by one, and what was left over.
//!
//! Each check is an attempt in a short-lived process of its own, so that a refusal harms nobody; nothing is guessed
//! from version numbers where it can be tried. No setting of the machine is changed: the remedy is named, and the
//! owner decides. Leftovers are cleared only when asked, and never those of a session whose supervisor lives.

mod attempt;
mod confinement;
mod filesystems;
mod ids;
mod leftovers;
mod machine;
mod namespaces;
mod network;
mod overlay;
mod place;
mod remedies;
mod surroundings;

pub use leftovers::{Fate, Leftover, LeftoverKind};
pub(crate) use network::redirects;
pub use remedies::Remedy;

use crate::context::Context;
use crate::state::State;
use attempt::{Refusal, Tried};
use ids::Ids;
use serde::Serialize;
use surroundings::Surroundings;

/// All that doctor found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What was tried, in order.
    pub checks: Vec<Check>,
    /// What was left over.
    pub leftovers: Vec<Leftover>,
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its stable name.
    pub id: &'static str,
    /// What it is, for people.
    pub title: &'static str,
    /// What came of it.
    pub state: CheckState,
    /// Whether a session needs it.
    pub need: Need,
    /// What was tried and what the kernel answered.
    pub evidence: String,
    /// What mends it, where that is known.
    pub remedies: Vec<Remedy>,
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckState {
    /// It works.
    Works,
    /// It does not.
    Missing,
    /// It could not be tried.
    CannotTell,
}

/// Whether a session needs something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// Without it no session starts.
    Required,
    /// Without it something can be had less, and `explain` says so.
    Optional,
}

impl Report {
    /// What keeps every session from starting here.
    pub fn obstacles(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.need == Need::Required && check.state == CheckState::Missing)
    }

    /// What `--fix` would clear.
    pub fn clearable(&self) -> impl Iterator<Item = &Leftover> {
        self.leftovers.iter().filter(|leftover| leftover.fate == Fate::Listed)
    }
}

/// Tries everything; with `fix` clears what was left over. The caller must be single-threaded.
#[must_use]
pub fn examine(context: &Context, fix: bool) -> Report {
    let surroundings = Surroundings::look(context);
    let state = State::open(context);
    let mut checks = vec![
        machine::programs(context),
        machine::kernel(&surroundings),
        machine::surroundings(&surroundings),
    ];
    let process = namespaces::process(&surroundings);
    let no_process = namespaces::lacking(std::slice::from_ref(&process));
    let namespaces = namespaces::checks(&surroundings, no_process);
    let lacking = no_process.or_else(|| namespaces::lacking(&namespaces));
    checks.push(process);
    checks.extend(namespaces);
    checks.push(network::check(&surroundings, lacking));
    checks.extend(filesystems::checks(&surroundings, lacking));
    checks.extend(confinement::checks(&surroundings, no_process));
    checks.extend(place::checks(context, &surroundings, state.as_ref().err()));
    let lacking = lacking.or(state.is_err().then_some("a state directory of the owner's alone"));
    checks.extend(overlay::checks(context, &surroundings, lacking));
    checks.push(machine::limits(&surroundings));
    let leftovers = match &state {
        Ok(state) => leftovers::look(context, state, fix),
        Err(_) => Vec::new(),
    };
    Report { checks, leftovers }
}

/// A check that was tried; what may mend it is looked up only when it failed.
fn tried(
    id: &'static str,
    title: &'static str,
    outcome: Tried,
    remedies: impl FnOnce(&Refusal) -> Vec<Remedy>,
) -> Check {
    let need = Need::Required;
    match outcome {
        Ok(evidence) => Check { id, title, state: CheckState::Works, need, evidence, remedies: Vec::new() },
        Err(refusal) => {
            let (state, remedies) = match refusal {
                Refusal::Kernel { .. } | Refusal::Unexpected { .. } | Refusal::Killed { .. } => {
                    (CheckState::Missing, remedies(&refusal))
                }
                Refusal::Silent | Refusal::Dependent { .. } => (CheckState::CannotTell, Vec::new()),
            };
            Check { id, title, state, need, evidence: refusal.to_string(), remedies }
        }
    }
}

#[cfg(test)]
mod tests;
