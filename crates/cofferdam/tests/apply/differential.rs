//! Random trees and random work on them, once in a session and once on a plain copy: git and diff say of the copy what we
//! say of the session, and after an apply the two are the same. Git, diff and cp are tests' tools only.

use super::scene::*;
use cofferdam_testkit::{Home, Repo, Tree};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Some lie in others, so that a file comes in the place of a directory and the other way.
const PATHS: [&[u8]; 24] = [
    b"a",
    b"b",
    b"d",
    b"d/a",
    b"d/b",
    b"d/e",
    b"d/e/f",
    b"d/e/f/g",
    b"x/y/z",
    b"x/y",
    b"A",
    b"-rf",
    b"new\nline",
    b"tab\tand \x1b[31m\r",
    b"\xff\xfe not text",
    "bidi \u{202e}gpj".as_bytes(),
    "caf\u{e9}".as_bytes(),
    "cafe\u{301}".as_bytes(),
    b"dot.",
    b"blank ",
    b"quote'\"`$(x)*\\",
    b"odd\n/d\xffr/in it",
    b"build.rs",
    b"d/e/Makefile",
];

/// What files hold: few, so that contents come twice and move.
const LINES: [&str; 6] = ["one", "two", "three", "}", "", "a longer line with some words"];
const MODES: [u32; 6] = [0o755, 0o644, 0o600, 0o700, 0o611, 0o744];
const TARGETS: [&str; 3] = ["to-nothing", "to nothing/else", "to\nnothing"];

#[derive(Debug, Clone)]
enum Act {
    Write(usize, Content),
    Append(usize, Content),
    Remove(usize),
    Move(usize, usize),
    Mode(usize, usize),
    Link(usize, usize),
    Directory(usize),
}

#[derive(Debug, Clone)]
enum Content {
    Empty,
    Lines(Vec<usize>, bool),
    Binary(u8),
}

impl Content {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Empty => Vec::new(),
            Self::Lines(lines, ended) => {
                let mut text: Vec<&str> = lines.iter().map(|line| LINES[*line]).collect();
                text.extend(ended.then_some(""));
                text.join("\n").into_bytes()
            }
            Self::Binary(byte) => vec![0, *byte, b'\n', 0xff],
        }
    }
}

fn content() -> impl Strategy<Value = Content> {
    let lines = prop::collection::vec(0..LINES.len(), 1..30);
    prop_oneof![
        1 => Just(Content::Empty),
        6 => (lines, prop::bool::weighted(0.8)).prop_map(|(lines, ended)| Content::Lines(lines, ended)),
        1 => (0_u8..3).prop_map(Content::Binary),
    ]
}

