//! Which of some paths git tracks, by its index (gitformat-index(5)): those show as deleted where they are hidden. And
//! as what it tracks them: the blob is an ancestor for a merge, and proves nothing.
//!
//! Versions 2 to 4. Objects, extensions and a shared index are not read, and nothing is written: an index that is not
//! understood tells nothing.

use super::index::{Entry, HASHES_BYTES, STAGE, entries, taken};
use super::objects::{ObjectFormat, ObjectId};
use crate::beneath;
use crate::changes::Moment;
use crate::path::split;
use cofferdam_policy::path::AbsPath;
use std::collections::{BTreeMap, BTreeSet};

/// The longest index that is read, in bytes; one of a million files has about 100 MB.
pub const INDEX_BYTES_MAX: usize = 256 << 20;
/// Where the mode stands among them.
const MODE_AT: usize = 24;

/// Those of `asked` (paths from the work tree's top) that git tracks, or that hold something that it tracks.
#[must_use]
pub fn tracked(git_directory: &AbsPath, asked: &BTreeSet<Vec<u8>>) -> BTreeSet<Vec<u8>> {
    let Some(bytes) = index_of(git_directory) else { return BTreeSet::new() };
    let read = HASHES_BYTES.into_iter().find_map(|hash_bytes| among(&bytes, hash_bytes, asked));
    read.map(|(found, _rest)| found).unwrap_or_default()
}

/// As [`tracked`], from the index itself (empty: none). `None` if it is not understood, or stands in another file too
/// (a split index): then nothing is known.
#[must_use]
pub fn among_index(index: &[u8], asked: &BTreeSet<Vec<u8>>) -> Option<BTreeSet<Vec<u8>>> {
    if index.is_empty() {
        return Some(BTreeSet::new());
    }
    let (found, rest) = HASHES_BYTES.into_iter().find_map(|bytes| among(index, bytes, asked))?;
    is_whole(rest)?.then_some(found)
}

/// Whether no extension says that more stands elsewhere; `None` if they are not understood.
fn is_whole(mut rest: &[u8]) -> Option<bool> {
    // A name of four bytes and a length; the checksum at the end is shorter than what could follow it.
    while let Some((name, after)) = rest.split_first_chunk::<4>() {
        if name == b"link" {
            return Some(false);
        }
        let mut after = after;
        let length = usize::try_from(u32::from_be_bytes(taken(&mut after)?)).ok()?;
        match after.get(length..) {
            Some(beyond) => rest = beyond,
            None => break,
        }
    }
    Some(true)
}

/// What the index holds of one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tracked {
    /// One version of it.
    Blob {
        /// As git writes it.
        mode: u32,
        /// Its content.
        id: ObjectId,
        /// The ctime of the file that it was taken from, or was last seen to be equal to; nothing if git noted none.
        taken: Option<Moment>,
    },
    /// Several, of a merge that is not finished.
    Unmerged,
}

/// As what the index holds each of these paths, as far as it does. `None` if it is not understood, or stands in another
/// file too.
#[must_use]
pub fn blobs(
    index: &[u8],
    format: ObjectFormat,
    asked: &BTreeSet<Vec<u8>>,
) -> Option<BTreeMap<Vec<u8>, Tracked>> {
    let mut found = BTreeMap::new();
    if index.is_empty() {
        return Some(found);
    }
    let rest = entries(index, format.id_bytes(), |&Entry { name, stat, id, flags, .. }| {
        if !asked.contains(name) {
            return;
        }
        let mode = stat.get(MODE_AT..).and_then(<[u8]>::first_chunk).map(|mode| u32::from_be_bytes(*mode));
        let tracked = match (ObjectId::from_bytes(format, id), mode, flags & STAGE) {
            (Some(id), Some(mode), 0) => Tracked::Blob { mode, id, taken: changed(stat) },
            (_, _, _) => Tracked::Unmerged,
        };
        found.insert(name.to_vec(), tracked);
    })?;
    is_whole(rest)?.then_some(found)
}

/// The ctime stands first.
fn changed(mut stat: &[u8]) -> Option<Moment> {
    let seconds = u32::from_be_bytes(taken(&mut stat)?);
    let nanos = u32::from_be_bytes(taken(&mut stat)?);
    (seconds != 0).then_some(Moment { seconds: i64::from(seconds), nanos })
}

/// The index of a git directory; empty if there is none, `None` if it can't be read.
#[must_use]
pub fn index_of(git_directory: &AbsPath) -> Option<Vec<u8>> {
    let directory = crate::ground::open_absolute(git_directory).ok()?;
    beneath::read_small(&directory, b"index", INDEX_BYTES_MAX).ok().map(Option::unwrap_or_default)
}

/// What is asked for and found, and what follows the entries.
type Found<'i> = (BTreeSet<Vec<u8>>, &'i [u8]);

/// `None` if it is no index with names of objects of that length.
fn among<'i>(index: &'i [u8], hash_bytes: usize, asked: &BTreeSet<Vec<u8>>) -> Option<Found<'i>> {
    let mut search = Search::new(asked);
    let rest = entries(index, hash_bytes, |entry| search.look_at(entry.name))?;
    Some((search.found, rest))
}

/// What is asked for, looked for in one name after another. An index holds a directory's names one after another, so
/// that most of them need no search; in another order it only takes longer.
struct Search<'a> {
    asked: &'a BTreeSet<Vec<u8>>,
    /// The directories of what is asked for.
    parents: BTreeSet<&'a [u8]>,
    found: BTreeSet<Vec<u8>>,
    /// Of the last name, with the slash; nothing before the first.
    directory: Option<Vec<u8>>,
    /// Whether something in it is asked for.
    holds_asked: bool,
}

