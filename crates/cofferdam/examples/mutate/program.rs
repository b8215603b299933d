//! One mutant as a program: a copy of the built one, in which the choice was overwritten.

use crate::mutant::Mutant;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// As `inserted.rs` has it.
const MARK: &[u8] = b"which-mutant-this-is:";
const ROOM_BYTES: usize = 1024;

/// Writes `built`, as this mutant, to `to`; without one, as what leaves nothing out.
pub(crate) fn write(built: &Path, mutant: Option<&Mutant>, to: &Path) {
    let mut program = fs::read(built).unwrap();
    let places: Vec<usize> = memchr::memmem::find_iter(&program, MARK).collect();
    // The mark itself stands in the program once more, as the text that the room is made from.
    let at = places
        .iter()
        .copied()
        .find(|at| program[at + MARK.len()..at + ROOM_BYTES].iter().all(|&b| b == b' '));
    let at = at.unwrap_or_else(|| panic!("{} has no room for a choice", built.display()));
    let text = mutant.map_or_else(String::new, |mutant| mutant.choice.to_string());
    let room = &mut program[at + MARK.len()..at + ROOM_BYTES];
    assert!(text.len() <= room.len(), "a choice is too long: {text}");
    room[..text.len()].copy_from_slice(text.as_bytes());
    fs::write(to, program).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o755)).unwrap();
}
