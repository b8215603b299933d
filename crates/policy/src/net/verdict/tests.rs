//! Each way past a grant that is known, and what goes through beside it; and laws of judging.

use super::*;
use crate::net::grant::GrantOrigin;
use crate::net::host::Port;
use proptest::prelude::*;
use std::io::Write as _;
use std::time::{Duration, Instant};

fn grants(lines: &[&str]) -> Grants {
    but(lines, &[])
}

fn but(lines: &[&str], denied: &[&str]) -> Grants {
    let grants = lines.iter().map(|line| Grant::from_line(line, GrantOrigin::Flag).unwrap());
    Grants::but(grants.collect(), denied.iter().map(|text| text.parse().unwrap()).collect())
}

fn to(text: &str) -> Destination {
    Destination::parse(text, Port::HTTPS).unwrap()
}

/// `METHOD host[:port]/path[?query]`
fn judged(grants: &Grants, request: &str) -> Result<RequestPermit, Refusal> {
    judged_as(grants, request, Upgrade::None, &[])
}

fn judged_as(
    grants: &Grants,
    request: &str,
    upgrade: Upgrade,
    headers: &[&str],
) -> Result<RequestPermit, Refusal> {
    let (method, rest) = request.split_once(' ').unwrap();
    let (authority, target) = rest.split_at(rest.find('/').unwrap());
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let place = to(authority);
    let scheme = Scheme::usual_at(place.port);
    let head = Head { method, path, query, upgrade, header_names: headers, authority: &place, scheme };
    grants.judge(&place, &head)
}

#[track_caller]
fn refused(grants: &Grants, request: &str) -> RefusalReason {
    judged(grants, request).unwrap_err().reason
}

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn a_refusal_names_the_first_respect_that_is_not_granted() {
    use RefusalReason::*;
    let grants = grants(&[
        "GET,POST api.example.com/repos/acme/** credential=github",
        "GET api.example.com/status query=deny",
        "GET *.cdn.example.com",
        "db.example.com:5432 protocols=tcp",
    ]);
    for request in [
        "GET api.example.com/repos/acme/app?page=2",
        "POST API.example.com./repos/acme/app",
        "GET api.example.com/status",
        "GET a.cdn.example.com/",
    ] {
        assert!(judged(&grants, request).is_ok(), "{request}");
    }
    for (request, reason) in [
        ("GET other.example.com/", HostNotGranted),
        ("GET cdn.example.com/", HostNotGranted),
        ("GET a.b.cdn.example.com/", HostNotGranted),
        ("GET api.example.com.evil.example/repos/acme/app", HostNotGranted),
        ("GET 1.2.3.4/", HostNotGranted),
        ("GET api.example.com:8443/repos/acme/app", PortNotGranted),
        ("GET db.example.com:443/", PortNotGranted),
        ("GET db.example.com:5432/", ProtocolNotGranted),
        ("DELETE api.example.com/repos/acme/app", MethodNotGranted),
        ("get api.example.com/repos/acme/app", MethodNotGranted),
        ("CONNECT api.example.com/repos/acme/app", MethodNotGranted),
        ("TRACE api.example.com/x", MethodNotGranted),
        ("GET api.example.com/repos/other/app", PathNotGranted),
        ("GET api.example.com/repos/ACME/app", PathNotGranted),
        ("POST api.example.com/status", MethodNotGranted),
        ("GET api.example.com/status?x", QueryNotGranted),
        ("GET api.example.com/status?", QueryNotGranted),
        ("GET api.example.com/repos/acme/../other/app", PathNotCanonical),
        ("GET api.example.com/repos/acme/%2e%2e/other", PathNotCanonical),
        ("GET api.example.com/repos/acme/..%2fother", PathNotCanonical),
        ("GET api.example.com/repos/acme/a%2fb", PathNotCanonical),
        ("GET api.example.com//repos/acme/a", PathNotCanonical),
        ("GET api.example.com/repos/acme/;/a", PathNotCanonical),
        ("GET api.example.com/repos/acme/\\a", PathNotCanonical),
    ] {
        assert_eq!(refused(&grants, request), reason, "{request}");
    }
    assert_eq!(refused(&Grants::new(Vec::new()), "GET a.example/"), HostNotGranted);
}

