//! Heads of requests that two servers could read differently are refused, and plain ones are not.

use super::*;

fn whole(text: &str) -> Result<bool, HeadError> {
    let mut at_once = Requests::new();
    let verdict = at_once.push(text.as_bytes()).map(|()| at_once.is_between_requests());
    let mut by_byte = Requests::new();
    let slowly = text.as_bytes().chunks(1).try_for_each(|byte| by_byte.push(byte));
    assert_eq!(verdict.map(drop), slowly, "cut otherwise, the same bytes are judged otherwise: {text:?}");
    verdict
}

fn post(fields: &str, body: &str) -> Result<bool, HeadError> {
    whole(&format!("POST /a HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n{body}"))
}

#[test]
fn what_ordinary_programs_send_passes() {
    assert_eq!(whole("GET / HTTP/1.1\r\nHost: a.test\r\nAccept: */*\r\n\r\n"), Ok(true));
    assert_eq!(whole("GET / HTTP/1.0\r\n\r\n"), Ok(true));
    assert_eq!(post("Content-Length: 3\r\n", "abc"), Ok(true));
    assert_eq!(post("Content-Length: 3\r\nExpect: 100-continue\r\n", "ab"), Ok(false));
    assert_eq!(post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"), Ok(true));
    assert_eq!(
        post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n00A\r\n0123456789\r\n0\r\nSum: 1\r\n\r\n"),
        Ok(true)
    );
    assert_eq!(post("", "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"), Ok(true));
    assert_eq!(post("Name: \u{e9} caf\u{e9}\ttab\r\n", ""), Ok(true));
}

#[test]
fn what_two_readers_could_read_differently_is_no_request() {
    let chunked = "Transfer-Encoding: chunked\r\n";
    let corpus = [
        ("CL.TE", post(&format!("Content-Length: 4\r\n{chunked}"), "0\r\n\r\n"), HeadError::Framing),
        ("TE.CL", post(&format!("{chunked}Content-Length: 4\r\n"), "0\r\n\r\n"), HeadError::Framing),
        ("TE.TE", post(&format!("{chunked}{chunked}"), "0\r\n\r\n"), HeadError::Encoding),
        ("TE.TE", post(&format!("{chunked}Transfer-Encoding: x\r\n"), ""), HeadError::Encoding),
        ("TE list", post("Transfer-Encoding: gzip, chunked\r\n", ""), HeadError::Encoding),
        ("TE identity", post("Transfer-Encoding: identity\r\n", ""), HeadError::Encoding),
        ("TE xchunked", post("Transfer-Encoding: xchunked\r\n", ""), HeadError::Encoding),
        ("TE space", post("Transfer-Encoding : chunked\r\n", ""), HeadError::Field),
        ("TE vertical tab", post("Transfer-Encoding: \u{b}chunked\r\n", ""), HeadError::Control),
        ("TE folded", post("Transfer-Encoding:\r\n chunked\r\n", ""), HeadError::Encoding),
        ("TE 1.0", whole("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), HeadError::Encoding),
        ("fold", post("A: b\r\n c\r\n", ""), HeadError::Field),
        ("bare LF", whole("GET / HTTP/1.1\nHost: a.test\n\n"), HeadError::LineEnd),
        ("bare LF in a field", post("A: b\nContent-Length: 3\r\n", ""), HeadError::LineEnd),
        ("bare CR", post("A: b\rC: d\r\n", ""), HeadError::LineEnd),
        ("CR at a line's end", post("A: b\r\r\n", ""), HeadError::LineEnd),
        ("NUL", post("A: b\0\r\n", ""), HeadError::Control),
        ("CL twice", post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), HeadError::Length),
        ("CL list", post("Content-Length: 3, 3\r\n", "abc"), HeadError::Length),
        ("CL sign", post("Content-Length: +3\r\n", "abc"), HeadError::Length),
        ("CL empty", post("Content-Length:\r\n", ""), HeadError::Length),
        ("CL hex", post("Content-Length: 0x3\r\n", "abc"), HeadError::Length),
        ("CL huge", post("Content-Length: 18446744073709551617\r\n", ""), HeadError::Length),
        ("chunk extension", post(chunked, "3;a=b\r\nabc\r\n0\r\n\r\n"), HeadError::Chunk),
        ("chunk space", post(chunked, "3 \r\nabc\r\n0\r\n\r\n"), HeadError::Chunk),
        ("chunk 0x", post(chunked, "0x3\r\nabc\r\n0\r\n\r\n"), HeadError::Chunk),
        ("chunk sign", post(chunked, "+3\r\nabc\r\n0\r\n\r\n"), HeadError::Chunk),
        ("chunk empty", post(chunked, "\r\nabc\r\n0\r\n\r\n"), HeadError::Chunk),
        ("chunk bare LF", post(chunked, "3\nabc\n0\n\n"), HeadError::LineEnd),
        ("chunk too long", post(chunked, "3\r\nabcd\r\n0\r\n\r\n"), HeadError::Chunk),
        ("chunk overflow", post(chunked, "10000000000000003\r\nabc\r\n0\r\n\r\n"), HeadError::Chunk),
        ("trailer", post(chunked, "0\r\nContent-Length: 3\r\n\r\n"), HeadError::Trailer),
        ("trailer secret", post(chunked, "0\r\nAuthorization: x\r\n\r\n"), HeadError::Trailer),
        ("trailer fold", post(chunked, "0\r\n A: b\r\n\r\n"), HeadError::Field),
        ("Host twice", post("Host: b.test\r\n", ""), HeadError::Host),
        ("no Host", whole("GET / HTTP/1.1\r\n\r\n"), HeadError::Host),
        (
            "a method too long",
            whole(&format!("{} / HTTP/1.1\r\nHost: a\r\n\r\n", "M".repeat(METHOD_BYTES_MAX + 1))),
            HeadError::RequestLine,
        ),
        ("version", whole("GET / HTTP/1.2\r\nHost: a\r\n\r\n"), HeadError::RequestLine),
        ("version 2", whole("PRI * HTTP/2.0\r\n\r\n"), HeadError::RequestLine),
        ("two spaces", whole("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), HeadError::RequestLine),
        ("tab", whole("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"), HeadError::RequestLine),
        ("0.9", whole("GET /\r\n\r\n"), HeadError::RequestLine),
        ("empty line first", whole("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), HeadError::RequestLine),
        ("beyond ASCII", whole("GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n"), HeadError::RequestLine),
        ("expectation", post("Expect: 200-ok\r\n", ""), HeadError::Expectation),
        ("upgrade", post("Upgrade: websocket\r\nContent-Length: 3\r\n", "abc"), HeadError::Upgrade),
    ];
    for (name, verdict, expected) in corpus {
        assert_eq!(verdict, Err(expected), "{name}");
    }
}

#[test]
fn a_head_has_a_length_and_a_number_of_fields() {
    assert_eq!(post(&"A: b\r\n".repeat(FIELDS_MAX - 1), ""), Ok(true));
    assert_eq!(post(&"A: b\r\n".repeat(FIELDS_MAX), ""), Err(HeadError::TooLong));
    assert_eq!(post(&format!("A: {}\r\n", "b".repeat(HEAD_BYTES_MAX)), ""), Err(HeadError::TooLong));
}

#[test]
fn what_follows_connect_or_a_websocket_is_not_read_as_http() {
    assert_eq!(whole("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n\u{16}\u{3}\u{1}"), Ok(false));
    assert_eq!(whole("GET / HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\n\r\n\0\u{1}"), Ok(false));
    let h2c = "GET / HTTP/1.1\r\nHost: a.test\r\nUpgrade: h2c\r\n\r\n\u{16}";
    assert_eq!(whole(h2c), Err(HeadError::Control), "no other protocol is changed to");
}
