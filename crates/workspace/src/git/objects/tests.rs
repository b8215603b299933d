//! Objects as git writes them, and as somebody who means harm would.

use super::super::trial::git;
use super::*;
use miniz_oxide::deflate::compress_to_vec_zlib;
use proptest::prelude::*;
use rustix::fs::{CWD, Mode};
use std::fs;
use std::path::Path;

const BLOB: ObjectKind = ObjectKind::Blob;

fn store(path: &Path) -> OwnedFd {
    rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap()
}

fn objects(format: ObjectFormat, repository: &Path) -> Objects {
    Objects::open(format, vec![store(&repository.join(".git/objects"))]).unwrap()
}

fn id(format: ObjectFormat, printed: &[u8]) -> ObjectId {
    ObjectId::from_hex(format, printed.trim_ascii_end()).unwrap()
}

/// A repository with a long file in many versions, so that packing it makes chains of deltas.
fn repository(format: &str) -> tempfile::TempDir {
    let scene = tempfile::tempdir().unwrap();
    git(scene.path(), &["init", "-q", "--object-format", format], b"");
    let mut text: Vec<String> = (0..3_000).map(|line| format!("line {line} of {}\n", line * 7919)).collect();
    for version in 0..12 {
        text[version * 70] = format!("changed in {version}\n");
        fs::create_dir_all(scene.path().join("a/b")).unwrap();
        fs::write(scene.path().join("a/b/long"), text.concat()).unwrap();
        fs::write(scene.path().join("a.b"), format!("{version}")).unwrap();
        git(scene.path(), &["add", "."], b"");
        git(scene.path(), &["commit", "-qm", &format!("version {version}")], b"");
    }
    scene
}

/// Every object of a repository, by git and by us.
fn compare(format: ObjectFormat, repository: &Path) -> usize {
    let listed = git(repository, &["cat-file", "--batch-all-objects", "--batch-check"], b"");
    let mut ours = objects(format, repository);
    let mut count = 0;
    for line in String::from_utf8(listed).unwrap().lines() {
        let (name, kind) = line.split_once(' ').unwrap();
        let kind = kind.split(' ').next().unwrap();
        let object = ours.read(&id(format, name.as_bytes()), OBJECT_BYTES_MAX).unwrap();
        assert_eq!(object.kind.name(), kind);
        count += 1;
    }
    count
}

#[test]
fn every_object_that_git_wrote_is_read_loose_and_packed_by_either_hash() {
    for (format, name) in [(ObjectFormat::Sha1, "sha1"), (ObjectFormat::Sha256, "sha256")] {
        let scene = repository(name);
        let loose = compare(format, scene.path());
        assert!(loose >= 48, "{loose}");
        let arguments: [&[&str]; 3] = [
            &["-c", "pack.writeReverseIndex=false", "repack", "-adfq", "--depth=45", "--window=50"],
            &["-c", "repack.useDeltaBaseOffset=false", "repack", "-adfq", "--depth=45"],
            &["-c", "pack.indexVersion=1", "repack", "-adfq", "--depth=45"],
        ];
        let usable = if format == ObjectFormat::Sha1 { 3 } else { 2 };
        for arguments in &arguments[..usable] {
            git(scene.path(), arguments, b"");
            assert!(fs::read_dir(scene.path().join(".git/objects")).unwrap().count() <= 2, "all is packed");
            assert_eq!(compare(format, scene.path()), loose, "{name} {arguments:?}");
        }
    }
}

#[test]
fn a_walk_gives_the_files_and_commits_that_git_gives() {
    let scene = repository("sha1");
    git(scene.path(), &["checkout", "-qb", "side", "HEAD~5"], b"");
    fs::write(scene.path().join("a.b0"), "side").unwrap();
    git(scene.path(), &["add", "."], b"");
    git(scene.path(), &["commit", "-qm", "side"], b"");
    git(scene.path(), &["merge", "-q", "-m", "both", "-X", "ours", "master"], b"");
    let mut ours = objects(ObjectFormat::Sha1, scene.path());
    let tip = id(ObjectFormat::Sha1, &git(scene.path(), &["rev-parse", "HEAD"], b""));
    let listed: Vec<String> = ours
        .walk_tree(&tip)
        .unwrap()
        .map(|file| file.unwrap())
        .map(|file| {
            format!("{:06o} blob {}\t{}", file.kind.mode(), file.id, String::from_utf8_lossy(&file.path))
        })
        .collect();
    let expected = String::from_utf8(git(scene.path(), &["ls-tree", "-r", "HEAD"], b"")).unwrap();
    assert_eq!(listed, expected.lines().collect::<Vec<_>>());
    let range = git(scene.path(), &["rev-list", "HEAD", "^HEAD~3"], b"");
    let expected: std::collections::BTreeSet<ObjectId> =
        range.trim_ascii().split(|byte| *byte == b'\n').map(|line| id(ObjectFormat::Sha1, line)).collect();
    let known = git(scene.path(), &["rev-list", "HEAD~3"], b"");
    let known: Vec<ObjectId> =
        known.trim_ascii().split(|byte| *byte == b'\n').map(|line| id(ObjectFormat::Sha1, line)).collect();
    let found = ours.commits_to(&tip, |id| known.contains(id)).unwrap();
    assert_eq!(found.iter().map(|(id, _)| *id).collect::<std::collections::BTreeSet<_>>(), expected);
    for (place, (_, commit)) in found.iter().enumerate() {
        let before: Vec<ObjectId> = found[..place].iter().map(|(id, _)| *id).collect();
        assert!(commit.parents.iter().all(|parent| known.contains(parent) || before.contains(parent)));
    }
    assert_eq!(found.last().unwrap().1.message, b"both\n");
}

