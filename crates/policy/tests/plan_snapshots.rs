//! Whole plans, as a person would read them and as the launcher gets them.
//!
//! A change in what a cell is made of shows here, line by line, and is looked at before it is accepted.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod scene;

use cofferdam_policy::authority::{Access, Authority, Mount, Profile, Purpose, View, Workspace};
use cofferdam_policy::layout::{Ground, Host, Inode, LayoutError, Place, System, beginning, compute};
use cofferdam_policy::plan::{Capture, ControlGroup, Plan};
use scene::{authority, mount, path, permit, support, workspace};
use std::fmt::Write as _;

fn host(authority: &Authority) -> Host {
    let targets = authority.workspaces.iter().map(|w| (&w.path, true));
    let mounts = authority.mounts.iter().map(|m| (&m.target, m.access == Access::Cow));
    let places = targets.chain(mounts).enumerate().map(|(number, (target, layered))| {
        let state = |name: &str| path(&format!("/state/{number}/{name}"));
        let place = Place {
            veil: (number == 0).then(|| state("veil")),
            layer: layered.then(|| state("layer")),
            copy: None,
            inode: Inode { device: 64, number: 1000 + u64::try_from(number).unwrap() },
        };
        (target.clone(), place)
    });
    let ground = Ground {
        id_base: None,
        system: System {
            directories: vec![path("/usr")],
            files: vec![path("/etc/ld.so.cache")],
            links: vec![(path("/bin"), "usr/bin".into())],
            made: vec![(path("/var/empty/made"), "made\n".into())],
        },
        groups: Vec::new(),
        capture: Capture::Redirect,
    };
    Host {
        ground,
        etc: Some(path("/state/etc")),
        places: places.collect(),
        home: path("/state/home"),
        hostname: "cell".into(),
        names: vec![(path("/var/lib/cofferdam/hostname"), "cell\n".into())],
    }
}

fn plan(authority: Authority) -> Plan {
    let host = host(&authority);
    compute(&permit(authority, &support()), &host).unwrap()
}

/// Each source and step on a line of words and a line of JSON; then the rest as JSON.
fn readable(plan: &Plan) -> String {
    let mut text = String::new();
    for (number, source) in plan.sources.iter().enumerate() {
        writeln!(text, "source {number}: {}", json(source)).unwrap();
    }
    for (number, step) in plan.steps.iter().enumerate() {
        writeln!(text, "step {number}: {}\n    {}", step.phrase(), json(step)).unwrap();
    }
    writeln!(text, "identities: {}", json(&plan.identities)).unwrap();
    writeln!(text, "entry: {}", json(&plan.entry)).unwrap();
    writeln!(text, "groups: {}", json(&plan.groups)).unwrap();
    text
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap()
}

#[test]
fn a_cell_can_be_begun_before_the_owners_directories_were_looked_at() {
    let host = host(&authority());
    let begun = beginning(&permit(authority(), &support()), &host.ground).unwrap();
    let whole = compute(&permit(authority(), &support()), &host).unwrap();
    assert!(whole.continues(&begun) && whole.is_whole() && !begun.is_whole());
    assert!(!begun.sources.iter().any(|source| source.identity.is_some()), "nothing of the owner's");
    for changed in [
        Ground { id_base: Some(700_000), ..host.ground.clone() },
        Ground { system: System::default(), ..host.ground.clone() },
    ] {
        let other = compute(&permit(authority(), &support()), &Host { ground: changed, ..host.clone() });
        assert!(!other.unwrap().continues(&begun));
    }
}

#[test]
fn a_kernel_without_redirects_gets_listeners() {
    let mut host = host(&authority());
    host.ground.capture = Capture::AnyIp { ports: vec![443] };
    let text = readable(&compute(&permit(authority(), &support()), &host).unwrap());
    assert!(text.contains(r#"{"step":"capture","capture":{"any_ip":{"ports":[443]}}}"#), "{text}");
}

#[test]
fn the_plan_of_an_ordinary_user() {
    insta::assert_snapshot!(readable(&plan(authority())));
}

#[test]
fn the_plan_of_uid_0() {
    let authority = authority();
    let group = ControlGroup {
        path: path("/sys/fs/cgroup/memory/cofferdam-1"),
        settings: vec![("memory.limit_in_bytes".into(), "1073741824".into())],
    };
    let known = host(&authority);
    let ground = Ground { id_base: Some(700_000), groups: vec![group], ..known.ground.clone() };
    let host = Host { ground, ..known };
    insta::assert_snapshot!(readable(&compute(&permit(authority, &support()), &host).unwrap()));
}

#[test]
fn the_plan_of_a_session_on_a_copy() {
    let mut authority = authority();
    authority.workspaces =
        vec![Workspace { path: path("/home/owner/project"), view: View::Copy, instructions: true }];
    let mut host = host(&authority);
    for place in host.places.values_mut() {
        place.copy = Some(path("/state/0/copy"));
        place.layer = None;
    }
    insta::assert_snapshot!(readable(&compute(&permit(authority, &support()), &host).unwrap()));
}

#[test]
fn mounts_lie_over_what_they_are_in_whatever_their_order_in_the_policy() {
    let mut authority = authority();
    authority.workspaces.push(workspace("/srv/data"));
    authority.mounts = vec![
        mount("/srv/store", "/srv/data/deep/store", Access::Cow),
        mount("/home/owner/.cargo/registry", "/home/owner/.cargo/registry", Access::Cow),
        mount("/home/owner/.cargo", "/home/owner/.cargo", Access::Ro),
        mount("/srv/data-two", "/srv/data/deep", Access::Ro),
        Mount {
            file: true,
            purpose: Purpose::AgentHome("claude".into()),
            ..mount("/home/owner/.claude/CLAUDE.md", "/home/owner/.claude/CLAUDE.md", Access::Ro)
        },
    ];
    let plan = plan(authority.clone());
    insta::assert_snapshot!(readable(&plan));
    authority.mounts.reverse();
    let steps = |plan: &Plan| plan.steps.iter().map(cofferdam_policy::plan::Step::phrase).collect::<Vec<_>>();
    assert_eq!(steps(&plan), steps(&self::plan(authority)));
}

#[test]
fn the_plan_with_the_chromium_profile() {
    let mut authority = authority();
    authority.profiles.insert(Profile::Chromium);
    let with = plan(authority);
    insta::assert_snapshot!(serde_json::to_string_pretty(&with.entry).unwrap());
    assert_eq!(with.steps, plan(self::authority()).steps, "it widens the filter and nothing else");
}

#[test]
fn no_plan_is_made_of_a_mount_that_nobody_looked_at() {
    let authority = authority();
    let mut host = host(&authority);
    host.places.clear();
    let unknown = Err(LayoutError::Unknown(path("/home/owner/project")));
    assert_eq!(compute(&permit(authority, &support()), &host), unknown);
}
