//! The first message of TLS, read for the one name in it.
//!
//! A parser of its own, because what is decided on must be all that was sent: the message may come in many records
//! and segments. It knows nothing of keys, and leaves everything but the names to whoever speaks TLS in the end.

use thiserror::Error;

/// The longest first message, records' headers included; post-quantum key shares are a few thousand bytes.
pub(crate) const HELLO_BYTES_MAX: usize = 32 << 10;

/// The longest plaintext record (RFC 8446, 5.1).
const RECORD_BYTES_MAX: usize = 1 << 14;

const RECORD_HEADER_BYTES: usize = 5;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const EXTENSION_SERVER_NAME: u16 = 0;
const EXTENSION_ENCRYPTED_HELLO: u16 = 0xFE0D;
const EXTENSION_ENCRYPTED_NAME: u16 = 0xFFCE;
const NAME_TYPE_HOST: u8 = 0;

/// What a client says of itself before anything is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hello {
    /// The host that it wants, as it was sent.
    pub(crate) server_name: Option<Vec<u8>>,
    /// Whether it brought an encrypted hello, real or for show: the two can't be told apart.
    pub(crate) encrypted: bool,
}

/// Why the first bytes are no hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum HelloError {
    /// Another kind of record, or a length that TLS does not have.
    #[error("cannot read a TLS record")]
    Record,
    /// Its own lengths contradict each other.
    #[error("cannot read a TLS client hello")]
    Malformed,
    /// One extension twice, or two names in one: which counts is for the reader to choose, so none is taken.
    #[error("cannot tell which server name of a TLS client hello counts")]
    Ambiguous,
    /// Longer than [`HELLO_BYTES_MAX`].
    #[error("cannot read a TLS client hello of more than {HELLO_BYTES_MAX} bytes")]
    TooLong,
}

/// Whether a stream that begins with this byte can be TLS.
pub(crate) fn may_be_tls(first: u8) -> bool {
    first == HANDSHAKE
}

/// The hello at the beginning of `bytes`; `None` while more has to come.
pub(crate) fn read(bytes: &[u8]) -> Result<Option<Hello>, HelloError> {
    let mut message = Vec::new();
    let mut rest = bytes;
    loop {
        if let Some(body) = whole_body(&message)? {
            return hello(body).map(Some);
        }
        let Some((fragment, after)) = record(rest)? else {
            return if bytes.len() >= HELLO_BYTES_MAX { Err(HelloError::TooLong) } else { Ok(None) };
        };
        message.extend_from_slice(fragment);
        rest = after;
    }
}

/// The content of a record, and what follows it.
type Record<'b> = (&'b [u8], &'b [u8]);

/// The first record; `None` while it is not whole.
fn record(bytes: &[u8]) -> Result<Option<Record<'_>>, HelloError> {
    let mut at = Reader(bytes);
    match bytes.first() {
        Some(&HANDSHAKE) | None => {}
        Some(_) => return Err(HelloError::Record),
    }
    match bytes.get(1) {
        Some(3) | None => {}
        Some(_) => return Err(HelloError::Record),
    }
    let Some(_type_and_version) = at.take(RECORD_HEADER_BYTES - 2) else { return Ok(None) };
    let Some(length) = at.u16() else { return Ok(None) };
    let length = usize::from(length);
    if length == 0 || length > RECORD_BYTES_MAX {
        return Err(HelloError::Record);
    }
    Ok(at.take(length).map(|fragment| (fragment, at.0)))
}

/// The body of the handshake message, once all of it is there.
fn whole_body(message: &[u8]) -> Result<Option<&[u8]>, HelloError> {
    match message.first() {
        Some(&CLIENT_HELLO) | None => {}
        Some(_) => return Err(HelloError::Malformed),
    }
    let mut at = Reader(message);
    let (Some(_type), Some(high), Some(low)) = (at.u8(), at.u8(), at.u16()) else { return Ok(None) };
    let length = usize::from(high) << 16 | usize::from(low);
    if length > HELLO_BYTES_MAX {
        return Err(HelloError::TooLong);
    }
    let body = at.take(length);
    // What follows the hello before the server has answered is no part of a handshake that we would continue.
    if body.is_some() && !at.0.is_empty() { Err(HelloError::Malformed) } else { Ok(body) }
}

/// RFC 8446, 4.1.2.
fn hello(body: &[u8]) -> Result<Hello, HelloError> {
    const VERSION_AND_RANDOM_BYTES: usize = 34;
    let mut at = Reader(body);
    let malformed = HelloError::Malformed;
    at.take(VERSION_AND_RANDOM_BYTES).ok_or(malformed)?;
    let _session = at.short_vector().ok_or(malformed)?;
    let _suites = at.vector().ok_or(malformed)?;
    let _compressions = at.short_vector().ok_or(malformed)?;
    let mut found = Hello { server_name: None, encrypted: false };
    if at.0.is_empty() {
        return Ok(found);
    }
    let mut extensions = Reader(at.vector().ok_or(malformed)?);
    if !at.0.is_empty() {
        return Err(malformed);
    }
    while !extensions.0.is_empty() {
        let kind = extensions.u16().ok_or(malformed)?;
        let content = extensions.vector().ok_or(malformed)?;
        match kind {
            EXTENSION_SERVER_NAME if found.server_name.is_some() => return Err(HelloError::Ambiguous),
            EXTENSION_SERVER_NAME => found.server_name = Some(server_name(content)?),
            EXTENSION_ENCRYPTED_HELLO | EXTENSION_ENCRYPTED_NAME => found.encrypted = true,
            _other => {}
        }
    }
    Ok(found)
}

/// RFC 6066, 3: a list, of which only one entry, a host's name, has ever been defined.
fn server_name(content: &[u8]) -> Result<Vec<u8>, HelloError> {
    let mut at = Reader(content);
    let mut list = Reader(at.vector().ok_or(HelloError::Malformed)?);
    let kind = list.u8().ok_or(HelloError::Malformed)?;
    let name = list.vector().ok_or(HelloError::Malformed)?;
    if !at.0.is_empty() || kind != NAME_TYPE_HOST || name.is_empty() {
        return Err(HelloError::Malformed);
    }
    if list.0.is_empty() { Ok(name.to_vec()) } else { Err(HelloError::Ambiguous) }
}

struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    fn u16(&mut self) -> Option<u16> {
        let (&bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u16::from_be_bytes(bytes))
    }

    fn short_vector(&mut self) -> Option<&'b [u8]> {
        let length = self.u8()?;
        self.take(usize::from(length))
    }

    fn vector(&mut self) -> Option<&'b [u8]> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
