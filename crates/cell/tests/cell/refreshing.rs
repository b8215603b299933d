//! A refresh shows what the owner changed below, and can be had neither by force nor by trickery.

use crate::Promise;
use crate::process::{Family, until};
use crate::scene::{Owner, Scene};
use cofferdam_policy::authority::Access;
use rustix::process::Signal;
use std::fs;
use std::path::Path;

pub(crate) const PROMISES: &[Promise] = &[
    ("a_refresh_shows_what_the_owner_created_meanwhile", shows),
    ("a_refresh_is_refused_while_a_process_holds_the_workspace", busy),
    ("a_refresh_takes_mounts_within_a_workspace_along", nested),
    ("a_refused_refresh_leaves_every_mount_as_it_was", nested_busy),
    ("the_agent_can_not_stop_or_kill_what_refreshes", undisturbed),
    ("a_link_in_place_of_a_mounts_parent_unmounts_nothing_else", moved_parent),
    ("a_mount_directly_below_the_root_is_not_refreshed", below_root),
];

/// An overlay remembers that a name was not there; only a new one looks again.
fn shows(owner: Owner) {
    let scene = Scene::of(owner);
    let cell = scene.start();
    let here = scene.workspace();
    for name in ["first", "second"] {
        let script = format!("cat {name}");
        let elsewhere = format!("cd / && cat {}/{name} 2>&1 || true", here.display());
        assert!(cell.script(&here, &elsewhere).0.contains("No such file"), "{name}");
        fs::write(scene.path(&format!("workspace/{name}")), "new\n").unwrap();
        assert_eq!(cell.refresh(), Ok(()), "{name}");
        assert_eq!(cell.script(&here, &script).0, "new\n");
        assert_eq!(cell.script(&here, &format!("echo mine > of-{name} && cat of-{name}")).0, "mine\n");
    }
    assert!(scene.path("layer/upper/of-second").exists());
    assert!(!scene.path("workspace/of-second").exists());
}

fn busy(owner: Owner) {
    let scene = Scene::of(owner);
    let cell = scene.start();
    let (number, _printed) = cell.run(&scene.workspace(), &["sleep", "1000"]);
    assert_eq!(cell.refresh(), Err(libc::EBUSY));
    assert_eq!(cell.refresh(), Err(libc::EBUSY));
    let kill = cofferdam_cell::Order::Signal { process: number, signal: Signal::KILL.as_raw() };
    cell.cell.order(&kill).unwrap();
    assert!(matches!(cell.hear().0, cofferdam_cell::Report::Exited { .. }));
    assert_eq!(cell.refresh(), Ok(()));
}

/// A workspace with a copy-on-write and a read-only directory and a file mounted in it.
fn nested_scene(owner: Owner) -> Scene {
    let mut scene = Scene::of(owner);
    for directory in ["inner", "read", "workspace/inner", "workspace/read"] {
        fs::create_dir(scene.path(directory)).unwrap();
    }
    fs::write(scene.path("read/file"), "read\n").unwrap();
    fs::write(scene.path("single"), "single\n").unwrap();
    fs::write(scene.path("workspace/single"), "hidden\n").unwrap();
    let inside = |name: &str| scene.path(&format!("workspace/{name}"));
    let targets = ["inner", "read", "single"].map(inside);
    let [inner, read, single] = &targets;
    scene.mount(&scene.path("inner"), inner, Access::Cow, false);
    scene.mount(&scene.path("read"), read, Access::Ro, false);
    scene.mount(&scene.path("single"), single, Access::Ro, true);
    scene
}

fn nested(owner: Owner) {
    let scene = nested_scene(owner);
    let cell = scene.start();
    let here = scene.workspace();
    let look = format!("cd / && ls {0} {0}/inner; cat {0}/read/file {0}/single", here.display());
    cell.script(&here, "cd / && echo");
    let before = cell.script(Path::new("/"), &look).0;
    fs::write(scene.path("workspace/outer-new"), "").unwrap();
    fs::write(scene.path("inner/inner-new"), "").unwrap();
    assert_eq!(cell.refresh(), Ok(()));
    let after = cell.script(Path::new("/"), &look).0;
    assert!(
        !before.contains("-new") && after.contains("outer-new") && after.contains("inner-new"),
        "{after}"
    );
    assert!(after.ends_with("read\nsingle\n"), "{after}");
    let (text, _) = cell.script(&here, "echo x > inner/mine && echo y > mine && ls inner/mine mine");
    assert_eq!(text, "inner/mine\nmine\n");
    assert!(scene.path("layer-0/upper/mine").exists() && scene.path("layer/upper/mine").exists());
    assert!(cell.script(&here, "echo x > read/no").0.contains("Read-only"), "still read-only");
}

fn nested_busy(owner: Owner) {
    let scene = nested_scene(owner);
    let cell = scene.start();
    // It holds the outer one: by then the inner ones were taken away already.
    let (_, _printed) = cell.run(&scene.workspace(), &["sleep", "1000"]);
    assert_eq!(cell.refresh(), Err(libc::EBUSY));
    let (text, _) = cell.script(&scene.workspace(), "cat read/file single; echo x > inner/x && ls inner");
    assert_eq!(text, "read\nsingle\nx\n");
}

fn undisturbed(owner: Owner) {
    let scene = Scene::of(owner);
    let cell = scene.start();
    let killer = "while (1) { for my $s (qw(STOP KILL)) { for my $p (-1, 2 .. 300) { kill $s, $p unless $p == $$ } } }";
    let (_, _printed) = cell.run(Path::new("/"), &["perl", "-e", killer]);
    fs::write(scene.path("workspace/new"), "").unwrap();
    assert_eq!(cell.refresh(), Ok(()));
    let family = Family::of(cell.cell.guardian(), 2);
    assert!(scene.workspace().join("new").exists());
    drop(cell);
    family.assert_ended();
}

/// The agent can rename a directory above a mount point that lies in its home, and put a link there.
fn moved_parent(owner: Owner) {
    let mut scene = Scene::of(owner);
    fs::create_dir(scene.path("directory")).unwrap();
    scene.mount(&scene.path("directory"), &Scene::home("above/shm"), Access::Cow, false);
    let cell = scene.start();
    let (text, _) =
        cell.script(&Scene::home(""), "mv above aside && ln -s /dev above && ls above/shm && echo moved");
    assert_eq!(text, "moved\n");
    assert_eq!(cell.refresh(), Err(libc::ELOOP));
    let (text, _) = cell.script(Path::new("/"), "grep -c ' /dev/shm tmpfs' /proc/mounts");
    assert_eq!(text, "1\n", "what the link points to is mounted still");
}

fn below_root(owner: Owner) {
    let mut scene = Scene::of(owner);
    fs::create_dir(scene.path("directory")).unwrap();
    scene.mount(&scene.path("directory"), Path::new("/project"), Access::Cow, false);
    let cell = scene.start();
    assert_eq!(cell.refresh(), Err(libc::EOPNOTSUPP));
    let (text, _) = cell.script(Path::new("/project"), "echo x > x && ls");
    assert_eq!(text, "x\n", "and goes on as before");
    until("the layer", || scene.path("layer-0/upper/x").exists().then_some(()));
}