#[test]
fn what_is_offered_allows_exactly_what_was_refused() {
    let none = grants(&["GET api.example.com/a query=deny", "GET a.example:81"]);
    for (request, upgrade, line) in [
        ("DELETE new.example:8443/a/b?c=d", Upgrade::None, "DELETE new.example:8443/a/b"),
        ("GET new.example:80/", Upgrade::None, "GET http://new.example:80/ query=deny"),
        ("GET api.example.com/a?b", Upgrade::None, "GET api.example.com:443/a"),
        ("PUT api.example.com/a", Upgrade::None, "PUT api.example.com:443/a query=deny"),
        ("GET a.example/a,b/x=1", Upgrade::None, "GET a.example:443/a,b/x=1 query=deny"),
        (
            "GET new.example/chat",
            Upgrade::WebSocket,
            "GET new.example:443/chat protocols=websocket query=deny",
        ),
        ("GET [2001:db8::1]/@a%2fb", Upgrade::None, "GET [2001:db8::1]:443/@a%2Fb query=deny"),
    ] {
        let refusal = judged_as(&none, request, upgrade, &[]).unwrap_err();
        if request.contains("%2f") {
            assert_eq!(refusal.reason, RefusalReason::HostNotGranted);
        }
        assert_eq!(refusal.allow.as_deref(), Some(line), "{request}");
        assert!(judged_as(&grants(&[line]), request, upgrade, &[]).is_ok(), "{request}");
    }
    for request in [
        "CONNECT a.example/",
        "TRACE a.example/",
        "GET a.example/../b",
        "get a.example/",
        // A pattern would mean more than these.
        "GET a.example/*/*/*",
        "GET a.example/**",
        "GET a.example/c,",
    ] {
        assert_eq!(judged(&none, request).unwrap_err().allow, None, "{request}");
    }
}

/// What is asked of a place is offered without what the owner binds to that place: the model rule is gone, another
/// account is used, or more is let out.
#[test]
fn the_attack_of_an_offer_that_drops_a_rule_credential_or_budget_is_offered_what_keeps_them() {
    let offered = |lines: &[&str], request: &str| judged(&grants(lines), request).unwrap_err().allow;
    let model = "POST a.example/v1/chat/completions credential=m model=openai up=1MB";
    for request in
        ["POST a.example/v1/chat/completions/", "GET a.example/x", "PUT a.example/v1/chat/completions"]
    {
        assert_eq!(offered(&[model], request), None, "{request}");
    }
    // Another port is another place.
    assert_eq!(offered(&[model], "GET a.example:81/x").as_deref(), Some("GET a.example:81/x query=deny"));
    let wild = "POST **.example.com/v1/** model=openai";
    assert_eq!(offered(&[wild], "POST a.example.com/v2"), None);
    for (lines, request, expected) in [
        (
            &["GET a.example/r/** credential=c up=1MB"][..],
            "DELETE a.example/r/x",
            Some("DELETE a.example:443/r/x query=deny credential=c up=1MB"),
        ),
        (
            &["POST a.example/up/** up=1kB query=deny"],
            "POST a.example/up/x?a",
            Some("POST a.example:443/up/x up=1kB"),
        ),
        (
            &["GET a.example/a up=3kB rate=5/s", "GET *.example.com", "GET a.example/b up=2kB requests=7"],
            "GET a.example/c",
            Some("GET a.example:443/c query=deny up=2kB requests=7 rate=5/s"),
        ),
        (&["GET a.example/a credential=c", "GET a.example/b credential=d"], "GET a.example/c", None),
        (
            &["GET a.example/a credential=c", "PUT a.example/b credential=c"],
            "GET a.example/c",
            Some("GET a.example:443/c query=deny credential=c"),
        ),
        (
            &["GET a.example/a", "GET a.example/b address=10.0.0.7"],
            "GET a.example/c",
            Some("GET a.example:443/c query=deny address=10.0.0.7"),
        ),
        (
            &["GET a.example.com/a credential=c", "GET **.example.com/b credential=c"],
            "GET a.example.com/c",
            Some("GET a.example.com:443/c query=deny credential=c"),
        ),
        (
            &["GET **.example.com credential=c"],
            "PUT a.example.com/c",
            Some("PUT a.example.com:443/c query=deny credential=c"),
        ),
    ] {
        assert_eq!(offered(lines, request).as_deref(), expected, "{lines:?} {request}");
        if let Some(line) = expected {
            let all: Vec<&str> = lines.iter().copied().chain([line]).collect();
            assert!(judged(&grants(&all), request).is_ok(), "{line}");
        }
    }
    // The control: nothing is bound to the place.
    assert_eq!(
        offered(&["GET a.example/a"], "PUT a.example/a").as_deref(),
        Some("PUT a.example:443/a query=deny")
    );
}