fn acts(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Act>> {
    let path = || 0..PATHS.len();
    let act = prop_oneof![
        6 => (path(), content()).prop_map(|(path, content)| Act::Write(path, content)),
        2 => (path(), content()).prop_map(|(path, content)| Act::Append(path, content)),
        2 => path().prop_map(Act::Remove),
        2 => (path(), path()).prop_map(|(from, to)| Act::Move(from, to)),
        2 => (path(), 0..MODES.len()).prop_map(|(path, mode)| Act::Mode(path, mode)),
        1 => (path(), 0..TARGETS.len()).prop_map(|(path, to)| Act::Link(path, to)),
        1 => path().prop_map(Act::Directory),
    ];
    prop::collection::vec(act, count)
}

fn quoted(bytes: &[u8]) -> Vec<u8> {
    let inner = bytes.iter().flat_map(|byte| match byte {
        b'\'' => b"'\\''".to_vec(),
        other => vec![*other],
    });
    b"'".iter().copied().chain(inner).chain(*b"'").collect()
}

fn place(path: usize) -> Vec<u8> {
    quoted(&[b"./", PATHS[path]].concat())
}

fn above(path: usize) -> Vec<u8> {
    let parent = PATHS[path].iter().rposition(|byte| *byte == b'/').map_or(&b""[..], |at| &PATHS[path][..at]);
    quoted(&[b"./", parent].concat())
}

fn printed(content: &Content) -> Vec<u8> {
    let octal: String = content.bytes().iter().map(|byte| format!("\\{byte:03o}")).collect();
    format!("printf '{octal}'").into_bytes()
}

/// What can't be done is left out, in the cell as outside: no act depends on who acts.
fn line(act: &Act) -> Vec<u8> {
    let words: Vec<Vec<u8>> = match act {
        Act::Write(path, content) => {
            let place = place(*path);
            let (made, text) = (above(*path), printed(content));
            vec![
                b"mkdir -p ".to_vec(),
                made,
                b" && rm -f ".to_vec(),
                place.clone(),
                b" && ".to_vec(),
                text,
                b" >".to_vec(),
                place,
            ]
        }
        Act::Append(path, content) => {
            let place = place(*path);
            let text = printed(content);
            vec![b"test -f ".to_vec(), place.clone(), b" && ".to_vec(), text, b" >>".to_vec(), place]
        }
        Act::Remove(path) => vec![b"rm -rf ".to_vec(), place(*path)],
        Act::Move(from, to) if PATHS[*to].starts_with(PATHS[*from]) => Vec::new(),
        Act::Move(from, to) => {
            let (from, made, to) = (place(*from), above(*to), place(*to));
            vec![
                b"test -e ".to_vec(),
                from.clone(),
                b" && mkdir -p ".to_vec(),
                made,
                b" && rm -rf ".to_vec(),
                to.clone(),
                b" && mv -T ".to_vec(),
                from,
                b" ".to_vec(),
                to,
            ]
        }
        Act::Mode(path, mode) => {
            let (place, mode) = (place(*path), format!(" && chmod {:o} ", MODES[*mode]).into_bytes());
            vec![b"test -f ".to_vec(), place.clone(), mode, place]
        }
        Act::Link(path, to) => {
            let (place, made, to) = (place(*path), above(*path), quoted(TARGETS[*to].as_bytes()));
            let act = b"mkdir -p ".to_vec();
            vec![
                act,
                made,
                b" && rm -rf ".to_vec(),
                place.clone(),
                b" && ln -s ".to_vec(),
                to,
                b" ".to_vec(),
                place,
            ]
        }
        Act::Directory(path) => vec![b"mkdir -p ".to_vec(), place(*path)],
    };
    words.concat()
}

fn script(acts: &[Act]) -> Vec<u8> {
    let lines = acts.iter().map(|act| [line(act), b"\n".to_vec()].concat());
    [b"exec 2>/dev/null\n".to_vec()]
        .into_iter()
        .chain(lines)
        .chain([b"exit 0\n".to_vec()])
        .flatten()
        .collect()
}

struct Pair<'h> {
    home: &'h Home,
    repo: Repo<'h>,
}

impl Pair<'_> {
    fn tool(&self, program: &str) -> cofferdam_testkit::Invocation {
        self.home.invoke(program).env("GIT_CONFIG_NOSYSTEM", "1").in_directory(self.home.work())
    }

    fn copy(&self, name: &str) -> PathBuf {
        let to = self.home.work().join(name);
        self.tool("cp").arg("-a").arg(self.repo.path()).arg(&to).run().assert_success();
        fs::remove_dir_all(to.join(".git")).unwrap();
        to
    }

    /// What `git diff --no-index` says with this option, by fields.
    fn git(&self, option: &str) -> Vec<Vec<u8>> {
        let arguments = ["-c", "core.fileMode=true", "diff", "--no-index", "--no-renames", "--minimal", "-z"];
        let run =
            self.tool("git").args(arguments).args([option, "before", "after"]).command().output().unwrap();
        assert!(run.status.code().is_some_and(|code| code < 2), "{run:?}");
        run.stdout.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect()
    }
}

fn below(path: &[u8]) -> Vec<u8> {
    path.splitn(2, |byte| *byte == b'/').last().unwrap_or_default().to_vec()
}

