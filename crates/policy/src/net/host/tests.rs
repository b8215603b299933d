//! What names a host, what doesn't, and that no two parsers could disagree about what we take.

use super::*;
use proptest::prelude::*;

fn printed(text: &str) -> Result<String, HostError> {
    Host::parse(text).map(|host| host.to_string())
}

#[test]
fn plain_hosts_are_taken_in_their_one_spelling() {
    let long = format!("{}.{}.{}.{}", "a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61));
    for (text, expected) in [
        ("example.com", "example.com"),
        ("EXAMPLE.Com", "example.com"),
        ("example.com.", "example.com"),
        ("localhost", "localhost"),
        ("_service.a-b.example", "_service.a-b.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("1e100.net", "1e100.net"),
        ("127.0.0.1.example", "127.0.0.1.example"),
        ("3com", "3com"),
        ("127.0.0.1", "127.0.0.1"),
        ("[2001:DB8::1]", "[2001:db8::1]"),
        ("[0:0:0:0:0:0:0:1]", "[::1]"),
        (long.as_str(), long.as_str()),
    ] {
        assert_eq!(printed(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn what_others_could_read_as_another_host_is_refused() {
    use HostError::{
        Byte, EmptyLabel, HyphenAtEdge, LabelTooLong, LooksNumeric, MappedAddress, NotAnAddress, NotAscii,
        TooLong,
    };
    let label = format!("{}.example", "a".repeat(64));
    let label_of_255 = "a".repeat(255);
    let name = format!("{}example", "abcdefg.".repeat(31));
    let table = [
        ("", HostError::Empty),
        (".", EmptyLabel),
        ("a..b", EmptyLabel),
        (".a", EmptyLabel),
        ("a..", EmptyLabel),
        ("a\0.b", Byte(0)),
        ("a%00.b", Byte(b'%')),
        ("a%2eb", Byte(b'%')),
        ("a\r\nb", Byte(b'\r')),
        ("a\nHost: b", Byte(b'\n')),
        ("good.example@evil.example", Byte(b'@')),
        ("a:b@c", Byte(b':')),
        ("a b", Byte(b' ')),
        (" a", Byte(b' ')),
        ("a\tb", Byte(b'\t')),
        ("a/b", Byte(b'/')),
        ("a\\b", Byte(b'\\')),
        ("a?b", Byte(b'?')),
        ("a#b", Byte(b'#')),
        ("a,b", Byte(b',')),
        ("*.a.b", Byte(b'*')),
        ("::1", Byte(b':')),
        ("bücher.example", NotAscii),
        ("ехample.com", NotAscii),
        ("example。com", NotAscii),
        ("ｅxample.com", NotAscii),
        ("-a.example", HyphenAtEdge),
        ("a-.example", HyphenAtEdge),
        ("xn--.example", HyphenAtEdge),
        ("xn--google-.example", HyphenAtEdge),
        ("0", LooksNumeric),
        ("2130706433", LooksNumeric),
        ("0x7f000001", LooksNumeric),
        ("0X7f.1", LooksNumeric),
        ("0x", LooksNumeric),
        ("0177.0.0.1", LooksNumeric),
        ("127.1", LooksNumeric),
        ("127.0.0.01", LooksNumeric),
        ("127.0.0.0x1", LooksNumeric),
        ("127.0.0.256", LooksNumeric),
        ("1.2.3.4.5", LooksNumeric),
        ("a.1", LooksNumeric),
        ("127.0.0.1.", LooksNumeric),
        ("[::ffff:127.0.0.1]", MappedAddress),
        ("[::ffff:7f00:1]", MappedAddress),
        ("[fe80::1%eth0]", NotAnAddress),
        ("[fe80::1%25eth0]", NotAnAddress),
        ("[::1", NotAnAddress),
        ("[::1].", NotAnAddress),
        ("[127.0.0.1]", NotAnAddress),
        ("[v1.a]", NotAnAddress),
        ("[]", NotAnAddress),
        (label.as_str(), LabelTooLong),
        (label_of_255.as_str(), TooLong),
        (name.as_str(), TooLong),
    ];
    for (text, expected) in table {
        assert_eq!(printed(text), Err(expected), "{text:?}");
    }
    assert_eq!(Host::parse(b"a\xff.b"), Err(NotAscii));
}

#[test]
fn a_socket_that_takes_both_families_names_the_same_host() {
    let mapped = "::ffff:192.0.2.1".parse::<IpAddr>().unwrap();
    assert_eq!(Host::from(mapped), Host::parse("192.0.2.1").unwrap());
}

#[test]
fn an_authority_is_a_host_with_one_port_or_none() {
    let parse = |text: &str| Destination::parse(text, Port::HTTPS).map(|place| place.to_string());
    assert_eq!(parse("A.example").as_deref(), Ok("a.example:443"));
    assert_eq!(parse("a.example.:8080").as_deref(), Ok("a.example:8080"));
    assert_eq!(parse("[::1]:1").as_deref(), Ok("[::1]:1"));
    assert_eq!(parse("[::1]").as_deref(), Ok("[::1]:443"));
    for wrong in
        ["a:", "a:0", "a:65536", "a:+1", "a:01", "a: 1", "a:1:2", "[::1]x:1", "u@a:1", "a:1@b", ":1", ""]
    {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_wildcard_means_what_is_below_and_never_the_apex() {
    let matches = |pattern: &str, host: &str| {
        pattern.parse::<HostPattern>().unwrap().matches(&Host::parse(host).unwrap())
    };
    assert!(matches("*.example.com", "a.example.com") && matches("**.example.com", "a.example.com"));
    assert!(matches("**.example.com", "b.a.example.com") && !matches("*.example.com", "b.a.example.com"));
    for pattern in ["*.example.com", "**.example.com"] {
        for host in
            ["example.com", "example.com.", "aexample.com", "a.example.com.evil.example", "com", "[::1]"]
        {
            assert!(!matches(pattern, host), "{pattern} {host}");
        }
    }
    assert!(matches("Example.com", "example.com.") && !matches("example.com", "a.example.com"));
    assert!(
        matches("[::1]", "[0::1]") && matches("10.0.0.1", "10.0.0.1") && !matches("10.0.0.1", "10.0.0.2")
    );
}

#[test]
fn a_star_stands_only_before_a_name() {
    for wrong in [
        "*",
        "**",
        "*.",
        "**.",
        "a.*.b",
        "*a.b",
        "a*",
        "***.a.b",
        "*.*.a",
        "*.1.2",
        "*.10.0.0.1",
        "*.[::1]",
        "",
    ] {
        assert!(wrong.parse::<HostPattern>().is_err(), "{wrong}");
    }
    assert!("*.com".parse::<HostPattern>().unwrap().is_of_top_level());
    assert!(!"*.example.com".parse::<HostPattern>().unwrap().is_of_top_level());
}

proptest! {
    #[test]
    fn case_and_one_dot_change_nothing(name in "[a-z0-9_-]{1,8}(\\.[a-z0-9-]{1,8}){0,3}", flips: u64) {
        let flip = |(at, character): (usize, char)| {
            if flips >> (at % 64) & 1 == 1 { character.to_ascii_uppercase() } else { character }
        };
        let shouted: String = name.chars().enumerate().map(flip).collect();
        let plain = Host::parse(&name);
        prop_assert_eq!(&Host::parse(&shouted), &plain);
        if let Ok(Host::Name(_)) = plain {
            prop_assert_eq!(&Host::parse(format!("{shouted}.")), &plain);
        }
        if let Ok(plain) = plain {
            for pattern in [format!("**.{shouted}"), format!("*.{name}"), shouted.clone()] {
                if let Ok(pattern) = pattern.parse::<HostPattern>() {
                    prop_assert!(pattern.matches(&plain) == (pattern == HostPattern::Exactly(plain.clone())));
                    prop_assert_eq!(pattern.to_string().parse::<HostPattern>(), Ok(pattern));
                }
            }
        }
    }

    #[test]
    fn what_is_printed_is_read_back(host in "\\PC{0,12}|[0-9.x]{1,12}|\\[[0-9a-f:.]{2,20}\\]") {
        if let Ok(host) = Host::parse(&host) {
            prop_assert_eq!(Host::parse(host.to_string()), Ok(host));
        }
    }
}
