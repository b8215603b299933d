//! What the owner's policy denies, and what Cofferdam keeps for itself, is shown by no way: not by a workspace, tools,
//! caches, git directories or an agent's home, and not by going on with a session that began before.
//!
//! Each hidden file has a neighbour with the same text that is shown: the control.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use cofferdam_testkit::{Invocation, Outcome, Owner};

use super::OWNER;
use super::scene::Scene;
use super::secrets::{SECRET, reading};

const POLICY: u8 = 202;
const WORKSPACE: u8 = 204;

/// The owner's policy for the directory `of`.
fn policy(scene: &Scene, of: &Path, text: &str) {
    let key = of.display().to_string().replace('/', "%");
    scene.home.write(scene.home.config().join("policies").join(format!("{key}.toml")), text);
}

fn denying<'p>(paths: impl IntoIterator<Item = &'p PathBuf>) -> String {
    let paths: Vec<String> =
        paths.into_iter().map(|path| format!("{:?}", path.display().to_string())).collect();
    format!("[deny]\npaths = [{}]\n", paths.join(", "))
}

/// `cofferdam` in the directory `at`.
fn cofferdam(scene: &Scene, at: &Path, words: &[&str]) -> Invocation {
    scene.home.cofferdam().in_directory(at).args(words)
}

/// A private directory below `above`, and a shown file beside it.
fn plant(scene: &Scene, above: PathBuf) -> PathBuf {
    scene.home.write(above.join("private/word.txt"), SECRET);
    scene.home.write(above.join("shown/word.txt"), SECRET);
    above.join("private")
}

#[track_caller]
fn is_hidden(scene: &Scene, session: &str, private: &Path) {
    let hidden = reading(scene, session, &private.join("word.txt"));
    assert_eq!(hidden["outcome"], "refused", "{hidden}");
    let neighbour = reading(scene, session, &private.with_file_name("shown").join("word.txt"));
    assert_eq!(neighbour["outcome"], "reached", "the control: {neighbour}");
}

#[test]
fn what_is_denied_is_hidden_in_every_kind_of_mount() {
    let scene = Scene::set();
    let home = scene.home.home();
    let (project, library) = (scene.home.repo("project"), scene.home.repo("library"));
    library.write("file", "one\n");
    library.commit("first");
    let (linked, submodule) = (project.worktree("linked"), project.submodule(&library, "deps/library"));
    let borrower = library.borrowing_clone("borrower");
    for (session, at, private) in [
        ("mount", project.path().to_owned(), plant(&scene, scene.home.work().join("further/deep"))),
        ("tools", project.path().to_owned(), plant(&scene, home.join(".cargo/bin"))),
        ("cache", project.path().to_owned(), plant(&scene, home.join(".cargo/git/db"))),
        ("agent", project.path().to_owned(), plant(&scene, home.join(".claude/skills"))),
        ("workspace", project.path().to_owned(), plant(&scene, project.path().join("deep"))),
        ("worktree", linked.path().to_owned(), plant(&scene, project.path().join(".git/info"))),
        ("submodule", submodule.path().to_owned(), {
            plant(&scene, project.path().join(".git/modules/deps/library/info"))
        }),
        ("alternates", borrower.path().to_owned(), plant(&scene, library.path().join(".git/objects/info"))),
    ] {
        policy(&scene, &at, &denying([&private]));
        let run = ["run", "-d", "--name", session, "--tools", "cargo", "--agent-home", "claude"];
        let run = cofferdam(&scene, &at, &run).arg("--mount").arg(scene.home.directory("further"));
        let run = run.arg("--mount").arg(scene.home.probe().parent().unwrap());
        run.args(["--", "sleep", "1000"]).run().assert_success();
        is_hidden(&scene, session, &private);
        cofferdam(&scene, &at, &["discard", "-f", session]).run().assert_success();
    }
}

