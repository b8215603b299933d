//! What the gateway asks of a name server, and what it takes from the answer: addresses, and how long they hold.

use super::{
    ANSWER_BYTES_MAX, CLASS_IN, CODE_BITS, FLAG_RECURSION_DESIRED, FLAG_RESPONSE, FLAG_TRUNCATED, Family,
    Malformed, OPCODE_BITS, Pointers, QUERY_BYTES_MAX, Reader, TYPE_A, TYPE_AAAA, TYPE_CNAME, TYPE_OPT,
    WireName, write_header,
};
use crate::net::host::DnsName;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The most names that stand for one another; more is a mistake, or a trap.
const ALIASES_MAX: usize = 16;
/// The most records of an answer that are read.
const RECORDS_MAX: u16 = 256;
/// The most addresses that are taken.
const ADDRESSES_MAX: usize = 64;
/// The longest time that an answer holds, in seconds: a day. A number with its highest bit set is none (RFC 2181, 8).
const TTL_SECONDS_MAX: u32 = 86_400;

/// What a name server says of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its addresses, of the family that was asked for; none if it has none of it.
    pub addresses: Vec<IpAddr>,
    /// How long that holds, in seconds; 0 if the server does not say.
    pub ttl_seconds: u32,
}

/// Why an answer was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// It is not the answer to what was asked: perhaps somebody else's guess. To be overlooked, and waited on.
    #[error("the message answers another question")]
    NotOurs,
    /// It can't be read.
    #[error("the answer is malformed")]
    Malformed,
    /// It did not fit a datagram: to be asked again over TCP.
    #[error("the answer was cut short")]
    Truncated,
    /// There is no such name.
    #[error("there is no such name")]
    NoSuchName,
    /// The server failed or refused, with this code (RFC 1035, 4.1.1).
    #[error("the name server says error {0}")]
    Server(u16),
    /// Names stand for one another without end.
    #[error("more than {ALIASES_MAX} names stand for one another")]
    TooManyAliases,
}

/// A query for the addresses of a name. `id` is to be random, and so is the port that it goes out from.
#[must_use]
pub fn write_query(id: u16, name: &DnsName, family: Family) -> Vec<u8> {
    let mut message = Vec::with_capacity(QUERY_BYTES_MAX);
    write_header(&mut message, id, FLAG_RECURSION_DESIRED, [1, 0, 0, 1]);
    for label in name.as_str().split('.') {
        // A label of a name has at most 63 bytes.
        message.push(u8::try_from(label.len()).unwrap_or_default());
        message.extend(label.as_bytes());
    }
    message.push(0);
    message.extend(family.record_type().to_be_bytes());
    message.extend(CLASS_IN.to_be_bytes());
    message.push(0);
    message.extend(TYPE_OPT.to_be_bytes());
    message.extend(u16::try_from(ANSWER_BYTES_MAX).unwrap_or_default().to_be_bytes());
    message.extend([0; 6]);
    message
}

/// A record that matters.
#[derive(Debug)]
struct Record {
    owner: WireName,
    ttl: u32,
    data: Data,
}

#[derive(Debug)]
enum Data {
    Address(IpAddr),
    Alias(WireName),
}

impl Answer {
    /// Reads the answer to [`write_query`] with the same id, name and family. Over TCP it may be longer than
    /// [`ANSWER_BYTES_MAX`]; the caller bounds it.
    ///
    /// # Errors
    /// [`AnswerError`].
    pub fn parse(message: &[u8], id: u16, name: &DnsName, family: Family) -> Result<Self, AnswerError> {
        let mut reader = Reader::new(message);
        let malformed = |Malformed| AnswerError::Malformed;
        let (their_id, flags) = (reader.short().map_err(malformed)?, reader.short().map_err(malformed)?);
        if their_id != id || flags & FLAG_RESPONSE == 0 || flags & OPCODE_BITS != 0 {
            return Err(AnswerError::NotOurs);
        }
        let (questions, answers) = (reader.short().map_err(malformed)?, reader.short().map_err(malformed)?);
        reader.bytes(4).map_err(malformed)?;
        match (flags & CODE_BITS, questions) {
            // A server that can't read EDNS may leave the question out (RFC 6891, 7).
            (1 | 4, 0) => return Err(AnswerError::Server(flags & CODE_BITS)),
            (_, 1) => {}
            _ => return Err(AnswerError::NotOurs),
        }
        let asked = reader.name(Pointers::Followed).map_err(malformed)?;
        let (record_type, class) = (reader.short().map_err(malformed)?, reader.short().map_err(malformed)?);
        if !asked.is(name.as_str()) || record_type != family.record_type() || class != CLASS_IN {
            return Err(AnswerError::NotOurs);
        }
        if flags & FLAG_TRUNCATED != 0 {
            return Err(AnswerError::Truncated);
        }
        match flags & CODE_BITS {
            0 => {}
            3 => return Err(AnswerError::NoSuchName),
            code => return Err(AnswerError::Server(code)),
        }
        let records = records(&mut reader, answers.min(RECORDS_MAX), family).map_err(malformed)?;
        follow(asked, records)
    }
}

fn records(reader: &mut Reader<'_>, count: u16, family: Family) -> Result<Vec<Record>, Malformed> {
    let mut records = Vec::new();
    for _ in 0..count {
        let owner = reader.name(Pointers::Followed)?;
        let (record_type, class, ttl) = (reader.short()?, reader.short()?, reader.long()?);
        let length = usize::from(reader.short()?);
        let end = reader.at.checked_add(length).ok_or(Malformed)?;
        let mut inside = *reader;
        reader.bytes(length)?;
        let data = match (record_type, family) {
            _ if class != CLASS_IN => continue,
            (TYPE_A, Family::V4) => Data::Address(IpAddr::V4(Ipv4Addr::from(inside.array::<4>()?))),
            (TYPE_AAAA, Family::V6) => Data::Address(IpAddr::V6(Ipv6Addr::from(inside.array::<16>()?))),
            (TYPE_CNAME, _) => Data::Alias(inside.name(Pointers::Followed)?),
            _ => continue,
        };
        if inside.at != end {
            return Err(Malformed);
        }
        records.push(Record { owner, ttl: if ttl > i32::MAX.unsigned_abs() { 0 } else { ttl }, data });
    }
    Ok(records)
}

/// From name to name as the aliases lead, whatever their order, to the addresses of the last.
fn follow(asked: WireName, records: Vec<Record>) -> Result<Answer, AnswerError> {
    let mut name = &asked;
    let mut ttl_seconds = TTL_SECONDS_MAX;
    for _ in 0..=ALIASES_MAX {
        let mut alias = None;
        let mut addresses = Vec::new();
        for record in records.iter().filter(|record| record.owner == *name) {
            match &record.data {
                Data::Address(address) if addresses.len() < ADDRESSES_MAX => addresses.push(*address),
                Data::Address(_) => continue,
                Data::Alias(to) => alias = Some(to),
            }
            ttl_seconds = ttl_seconds.min(record.ttl);
        }
        match alias {
            Some(to) if addresses.is_empty() => name = to,
            // Without a record there is nothing that says how long that holds.
            _ if addresses.is_empty() => return Ok(Answer { addresses, ttl_seconds: 0 }),
            _ => return Ok(Answer { addresses, ttl_seconds }),
        }
    }
    Err(AnswerError::TooManyAliases)
}
