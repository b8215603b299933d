//! What any apply has to keep, whatever the session left: it writes what was shown, all of it, and nothing else.

use super::differential::raw;
use super::scene::*;
use cofferdam_testkit::{Home, Outcome, Repo, Tree};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Beside the repository: what a link, or a path, of the session's could lead to.
pub(super) fn witness(home: &Home) -> PathBuf {
    home.write("witness/file", "the owner's\n");
    home.write("witness/d/x", "the owner's\n");
    home.work().join("witness")
}

fn place(repo: &Repo<'_>, row: &Value) -> PathBuf {
    repo.path().join(OsStr::from_bytes(&raw(row)))
}

/// The SHA-256 of each of these, as the host's own tool says.
fn digests(home: &Home, files: &[PathBuf]) -> BTreeMap<PathBuf, String> {
    if files.is_empty() {
        return BTreeMap::new();
    }
    let printed = home.invoke("sha256sum").args(["--zero", "--"]).args(files).command().output().unwrap();
    let rows = printed.stdout.split(|byte| *byte == 0).filter(|row| !row.is_empty());
    rows.map(|row| {
        let (digest, path) = row.split_at(64);
        (PathBuf::from(OsStr::from_bytes(&path[2..])), String::from_utf8(digest.to_vec()).unwrap())
    })
    .collect()
}

fn digest_of(home: &Home, bytes: &[u8]) -> String {
    let printed = home.invoke("sha256sum").input(bytes).run().stdout();
    printed.split(' ').next().unwrap().to_owned()
}

/// Each entry lies there as it was shown.
fn is_written(home: &Home, repo: &Repo<'_>, rows: &[Value]) {
    let kept: Vec<&Value> = rows.iter().filter(|row| row["change"] != "deleted").collect();
    let files: Vec<PathBuf> =
        kept.iter().filter(|row| row["kind"] == "file").map(|row| place(repo, row)).collect();
    let digests = digests(home, &files);
    // By what is listed: a link may lie above where it was.
    let listed = looks(repo);
    for row in rows.iter().filter(|row| row["change"] == "deleted") {
        assert!(!listed.contains_key(&place(repo, row)), "{row:#}");
    }
    for row in kept {
        let path = place(repo, row);
        let found = fs::symlink_metadata(&path).unwrap();
        let (content, mode) = (row["content"].as_str(), row["mode_after"].as_str().unwrap());
        match row["kind"].as_str().unwrap() {
            "file" => {
                // Of a mode alone the content is what it was, and not named.
                let written = digests.get(&path).map(String::as_str).filter(|_| row["change"] != "mode");
                assert_eq!(written, content, "{row:#}");
                assert_eq!(found.permissions().mode() & 0o100 != 0, mode == "100755", "{row:#}");
            }
            "symlink" => {
                let target = fs::read_link(&path).unwrap();
                assert_eq!(Some(digest_of(home, target.as_os_str().as_bytes()).as_str()), content, "{row:#}");
            }
            "dir" => assert!(found.is_dir(), "{row:#}"),
            other => panic!("{other} was written: {row:#}"),
        }
        assert_eq!((found.uid(), found.mode() & 0o6000), (home.uid(), 0), "{row:#}");
        let mut names = [0_u8; 4096];
        let length = rustix::fs::llistxattr(&path, &mut names).unwrap();
        assert_eq!(length, 0, "{row:#}: {}", names[..length].escape_ascii());
    }
}

fn diff(home: &Home, repo: &Repo<'_>) -> Vec<Value> {
    for form in ["--stat", "--ignored"] {
        cofferdam(home, repo, &["diff", "-s", "one", form]).run().assert_success();
    }
    let shown = cofferdam(home, repo, &["diff", "-s", "one"]).command().output().unwrap();
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    let acts = |c: char| {
        c.is_control() && c != '\n' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(!text.contains(acts), "{}", text.escape_debug());
    entries(home, repo)
}

/// Looks at what the session `one` left, applies all that can be, and takes it back. What was written.
pub(super) fn applies_exactly(home: &Home, repo: &Repo<'_>) -> Vec<Value> {
    let (before, outside) = (looks(repo), Tree::of(home.work().join("witness")));
    let found = diff(home, repo);
    assert!(found.iter().all(|row| row["conflict"].is_null()), "nobody but the session wrote: {found:#?}");
    let wanted: Vec<&Value> = found.iter().filter(|row| row["refused"].is_null()).collect();
    let dry = cofferdam(home, repo, &["apply", "-s", "one", "-n", "--json"]).run();
    if wanted.is_empty() {
        // Where all of it is refused, that is said rather than that there is nothing.
        dry.assert_exit(if found.is_empty() { 216 } else { 218 });
        return Vec::new();
    }
    let planned = dry.assert_success().json();
    let rows = planned["entries"].as_array().unwrap().clone();
    let paths = |rows: &[&Value]| rows.iter().map(|row| raw(row)).collect::<BTreeSet<_>>();
    assert_eq!(paths(&rows.iter().collect::<Vec<_>>()), paths(&wanted), "what is planned is what is shown");
    let left: Vec<&Value> = planned["left_out"].as_array().unwrap().iter().collect();
    let refused: Vec<&Value> = found.iter().filter(|row| !row["refused"].is_null()).collect();
    assert_eq!(paths(&left), paths(&refused), "what stays out is named");
    assert_eq!(looks(repo), before, "a dry run writes nothing");
    try_apply(home, repo, planned["digest"].as_str().unwrap(), &[]).assert_success();
    is_written(home, repo, &rows);
    let mut rest = looks(repo);
    let mut was = before.clone();
    for row in &rows {
        rest.remove(&place(repo, row));
        was.remove(&place(repo, row));
    }
    assert_eq!(rest, was, "what was not shown is as it was");
    cofferdam(home, repo, &["undo", "-s", "one"]).run().assert_success();
    assert_eq!(looks(repo), before);
    Tree::of(home.work().join("witness")).assert_same_as(&outside);
    rows
}

/// Whether it was done or refused, with a code that says so: never anything between.
pub(super) fn succeeds_or_refuses(outcome: &Outcome) -> bool {
    const CODES: [i32; 5] = [201, 215, 216, 217, 218];
    let code = outcome.status.code().unwrap();
    assert!(code == 0 || CODES.contains(&code), "{outcome}");
    code == 0
}

/// The layer of the workspace in the state of a session that does not run.
pub(super) fn layer(home: &Home) -> PathBuf {
    let sessions = home.state().join("sessions");
    let session = fs::read_dir(&sessions).unwrap().next().unwrap().unwrap().path();
    let layers = fs::read_dir(session).unwrap().map(|entry| entry.unwrap().path().join("upper"));
    let is_workspace = |upper: &PathBuf| upper.join("in-the-layer").exists();
    layers.filter(is_workspace).map(|upper: PathBuf| upper.as_path().to_path_buf()).next().unwrap()
}

/// Gives what was made in the layer by hand to whom the layer belongs to.
pub(super) fn give(layer: &Path, path: &Path) {
    let owner = fs::metadata(layer.join("in-the-layer")).unwrap();
    std::os::unix::fs::lchown(path, Some(owner.uid()), Some(owner.gid())).unwrap();
}