#[test]
fn a_denial_holds_for_what_its_path_leads_to_and_for_what_comes_later() {
    let scene = Scene::set();
    let further = scene.home.directory("further");
    symlink(&further, scene.home.work().join("link")).unwrap();
    let denied = scene.home.work().join("link/deep/private");
    policy(&scene, &scene.project(), &denying([&denied]));
    scene.home.directory("further/beside");
    let mount = format!("{}:/data", further.display());
    let probe = scene.home.probe();
    let run = scene.cofferdam(["run", "-d", "--name", "early", "--mount", &mount, "--mount"]);
    let stay = ["--", "/bin/sh", "-c", "cd / && exec sleep 1000"];
    run.arg(probe.parent().unwrap()).args(stay).run().assert_success();
    scene.home.write("further/deep/private/word.txt", SECRET);
    scene.home.write("further/beside/word.txt", SECRET);
    scene.cofferdam(["refresh", "early"]).run().assert_success();
    let hidden = reading(&scene, "early", Path::new("/data/deep/private/word.txt"));
    assert_eq!(hidden["outcome"], "refused", "{hidden}");
    let neighbour = reading(&scene, "early", Path::new("/data/beside/word.txt"));
    assert_eq!(neighbour["outcome"], "reached", "the control: {neighbour}");
}

#[test]
fn a_file_of_an_agents_home_that_leads_to_a_denied_one_is_not_copied() {
    let scene = Scene::set();
    let private = scene.home.write(scene.home.home().join("private/word.md"), SECRET);
    fs::create_dir_all(scene.home.home().join(".claude")).unwrap();
    symlink(&private, scene.home.home().join(".claude/CLAUDE.md")).unwrap();
    let run = || {
        scene
            .cofferdam([
                "run",
                "--rm",
                "--agent-home",
                "claude",
                "--",
                "/bin/sh",
                "-c",
                "cat ~/.claude/CLAUDE.md",
            ])
            .run()
    };
    assert_eq!(run().assert_success().stdout(), SECRET, "the control: not denied it is copied");
    policy(&scene, &scene.project(), &denying([&scene.home.home().join("private")]));
    run().assert_refused(POLICY, &["denies", "private"]);
}

#[test]
fn what_every_cell_shows_of_the_system_cannot_be_denied_in_vain() {
    let scene = Scene::set();
    for path in ["/usr/share/doc", "/opt", "/usr/local/not/there"] {
        policy(&scene, &scene.project(), &denying([&PathBuf::from(path)]));
        scene
            .cofferdam(["run", "--", "true"])
            .run()
            .assert_refused(POLICY, &["cannot deny", path, "every cell"]);
    }
    policy(&scene, &scene.project(), &denying([&PathBuf::from("/srv/not/there")]));
    scene.cofferdam(["run", "--rm", "--", "true"]).run().assert_success();
}

/// A session of the project with one mount, stopped; its command would show what is mounted.
fn stopped_with(scene: &Scene, mount: &str) -> impl Fn() -> Outcome + use<> {
    let show = "cat /data/word.txt /data/*/word.txt; true";
    let run = scene.cofferdam(["run", "--name", "old", "--mount", mount, "--", "/bin/sh", "-c", show]).run();
    assert!(run.assert_success().stdout().contains(SECRET), "the control: {run}");
    let resume = scene.cofferdam(["resume", "-s", "old"]);
    assert!(resume.run().assert_success().stdout().contains(SECRET), "the control: as it was");
    move || resume.run()
}

#[test]
fn what_a_policy_denies_by_now_is_not_shown_by_a_resumed_session() {
    let scene = Scene::set();
    let private = plant(&scene, scene.home.work().join("further/deep"));
    let above = private.parent().unwrap().to_owned();
    let resume = stopped_with(&scene, &format!("{}:/data", above.display()));
    policy(&scene, &scene.project(), &denying([&private]));
    let shown = resume();
    assert_eq!(shown.assert_success().stdout(), SECRET, "of two words the one that is not denied: {shown}");
    for denied in [above, scene.home.work().join("further"), scene.home.work().to_owned()] {
        policy(&scene, &scene.project(), &denying([&denied]));
        resume().assert_refused(POLICY, &["denies"]);
    }
    policy(&scene, &scene.project(), "");
    // What was denied once to this session stays so.
    assert_eq!(resume().stdout(), SECRET, "of two words one");
}

