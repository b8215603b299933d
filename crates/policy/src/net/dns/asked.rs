//! What a program in a cell asks, and what the resolver of the cell says to it.
//!
//! Every well-formed name has addresses: what is not granted is refused at the verdict, with a reason, and never as an
//! error of names. Other kinds of records are answered with none, so that programs go on to the addresses.

use super::{
    CLASS_IN, FLAG_RECURSION_AVAILABLE, FLAG_RECURSION_DESIRED, FLAG_RESPONSE, Family, HEADER_BYTES,
    Malformed, OPCODE_BITS, Pointers, QUERY_BYTES_MAX, Reader, ResponseCode, SYNTHETIC_TTL_SECONDS, TYPE_A,
    TYPE_AAAA, TYPE_ANY, TYPE_HINFO, TYPE_OPT, write_header,
};
use crate::net::host::DnsName;
use std::net::IpAddr;

/// The most records after the question that are looked at: EDNS takes one, a signature (TSIG) another.
const ADDITIONAL_RECORDS_MAX: u16 = 4;
/// The address of a name in an answer: the question's, right after the header.
const POINTER_TO_QUESTION: [u8; 2] = [0xC0, 12];
/// What the cell takes by EDNS; see [`QUERY_BYTES_MAX`].
const PAYLOAD_BYTES: [u8; 2] = [2, 0];

/// A query that can be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    id: u16,
    recursion_desired: bool,
    /// As it came, so that the spelling comes back as it was: programs that mix cases look for that.
    question: Vec<u8>,
    record_type: u16,
    edns: bool,
    name: Option<DnsName>,
}

/// A query that can't be answered with records.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadQuery {
    /// It has no header, or is an answer itself; to answer would let two resolvers talk for ever.
    #[error("the message is not a query")]
    NotAQuery,
    /// It is one, and is answered with an error.
    #[error("the query is answered with an error")]
    Answered {
        /// What to send back.
        answer: Vec<u8>,
    },
}

impl Asked {
    /// Reads a query: one question about a name in the class `IN`, and nothing but EDNS after it.
    ///
    /// # Errors
    /// [`BadQuery`]: with the answer to it, where it gets one.
    pub fn parse(message: &[u8]) -> Result<Self, BadQuery> {
        let mut reader = Reader::new(message);
        let (Ok(id), Ok(flags)) = (reader.short(), reader.short()) else { return Err(BadQuery::NotAQuery) };
        if message.len() < HEADER_BYTES || flags & FLAG_RESPONSE != 0 {
            return Err(BadQuery::NotAQuery);
        }
        let refused = |code: ResponseCode| {
            let mut answer = Vec::with_capacity(HEADER_BYTES);
            let kept = flags & (OPCODE_BITS | FLAG_RECURSION_DESIRED);
            let flags = FLAG_RESPONSE | FLAG_RECURSION_AVAILABLE | kept | code.bits();
            write_header(&mut answer, id, flags, [0; 4]);
            BadQuery::Answered { answer }
        };
        if flags & OPCODE_BITS != 0 {
            return Err(refused(ResponseCode::NotImplemented));
        }
        if message.len() > QUERY_BYTES_MAX {
            return Err(refused(ResponseCode::FormatError));
        }
        let read = Self::read(id, flags & FLAG_RECURSION_DESIRED != 0, &mut reader);
        read.map_err(|Malformed| refused(ResponseCode::FormatError))?.ok_or(refused(ResponseCode::Refused))
    }

    /// What follows id and flags; `None` for a class that is not answered.
    fn read(id: u16, recursion_desired: bool, reader: &mut Reader<'_>) -> Result<Option<Self>, Malformed> {
        let (questions, answers, authorities, additional) =
            (reader.short()?, reader.short()?, reader.short()?, reader.short()?);
        if questions != 1 || answers != 0 || authorities != 0 || additional > ADDITIONAL_RECORDS_MAX {
            return Err(Malformed);
        }
        let start = reader.at;
        let name = reader.name(Pointers::Refused)?;
        let (record_type, class) = (reader.short()?, reader.short()?);
        let question = reader.message.get(start..reader.at).ok_or(Malformed)?.to_vec();
        let mut edns = false;
        for _ in 0..additional {
            edns |= skip_record(reader)? == TYPE_OPT;
        }
        if !reader.is_at_end() {
            return Err(Malformed);
        }
        let name = name.text().and_then(|text| DnsName::parse(&text).ok());
        Ok((class == CLASS_IN).then_some(Self { id, recursion_desired, question, record_type, edns, name }))
    }

    /// The name that is asked about; `None` for one that no host can have.
    #[must_use]
    pub fn name(&self) -> Option<&DnsName> {
        self.name.as_ref()
    }

    /// The family of addresses that is asked for; `None` if it is something else, which has no records.
    #[must_use]
    pub fn family(&self) -> Option<Family> {
        match self.record_type {
            TYPE_A => Some(Family::V4),
            TYPE_AAAA => Some(Family::V6),
            _ => None,
        }
    }

    /// The answer with an address, if one of this family was asked for; else one without records.
    ///
    /// To a question for anything there is, it says that it does not say (RFC 8482).
    #[must_use]
    pub fn answer(&self, address: Option<IpAddr>) -> Vec<u8> {
        let mut records = Vec::new();
        let mut record = |record_type: u16, data: &[u8]| {
            records.extend(POINTER_TO_QUESTION);
            records.extend(record_type.to_be_bytes());
            records.extend(CLASS_IN.to_be_bytes());
            records.extend(SYNTHETIC_TTL_SECONDS.to_be_bytes());
            records.extend(u16::try_from(data.len()).unwrap_or_default().to_be_bytes());
            records.extend(data);
        };
        match address.filter(|address| self.family() == Some(Family::of(*address))) {
            Some(IpAddr::V4(address)) => record(TYPE_A, &address.octets()),
            Some(IpAddr::V6(address)) => record(TYPE_AAAA, &address.octets()),
            None if self.record_type == TYPE_ANY => record(TYPE_HINFO, b"\x07RFC8482\x00"),
            None => {}
        }
        self.message(None, &records)
    }

    /// The answer that something went wrong.
    #[must_use]
    pub fn failed(&self, code: ResponseCode) -> Vec<u8> {
        self.message(Some(code), &[])
    }

    /// The whole message; `record` is one or none.
    fn message(&self, code: Option<ResponseCode>, record: &[u8]) -> Vec<u8> {
        let mut message = Vec::with_capacity(QUERY_BYTES_MAX);
        let desired = if self.recursion_desired { FLAG_RECURSION_DESIRED } else { 0 };
        let flags = FLAG_RESPONSE | FLAG_RECURSION_AVAILABLE | desired | code.map_or(0, ResponseCode::bits);
        let counts = [1, u16::from(!record.is_empty()), 0, u16::from(self.edns)];
        write_header(&mut message, self.id, flags, counts);
        message.extend(&self.question);
        message.extend(record);
        if self.edns {
            message.push(0);
            message.extend(TYPE_OPT.to_be_bytes());
            message.extend(PAYLOAD_BYTES);
            message.extend([0; 6]);
        }
        message
    }
}

/// Its type.
fn skip_record(reader: &mut Reader<'_>) -> Result<u16, Malformed> {
    reader.name(Pointers::Refused)?;
    let record_type = reader.short()?;
    let (_class, _ttl) = (reader.short()?, reader.long()?);
    let length = reader.short()?;
    reader.bytes(usize::from(length))?;
    Ok(record_type)
}
