//! The format against itself, and against the `age` program, both ways. A missing program is a failure.

use super::*;
use proptest::prelude::*;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

fn age(program: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child =
        child.unwrap_or_else(|error| panic!("{program} does not start, install the package age: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let bytes = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&bytes));
    let outcome = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(outcome.status.success(), "{program}: {}", String::from_utf8_lossy(&outcome.stderr));
    outcome.stdout
}

fn key_file(directory: &Path, identity: &Identity) -> String {
    let path = directory.join("key");
    std::fs::write(&path, format!("{}\n", identity.text().as_str())).unwrap();
    path.to_string_lossy().into_owned()
}

/// Empty, small, and around the ends of chunks.
fn texts() -> Vec<Vec<u8>> {
    let lengths = [0, 1, 500, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES];
    lengths.into_iter().map(|length| (0..=250).cycle().take(length).collect()).collect()
}

#[test]
fn the_age_program_reads_what_is_written_here() {
    let directory = tempfile::tempdir().unwrap();
    let identity = Identity::generate().unwrap();
    let key = key_file(directory.path(), &identity);
    for text in texts() {
        let file = encrypt(&identity, &text).unwrap();
        assert!(age("age", &["--decrypt", "--identity", &key], &file) == text, "{} bytes", text.len());
    }
    // It derives the same public half from the same key.
    let public = age("age-keygen", &["-y", &key], b"");
    assert_eq!(String::from_utf8(public).unwrap().trim(), identity.recipient());
}

#[test]
fn what_the_age_program_writes_is_read_here() {
    let made = String::from_utf8(age("age-keygen", &[], b"")).unwrap();
    let line = made.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).unwrap();
    let identity = Identity::parse(line).unwrap();
    assert_eq!(identity.text().as_str(), line);
    let other = Identity::generate().unwrap();
    for text in texts() {
        // The first stanza is for somebody else.
        let to = [other.recipient(), identity.recipient()];
        let file = age("age", &["--encrypt", "-r", &to[0], "-r", &to[1]], &text);
        assert!(*decrypt(&identity, &file).unwrap() == text, "{} bytes", text.len());
        assert!(*decrypt(&other, &file).unwrap() == text, "{} bytes", text.len());
        assert_eq!(decrypt(&Identity::generate().unwrap(), &file), Err(AgeError::OtherKey));
    }
}

#[test]
fn a_file_that_was_cut_off_or_changed_anywhere_is_not_read() {
    let identity = Identity::generate().unwrap();
    let text = vec![7; CHUNK_BYTES + 100];
    let file = encrypt(&identity, &text).unwrap();
    assert_eq!(*decrypt(&identity, &file).unwrap(), text);
    let header = file.windows(4).position(|window| window == b"--- ").unwrap() + 48;
    for end in (0..header + 40).chain([file.len() - 100 - TAG_BYTES, file.len() - 1]) {
        assert!(decrypt(&identity, &file[..end]).is_err(), "cut at {end}");
    }
    for at in (0..header + 60).chain([file.len() - 1]) {
        let mut changed = file.clone();
        changed[at] ^= 1;
        assert!(decrypt(&identity, &changed).is_err(), "changed at {at}");
    }
    let mut longer = file;
    longer.push(0);
    assert!(decrypt(&identity, &longer).is_err());
}

#[test]
fn a_point_that_shares_nothing_is_refused() {
    let identity = Identity::generate().unwrap();
    let zero = BASE64_NOPAD.encode(&[0; 32]);
    let body = BASE64_NOPAD.encode(&[0; 32]);
    let file = format!("{VERSION_LINE}\n-> X25519 {zero}\n{body}\n--- {zero}\n");
    assert_eq!(decrypt(&identity, file.as_bytes()), Err(AgeError::Malformed));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let identity = Identity::of(&[1; 32]);
        prop_assert!(decrypt(&identity, &bytes).is_err());
        let begun = [VERSION_LINE.as_bytes(), b"\n-> X25519 ", &bytes].concat();
        prop_assert!(decrypt(&identity, &begun).is_err());
    }
}