#[test]
fn a_tag_names_what_git_says_that_it_names() {
    let scene = repository("sha1");
    git(scene.path(), &["tag", "-a", "v1", "-m", "first"], b"");
    let mut ours = objects(ObjectFormat::Sha1, scene.path());
    let tag = id(ObjectFormat::Sha1, &git(scene.path(), &["rev-parse", "v1"], b""));
    let commit = id(ObjectFormat::Sha1, &git(scene.path(), &["rev-parse", "HEAD"], b""));
    let content = ours.read_kind(&tag, ObjectKind::Tag, 4_096).unwrap();
    let parsed = Tag::parse(ObjectFormat::Sha1, &content).unwrap();
    assert_eq!(parsed, Tag { object: commit, kind: ObjectKind::Commit, name: b"v1".to_vec() });
    assert!(matches!(ours.commit(&tag), Err(ObjectError::OtherKind { .. })));
}

/// A store that holds one loose object under the name of `content`, as `bytes`.
fn planted(content: &[u8], bytes: &[u8]) -> (tempfile::TempDir, ObjectId) {
    let scene = tempfile::tempdir().unwrap();
    let id = ObjectId::of(ObjectFormat::Sha1, BLOB, content).unwrap();
    let name = id.to_string();
    fs::create_dir(scene.path().join(&name[..2])).unwrap();
    fs::write(scene.path().join(&name[..2]).join(&name[2..]), bytes).unwrap();
    (scene, id)
}

fn answer(scene: &tempfile::TempDir, id: &ObjectId) -> Result<Object, ObjectError> {
    Objects::open(ObjectFormat::Sha1, vec![store(scene.path())]).unwrap().read(id, 1 << 20)
}

#[test]
fn a_loose_object_that_lies_about_its_content_its_size_or_its_end_is_refused() {
    let good = compress_to_vec_zlib(b"blob 5\0hello", 6);
    let (scene, id) = planted(b"hello", &good);
    assert_eq!(
        answer(&scene, &id).unwrap(),
        Object { kind: BLOB, content: b"hello".to_vec() },
        "the control"
    );
    let endless = [&[0x78, 0x9c][..], &[0, 0, 0, 0xff, 0xff].repeat(400_000)].concat();
    for (bytes, fault) in [
        (compress_to_vec_zlib(b"blob 5\0jello", 6), Fault::Hash),
        (compress_to_vec_zlib(b"tree 5\0hello", 6), Fault::Hash),
        (compress_to_vec_zlib(b"blob 6\0hello", 6), Fault::Size),
        (compress_to_vec_zlib(b"blob 18446744073709551616\0hello", 6), Fault::Header),
        (compress_to_vec_zlib(b"blob 05\0hello", 6), Fault::Header),
        (compress_to_vec_zlib(b"blob", 6), Fault::Header),
        (good[..good.len() - 1].to_vec(), Fault::Compression),
        (endless, Fault::Compression),
        (Vec::new(), Fault::Compression),
    ] {
        let (scene, id) = planted(b"hello", &bytes);
        let refused = answer(&scene, &id);
        assert!(
            matches!(&refused, Err(ObjectError::Broken { fault: why, .. }) if *why == fault),
            "{refused:?}"
        );
    }
}

#[test]
fn an_object_that_unpacks_to_gigabytes_is_given_up_at_the_limit() {
    let bomb = compress_to_vec_zlib(&[b"blob 33554432\0".as_slice(), &vec![0; 32 << 20]].concat(), 6);
    let (scene, id) = planted(b"hello", &bomb);
    assert!(matches!(answer(&scene, &id), Err(ObjectError::TooLong { .. })));
}

