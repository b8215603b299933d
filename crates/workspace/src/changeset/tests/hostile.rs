//! Trees that are made to deceive or to break what reads them (ATTACKS 17, 18).

use super::*;
use rustix::fs::{AtFlags, SeekFrom};
use std::os::unix::ffi::OsStrExt as _;

#[test]
fn devices_fifos_sockets_setid_files_and_outward_links_are_refused() {
    let scene = Scene::new(&[]);
    for (name, kind) in [("fifo", FileType::Fifo), ("socket", FileType::Socket)] {
        rustix::fs::mknodat(CWD, scene.path(&format!("upper/{name}")), kind, Mode::RUSR, 0).unwrap();
    }
    for (name, mode) in [("setuid", 0o4755), ("setgid", 0o2755)] {
        scene.write(&format!("upper/{name}"), "x");
        scene.chmod(&format!("upper/{name}"), mode);
    }
    symlink("/etc/passwd", scene.path("upper/absolute")).unwrap();
    symlink("../up", scene.path("upper/outward")).unwrap();
    symlink("setuid", scene.path("upper/inward")).unwrap();
    for (name, refused) in [
        ("fifo", Some(Refusal::Fifo)),
        ("socket", Some(Refusal::Socket)),
        ("setuid", Some(Refusal::SetId)),
        ("setgid", Some(Refusal::SetId)),
        ("absolute", Some(Refusal::AbsoluteLink)),
        ("outward", Some(Refusal::OutwardLink)),
        ("inward", None),
    ] {
        assert_eq!(scene.entry(name).refused, refused, "{name}");
    }
}

#[test]
fn git_directories_made_elsewhere_are_refused_by_whatever_name() {
    let scene = Scene::new(&[("mine/.git/HEAD", "x"), ("mine/.git/hooks/old", "x"), ("gone/.git/HEAD", "x")]);
    scene.write("upper/new/.git/config", "[core] fsmonitor = evil\n");
    scene.write("upper/pointer/.git", "gitdir: ../elsewhere\n");
    scene.write("upper/capital/.GIT", "gitdir: ../elsewhere\n");
    scene.write("upper/bare/HEAD", "ref: refs/heads/x\n");
    scene.write("upper/bare/config", "[core] bare = true\n");
    ["objects", "refs"].iter().for_each(|name| fs::create_dir(scene.path("upper/bare").join(name)).unwrap());
    scene.write("upper/mine/.git/hooks/post-checkout", "evil");
    scene.whiteout("upper/gone");
    let set = scene.read();
    let refused: Vec<String> = set
        .entries
        .iter()
        .filter(|entry| entry.refused == Some(Refusal::GitDirectory))
        .map(|entry| entry.path.to_string())
        .collect();
    assert_eq!(refused, ["bare", "capital/.GIT", "gone", "gone/.git", "new/.git", "pointer/.git"]);
    assert!(set.entries.iter().all(|entry| !entry.path.is_within(b"bare/config")));
    assert_eq!((set.git.count, set.git.paths[0].to_string()), (1, "mine/.git/hooks/post-checkout".into()));
}

#[test]
fn what_lies_in_a_directory_that_resembles_gits_stays_out_with_it_and_of_the_digest() {
    let scene = Scene::new(&[]);
    let nothing = scene.read().digest;
    for name in [".GIT", "a/git~1", "b/.g\u{200c}it", "c/.git..", "d/.git::$INDEX_ALLOCATION"] {
        scene.write(&format!("upper/{name}/hooks/post-checkout"), "evil");
    }
    let set = scene.read();
    let refused = set.entries.iter().filter(|entry| entry.refused == Some(Refusal::GitDirectory)).count();
    assert_eq!((refused, set.entries.len()), (15, 15 + 4), "{set:#?}");
    ["a", "b", "c", "d"].iter().for_each(|name| fs::remove_dir_all(scene.path("upper").join(name)).unwrap());
    assert_eq!(scene.read().digest, nothing);
}

