//! Any text as the note of what was put: refused, or it means one thing, and nothing that lies there by chance is taken for
//! ours.

use super::*;
use cofferdam_fuzz::fuzz;
use rustix::fs::{AtFlags, CWD, StatxFlags};

#[test]
fn a_note_of_what_was_put_is_refused_or_means_one_thing() {
    fuzz("put_note", target);
}

fn target(input: &[u8]) -> Option<(usize, usize)> {
    let put: Put = serde_json::from_slice(input).ok()?;
    let text = serde_json::to_vec(&put).unwrap();
    assert_eq!(serde_json::from_slice::<Put>(&text).unwrap(), put);
    let stat = rustix::fs::statx(CWD, "/", AtFlags::empty(), StatxFlags::BASIC_STATS).unwrap();
    for path in put.entries.keys() {
        assert!(WorkspacePath::new(path.as_bytes()).is_ok(), "{path}");
        let noted = put.known(path.as_bytes(), &stat);
        assert!(noted.is_none_or(|seen| seen.is(&stat)), "{noted:?}");
    }
    Some((put.entries.len(), put.quiet.len()))
}
