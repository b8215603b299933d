//! Sessions of uid 0 have ids of their own, also when the lot falls on those of another (ATTACKS 6).

use std::fs;

use cofferdam_ledger::{Ledger, NameWish, NewSession, UidRanges};
use cofferdam_policy::authority::CellKind;
use cofferdam_policy::event::UnixNanos;
use cofferdam_policy::label::Label;
use cofferdam_policy::session_id::SessionId;

use super::scene::Scene;

const START: u32 = 0x7000_0000;
const SIZE: u32 = 65_536;
const RANGES: u32 = 4_096;
/// The only one that nobody has.
const FREE: u32 = START + 1_235 * SIZE;

/// Sessions that have all ranges but one between them: each lies across two.
fn take_all_but_one(ledger: &Ledger) {
    let starts = (0..RANGES / 2).map(|pair| START + 2 * pair * SIZE + if pair == 617 { 0 } else { 1 });
    for (number, start) in starts.enumerate() {
        let id = SessionId::from_random(u64::try_from(number).unwrap().to_le_bytes());
        let name = NameWish::Exactly(format!("other-{number}").parse().unwrap());
        let uids = Some(UidRanges { start, size: 1, ranges: 1, first: 0 });
        let (directory, command) = ("/srv".into(), vec!["true".into()]);
        let (authority_digest, authority) = ("none".into(), "{}".into());
        let (cell, label, at) = (CellKind::Namespaces, Label::initial(), UnixNanos(1));
        let new = NewSession {
            id,
            name,
            directory,
            cell,
            parent: None,
            uids,
            supervisor: None,
            label,
            command,
            authority_digest,
            authority,
            at,
        };
        ledger.begin_session(&new).unwrap();
    }
}

#[test]
fn a_session_whose_lot_falls_on_anothers_ids_gets_those_that_are_free() {
    let scene = Scene::set();
    scene.cofferdam(["ls"]).run().assert_success();
    take_all_but_one(&Ledger::open(&scene.home.state().join("ledger")).unwrap());
    let script = "echo it > it; echo up; sleep 600";
    let run = scene.cofferdam(["run", "--name", "last", "--", "sh", "-c", script]).start();
    run.wait_for_output("up");
    let inside = scene.home.processes().into_iter().find(|process| process.command.starts_with("sleep 600"));
    let status = fs::read_to_string(format!("/proc/{}/status", inside.unwrap().pid)).unwrap();
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap();
    let uid: u32 = uid.split_whitespace().next().unwrap().parse().unwrap();
    assert!((FREE..FREE + SIZE).contains(&uid), "{uid}");
    scene.cofferdam(["stop", "--grace", "1", "last"]).run().assert_success();
    scene.home.wait_until_quiet();
    // Now it is taken as well.
    let refused = scene.cofferdam(["run", "--", "true"]).run();
    assert!(refused.stderr().contains("4096"), "{}", refused.stderr());
    scene.home.wait_until_quiet();
}
