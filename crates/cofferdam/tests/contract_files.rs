//! The contract of a workspace as a file system: each behaviour that programs count on either works in a cell, or is
//! named as a known limit, here and in the README. Whose files are shown is in `cli_workspaces`.
//!
//! Every behaviour is tried outside a cell first, on the same files: what fails there would prove nothing inside.
#![forbid(unsafe_code)]

#[path = "contract_files/behaviours.rs"]
mod behaviours;

use behaviours::BEHAVIOURS;
use cofferdam_testkit::{Home, Invocation, Owner, Tree};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// What does not work in an overlay workspace: the name of the behaviour, and the sentence of the README.
const KNOWN_LIMITS: &[(&str, &str)] = &[
    (
        "rename a directory",
        "rename(2) of a directory that was there at the start fails with EXDEV; mv, npm and Python's shutil copy it instead.",
    ),
    (
        "move a directory with git",
        "git mv of a directory that was there at the start fails for the same reason; use mv, then git add.",
    ),
    (
        "change a file that has two names",
        "A change through one name of a hard link from before the start does not show under the other.",
    ),
    (
        "inode number of a new link",
        "A file from before the start and a hard link made to it in the session have different inode numbers.",
    ),
    (
        "a mapping shows the first change",
        "A memory mapping made before a file is first changed goes on showing the old content.",
    ),
];

/// What does not work in a workspace that is a copy (`--copy`).
const KNOWN_LIMITS_OF_COPIES: &[(&str, &str)] = &[
    ("change a file that has two names", "The names of a hard link become separate files."),
    ("extended attributes", "Extended attributes are not copied."),
];

const PATIENCE: Duration = Duration::from_secs(100);

/// Tries every behaviour that `$1` lists in a directory of its own, and says how each ended.
const TRY_ALL: &str = "for script in ../scripts/*; do name=${script##*/}; mkdir -p \"$name\";
    (cd \"$name\" && timeout 30 sh \"../$script\" >\"/tmp/out-$$\" 2>&1); code=$?;
    echo \"$name: $code $(tail -n 1 \"/tmp/out-$$\" | tr '\\n' ' ')\"; rm -f \"/tmp/out-$$\"; done";

/// A directory for each behaviour, with the same files in it, and the scripts beside them.
fn lay_out(home: &Home) {
    for behaviour in BEHAVIOURS {
        let name = behaviour.name.replace(' ', "_");
        for (path, text) in [("file", "content\n"), ("dir/file", "content\n"), ("dir/sub/file", "content\n")]
        {
            home.write(format!("project/{name}/{path}"), text);
        }
        let run = home
            .invoke("sh")
            .args(["-ec", behaviour.before])
            .in_directory(home.work().join("project").join(&name));
        run.run_within(PATIENCE).assert_success();
        home.write(format!("scripts/{name}"), behaviour.script());
    }
}

/// By behaviour, how it ended: `None` if it worked.
fn outcomes(run: &Invocation) -> BTreeMap<String, Option<String>> {
    let run = run.run_within(PATIENCE);
    run.assert_success();
    let stdout = run.stdout();
    let lines = stdout.lines().filter_map(|line| line.split_once(": "));
    let found: BTreeMap<_, _> = lines
        .map(|(name, end)| (name.replace('_', " "), (!end.starts_with("0 ")).then(|| end.to_owned())))
        .collect();
    assert_eq!(found.len(), BEHAVIOURS.len(), "{run}");
    found
}

fn failures(outcomes: BTreeMap<String, Option<String>>) -> BTreeMap<String, String> {
    outcomes.into_iter().filter_map(|(name, end)| Some((name, end?))).collect()
}

fn inside(home: &Home, flags: &[&str]) -> BTreeMap<String, String> {
    let scripts = format!("{}:ro", home.work().join("scripts").display());
    let run = home.cofferdam().arg("run").args(flags).args(["--mount", &scripts, "--", "sh", "-c", TRY_ALL]);
    failures(outcomes(&run.in_directory(home.work().join("project"))))
}

fn every_behaviour_works_outside(owner: Owner) {
    let home = Home::of(owner);
    lay_out(&home);
    let run = home.invoke("sh").args(["-c", TRY_ALL]).in_directory(home.work().join("project"));
    assert_eq!(failures(outcomes(&run)), BTreeMap::new());
}

fn in_an_overlay_each_works_or_is_a_known_limit(owner: Owner) {
    let home = Home::of(owner);
    lay_out(&home);
    let before = Tree::of(home.work());
    assert_known(&inside(&home, &[]), KNOWN_LIMITS);
    Tree::of(home.work()).assert_same_as(&before);
    home.wait_until_quiet();
}

fn assert_known(failed: &BTreeMap<String, String>, limits: &[(&str, &str)]) {
    let limits: BTreeSet<&str> = limits.iter().map(|(name, _)| *name).collect();
    let unnamed: Vec<_> = failed.iter().filter(|(name, _)| !limits.contains(name.as_str())).collect();
    assert!(unnamed.is_empty(), "these neither work nor are known limits: {unnamed:#?}");
    let stale: Vec<_> = limits.iter().filter(|name| !failed.contains_key(**name)).collect();
    assert!(stale.is_empty(), "these work, and are no limits any more: {stale:?}");
}

fn in_a_copy_each_works_or_is_a_known_limit(owner: Owner) {
    let home = Home::of(owner);
    lay_out(&home);
    let before = Tree::of(home.work());
    assert_known(&inside(&home, &["--copy"]), KNOWN_LIMITS_OF_COPIES);
    Tree::of(home.work()).assert_same_as(&before);
}

#[test]
fn every_behaviour_works_outside_as_root() {
    every_behaviour_works_outside(Owner::Root);
}

#[test]
fn every_behaviour_works_outside_as_an_ordinary_user() {
    every_behaviour_works_outside(Owner::Ordinary);
}

#[test]
fn in_an_overlay_each_works_or_is_a_known_limit_as_root() {
    in_an_overlay_each_works_or_is_a_known_limit(Owner::Root);
}

#[test]
fn in_an_overlay_each_works_or_is_a_known_limit_as_an_ordinary_user() {
    in_an_overlay_each_works_or_is_a_known_limit(Owner::Ordinary);
}

#[test]
fn in_a_copy_each_works_or_is_a_known_limit_as_root() {
    in_a_copy_each_works_or_is_a_known_limit(Owner::Root);
}

#[test]
fn in_a_copy_each_works_or_is_a_known_limit_as_an_ordinary_user() {
    in_a_copy_each_works_or_is_a_known_limit(Owner::Ordinary);
}

/// Rows of the README's table: `| name | sentence |`, and for copies `| in a copy: name | sentence |`.
#[test]
fn the_readme_names_exactly_these_limits() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let text = std::fs::read_to_string(&readme).unwrap_or_default();
    let section = text.split("\n## Known limits\n").nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let overlays = KNOWN_LIMITS.iter().map(|(name, sentence)| format!("| {name} | {sentence} |"));
    let copies =
        KNOWN_LIMITS_OF_COPIES.iter().map(|(name, sentence)| format!("| in a copy: {name} | {sentence} |"));
    for row in overlays.chain(copies) {
        assert!(
            section.lines().any(|line| line == row),
            "the README's section `## Known limits` lacks: {row}"
        );
    }
}
