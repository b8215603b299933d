//! SOCKS5 as clients speak it, and as they should not.

use super::*;

#[test]
fn a_client_without_authentication_is_greeted() {
    assert_eq!(greeting(&[5, 2, 2, 0]), Ok(Some(4)));
    assert_eq!(greeting(&[5, 2, 0]), Ok(None));
    assert_eq!(greeting(&[5, 1, 2]), Err(SocksError::Methods));
    assert_eq!(greeting(&[4, 1, 0, 80, 0, 0, 0, 1, 0]), Err(SocksError::Version), "SOCKS4a");
    assert_eq!(greeting(b"GET /"), Err(SocksError::Version));
}

#[test]
fn names_and_addresses_are_read() {
    let named = [&[5, 1, 0, 3, 6][..], b"a.test", &[1, 187, 9]].concat();
    assert_eq!(request(&named), Ok(Some((Target::Name(b"a.test".to_vec(), 443), 13))));
    let v4 = [5, 1, 0, 1, 192, 0, 2, 1, 0, 80];
    assert_eq!(request(&v4), Ok(Some((Target::Address("192.0.2.1".parse().unwrap(), 80), 10))));
    let v6 = [&[5, 1, 0, 4][..], &[0; 15], &[1, 0, 80]].concat();
    assert_eq!(request(&v6), Ok(Some((Target::Address("::1".parse().unwrap(), 80), 22))));
    for stream in [&named[..13], &v4, &v6] {
        for cut in 0..stream.len() {
            assert_eq!(request(&stream[..cut]), Ok(None));
        }
    }
}

#[test]
fn other_commands_and_addresses_are_told_so() {
    let refusals = [
        (&[5, 2, 0, 1, 0, 0, 0, 0, 0, 0], SocksError::Command, 7),
        (&[5, 3, 0, 1, 0, 0, 0, 0, 0, 0], SocksError::Command, 7),
        (&[5, 1, 0, 2, 0, 0, 0, 0, 0, 0], SocksError::AddressKind, 8),
        (&[5, 1, 0, 3, 0, 0, 0, 0, 0, 0], SocksError::Malformed, 1),
        (&[5, 1, 1, 1, 0, 0, 0, 0, 0, 0], SocksError::Malformed, 1),
        (&[4, 1, 0, 1, 0, 0, 0, 0, 0, 0], SocksError::Version, 1),
    ];
    for (bytes, expected, code) in refusals {
        assert_eq!(request(bytes), Err(expected));
        assert_eq!(expected.reply().bytes()[1], code);
    }
    assert_eq!(Reply::Succeeded.bytes()[..2], [5, 0]);
}
