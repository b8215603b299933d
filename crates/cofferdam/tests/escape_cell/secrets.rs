//! Secrets that lie in a workspace: masked at any depth, by any name, and when they come later.
//!
//! Each hidden file has a neighbour with the same text that is not hidden: the control that the probe can read at all.

use std::path::{Path, PathBuf};

use cofferdam_testkit::Repo;
use serde_json::Value;

use super::scene::Scene;

pub(super) const SECRET: &str = "token-that-must-not-be-seen";

/// Below the workspace.
const HIDDEN: [&str; 7] = [
    ".env",
    "deep/er/.env.local",
    "deep/.npmrc",
    "a/b/c/d/e/f/g/.pypirc",
    "keys/id_ed25519",
    "deep/er/.aws/credentials",
    "infra/terraform.tfstate",
];

fn plant(scene: &Scene) {
    for path in HIDDEN {
        scene.home.write(scene.project().join(path), SECRET);
        scene.home.write(neighbour_of(&scene.project().join(path)), SECRET);
    }
}

/// Beside what is hidden, be it the file or its whole directory.
fn neighbour_of(path: &Path) -> PathBuf {
    let hidden_whole = path.ancestors().find(|above| above.file_name().is_some_and(|name| name == ".aws"));
    hidden_whole.unwrap_or(path).with_file_name("neighbour.txt")
}

/// What the probe says to reading `path`, in a running session.
#[track_caller]
pub(super) fn reading(scene: &Scene, session: &str, path: &Path) -> Value {
    let exec = scene.cofferdam(["exec", "-s", session, "--"]).arg(scene.home.probe());
    let exec = exec.args(["try", "file-read"]).arg(format!("outside-file={}", path.display()));
    exec.arg(format!("canary={SECRET}")).run().assert_success().json()
}

#[test]
fn secrets_are_masked_at_any_depth_and_their_neighbours_are_not() {
    let scene = Scene::set();
    plant(&scene);
    // What is mounted besides is no other thing than the workspace.
    let mounted = scene.home.probe().with_file_name(".env");
    for path in [&mounted, &neighbour_of(&mounted)] {
        std::fs::write(path, SECRET).unwrap();
    }
    scene.detached("masked", ["sleep", "1000"]);
    let in_workspace = HIDDEN.map(|path| scene.project().join(path));
    for path in in_workspace.into_iter().chain([mounted]) {
        let hidden = reading(&scene, "masked", &path);
        assert_eq!(hidden["outcome"], "refused", "{hidden}");
        let neighbour = reading(&scene, "masked", &neighbour_of(&path));
        assert_eq!(neighbour["outcome"], "reached", "{neighbour}");
    }
    scene.cofferdam(["stop", "--grace", "0", "masked"]).run().assert_success();
}

#[test]
fn neither_renaming_what_is_above_nor_linking_brings_a_masked_file_back() {
    let tricks: [(&str, &str); 6] = [
        ("renames what is above", "mv deep moved 2>&1; P=moved/er/.env.local"),
        ("copies what is above", "cp -a deep copied 2>&1; P=copied/er/.env.local"),
        ("makes a hard link", "ln deep/er/.env.local linked 2>&1; P=linked"),
        ("makes a symbolic link", "ln -s \"$PWD/deep/er/.env.local\" pointing; P=pointing"),
        ("removes what hides it", "rm -rf deep/er/.env.local 2>&1; P=deep/er/.env.local"),
        ("makes the directory anew", "rm -rf deep 2>&1; mkdir -p deep/er; P=deep/er/.env.local"),
    ];
    let scene = Scene::set();
    plant(&scene);
    let probe = scene.home.probe();
    for (does, trick) in tricks {
        let script = format!(
            "{{ {trick}; }} 1>&2; exec \"$1\" try file-read outside-file=\"$PWD/$P\" canary={SECRET}"
        );
        let run = scene.cofferdam(["run", "--rm", "--mount"]).arg(probe.parent().unwrap());
        let run = run.args(["--", "/bin/sh", "-c", &script, "sh"]).arg(&probe).run();
        let report: Value = serde_json::from_slice(&run.stdout).unwrap_or_else(|_| panic!("{does}: {run}"));
        assert_eq!(report["outcome"], "refused", "{does}: {run}");
    }
}

