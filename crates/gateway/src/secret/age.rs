//! Files in the age format, version 1, for one X25519 key (age-encryption.org/v1): what the store of secrets is kept in.
//!
//! Ours because the format is small and its library is not: the primitives are ring's and x25519-dalek's, and the
//! tests read with the `age` program what is written here, and the other way round. No passphrases, no plugins, no
//! armour, no streaming: a store is small.

use super::bech32;
use data_encoding::BASE64_NOPAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::{hkdf, hmac};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

const VERSION_LINE: &str = "age-encryption.org/v1";
const STANZA: &str = "X25519";
const WRAP_INFO: &[u8] = b"age-encryption.org/v1/X25519";
const SECRET_PREFIX: &str = "age-secret-key-";
const KEY_BYTES: usize = 32;
const FILE_KEY_BYTES: usize = 16;
const PAYLOAD_NONCE_BYTES: usize = 16;
const TAG_BYTES: usize = 16;
const CHUNK_BYTES: usize = 64 << 10;
/// How wide the lines of a stanza's body are, in characters; a shorter line ends it.
const BODY_COLUMNS: usize = 64;
/// The longest header that is read, in bytes.
const HEADER_BYTES_MAX: usize = 64 << 10;

/// Why a file can't be read or written. Nothing of its contents is ever in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AgeError {
    /// Not such a file, or a damaged one.
    #[error("it is no file in the age format, or a damaged one")]
    Malformed,
    /// None of its stanzas opens with this key.
    #[error("it is encrypted to another key")]
    OtherKey,
    /// A checksum does not agree.
    #[error("it was changed or damaged: its checksum does not agree")]
    Changed,
    /// The kernel gave no random bytes.
    #[error("the kernel gives no random bytes")]
    NoChance,
    /// A primitive refused what it should never refuse.
    #[error("the cipher failed")]
    Cipher,
}

/// The key that reads: an X25519 scalar.
pub struct Identity {
    scalar: StaticSecret,
    point: PublicKey,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity(…)")
    }
}

impl Identity {
    /// A new one.
    ///
    /// # Errors
    /// [`AgeError::NoChance`].
    pub fn generate() -> Result<Self, AgeError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        fill(bytes.as_mut_slice())?;
        Ok(Self::of(&bytes))
    }

    fn of(bytes: &[u8; KEY_BYTES]) -> Self {
        let scalar = StaticSecret::from(*bytes);
        let point = PublicKey::from(&scalar);
        Self { scalar, point }
    }

    /// Reads `AGE-SECRET-KEY-1…`.
    ///
    /// # Errors
    /// [`AgeError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, AgeError> {
        let bytes = bech32::decode(SECRET_PREFIX, text).ok_or(AgeError::Malformed)?;
        Ok(Self::of(&bytes))
    }

    /// As `age-keygen` writes it.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        let bytes = Zeroizing::new(self.scalar.to_bytes());
        Zeroizing::new(bech32::encode(SECRET_PREFIX, &bytes).to_ascii_uppercase())
    }

    /// The public half, `age1…`, with which everybody can write.
    #[must_use]
    pub fn recipient(&self) -> String {
        bech32::encode("age", self.point.as_bytes()).to_string()
    }
}

/// Encrypts `plain` to an identity's own public half.
///
/// # Errors
/// [`AgeError::NoChance`], [`AgeError::Cipher`].
pub fn encrypt(identity: &Identity, plain: &[u8]) -> Result<Vec<u8>, AgeError> {
    let mut file_key = Zeroizing::new([0; FILE_KEY_BYTES]);
    fill(file_key.as_mut_slice())?;
    // 1. The file key, wrapped by what an ephemeral key shares with the recipient.
    let ephemeral = Identity::generate()?;
    let shared = ephemeral.scalar.diffie_hellman(&identity.point);
    let wrap = wrap_key(shared.as_bytes(), &ephemeral.point, &identity.point)?;
    let mut body = file_key.to_vec();
    seal(&wrap, [0; 12], &mut body)?;
    // 2. The header, and a checksum over it that only the file key's holder can make.
    let share = BASE64_NOPAD.encode(ephemeral.point.as_bytes());
    let header =
        format!("{VERSION_LINE}\n-> {STANZA} {share}\n{}\n---", wrapped(&BASE64_NOPAD.encode(&body)));
    let tag = hmac::sign(&header_key(file_key.as_slice())?, header.as_bytes());
    let mut file = format!("{header} {}\n", BASE64_NOPAD.encode(tag.as_ref())).into_bytes();
    // 3. The payload in chunks, each numbered, the last one marked.
    let mut nonce = [0; PAYLOAD_NONCE_BYTES];
    fill(&mut nonce)?;
    file.extend_from_slice(&nonce);
    let key = payload_key(file_key.as_slice(), &nonce)?;
    let chunks = if plain.is_empty() { vec![plain] } else { plain.chunks(CHUNK_BYTES).collect() };
    let last = chunks.len() - 1;
    for (number, chunk) in chunks.into_iter().enumerate() {
        let mut sealed = Vec::with_capacity(chunk.len() + TAG_BYTES);
        sealed.extend_from_slice(chunk);
        seal(&key, chunk_nonce(number, number == last), &mut sealed)?;
        file.extend_from_slice(&sealed);
    }
    Ok(file)
}