fn by_git(pair: &Pair<'_>) -> BTreeSet<Vec<u8>> {
    pair.git("--raw").chunks_exact(2).map(|row| below(&row[1])).collect()
}

/// `(added, removed)` of texts; a row names both sides, one of which is `/dev/null` where a file comes or goes.
fn lines_by_git(pair: &Pair<'_>) -> BTreeMap<Vec<u8>, (i64, i64)> {
    let fields = pair.git("--numstat");
    let mut rows = fields.iter().filter(|field| !field.is_empty());
    let mut found = BTreeMap::new();
    while let Some(head) = rows.next() {
        let mut parts = head.splitn(3, |byte| *byte == b'\t');
        let mut number = || std::str::from_utf8(parts.next().unwrap()).unwrap().parse::<i64>();
        let (added, removed) = (number(), number());
        let mut path = parts.next().unwrap().to_vec();
        if path.is_empty() {
            let (before, after) = (rows.next().unwrap(), rows.next().unwrap());
            path = if after == b"/dev/null" { before.clone() } else { after.clone() };
        }
        if let (Ok(added), Ok(removed)) = (added, removed) {
            let (mut all_added, mut all_removed) = found.get(&below(&path)).copied().unwrap_or_default();
            all_added += added;
            all_removed += removed;
            found.insert(below(&path), (all_added, all_removed));
        }
    }
    found
}

pub(super) fn raw(row: &Value) -> Vec<u8> {
    let hex = row.pointer("/path/raw_hex").and_then(Value::as_str).unwrap();
    hex.as_bytes()
        .chunks(2)
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
        .collect()
}

/// Git knows no directories: one that comes or goes is no path of its own, what becomes one is.
fn ours(entries: &[Value]) -> BTreeSet<Vec<u8>> {
    let is_file = |row: &&Value| row["kind"] != "dir" || row["change"] == "type";
    entries.iter().filter(is_file).map(raw).collect()
}

/// What our text makes of `before`, and how many lines it adds and removes.
fn patched(before: &[u8], shown: &str) -> (Vec<u8>, i64, i64) {
    let old: Vec<&[u8]> = before.split_inclusive(|byte| *byte == b'\n').collect();
    let (mut result, mut at, mut added, mut removed) = (Vec::new(), 0, 0, 0);
    let mut lines = shown.lines().skip_while(|line| !line.starts_with("@@ -"));
    while let Some(head) = lines.next().and_then(|line| line.strip_prefix("@@ -")) {
        let (from, to) = head.strip_suffix(" @@").unwrap().split_once(" +").unwrap();
        let range = |text: &str| {
            let (start, count) = text.split_once(',').unwrap_or((text, "1"));
            (start.parse::<usize>().unwrap(), count.parse::<usize>().unwrap())
        };
        let ((start, mut before_left), (_, mut after_left)) = (range(from), range(to));
        let start = start - usize::from(before_left > 0);
        result.extend(old[at..start].concat());
        at = start;
        while before_left + after_left > 0 {
            let (sign, text) = lines.next().unwrap().split_at(1);
            let line = match text.strip_suffix(" (no newline at the end)") {
                Some(text) => text.as_bytes().to_vec(),
                None => [text.as_bytes(), b"\n"].concat(),
            };
            if sign != "+" {
                assert_eq!(old[at], line, "{shown}");
                at += 1;
                before_left -= 1;
            }
            if sign != "-" {
                after_left -= 1;
                result.extend(line);
            }
            added += i64::from(sign == "+");
            removed += i64::from(sign == "-");
        }
    }
    result.extend(old[at..].concat());
    (result, added, removed)
}