#[test]
fn a_store_that_is_full_of_links_fifos_and_directories_has_no_object() {
    let (scene, id) = planted(b"hello", b"");
    let name = id.to_string();
    let path = scene.path().join(&name[..2]).join(&name[2..]);
    fs::remove_file(&path).unwrap();
    fs::write(scene.path().join("elsewhere"), compress_to_vec_zlib(b"blob 5\0hello", 6)).unwrap();
    std::os::unix::fs::symlink(scene.path().join("elsewhere"), &path).unwrap();
    assert!(matches!(answer(&scene, &id), Err(ObjectError::Missing { .. })), "a link out");
    fs::remove_file(&path).unwrap();
    rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0).unwrap();
    assert!(matches!(answer(&scene, &id), Err(ObjectError::Missing { .. })), "a FIFO does not stop anybody");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(answer(&scene, &id), Err(ObjectError::Missing { .. })), "a directory");
    fs::remove_dir(&path).unwrap();
    assert!(matches!(answer(&scene, &id), Err(ObjectError::Missing { .. })), "nothing");
}

#[test]
fn a_broken_copy_does_not_hide_a_whole_one_in_an_alternate() {
    let (broken, id) = planted(b"hello", b"nothing of the kind");
    let (whole, _) = planted(b"hello", &compress_to_vec_zlib(b"blob 5\0hello", 6));
    let stores = vec![store(broken.path()), store(whole.path())];
    let object = Objects::open(ObjectFormat::Sha1, stores).unwrap().read(&id, 5).unwrap();
    assert_eq!(object.content, b"hello");
}

/// A pack of these entries (head, unpacked data) with its index, in which the entries have these names.
pub(super) fn packed(entries: &[(ObjectId, Vec<u8>, Vec<u8>)]) -> (Vec<u8>, Vec<u8>) {
    let mut pack = b"PACK\0\0\0\x02\0\0\0\0".to_vec();
    let mut places: Vec<(ObjectId, u32)> = Vec::new();
    for (id, head, data) in entries {
        places.push((*id, u32::try_from(pack.len()).unwrap()));
        pack.extend(head);
        pack.extend(compress_to_vec_zlib(data, 6));
    }
    places.sort();
    let mut index = b"\xfftOc\0\0\0\x02".to_vec();
    for first in 0..=u8::MAX {
        let count = places.iter().filter(|(id, _)| id.as_bytes()[0] <= first).count();
        index.extend(u32::try_from(count).unwrap().to_be_bytes());
    }
    places.iter().for_each(|(id, _)| index.extend(id.as_bytes()));
    index.extend(vec![0; 4 * places.len()]);
    places.iter().for_each(|(_, at)| index.extend(at.to_be_bytes()));
    (pack, index)
}

/// The head of an entry of less than 2 KiB.
fn head(code: u8, size: usize) -> Vec<u8> {
    vec![0x80 | code << 4 | u8::try_from(size & 0xf).unwrap(), u8::try_from(size >> 4).unwrap()]
}

fn name(number: u8) -> ObjectId {
    ObjectId::from_bytes(ObjectFormat::Sha1, &[number; 20]).unwrap()
}

fn read_of(entries: &[(ObjectId, Vec<u8>, Vec<u8>)], id: &ObjectId) -> Result<(ObjectKind, Vec<u8>), Broken> {
    let (pack, index) = packed(entries);
    let (pack, index) = (pack.as_slice(), index.as_slice());
    let offset = pack::find(&index, id).unwrap().unwrap();
    pack::read(&pack, &index, ObjectFormat::Sha1, offset, 1 << 20)
}

#[test]
fn a_chain_of_deltas_that_bites_its_tail_ends() {
    let delta = vec![5, 5, 0x90, 5];
    let to = |number| [head(7, 4), name(number).as_bytes().to_vec()].concat();
    let base = (name(1), head(3, 5), b"hello".to_vec());
    let good = [base.clone(), (name(2), to(1), delta.clone())];
    assert_eq!(read_of(&good, &name(2)).unwrap(), (BLOB, b"hello".to_vec()), "the control");
    let circle = [(name(1), to(2), delta.clone()), (name(2), to(1), delta.clone())];
    assert!(matches!(read_of(&circle, &name(1)), Err(Broken::Fault(Fault::ChainTooLong))));
    let itself = [(name(1), to(1), delta.clone())];
    assert!(matches!(read_of(&itself, &name(1)), Err(Broken::Fault(Fault::ChainTooLong))));
    let nowhere = [(name(1), to(9), delta)];
    assert!(matches!(read_of(&nowhere, &name(1)), Err(Broken::Fault(Fault::MissingBase))));
}