/// Decrypts a file; all of it or nothing.
///
/// # Errors
/// [`AgeError`].
pub fn decrypt(identity: &Identity, file: &[u8]) -> Result<Zeroizing<Vec<u8>>, AgeError> {
    let header = Header::parse(file)?;
    let file_key = header.file_key(identity)?;
    hmac::verify(&header_key(file_key.as_slice())?, header.covered, &header.tag)
        .map_err(|_untold| AgeError::Changed)?;
    let (nonce, payload) =
        header.rest.split_first_chunk::<PAYLOAD_NONCE_BYTES>().ok_or(AgeError::Malformed)?;
    let key = payload_key(file_key.as_slice(), nonce)?;
    let mut plain = Zeroizing::new(Vec::with_capacity(payload.len()));
    let mut chunks = payload.chunks(CHUNK_BYTES + TAG_BYTES).enumerate().peekable();
    while let Some((number, chunk)) = chunks.next() {
        let last = chunks.peek().is_none();
        let mut opened = Zeroizing::new(chunk.to_vec());
        let part = open(&key, chunk_nonce(number, last), &mut opened)?;
        // An empty last chunk is for an empty file alone, or a whole one could be cut off unseen.
        if part.is_empty() && number > 0 {
            return Err(AgeError::Malformed);
        }
        plain.extend_from_slice(part);
    }
    // Without a chunk there was no last one: something was cut off.
    if payload.is_empty() { Err(AgeError::Changed) } else { Ok(plain) }
}

/// What stands before the payload.
struct Header<'f> {
    /// The stanzas for X25519: their share and body.
    stanzas: Vec<([u8; KEY_BYTES], Vec<u8>)>,
    covered: &'f [u8],
    tag: Vec<u8>,
    rest: &'f [u8],
}

impl<'f> Header<'f> {
    fn parse(file: &'f [u8]) -> Result<Self, AgeError> {
        let mut at = 0;
        let mut line = || -> Result<(usize, &'f str), AgeError> {
            let rest = file.get(at..).ok_or(AgeError::Malformed)?;
            let within = rest.get(..rest.len().min(HEADER_BYTES_MAX)).unwrap_or_default();
            let end = within.iter().position(|byte| *byte == b'\n').ok_or(AgeError::Malformed)?;
            let text = within.get(..end).and_then(|line| std::str::from_utf8(line).ok());
            let start = at;
            at += end + 1;
            if at > HEADER_BYTES_MAX {
                Err(AgeError::Malformed)
            } else {
                Ok((start, text.ok_or(AgeError::Malformed)?))
            }
        };
        if line()?.1 != VERSION_LINE {
            return Err(AgeError::Malformed);
        }
        let mut stanzas = Vec::new();
        loop {
            let (start, text) = line()?;
            if let Some(tag) = text.strip_prefix("--- ") {
                let covered = file.get(..start + 3).ok_or(AgeError::Malformed)?;
                let tag = BASE64_NOPAD.decode(tag.as_bytes()).map_err(|_untold| AgeError::Malformed)?;
                let rest = file.get(start + text.len() + 1..).unwrap_or_default();
                return Ok(Self { stanzas, covered, tag, rest });
            }
            let arguments = text.strip_prefix("-> ").ok_or(AgeError::Malformed)?;
            let mut body = String::new();
            loop {
                let part = line()?.1;
                body.push_str(part);
                if part.len() < BODY_COLUMNS {
                    break;
                }
            }
            let Some(share) = arguments.strip_prefix(STANZA).and_then(|rest| rest.strip_prefix(' ')) else {
                continue;
            };
            let decoded =
                |text: &str| BASE64_NOPAD.decode(text.as_bytes()).map_err(|_untold| AgeError::Malformed);
            let share = decoded(share)?.try_into().map_err(|_untold| AgeError::Malformed)?;
            stanzas.push((share, decoded(&body)?));
        }
    }

