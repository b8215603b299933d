//! What one line of a grant means, what it can't say, and that it gives the grant back.

use super::*;
use crate::net::budget::{ByteCount, Rate};
use crate::net::grant::Protocol;
use crate::net::host::Host;
use crate::net::model::ModelRule;
use proptest::prelude::*;

fn grant(line: &str) -> Grant {
    Grant::from_line(line, GrantOrigin::Flag).unwrap()
}

fn error(line: &str) -> AllowError {
    Grant::from_line(line, GrantOrigin::Flag).unwrap_err()
}

#[test]
fn what_is_left_out_has_the_narrow_meaning() {
    for (line, expected) in [
        ("api.example.com", "api.example.com:443"),
        ("GET,HEAD Api.Example.com./**", "api.example.com:443"),
        ("example.com:80", "http://example.com:80"),
        ("http://example.com", "http://example.com:80"),
        ("https://example.com:80", "https://example.com:80"),
        ("https://example.com/", "example.com:443/"),
        ("POST,GET example.com/a,/b/**", "GET,POST example.com:443/a,/b/**"),
        ("* example.com", "* example.com:443"),
        ("*.example.com", "*.example.com:443"),
        ("** example.com", "** example.com:443"),
        ("[::1]:8000", "[::1]:8000"),
        ("[2001:db8::1]", "[2001:db8::1]:443"),
        ("db.example.com:5432 protocols=tcp", "db.example.com:5432 protocols=tcp"),
        ("a.example protocols=websocket,http", "a.example:443 protocols=http,websocket"),
        ("a.example up=10 MB down=1GiB", "a.example:443 up=10MB down=1GiB"),
        ("a.example up=10 MB", "a.example:443 up=10MB"),
        ("a.example rate=20/s requests=5", "a.example:443 requests=5 rate=20/s"),
        ("a.example address=127.0.0.1,::1", "a.example:443 address=127.0.0.1,::1"),
        ("a.example/x=1/=", "a.example:443/x=1/="),
        ("POST http://a.example/x=1 query=deny", "POST http://a.example:80/x=1 query=deny"),
        ("a.example/@*%2f* credential=npm query=deny", "a.example:443/@*%2F* query=deny credential=npm"),
    ] {
        if line.starts_with("** ") {
            assert!(matches!(error(line), AllowError::Grant(GrantError::Method(_))));
            continue;
        }
        assert_eq!(grant(line).line(), expected, "{line}");
        assert_eq!(grant(expected), grant(line));
    }
    let plain = grant("a.example");
    assert!(plain.methods.permit("GET") && plain.methods.permit("HEAD") && !plain.methods.permit("POST"));
    assert!(plain.protocols.permit(Protocol::Http) && !plain.protocols.permit(Protocol::Websocket));
}

#[test]
fn what_is_passed_on_unread_can_carry_no_rule_that_needs_reading() {
    assert!(grant("a.example protocols=tcp up=1MB address=10.0.0.1").is_unread());
    for (line, key) in [
        ("GET a.example protocols=tcp", "methods"),
        ("* a.example protocols=tls-passthrough", "methods"),
        ("a.example/a protocols=tls-passthrough", "paths"),
        ("a.example/** protocols=tcp", "paths"),
        ("a.example protocols=tcp query=deny", "query"),
        ("a.example protocols=tcp credential=x", "credential"),
        ("a.example protocols=tls-passthrough model=openai", "model"),
        ("a.example protocols=http,websocket model=openai", "model"),
        ("http://a.example:1 protocols=tcp", "http://"),
    ] {
        let error = error(line);
        assert!(
            matches!(&error, AllowError::Grant(GrantError::Unread { key: found, .. }) if *found == key),
            "{line}: {error}"
        );
    }
    assert!(matches!(
        error("a.example protocols=http,tcp"),
        AllowError::Grant(GrantError::MixedProtocols(_))
    ));
}

#[test]
fn a_line_that_is_not_wholly_understood_is_refused() {
    for wrong in [
        "",
        "get a.example",
        "GET",
        "CONNECT a.example",
        "TRACE a.example",
        "GET, a.example",
        "a.example:0",
        "a.example:https",
        "ftp://a.example",
        "a.example b.example",
        "a.example/a?b",
        "a.example/a/../b",
        "a.example/a,b,/c,,/d",
        "user@a.example",
        "*.com",
        "**.com:80",
        "*",
        "a.*",
        "up=1MB",
        "GET up=1MB/a",
        "http://a=b/c",
        "a.example colour=red",
        "a.example up=1MB up=2MB",
        "a.example up=",
        "a.example up=1",
        "a.example up=1M",
        "a.example up=-1MB",
        "a.example up=99999999999TB",
        "a.example up=10 parsecs",
        "a.example rate=20",
        "a.example rate=0/s",
        "a.example rate=+2/s",
        "a.example requests=-1",
        "a.example requests=",
        "a.example query=maybe",
        "a.example protocols=",
        "a.example protocols=udp",
        "a.example credential=",
        "a.example credential=A",
        "a.example credential=-a",
        "a.example address=::ffff:10.0.0.1",
        "a.example address=a.b",
        "a.example model=other",
        "a.example model=openai/../v1",
        "a.example model=openai+",
        "a.example model=openai+tools:web_search,x",
        "a.example model=+web_search",
        "http://a.example credential=x",
    ] {
        assert!(Grant::from_line(wrong, GrantOrigin::Flag).is_err(), "{wrong}");
    }
    // In clear text only to where the owner said that it goes.
    assert!(grant("http://a.example credential=x address=127.0.0.1").credential.is_some());
    assert!(grant("http://127.0.0.1:8000 credential=x").credential.is_some());
}