#[test]
fn the_attack_of_speaking_clear_text_is_not_offered_the_credential_in_clear_text() {
    let lines = ["GET a.example.com/a credential=c address=10.0.0.7", "GET **.example.com address=10.0.0.8"];
    let place = to("a.example.com");
    let head = Head {
        method: "PUT",
        path: "/a",
        query: None,
        upgrade: Upgrade::None,
        header_names: &[],
        authority: &place,
        scheme: Scheme::Http,
    };
    let offered = grants(&lines).judge(&place, &head).unwrap_err().allow;
    assert_eq!(offered.as_deref(), Some("PUT a.example.com:443/a query=deny credential=c address=10.0.0.7"));
    let tcp = |lines: &[&str]| {
        let grants = grants(lines);
        let refusal = Refusal::of_connection(RefusalReason::ProtocolNotGranted, &place);
        grants.offering_tcp(refusal).allow
    };
    assert_eq!(tcp(&["GET a.example.com/a credential=c"]), None);
    assert_eq!(tcp(&["POST a.example.com/v1/** model=openai"]), None);
    assert_eq!(tcp(&["GET a.example.com up=1kB"]).as_deref(), Some("a.example.com:443 protocols=tcp up=1kB"));
}

#[test]
fn a_host_header_that_names_another_place_is_refused() {
    let grants = grants(&["GET a.example", "GET b.example", "GET a.example:8443"]);
    let place = to("a.example");
    let judge = |authority: &str| {
        let authority = to(authority);
        let head = Head {
            method: "GET",
            path: "/",
            query: None,
            upgrade: Upgrade::None,
            header_names: &[],
            authority: &authority,
            scheme: Scheme::Https,
        };
        grants.judge(&place, &head).map_err(|refusal| refusal.reason)
    };
    assert!(judge("a.example").is_ok() && judge("A.example.:443").is_ok());
    for other in ["b.example", "a.example:8443", "evil.example", "127.0.0.1"] {
        assert_eq!(judge(other).unwrap_err(), RefusalReason::AuthorityMismatch, "{other}");
    }
}

#[test]
fn headers_that_take_back_the_judged_method_or_url_are_refused() {
    let narrow = grants(&["GET a.example credential=x", "GET b.example/a", "* c.example"]);
    for name in [
        "X-HTTP-Method-Override",
        "x-http-method",
        "X-Method-Override",
        "X_HTTP_METHOD_OVERRIDE",
        "X.HTTP.Method.Override",
        "x-original-path",
        "X-Original-URL",
        "x-rewrite-url",
    ] {
        for request in ["GET a.example/", "GET b.example/a"] {
            let refusal = judged_as(&narrow, request, Upgrade::None, &["accept", name]).unwrap_err();
            assert_eq!(refusal.reason, RefusalReason::HeaderOverride, "{name}");
        }
        // Nothing is narrowed there that the header could take back.
        assert!(judged_as(&narrow, "GET c.example/", Upgrade::None, &[name]).is_ok());
    }
    assert!(judged_as(&narrow, "GET a.example/", Upgrade::None, &["x-http-methods", "x-request-id"]).is_ok());
}