#[test]
fn names_that_a_policy_denies_or_masks_by_now_are_gone_from_a_resumed_session() {
    let scene = Scene::set();
    scene.home.write(scene.project().join("word.txt"), SECRET);
    scene.home.write(scene.project().join("shown.txt"), SECRET);
    let tool = scene.home.write(scene.home.home().join(".local/bin/our-tool"), "#!/bin/sh\necho tool\n");
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    let show = "echo \"<$ASKED> <$OTHER>\"; cat word.txt shown.txt; our-tool; true";
    let run = ["run", "--name", "old", "-e", "ASKED=yes", "-e", "OTHER=yes", "--tools", "local-bin"];
    let run = scene.cofferdam(run).args(["--", "/bin/sh", "-c", show]).run();
    let whole = format!("<yes> <yes>\n{SECRET}{SECRET}tool\n");
    assert_eq!(run.assert_success().stdout(), whole, "the control");
    let resume = || scene.cofferdam(["resume", "-s", "old"]).run();
    assert_eq!(resume().assert_success().stdout(), whole, "the control: as it was");
    policy(&scene, &scene.project(), "masks = [\"word.txt\"]\n[deny]\nenvironment = [\"ASK*\"]\n");
    let resumed = resume();
    assert_eq!(resumed.assert_success().stdout(), format!("<> <yes>\n{SECRET}tool\n"));
    assert!(resumed.stderr().contains("denied by policy: environment ASKED"), "{resumed}");
    policy(&scene, &scene.project(), "[deny]\ntools = [\"local-bin\"]\n");
    resume().assert_refused(POLICY, &["local-bin", "denies", "deny.tools"]);
}

#[test]
fn a_copy_that_may_hold_what_is_denied_by_now_is_not_shown_again() {
    let scene = Scene::set();
    let private = plant(&scene, scene.project());
    let run = ["run", "--name", "old", "--copy", "--", "/bin/cat", "private/word.txt"];
    assert_eq!(scene.cofferdam(run).run().assert_success().stdout(), SECRET, "the control");
    policy(&scene, &scene.project(), &denying([&scene.home.work().join("elsewhere")]));
    let resume = || scene.cofferdam(["resume", "-s", "old"]).run();
    assert_eq!(resume().assert_success().stdout(), SECRET, "the control: as it was");
    policy(&scene, &scene.project(), &denying([&private]));
    resume().assert_refused(POLICY, &["denies", "private", "copy"]);
    let fresh = ["run", "--name", "new", "--copy", "--", "/bin/sh", "-c", "cat private/word.txt; true"];
    assert_eq!(scene.cofferdam(fresh).run().assert_success().stdout(), "");
    // What was denied when the copy was made is not in it.
    let resume = scene.cofferdam(["resume", "-s", "new"]).run();
    assert_eq!(resume.assert_success().stdout(), "");
}

#[test]
fn a_single_file_that_is_denied_by_now_is_not_mounted_again() {
    let scene = Scene::set();
    let file = scene.home.write("further/deep/word.txt", SECRET);
    let resume = stopped_with(&scene, &format!("{}:/data/word.txt", file.display()));
    policy(&scene, &scene.project(), &denying([&scene.home.work().join("further")]));
    resume().assert_refused(POLICY, &["denies", "further"]);
}

#[test]
fn a_link_in_the_place_of_what_was_mounted_is_not_followed_by_a_resumed_session() {
    let scene = Scene::set();
    let private = scene.home.write(scene.home.home().join("private/deep/word.txt"), SECRET);
    scene.home.write("further/deep/word.txt", SECRET);
    let resume = stopped_with(&scene, &format!("{}/further/deep:/data", scene.home.work().display()));
    let further = scene.home.work().join("further");
    fs::rename(&further, scene.home.work().join("away")).unwrap();
    symlink(private.parent().unwrap().parent().unwrap(), &further).unwrap();
    resume().assert_refused(WORKSPACE, &["further/deep"]);
}