#[test]
fn the_name_of_a_set_is_told_from_a_host() {
    let parse = |text: &str| AllowEntry::parse(text, GrantOrigin::Flag);
    for name in
        ["npm", "github-read", "github-push(acme/app)", "openai-compatible(https://models.example:8443/v1)"]
    {
        assert_eq!(parse(name), Ok(AllowEntry::Set(name.to_owned())));
    }
    for line in ["localhost:80", "a.example", "GET localhost:1", "*.a.example", "localhost/x"] {
        assert!(matches!(parse(line), Ok(AllowEntry::Grant(_))), "{line}");
    }
    for wrong in ["npm()", "npm(a", "npm(a b)", "npm(a)(b)", "-a", "npm(a\u{202e}b)", "(a)", ""] {
        assert!(parse(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn sizes_have_units_and_print_as_they_are() {
    for (text, bytes) in
        [("10 MB", 10_000_000), ("1GiB", 1 << 30), ("0B", 0), ("5kb", 5_000), ("1000MB", 1_000_000_000)]
    {
        assert_eq!(text.parse::<ByteCount>(), Ok(ByteCount(bytes)));
    }
    assert_eq!(ByteCount(1_000_000_000).to_string(), "1GB");
    assert_eq!("7/s".parse::<Rate>().unwrap().to_string(), "7/s");
}

fn host() -> impl Strategy<Value = HostPattern> {
    prop_oneof![
        "(\\*{0,2}\\.)?[a-z][a-z0-9]{0,3}(\\.[a-z]{1,4}){1,2}",
        Just("[::1]".to_owned()),
        Just("10.0.0.1".to_owned()),
    ]
    .prop_filter_map("no host", |text| text.parse().ok())
}

fn methods() -> impl Strategy<Value = Methods> {
    prop_oneof![
        Just(Methods::Any),
        prop::collection::vec("[A-Z]{1,6}(-[A-Z]{1,4})?", 1..4)
            .prop_filter_map("no method", |names| Methods::parse(names.iter().map(String::as_str)).ok()),
    ]
}

fn budget() -> impl Strategy<Value = Budget> {
    let rate = prop::option::of((1_u32..).prop_filter_map("0", |number| format!("{number}/s").parse().ok()));
    (any::<Option<u64>>(), prop::option::of(0_u64..5), any::<Option<u64>>(), rate).prop_map(
        |(up, down, requests, rate)| Budget {
            up: up.map(ByteCount),
            down: down.map(|count| ByteCount(count << 30)),
            requests,
            rate,
        },
    )
}

fn model() -> impl Strategy<Value = ModelRule> {
    let text = "(anthropic|openai|gemini)(/|(/[a-z0-9]{1,3}){1,3})?([+][a-z_]{1,5}){0,3}";
    text.prop_filter_map("no rule", |text| text.parse().ok())
}

prop_compose! {
    fn any_grant()(
        host in host(),
        port in (1_u16..).prop_filter_map("0", Port::new),
        methods in methods(),
        paths in prop::collection::vec("(/[a-z*,%2f]{1,4}){1,3}/?(\\*\\*)?", 1..4),
        (query, websocket, unread) in (any::<bool>(), any::<bool>(), any::<Option<bool>>()),
        credential in prop::option::of("[a-z][a-z0-9-]{0,5}"),
        budget in budget(),
        addresses in prop::collection::vec(any::<IpAddr>(), 0..3),
        (clear, model) in (any::<bool>(), prop::option::of(model())),
    ) -> Option<Grant> {
        let mut grant = Grant::to(host, port, GrantOrigin::Policy);
        grant.addresses = addresses.into_iter().map(|address| address.to_canonical()).collect();
        grant.budget = budget;
        if let Some(tcp) = unread {
            let protocol = if tcp { Protocol::Tcp } else { Protocol::TlsPassthrough };
            grant.protocols = Protocols::new([protocol]).ok()?;
            (grant.methods, grant.paths) = (Methods::none(), Vec::new());
            return grant.checked().ok();
        }
        grant.methods = methods;
        grant.paths = paths.iter().filter_map(|text| text.parse().ok()).collect();
        grant.query = if query { QueryRule::Deny } else { QueryRule::Allow };
        grant.credential = credential.and_then(|name| name.parse().ok());
        let websocket = (websocket && model.is_none()).then_some(Protocol::Websocket);
        grant.protocols = Protocols::new(websocket.into_iter().chain([Protocol::Http])).ok()?;
        grant.scheme = if clear { Scheme::Http } else { Scheme::Https };
        grant.model = model;
        grant.checked().ok()
    }
}

proptest! {
    #[test]
    fn a_line_gives_the_grant_back(grant in any_grant()) {
        if let Some(grant) = grant {
            let line = grant.line();
            let read = Grant::from_line(&line, GrantOrigin::Policy);
            prop_assert_eq!(read.as_ref(), Ok(&grant), "{}", line);
            let told = serde_json::to_string(&grant).unwrap();
            prop_assert_eq!(serde_json::from_str::<Grant>(&told).unwrap(), grant);
        }
    }
}

#[test]
fn a_host_of_a_grant_is_kept_as_it_was_understood() {
    let host = HostPattern::Exactly(Host::parse("a.example").unwrap());
    assert_eq!(grant("A.EXAMPLE.:443").host, host);
}

#[test]
fn a_line_may_be_so_long_and_no_longer() {
    let grant = "GET a.example/x";
    let line = |bytes: usize| format!("{grant}{}", " ".repeat(bytes - grant.len()));
    assert!(Grant::from_line(&line(ALLOW_BYTES_MAX), GrantOrigin::Flag).is_ok());
    let longer = Grant::from_line(&line(ALLOW_BYTES_MAX + 1), GrantOrigin::Flag);
    assert!(matches!(longer, Err(AllowError::Length)), "{longer:?}");
}