#[test]
fn a_connection_becomes_only_what_is_granted() {
    let grants = grants(&["GET a.example", "GET a.example/chat protocols=http,websocket"]);
    let judge = |request: &str, upgrade| {
        judged_as(&grants, request, upgrade, &[])
            .map(|permit| permit.protocol())
            .map_err(|refusal| refusal.reason)
    };
    assert_eq!(judge("GET a.example/chat", Upgrade::WebSocket), Ok(Protocol::Websocket));
    assert_eq!(judge("GET a.example/chat", Upgrade::None), Ok(Protocol::Http));
    assert_eq!(judge("GET a.example/other", Upgrade::WebSocket), Err(RefusalReason::ProtocolNotGranted));
    assert_eq!(judge("GET a.example/chat", Upgrade::Other), Err(RefusalReason::ProtocolNotGranted));
}

#[test]
fn the_narrowest_grant_holds_and_a_tie_between_secrets_is_refused() {
    let wide_and_narrow = [
        "* **.example.com credential=wide",
        "GET *.example.com credential=one",
        "GET api.example.com credential=host",
        "GET api.example.com/a/** credential=deep",
        "GET api.example.com/a/b credential=exact",
        "GET,POST api.example.com/a/b credential=both",
        "GET api.example.com/pub/*",
        "GET api.example.com/pub/* credential=named",
    ];
    let mut backwards = wide_and_narrow;
    backwards.reverse();
    for lines in [wide_and_narrow, backwards] {
        let grants = grants(&lines);
        for (request, credential) in [
            ("GET b.a.example.com/", "wide"),
            ("POST api.example.com/", "wide"),
            ("GET other.example.com/", "one"),
            ("GET api.example.com/", "host"),
            ("GET api.example.com/a/c", "deep"),
            ("GET api.example.com/a/b", "exact"),
            ("POST api.example.com/a/b", "both"),
            ("GET api.example.com/pub/x", "named"),
        ] {
            let permit = judged(&grants, request).unwrap();
            assert_eq!(permit.credential().map(CredentialName::as_str), Some(credential), "{request}");
        }
    }
    let tie = [
        "GET a.example/a/* credential=x",
        "GET a.example/*/b credential=y",
        "GET a.example/c credential=x up=1MB",
        "GET a.example/c credential=x",
    ];
    let grants = grants(&tie);
    assert_eq!(refused(&grants, "GET a.example/a/b"), RefusalReason::CredentialAmbiguous);
    assert!(judged(&grants, "GET a.example/a/c").is_ok() && judged(&grants, "GET a.example/c").is_ok());
}

/// Else the budget that a request is charged to would depend on the order of the lines.
#[test]
fn which_of_two_equal_grants_holds_does_not_depend_on_their_order() {
    for (one, other) in [
        ("GET a.example/a up=1MB", "GET a.example/a up=2MB"),
        ("GET a.example/a/* credential=x", "GET,HEAD a.example/a/* credential=x"),
    ] {
        let chosen = |lines: &[&str]| {
            let permit = judged(&grants(lines), "GET a.example/a/b")
                .or_else(|_| judged(&grants(lines), "GET a.example/a"));
            permit.unwrap().grant().to_string()
        };
        assert_eq!(chosen(&[one, other]), chosen(&[other, one]), "{one}");
    }
}

#[test]
fn all_grants_are_listed_in_their_order() {
    let lines = ["GET b.example:443/", "GET a.example:443/"];
    let listed: Vec<Grant> = grants(&lines).iter().cloned().collect();
    assert_eq!(listed, lines.map(|line| Grant::from_line(line, GrantOrigin::Flag).unwrap()));
}

