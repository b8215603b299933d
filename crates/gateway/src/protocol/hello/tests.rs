//! The first message of TLS, whole, in pieces, and broken.

use super::*;

/// A hello with these extensions, as one handshake message.
fn message(extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.push(0);
    body.extend([0, 2, 0x13, 0x01, 1, 0]);
    let mut list = Vec::new();
    for (kind, content) in extensions {
        list.extend(kind.to_be_bytes());
        list.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
        list.extend(content);
    }
    body.extend(u16::try_from(list.len()).unwrap().to_be_bytes());
    body.extend(list);
    let mut message = vec![1, 0];
    message.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    message.extend(body);
    message
}

fn records(message: &[u8], bytes_each: usize) -> Vec<u8> {
    let record = |fragment: &[u8]| {
        let length = u16::try_from(fragment.len()).unwrap().to_be_bytes();
        [&[22, 3, 1][..], &length, fragment].concat()
    };
    message.chunks(bytes_each).flat_map(record).collect()
}

fn named(name: &str) -> (u16, Vec<u8>) {
    let length = u16::try_from(name.len()).unwrap();
    let entry = [&[0][..], &length.to_be_bytes(), name.as_bytes()].concat();
    (0, [&(length + 3).to_be_bytes()[..], &entry].concat())
}

fn read_whole(extensions: &[(u16, Vec<u8>)]) -> Result<Option<Hello>, HelloError> {
    read(&records(&message(extensions), 4096))
}

#[test]
fn the_server_name_is_found_however_the_hello_is_cut() {
    let message = message(&[(43, vec![2, 3, 4]), named("a.test")]);
    let expected = Hello { server_name: Some(b"a.test".to_vec()), encrypted: false };
    for bytes_each in 1..=message.len() {
        let stream = records(&message, bytes_each);
        assert_eq!(read(&stream), Ok(Some(expected.clone())), "{bytes_each} bytes a record");
        for cut in 0..stream.len() {
            assert_eq!(read(&stream[..cut]), Ok(None), "{cut} of {bytes_each} bytes a record");
        }
    }
}

#[test]
fn an_encrypted_hello_is_told() {
    let hello = read_whole(&[named("outer.test"), (0xFE0D, vec![0; 8])]).unwrap().unwrap();
    assert!(hello.encrypted);
    assert!(!read_whole(&[named("outer.test")]).unwrap().unwrap().encrypted);
}

#[test]
fn a_name_that_could_be_read_in_two_ways_is_none() {
    assert_eq!(read_whole(&[named("a.test"), named("b.test")]), Err(HelloError::Ambiguous));
    let two =
        [0, 18, 0, 0, 6, b'a', b'.', b't', b'e', b's', b't', 0, 0, 6, b'b', b'.', b't', b'e', b's', b't'];
    assert_eq!(read_whole(&[(0, two.to_vec())]), Err(HelloError::Ambiguous));
    assert_eq!(read_whole(&[(0, vec![0, 4, 1, 0, 1, b'a'])]), Err(HelloError::Malformed));
    assert_eq!(read_whole(&[(0, vec![0, 3, 0, 0, 0])]), Err(HelloError::Malformed));
    assert_eq!(read_whole(&[]).unwrap().unwrap().server_name, None);
}

#[test]
fn what_is_no_hello_is_refused_at_its_first_bytes() {
    assert_eq!(read(b"GET / HTTP/1.1"), Err(HelloError::Record));
    assert_eq!(read(&[22, 2]), Err(HelloError::Record));
    assert_eq!(read(&[22, 3, 1, 0, 0]), Err(HelloError::Record));
    assert_eq!(read(&[22, 3, 1, 0x40, 1]), Err(HelloError::Record));
    assert_eq!(read(&[22, 3, 1, 0, 1, 2]), Err(HelloError::Malformed));
    let mut more = message(&[named("a.test")]);
    more.push(0);
    assert_eq!(read(&records(&more, 4096)), Err(HelloError::Malformed));
}

#[test]
fn a_hello_has_a_length() {
    assert_eq!(read(&[22, 3, 1, 0, 4, 1, 1, 0, 0]), Err(HelloError::TooLong));
    let small = records(&[1, 0, 0x70, 0], 1).repeat(1);
    let stream = [small, [22, 3, 1, 0, 1, 0].repeat(HELLO_BYTES_MAX / 6)].concat();
    assert_eq!(read(&stream), Err(HelloError::TooLong));
}
