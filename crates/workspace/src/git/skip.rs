//! Marks in a copy of git's index that hidden files are meant to be missing ("skip-worktree"), so that git does not take
//! them for deleted and `commit -a` does not commit that (gitformat-index(5)).
//!
//! Versions 2 to 4. An index that is not understood, is split or sparse is left as it is; nothing is written.

use super::index::{EXTENDED, Entry, HASHES_BYTES, STAGE, entries, head, taken};
use sha1_checked::{Digest as _, Sha1};
use sha2::Sha256;
use std::collections::BTreeSet;

/// Among the extended flags, which version 3 brought.
const SKIP_WORKTREE: u16 = 1 << 14;
/// Where the entries end and begin, which marks move; git does without.
const OFFSETS: [&[u8; 4]; 2] = [b"EOIE", b"IEOT"];

/// `index` with a mark at each entry of `hidden` (paths from the work tree's top; of a directory, all that is in it).
/// `None` if there is nothing to mark, or it is not understood.
#[must_use]
pub fn marked(index: &[u8], hidden: &BTreeSet<Vec<u8>>) -> Option<Vec<u8>> {
    HASHES_BYTES.into_iter().find_map(|hash_bytes| with_hash(index, hash_bytes, hidden))
}

fn with_hash(index: &[u8], hash_bytes: usize, hidden: &BTreeSet<Vec<u8>>) -> Option<Vec<u8>> {
    let (body, checksum) = index.split_at_checked(index.len().checked_sub(hash_bytes)?)?;
    let (version, count) = head(body)?;
    let mut result = Vec::with_capacity(index.len().saturating_add(1 << 10));
    result.extend([b"DIRC".as_slice(), &version.max(3).to_be_bytes(), &count.to_be_bytes()].concat());
    let mut any = false;
    let rest = entries(body, hash_bytes, |entry| {
        let hide = entry.flags & STAGE == 0 && held(entry.name).any(|path| hidden.contains(path));
        if hide && entry.extended.unwrap_or(0) & SKIP_WORKTREE == 0 {
            any = true;
            print_marked(entry, version, &mut result);
        } else {
            result.extend_from_slice(entry.whole);
        }
    })?;
    extensions(rest, &mut result)?;
    let unused = checksum.iter().all(|byte| *byte == 0);
    match (unused, hash_bytes) {
        (true, _) => result.extend_from_slice(checksum),
        (false, 20) => {
            let sum = Sha1::digest(&result);
            result.extend_from_slice(&sum);
        }
        (false, _) => {
            let sum = Sha256::digest(&result);
            result.extend_from_slice(&sum);
        }
    }
    any.then_some(result)
}

/// A path, and each directory above it.
fn held(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    ends.chain([path.len()]).filter_map(|end| path.get(..end))
}

fn print_marked(entry: &Entry<'_>, version: u32, result: &mut Vec<u8>) {
    let start = result.len();
    result.extend_from_slice(entry.stat);
    result.extend_from_slice(entry.id);
    result.extend((entry.flags | EXTENDED).to_be_bytes());
    result.extend((entry.extended.unwrap_or(0) | SKIP_WORKTREE).to_be_bytes());
    result.extend_from_slice(entry.tail);
    let zeros = match version {
        4 => 1,
        _ => 8 - result.len().saturating_sub(start) % 8,
    };
    result.resize(result.len().saturating_add(zeros), 0);
}