#[test]
fn what_can_be_read_is_never_passed_on_unread() {
    let mixed = grants(&[
        "**.example.com protocols=tcp",
        "GET api.example.com credential=x",
        "tls.example.com protocols=tls-passthrough up=1MB",
    ]);
    assert!(matches!(mixed.reach(&to("api.example.com")), Ok(Reach::Read)));
    let unread = |host: &str| match mixed.reach(&to(host)).unwrap() {
        Reach::Unread(permit) => permit,
        Reach::Read => panic!("read"),
    };
    assert_eq!(unread("tls.example.com").protocol(), Protocol::TlsPassthrough);
    assert_eq!(unread("other.example.com").protocol(), Protocol::Tcp);
    assert_eq!(unread("tls.example.com").index(), 2);
    assert_eq!(mixed.reach(&to("example.com")).unwrap_err().reason, RefusalReason::HostNotGranted);
    assert_eq!(mixed.reach(&to("a.example.com:22")).unwrap_err().reason, RefusalReason::PortNotGranted);
}

#[test]
fn a_denied_host_is_never_reached() {
    let lines = ["**.example.com", "bad.example.com", "10.0.0.1"];
    let denied = but(&lines, &["bad.example.com", "**.internal.example.com", "10.0.0.1"]);
    assert!(
        judged(&denied, "GET good.example.com/").is_ok()
            && judged(&denied, "GET internal.example.com/").is_ok()
    );
    for host in ["bad.example.com", "BAD.example.com.", "a.internal.example.com", "10.0.0.1"] {
        assert_eq!(refused(&denied, &format!("GET {host}/")), RefusalReason::HostDenied, "{host}");
        assert_eq!(denied.reach(&to(host)).unwrap_err().reason, RefusalReason::HostDenied);
        assert!(judged(&denied, &format!("GET {host}/")).unwrap_err().allow.is_none());
        if !host.starts_with("a.internal") {
            assert!(judged(&grants(&lines), &format!("GET {host}/")).is_ok());
        }
    }
}

#[test]
fn a_name_that_leads_inside_is_not_followed() {
    let grants = grants(&[
        "GET a.example",
        "GET named.example address=127.0.0.1",
        "GET 10.0.0.1",
        "GET [64:ff9b::1]",
        "db.example:5432 protocols=tcp",
    ]);
    let permit = judged(&grants, "GET a.example/").unwrap();
    let out = check_addresses(&permit, &addresses(&["93.184.216.34", "2606:4700::1"])).unwrap();
    assert_eq!(
        out.addresses(),
        ["93.184.216.34:443".parse().unwrap(), "[2606:4700::1]:443".parse().unwrap()]
    );
    for answers in [
        &["127.0.0.1"][..],
        &["93.184.216.34", "10.0.0.1"],
        &["169.254.169.254"],
        &["fd00:ec2::254"],
        &["::ffff:93.184.216.34"],
        &["64:ff9b::5db8:d822"],
    ] {
        let refusal = check_addresses(&permit, &addresses(answers)).unwrap_err();
        assert_eq!(refusal.reason, RefusalReason::AddressNotGlobal, "{answers:?}");
    }
    let refusal = check_addresses(&permit, &addresses(&["10.0.0.7"])).unwrap_err();
    assert!(!serde_json::to_string(&refusal).unwrap().contains("10.0.0.7"));
    assert_eq!(check_addresses(&permit, &[]).unwrap_err().reason, RefusalReason::NameNotResolved);
    let named = judged(&grants, "GET named.example/").unwrap();
    for answers in [&["93.184.216.34"][..], &["10.0.0.1"], &[]] {
        let checked = check_addresses(&named, &addresses(answers)).unwrap();
        assert_eq!(checked.addresses(), ["127.0.0.1:443".parse().unwrap()]);
    }
    let literal = judged(&grants, "GET 10.0.0.1/").unwrap();
    let checked = check_addresses(&literal, &addresses(&["93.184.216.34"])).unwrap();
    assert_eq!(checked.addresses(), ["10.0.0.1:443".parse().unwrap()]);
    let Ok(Reach::Unread(splice)) = grants.reach(&to("db.example:5432")) else { panic!("not reached") };
    assert!(check_addresses(&splice, &addresses(&["10.0.0.1"])).is_err());
    assert!(check_addresses(&splice, &addresses(&["1.1.1.1"])).is_ok());
}

