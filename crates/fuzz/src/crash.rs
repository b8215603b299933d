//! Keeps the input that broke a target as a file, so that it is found again after the run.
//!
//! Only where `COFFERDAM_FUZZ_CRASHES` names a directory, as `make fuzz` does; a test leaves nothing behind.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;

/// The variable that names the directory.
const DIRECTORY: &str = "COFFERDAM_FUZZ_CRASHES";

/// Writes `input` down; the words that say where, or why not.
pub(crate) fn kept(name: &str, input: &[u8]) -> String {
    match std::env::var_os(DIRECTORY) {
        Some(directory) => kept_in(Path::new(&directory), name, input),
        None => String::new(),
    }
}

/// One file an input, by its content: the same crash found twice is one file.
fn kept_in(directory: &Path, name: &str, input: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    input.hash(&mut hasher);
    let path = directory.join(format!("{name}-{:016x}", hasher.finish()));
    match std::fs::create_dir_all(directory).and_then(|()| std::fs::write(&path, input)) {
        Ok(()) => format!(" (they lie in {})", path.display()),
        Err(error) => format!(" (they cannot be kept in {}: {error})", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_broke_a_target_is_kept_byte_for_byte() {
        let directory = std::env::temp_dir().join(format!("cofferdam-fuzz-{}", std::process::id()));
        let told = kept_in(&directory, "harness", b"\0\xff\n");
        let files: Vec<_> =
            std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        let bytes = std::fs::read(files.first().unwrap()).unwrap();
        std::fs::remove_dir_all(&directory).unwrap();
        assert_eq!(bytes, b"\0\xff\n");
        assert!(told.contains(&files.first().unwrap().display().to_string()), "{told}");
        assert_eq!(files.len(), 1);
    }
}
