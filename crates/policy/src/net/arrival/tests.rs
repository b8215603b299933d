//! What a cell can say of a connection, and what it can't.

use super::*;

#[test]
fn an_arrival_is_read_back_and_the_longest_fits() {
    let name = format!("{}.{}.{}.{}", "a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61));
    for (destination, name) in [
        ("192.0.2.1:443", None),
        ("[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535", Some(DnsName::parse(name).unwrap())),
    ] {
        let arrival = Arrival { destination: destination.parse().unwrap(), name };
        let bytes = arrival.encode();
        assert!(bytes.len() <= ARRIVAL_BYTES_MAX);
        assert_eq!(Arrival::decode(&bytes).unwrap(), arrival);
    }
}

#[test]
fn an_arrival_that_says_more_or_names_no_place_is_refused() {
    assert!(Arrival::decode(br#"{"v":1,"to":"192.0.2.1:1","name":"a.b"}"#).is_ok());
    for wrong in [
        r#"{"v":2,"to":"192.0.2.1:1"}"#,
        r#"{"v":1,"to":"192.0.2.1:0"}"#,
        r#"{"v":1,"to":"192.0.2.1"}"#,
        r#"{"v":1,"to":"[fe80::1%lo]:1"}"#,
        r#"{"v":1,"to":"a.b:1"}"#,
        r#"{"v":1,"to":"192.0.2.1:1","name":"a b"}"#,
        r#"{"v":1,"to":"192.0.2.1:1","name":"10.0.0.1"}"#,
        r#"{"v":1,"to":"192.0.2.1:1","grant":"a.b"}"#,
        r#"{"v":1,"to":"192.0.2.1:1"} "x""#,
        "",
    ] {
        assert!(Arrival::decode(wrong.as_bytes()).is_err(), "{wrong}");
    }
    let padded = |bytes: usize| format!("{:<bytes$}", r#"{"v":1,"to":"192.0.2.1:1"}"#);
    assert!(Arrival::decode(padded(ARRIVAL_BYTES_MAX).as_bytes()).is_ok());
    let longer = Arrival::decode(padded(ARRIVAL_BYTES_MAX + 1).as_bytes());
    assert!(matches!(longer, Err(ArrivalError::TooLong)));
}
