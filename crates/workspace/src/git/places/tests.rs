//! Where git directories lie, and which pointers are not followed.

use super::*;
use std::fs;
use std::os::unix::fs::symlink;

/// Repositories are laid out by hand, by gitrepository-layout(5): the crate never runs git, nor do its tests.
struct Scene {
    _directory: tempfile::TempDir,
    root: AbsPath,
}

fn scene() -> Scene {
    let directory = tempfile::tempdir().unwrap();
    let root = AbsPath::new(fs::canonicalize(directory.path()).unwrap()).unwrap();
    Scene { _directory: directory, root }
}

impl Scene {
    fn path(&self, below: &str) -> AbsPath {
        self.root.join(below).unwrap()
    }

    fn write(&self, file: &str, content: impl AsRef<[u8]>) {
        let path = self.root.as_path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn git_directory(&self, path: &str) {
        for directory in ["objects/pack", "objects/ab", "refs/heads"] {
            fs::create_dir_all(self.root.as_path().join(path).join(directory)).unwrap();
        }
        self.write(&format!("{path}/HEAD"), "ref: refs/heads/main\n");
        self.write(&format!("{path}/config"), "[core]\nbare = false\n");
    }

    /// `main` with a linked worktree `linked`.
    fn linked_worktree(&self) {
        self.git_directory("main/.git");
        self.write("main/.git/worktrees/linked/commondir", "../..\n");
        self.write("main/.git/worktrees/linked/HEAD", "ref: refs/heads/other\n");
        self.write("main/.git/worktrees/linked/gitdir", format!("{}\n", self.path("linked/.git")));
        self.write("linked/.git", format!("gitdir: {}\n", self.path("main/.git/worktrees/linked")));
    }

    fn find(&self, workspace: &str) -> Result<Option<GitPlaces>, PlacesError> {
        find(&self.path(workspace), &self.path(workspace))
    }

    fn outside(&self, workspace: &str) -> Vec<(String, Role, Access)> {
        let places = self.find(workspace).unwrap().unwrap();
        assert_eq!(places.refused, []);
        let relative =
            |path: &AbsPath| path.as_path().strip_prefix(self.root.as_path()).unwrap().display().to_string();
        places.outside.iter().map(|place| (relative(&place.path), place.role, place.access)).collect()
    }

    fn refusal(&self, workspace: &str) -> RefusalReason {
        match self.find(workspace) {
            Err(PlacesError::Refused { refusal }) => refusal.reason,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_plain_repository_needs_no_place_besides_itself() {
    let scene = scene();
    scene.git_directory("repo/.git");
    fs::create_dir_all(scene.path("repo/a/b").as_path()).unwrap();
    let places = find(&scene.path("repo/a/b"), &scene.path("repo")).unwrap().unwrap();
    assert_eq!((places.top, places.common_directory), (scene.path("repo"), scene.path("repo/.git")));
    assert!(places.outside.is_empty() && places.refused.is_empty());
}

#[test]
fn no_repository_is_no_error() {
    let scene = scene();
    fs::create_dir_all(scene.path("plain").as_path()).unwrap();
    assert!(scene.find("plain").unwrap().is_none());
}

#[test]
fn a_workspace_below_the_top_needs_the_git_directory_above() {
    let scene = scene();
    scene.git_directory("repo/.git");
    fs::create_dir_all(scene.path("repo/a").as_path()).unwrap();
    assert_eq!(
        scene.outside("repo/a"),
        [("repo/.git".to_owned(), Role::EnclosingDirectory, Access::CopyOnWrite)]
    );
}

#[test]
fn a_repository_that_somebody_else_put_above_counts_as_none() {
    // Only uid 0 can make files of somebody else.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let scene = scene();
    scene.git_directory("shared/.git");
    fs::create_dir_all(scene.path("shared/mine").as_path()).unwrap();
    std::os::unix::fs::chown(scene.path("shared/.git").as_path(), Some(61_001), None).unwrap();
    assert!(scene.find("shared/mine").unwrap().is_none());
}

#[test]
fn a_linked_worktree_needs_the_common_directory() {
    let scene = scene();
    scene.linked_worktree();
    assert_eq!(
        scene.outside("linked"),
        [("main/.git".to_owned(), Role::CommonDirectory, Access::CopyOnWrite)]
    );
    let places = scene.find("linked").unwrap().unwrap();
    assert_eq!(places.git_directory, scene.path("main/.git/worktrees/linked"));
}

#[test]
fn a_pointer_to_a_repository_that_does_not_point_back_is_refused() {
    let scene = scene();
    scene.linked_worktree();
    // The attack: a tree that claims to be somebody else's worktree.
    scene.write("hostile/.git", format!("gitdir: {}\n", scene.path("main/.git/worktrees/linked")));
    assert_eq!(scene.refusal("hostile"), RefusalReason::NoBackPointer);
    scene.write("hostile/.git", format!("gitdir: {}\n", scene.path("main/.git")));
    assert_eq!(scene.refusal("hostile"), RefusalReason::NoBackPointer);
    scene.write("secrets/key", "x");
    scene.write("hostile/.git", "gitdir: ../secrets\n");
    assert_eq!(scene.refusal("hostile"), RefusalReason::NoBackPointer);
    scene.write("hostile/.git", "gitdir: ../missing\n");
    assert_eq!(scene.refusal("hostile"), RefusalReason::Missing);
    scene.write("hostile/.git", "../main/.git\n");
    assert_eq!(scene.refusal("hostile"), RefusalReason::BadPointer);
}

#[test]
fn a_planted_common_directory_is_refused() {
    let scene = scene();
    scene.git_directory("victim/.git");
    scene.git_directory("hostile/.git");
    scene.write("hostile/.git/commondir", format!("{}\n", scene.path("victim/.git")));
    assert_eq!(scene.refusal("hostile"), RefusalReason::NoBackPointer);
}

#[test]
fn a_submodule_needs_its_git_directory_if_that_names_it() {
    let scene = scene();
    scene.git_directory("super/.git");
    scene.git_directory("super/.git/modules/sub");
    scene.write("super/sub/.git", "gitdir: ../.git/modules/sub\n");
    assert_eq!(scene.refusal("super/sub"), RefusalReason::NoBackPointer);
    scene.write("super/.git/modules/sub/config", "[core]\nworktree = ../../../sub\n");
    let expected = [("super/.git/modules/sub".to_owned(), Role::SubmoduleDirectory, Access::CopyOnWrite)];
    assert_eq!(scene.outside("super/sub"), expected);
    // Seen from the whole repository it lies within.
    let places = of_pointer(&scene.path("super/sub"), &scene.path("super")).unwrap().unwrap();
    assert!(places.outside.is_empty());
}

#[test]
fn a_git_directory_that_is_a_link_is_refused() {
    let scene = scene();
    scene.git_directory("victim/.git");
    fs::create_dir_all(scene.path("hostile").as_path()).unwrap();
    symlink(scene.path("victim/.git").as_path(), scene.path("hostile/.git").as_path()).unwrap();
    assert!(matches!(scene.find("hostile"), Err(PlacesError::Link { .. })));
}

#[test]
fn alternates_are_followed_as_far_as_they_are_object_stores() {
    let scene = scene();
    for repository in ["repo/.git", "first/.git", "second/.git"] {
        scene.git_directory(repository);
    }
    fs::create_dir_all(scene.path("first/.git/lfs/objects/ab/cd").as_path()).unwrap();
    scene
        .write("repo/.git/objects/info/alternates", format!("# one\n{}\n", scene.path("first/.git/objects")));
    scene.write("first/.git/objects/info/alternates", "../../../second/.git/objects\n");
    // A circle.
    scene.write("second/.git/objects/info/alternates", format!("{}\n", scene.path("first/.git/objects")));
    let read_only = |path: &str, role| (path.to_owned(), role, Access::ReadOnly);
    assert_eq!(
        scene.outside("repo"),
        [
            read_only("first/.git/lfs/objects", Role::LfsStorage),
            read_only("first/.git/objects", Role::Alternate),
            read_only("second/.git/objects", Role::Alternate),
        ]
    );
}

#[test]
fn an_alternate_that_holds_anything_else_is_refused() {
    let scene = scene();
    scene.git_directory("repo/.git");
    scene.write("private/pack/x", "x");
    scene.write("private/diary.txt", "x");
    fs::create_dir_all(scene.path("empty").as_path()).unwrap();
    let lines = format!("{}\n{}\n/nowhere\n\"quoted\"\n", scene.path("private"), scene.path("empty"));
    scene.write("repo/.git/objects/info/alternates", lines);
    let places = scene.find("repo").unwrap().unwrap();
    assert!(places.outside.is_empty());
    let reasons: Vec<_> = places.refused.iter().map(|refusal| refusal.reason).collect();
    let expected = [
        RefusalReason::NotObjectStore,
        RefusalReason::NotObjectStore,
        RefusalReason::Missing,
        RefusalReason::BadPointer,
    ];
    assert_eq!(reasons, expected);
}

#[test]
fn a_flood_of_alternates_ends() {
    let scene = scene();
    scene.git_directory("repo/.git");
    scene.write("repo/.git/objects/info/alternates", "/nowhere\n".repeat(1000));
    assert!(scene.find("repo").unwrap().unwrap().refused.len() <= PLACES_MAX);
}

#[test]
fn lfs_storage_elsewhere_is_a_place_of_its_own() {
    let scene = scene();
    scene.git_directory("repo/.git");
    fs::create_dir_all(scene.path("store/objects/ab").as_path()).unwrap();
    scene.write("repo/.git/config", "[lfs]\nstorage = ../../store\n");
    assert_eq!(scene.outside("repo"), [("store/objects".to_owned(), Role::LfsStorage, Access::CopyOnWrite)]);
    scene.write("store/objects/diary.txt", "x");
    assert_eq!(scene.find("repo").unwrap().unwrap().refused[0].reason, RefusalReason::NotObjectStore);
}