impl<'a> Search<'a> {
    fn new(asked: &'a BTreeSet<Vec<u8>>) -> Self {
        let parents = asked.iter().map(|path| split(path).0).collect();
        Self { asked, parents, found: BTreeSet::new(), directory: None, holds_asked: false }
    }

    fn look_at(&mut self, path: &[u8]) {
        let name = self.directory.as_ref().and_then(|directory| path.strip_prefix(directory.as_slice()));
        if name.is_none_or(|name| name.contains(&b'/')) {
            self.enter(path);
        }
        if self.holds_asked && self.asked.contains(path) {
            self.found.insert(path.to_vec());
        }
    }

    /// Looks for each directory above a path.
    fn enter(&mut self, path: &[u8]) {
        let parent = split(path).0;
        let mut above = parent;
        while !above.is_empty() {
            if self.asked.contains(above) {
                self.found.insert(above.to_vec());
            }
            above = split(above).0;
        }
        self.holds_asked = self.parents.contains(parent);
        let with_slash = parent.len().saturating_add(usize::from(!parent.is_empty()));
        self.directory = path.get(..with_slash).map(<[u8]>::to_vec);
    }
}

#[cfg(test)]
mod tests {
    use super::super::index::STAT_BYTES;
    use super::*;
    use crate::path::is_within;
    use proptest::prelude::*;

    const NAMES: [&[u8]; 4] = [b".env", b"a/.npmrc", b"a/b/deep", b"secrets/key.pem"];

    fn entry(version: u32, hash_bytes: usize, last: &[u8], name: &[u8]) -> Vec<u8> {
        let mut entry = vec![7; STAT_BYTES + hash_bytes];
        entry.extend(u16::try_from(name.len()).unwrap().to_be_bytes());
        if version == 4 {
            let same = last.iter().zip(name).take_while(|(a, b)| a == b).count();
            entry.push(u8::try_from(last.len() - same).unwrap());
            entry.extend(&name[same..]);
            entry.push(0);
        } else {
            entry.extend(name);
            entry.extend(vec![0; 8 - entry.len() % 8]);
        }
        entry
    }

    fn index(version: u32, hash_bytes: usize) -> Vec<u8> {
        let mut index = [b"DIRC".as_slice(), &version.to_be_bytes(), &4_u32.to_be_bytes()].concat();
        let mut last: &[u8] = b"";
        for name in NAMES {
            index.extend(entry(version, hash_bytes, last, name));
            last = name;
        }
        index.extend(b"TREE\0\0\0\0 and a checksum");
        index
    }

    fn paths(paths: &[&[u8]]) -> BTreeSet<Vec<u8>> {
        paths.iter().map(|path| path.to_vec()).collect()
    }

    #[test]
    fn what_is_tracked_is_found_in_every_version_and_with_both_hashes() {
        let asked = paths(&[b".env", b"env", b"secrets", b"a/b/deep/er", b".npmrc"]);
        for version in [2, 3, 4] {
            for (right, wrong) in [(20, 32), (32, 20)] {
                let index = index(version, right);
                let found = among(&index, right, &asked).map(|(found, _)| found);
                assert_eq!(found, Some(paths(&[b".env", b"secrets"])), "{version}");
                assert_eq!(among(&index, wrong, &asked), None, "{version}");
            }
        }
    }

    proptest! {
        /// Whatever the order, and however deep.
        #[test]
        fn a_path_is_found_if_it_or_something_in_it_is_tracked(
            names in prop::collection::vec("[ab.]{1,2}(/[ab.]{1,2}){0,3}", 0..12),
            asked in prop::collection::btree_set("[ab.]{1,2}(/[ab.]{1,2}){0,3}", 0..12),
        ) {
            let asked: BTreeSet<Vec<u8>> = asked.into_iter().map(String::into_bytes).collect();
            let mut index = [b"DIRC".as_slice(), &2_u32.to_be_bytes()].concat();
            index.extend(u32::try_from(names.len()).unwrap().to_be_bytes());
            index.extend(names.iter().flat_map(|name| entry(2, 20, b"", name.as_bytes())));
            let holds = |path: &Vec<u8>| names.iter().any(|name| is_within(name.as_bytes(), path));
            let expected: BTreeSet<Vec<u8>> = asked.iter().filter(|path| holds(path)).cloned().collect();
            prop_assert_eq!(among(&index, 20, &asked).map(|(found, _)| found), Some(expected));
        }
    }

    #[test]
    fn what_is_no_index_or_only_the_half_of_one_tells_nothing() {
        let whole = index(2, 20);
        let asked = paths(&[b".env"]);
        for length in 0..whole.len() - 30 {
            assert_eq!(among(&whole[..length], 20, &asked), None, "{length}");
        }
        for version in [0, 1, 5, u32::MAX] {
            assert_eq!(among(&index(version, 20), 20, &asked), None, "{version}");
        }
        let endless = [b"DIRC".as_slice(), &2_u32.to_be_bytes(), &u32::MAX.to_be_bytes()].concat();
        assert_eq!(among(&endless, 20, &asked), None);
        let mut overflow = [b"DIRC".as_slice(), &4_u32.to_be_bytes(), &1_u32.to_be_bytes()].concat();
        overflow.extend(vec![0; STAT_BYTES + 22]);
        overflow.extend([0xff; 40]);
        assert_eq!(among(&overflow, 20, &asked), None);
    }
}
