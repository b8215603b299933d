//! Where policies lie, and which are refused.

use super::*;
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

struct Scene {
    _directory: tempfile::TempDir,
    root: PathBuf,
    policies: Policies,
}

fn scene() -> Scene {
    let directory = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(directory.path()).unwrap();
    for name in ["policies", "workspace/sub", "elsewhere"] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    let policies = Policies { directory: root.join("policies"), uid: rustix::process::getuid().as_raw() };
    Scene { _directory: directory, root, policies }
}

impl Scene {
    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.root.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn why(&self, path: &Path, workspaces: &[AbsPath]) -> String {
        let error = self.policies.read(path, workspaces).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Policy);
        assert!(error.what_to_do().is_some());
        let why = error.why();
        assert!(!why.contains('\n') && !error.to_string().contains('\n'), "{why}");
        why
    }
}

fn absolute(path: impl AsRef<Path>) -> AbsPath {
    AbsPath::new(path).unwrap()
}

#[test]
fn a_directory_without_a_policy_has_none_and_one_with_a_policy_has_that() {
    let scene = scene();
    let directory = scene.root.join("workspace");
    assert_eq!(scene.policies.find(&directory).unwrap(), None);
    let place = scene.policies.place(&directory).unwrap();
    fs::write(&place, "tools = [\"cargo\"]").unwrap();
    fs::set_permissions(&place, fs::Permissions::from_mode(0o644)).unwrap();
    let found = scene.policies.find(&directory).unwrap().unwrap();
    assert_eq!((found.path, found.wish.tools), (place, vec!["cargo".to_owned()]));
    assert_eq!(scene.policies.find(&directory.join("sub")).unwrap(), None);
}

#[test]
fn a_policy_in_a_workspace_is_refused_however_it_is_named() {
    let scene = scene();
    scene.file("workspace/sub/p.toml", "");
    let workspaces = [absolute(scene.root.join("workspace"))];
    assert!(scene.why(&scene.root.join("workspace/sub/p.toml"), &workspaces).contains("workspace"));
    symlink("../workspace/sub", scene.root.join("elsewhere/link")).unwrap();
    assert!(scene.why(&scene.root.join("elsewhere/link/p.toml"), &workspaces).contains("workspace"));
    assert!(
        scene.why(&scene.root.join("elsewhere/../workspace/sub/p.toml"), &workspaces).contains("workspace")
    );
    let neighbour = scene.file("elsewhere/p.toml", "");
    assert!(scene.policies.read(&neighbour, &workspaces).is_ok());
}

#[test]
fn a_policy_that_others_can_change_is_refused() {
    let scene = scene();
    let path = scene.file("elsewhere/p.toml", "");
    for mode in [0o620, 0o602, 0o666] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert!(scene.why(&path, &[]).contains("may write it"));
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let foreign = Policies { uid: scene.policies.uid + 1, ..scene.policies.clone() };
    let answer = foreign.read(&path, &[]);
    assert_eq!(
        answer.is_ok(),
        scene.policies.uid == 0,
        "root's files are everybody's to trust, no one else's"
    );
}

#[test]
fn what_is_no_plain_file_is_refused_and_not_waited_for() {
    let scene = scene();
    scene.file("elsewhere/p.toml", "");
    symlink("p.toml", scene.root.join("elsewhere/link.toml")).unwrap();
    assert!(scene.why(&scene.root.join("elsewhere/link.toml"), &[]).contains("symbolic link"));
    assert!(scene.why(&scene.root.join("elsewhere"), &[]).contains("not a regular file"));
    let fifo = scene.root.join("elsewhere/fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, Mode::RUSR, 0).unwrap();
    assert!(scene.why(&fifo, &[]).contains("not a regular file"));
    assert!(scene.why(&scene.root.join("elsewhere/none"), &[]).contains("does not exist"));
}

#[test]
fn an_error_names_the_line_the_column_and_the_key() {
    let scene = scene();
    let path = scene.file("elsewhere/p.toml", "tools = []\n\n  grants = [\"x\"]\n");
    let why = scene.why(&path, &[]);
    assert!(
        why.contains("line 3, column 3") && why.contains("grants") && why.contains("agent-homes"),
        "{why}"
    );
    let path = scene.file("elsewhere/q.toml", "[deny]\nnetwork = true\n");
    let why = scene.why(&path, &[]);
    assert!(why.contains("line 2") && why.contains("network"), "{why}");
    let path = scene.file("elsewhere/r.toml", "tools = [\"a\"\n");
    assert!(scene.why(&path, &[]).contains("line "), "{}", scene.why(&path, &[]));
    let path = scene.file("elsewhere/s.toml", "[limits]\nmemory = \"lots\"\n");
    assert!(scene.why(&path, &[]).contains("memory"));
    let path = scene.file("elsewhere/t.toml", &"#".repeat(WISH_BYTES_MAX + 1));
    assert!(scene.why(&path, &[]).contains("longer than"));
    let path = scene.file("elsewhere/u.toml", "\"\\u001b[2J\\u202e\" = 1\n");
    let why = scene.why(&path, &[]);
    assert!(!why.chars().any(char::is_control) && !why.contains('\u{202e}'), "{why}");
}

#[test]
fn a_long_path_has_a_key_that_fits_a_file_name_and_no_short_one_can_have() {
    let long = absolute(format!("/{}", "d".repeat(250)));
    let key = key(&long);
    assert!(key.starts_with("=sha256-") && key.len() < KEY_BYTES_MAX);
    assert!(super::key(&absolute("/sha256-x")).starts_with('%'));
}

proptest! {
    #[test]
    fn no_two_directories_have_one_key(
        a in "(/[%=a2D35 ]{1,4}){1,4}",
        b in "(/[%=a2D35 ]{1,4}){1,4}",
    ) {
        let (a, b) = (absolute(a), absolute(b));
        prop_assert_eq!(directory_of(&key(&a)), a.as_str());
        prop_assert_eq!(key(&a) == key(&b), a == b);
        prop_assert!(!key(&a).contains('/'));
    }
}
