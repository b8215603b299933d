//! What the probe finds in a mutated cell that it does not find in a sound one.

use super::aims::Aims;
use super::reports::reports;
use super::scene::Scene;
use crate::copy::Built;
use crate::mutant::Mutant;
use crate::program;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::time::Duration;

/// A mutant that takes longer does not end.
const SECONDS_MAX: u64 = 60;
/// As many of what changed as are named.
const NAMED_MAX: usize = 3;

/// Where, among the outcomes, the mutant's own word on what it changed is kept.
const TOLD: &str = "told";

/// What each attempt came to, or why there is nothing to compare.
type Outcomes = Result<BTreeMap<String, String>, String>;

/// What the mutated program writes down of its plan and its filter.
pub(crate) fn tell(built: &Built) -> Value {
    let scene = Scene::set();
    let told = scene.home.work().join("told.json");
    let mutant = Mutant::new("tell", json!({})).telling(&told);
    program::write_all(&built.product, Some(&mutant), &scene.home.root().join("bin"));
    scene.probe(["--rm"]).args(["list"]).run().assert_success();
    serde_json::from_slice(&std::fs::read(told).unwrap()).unwrap()
}

/// What noticed the mutant, if the probe or the host's side did.
pub(crate) fn notices(built: &Built, mutant: &Mutant) -> Option<String> {
    static SOUND: OnceLock<(BTreeMap<String, String>, BTreeSet<String>)> = OnceLock::new();
    let (sound, unsteady) = SOUND.get_or_init(|| {
        let (first, second) = (outcomes(built, None).unwrap(), outcomes(built, None).unwrap());
        let differing = first.iter().filter(|(id, outcome)| second.get(*id) != Some(outcome));
        let unsteady = differing.map(|(id, _)| id.clone()).collect();
        (first, unsteady)
    });
    let found = match std::panic::catch_unwind(|| outcomes(built, Some(mutant))) {
        Ok(Ok(found)) => found,
        Ok(Err(why)) => return Some(why),
        Err(_) => return Some("does not end, or leaves something behind".into()),
    };
    let told: Value = found.get(TOLD).and_then(|told| serde_json::from_str(told).ok()).unwrap_or_default();
    assert!(
        !mutant.is_of_the_plan() || told["has_changed"] == json!(true),
        "{} changes no plan: the mutator does not find what it is to change",
        mutant.name
    );
    let changed: Vec<String> = sound
        .iter()
        .filter(|(id, outcome)| *id != TOLD && !unsteady.contains(*id) && found.get(*id) != Some(outcome))
        .map(|(id, _)| format!("{id} ({})", found.get(id).map_or("missing", String::as_str)))
        .collect();
    let more = changed.len().saturating_sub(NAMED_MAX);
    let mut named = changed.into_iter().take(NAMED_MAX).collect::<Vec<_>>().join(", ");
    if more > 0 {
        named.push_str(&format!(" and {more} more"));
    }
    (!named.is_empty()).then_some(named)
}

fn outcomes(built: &Built, mutant: Option<&Mutant>) -> Outcomes {
    let (scene, mut plants) = (Scene::set(), None);
    let told = scene.home.work().join("told.json");
    let telling = mutant.map(|mutant| mutant.telling(&told));
    program::write_all(&built.product, telling.as_ref(), &scene.home.root().join("bin"));
    let aims = Aims::at(&scene, plants.insert(scene.home.plants()));
    let file = scene.home.write("project/plants.json", aims.inside().to_string());
    let run = scene.probe(["--rm"]).args(["all", "--plants"]).arg(file);
    let ended = run.run_within(Duration::from_secs(SECONDS_MAX));
    let Ok(output) = serde_json::from_slice::<Value>(&ended.stdout) else {
        return Err(format!("does not start: {}", ended.stderr().lines().next().unwrap_or_default()));
    };
    let mut outcomes: BTreeMap<String, String> = reports(&output)
        .into_iter()
        .map(|(id, report)| {
            let word = |key: &str| report[key].as_str().unwrap_or_default().to_owned();
            (id.to_owned(), format!("{} {}", word("outcome"), word("errno")).trim().to_owned())
        })
        .collect();
    let plants = plants.as_mut().unwrap();
    outcomes.insert("host-side".into(), plants.reached().join(" "));
    outcomes.insert("canary".into(), ended.stdout().contains(plants.canary()).to_string());
    outcomes.insert(TOLD.into(), std::fs::read_to_string(&told).unwrap_or_default());
    outcomes.insert("exit".into(), ended.status.code().map_or_else(String::new, |code| code.to_string()));
    Ok(outcomes)
}