#[test]
fn a_delta_that_makes_much_of_little_is_stopped() {
    // 64 KiB, taken again and again: 60 bytes of delta make 60 times as much.
    let base = vec![7_u8; 0x1_0000];
    let many = [&[0x80, 0x80, 4][..], &[0x80, 0x80, 0x80, 2], &[0x80; 64]].concat();
    assert_eq!(delta::apply(&base, &many, 4 << 20).unwrap().len(), 4 << 20, "the control");
    assert!(matches!(delta::apply(&base, &many, (4 << 20) - 1), Err(Broken::TooLong)));
    let more = [&many[..], &[0x80]].concat();
    assert!(matches!(delta::apply(&base, &more, 4 << 20), Err(Broken::Fault(Fault::Delta))));
}

#[test]
fn a_pack_or_an_index_that_was_cut_off_anywhere_gives_errors_only() {
    let delta = vec![5, 5, 0x90, 5];
    let to = [head(7, 4), name(1).as_bytes().to_vec()].concat();
    let entries = [(name(1), head(3, 5), b"hello".to_vec()), (name(2), to, delta)];
    let (pack, index) = packed(&entries);
    let offset = pack::find(&index.as_slice(), &name(2)).unwrap().unwrap();
    for end in 0..index.len() {
        drop(pack::find(&&index[..end], &name(2)));
        drop(pack::read(&pack.as_slice(), &&index[..end], ObjectFormat::Sha1, offset, 99));
    }
    for end in 0..pack.len() {
        let cut = pack::read(&&pack[..end], &index.as_slice(), ObjectFormat::Sha1, offset, 99);
        assert!(cut.is_err(), "{end}");
    }
}

#[test]
fn a_tree_with_a_name_twice_out_of_order_or_leading_elsewhere_is_refused() {
    let entry = |mode: &str, name: &str| [mode.as_bytes(), b" ", name.as_bytes(), &[0], &[7; 20]].concat();
    let parsed = |entries: &[Vec<u8>]| tree::parse(ObjectFormat::Sha1, &entries.concat()).map(|_| ());
    parsed(&[entry("100644", "a.b"), entry("40000", "a"), entry("120000", "a0")]).unwrap();
    for entries in [
        vec![entry("100644", "b"), entry("100644", "a")],
        vec![entry("100644", "a"), entry("100644", "a")],
        vec![entry("100644", "a"), entry("100644", "a.b"), entry("40000", "a")],
        vec![entry("100644", "..")],
        vec![entry("100644", "")],
        vec![entry("100644", "a/b")],
        vec![entry("100600", "a")],
        vec![entry("040000", "a")],
        vec![entry("100644", "a")[..20].to_vec()],
    ] {
        assert_eq!(parsed(&entries), Err(Fault::Tree), "{entries:?}");
    }
}

#[test]
fn a_commit_whose_lines_could_be_read_in_two_ways_is_refused() {
    let hex = "1234567890123456789012345678901234567890";
    let good = format!("tree {hex}\nparent {hex}\nauthor A\ncommitter C\ngpgsig a\n b\n\nmessage\n\nmore");
    let parsed = Commit::parse(ObjectFormat::Sha1, good.as_bytes()).unwrap();
    assert_eq!(parsed.others, [(b"gpgsig".to_vec(), b"a\nb".to_vec())]);
    assert_eq!((parsed.parents.len(), parsed.message.as_slice()), (1, b"message\n\nmore".as_slice()));
    for bad in [
        good.replace("gpgsig a", "tree a"),
        good.replace("gpgsig a", &format!("parent {hex}")),
        good.replace("author A\n", ""),
        good.replace("1234567890", "123456789X"),
        good.replace("author A", "author A\0"),
        good.replacen("tree", " tree", 1),
    ] {
        assert_eq!(Commit::parse(ObjectFormat::Sha1, bad.as_bytes()), Err(Fault::Lines), "{bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn what_was_packed_is_unpacked(piece in proptest::collection::vec(any::<u8>(), 0..400), times in 0..400_usize) {
        let content = piece.repeat(times);
        let packed = compress_to_vec_zlib(&content, 1);
        let length = as_u64(content.len());
        prop_assert!(unpack(&packed.as_slice(), 0, length).unwrap() == content);
        if length > 0 {
            let too_long = matches!(unpack(&packed.as_slice(), 0, length - 1), Err(Broken::TooLong));
            prop_assert!(too_long);
        }
    }
}
