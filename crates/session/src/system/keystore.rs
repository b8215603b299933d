//! Java's key stores of trusted certificates, in the format that every Java reads (JKS, version 2).
//!
//! A store is made whole from certificates in text; none of the host's is read. It holds no keys, and the password that
//! it is sealed with is the one that the whole world knows: it protects nothing, and is only what programs expect.

use sha1_checked::{Digest as _, Sha1};

const MAGIC: u32 = 0xFEED_FEED;
const VERSION: u32 = 2;
const TRUSTED: u32 = 2;
const KIND: &str = "X.509";
const PASSWORD: &str = "changeit";
/// What the digest is made with, beside the password (sun.security.provider.JavaKeyStore).
const WHITENER: &[u8] = b"Mighty Aphrodite";

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// A store in which every certificate of a text is trusted. What is no certificate in it is left out.
pub(super) fn of_certificates(text: &str) -> Vec<u8> {
    let certificates = certificates(text);
    let mut store = Vec::new();
    number(&mut store, MAGIC);
    number(&mut store, VERSION);
    number(&mut store, u32::try_from(certificates.len()).unwrap_or(u32::MAX));
    for (place, certificate) in certificates.iter().enumerate() {
        number(&mut store, TRUSTED);
        words(&mut store, &format!("cofferdam-{place}"));
        // When it was added, in milliseconds: the store must be the same whenever it is made.
        store.extend([0; 8]);
        words(&mut store, KIND);
        number(&mut store, u32::try_from(certificate.len()).unwrap_or(u32::MAX));
        store.extend(certificate);
    }
    let mut digest = Sha1::new();
    for unit in PASSWORD.encode_utf16() {
        digest.update(unit.to_be_bytes());
    }
    digest.update(WHITENER);
    digest.update(&store);
    store.extend(digest.finalize());
    store
}

fn number(store: &mut Vec<u8>, number: u32) {
    store.extend(number.to_be_bytes());
}

/// Text with its length before it; ASCII here, so that Java's own encoding is no other.
fn words(store: &mut Vec<u8>, text: &str) {
    store.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
    store.extend(text.as_bytes());
}

/// The certificates in a text (RFC 7468), as bytes.
fn certificates(text: &str) -> Vec<Vec<u8>> {
    let blocks = text.split(BEGIN).skip(1).filter_map(|rest| rest.split_once(END));
    blocks.filter_map(|(block, _)| decoded(block)).filter(|certificate| !certificate.is_empty()).collect()
}

/// Base64 (RFC 4648, 4), over several lines; `None` for anything else.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let (mut bits, mut count) = (0_u32, 0_u32);
    let digits = text.trim_end().trim_end_matches('=').bytes().filter(|byte| !byte.is_ascii_whitespace());
    for byte in digits {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xFF).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn text_is_decoded_as_it_was_encoded() {
        for (text, bytes) in [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v\nYmFy\n", "foobar")] {
            assert_eq!(decoded(text), Some(bytes.as_bytes().to_vec()));
        }
        assert_eq!(decoded("Zm9v!"), None);
        let text =
            format!("words\n{BEGIN}\nZm9v\n{END}\n{BEGIN}\n?\n{END}\n{BEGIN}\nZm8=\n{END}\n{BEGIN}\nZg==");
        assert_eq!(certificates(&text), [b"foo".to_vec(), b"fo".to_vec()]);
    }

    /// A certificate of the authority's subject, made by OpenSSL.
    fn certificate(directory: &std::path::Path) -> String {
        let path = directory.join("certificate.pem");
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
            .args(["-keyout", "/dev/null", "-subj", "/CN=Cofferdam cells", "-days", "2", "-out"])
            .arg(&path)
            .output()
            .unwrap_or_else(|error| panic!("this test needs openssl (apt-get install openssl): {error}"));
        assert!(made.status.success(), "{made:?}");
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn openssl_looks_the_authority_up_by_the_hash_that_is_written_down() {
        let directory = tempfile::tempdir().unwrap();
        certificate(directory.path());
        let hash = Command::new("openssl")
            .args(["x509", "-noout", "-subject_hash", "-in"])
            .arg(directory.path().join("certificate.pem"))
            .output()
            .unwrap();
        let hash = String::from_utf8(hash.stdout).unwrap();
        assert_eq!(hash.trim(), cofferdam_policy::presets::network::AUTHORITY_SUBJECT_HASH);
    }

    #[test]
    fn java_reads_the_store_and_finds_its_seal_whole() {
        let directory = tempfile::tempdir().unwrap();
        let text = certificate(directory.path());
        let store = of_certificates(&format!("{text}{text}"));
        let path = directory.path().join("cacerts");
        std::fs::write(&path, &store).unwrap();
        let keytool = |options: &[&str]| {
            let mut command = Command::new("keytool");
            command.args(options).args(["-storepass", PASSWORD, "-keystore"]).arg(&path);
            command.output().unwrap_or_else(|error| {
                panic!("this test needs keytool (apt-get install default-jre-headless): {error}")
            })
        };
        let listed = keytool(&["-list", "-v"]);
        let said = String::from_utf8_lossy(&listed.stdout).into_owned();
        assert!(listed.status.success(), "{said}");
        assert_eq!(said.matches("Owner: CN=Cofferdam cells").count(), 2, "{said}");
        assert_eq!(said.matches("trustedCertEntry").count(), 2, "{said}");
        let mut broken = store;
        let last = broken.len() - 30;
        broken[last] ^= 1;
        std::fs::write(&path, broken).unwrap();
        assert!(!keytool(&["-list"]).status.success(), "a store that was changed");
    }
}
