//! Random trees, against what git and diff say of them. Both are tests' tools only.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::process::Command;

const NAMES: [&str; 9] = ["a", "b", "d/a", "d/b", "d/e/a", "d/e/c", "f", "f/x", "d"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thing {
    File(u8, bool),
    Link(u8),
}

fn tree() -> impl Strategy<Value = Vec<(usize, Thing)>> {
    let file = (0_u8..3, any::<bool>()).prop_map(|(content, runs)| Thing::File(content, runs));
    let thing = prop_oneof![4 => file, 1 => (0_u8..2).prop_map(Thing::Link)];
    prop::collection::vec((0..NAMES.len(), thing), 0..7)
}

/// What can't be made because of what is there already is left out.
fn make(root: &Path, things: &[(usize, Thing)]) {
    fs::create_dir_all(root).unwrap();
    for (name, thing) in things {
        let place = root.join(NAMES[*name]);
        let free = place.symlink_metadata().is_err();
        let below = place.parent().unwrap();
        let links = below.ancestors().take_while(|path| *path != root).any(Path::is_symlink);
        if !free || links || fs::create_dir_all(below).is_err() {
            continue;
        }
        match thing {
            Thing::File(content, runs) => {
                fs::write(&place, format!("content {content}\n")).unwrap();
                let mode = if *runs { 0o755 } else { 0o644 };
                fs::set_permissions(&place, fs::Permissions::from_mode(mode)).unwrap();
            }
            Thing::Link(to) => symlink(format!("to-{to}"), &place).unwrap(),
        }
    }
}

/// The layer by which `lower` shows as `after`, in the plainest way: the root stands in the place of the owner's.
fn lay(scene: &Scene) {
    fs::rename(scene.path("after"), scene.path("upper")).unwrap();
    fn opaque(directory: &Path) {
        rustix::fs::setxattr(directory, "user.overlay.opaque", b"y", XattrFlags::empty()).unwrap();
        for entry in fs::read_dir(directory).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                opaque(&entry.path());
            }
        }
    }
    opaque(&scene.path("upper"));
}

/// `(status, path)`, with what git calls a change of type and of mode.
fn by_git(scene: &Scene) -> BTreeSet<(char, String)> {
    let output = Command::new("git")
        .args(["-c", "core.fileMode=true", "diff", "--no-index", "--no-renames", "--raw", "-z"])
        .args(["lower", "upper"])
        .current_dir(scene.directory.path())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut fields = text.split('\0').filter(|field| !field.is_empty());
    let mut found = BTreeSet::new();
    while let (Some(raw), Some(path)) = (fields.next(), fields.next()) {
        let words: Vec<&str> = raw.trim_start_matches(':').split(' ').collect();
        let status = words.last().unwrap().chars().next().unwrap();
        let same = words[2] == words[3] && !words[2].bytes().all(|byte| byte == b'0');
        let status = if status == 'M' && words[0] != words[1] && same { 'X' } else { status };
        let path = path.split_once('/').map_or(path, |(_, below)| below);
        found.insert((status, path.to_owned()));
    }
    found
}

/// Git knows no directories: a file that becomes one is deleted, and the other way it is added.
fn ours(set: &ChangeSet) -> BTreeSet<(char, String)> {
    let files = set.entries.iter().filter_map(|entry| {
        let was_directory = entry.mode_before == Some(0o040_000);
        let status = match (entry.change, entry.kind) {
            (Change::Type, EntryKind::Dir) => 'D',
            (_, EntryKind::Dir) => return None,
            (Change::Type, _) if was_directory => 'A',
            (Change::Added, _) => 'A',
            (Change::Modified, _) => 'M',
            (Change::Deleted, _) => 'D',
            (Change::Type, _) => 'T',
            (Change::Mode, _) => 'X',
        };
        Some((status, entry.path.to_string()))
    });
    files.collect()
}

/// Whether `diff -r` finds any difference in contents or in what is there, links not followed.
fn diff_is_silent(scene: &Scene) -> bool {
    let mut diff = Command::new("diff");
    diff.args(["-r", "--no-dereference", "lower", "upper"]).current_dir(scene.directory.path());
    diff.output().unwrap().status.success()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_change_set_says_what_git_and_diff_say(before in tree(), after in tree()) {
        let scene = Scene::new(&[]);
        fs::remove_dir(scene.path("upper")).unwrap();
        make(&scene.path("lower"), &before);
        make(&scene.path("after"), &after);
        lay(&scene);
        let set = scene.read();
        let (git, ours) = (by_git(&scene), ours(&set));
        // Git shows a change of type as one line or as two, by version: both sides count as two.
        let apart = |found: BTreeSet<(char, String)>| -> BTreeSet<(char, String)> {
            found.into_iter().flat_map(|(status, path)| match status {
                'T' => vec![('A', path.clone()), ('D', path)],
                _ => vec![(status, path)],
            }).collect()
        };
        let digits = |found: &BTreeSet<(char, String)>| -> BTreeSet<(char, String)> {
            // Contents have no names without a repository, so that mode and content look alike to git.
            found.iter().map(|(s, p)| (if *s == 'X' { 'M' } else { *s }, p.clone())).collect()
        };
        prop_assert_eq!(digits(&apart(ours.clone())), digits(&apart(git)));
        let contents = set.entries.iter().any(|entry| entry.change != Change::Mode);
        prop_assert_eq!(diff_is_silent(&scene), !contents);
    }
}
