//! No bytes are taken for a file to a key that they are not encrypted to, and none break the reader.

use super::*;
use cofferdam_fuzz::fuzz;

#[test]
fn no_file_opens_without_its_key() {
    fuzz("age_file", target);
}

fn target(input: &[u8]) -> AgeError {
    decrypt(&Identity::of(&[1; 32]), input).unwrap_err()
}