#[test]
fn a_masked_path_is_refused_and_a_directory_that_holds_one_stays() {
    let scene = Scene::new(&[("d/.env", "SECRET=1"), ("d/x", "x")]);
    scene.write("upper/.env", "planted");
    scene.whiteout("upper/d");
    assert_eq!(scene.entry(".env").refused, Some(Refusal::Masked));
    let set = scene.read();
    assert_eq!(scene.entry("d").refused, Some(Refusal::Masked));
    assert!(set.entries.iter().all(|entry| entry.path.as_bytes() != b"d/.env"), "its name is not shown");
    assert_eq!(scene.entry("d/x").refused, None);
}

#[test]
fn names_of_any_bytes_and_case_collisions_are_entries_of_their_own() {
    let scene = Scene::new(&[("File", "x")]);
    let names: [&[u8]; 5] = [b"file", b"a\nb", b"\xff\xfe", "x\u{202e}y".as_bytes(), b"-rf"];
    for name in names {
        fs::write(scene.path("upper").join(std::ffi::OsStr::from_bytes(name)), "x").unwrap();
    }
    let set = scene.read();
    let mut expected: Vec<&[u8]> = names.to_vec();
    expected.sort_unstable();
    assert_eq!(set.entries.iter().map(|entry| entry.path.as_bytes()).collect::<Vec<_>>(), expected);
    let text = serde_json::to_string(&set).unwrap();
    assert_eq!(serde_json::from_str::<ChangeSet>(&text).unwrap(), set);
}

#[test]
fn a_sparse_file_is_staged_with_its_holes_and_one_too_big_is_refused() {
    let scene = Scene::new(&[]);
    scene.write("upper/sparse", "");
    let file = fs::OpenOptions::new().write(true).open(scene.path("upper/sparse")).unwrap();
    file.set_len(64 << 20).unwrap();
    rustix::io::pwrite(&file, b"end", (64 << 20) - 3).unwrap();
    scene.write("upper/huge", "");
    fs::OpenOptions::new().write(true).open(scene.path("upper/huge")).unwrap().set_len(1 << 40).unwrap();
    assert_eq!(scene.entry("huge").refused, Some(Refusal::TooBig));
    let entry = scene.entry("sparse");
    let staged = fs::File::open(scene.path("stage").join(entry.content.unwrap().to_string())).unwrap();
    assert_eq!(rustix::fs::fstat(&staged).unwrap().st_size, 64 << 20);
    assert!(rustix::fs::seek(&staged, SeekFrom::Data(0)).unwrap() > 0, "it begins with a hole");
    assert!(entry.binary);
}

