//! The store on a disk: what is kept, what is refused, and that nothing is ever written over unread.

use super::*;
use cofferdam_policy::net::secret::Source;
use std::os::unix::fs::PermissionsExt as _;

const VALUE: &[u8] = b"ghp_planted0123456789planted0123456789ab";

struct Scene {
    directory: tempfile::TempDir,
    store: Store,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store =
            Store::at(&SecretStore::of(&directory.path().join("state"), &directory.path().join("config")));
        Self { directory, store }
    }

    fn files(&self) -> Vec<(PathBuf, Vec<u8>, u32)> {
        let mut files = Vec::new();
        let mut waiting = vec![self.directory.path().to_owned()];
        while let Some(path) = waiting.pop() {
            for entry in std::fs::read_dir(path).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    waiting.push(entry.path());
                } else {
                    let mode = entry.metadata().unwrap().permissions().mode() & 0o7777;
                    files.push((entry.path(), std::fs::read(entry.path()).unwrap(), mode));
                }
            }
        }
        files.sort();
        files
    }
}

fn name(text: &str) -> SecretName {
    text.parse().unwrap()
}

pub(crate) fn add(store: &Store, called: &str, bytes: &[u8]) -> Result<(), StoreError> {
    store.change(|contents| {
        let secret = Secret::new(bytes.to_vec()).unwrap();
        let entry = SecretEntry {
            shape: secret.shape().unwrap(),
            source: Source::Prompt,
            added: UnixNanos(1),
            refreshed: UnixNanos(1),
            expires: None,
            revoked: None,
            revoked_in: BTreeMap::new(),
            login: None,
        };
        contents.entries.insert(name(called), entry);
        contents.values.insert(name(called), Value { secret, refresh: None });
        Ok(())
    })
}

#[test]
fn a_value_reads_back_and_lies_nowhere_in_the_open() {
    let scene = Scene::new();
    add(&scene.store, "github", VALUE).unwrap();
    let contents = scene.store.contents().unwrap();
    assert_eq!(contents.values[&name("github")].secret.expose(), VALUE);
    let encoded = BASE64.encode(VALUE);
    for (path, bytes, mode) in scene.files() {
        assert_eq!(mode, 0o600, "{}", path.display());
        for planted in [VALUE, encoded.as_bytes(), &VALUE[4..20]] {
            assert!(!bytes.windows(planted.len()).any(|window| window == planted), "{}", path.display());
        }
    }
    let mode = std::fs::metadata(scene.directory.path().join("state/secrets")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn of_many_at_once_none_is_lost_and_one_key_is_made() {
    let scene = Scene::new();
    let add = |number: usize| {
        let store = scene.store.clone();
        std::thread::spawn(move || add(&store, &format!("secret-{number}"), VALUE))
    };
    let threads: Vec<_> = (0..8).map(add).collect();
    for thread in threads {
        thread.join().unwrap().unwrap();
    }
    assert_eq!(scene.store.contents().unwrap().values.len(), 8);
}

#[test]
fn a_damaged_store_is_refused_and_not_written_over() {
    let scene = Scene::new();
    add(&scene.store, "github", VALUE).unwrap();
    for damaged in ["state/secrets/store.age", "state/secrets/index.json", "config/secrets.key"] {
        let path = scene.directory.path().join(damaged);
        let whole = std::fs::read(&path).unwrap();
        for bytes in [&whole[..whole.len() / 2], b"", b"something else"] {
            std::fs::write(&path, bytes).unwrap();
            let before = scene.files();
            assert!(scene.store.contents().is_err(), "{damaged}");
            assert!(add(&scene.store, "other", VALUE).is_err(), "{damaged}");
            assert_eq!(scene.files(), before, "{damaged}");
        }
        std::fs::write(&path, whole).unwrap();
        scene.store.contents().unwrap();
    }
}

#[test]
fn a_lost_key_is_said_and_no_other_is_made() {
    let scene = Scene::new();
    add(&scene.store, "github", VALUE).unwrap();
    std::fs::remove_file(scene.directory.path().join("config/secrets.key")).unwrap();
    assert!(matches!(add(&scene.store, "other", VALUE), Err(StoreError::NoKey(_))));
    assert!(matches!(scene.store.contents(), Err(StoreError::NoKey(_))));
    assert_eq!(scene.store.entries().unwrap().len(), 1, "the names need no key");
}

#[test]
fn what_others_could_read_or_have_written_is_not_used() {
    let scene = Scene::new();
    add(&scene.store, "github", VALUE).unwrap();
    for path in ["state/secrets/store.age", "state/secrets/index.json", "config/secrets.key"] {
        let path = scene.directory.path().join(path);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(scene.store.contents(), Err(StoreError::File { .. })), "{}", path.display());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let moved = path.with_extension("moved");
        std::fs::rename(&path, &moved).unwrap();
        std::os::unix::fs::symlink(&moved, &path).unwrap();
        assert!(matches!(scene.store.contents(), Err(StoreError::File { .. })), "{}", path.display());
        std::fs::rename(&moved, &path).unwrap();
        scene.store.contents().unwrap();
    }
}

#[test]
fn a_failed_change_writes_nothing_and_a_removed_name_takes_its_value_along() {
    let scene = Scene::new();
    add(&scene.store, "github", VALUE).unwrap();
    let before = scene.files();
    let failed: Result<(), StoreError> = scene.store.change(|contents| {
        contents.entries.clear();
        Err(StoreError::Full)
    });
    assert!(failed.is_err());
    assert_eq!(scene.files(), before);
    let removed: Result<(), StoreError> = scene.store.change(|contents| {
        contents.entries.clear();
        Ok(())
    });
    removed.unwrap();
    assert!(scene.store.contents().unwrap().values.is_empty());
}
