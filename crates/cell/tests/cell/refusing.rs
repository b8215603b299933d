//! What can't be built as planned is not built, and the supervisor hears where and why.

use crate::Promise;
use crate::scene::{Owner, Scene, abs, start, start_begun};
use cofferdam_cell::{Failure, LaunchAct};
use cofferdam_policy::authority::Access;
use cofferdam_policy::path::AbsPath;
use cofferdam_policy::plan::{Plan, Step};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

pub(crate) const PROMISES: &[Promise] = &[
    ("a_step_that_fails_is_named_with_its_number_and_errno", failing_step),
    ("a_plan_that_does_not_continue_what_was_begun_is_refused", other_plan),
    ("a_workspace_that_was_replaced_since_it_was_looked_at_is_refused", replaced),
    ("a_workspace_that_became_a_link_is_refused", became_link),
    ("a_mount_over_a_link_that_the_agent_left_in_its_home_is_refused", link_in_home),
    ("a_mount_below_a_link_that_the_agent_left_in_its_home_is_refused", link_above),
    ("a_fifo_is_never_bound_as_it_is", bound_fifo),
    ("a_machine_without_user_namespaces_is_named_as_such", no_namespaces),
];

fn failure(plan: &Plan) -> Failure {
    match start(plan) {
        Err(failure) => failure,
        Ok(_) => panic!("it stands"),
    }
}

fn failing_step(owner: Owner) {
    let scene = Scene::of(owner);
    let mut plan = scene.plan();
    let number = plan.steps.len() - 3;
    let file = abs(Path::new("/mnt/file"));
    let lower = plan.steps.iter().find_map(|step| step.sources().first().copied()).unwrap();
    plan.steps.insert(number, Step::File { target: file.clone(), mode: 0o644, content: "x".into() });
    plan.steps.insert(number + 1, Step::Overlay { target: file, lower: vec![lower], upper: None });
    assert_eq!(failure(&plan), Failure::Step { step: number + 1, errno: libc::ENOTDIR });
}

fn other_plan(owner: Owner) {
    let scene = Scene::of(owner);
    let refusal = Failure::Launch { act: LaunchAct::Plan, errno: libc::EBADMSG };
    for change in [
        |plan: &mut Plan| plan.steps[0] = Step::Hostname { name: "other".into() },
        |plan: &mut Plan| plan.sources[0].path = abs(Path::new("/opt")),
        |plan: &mut Plan| plan.identities.uid += 1,
        |plan: &mut Plan| plan.entry.limits.clear(),
    ] {
        let mut plan = scene.plan();
        change(&mut plan);
        assert_eq!(start_begun(&scene.beginning(), &plan).err(), Some(refusal));
    }
    assert!(start_begun(&scene.beginning(), &scene.plan()).is_ok());
}

fn replaced(owner: Owner) {
    let scene = Scene::of(owner);
    let plan = scene.plan();
    fs::rename(scene.workspace(), scene.path("aside")).unwrap();
    fs::create_dir(scene.workspace()).unwrap();
    assert!(matches!(failure(&plan), Failure::SourceMoved { source } if is_workspace(&plan, source, &scene)));
}

fn became_link(owner: Owner) {
    let scene = Scene::of(owner);
    let plan = scene.plan();
    fs::rename(scene.workspace(), scene.path("aside")).unwrap();
    symlink("aside", scene.workspace()).unwrap();
    assert!(matches!(
        failure(&plan),
        Failure::Source { source, errno: libc::ELOOP } if is_workspace(&plan, source, &scene)
    ));
}

fn is_workspace(plan: &Plan, source: usize, scene: &Scene) -> bool {
    plan.sources[source].path == abs(&scene.workspace())
}

fn step_at(plan: &Plan, wanted: &Path) -> usize {
    let mounts = |step: &Step, wanted: &AbsPath| matches!(step, Step::Overlay { target, .. } | Step::Bind { target, .. } if target == wanted);
    plan.steps.iter().position(|step| mounts(step, &abs(wanted))).unwrap()
}

fn link_in_home(owner: Owner) {
    for file in [false, true] {
        let mut scene = Scene::of(owner);
        fs::create_dir(scene.path("directory")).unwrap();
        fs::write(scene.path("file"), "").unwrap();
        let target = Scene::home("link");
        scene.mount(&scene.path(if file { "file" } else { "directory" }), &target, Access::Ro, file);
        let plan = scene.plan();
        symlink(if file { "/etc/passwd" } else { "/usr" }, scene.path("home/link")).unwrap();
        assert_eq!(failure(&plan), Failure::Step { step: step_at(&plan, &target), errno: libc::ELOOP });
    }
}

fn link_above(owner: Owner) {
    let mut scene = Scene::of(owner);
    fs::create_dir(scene.path("directory")).unwrap();
    let target = Scene::home("link/below");
    scene.mount(&scene.path("directory"), &target, Access::Cow, false);
    let plan = scene.plan();
    symlink("/tmp", scene.path("home/link")).unwrap();
    assert_eq!(failure(&plan), Failure::Step { step: step_at(&plan, &target), errno: libc::ELOOP });
}

fn bound_fifo(owner: Owner) {
    let mut scene = Scene::of(owner);
    let target = Path::new("/mnt/file");
    fs::write(scene.path("file"), "").unwrap();
    scene.mount(&scene.path("file"), target, Access::Ro, true);
    let mut plan = scene.plan();
    fs::remove_file(scene.path("file")).unwrap();
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, scene.path("file"), fifo, 0o666.into(), 0).unwrap();
    for source in &mut plan.sources {
        source.identity = None;
    }
    assert_eq!(failure(&plan), Failure::Step { step: step_at(&plan, target), errno: libc::EOPNOTSUPP });
}

/// The limit is set in a user namespace of the test's own, so that it is the machine's for nobody else.
fn no_namespaces(owner: Owner) {
    if std::env::var_os("COFFERDAM_TEST_NESTED").is_some() {
        let mut plan = Scene::of(Owner::Ordinary).plan();
        plan.identities.privileged = false;
        assert_eq!(failure(&plan), Failure::Launch { act: LaunchAct::Namespaces, errno: libc::ENOSPC });
        return;
    }
    let name = "a_machine_without_user_namespaces_is_named_as_such::as_an_ordinary_user";
    let script = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$0\" promise \"$1\"";
    let mut unshared = Command::new("unshare");
    unshared.args(["-Ur", "sh", "-c", script]).arg(std::env::current_exe().unwrap()).arg(name);
    assert!(unshared.env("COFFERDAM_TEST_NESTED", "1").status().unwrap().success(), "{owner:?}");
}
