//! Walls that stand behind others hold by themselves, where a plan leaves the first one out.

use crate::Promise;
use crate::scene::{Owner, Scene, abs, start};
use cofferdam_policy::plan::{Plan, Step};
use std::path::{Path, PathBuf};

pub(crate) const PROMISES: &[Promise] = &[
    ("what_the_mounts_would_let_be_written_is_refused_by_landlock", behind_the_mounts),
    ("a_view_that_was_not_frozen_cannot_be_written_to", behind_the_freeze),
    ("a_cell_keeps_no_directory_of_the_owners_in_use", directory_of_the_guardian),
];

fn behind_the_mounts(owner: Owner) {
    let scene = Scene::of(owner);
    let mut plan = scene.plan();
    open_to_the_agent(&mut plan, Path::new("/run"));
    let cell = start(&plan).unwrap();
    let script =
        "touch /run/made || echo no; (echo x > /run/left) || echo no; echo x > /tmp/made && cat /tmp/made";
    let (text, _) = cell.script(&scene.workspace(), script);
    assert_eq!(text.matches("Permission denied").count(), 2, "{text}");
    assert!(text.ends_with("no\nx\n"), "the control: {text}");
}

/// The directory becomes the agent's, with a file in it that everybody may write.
fn open_to_the_agent(plan: &mut Plan, directory: &Path) {
    let is_it = |step: &Step| matches!(step, Step::Tmpfs { target, .. } if *target == abs(directory));
    let at = plan.steps.iter().position(is_it).unwrap();
    if let Step::Tmpfs { owned, .. } = &mut plan.steps[at] {
        *owned = true;
    }
    let left = Step::File { target: abs(&directory.join("left")), mode: 0o666, content: String::new() };
    plan.steps.insert(at + 1, left);
}

fn behind_the_freeze(owner: Owner) {
    let scene = Scene::of(owner);
    let mut plan = scene.plan();
    plan.steps.retain(|step| !matches!(step, Step::Freeze { .. }));
    let cell = start(&plan).unwrap();
    let script = "touch /made /dev/made /mnt/made 2> /dev/null; ls -d /made /dev/made /mnt/made 2> /dev/null; echo over";
    assert_eq!(cell.script(&scene.workspace(), script).0, "over\n");
}

/// Nor does what belongs to it outside: the owner can unmount what lies there.
fn directory_of_the_guardian(owner: Owner) {
    let scene = Scene::of(owner);
    std::env::set_current_dir(scene.workspace()).unwrap();
    let cell = scene.start();
    let guardian = cell.cell.guardian().as_raw_nonzero();
    let directory = std::fs::read_link(format!("/proc/{guardian}/cwd")).unwrap();
    std::env::set_current_dir("/").unwrap();
    assert_eq!(directory, PathBuf::from("/"));
}
