//! What a checkpoint holds and how many are kept; what survives a kill is in `slow_checkpoint_faults`.

use super::*;
use rustix::fs::CWD;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

fn session() -> (tempfile::TempDir, OwnedFd) {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir_all(place.path().join("layer-0/upper/dir")).unwrap();
    fs::create_dir(place.path().join("home")).unwrap();
    let fd = rustix::fs::openat(CWD, place.path(), OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty());
    (place, fd.unwrap())
}

fn taken(checkpoints: &Checkpoints<'_>, why: Why) -> Record {
    let record = checkpoints.copy(why, UnixNanos(1)).unwrap();
    checkpoints.keep(&record).unwrap();
    record
}

#[test]
fn an_id_is_written_in_one_way_only() {
    for wrong in ["", "c", "c0", "c01", "C1", "1", "c-1", "c1 ", "../c1", "c4294967296"] {
        assert_eq!(CheckpointId::parse(wrong), None, "{wrong}");
    }
    assert_eq!(CheckpointId::parse("c12").unwrap().to_string(), "c12");
}

#[test]
fn of_each_sort_the_last_are_kept_and_no_id_comes_twice() {
    let (_place, session) = session();
    let checkpoints = Checkpoints::lock(session.as_fd()).unwrap();
    for why in [Why::ByHand, Why::Regular, Why::Regular, Why::Regular] {
        taken(&checkpoints, why);
    }
    let gone: Vec<String> = checkpoints.thin(1).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(gone, ["c2", "c3"]);
    assert_eq!(taken(&checkpoints, Why::ByHand).id.to_string(), "c5");
    let left: Vec<String> = list(session.as_fd()).unwrap().iter().map(|one| one.id.to_string()).collect();
    assert_eq!(left, ["c1", "c4", "c5"]);
}

#[test]
fn equal_looks_mean_that_nothing_was_changed_and_any_change_shows() {
    let (place, session) = session();
    let checkpoints = Checkpoints::lock(session.as_fd()).unwrap();
    let upper = place.path().join("layer-0/upper");
    let changes: [fn(&Path); 4] = [
        |upper| fs::write(upper.join("dir/f"), "one").unwrap(),
        |upper| fs::write(upper.join("dir/f"), "two").unwrap(),
        |upper| fs::rename(upper.join("dir/f"), upper.join("dir/g")).unwrap(),
        |upper| fs::remove_file(upper.join("dir/g")).unwrap(),
    ];
    for change in changes {
        let before = checkpoints.look().unwrap();
        assert_eq!(before, checkpoints.look().unwrap());
        std::thread::sleep(std::time::Duration::from_millis(10));
        change(&upper);
        assert_ne!(before.fingerprint, checkpoints.look().unwrap().fingerprint);
    }
}

#[test]
fn holes_attributes_and_names_of_any_bytes_are_in_the_copy() {
    let (place, session) = session();
    let upper = place.path().join("layer-0/upper");
    let name = std::ffi::OsStr::from_bytes(b"n\xff\nx");
    let file = fs::File::create(upper.join(name)).unwrap();
    file.set_len(1 << 30).unwrap();
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::fsetxattr(&file, "user.note", b"hello", flags).unwrap();
    rustix::fs::setxattr(upper.join("dir"), "user.overlay.opaque", b"y", flags).unwrap();
    let checkpoints = Checkpoints::lock(session.as_fd()).unwrap();
    taken(&checkpoints, Why::ByHand);
    let copy = place.path().join("checkpoints/c1/layer-0");
    let found = fs::metadata(copy.join(name)).unwrap();
    assert_eq!((found.len(), found.blocks()), (1 << 30, 0));
    let mut value = [0; 8];
    assert_eq!(rustix::fs::getxattr(copy.join(name), "user.note", &mut value).unwrap(), 5);
    assert_eq!(rustix::fs::getxattr(copy.join("dir"), "user.overlay.opaque", &mut value).unwrap(), 1);
}