#[test]
fn a_git_directory_that_nothing_points_to_any_more_is_not_mounted_again() {
    let scene = Scene::set();
    let lender = scene.home.repo("lender");
    lender.write("file", "one\n");
    lender.commit("first");
    let borrower = lender.borrowing_clone("borrower");
    let objects = lender.path().join(".git/objects").display().to_string();
    let list = ["run", "--name", "old", "--", "ls", "-d", &objects];
    cofferdam(&scene, borrower.path(), &list).run().assert_success();
    let resume = || cofferdam(&scene, borrower.path(), &["resume", "-s", "old"]).run();
    assert!(resume().assert_success().stdout().contains(&objects), "the control: as it was");
    fs::remove_file(borrower.path().join(".git/objects/info/alternates")).unwrap();
    resume().assert_refused(WORKSPACE, &["does not point to it any more"]);
}

#[test]
fn what_cofferdam_keeps_is_not_shown_as_a_cache_nor_lent_to_a_repository() {
    let scene = Scene::set();
    let commit = "git -c user.name=a -c user.email=a@b commit -q --allow-empty -m inside";
    scene.cofferdam(["run", "--name", "first", "--", "/bin/sh", "-c", commit]).run().assert_success();
    let sessions = scene.home.state().join("sessions");
    let session = fs::read_dir(&sessions).unwrap().next().unwrap().unwrap().path();
    let run = scene.cofferdam(["run", "--tools", "cargo", "--", "true"]);
    scene.home.directory(scene.home.home().join("cargo/git"));
    let plain = run.clone().env("CARGO_HOME", scene.home.home().join("cargo"));
    plain.run().assert_success();
    fs::create_dir_all(session.join("home/git")).unwrap();
    run.env("CARGO_HOME", session.join("home")).run().assert_refused(WORKSPACE, &["its own files"]);
    // The store of objects that the first session's commit made: another session's, whatever asks for it.
    let layers: Vec<PathBuf> = fs::read_dir(&session).unwrap().map(|e| e.unwrap().path()).collect();
    let store =
        layers.iter().map(|layer| layer.join("upper/.git/objects")).find(|store| store.is_dir()).unwrap();
    scene.home.write("project/.git/objects/info/alternates", format!("{}\n", store.display()));
    let run = scene.cofferdam(["run", "--", "ls"]).arg(&store).run();
    match OWNER {
        // What a session of root's makes belongs to ids of its own.
        Owner::Root => assert!(!run.status.success() && run.stderr().contains("another user"), "{run}"),
        Owner::Ordinary => drop(run.assert_refused(WORKSPACE, &["its own files"])),
    }
}

#[test]
fn what_a_trusted_request_names_within_the_repository_may_not_lead_out_of_it_later() {
    let scene = Scene::set();
    let private = scene.home.write(scene.home.home().join("private/word.txt"), SECRET);
    let (private, project) = (private.parent().unwrap().to_owned(), scene.project());
    scene.home.write(project.join("data/word.txt"), "mine\n");
    scene.home.write(project.join("cofferdam.toml"), "mounts = [\"data:/data\"]\n");
    let trust = scene.cofferdam(["trust"]).run();
    let digest =
        trust.stdout().lines().find_map(|line| line.trim().strip_prefix("digest ").map(str::to_owned));
    scene.cofferdam(["trust", "--digest", &digest.unwrap()]).run().assert_success();
    let look = || {
        let show = format!("cat /data/word.txt {}/word.txt", private.display());
        scene.cofferdam(["run", "--rm", "--", "/bin/sh", "-c", &show]).run()
    };
    assert_eq!(look().stdout(), "mine\n", "the control");
    let is_refused = |what: &str| {
        let run = look();
        assert!(!run.stdout().contains(SECRET), "{what}: {run}");
        assert!(run.stderr().contains("leads out of it"), "{what}: {run}");
    };
    // Another pull brings a file by the whole of the entry's name, or a link in the place of the directory.
    fs::create_dir(project.join("data:")).unwrap();
    symlink(&private, project.join("data:/data")).unwrap();
    is_refused("by the whole name");
    fs::remove_dir_all(project.join("data:")).unwrap();
    assert_eq!(look().stdout(), "mine\n", "the control");
    fs::remove_dir_all(project.join("data")).unwrap();
    symlink(&private, project.join("data")).unwrap();
    is_refused("by a link");
}
