//! Any bytes are refused as a host, or understood so that there is one spelling of it.

use super::*;
use cofferdam_fuzz::{fuzz, parts};

#[test]
fn a_host_has_one_spelling_or_none() {
    fuzz("host", target);
}

fn target(input: &[u8]) -> [String; 3] {
    let [pattern, host] = parts(input);
    let parsed = Host::parse(host);
    if let Ok(host) = &parsed {
        let text = host.to_string();
        assert!(text.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase()), "{text:?}");
        assert_eq!(Host::parse(&text), Ok(host.clone()));
        let place = Destination { host: host.clone(), port: Port::HTTP };
        assert_eq!(Destination::parse(place.to_string(), Port::HTTPS), Ok(place.clone()));
        assert_eq!(Destination::parse(&text, Port::HTTP), Ok(place));
        match host {
            Host::Name(name) => {
                assert!(name.as_str().parse::<IpAddr>().is_err(), "{text:?}");
                assert_eq!(DnsName::parse(&text), Ok(name.clone()));
                assert!(!name.as_str().ends_with('.') && name.as_str().len() <= NAME_BYTES_MAX);
            }
            Host::Address(address) => assert_eq!(*address, address.to_canonical()),
        }
        assert!(HostPattern::Exactly(host.clone()).matches(host));
    }
    let place = Destination::parse(host, Port::HTTPS).map(|place| place.to_string());
    if let Ok(text) = &place {
        assert_eq!(&Destination::parse(text, Port::HTTP).unwrap().to_string(), text);
    }
    let read = std::str::from_utf8(pattern).ok().and_then(|text| text.parse::<HostPattern>().ok());
    let mut outcome = format!("{:?}", read.as_ref().map(std::mem::discriminant));
    if let Some(pattern) = &read {
        assert_eq!(pattern.to_string().parse::<HostPattern>().as_ref(), Ok(pattern));
        if let Ok(host) = &parsed {
            let is_meant = pattern.matches(host);
            assert_eq!(is_meant, reads_as(&pattern.to_string(), &host.to_string()), "{pattern} {host}");
            outcome.push_str(if is_meant { "+" } else { "-" });
        }
    }
    let kind = |error: HostError| format!("{error:?}");
    [
        outcome,
        parsed.map_or_else(kind, |host| format!("{}", host.name().is_some())),
        place.map_or_else(kind, |_| String::new()),
    ]
}

/// The same once more, by labels.
fn reads_as(pattern: &str, host: &str) -> bool {
    let labels: Vec<&str> = host.split('.').collect();
    let wanted: Vec<&str> = pattern.split('.').collect();
    match wanted.as_slice() {
        ["*", rest @ ..] => labels.len() == rest.len() + 1 && labels.ends_with(rest),
        ["**", rest @ ..] => labels.len() > rest.len() && labels.ends_with(rest),
        all => labels == all,
    }
}
