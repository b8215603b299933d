//! What HTTP/1 from a cell must look like before anything else reads it: stricter than RFC 9112 asks of a server.
//!
//! Where two readers could see different requests in the same bytes, there is no request: a length twice or beside
//! `Transfer-Encoding`, line ends and folds that some take and some don't, chunk extensions. It follows the stream
//! from message to message and says yes or no. It changes no byte and judges no host and no path.

use thiserror::Error;

/// The longest request line and fields together.
pub(crate) const HEAD_BYTES_MAX: usize = 64 << 10;

/// The most fields of one request, and of its trailers.
pub(crate) const FIELDS_MAX: usize = 100;
/// The longest method: twice as long as any that is registered, and short in what is said of it.
pub(crate) const METHOD_BYTES_MAX: usize = 32;

/// Room that is kept from one head to the next.
const KEPT_BYTES_MAX: usize = 4 << 10;

/// Digits of the longest chunk size, and of the longest length: beyond them a `u64` could overflow somewhere.
const CHUNK_DIGITS_MAX: usize = 15;
const LENGTH_DIGITS_MAX: usize = 18;

/// Why bytes are no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum HeadError {
    /// A line feed without a carriage return, or the other way round.
    #[error("cannot read a line that does not end with CR LF")]
    LineEnd,
    /// NUL, another control character, or a byte beyond ASCII where there is none.
    #[error("cannot read a request with control characters")]
    Control,
    /// Method, target and version, each one space apart.
    #[error("cannot read the request line")]
    RequestLine,
    /// A name that is no token, a space before the colon, a folded line.
    #[error("cannot read a field of the request")]
    Field,
    /// More than [`HEAD_BYTES_MAX`] bytes or [`FIELDS_MAX`] fields.
    #[error("cannot take a request head of more than {HEAD_BYTES_MAX} bytes or {FIELDS_MAX} fields")]
    TooLong,
    /// `Content-Length` that is no number, or there twice.
    #[error("cannot tell the length of the request")]
    Length,
    /// `Transfer-Encoding` other than `chunked`, twice, or with HTTP/1.0.
    #[error("cannot read the transfer encoding of the request")]
    Encoding,
    /// Both of the above.
    #[error("cannot tell whether the length or the transfer encoding counts")]
    Framing,
    /// `Host` is not there, or there twice.
    #[error("cannot tell the host of the request")]
    Host,
    /// An expectation other than `100-continue`.
    #[error("cannot meet the expectation of the request")]
    Expectation,
    /// A chunk's size that is no number, with an extension, or without its line end.
    #[error("cannot read a chunk of the request")]
    Chunk,
    /// A trailer that would count as a field of the head.
    #[error("cannot take a trailer that belongs into the head")]
    Trailer,
    /// A body with a request that asks for another protocol.
    #[error("cannot change protocols with a body under way")]
    Upgrade,
}

/// Follows the requests of one connection.
#[derive(Debug)]
pub(crate) struct Requests {
    state: State,
    /// What has come of the present head, chunk size or trailers.
    gathered: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    Body(u64),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailers,
    /// After `CONNECT` or for WebSocket: no HTTP any more, and the connection's last request.
    Opaque,
}

/// How the bytes after a head are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
    Opaque,
}

impl Requests {
    pub(crate) fn new() -> Self {
        Self { state: State::Head, gathered: Vec::new() }
    }

