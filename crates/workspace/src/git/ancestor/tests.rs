//! The ancestor wherever git keeps it: in a pack, an alternate, a linked worktree's or a submodule's repository.

use super::super::trial::git;
use super::*;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// A repository `project` in a scene, with a file at the top and one in a directory.
fn project(format: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let scene = tempfile::tempdir().unwrap();
    let project = scene.path().canonicalize().unwrap().join("project");
    fs::create_dir_all(project.join("sub")).unwrap();
    git(&project, &["init", "-q", "--object-format", format], b"");
    fs::write(project.join("top"), "top\n").unwrap();
    fs::write(project.join("sub/deep"), "deep\n").unwrap();
    git(&project, &["add", "."], b"");
    git(&project, &["update-index", "--chmod=+x", "top"], b"");
    git(&project, &["commit", "-qm", "first"], b"");
    (scene, project)
}

fn ask(directory: &Path, path: &str) -> Result<Ancestor, Rc<NoAncestor>> {
    let path = WorkspacePath::new(path).unwrap();
    let directory = AbsPath::new(directory).unwrap();
    let mut found = None;
    ancestors(&directory, std::slice::from_ref(&path), 1 << 20, |_, ancestor| found = Some(ancestor));
    found.unwrap()
}

fn content(directory: &Path, path: &str) -> Vec<u8> {
    ask(directory, path).unwrap().content
}

#[test]
fn the_ancestor_is_the_blob_of_the_index_in_whichever_form_git_keeps_it() {
    for format in ["sha1", "sha256"] {
        let (_scene, project) = project(format);
        fs::write(project.join("top"), "edited by the owner\n").unwrap();
        let top = ask(&project, "top").unwrap();
        assert_eq!((top.mode, top.content.as_slice()), (0o100_755, b"top\n".as_slice()));
        let edited = fs::metadata(project.join("top")).unwrap();
        assert!(
            top.taken.unwrap()
                < Moment { seconds: edited.ctime(), nanos: u32::try_from(edited.ctime_nsec()).unwrap() }
        );
        assert_eq!(content(&project, "sub/deep"), b"deep\n");
        assert_eq!(content(&project.join("sub"), "deep"), b"deep\n", "the repository lies above");
        git(&project, &["gc", "-q"], b"");
        assert_eq!(content(&project, "sub/deep"), b"deep\n", "packed");
        git(&project, &["update-index", "--index-version", "4"], b"");
        assert_eq!(content(&project, "sub/deep"), b"deep\n", "index version 4");
    }
}

#[test]
fn alternates_worktrees_and_submodules_are_found() {
    let (scene, project) = project("sha1");
    let root = scene.path().canonicalize().unwrap();
    git(&root, &["clone", "-q", "--shared", "project", "borrower"], b"");
    assert!(!root.join("borrower/.git/objects/info/alternates").metadata().unwrap().is_dir());
    assert_eq!(content(&root.join("borrower"), "sub/deep"), b"deep\n", "in an alternate");
    git(&project, &["worktree", "add", "-q", "../tree"], b"");
    assert_eq!(content(&root.join("tree"), "sub/deep"), b"deep\n", "in a linked worktree");
    git(&root, &["init", "-q", "above"], b"");
    git(&root.join("above"), &["submodule", "--quiet", "add", "../project", "module"], b"");
    assert_eq!(content(&root.join("above"), "module/sub/deep"), b"deep\n", "in a submodule");
    let submodule = ask(&root.join("above"), "module").unwrap_err();
    assert!(matches!(*submodule, NoAncestor::OtherKind), "{submodule:?}");
}

#[test]
fn what_has_no_ancestor_says_why() {
    let (scene, project) = project("sha1");
    let why = |directory: &Path, path: &str| ask(directory, path).unwrap_err();
    fs::write(project.join("new"), "new\n").unwrap();
    assert!(matches!(*why(&project, "new"), NoAncestor::Untracked));
    assert!(matches!(*why(scene.path(), "file"), NoAncestor::NoRepository));
    let blob = git(&project, &["rev-parse", ":sub/deep"], b"");
    let blob = std::str::from_utf8(blob.trim_ascii_end()).unwrap();
    let path = project.join(".git/objects").join(&blob[..2]).join(&blob[2..]);
    fs::remove_file(&path).unwrap();
    let missing = why(&project, "sub/deep");
    assert!(matches!(&*missing, NoAncestor::Object(ObjectError::Missing { .. })), "{missing:?}");
    fs::write(&path, "not what its name stands for").unwrap();
    let broken = why(&project, "sub/deep");
    assert!(matches!(&*broken, NoAncestor::Object(ObjectError::Broken { .. })), "{broken:?}");
    fs::write(project.join(".git/index"), "nothing of the kind").unwrap();
    assert!(matches!(*why(&project, "top"), NoAncestor::Index));
    fs::write(project.join(".git/config"), "[extensions]\nobjectFormat = sha512\n").unwrap();
    assert!(matches!(*why(&project, "top"), NoAncestor::Format));
}

#[test]
fn a_merge_of_the_owners_that_is_not_finished_has_no_ancestor() {
    let (_scene, project) = project("sha1");
    let blob = git(&project, &["rev-parse", ":sub/deep"], b"");
    let blob = String::from_utf8(blob).unwrap();
    let blob = blob.trim();
    let zeros = "0".repeat(40);
    let entries = format!(
        "0 {zeros}\tsub/deep\n100644 {blob} 1\tsub/deep\n100644 {blob} 2\tsub/deep\n100644 {blob} 3\tsub/deep\n"
    );
    git(&project, &["update-index", "--index-info"], entries.as_bytes());
    assert!(matches!(*ask(&project, "sub/deep").unwrap_err(), NoAncestor::Unmerged));
    git(&project, &["update-index", "--split-index"], b"");
    assert!(matches!(*ask(&project, "top").unwrap_err(), NoAncestor::Index), "a split index is not read");
}
