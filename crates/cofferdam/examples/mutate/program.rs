//! One mutant as a program: a copy of the built one, in which the choice was overwritten.
//!
//! Other programs write it, as the kernel starts nothing that somebody holds open for writing: a child that is forked
//! meanwhile, by another thread, would.

use crate::mutant::Mutant;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// As `inserted.rs` has it.
const MARK: &[u8] = b"which-mutant-this-is:";
const ROOM_BYTES: usize = 1024;

/// Writes each program, as this mutant, into `directory`; without one, as what leaves nothing out.
pub(crate) fn write_all(built: &BTreeMap<String, PathBuf>, mutant: Option<&Mutant>, directory: &Path) {
    built.iter().for_each(|(name, program)| write(program, mutant, &directory.join(name)));
}

/// Writes `built`, as this mutant, to `to`; without one, as what leaves nothing out.
pub(crate) fn write(built: &Path, mutant: Option<&Mutant>, to: &Path) {
    let place = place(built);
    let text = mutant.map_or_else(String::new, |mutant| mutant.choice.to_string());
    assert!(text.len() <= ROOM_BYTES - MARK.len(), "a choice is too long: {text}");
    let copied = Command::new("cp").args(["--preserve=mode", "--"]).args([built, to]).status().unwrap();
    assert!(copied.success(), "cannot copy {} to {}", built.display(), to.display());
    let mut of = std::ffi::OsString::from("of=");
    of.push(to);
    let seek = format!("seek={place}");
    let mut written = Command::new("dd")
        .args(["conv=notrunc", "oflag=seek_bytes", "status=none", &seek])
        .arg(of)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    written.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(written.wait().unwrap().success(), "cannot write the choice into {}", to.display());
}

/// Where the room for the choice begins in a program, behind the mark.
fn place(built: &Path) -> usize {
    static KNOWN: Mutex<BTreeMap<PathBuf, usize>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(place) = known.get(built) {
        return *place;
    }
    let program = fs::read(built).unwrap();
    // The mark itself stands in the program once more, as the text that the room is made from.
    let place = memchr::memmem::find_iter(&program, MARK).map(|at| at + MARK.len()).find(|at| {
        let room = program.get(*at..at + ROOM_BYTES - MARK.len());
        room.is_some_and(|room| room.iter().all(|&byte| byte == b' '))
    });
    let place = place.unwrap_or_else(|| panic!("{} has no room for a choice", built.display()));
    known.insert(built.to_path_buf(), place);
    place
}