    /// Takes the next bytes of the stream, all of which may go on iff it is `Ok`.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Result<(), HeadError> {
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Opaque => return Ok(()),
                State::Head => self.head(bytes)?,
                State::Trailers => self.trailers(bytes)?,
                State::ChunkSize => self.chunk_size(bytes)?,
                State::ChunkEnd => self.chunk_end(bytes)?,
                State::Body(left) => self.skip(left, bytes, State::Body, State::Head),
                State::ChunkData(left) => self.skip(left, bytes, State::ChunkData, State::ChunkEnd),
            };
        }
        Ok(())
    }

    /// Whether a head is begun and not whole.
    pub(crate) fn is_in_a_head(&self) -> bool {
        self.state == State::Head && !self.gathered.is_empty()
    }

    /// How much of a head or of trailers has come that are not whole; `None` where bytes are not gathered.
    pub(crate) fn gathered(&self) -> Option<usize> {
        match self.state {
            State::Head | State::Trailers => Some(self.gathered.len()),
            State::Body(_) | State::ChunkSize | State::ChunkData(_) | State::ChunkEnd | State::Opaque => None,
        }
    }

    /// Whether all that has come are whole requests.
    pub(crate) fn is_between_requests(&self) -> bool {
        self.state == State::Head && self.gathered.is_empty()
    }

    /// Gives up the room that the last head took.
    pub(crate) fn rest(&mut self) {
        if self.is_between_requests() {
            self.gathered = Vec::new();
        }
    }

    /// Keeps the room that most heads need, and not what a long one took.
    fn forget(&mut self) {
        self.gathered.clear();
        self.gathered.shrink_to(KEPT_BYTES_MAX);
    }

    fn skip<'b>(&mut self, left: u64, bytes: &'b [u8], more: fn(u64) -> State, then: State) -> &'b [u8] {
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left.saturating_sub(u64::try_from(here).unwrap_or(u64::MAX));
        self.state = if left == 0 { then } else { more(left) };
        bytes.get(here..).unwrap_or_default()
    }

    fn head<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], HeadError> {
        let (end, rest) = self.gather(bytes, b"\r\n\r\n")?;
        if end {
            let framing = framing(&self.gathered)?;
            self.forget();
            self.state = match framing {
                Framing::Length(0) => State::Head,
                Framing::Length(length) => State::Body(length),
                Framing::Chunked => State::ChunkSize,
                Framing::Opaque => State::Opaque,
            };
        }
        Ok(rest)
    }

    fn chunk_size<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], HeadError> {
        let (end, rest) = self.gather(bytes, b"\r\n")?;
        let digits = if end { self.gathered.strip_suffix(b"\r\n") } else { Some(&*self.gathered) };
        let digits = digits.unwrap_or_default();
        let digits = if end { digits } else { digits.strip_suffix(b"\r").unwrap_or(digits) };
        if digits.len() > CHUNK_DIGITS_MAX || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(HeadError::Chunk);
        }
        if end {
            let text = std::str::from_utf8(digits).ok().ok_or(HeadError::Chunk)?;
            let size = u64::from_str_radix(text, 16).ok().ok_or(HeadError::Chunk)?;
            self.gathered.clear();
            self.state = if size == 0 { State::Trailers } else { State::ChunkData(size) };
        }
        Ok(rest)
    }

    fn chunk_end<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], HeadError> {
        let (end, rest) = self.gather(bytes, b"\r\n")?;
        if !b"\r\n".starts_with(&self.gathered) {
            return Err(HeadError::Chunk);
        }
        if end {
            self.gathered.clear();
            self.state = State::ChunkSize;
        }
        Ok(rest)
    }

    fn trailers<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], HeadError> {
        // Without trailers there is an empty line at once.
        let empty = self.gathered.is_empty() || self.gathered == b"\r";
        let end: &[u8] =
            if empty && b"\r\n".starts_with(&self.gathered) && begins_empty(&self.gathered, bytes) {
                b"\r\n"
            } else {
                b"\r\n\r\n"
            };
        let (end, rest) = self.gather(bytes, end)?;
        if end {
            let lines = Lines::of(&self.gathered);
            for (count, line) in lines.enumerate() {
                let (name, _) = field(line)?;
                if count >= FIELDS_MAX {
                    return Err(HeadError::TooLong);
                }
                if belongs_into_a_head(name) {
                    return Err(HeadError::Trailer);
                }
            }
            self.forget();
            self.state = State::Head;
        }
        Ok(rest)
    }

    /// Gathers up to and with `end`, which must not be before the first bytes that are new; whether it has come.
    fn gather<'b>(&mut self, bytes: &'b [u8], end: &[u8]) -> Result<(bool, &'b [u8]), HeadError> {
        for (at, &byte) in bytes.iter().enumerate() {
            let after_return = self.gathered.last() == Some(&b'\r');
            match byte {
                b'\n' if after_return => {}
                _ if after_return => return Err(HeadError::LineEnd),
                b'\n' => return Err(HeadError::LineEnd),
                b'\r' | b'\t' | 0x20..=0x7E | 0x80..=0xFF => {}
                0..0x20 | 0x7F => return Err(HeadError::Control),
            }
            if self.gathered.len() >= HEAD_BYTES_MAX {
                return Err(HeadError::TooLong);
            }
            self.gathered.push(byte);
            if byte == b'\n' && self.gathered.ends_with(end) {
                return Ok((true, bytes.get(at + 1..).unwrap_or_default()));
            }
        }
        Ok((false, &[]))
    }
}

/// Whether what was gathered and what follows begin with an empty line, or may.
fn begins_empty(gathered: &[u8], bytes: &[u8]) -> bool {
    match (gathered, bytes) {
        ([], [first, ..]) => *first == b'\r',
        ([b'\r'], [first, ..]) => *first == b'\n',
        (_, _) => false,
    }
}