/// Texts that both sides show as such: the hunks lead from one to the other, with no fewer lines than have to change.
fn lines_agree(pair: &Pair<'_>, entries: &[Value], before: &Path, after: &Path) {
    const TEXTS_MAX: usize = 3;
    let by_git = lines_by_git(pair);
    let is_text = |row: &&Value| {
        let path = raw(row);
        let plain = path.iter().all(|byte| byte.is_ascii_alphanumeric() || b"/.".contains(byte));
        let kept = |mode: &str| {
            row[mode].is_null() || row[mode].as_str().is_some_and(|mode| mode.starts_with("100"))
        };
        plain
            && row["kind"] == "file"
            && row["change"] != "mode"
            && row["binary"] == false
            && row["renamed_from"].is_null()
            && kept("mode_before")
            && kept("mode_after")
    };
    for row in entries.iter().filter(is_text).take(TEXTS_MAX) {
        let path = raw(row);
        let name = OsStr::from_bytes(&path);
        let shown = cofferdam(pair.home, &pair.repo, &["diff", "-s", "one"]).arg(name).run();
        let text = |tree: &Path| fs::read(tree.join(name)).unwrap_or_default();
        let (made, added, removed) = patched(&text(before), &shown.assert_success().stdout());
        assert_eq!(made, text(after), "{name:?}: {shown}");
        let (git_added, git_removed) = by_git.get(&path).copied().unwrap_or_default();
        assert_eq!(added - removed, git_added - git_removed, "{name:?}");
        assert!(added >= git_added, "{name:?}: fewer than the fewest");
    }
}

/// Paths of files with the executable bit.
fn executables(tree: &Path) -> BTreeSet<PathBuf> {
    let is_executable = |path: &&Path| {
        let found = fs::symlink_metadata(tree.join(path)).unwrap();
        found.is_file() && found.permissions().mode() & 0o100 != 0
    };
    let listed = Tree::of(tree);
    let inside = listed.paths().into_iter().filter(|path| !path.starts_with(".git"));
    inside.filter(is_executable).map(Path::to_path_buf).collect()
}

fn check(before_acts: &[Act], after_acts: &[Act]) {
    let home = home();
    let pair = Pair { home: &home, repo: home.repo("project") };
    let (home, repo) = (pair.home, &pair.repo);
    home.invoke("sh").arg("-s").input(script(before_acts)).in_directory(repo.path()).run().assert_success();
    repo.commit("first");
    let (before, after) = (pair.copy("before"), pair.copy("after"));
    home.invoke("sh").arg("-s").input(script(after_acts)).in_directory(&after).run().assert_success();
    settle();
    let run = home.cofferdam().args(["run", "--name", "one", "--", "sh", "-s"]);
    run.input(script(after_acts)).in_directory(repo.path()).run().assert_success();
    let (looked, copies) = (looks(repo), [Tree::of(&before), Tree::of(&after)]);
    let found = entries(home, repo);
    assert_eq!(ours(&found), by_git(&pair), "{found:#?}");
    lines_agree(&pair, &found, &before, &after);
    if !found.is_empty() {
        let digest = digest(home, repo, &[]);
        let planned = json(home, repo, &["apply", "-s", "one", "-n"]);
        let planned: Vec<Vec<u8>> = planned["entries"].as_array().unwrap().iter().map(raw).collect();
        assert_eq!(planned, found.iter().map(raw).collect::<Vec<_>>());
        try_apply(home, repo, &digest, &[]).assert_success();
    }
    let compare = pair.tool("diff").args(["-r", "--no-dereference", "-x", ".git", "project", "after"]).run();
    compare.assert_success();
    assert_eq!(executables(repo.path()), executables(&after));
    if !found.is_empty() {
        cofferdam(home, repo, &["undo", "-s", "one"]).run().assert_success();
    }
    assert_eq!(looks(repo), looked);
    assert_eq!(entries(home, repo), found, "what was undone can be seen again");
    [(&before, &copies[0]), (&after, &copies[1])]
        .iter()
        .for_each(|(tree, was)| Tree::of(tree).assert_same_as(was));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4,
        max_shrink_iters: 8,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn work_in_a_session_comes_back_as_if_it_had_been_done_on_the_tree(
        before in acts(5..30),
        after in acts(1..40),
    ) {
        check(&before, &after);
    }
}