fn line() -> impl Strategy<Value = String> {
    let host = prop_oneof![Just("a.x.y"), Just("b.a.x.y"), Just("*.x.y"), Just("**.x.y"), Just("10.0.0.1")];
    let path = prop_oneof![Just(""), Just("/"), Just("/a"), Just("/a/**"), Just("/*/b"), Just("/a%2fb")];
    let rest = prop_oneof![
        Just(""),
        Just(" query=deny"),
        Just(" credential=c"),
        Just(" credential=d"),
        Just(" protocols=websocket")
    ];
    ("(GET |POST |\\* )?", host, "(:80)?", path, rest)
        .prop_map(|(methods, host, port, path, rest)| format!("{methods}{host}{port}{path}{rest}"))
        .prop_filter("not a grant", |line| Grant::from_line(line, GrantOrigin::Flag).is_ok())
}

fn request() -> impl Strategy<Value = String> {
    "(GET|POST|DELETE) (a\\.x\\.y|b\\.a\\.x\\.y|x\\.y|10\\.0\\.0\\.1|A\\.X\\.Y\\.)(:80)?(/|/a|/a/b|/c/b|/a%2fb|/a//b)(\\?q)?"
}

proptest! {
    #[test]
    fn a_deny_never_turns_a_refusal_into_an_allow(
        lines in prop::collection::vec(line(), 0..6),
        denied in prop::collection::vec("(\\*{1,2}\\.)?[axy](\\.[xy]){0,2}", 0..3),
        further in "(\\*{1,2}\\.)?[abxy](\\.[xy]){0,2}",
        request in request(),
    ) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let fewer: Vec<&str> = denied.iter().map(String::as_str).collect();
        let more: Vec<&str> = fewer.iter().copied().chain([further.as_str()]).collect();
        if judged(&but(&lines, &more), &request).is_ok() {
            prop_assert!(judged(&but(&lines, &fewer), &request).is_ok());
        }
        prop_assert!(judged(&but(&[], &more), &request).is_err());
    }

    #[test]
    fn the_index_finds_what_going_through_all_grants_finds(
        lines in prop::collection::vec(line(), 0..8),
        request in request(),
    ) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let all = judged(&grants(&lines), &request).map_err(|refusal| refusal.reason);
        let alone = lines.iter().any(|line| judged(&grants(&[line]), &request).is_ok());
        let is_permitted = !matches!(&all, Err(reason) if *reason != RefusalReason::CredentialAmbiguous);
        prop_assert_eq!(is_permitted, alone);
        if let Ok(permit) = all {
            let own = lines.get(permit.index()).unwrap();
            prop_assert!(judged(&grants(&[own]), &request).is_ok());
            let mut backwards = lines.clone();
            backwards.reverse();
            let again = judged(&grants(&backwards), &request).unwrap();
            prop_assert_eq!(again.grant(), permit.grant());
        }
    }

    #[test]
    fn what_is_offered_is_enough(lines in prop::collection::vec(line(), 0..4), request in request()) {
        let mut lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        if let Err(Refusal { allow: Some(line), .. }) = judged(&grants(&lines), &request) {
            lines.push(&line);
            prop_assert!(judged(&grants(&lines), &request).is_ok(), "{}", line);
        }
    }
}

/// The fastest of many rounds counts, as others use the machine too.
const ROUNDS: u32 = 200;
const VERDICTS_A_ROUND: u32 = 200;