/// Lines of a text that ends with CR LF CR LF, or is CR LF alone, without their ends.
struct Lines<'t>(&'t [u8]);

impl<'t> Lines<'t> {
    fn of(text: &'t [u8]) -> Self {
        Self(text.strip_suffix(b"\r\n").unwrap_or_default())
    }
}

impl<'t> Iterator for Lines<'t> {
    type Item = &'t [u8];

    fn next(&mut self) -> Option<&'t [u8]> {
        let end = self.0.iter().position(|byte| *byte == b'\n')?;
        let (line, rest) = self.0.split_at_checked(end + 1)?;
        self.0 = rest;
        Some(line.strip_suffix(b"\r\n").unwrap_or(line))
    }
}

/// Checks a whole head and says how its body is framed.
fn framing(head: &[u8]) -> Result<Framing, HeadError> {
    let mut lines = Lines::of(head);
    let request = request_line(lines.next().unwrap_or_default())?;
    let (mut length, mut chunked, mut hosts, mut websocket) = (None, false, 0_usize, false);
    for (count, line) in lines.enumerate() {
        if count >= FIELDS_MAX {
            return Err(HeadError::TooLong);
        }
        let (name, value) = field(line)?;
        if name.eq_ignore_ascii_case(b"content-length") {
            if length.replace(content_length(value)?).is_some() {
                return Err(HeadError::Length);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if chunked || request.is_old || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(HeadError::Encoding);
            }
            chunked = true;
        } else if name.eq_ignore_ascii_case(b"host") {
            hosts += 1;
        } else if name.eq_ignore_ascii_case(b"expect") && !value.eq_ignore_ascii_case(b"100-continue") {
            return Err(HeadError::Expectation);
        } else if name.eq_ignore_ascii_case(b"upgrade") && value.eq_ignore_ascii_case(b"websocket") {
            websocket = true;
        }
    }
    if hosts > 1 || (hosts == 0 && !request.is_old) {
        return Err(HeadError::Host);
    }
    match (length, chunked, websocket || request.is_connect) {
        (Some(_), true, _) => Err(HeadError::Framing),
        (Some(1..), false, true) | (None, true, true) => Err(HeadError::Upgrade),
        (None | Some(0), false, true) => Ok(Framing::Opaque),
        (None, true, false) => Ok(Framing::Chunked),
        (length, false, false) => Ok(Framing::Length(length.unwrap_or(0))),
    }
}

struct RequestLine {
    is_connect: bool,
    is_old: bool,
}

fn request_line(line: &[u8]) -> Result<RequestLine, HeadError> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(HeadError::RequestLine);
    };
    let visible = !target.is_empty() && target.iter().all(u8::is_ascii_graphic);
    if !is_token(method) || method.len() > METHOD_BYTES_MAX || !visible {
        return Err(HeadError::RequestLine);
    }
    let is_old = match version {
        b"HTTP/1.1" => false,
        b"HTTP/1.0" => true,
        _ => return Err(HeadError::RequestLine),
    };
    Ok(RequestLine { is_connect: method == b"CONNECT", is_old })
}

/// Name and value of a field, the value without the spaces around it.
fn field(line: &[u8]) -> Result<(&[u8], &[u8]), HeadError> {
    let colon = line.iter().position(|byte| *byte == b':').ok_or(HeadError::Field)?;
    let (name, value) = line.split_at_checked(colon).ok_or(HeadError::Field)?;
    if !is_token(name) {
        return Err(HeadError::Field);
    }
    if value.contains(&b'\r') {
        return Err(HeadError::LineEnd);
    }
    Ok((name, value.strip_prefix(b":").unwrap_or(value).trim_ascii()))
}

fn content_length(value: &[u8]) -> Result<u64, HeadError> {
    let number =
        !value.is_empty() && value.len() <= LENGTH_DIGITS_MAX && value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(value).ok().filter(|_| number);
    text.and_then(|text| text.parse().ok()).ok_or(HeadError::Length)
}

/// RFC 9110, 6.5.1: fields that must not come after the body, and credentials, which are looked for in heads.
pub(crate) fn belongs_into_a_head(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 18] = [
        b"authorization",
        b"connection",
        b"content-encoding",
        b"content-length",
        b"content-range",
        b"content-type",
        b"cookie",
        b"expect",
        b"host",
        b"keep-alive",
        b"max-forwards",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"x-api-key",
    ];
    NAMES.iter().any(|forbidden| name.eq_ignore_ascii_case(forbidden))
}

/// RFC 9110, 5.6.2.
fn is_token(text: &[u8]) -> bool {
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(is_tchar)
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
