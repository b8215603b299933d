//! The radius of destruction: whatever a program does to its workspace, the owner's directory is as it was.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;

use cofferdam_testkit::{Owner, Tree};

use super::OWNER;
use super::scene::Scene;

/// Each ends with a word that only a program that came to its end says.
const DESTROYERS: [(&str, &str); 6] = [
    ("removes all", "rm -rf -- * .git .[!.]* && test -z \"$(ls -A)\""),
    ("takes all permissions", "find . -depth ! -name . -exec chmod 0 {} + && ! test -w kept.txt"),
    ("opens all to everybody", "chmod -R 0777 . && test -x kept.txt"),
    ("truncates all", "find . -type f -exec sh -c ': > \"$1\"' - {} \\; && ! test -s kept.txt"),
    ("moves all away", "mkdir /tmp/away && mv -- * .git /tmp/away/ && ! test -e kept.txt"),
    (
        "puts links in the place of all",
        "rm -rf deep kept.txt && ln -s /etc deep && ln -s ../../plants/writable kept.txt && echo x > kept.txt; test -h deep",
    ),
];

#[test]
fn what_a_program_destroys_in_its_workspace_is_not_lost() {
    let scene = Scene::set();
    let mut plants = scene.home.plants();
    let before = [Tree::of(scene.home.work()), Tree::of(plants.directory())];
    for (does, command) in DESTROYERS {
        let run = scene.cofferdam(["run", "--json", "--", "/bin/sh", "-c", command]).run();
        // The control: inside it was destroyed, and so it is reported.
        assert!(run.status.success(), "{does}: {run}");
        assert!(!run.json()["changes"].to_string().contains("[]}"), "{does}: {run}");
        Tree::of(scene.home.work()).assert_same_as(&before[0]);
        Tree::of(plants.directory()).assert_same_as(&before[1]);
    }
    assert_eq!(plants.reached(), Vec::<&str>::new());
    drop(plants);
    scene.home.wait_until_quiet();
}

/// Nothing but what belongs to the test is named, in case the wall is not there.
#[test]
fn a_program_that_removes_all_that_it_sees_of_the_owners_removes_nothing() {
    let scene = Scene::set();
    let further = scene.home.directory("further");
    scene.home.write("further/data.txt", "data\n");
    let config = scene.home.write(scene.home.home().join("kept-at-home.txt"), "at home\n");
    let before = Tree::of(scene.home.work());
    let run = scene.cofferdam(["run", "--mount"]).arg(format!("{}::cow", further.display()));
    let run = run.args(["--", "/bin/sh", "-c", "rm -rf -- \"$@\"; ls -A \"$2\"", "sh"]);
    let run = run.arg(scene.home.root()).arg(&further).run();
    assert!(!run.stdout().contains("data.txt"), "the control: inside it is gone: {run}");
    Tree::of(scene.home.work()).assert_same_as(&before);
    assert_eq!(fs::read(config).unwrap(), b"at home\n");
}

#[test]
fn a_set_user_id_program_made_inside_gains_nothing_and_stays_inside() {
    let scene = Scene::set();
    let probe = scene.home.probe();
    let before = Tree::of(scene.home.work());
    let make = "cp \"$1\" ./made && chmod 6755 ./made && ./made control whoami && id -u";
    let run = scene.probe(["--rm"]).args(["control", "whoami"]).run();
    let own = run.assert_success().stdout();
    let run = scene.cofferdam(["run", "--mount"]).arg(probe.parent().unwrap());
    let run = run.args(["--", "/bin/sh", "-c", make, "sh"]).arg(&probe).run();
    let said = run.assert_success().stdout();
    assert!(said.starts_with(&own), "another identity than {own:?}: {run}");
    assert!(!said.starts_with("0\n"), "{run}");
    Tree::of(scene.home.work()).assert_same_as(&before);
    // The control: outside, such a program has its owner's identity.
    if OWNER == Owner::Ordinary && tests_run_as_root() {
        let outside = probe.with_file_name("outside-setuid");
        fs::copy(&probe, &outside).unwrap();
        fs::set_permissions(&outside, fs::Permissions::from_mode(0o4755)).unwrap();
        let run = scene.home.invoke(outside).args(["control", "whoami"]).run();
        assert!(run.assert_success().stdout().starts_with("0\n"), "{run}");
    }
}

fn tests_run_as_root() -> bool {
    Owner::current() == Owner::Root
}

#[test]
fn a_crash_inside_leaves_no_core_and_calls_no_handler() {
    let scene = Scene::set();
    let before = Tree::of(scene.home.work());
    let crash = "ulimit -c unlimited 2> /dev/null; exec \"$1\" control crash";
    let probe = scene.home.probe();
    let run = scene.cofferdam(["run", "--json", "--mount"]).arg(probe.parent().unwrap());
    let run = run.args(["--", "/bin/sh", "-c", crash, "sh"]).arg(&probe).run();
    let status = run.json()["exit_status"].clone();
    assert!(status["signal"].is_number(), "it crashed by a signal: {run}");
    Tree::of(scene.home.work()).assert_same_as(&before);
    let changed = scene.cofferdam(["show", "--json"]).run().assert_success().json()["changes"].to_string();
    assert!(!changed.contains("core"), "{changed}");
    // The control: outside it dumps. A handler of the machine's is not to be bothered.
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    if !pattern.starts_with(['|', '/']) {
        let directory = scene.home.directory("crash");
        let outside = scene.home.invoke("/bin/sh").args(["-c", crash, "sh"]).arg(&probe);
        let outside = outside.in_directory(directory).run();
        assert!(outside.status.core_dumped(), "{outside}");
    }
}
