//! Whatever a repository's pointers say, no directory is mounted for it that is neither its own nor an object store.

use super::*;
use cofferdam_fuzz::{fuzz, parts};
use std::fs;

#[test]
fn no_pointer_brings_a_directory_that_is_not_the_repositorys() {
    fuzz("git_places", target);
}

/// Where the parts of an input go; `@` in them stands for the directory that holds it all.
const FILES: [&str; 7] = [
    "tree/.git",
    "store/worktrees/w/gitdir",
    "store/worktrees/w/commondir",
    "store/objects/info/alternates",
    "store/config",
    "store/HEAD",
    "other/objects/info/alternates",
];

/// Beside the repository: what is none of its business, however much it looks like what it may point to.
const PRIVATE: [&str; 5] = [
    "private/letters",
    "private/pack",
    "private/.git/objects/ab",
    "private/.git/refs",
    "private/near/objects/ab",
];

fn target(input: &[u8]) -> Result<Vec<(Role, Access)>, Option<RefusalReason>> {
    let scene = tempfile::tempdir().unwrap();
    let root = AbsPath::new(fs::canonicalize(scene.path()).unwrap()).unwrap();
    lay_out(&root, parts(input));
    let workspace = root.join("tree").unwrap();
    let places = match find(&workspace, &workspace) {
        Ok(Some(places)) => places,
        Ok(None) => return Ok(Vec::new()),
        Err(PlacesError::Refused { refusal }) => return Err(Some(refusal.reason)),
        Err(PlacesError::Read { .. } | PlacesError::Link { .. }) => return Err(None),
    };
    let private = root.join("private").unwrap();
    assert!(places.outside.len() <= PLACES_MAX && places.refused.len() <= PLACES_MAX);
    for place in &places.outside {
        assert!(place.path.is_within(&root) && !place.path.is_within(&private), "{place:?}");
        assert!(!private.is_within(&place.path) && !workspace.is_within(&place.path), "{place:?}");
    }
    Ok(places.outside.iter().map(|place| (place.role, place.access)).collect())
}

fn lay_out(root: &AbsPath, texts: [&[u8]; FILES.len()]) {
    let at = |below: &str| root.as_path().join(below);
    for directory in
        ["store/refs", "store/objects/pack", "other/objects/ab", "other/objects/pack"].iter().chain(&PRIVATE)
    {
        fs::create_dir_all(at(directory)).unwrap();
    }
    for (file, text) in [
        ("private/letters/one", "dear"),
        ("private/near/objects/one", "dear"),
        ("private/.git/HEAD", "ref: refs/heads/main\n"),
        ("private/.git/config", "[core]\nworktree = ..\n"),
    ] {
        fs::write(at(file), text).unwrap();
    }
    for (file, text) in FILES.iter().zip(texts) {
        let place = at(file);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        let text = String::from_utf8_lossy(text).replace('@', root.as_path().to_str().unwrap());
        if !text.is_empty() {
            fs::write(place, text).unwrap();
        }
    }
}