#[test]
fn a_secret_that_the_owner_makes_while_the_session_runs_stays_hidden() {
    let scene = Scene::set();
    // Out of the workspace, or it could not be mounted anew.
    scene.detached("early", ["/bin/sh", "-c", "cd / && exec sleep 1000"]);
    let (late, plain) = (scene.project().join(".env"), scene.project().join("plain.txt"));
    scene.home.write(&late, SECRET);
    scene.home.write(&plain, SECRET);
    let hidden = reading(&scene, "early", &late);
    assert_eq!(hidden["outcome"], "refused", "{hidden}");
    // After a refresh the owner's new files are seen, which is the control, and the mask holds.
    scene.cofferdam(["refresh", "early"]).run().assert_success();
    let seen = reading(&scene, "early", &plain);
    assert_eq!(seen["outcome"], "reached", "{seen}");
    let hidden = reading(&scene, "early", &late);
    assert_eq!(hidden["outcome"], "refused", "{hidden}");
    scene.cofferdam(["stop", "--grace", "0", "early"]).run().assert_success();
}

#[test]
fn the_configuration_of_git_shows_no_credentials() {
    let scene = Scene::set();
    let repo = scene.home.repo("project");
    let url = format!("https://owner:{SECRET}@forge.example/project.git");
    repo.git(["remote", "add", "origin", &url]);
    repo.git([
        "config",
        "http.https://forge.example/.extraheader",
        &format!("Authorization: Basic {SECRET}"),
    ]);
    let config = repo.path().join(".git/config");
    assert!(String::from_utf8_lossy(&repo.read(".git/config")).contains(SECRET), "the control");
    let run = scene.cofferdam(["run", "--rm", "--", "cat"]).arg(&config).run();
    let shown = run.assert_success().stdout();
    assert!(shown.contains("forge.example"), "the control: the rest is there: {run}");
    assert!(!shown.contains(SECRET), "{run}");
    let search = scene.cofferdam(["run", "--rm", "--", "grep", "-raF", SECRET, ".git"]).run();
    assert!(!search.stdout().contains(SECRET), "nowhere below .git: {search}");
}

/// Every file of a session's that a program in it can read, for the word and for what must be there beside it.
#[track_caller]
fn is_nowhere_shown(scene: &Scene, flags: &[&str], at: &Path, beside: &[&str]) {
    let script = "grep -rahF forge.example \"$1\"; ! grep -raF \"$2\" \"$1\"";
    let run = scene.cofferdam(["run", "--rm"]).args(flags).args(["--", "/bin/sh", "-c", script, "sh"]);
    let run = run.arg(at).arg(SECRET).run();
    let shown = run.assert_success().stdout();
    assert!(!shown.contains(SECRET), "{run}");
    for word in beside {
        assert!(shown.contains(word), "the control: the rest is there: {word}: {run}");
    }
}

/// git writes the arguments of a pull, and older ones of a clone, into the reflogs as they are typed.
#[test]
fn addresses_in_reflogs_and_other_texts_of_git_show_no_credentials() {
    let scene = Scene::set();
    let project = scene.home.repo("project");
    let url = |place: &str| format!("https://owner:{SECRET}@forge.example/{place}.git");
    let linked = project.worktree("linked");
    let commit = |repo: &Repo<'_>, place: &str| {
        let action = format!("pull {}: Fast-forward", url(place));
        let commit = repo.invoke().args(["commit", "--allow-empty", "--quiet", "-m", "second"]);
        commit.env("GIT_REFLOG_ACTION", action).run().assert_success();
    };
    commit(&project, "main");
    commit(&linked, "linked");
    let fetched = format!("0123\t\tbranch 'main' of {}\n", url("fetched"));
    scene.home.write(scene.project().join(".git/FETCH_HEAD"), fetched);
    let found = project.invoke().args(["reflog"]).run().stdout();
    assert!(found.contains(SECRET), "the control: git does write it: {found}");
    is_nowhere_shown(&scene, &[], &scene.project(), &["/main.git", "/fetched.git", "/linked.git"]);
    // Also of a repository that is mounted, and of a git directory that a work tree points to.
    let mount = linked.path().parent().unwrap().join("project");
    let other = scene.home.directory("other").display().to_string();
    let mounted = ["-w", &other, "--mount", &mount.display().to_string()];
    is_nowhere_shown(&scene, &mounted, &mount, &["/main.git", "/linked.git"]);
    let pointed = ["-w", &linked.path().display().to_string()];
    is_nowhere_shown(&scene, &pointed, &mount, &["/main.git", "/linked.git"]);
    // What git needs of it works: the reflog, and the stash, which is one.
    let script = "echo more >> kept.txt; git stash -q && git stash pop -q && git reflog | wc -l";
    let run = scene.cofferdam(["run", "--rm", "--", "/bin/sh", "-c", script]).run();
    assert!(run.stdout().trim().parse::<u32>().unwrap() >= 2, "{run}");
}

