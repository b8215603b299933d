//! Any bytes as an index: it is not understood, or names what is asked for; and with marks in it, it holds the same names
//! with the same objects, and the marks once.

use super::super::tracked::among_index;
use super::*;
use cofferdam_fuzz::fuzz;

/// A name, the times and the mode, the object, and the flags but for those that marks change.
type Row = (Vec<u8>, Vec<u8>, Vec<u8>, u16);

#[test]
fn a_marked_index_holds_what_it_held_and_its_marks_once() {
    fuzz("git_index", target);
}

fn rows(index: &[u8], hash_bytes: usize) -> Option<Vec<Row>> {
    let mut rows = Vec::new();
    entries(index, hash_bytes, |&Entry { name, stat, id, flags, .. }| {
        rows.push((name.to_vec(), stat.to_vec(), id.to_vec(), flags & !EXTENDED));
    })?;
    Some(rows)
}

fn target(index: &[u8]) -> String {
    let mut told = String::new();
    for hash_bytes in HASHES_BYTES {
        let read = rows(index, hash_bytes);
        let names: BTreeSet<Vec<u8>> = read.iter().flatten().map(|row| row.0.clone()).collect();
        // What is asked for by its name is found, and nothing that is not there.
        if hash_bytes == HASHES_BYTES[0] && read.is_some() {
            let asked = names.iter().cloned().chain([b"not there".to_vec()]).collect();
            let nowhere = names.contains(b"not there".as_slice());
            let found = among_index(index, &asked);
            assert!(found.as_ref().is_none_or(|found| nowhere || *found == names), "{found:?} {names:?}");
        }
        let hidden = names.iter().step_by(2).cloned().chain([b"d".to_vec()]).collect();
        let marked = with_hash(index, hash_bytes, &hidden);
        if let (Some(read), Some(marked)) = (&read, &marked) {
            assert_eq!(rows(marked, hash_bytes).as_ref(), Some(read));
            assert_eq!(with_hash(marked, hash_bytes, &hidden), None, "it is marked already");
        }
        told.push_str(&format!("{:?} {} ", read.map(|read| read.len()), marked.is_some()));
    }
    told
}