#[test]
fn deep_trees_hard_links_whiteouts_and_opaque_directories_are_read() {
    let scene = Scene::new(&[("opaque/gone", "x"), ("opaque/sub/gone", "x"), ("dir/below", "x")]);
    fs::create_dir_all(scene.path("upper/opaque")).unwrap();
    scene.mark("upper/opaque", "user.overlay.opaque");
    scene.write("upper/dir", "a file now");
    scene.write("upper/one", "linked");
    fs::hard_link(scene.path("upper/one"), scene.path("upper/two")).unwrap();
    let set = scene.read();
    let expected = [
        ("dir", Change::Type),
        ("dir/below", Change::Deleted),
        ("one", Change::Added),
        ("opaque/gone", Change::Deleted),
        ("opaque/sub", Change::Deleted),
        ("opaque/sub/gone", Change::Deleted),
        ("two", Change::Added),
    ];
    assert_eq!(paths(&set), expected.map(|(path, change)| (path.to_owned(), change)));
    // Deeper than a workspace path can be: counted, and said.
    let mut at = open(&scene.path("upper"));
    for _ in 0..100 {
        rustix::fs::mkdirat(&at, "d".repeat(200), Mode::RWXU).unwrap();
        at = rustix::fs::openat(&at, "d".repeat(200), OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
    let set = scene.read();
    assert!(set.unnamed > 0 && set.entries.len() > 80);
    rustix::fs::statat(&at, ".", AtFlags::empty()).unwrap();
    drop(at);
    discard::remove(open(scene.directory.path()).as_fd(), b"upper").unwrap();
}

#[test]
fn a_store_through_a_mapping_after_the_staging_changes_neither_stage_nor_digest() {
    let scene = Scene::new(&[]);
    let content = vec![b'a'; 1 << 20];
    scene.write("upper/mapped", &content);
    let set = scene.read();
    // As a store through a mapping does it: other bytes, and the same times.
    let times = fs::metadata(scene.path("upper/mapped")).unwrap();
    let file = fs::OpenOptions::new().write(true).open(scene.path("upper/mapped")).unwrap();
    rustix::io::pwrite(&file, b"evil", 0).unwrap();
    file.set_times(fs::FileTimes::new().set_modified(times.modified().unwrap())).unwrap();
    let name = set.entries[0].content.unwrap();
    let staged = scene.staged(&set.entries[0]);
    assert!(staged == content && Digest::of(&staged) == name, "the stage shares nothing with the layer");
    assert_ne!(scene.read().digest, set.digest, "it is seen the next time, whatever its times say");
}

#[test]
fn what_the_agent_made_unreadable_asks_for_privilege() {
    if rustix::process::getuid().is_root() {
        return;
    }
    let scene = Scene::new(&[]);
    scene.write("upper/locked", "x");
    scene.chmod("upper/locked", 0);
    let read = scene.try_read();
    assert!(matches!(read, Err(ChangeSetError::Read(ChangeError::NeedsPrivilege { .. }))), "{read:?}");
}

#[test]
fn a_repository_whose_objects_lie_elsewhere_or_come_by_and_by_is_refused_too() {
    let scene = Scene::new(&[
        ("later/objects/x", "x"),
        ("later/refs/x", "x"),
        ("kept/objects/x", "x"),
        ("kept/refs/x", "x"),
    ]);
    // Git follows `commondir` to the configuration, and runs what `core.fsmonitor` says there.
    scene.write("upper/linked/HEAD", "ref: refs/heads/x\n");
    scene.write("upper/linked/commondir", "../common\n");
    scene.write("upper/common/config", "[core] fsmonitor = evil\n");
    scene.write("upper/later/HEAD", "ref: refs/heads/x\n");
    // A person may take what is new here and leave what goes.
    scene.write("upper/kept/HEAD", "ref: refs/heads/x\n");
    scene.whiteout("upper/kept/objects");
    scene.write("upper/plain/HEAD", "x");
    let set = scene.read();
    let refused = set.entries.iter().filter(|entry| entry.refused == Some(Refusal::GitDirectory));
    let refused: Vec<String> = refused.map(|entry| entry.path.to_string()).collect();
    assert_eq!(refused, ["kept", "later", "linked"]);
    assert!(
        set.entries.iter().any(|entry| entry.path.as_bytes() == b"plain/HEAD" && entry.refused.is_none())
    );
}

#[test]
fn forty_thousand_entries_are_read_each_once_and_a_directory_of_them_goes() {
    const DIRECTORIES: usize = 40;
    const FILES: usize = 1_000;
    let scene = Scene::new(&[]);
    for directory in 0..DIRECTORIES {
        // The last one is the owner's, and deleted.
        let top = if directory + 1 == DIRECTORIES { "lower" } else { "upper" };
        let directory = scene.path(&format!("{top}/d{directory:02}"));
        fs::create_dir(&directory).unwrap();
        for file in 0..FILES {
            let path = directory.join(format!("f{file:03}"));
            rustix::fs::mknodat(CWD, path, FileType::RegularFile, Mode::RUSR, 0).unwrap();
        }
    }
    scene.whiteout("upper/d39");
    let set = scene.read();
    assert_eq!(set.entries.len(), DIRECTORIES * (FILES + 1));
    assert!(set.entries.is_sorted_by(|a, b| a.path < b.path), "each once");
    let deleted = set.entries.iter().filter(|entry| entry.change == Change::Deleted).count();
    assert_eq!(deleted, FILES + 1);
}