/// All but the [`OFFSETS`]. `None` if one is there without which the index can't be understood.
fn extensions(mut rest: &[u8], result: &mut Vec<u8>) -> Option<()> {
    while !rest.is_empty() {
        let before = rest;
        let name: [u8; 4] = taken(&mut rest)?;
        let length = usize::try_from(u32::from_be_bytes(taken(&mut rest)?)).ok()?;
        rest = rest.get(length..)?;
        // gitformat-index(5): what begins with a capital may be left out.
        if !name.first().is_some_and(u8::is_ascii_uppercase) {
            return None;
        }
        if !OFFSETS.contains(&&name) {
            result.extend_from_slice(before.get(..before.len().checked_sub(rest.len())?)?);
        }
    }
    Some(())
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests {
    use super::super::trial;
    use super::*;
    use std::path::Path;
    use std::process::Command;

    fn git(directory: &Path, arguments: &[&str]) -> String {
        String::from_utf8(trial::git(directory, arguments, b"")).unwrap()
    }

    fn hidden(paths: &[&str]) -> BTreeSet<Vec<u8>> {
        paths.iter().map(|path| path.as_bytes().to_vec()).collect()
    }

    fn repository(settings: &[&str]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        git(at, &[&["init", "--quiet"], settings].concat());
        for (path, content) in [
            (".env", "k=1"),
            ("a/long-enough-name", "x"),
            ("keys/one.pem", "p"),
            ("keys/two.pem", "q"),
            ("z", "z"),
        ] {
            std::fs::create_dir_all(at.join(path).parent().unwrap()).unwrap();
            std::fs::write(at.join(path), content).unwrap();
        }
        git(at, &["add", "--all"]);
        git(at, &["commit", "--quiet", "-m", "first"]);
        directory
    }

    #[test]
    fn what_is_hidden_is_neither_shown_nor_committed_as_deleted() {
        for version in ["2", "3", "4"] {
            for format in ["sha1", "sha256"] {
                let directory = repository(&[&format!("--object-format={format}")]);
                let at = directory.path();
                git(at, &["update-index", "--index-version", version]);
                let index = at.join(".git/index");
                let marked = marked(&std::fs::read(&index).unwrap(), &hidden(&[".env", "keys"])).unwrap();
                std::fs::write(&index, &marked).unwrap();
                std::fs::remove_file(at.join(".env")).unwrap();
                std::fs::remove_dir_all(at.join("keys")).unwrap();
                std::fs::write(at.join("z"), "changed").unwrap();
                assert_eq!(git(at, &["status", "--porcelain"]), " M z\n", "{version} {format}");
                git(at, &["commit", "--quiet", "-a", "-m", "second"]);
                let changed = git(at, &["show", "--name-status", "--format="]);
                assert_eq!(changed, "M\tz\n", "{version} {format}");
                git(at, &["fsck", "--strict"]);
                assert_eq!(super::marked(&std::fs::read(&index).unwrap(), &hidden(&[".env"])), None);
            }
        }
    }

    #[test]
    fn the_checksum_is_gits_own() {
        let directory = repository(&[]);
        let index = directory.path().join(".git/index");
        let marked = marked(&std::fs::read(&index).unwrap(), &hidden(&["z"])).unwrap();
        std::fs::write(&index, &marked).unwrap();
        // Git looks at the checksum of the index only here.
        git(directory.path(), &["fsck", "--strict"]);
        let listed = git(directory.path(), &["ls-files", "-v"]);
        assert!(listed.contains("S z\n") && listed.contains("H .env\n"), "{listed}");
        let mut wrong = marked;
        *wrong.last_mut().unwrap() ^= 1;
        std::fs::write(&index, &wrong).unwrap();
        let refuses = trial::run(directory.path(), &["fsck", "--strict"], b"");
        assert!(!refuses.status.success(), "the control: a wrong checksum is found out");
    }

    #[test]
    fn an_index_that_is_not_understood_is_left_as_it_is() {
        let directory = repository(&[]);
        let whole = std::fs::read(directory.path().join(".git/index")).unwrap();
        assert!(marked(&whole, &hidden(&[".env"])).is_some());
        assert_eq!(marked(&whole, &hidden(&["nothing"])), None);
        for length in 0..whole.len() - 1 {
            let _no_panic = marked(&whole[..length], &hidden(&[".env"]));
        }
        git(directory.path(), &["update-index", "--split-index"]);
        let split = std::fs::read(directory.path().join(".git/index")).unwrap();
        assert_eq!(marked(&split, &hidden(&[".env"])), None);
    }

    #[test]
    fn a_merge_that_is_not_finished_keeps_its_sides() {
        let directory = repository(&[]);
        let at = directory.path();
        git(at, &["checkout", "--quiet", "-b", "side"]);
        std::fs::write(at.join(".env"), "side").unwrap();
        git(at, &["commit", "--quiet", "-a", "-m", "side"]);
        git(at, &["checkout", "--quiet", "-"]);
        std::fs::write(at.join(".env"), "main").unwrap();
        git(at, &["commit", "--quiet", "-a", "-m", "main"]);
        let identity = ["-c", "user.name=Ada", "-c", "user.email=ada@owner.example"];
        let mut merge = Command::new("git");
        merge.args(identity).args(["merge", "side"]).current_dir(at).env("HOME", at).output().unwrap();
        assert!(git(at, &["ls-files", "--unmerged"]).contains(".env"), "the control: it conflicts");
        assert_eq!(marked(&std::fs::read(at.join(".git/index")).unwrap(), &hidden(&[".env"])), None);
    }
}