    fn file_key(&self, identity: &Identity) -> Result<Zeroizing<[u8; FILE_KEY_BYTES]>, AgeError> {
        for (share, body) in &self.stanzas {
            // A longer body could open to keys of several recipients at once.
            if body.len() != FILE_KEY_BYTES + TAG_BYTES {
                return Err(AgeError::Malformed);
            }
            let share = PublicKey::from(*share);
            let shared = identity.scalar.diffie_hellman(&share);
            if !shared.was_contributory() {
                return Err(AgeError::Malformed);
            }
            let wrap = wrap_key(shared.as_bytes(), &share, &identity.point)?;
            let mut body = Zeroizing::new(body.clone());
            if let Ok(key) = open(&wrap, [0; 12], &mut body) {
                let key: [u8; FILE_KEY_BYTES] = key.try_into().map_err(|_untold| AgeError::Malformed)?;
                return Ok(Zeroizing::new(key));
            }
        }
        Err(AgeError::OtherKey)
    }
}

fn wrap_key(shared: &[u8], share: &PublicKey, recipient: &PublicKey) -> Result<LessSafeKey, AgeError> {
    let salt = [share.as_bytes().as_slice(), recipient.as_bytes()].concat();
    cipher(&*derive(shared, &salt, WRAP_INFO)?)
}

fn header_key(file_key: &[u8]) -> Result<hmac::Key, AgeError> {
    Ok(hmac::Key::new(hmac::HMAC_SHA256, derive(file_key, b"", b"header")?.as_slice()))
}

fn payload_key(file_key: &[u8], nonce: &[u8]) -> Result<LessSafeKey, AgeError> {
    cipher(&*derive(file_key, nonce, b"payload")?)
}

fn derive(key: &[u8], salt: &[u8], info: &[u8]) -> Result<Zeroizing<[u8; KEY_BYTES]>, AgeError> {
    let mut out = Zeroizing::new([0; KEY_BYTES]);
    let info = [info];
    let expanded = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(key);
    let filled = expanded.expand(&info, hkdf::HKDF_SHA256).and_then(|okm| okm.fill(out.as_mut_slice()));
    filled.map_err(|_untold| AgeError::Cipher)?;
    Ok(out)
}

fn cipher(key: &[u8; KEY_BYTES]) -> Result<LessSafeKey, AgeError> {
    UnboundKey::new(&CHACHA20_POLY1305, key).map(LessSafeKey::new).map_err(|_untold| AgeError::Cipher)
}

/// Eleven bytes of number, one that says whether it is the last.
fn chunk_nonce(number: usize, last: bool) -> [u8; 12] {
    let shifted = (number as u128) << 8 | u128::from(last);
    let bytes = shifted.to_be_bytes();
    std::array::from_fn(|at| bytes.get(at + 4).copied().unwrap_or_default())
}

fn seal(key: &LessSafeKey, nonce: [u8; 12], bytes: &mut Vec<u8>) -> Result<(), AgeError> {
    let nonce = Nonce::assume_unique_for_key(nonce);
    key.seal_in_place_append_tag(nonce, Aad::empty(), bytes).map_err(|_untold| AgeError::Cipher)
}

fn open<'b>(key: &LessSafeKey, nonce: [u8; 12], bytes: &'b mut [u8]) -> Result<&'b [u8], AgeError> {
    let nonce = Nonce::assume_unique_for_key(nonce);
    key.open_in_place(nonce, Aad::empty(), bytes).map(|plain| &*plain).map_err(|_untold| AgeError::Changed)
}

fn fill(bytes: &mut [u8]) -> Result<(), AgeError> {
    SystemRandom::new().fill(bytes).map_err(|_untold| AgeError::NoChance)
}

/// In lines; the last is shorter than the others, if need be empty.
fn wrapped(text: &str) -> String {
    let mut lines = String::with_capacity(text.len() + 8);
    for (at, character) in text.chars().enumerate() {
        if at > 0 && at % BODY_COLUMNS == 0 {
            lines.push('\n');
        }
        lines.push(character);
    }
    if text.len().is_multiple_of(BODY_COLUMNS) && !text.is_empty() {
        lines.push('\n');
    }
    lines
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
