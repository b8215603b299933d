//! Queries as programs send them, and answers as name servers and liars give them.

use super::*;
use crate::net::host::DnsName;
use std::net::{Ipv4Addr, Ipv6Addr};

fn name(text: &str) -> DnsName {
    DnsName::parse(text).unwrap()
}

fn labels(text: &str) -> Vec<u8> {
    let label = |label: &str| [&[u8::try_from(label.len()).unwrap()], label.as_bytes()].concat();
    text.split('.').flat_map(label).chain([0]).collect()
}

/// A header and a question, as a stub resolver writes them.
fn query(flags: u16, counts: [u16; 4], wire_name: &[u8], record_type: u16, class: u16) -> Vec<u8> {
    let mut message = Vec::new();
    write_header(&mut message, 0x1234, flags, counts);
    message.extend(wire_name);
    message.extend(record_type.to_be_bytes());
    message.extend(class.to_be_bytes());
    message
}

fn plain(text: &str, record_type: u16) -> Vec<u8> {
    query(FLAG_RECURSION_DESIRED, [1, 0, 0, 0], &labels(text), record_type, CLASS_IN)
}

fn code(message: &[u8]) -> u16 {
    u16::from_be_bytes([message[2], message[3]]) & CODE_BITS
}

fn refusal(message: &[u8]) -> u16 {
    match Asked::parse(message) {
        Err(BadQuery::Answered { answer }) => code(&answer),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_query_is_answered_with_the_address_of_its_family_and_in_its_own_spelling() {
    let v4 = IpAddr::V4(Ipv4Addr::new(198, 18, 0, 16));
    let v6 = IpAddr::V6("fd00:c0ff:e::10".parse::<Ipv6Addr>().unwrap());
    for (record_type, address, other) in [(TYPE_A, v4, v6), (TYPE_AAAA, v6, v4)] {
        let message = plain("WwW.eXample.com", record_type);
        let asked = Asked::parse(&message).unwrap();
        assert_eq!(asked.name(), Some(&name("www.example.com")));
        let answer = asked.answer(Some(address));
        assert_eq!(answer[12..message.len()], message[12..], "the question comes back as it was");
        assert_eq!(&answer[..12], &[0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
        let family = asked.family().unwrap();
        let read = Answer::parse(&answer, 0x1234, asked.name().unwrap(), family).unwrap();
        assert_eq!(read, Answer { addresses: vec![address], ttl_seconds: SYNTHETIC_TTL_SECONDS });
        let empty = asked.answer(Some(other));
        let empty = Answer::parse(&empty, 0x1234, asked.name().unwrap(), family).unwrap();
        assert!(empty.addresses.is_empty());
    }
}

#[test]
fn other_records_are_none_and_no_error_so_that_programs_go_on_to_addresses() {
    // MX, TXT, SRV, SVCB, HTTPS, PTR, NS, SOA.
    for record_type in [15, 16, 33, 64, 65, 12, 2, 6] {
        let asked = Asked::parse(&plain("example.com", record_type)).unwrap();
        assert_eq!(asked.family(), None);
        let answer = asked.answer(Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        assert_eq!((code(&answer), answer[7]), (0, 0), "{record_type}");
    }
    let any = Asked::parse(&plain("example.com", TYPE_ANY)).unwrap().answer(None);
    assert_eq!((code(&any), any[7]), (0, 1));
    assert!(any.ends_with(b"\x00\x09\x07RFC8482\x00"));
}

#[test]
fn edns_is_tolerated_and_answered_in_kind() {
    let written = write_query(7, &name("example.com"), Family::V4);
    let asked = Asked::parse(&written).unwrap();
    let answer = asked.answer(Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    assert_eq!(answer[11], 1, "an additional record");
    assert_eq!(&answer[answer.len() - 11..], &[0, 0, 41, 2, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(Answer::parse(&answer, 7, &name("example.com"), Family::V4).unwrap().addresses.len(), 1);
}

#[test]
fn a_malformed_query_is_answered_with_the_error_that_fits_or_not_at_all() {
    let good = labels("example.com");
    let one = [1, 0, 0, 0];
    assert!(Asked::parse(&query(0, one, &good, 1, 1)).is_ok());
    for (what, message) in [
        ("two questions", query(0, [2, 0, 0, 0], &good, 1, 1)),
        ("no question", query(0, [0; 4], &[], 1, 1)),
        ("records that a query has not", query(0, [1, 1, 0, 0], &good, 1, 1)),
        ("a record that is missing", query(0, [1, 0, 0, 1], &good, 1, 1)),
        ("a pointer", query(0, one, &[0xC0, 12], 1, 1)),
        ("a pointer after a label", query(0, one, &[1, b'a', 0xC0, 12], 1, 1)),
        ("a reserved kind of label", query(0, one, &[0x40, 0], 1, 1)),
        ("a label beyond the end", query(0, one, &[63, b'a'], 1, 1)),
        ("a name that is too long", query(0, one, &[&b"\x3f"[..], &[b'a'; 63]].concat().repeat(5), 1, 1)),
        ("something behind it", [plain("a.example", 1), vec![0]].concat()),
        ("more than a datagram", [plain("a.example", 1), vec![0; 600]].concat()),
        ("cut short", plain("example.com", 1)[..26].to_vec()),
    ] {
        assert_eq!(refusal(&message), ResponseCode::FormatError.bits(), "{what}");
    }
    assert_eq!(refusal(&query(0, one, &good, 1, 3)), ResponseCode::Refused.bits(), "class CHAOS");
    assert_eq!(refusal(&query(0x2800, one, &good, 6, 1)), ResponseCode::NotImplemented.bits(), "an update");
    for silent in [&[][..], &[1, 2, 3], &plain("a.example", 1)[..11], &query(FLAG_RESPONSE, one, &good, 1, 1)]
    {
        assert_eq!(Asked::parse(silent), Err(BadQuery::NotAQuery));
    }
}

#[test]
fn a_name_that_no_host_can_have_is_none() {
    for odd in [&b"\x00"[..], b"\x03a.b\x03com\x00", b"\x03a b\x03com\x00", b"\x02a\x00\x00", b"\x01\xff\x00"]
    {
        let asked = Asked::parse(&query(0, [1, 0, 0, 0], odd, 1, 1)).unwrap();
        assert_eq!(asked.name(), None, "{odd:?}");
    }
}

/// An answer with these records: owner, type, time to live and data, each as on the wire.
fn answer(flags: u16, records: &[(&[u8], u16, u32, &[u8])]) -> Vec<u8> {
    let count = u16::try_from(records.len()).unwrap();
    let mut message = query(FLAG_RESPONSE | flags, [1, count, 0, 0], &labels("www.example.com"), 1, 1);
    for (owner, record_type, ttl, data) in records {
        message.extend(*owner);
        message.extend(record_type.to_be_bytes());
        message.extend(CLASS_IN.to_be_bytes());
        message.extend(ttl.to_be_bytes());
        message.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        message.extend(*data);
    }
    message
}

fn parsed(message: &[u8]) -> Result<Answer, AnswerError> {
    Answer::parse(message, 0x1234, &name("www.example.com"), Family::V4)
}

#[test]
fn aliases_are_followed_in_any_order_and_the_shortest_time_counts() {
    let (own, cdn, edge) = (&[0xC0_u8, 12][..], labels("cdn.example.net"), labels("edge.example.org"));
    let expected = Answer { addresses: vec!["192.0.2.1".parse().unwrap()], ttl_seconds: 20 };
    let alias = (own, TYPE_CNAME, 300, cdn.as_slice());
    let second = (cdn.as_slice(), TYPE_CNAME, 20, edge.as_slice());
    let address = (edge.as_slice(), TYPE_A, 60, &[192, 0, 2, 1][..]);
    assert_eq!(parsed(&answer(0, &[alias, second, address])), Ok(expected.clone()));
    assert_eq!(parsed(&answer(0, &[address, second, alias])), Ok(expected));
    let dangling = Answer { addresses: Vec::new(), ttl_seconds: 0 };
    assert_eq!(parsed(&answer(0, &[alias])), Ok(dangling), "an alias of what has no address");
}

#[test]
fn addresses_of_names_that_were_not_asked_for_are_not_taken() {
    let (own, other) = (&[0xC0_u8, 12][..], labels("other.example"));
    let poison = (other.as_slice(), TYPE_A, 60, &[203, 0, 113, 9][..]);
    let good = (own, TYPE_A, 60, &[192, 0, 2, 1][..]);
    let good_address: IpAddr = "192.0.2.1".parse().unwrap();
    assert_eq!(parsed(&answer(0, &[poison, good])).unwrap().addresses, [good_address]);
    let round = [(own, TYPE_CNAME, 60, other.as_slice()), (other.as_slice(), TYPE_CNAME, 60, own)];
    assert_eq!(parsed(&answer(0, &round)), Err(AnswerError::TooManyAliases));
}

#[test]
fn an_answer_that_is_not_ours_or_no_answer_is_told_apart() {
    let address: (&[u8], u16, u32, &[u8]) = (&[0xC0, 12], TYPE_A, 60, &[192, 0, 2, 1]);
    let good = answer(0, &[address]);
    assert!(parsed(&good).is_ok());
    let asked = name("www.example.com");
    assert_eq!(Answer::parse(&good, 0x1235, &asked, Family::V4), Err(AnswerError::NotOurs));
    assert_eq!(Answer::parse(&good, 0x1234, &asked, Family::V6), Err(AnswerError::NotOurs));
    assert_eq!(Answer::parse(&good, 0x1234, &name("example.com"), Family::V4), Err(AnswerError::NotOurs));
    assert_eq!(parsed(&plain("www.example.com", 1)), Err(AnswerError::NotOurs), "a query");
    assert_eq!(parsed(&answer(3, &[])), Err(AnswerError::NoSuchName));
    assert_eq!(parsed(&answer(2, &[])), Err(AnswerError::Server(2)));
    assert_eq!(parsed(&answer(FLAG_TRUNCATED, &[address])), Err(AnswerError::Truncated));
    assert_eq!(parsed(&good[..good.len() - 1]), Err(AnswerError::Malformed));
    let short: (&[u8], u16, u32, &[u8]) = (&[0xC0, 12], TYPE_A, 60, &[192, 0, 2]);
    let long: (&[u8], u16, u32, &[u8]) = (&[0xC0, 12], TYPE_A, 60, &[192, 0, 2, 1, 1]);
    assert_eq!(parsed(&answer(0, &[short])), Err(AnswerError::Malformed));
    assert_eq!(parsed(&answer(0, &[long])), Err(AnswerError::Malformed));
}

#[test]
fn no_pointer_leads_in_a_circle_or_forward() {
    let end = answer(0, &[]).len();
    let to = |at: usize| [0xC0 | u8::try_from(at >> 8).unwrap(), u8::try_from(at & 0xFF).unwrap()];
    for at in [end, end + 2, 0x3FFF] {
        let owner = to(at);
        let message = answer(0, &[(&owner, TYPE_A, 60, &[192, 0, 2, 1])]);
        assert_eq!(parsed(&message), Err(AnswerError::Malformed), "{at}");
    }
    let label_then_itself = [&[1, b'a'][..], &to(end)].concat();
    let message = answer(0, &[(&label_then_itself, TYPE_A, 60, &[192, 0, 2, 1])]);
    assert_eq!(parsed(&message), Err(AnswerError::Malformed));
}
