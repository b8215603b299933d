//! Every act of the probe, inside a cell and outside of any.
//!
//! Outside, the same acts must reach nearly all that their kind of user can: a suite that cannot fail proves nothing.

use std::collections::BTreeSet;

use cofferdam_testkit::Owner;
use serde_json::Value;

use super::OWNER;
use super::aims::Aims;
use super::answers::{CONCERNS_THE_CELL_ONLY, REFUSED};
use super::beyond;
use super::reports::reports;
use super::scene::Scene;

/// The share of what is within reach outside that must be reached there, in percent.
const REACHED_PERCENT_MIN: usize = 95;

#[test]
fn every_forbidden_act_is_refused_for_its_own_reason_and_every_allowed_one_works() {
    let (scene, mut plants) = (Scene::set(), None);
    let aims = Aims::at(&scene, plants.insert(scene.home.plants()));
    let file = scene.home.write("project/plants.json", aims.inside().to_string());
    let run = scene.probe(["--rm"]).args(["all", "--plants"]).arg(file).run();
    let output = run.assert_success().json();
    let mut findings = Vec::new();
    for (id, report) in reports(&output) {
        let as_expected = match report["kind"].as_str() {
            Some("allowed") => report["outcome"] == "reached",
            _ if beyond::only_on_a_scene(id) => true,
            _ => is_as_expected(id, report),
        };
        if !as_expected {
            findings.push(report.to_string());
        }
    }
    assert!(
        findings.is_empty(),
        "{} acts went otherwise than listed:\n{}",
        findings.len(),
        findings.join("\n")
    );
    let listed: usize = REFUSED.iter().map(|answer| answer.acts.len()).sum();
    assert!(reports(&output).len() > listed, "the probe tried fewer acts than are listed");
    let plants = plants.as_mut().unwrap();
    assert_eq!(plants.reached(), Vec::<&str>::new(), "the host's side was reached");
    assert!(!run.stdout().contains(plants.canary()), "the canary came out");
}

fn is_as_expected(id: &str, report: &Value) -> bool {
    let (outcome, evidence) = (report["outcome"].as_str().unwrap(), report["evidence"].as_str().unwrap());
    if id.starts_with("flood-") {
        return outcome == "reached";
    }
    // As an ordinary owner pid 1 has the agent's uid: the signal is taken, and ignored by the kernel's rule for the
    // pid 1 of a namespace. That it goes on is seen by the test below, and by every report that follows.
    if OWNER == Owner::Ordinary && id == "init-stop" {
        return outcome == "refused" && evidence.contains("it still reaps");
    }
    if OWNER == Owner::Ordinary && id == "init-kill" {
        return outcome == "refused";
    }
    if ["init-stop", "init-kill"].contains(&id) {
        return outcome == "refused" && report["errno"] == "EPERM";
    }
    if let Some((_, why)) = CONCERNS_THE_CELL_ONLY.iter().find(|(known, _)| *known == id) {
        return outcome == "reached" && evidence.contains(why);
    }
    let Some(answer) = REFUSED.iter().find(|answer| answer.acts.contains(&id)) else { return false };
    let errno_fits = match report["errno"].as_str() {
        Some(errno) => answer.errnos.contains(&errno),
        None => answer.errnos.is_empty(),
    };
    outcome == "refused" && errno_fits
}

#[test]
fn outside_of_any_cell_the_same_acts_reach_what_they_aim_at() {
    let (scene, mut plants) = (Scene::set(), None);
    let aims = Aims::at(&scene, plants.insert(scene.home.plants()));
    let file = scene.home.write("project/plants.json", aims.outside().to_string());
    let run = scene.home.invoke(scene.home.probe()).args(["all", "--plants"]).arg(file).run();
    let output = run.assert_success().json();
    let (mut reached, mut missed) = (0, Vec::new());
    for (id, report) in reports(&output) {
        let outcome = report["outcome"].as_str().unwrap();
        let within_reach = report["kind"] == "forbidden"
            && !beyond::only_on_a_scene(id)
            && !beyond::anybody(id)
            && !beyond::this_owner(id);
        match outcome {
            _ if !within_reach => {}
            "inapplicable" => {}
            "reached" => reached += 1,
            _ => missed.push(report.to_string()),
        }
    }
    let share = reached * 100 / (reached + missed.len()).max(1);
    assert!(share >= REACHED_PERCENT_MIN, "only {share} % were reached; missed:\n{}", missed.join("\n"));
    let seen: BTreeSet<&str> = plants.as_mut().unwrap().reached().into_iter().collect();
    for name in ["stream_socket", "datagram_socket", "abstract_stream", "tcp", "fifo"] {
        assert!(seen.contains(name), "the host's side did not see {name}: {seen:?}");
    }
}

/// What is sent to pid 1 from inside is lost: it still starts, reaps and ends processes for the owner.
#[test]
fn pid_1_serves_the_owner_after_the_agent_has_signalled_it() {
    let scene = Scene::set();
    let probe = scene.home.probe();
    scene.detached("signalled", ["sleep", "1000"]);
    for id in ["init-stop", "init-kill"] {
        let exec = scene.cofferdam(["exec", "-s", "signalled", "--"]);
        exec.arg(&probe).args(["try", id, "init-pid=1"]).run().assert_success();
    }
    let exec = scene.cofferdam(["exec", "-s", "signalled", "--", "echo", "still here"]).run();
    assert_eq!(exec.assert_success().stdout(), "still here\n");
    scene.cofferdam(["stop", "--grace", "0", "signalled"]).run().assert_success();
    scene.home.wait_until_quiet();
}
