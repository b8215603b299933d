//! Any bytes are refused or understood, on both sides; and what is answered is read as an answer to what was asked.

use super::*;
use crate::net::host::DnsName;
use cofferdam_fuzz::fuzz;
use std::net::{Ipv4Addr, Ipv6Addr};

#[test]
fn a_message_is_answered_in_kind_or_refused() {
    fuzz("dns", target);
}

/// Whether a host can have its name, and the family.
type Question = Option<(bool, Option<Family>)>;

/// The shape of what came of it, on the side of the cell and on that of the gateway.
fn target(input: &[u8]) -> (Question, Option<Result<usize, AnswerError>>) {
    let asked = match Asked::parse(input) {
        Ok(asked) => {
            check_answers(input, &asked);
            Some((asked.name().is_some(), asked.family()))
        }
        Err(BadQuery::Answered { answer }) => {
            assert_eq!(answer.get(..2), input.get(..2), "the id comes back");
            assert!(answer.len() == HEADER_BYTES && answer[2] & 0x80 != 0 && answer[3] & 0x0F != 0);
            assert_eq!(Asked::parse(&answer), Err(BadQuery::NotAQuery), "or two would talk for ever");
            None
        }
        Err(BadQuery::NotAQuery) => None,
    };
    let id = input.get(..2).map_or(0, |id| u16::from_be_bytes([id[0], id[1]]));
    // The question's own name: else all but a few inputs would be somebody else's answer.
    let mut reader = Reader { message: input, at: HEADER_BYTES };
    let name = reader.name(Pointers::Followed).ok().and_then(|name| DnsName::parse(&name.text()?).ok());
    let answer = name.map(|name| {
        let family = match reader.short() {
            Ok(TYPE_AAAA) => Family::V6,
            _ => Family::V4,
        };
        let answer = Answer::parse(input, id, &name, family);
        if let Ok(answer) = &answer {
            assert!(answer.addresses.iter().all(|address| Family::of(*address) == family));
            assert!(answer.addresses.len() <= 64 && answer.ttl_seconds <= 86_400);
        }
        answer.map(|answer| answer.addresses.len())
    });
    (asked, answer)
}

fn check_answers(input: &[u8], asked: &Asked) {
    let id = u16::from_be_bytes([input[0], input[1]]);
    for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        let answer = asked.answer(Some(address));
        assert!(answer.len() <= QUERY_BYTES_MAX, "it fits a datagram");
        assert_eq!(Asked::parse(&answer), Err(BadQuery::NotAQuery));
        if let (Some(name), Some(family)) = (asked.name(), asked.family()) {
            let read = Answer::parse(&answer, id, name, family).unwrap();
            let expected = (family == Family::of(address)).then_some(address);
            assert_eq!(read.addresses, expected.into_iter().collect::<Vec<_>>());
            let failed = Answer::parse(&asked.failed(ResponseCode::ServerFailure), id, name, family);
            assert_eq!(failed, Err(AnswerError::Server(2)));
        }
    }
}
