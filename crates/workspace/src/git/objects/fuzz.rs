//! Any bytes as a pack with its index, as a delta, and as what an object holds: an error, or something within the
//! limits that is read the same again.

use super::tree::TreeEntry;
use super::*;
use cofferdam_fuzz::{fuzz, parts};

const BYTES_MAX: u64 = 1 << 16;

#[test]
fn an_object_from_any_pack_or_file_is_an_error_or_within_its_limit() {
    fuzz("git_pack", pack);
}

#[test]
fn a_delta_makes_what_it_announces_or_is_refused() {
    fuzz("git_delta", delta);
}

#[test]
fn a_tree_a_commit_and_a_tag_mean_one_thing_or_are_refused() {
    fuzz("git_object", object);
}

/// An index, a pack, and a loose object.
fn pack(input: &[u8]) -> String {
    let [index, pack, file] = parts(input);
    let mut told = String::new();
    for first in [0, 1, 2, 0x7f, 0xff] {
        let id = ObjectId::from_bytes(ObjectFormat::Sha1, &[first; 20]).unwrap();
        told.push_str(&match pack::find(&index, &id) {
            Ok(Some(offset)) => one(pack::read(&pack, &index, ObjectFormat::Sha1, offset, BYTES_MAX)),
            Ok(None) => "none ".to_owned(),
            Err(broken) => kind(&broken),
        });
    }
    // Wherever an index may point to.
    for offset in [0, 12, 13, 20, 24] {
        told.push_str(&one(pack::read(&pack, &index, ObjectFormat::Sha1, offset, BYTES_MAX)));
    }
    told.push_str(&one(loose(&file, BYTES_MAX)));
    told
}

fn one(read: Result<(ObjectKind, Vec<u8>), Broken>) -> String {
    match read {
        Ok((kind, content)) => {
            assert!(as_u64(content.len()) <= BYTES_MAX);
            format!("{} ", kind.name())
        }
        Err(broken) => kind(&broken),
    }
}

fn kind(broken: &Broken) -> String {
    format!("{broken:?} ")
}

fn delta(input: &[u8]) -> String {
    let [base, delta] = parts(input);
    match delta::apply(base, delta, BYTES_MAX) {
        Ok(result) => {
            assert!(as_u64(result.len()) <= BYTES_MAX);
            // A power of two, so that not every length counts as an outcome of its own.
            format!("{:?}", result.len().checked_ilog2())
        }
        Err(broken) => kind(&broken),
    }
}

fn object(input: &[u8]) -> String {
    let format = ObjectFormat::Sha1;
    let mut told = String::new();
    if let Ok(entries) = tree::parse(format, input) {
        let printed = |entry: &TreeEntry<'_>| {
            let mode = format!("{:o} ", entry.kind.mode());
            [mode.as_bytes(), entry.name, &[0], entry.id.as_bytes()].concat()
        };
        let printed: Vec<u8> = entries.iter().flat_map(printed).collect();
        assert_eq!(tree::parse(format, &printed).unwrap(), entries);
        told.push_str(&format!("tree {} ", entries.len()));
    }
    if let Ok(commit) = Commit::parse(format, input) {
        assert!(input.ends_with(&commit.message));
        let words: Vec<&Vec<u8>> = commit.others.iter().map(|(word, _)| word).collect();
        told.push_str(&format!("commit {} {words:?} ", commit.parents.len()));
    }
    if let Ok(tag) = Tag::parse(format, input) {
        told.push_str(&format!("tag {:?} ", tag.kind));
    }
    told
}
