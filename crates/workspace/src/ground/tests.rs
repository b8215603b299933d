//! Directories that can be workspaces, and those that can not.

use super::*;
use std::fs;
use std::os::unix::fs::symlink;

struct Scene {
    _directory: tempfile::TempDir,
    root: AbsPath,
    home: AbsPath,
    state: AbsPath,
}

fn scene() -> Scene {
    let directory = tempfile::tempdir().unwrap();
    let root = AbsPath::new(fs::canonicalize(directory.path()).unwrap()).unwrap();
    for name in ["home/project/sub", "home/state/sessions", "home/second"] {
        fs::create_dir_all(root.as_path().join(name)).unwrap();
    }
    let home = root.join("home").unwrap();
    let state = home.join("state").unwrap();
    Scene { _directory: directory, root, home, state }
}

impl Scene {
    fn inspect(&self, path: impl AsRef<Path>, others: &[AbsPath]) -> Result<Ground, GroundError> {
        let surroundings = Surroundings { home: &self.home, state: &self.state, others, copied: true };
        inspect(&self.home.as_path().join(path), &surroundings)
    }
}

#[test]
fn an_ordinary_directory_is_opened_and_described() {
    let scene = scene();
    let ground = scene.inspect("project", &[]).unwrap();
    assert_eq!(ground.path, scene.home.join("project").unwrap());
    assert!(ground.mounts_below.is_empty());
    assert_eq!(beneath::stat_fd(&ground.fd).unwrap().stx_ino, ground.ino);
}

#[test]
fn a_symbolic_link_gives_the_path_that_it_stands_for() {
    let scene = scene();
    symlink("project", scene.home.as_path().join("link")).unwrap();
    assert_eq!(scene.inspect("link", &[]).unwrap().path, scene.home.join("project").unwrap());
    symlink(scene.home.as_path(), scene.home.as_path().join("back-home")).unwrap();
    assert!(matches!(scene.inspect("back-home", &[]), Err(GroundError::Home { .. })));
}

#[test]
fn each_wrong_place_is_refused_by_its_own_reason() {
    let scene = scene();
    fs::write(scene.home.as_path().join("file"), "").unwrap();
    assert!(matches!(scene.inspect("missing", &[]), Err(GroundError::Missing { .. })));
    assert!(matches!(scene.inspect("file", &[]), Err(GroundError::NotDirectory { .. })));
    assert!(matches!(scene.inspect("file/below", &[]), Err(GroundError::NotDirectory { .. })));
    assert!(matches!(scene.inspect("/", &[]), Err(GroundError::Root)));
    assert!(matches!(scene.inspect("", &[]), Err(GroundError::Home { .. })));
    assert!(matches!(scene.inspect(scene.root.as_path(), &[]), Err(GroundError::AboveHome { .. })));
    assert!(matches!(scene.inspect("state", &[]), Err(GroundError::State { .. })));
    assert!(matches!(scene.inspect("state/sessions", &[]), Err(GroundError::State { .. })));
    for system in
        ["/usr", "/usr/bin", "/etc", "/proc", "/proc/self", "/sys", "/dev", "/run", "/var", "/var/tmp"]
    {
        assert!(matches!(scene.inspect(system, &[]), Err(GroundError::System { .. })), "{system}");
    }
}

#[test]
fn a_state_directory_inside_the_workspace_is_refused() {
    let scene = scene();
    fs::create_dir_all(scene.home.as_path().join("project/hidden/state")).unwrap();
    let state = scene.home.join("project/hidden/state").unwrap();
    let surroundings = Surroundings { home: &scene.home, state: &state, others: &[], copied: true };
    let answer = inspect(&scene.home.as_path().join("project"), &surroundings);
    assert!(matches!(answer, Err(GroundError::State { .. })));
}

#[test]
fn workspaces_may_not_lie_in_one_another() {
    let scene = scene();
    let project = scene.home.join("project").unwrap();
    let sub = project.join("sub").unwrap();
    assert!(matches!(
        scene.inspect("project", std::slice::from_ref(&project)),
        Err(GroundError::Nested { .. })
    ));
    assert!(matches!(scene.inspect("project/sub", &[project]), Err(GroundError::Nested { .. })));
    assert!(matches!(scene.inspect("project", &[sub]), Err(GroundError::Nested { .. })));
    assert!(scene.inspect("second", &[scene.home.join("sec").unwrap()]).is_ok());
}

#[test]
fn a_name_that_cannot_be_shown_is_refused() {
    let scene = scene();
    for name in [&b"new\nline"[..], b"\x1b[2J", b"\xff"] {
        let name = OsStr::from_bytes(name);
        fs::create_dir(scene.home.as_path().join(name)).unwrap();
        assert!(matches!(scene.inspect(name, &[]), Err(GroundError::Path(_))));
    }
}

#[test]
fn a_file_system_without_an_entry_in_the_table_carries_no_overlay() {
    for (magic, overlayable) in [(0xef53, true), (0x6969, false), (0x6573_5546, false), (0x1234_5678, false)]
    {
        assert_eq!(FileSystem { magic }.is_overlayable(), overlayable, "{magic:#x}");
    }
    let surroundings = scene();
    let proc = rustix::fs::open("/proc", OFlags::RDONLY, Mode::empty()).unwrap();
    assert!(!FileSystem::of(proc).unwrap().is_overlayable());
    drop(surroundings);
}
