//! Messages of the domain name system (RFC 1035), as far as a cell and its gateway need them.
//!
//! The resolver of a cell reads what the agent asks ([`Asked`]) and answers by itself; the gateway asks about one name
//! and one family of addresses at a time ([`write_query`]) and reads what a name server says ([`Answer`]). Nothing else
//! is understood: no zone, no other class than `IN`, no update. It sends nothing, keeps nothing and knows no clock.
//!
//! Both sides read bytes of someone who means harm: every read is bounded by the message, a compression pointer may
//! only lead backwards and only in what a name server says, and each loop has a limit.

mod answer;
mod asked;

pub use answer::{Answer, AnswerError, write_query};
pub use asked::{Asked, BadQuery};

use std::net::IpAddr;

/// The longest message that the resolver of a cell takes or gives, in bytes: what fits a datagram without EDNS.
pub const QUERY_BYTES_MAX: usize = 512;
/// The longest answer of a name server that is read over UDP, in bytes; what the query says by EDNS (RFC 9715).
pub const ANSWER_BYTES_MAX: usize = 1_232;
/// How long a program may keep an answer of the cell's own, in seconds. Names keep their addresses, so it could be
/// longer; but programs that outlive a session are none.
pub const SYNTHETIC_TTL_SECONDS: u32 = 60;

const HEADER_BYTES: usize = 12;
const LABEL_BYTES_MAX: usize = 63;
/// The longest name on the wire, in bytes, with the lengths of its labels.
const NAME_BYTES_MAX: usize = 255;
/// The most compression pointers in one name; real ones have one or two.
const POINTERS_MAX: usize = 16;
const CLASS_IN: u16 = 1;

const FLAG_RESPONSE: u16 = 0x8000;
const FLAG_TRUNCATED: u16 = 0x0200;
const FLAG_RECURSION_DESIRED: u16 = 0x0100;
const FLAG_RECURSION_AVAILABLE: u16 = 0x0080;
const OPCODE_BITS: u16 = 0x7800;
const CODE_BITS: u16 = 0x000F;

/// A family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4: records of type A.
    V4,
    /// IPv6: records of type AAAA.
    V6,
}

impl Family {
    /// The one of an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    fn record_type(self) -> u16 {
        match self {
            Self::V4 => TYPE_A,
            Self::V6 => TYPE_AAAA,
        }
    }
}

const TYPE_A: u16 = 1;
const TYPE_CNAME: u16 = 5;
const TYPE_HINFO: u16 = 13;
const TYPE_AAAA: u16 = 28;
const TYPE_OPT: u16 = 41;
const TYPE_ANY: u16 = 255;

/// How a query went, as a name server says it (RFC 1035, 4.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResponseCode {
    /// The query can't be read.
    FormatError,
    /// The server can't answer now.
    ServerFailure,
    /// There is no such name.
    NoSuchName,
    /// The kind of query is not known.
    NotImplemented,
    /// The server does not answer this.
    Refused,
}

impl ResponseCode {
    fn bits(self) -> u16 {
        match self {
            Self::FormatError => 1,
            Self::ServerFailure => 2,
            Self::NoSuchName => 3,
            Self::NotImplemented => 4,
            Self::Refused => 5,
        }
    }
}

/// The message does not hold what it must at this place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Malformed;

/// A place in a message.
#[derive(Debug, Clone, Copy)]
struct Reader<'m> {
    message: &'m [u8],
    at: usize,
}

impl<'m> Reader<'m> {
    fn new(message: &'m [u8]) -> Self {
        Self { message, at: 0 }
    }

    fn bytes(&mut self, count: usize) -> Result<&'m [u8], Malformed> {
        let end = self.at.checked_add(count).ok_or(Malformed)?;
        let bytes = self.message.get(self.at..end).ok_or(Malformed)?;
        self.at = end;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.bytes(N)?.try_into().ok().ok_or(Malformed)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        self.array().map(|[byte]| byte)
    }

    fn short(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    fn long(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    fn is_at_end(&self) -> bool {
        self.at == self.message.len()
    }

    /// A name, in lower case. With `pointers`, it may be compressed (RFC 1035, 4.1.4); each pointer leads to before
    /// the part of the name that it ends, so that none leads in a circle.
    fn name(&mut self, pointers: Pointers) -> Result<WireName, Malformed> {
        let mut name = WireName::default();
        let mut part = *self;
        let mut start = self.at;
        let mut followed = 0;
        loop {
            let length = part.byte()?;
            match (length >> 6, pointers) {
                (0, _) if length == 0 => {
                    if followed == 0 {
                        self.at = part.at;
                    }
                    return Ok(name);
                }
                (0, _) => name.push(part.bytes(usize::from(length))?)?,
                (3, Pointers::Followed) if followed < POINTERS_MAX => {
                    let to = usize::from(u16::from_be_bytes([length & 0x3F, part.byte()?]));
                    if followed == 0 {
                        self.at = part.at;
                    }
                    if to >= start {
                        return Err(Malformed);
                    }
                    followed += 1;
                    (start, part.at) = (to, to);
                }
                _ => return Err(Malformed),
            }
        }
    }
}

/// Whether a name may be compressed: a query has one name, so that a pointer in it leads nowhere honest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pointers {
    Refused,
    Followed,
}

/// A name as messages have it: any bytes in its labels, which dots part here; in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct WireName {
    labels: Vec<Vec<u8>>,
    bytes: usize,
}

impl WireName {
    fn push(&mut self, label: &[u8]) -> Result<(), Malformed> {
        self.bytes += label.len() + 1;
        // The last length, of the root, has a byte too.
        if label.len() > LABEL_BYTES_MAX || self.bytes >= NAME_BYTES_MAX {
            return Err(Malformed);
        }
        self.labels.push(label.to_ascii_lowercase());
        Ok(())
    }

    /// The text, if no label holds what would read as something else.
    fn text(&self) -> Option<String> {
        let plain = |label: &Vec<u8>| label.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'.');
        if !self.labels.iter().all(plain) {
            return None;
        }
        String::from_utf8(self.labels.join(&b'.')).ok()
    }

    fn is(&self, name: &str) -> bool {
        self.labels.iter().map(Vec::as_slice).eq(name.split('.').map(str::as_bytes))
    }
}

/// Writes the fixed beginning of a message.
fn write_header(message: &mut Vec<u8>, id: u16, flags: u16, counts: [u16; 4]) {
    for number in [id, flags].into_iter().chain(counts) {
        message.extend(number.to_be_bytes());
    }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