#[test]
fn a_verdict_among_ten_thousand_grants_takes_two_microseconds_at_most() {
    let hosts = (0..5_000).map(|number| format!("GET,POST h{number}.example.com/a/** credential=c{number}"));
    let wild = (0..2_500).map(|number| format!("**.w{number}.example.net/*/x address=10.0.0.1"));
    let paths = (0..2_500).map(|number| format!("GET one.example.org/repos/r{number}/** credential=x"));
    let lines: Vec<String> = hosts.chain(wild).chain(paths).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let grants = but(&lines, &["**.denied.example"; 1_000]);
    let header_names = ["host", "user-agent", "accept", "accept-encoding", "authorization", "content-type"];
    // Without optimisation only the order of growth can be told.
    let bound = Duration::from_micros(if cfg!(debug_assertions) { 100 } else { 2 });
    for (host, path, is_permitted) in [
        ("h4321.example.com", "/a/b/c", true),
        ("b.a.w777.example.net", "/a/x", true),
        ("one.example.org", "/repos/r2400/pulls/1", true),
        ("one.example.org", "/repos/other/pulls/1", false),
        ("b.a.w777.example.net", "/a/y", false),
        ("other.example.org", "/", false),
    ] {
        let (method, query, upgrade, scheme) = ("GET", None, Upgrade::None, Scheme::Https);
        let place = to(host);
        let authority = &place;
        let head = Head { method, path, query, upgrade, header_names: &header_names, authority, scheme };
        let round = || {
            let begun = Instant::now();
            for _ in 0..VERDICTS_A_ROUND {
                let verdict = grants.judge(std::hint::black_box(&place), std::hint::black_box(&head));
                assert_eq!(std::hint::black_box(verdict).is_ok(), is_permitted);
            }
            begun.elapsed() / VERDICTS_A_ROUND
        };
        let each = (0..ROUNDS).map(|_| round()).min().unwrap();
        let told = writeln!(std::io::stderr(), "{host}{path}: {} ns", each.as_nanos());
        assert!(told.is_ok() && each < bound, "{each:?}");
    }
}

#[test]
fn the_budgets_of_a_place_are_those_of_the_grants_that_mean_it() {
    let grants = grants(&[
        "GET a.own.example/x up=1kB",
        "GET a.own.example/y",
        "GET b.own.example/x up=2kB",
        "GET *.own.example/x up=3kB",
        "GET a.own.example:8443/x up=4kB",
    ]);
    let at = |place: &str| grants.budgets_at(&to(place)).map(|(at, _)| at).collect::<Vec<_>>();
    assert_eq!(at("a.own.example"), [0, 3]);
    assert_eq!(at("b.own.example"), [2, 3]);
    assert_eq!(at("a.own.example:8443"), [4]);
    assert_eq!(at("c.other"), [0; 0]);
    let kept: Vec<Budget> = grants.budgets_at(&to("a.own.example")).map(|(_, budget)| budget).collect();
    assert!(kept.iter().all(|budget| *budget != Budget::default()) && kept[0] != kept[1]);
}

#[test]
fn a_permit_says_what_its_grant_does_of_the_body_and_of_how_much() {
    let grants = grants(&[
        "POST m.own.example/v1/** model=openai up=5MB",
        "GET m.own.example/plain",
        "tls.own.example protocols=tls-passthrough up=1MB",
    ]);
    let kept: Vec<&Grant> = grants.iter().collect();
    let asks = judged(&grants, "POST m.own.example/v1/chat/completions").unwrap();
    assert_eq!((asks.model(), asks.budget()), (kept[0].model.as_ref(), kept[0].budget));
    assert!(asks.model().is_some() && asks.budget() != Budget::default());
    let plain = judged(&grants, "GET m.own.example/plain").unwrap();
    assert_eq!((plain.model(), plain.budget()), (None, Budget::default()));
    let Ok(Reach::Unread(splice)) = grants.reach(&to("tls.own.example")) else { panic!("not reached") };
    assert!(splice.budget() == kept[2].budget && splice.budget() != Budget::default());
}