#[test]
fn addresses_of_submodules_and_large_files_show_no_credentials() {
    let scene = Scene::set();
    let texts = |place: &str| {
        let url = format!("https://owner:{SECRET}@forge.example/{place}");
        let modules = format!("[submodule \"x\"]\n\tpath = x\n\turl = {url}/modules\n");
        scene.home.write(scene.project().join(place).join(".gitmodules"), modules);
        let lfs = format!("[lfs]\n\turl = {url}/large\n");
        scene.home.write(scene.project().join(place).join(".lfsconfig"), lfs);
    };
    scene.home.repo("project/inner").commit("first");
    texts(".");
    texts("inner");
    is_nowhere_shown(
        &scene,
        &[],
        &scene.project(),
        &["/./modules", "/./large", "/inner/modules", "/inner/large"],
    );
}

/// Clones that a package manager keeps, and plugins of a version manager, come from private places too.
#[test]
fn clones_in_tools_and_caches_show_no_credentials() {
    let scene = Scene::set();
    let home = scene.home.home();
    let url = |place: &str| format!("https://owner:{SECRET}@forge.example/{place}.git");
    for place in [".cargo/git/db/bare", "go/pkg/mod/cache/vcs/bare"] {
        let path = home.join(place);
        scene
            .home
            .invoke("git")
            .args(["init", "-q", "--bare"])
            .arg(scene.home.directory(&path))
            .run()
            .assert_success();
        let config = scene.home.invoke("git").in_directory(&path).args(["config", "remote.origin.url"]);
        config.arg(url(place.split('/').next_back().unwrap())).run().assert_success();
    }
    for place in [".cargo/git/checkouts/some/tree", ".asdf/plugins/plugin"] {
        let path = home.join(place);
        scene.home.invoke("git").args(["init", "-q"]).arg(scene.home.directory(&path)).run().assert_success();
        let remote = scene.home.invoke("git").in_directory(&path).args(["remote", "add", "origin"]);
        remote.arg(url(place.split('/').next_back().unwrap())).run().assert_success();
        scene.home.write(path.join("kept"), "kept\n");
    }
    scene.home.write(home.join(".cargo/bin/program"), "");
    scene.home.write(home.join("go/bin/program"), "");
    for (tool, place, beside) in [
        ("cargo", ".cargo/git", ["/bare.git", "/tree.git"].as_slice()),
        ("go", "go/pkg/mod", &["/bare.git"]),
        ("asdf", ".asdf/plugins", &["/plugin.git"]),
    ] {
        is_nowhere_shown(&scene, &["--tools", tool], &home.join(place), beside);
    }
    let kept = home.join(".cargo/git/checkouts/some/tree/kept");
    let run = scene.cofferdam(["run", "--rm", "--tools", "cargo", "--", "cat"]).arg(kept).run();
    assert_eq!(run.assert_success().stdout(), "kept\n", "the control: the clones themselves are shown");
}

#[test]
fn the_instructions_of_a_second_workspace_are_masked_unless_named() {
    let scene = Scene::set();
    let second = scene.home.repo("second");
    for name in ["CLAUDE.md", "AGENTS.md", ".mcp.json", "sub/CLAUDE.md", ".claude/settings.json"] {
        second.write(name, SECRET);
    }
    second.write("code.txt", "code\n");
    scene.home.write("project/CLAUDE.md", "first\n");
    let list = ["--", "/bin/sh", "-c", "cat CLAUDE.md; cd \"$1\" && cat code.txt; grep -raF token- .", "sh"];
    let both = ["run", "--rm", "-w", ".", "-w", "../second"];
    let masked = scene.cofferdam(both).args(list).arg(second.path()).run();
    assert!(masked.stdout().contains("first\ncode\n"), "the control: {masked}");
    assert!(!masked.stdout().contains(SECRET), "{masked}");
    let named =
        scene.cofferdam(both).args(["--instructions", "../second"]).args(list).arg(second.path()).run();
    assert!(named.stdout().contains(&format!("./CLAUDE.md:{SECRET}")), "{named}");
}
