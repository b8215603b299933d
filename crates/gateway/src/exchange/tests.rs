//! What goes out, what is refused, and what comes back, by real grants.

use super::*;
use cofferdam_policy::net::grant::{Grant, GrantOrigin, Scheme};
use cofferdam_policy::net::handle::Shape;
use cofferdam_policy::net::host::Destination;
use cofferdam_policy::net::verdict::{Grants, Head, Upgrade};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use hyper::body::Bytes;
use hyper::{Request, Response};
use proptest::prelude::*;
use std::sync::LazyLock;

const SECRET: &str = "ghp_planted0123456789plantedABCDEFGHIJab";
const OTHER: &str = "sk-other/secret+with\"odd&characters";

struct Scene {
    exchange: Exchange,
    grants: Grants,
}

fn credential(name: &str, place: &str) -> Credential {
    let (name, secret) = (name.parse().unwrap(), name.parse().unwrap());
    Credential { name, secret, place: place.parse().unwrap(), environment: Vec::new() }
}

fn handle(secret: &str, seed: u8) -> Handle {
    Handle::new(&Shape::of(secret.as_bytes()).unwrap(), &[seed; 32])
}

fn held(name: &str, place: &str, secret: &str, seed: u8) -> HeldSecret {
    HeldSecret {
        credential: credential(name, place),
        handle: handle(secret, seed),
        value: Some(Secret::new(secret.into()).unwrap()),
        expires: None,
        revoked: false,
    }
}

/// `github` at one host, `other` at another, and a third host without a credential.
fn scene(place: &str) -> Scene {
    let held = vec![held("github", place, SECRET, 1), held("other", "header:x-api-key: {}", OTHER, 2)];
    let grant = |host: &str, credential: Option<&str>| {
        let mut grant = Grant::to(host.parse().unwrap(), "443".parse().unwrap(), GrantOrigin::Flag);
        grant.credential = credential.map(|name| name.parse().unwrap());
        grant.methods = cofferdam_policy::net::grant::Methods::Any;
        grant
    };
    let grants = vec![
        grant("api.example", Some("github")),
        grant("other.example", Some("other")),
        grant("open.example", None),
    ];
    Scene { exchange: Exchange::new(held).unwrap(), grants: Grants::new(grants) }
}

/// What makes scrubbers of answers to a request with this secret.
pub(crate) fn scrubbing() -> (impl Fn() -> Scrubber, String) {
    let scene = scene("header:Authorization: Bearer {}");
    let make = move || scene.exchange.scrubber().unwrap();
    (make, SECRET.to_owned())
}

impl Scene {
    fn permit(&self, host: &str) -> RequestPermit {
        let authority = Destination { host: host.parse().unwrap(), port: "443".parse().unwrap() };
        let head = Head {
            method: "GET",
            path: "/",
            query: None,
            upgrade: Upgrade::None,
            header_names: &[],
            authority: &authority,
            scheme: Scheme::Https,
        };
        self.grants.judge(&authority, &head).unwrap()
    }

    fn sent(&self, host: &str, uri: &str, headers: &[(&str, &str)]) -> Result<request::Parts, Box<Misuse>> {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let due = self.exchange.outgoing(&self.permit(host), &mut parts)?;
        let mut request = Request::from_parts(parts, ());
        if let Some(due) = due {
            self.exchange.put(&due, &mut request, &Live::of_nothing(&mut ())).unwrap();
        }
        Ok(request.into_parts().0)
    }

    fn assert_misplaced(&self, host: &str, uri: &str, headers: &[(&str, &str)], place: LeakPlace) {
        let misuse = self.sent(host, uri, headers).unwrap_err();
        assert_eq!(misuse.refusal.reason, RefusalReason::HandleMisplaced, "{uri} {headers:?}");
        assert_eq!(misuse.leaks[0].place, place, "{uri} {headers:?}");
    }
}

fn text<'p>(parts: &'p request::Parts, name: &str) -> Option<&'p str> {
    let mut values = parts.headers.get_all(name).iter();
    let value = values.next()?;
    assert!(values.next().is_none(), "{name} stands twice");
    Some(value.to_str().unwrap())
}

#[test]
fn the_handle_becomes_the_secret_in_its_place_however_the_client_wrote_it() {
    let scene = scene("header:Authorization: Bearer {}");
    let handle = handle(SECRET, 1);
    let basic = format!("Basic {}", BASE64.encode(format!("x:{}", handle.as_str()).as_bytes()));
    let ways = [format!("Bearer {}", handle.as_str()), format!("token {}", handle.as_str()), basic];
    for way in ways {
        let parts = scene.sent("api.example", "/user?page=2", &[("authorization", &way)]).unwrap();
        assert_eq!(text(&parts, "authorization").unwrap(), format!("Bearer {SECRET}"));
        assert_eq!(parts.uri, "/user?page=2");
        assert!(!format!("{parts:?}").contains("planted"));
    }
}

#[test]
fn what_the_agent_brings_to_authenticate_itself_is_removed_and_ours_put_in() {
    let scene = scene("header:Authorization: Bearer {}");
    let brought = [
        ("authorization", "Bearer attacker"),
        ("authorization", "Bearer again"),
        ("cookie", "session=attacker"),
        ("x-api-key", "attacker"),
        ("private-token", "attacker"),
        ("private_token", "attacker"),
        ("X_Api-Key", "attacker"),
        ("x-forwarded-host", "evil.example"),
        ("x_forwarded_host", "evil.example"),
        ("forwarded", "host=evil.example"),
        ("range", "bytes=0-10"),
        ("if-range", "\"etag\""),
        ("request-range", "bytes=0-10"),
        ("accept_encoding", "gzip"),
        ("accept-encoding", "gzip, br"),
        ("x-host", "evil.example"),
        ("x-forwarded-server", "evil.example"),
        ("x-http-host-override", "evil.example"),
        ("x-original-host", "evil.example"),
        ("x-forwarded-prefix", "/evil"),
        ("x-original-path", "/evil"),
        ("sec-websocket-protocol", "openai-insecure-api-key.sk-attacker0123456789"),
        ("accept", "text/plain"),
    ];
    let parts = scene.sent("api.example", "/x?access_token=attacker&a=1&API%5fKEY=b", &brought).unwrap();
    assert_eq!(text(&parts, "authorization").unwrap(), format!("Bearer {SECRET}"));
    assert_eq!(text(&parts, "accept-encoding"), Some("identity"));
    assert_eq!(text(&parts, "accept"), Some("text/plain"));
    assert_eq!(parts.headers.len(), 3, "{parts:?}");
    assert_eq!(parts.uri, "/x?a=1");
    // Where the grant names no credential, the agent's own is its own business.
    let parts = scene.sent("open.example", "/x?access_token=mine", &brought).unwrap();
    assert_eq!(parts.headers.len(), brought.len());
    assert_eq!(parts.uri, "/x?access_token=mine");
}

#[test]
fn no_spelling_of_the_secrets_own_header_stands_beside_it() {
    let scene = scene("header:X-Custom-Key: {}");
    let brought = [
        ("x_custom_key", "attacker"),
        ("X.Custom-Key", "attacker"),
        ("x-custom-key", "attacker"),
        ("x~custom_key", "attacker"),
        ("x-custom-keys", "harmless"),
        ("sec-websocket-protocol", "graphql-ws"),
    ];
    let parts = scene.sent("api.example", "/x", &brought).unwrap();
    assert_eq!(text(&parts, "x-custom-key").unwrap(), SECRET);
    assert_eq!(text(&parts, "x-custom-keys").unwrap(), "harmless");
    assert_eq!(text(&parts, "sec-websocket-protocol").unwrap(), "graphql-ws");
    assert_eq!(parts.headers.len(), 4, "with accept-encoding: {parts:?}");
}

#[test]
fn the_handle_of_another_credential_goes_nowhere_beside_the_own_one() {
    let scene = scene("basic");
    let (own, other) = (handle(SECRET, 1), handle(OTHER, 2));
    let pair = |user: &str| format!("Basic {}", BASE64.encode(format!("{user}:{}", own.as_str()).as_bytes()));
    for user in [other.as_str().to_owned(), format!("{}{}", own.as_str(), other.as_str())] {
        let misuse = scene.sent("api.example", "/", &[("authorization", &pair(&user))]).unwrap_err();
        assert_eq!(misuse.refusal.reason, RefusalReason::HandleMisplaced);
        assert_eq!(misuse.leaks.len(), 1);
        assert_eq!(misuse.leaks[0].credential.as_str(), "other");
    }
    let both = format!("{} {}", own.as_str(), other.as_str());
    let misuse = scene.sent("api.example", "/", &[("x-note", &both)]).unwrap_err();
    assert_eq!(misuse.leaks.len(), 2, "each is told of: {misuse:?}");
    let padded = pair(&format!("x{}", own.as_str()));
    let parts = scene.sent("api.example", "/", &[("authorization", &padded)]).unwrap();
    let token = format!("Basic {}", BASE64.encode(format!("token:{SECRET}").as_bytes()));
    assert_eq!(text(&parts, "authorization").unwrap(), token);
}

#[test]
fn git_gets_the_secret_as_its_password_and_keeps_its_user() {
    let handle = handle(SECRET, 1);
    let encoded = |user: &str, password: &str| {
        format!("Basic {}", BASE64.encode(format!("{user}:{password}").as_bytes()))
    };
    let free = scene("basic");
    for (brought, user) in [
        (Some(encoded("alice", handle.as_str())), "alice"),
        (Some(encoded(handle.as_str(), "x-oauth-basic")), "token"),
        (Some(encoded(handle.as_str(), "")), "token"),
        (None, "token"),
    ] {
        let headers: Vec<_> = brought.iter().map(|value| ("authorization", value.as_str())).collect();
        let parts =
            free.sent("api.example", "/acme/x.git/info/refs?service=git-upload-pack", &headers).unwrap();
        assert_eq!(text(&parts, "authorization").unwrap(), encoded(user, SECRET));
    }
    let fixed = scene("basic:robot");
    let brought = encoded("alice", handle.as_str());
    let parts = fixed.sent("api.example", "/", &[("authorization", &brought)]).unwrap();
    assert_eq!(text(&parts, "authorization").unwrap(), encoded("robot", SECRET));
}

#[test]
fn the_attack_of_a_key_behind_a_semicolon_does_not_stand_before_the_owners() {
    let scene = scene("query:key");
    for (query, expected) in [
        ("a=1;key=attacker", String::new()),
        ("b=2&;key=attacker;c&d", "b=2&d&".to_owned()),
        ("a=1;%6bey=attacker&key=x", String::new()),
        ("a=1;access_token=attacker", String::new()),
        ("a=1;b=2", "a=1;b=2&".to_owned()),
    ] {
        let sent = scene.sent("api.example", &format!("https://api.example/x?{query}"), &[]).unwrap();
        assert_eq!(sent.uri.query(), Some(&*format!("{expected}key={SECRET}")), "{query}");
    }
}

#[test]
fn a_query_parameter_is_replaced_once_and_encoded() {
    let scene = scene("query:key");
    let handle = handle(SECRET, 1);
    for query in [format!("?key={}&q=1", handle.as_str()), "?q=1".into(), "?key=attacker&q=1&k%65y=b".into()]
    {
        let parts = scene.sent("api.example", &format!("/v1/x{query}"), &[]).unwrap();
        assert_eq!(parts.uri.to_string(), format!("/v1/x?q=1&key={SECRET}"));
    }
}

#[test]
fn a_handle_elsewhere_is_refused_and_told() {
    let scene = scene("header:Authorization: Bearer {}");
    let own = handle(SECRET, 1);
    let (own, bearer) = (own.as_str(), format!("Bearer {}", own.as_str()));
    let encoded = BASE64URL_NOPAD.encode(format!("\0user\0{own}").as_bytes());
    let basic = format!("bAsic {}", BASE64.encode(format!("{own}:x").as_bytes()));
    let percent: String = own.bytes().map(|byte| format!("%{byte:02x}")).collect();
    for host in ["open.example", "other.example"] {
        scene.assert_misplaced(host, "/", &[("authorization", &bearer)], LeakPlace::Header);
        scene.assert_misplaced(host, "/", &[("authorization", &basic)], LeakPlace::Header);
        scene.sent(host, "/", &[("authorization", "Bearer own-token")]).unwrap();
    }
    for host in ["open.example", "other.example", "api.example"] {
        for header in ["x-api-key", "cookie", "referer", "user-agent", "x-note"] {
            scene.assert_misplaced(host, "/", &[(header, own)], LeakPlace::Header);
            scene.assert_misplaced(host, "/", &[(header, &encoded)], LeakPlace::Header);
            scene.sent(host, "/", &[(header, "harmless")]).unwrap();
        }
        for uri in
            [format!("/x/{own}"), format!("/x?q={own}"), format!("/?q={percent}"), format!("/?q={encoded}")]
        {
            scene.assert_misplaced(host, &uri, &[], LeakPlace::Url);
        }
        assert!(scene.sent(host, "/x?q=1", &[]).is_ok());
    }
    let misuse = scene.sent("open.example", &format!("/x/{own}"), &[]).unwrap_err();
    assert!(misuse.refusal.path.is_none(), "what is recorded holds no handle");
}

#[test]
fn a_handle_in_a_name_is_found_in_small_letters_and_over_labels() {
    let scene = scene("basic");
    let own = handle(SECRET, 1).as_str().to_ascii_lowercase();
    let (first, second) = own.split_at(20);
    for name in [format!("{own}.evil.example"), format!("{first}.{second}.evil.example")] {
        assert_eq!(scene.exchange.leak_in(name.as_bytes()).unwrap().as_str(), "github", "{name}");
    }
    assert!(scene.exchange.leak_in(b"api.example").is_none());
}

#[test]
fn a_revoked_credential_is_in_no_further_request_and_a_missing_one_in_none() {
    let scene = scene("basic");
    assert!(scene.sent("api.example", "/", &[]).is_ok());
    let (mut parts, ()) = Request::new(()).into_parts();
    let due = scene.exchange.outgoing(&scene.permit("api.example"), &mut parts).unwrap().unwrap();
    let mut waiting = Request::from_parts(parts, ());
    scene.exchange.revoke(&"github".parse().unwrap());
    let put = scene.exchange.put(&due, &mut waiting, &Live::of_nothing(&mut ()));
    assert_eq!(put, Err(RefusalReason::CredentialRevoked));
    assert!(!waiting.headers().contains_key("authorization"));
    let misuse = scene.sent("api.example", "/", &[]).unwrap_err();
    assert_eq!((misuse.refusal.reason, misuse.leaks), (RefusalReason::CredentialRevoked, Vec::new()));
    assert!(scene.sent("other.example", "/", &[]).is_ok(), "the others go on");
    let none = HeldSecret { value: None, ..held("github", "basic", SECRET, 1) };
    let missing = Scene { exchange: Exchange::new(vec![none]).unwrap(), grants: scene.grants };
    let misuse = missing.sent("api.example", "/", &[]).unwrap_err();
    assert_eq!(misuse.refusal.reason, RefusalReason::CredentialMissing);
}

#[test]
fn a_refreshed_value_is_used_at_once_and_the_earlier_one_still_scrubbed() {
    let scene = scene("header:Authorization: Bearer {}");
    let next = "ghp_renewed0123456789plantedABCDEFGHIJab";
    let value = Secret::new(next.into()).unwrap();
    scene.exchange.refreshed(&"github".parse().unwrap(), &value, Some(UnixNanos(9)));
    let parts = scene.sent("api.example", "/", &[]).unwrap();
    assert_eq!(text(&parts, "authorization").unwrap(), format!("Bearer {next}"));
    let permit = scene.permit("api.example");
    assert!(scene.exchange.to_refresh(&permit, UnixNanos(9)).is_some());
    assert!(scene.exchange.to_refresh(&permit, UnixNanos(8)).is_none());
    let mut scrubber = scene.exchange.scrubber().unwrap();
    let out = [scrubber.push(format!("{SECRET} {next}").into()), scrubber.finish()].concat();
    let own = handle(SECRET, 1);
    assert_eq!(String::from_utf8(out).unwrap(), format!("{0} {0}", own.as_str()));
}

#[test]
fn the_head_of_an_answer_holds_no_secret_and_mints_none() {
    let scene = scene("query:key");
    let answer = Response::builder()
        .header("location", format!("https://api.example/?key={SECRET}"))
        .header("x-echo", BASE64.encode(format!("u:{SECRET}").as_bytes()))
        .header("set-cookie", "session=minted")
        .header(format!("x-{}", SECRET.to_ascii_lowercase()), "1")
        .header("content-type", "text/plain");
    let (mut parts, ()) = answer.body(()).unwrap().into_parts();
    let mut other = Response::builder().header("set-cookie", "own=1").header("x-echo", SECRET);
    other = other.header("content-type", "text/plain");
    let (mut other, ()) = other.body(()).unwrap().into_parts();
    scene.exchange.scrub_head(&scene.permit("open.example"), &mut other);
    assert_eq!(other.headers["set-cookie"], "own=1", "nothing was sent there");
    assert_eq!(other.headers["content-type"], "text/plain");
    assert_ne!(other.headers["x-echo"], SECRET, "what one grant had an origin store, another does not read");
    scene.exchange.scrub_head(&scene.permit("api.example"), &mut parts);
    let handle = handle(SECRET, 1);
    assert_eq!(parts.headers["location"], format!("https://api.example/?key={}", handle.as_str()));
    let echo = BASE64.decode(parts.headers["x-echo"].as_bytes()).unwrap();
    assert!(!echo.windows(7).any(|window| window == b"planted"));
    assert_eq!(parts.headers["content-type"], "text/plain");
    assert!(!parts.headers.contains_key("set-cookie"));
    assert_eq!(parts.headers.len(), 3, "{:?}", parts.headers.keys());
    // In trailers as well.
    let mut trailers = other.headers.clone();
    trailers.insert("authentication-info", "nextnonce=\"minted\"".parse().unwrap());
    scene.exchange.scrub_fields(None, &mut trailers);
    assert_eq!(trailers.len(), 4);
    scene.exchange.scrub_fields(scene.permit("api.example").credential(), &mut trailers);
    assert_eq!(trailers.len(), 2, "{trailers:?}");
    assert!(Exchange::new(Vec::new()).unwrap().scrubber().is_none());
}

#[test]
fn an_event_stream_is_not_held_up() {
    let scene = scene("basic");
    let mut scrubber = scene.exchange.scrubber().unwrap();
    let long = "x".repeat(2000);
    let lines = [
        "data: {\"x\":1}\n\n",
        "{\"x\":1}\n",
        &format!("data: {long}\n\n"),
        ": ping\n",
        "1\r\n",
        "\x1b[2K\r",
    ];
    for line in lines {
        assert_eq!(scrubber.push(line.to_owned().into()), line);
    }
    assert_eq!(scrubber.push(Bytes::from("data: gh")), "", "a line waits for its end");
    assert_eq!(scrubber.push(Bytes::from("ost\n\n")), "data: ghost\n\n");
    let released = scrubber.push(long.clone().into()).len();
    assert!(
        (1..long.len()).contains(&released),
        "one without an end waits in its last part only: {released}"
    );
    assert_eq!(released + scrubber.finish().len(), long.len());
}

/// Lengths of what comes out at each step.
fn framing(body: &[u8], cuts: &[usize]) -> Vec<usize> {
    let scene = &*BASIC;
    let mut scrubber = scene.exchange.scrubber().unwrap();
    let steps =
        pieces(body, cuts).into_iter().map(|piece| scrubber.push(Bytes::copy_from_slice(piece)).len());
    let mut lengths: Vec<usize> = steps.collect();
    lengths.push(scrubber.finish().len());
    lengths
}

#[test]
fn a_guess_byte_by_byte_learns_nothing_from_what_is_held_back() {
    // The attack: an origin sends each guess as a piece of its own, and then waits.
    let guesses =
        (0..=SECRET.len()).map(|right| format!("{}{}", &SECRET[..right], "x".repeat(SECRET.len() - right)));
    let framings: Vec<_> = guesses.map(|guess| framing(guess.as_bytes(), &[5, 10, 30])).collect();
    assert!(framings.windows(2).all(|pair| pair[0] == pair[1]), "{framings:?}");
    // A secret of other characters is encoded in many ways, each of which could be guessed.
    for form in forms::forms(OTHER.as_bytes()) {
        let wrong: Vec<u8> =
            form.bytes.iter().map(|byte| if byte.is_ascii_alphabetic() { b'q' } else { *byte }).collect();
        for right in 0..=wrong.len() {
            let guess = [&form.bytes[..right], &wrong[right..]].concat();
            assert_eq!(framing(&guess, &[right]), framing(&wrong, &[right]));
        }
    }
}

#[test]
fn base64_broken_into_lines_is_found_too() {
    let text = format!("{}{SECRET}{}", "before ".repeat(9), " after".repeat(20));
    for skipped in 0..50 {
        let encoded = BASE64.encode(&text.as_bytes()[skipped..]);
        for (columns, end) in [(76, "\r\n"), (64, "\n"), (60, "\\n"), (76, "\\r\\n")] {
            let lines: Vec<&str> =
                encoded.as_bytes().chunks(columns).map(|line| str::from_utf8(line).unwrap()).collect();
            let body = lines.join(end);
            for cut in [0, 70, 77, 78, 100, 130] {
                let scene = &*BASIC;
                let mut scrubber = scene.exchange.scrubber().unwrap();
                let mut out = Vec::new();
                for piece in pieces(body.as_bytes(), &[cut]) {
                    out.extend_from_slice(&scrubber.push(Bytes::copy_from_slice(piece)));
                }
                out.extend_from_slice(&scrubber.finish());
                assert_eq!(out.len(), body.len());
                let joined = String::from_utf8(out).unwrap().replace(end, "");
                let decoded = BASE64.decode(joined.as_bytes()).unwrap();
                assert!(!decoded.windows(7).any(|window| window == b"planted"), "{columns} {end:?} {cut}");
                assert!(decoded.ends_with(b" after"));
            }
        }
    }
}

/// One scene for each kind of place.
static PLACES: LazyLock<[Scene; 3]> =
    LazyLock::new(|| ["header:Authorization: Bearer {}", "basic", "query:key"].map(scene));

/// Cuts `bytes` at these places.
fn pieces<'b>(bytes: &'b [u8], cuts: &[usize]) -> Vec<&'b [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

/// Made once: the properties are tried hundreds of times.
static BASIC: LazyLock<Scene> = LazyLock::new(|| scene("basic"));

proptest! {
    #[test]
    fn no_chunking_carries_a_handle_out_in_a_body(
        before in "[a-zA-Z0-9%=_ ]{0,80}", after in "[a-zA-Z0-9%=_ ]{0,80}", form in 0_usize..4,
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let scene = &*BASIC;
        let own = handle(SECRET, 1);
        let own = own.as_str();
        let body = match form {
            0 => format!("{before}{own}{after}"),
            1 => BASE64.encode(format!("{before}{own}{after}").as_bytes()),
            // A `%` before it could take the first escape for its own.
            2 => format!("{}{}{after}", before.replace('%', ""), own.bytes().map(|b| format!("%{b:02X}")).collect::<String>()),
            _ => format!("{before} {after}"),
        };
        let mut scanner = scene.exchange.body_scanner().unwrap();
        let found = pieces(body.as_bytes(), &cuts).into_iter().find_map(|piece| scanner.push(piece).err());
        prop_assert_eq!(found.is_some(), form < 3, "{}", body);
        if let Some(leak) = found {
            prop_assert_eq!(leak.credential.as_str(), "github");
        }
    }

    #[test]
    fn no_chunking_tells_a_right_guess_from_a_wrong_one(
        before in "[ -~\\n]{0,90}", after in "[ -~\\n]{0,200}", right in 0_usize..=40, other in "[a-zA-Z0-9]{40}",
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let sent = |guess: &str| [before.as_bytes(), guess.as_bytes(), after.as_bytes()].concat();
        let partly = format!("{}{}", &SECRET[..right], &other[right..]);
        let wrong = framing(&sent(&other), &cuts);
        prop_assert_eq!(&framing(&sent(&partly), &cuts), &wrong);
        prop_assert_eq!(&framing(&sent(SECRET), &cuts), &wrong);
    }

    #[test]
    fn no_chunking_brings_a_secret_in_and_no_length_changes(
        before in "[ -~]{0,60}", between in "[ -~]{0,60}", which in 0_usize..2, form in any::<prop::sample::Index>(),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let scene = &*BASIC;
        let secret = [SECRET, OTHER][which];
        let forms = forms::forms(secret.as_bytes());
        let form = &form.get(&forms).bytes;
        let body = [before.as_bytes(), form, between.as_bytes(), form, b"end"].concat();
        let mut scrubber = scene.exchange.scrubber().unwrap();
        let mut out = Vec::new();
        for piece in pieces(&body, &cuts) {
            out.extend_from_slice(&scrubber.push(Bytes::copy_from_slice(piece)));
        }
        out.extend_from_slice(&scrubber.finish());
        prop_assert_eq!(out.len(), body.len());
        prop_assert!(!out.windows(form.len()).any(|window| window == form.as_slice()));
        prop_assert!(out.ends_with(b"end"));
        // A form after a backslash can be one that is broken by a written line end, and begins before it.
        prop_assert!(out.starts_with(before.as_bytes()) || before.ends_with('\\'));
    }

    #[test]
    fn whatever_is_let_out_keeps_its_path_and_has_the_secret_once_and_no_handle(
        path in "(/[a-z0-9%]{0,6}){1,3}", queries in proptest::collection::vec((0_usize..6, 0_usize..5), 0..4),
        headers in proptest::collection::vec((0_usize..6, 0_usize..5), 0..4), host in 0_usize..3, place in 0_usize..3,
    ) {
        let scene = &PLACES[place];
        let (own, other) = (handle(SECRET, 1), handle(OTHER, 2));
        let texts = [
            "x".to_owned(),
            own.as_str().to_owned(),
            other.as_str().to_owned(),
            format!("Bearer {}", own.as_str()),
            format!("Basic {}", BASE64.encode(format!("me:{}", own.as_str()).as_bytes())),
        ];
        let keys = ["key", "k%65y", "access_token", "q", "KEY", "api_key"];
        let names = ["authorization", "x-api-key", "cookie", "accept", "x-note", "proxy-authorization"];
        let query: Vec<String> =
            queries.iter().map(|(key, text)| format!("{}={}", keys[*key], texts[*text].replace(' ', "+"))).collect();
        let uri = if query.is_empty() { path.clone() } else { format!("{path}?{}", query.join("&")) };
        let headers: Vec<_> = headers.iter().map(|(name, text)| (names[*name], texts[*text].as_str())).collect();
        let host = ["api.example", "other.example", "open.example"][host];
        let Ok(parts) = scene.sent(host, &uri, &headers) else { return Ok(()) };
        prop_assert_eq!(parts.uri.path(), path);
        let values = parts.headers.values().map(|value| String::from_utf8(value.as_bytes().to_vec()).unwrap());
        let decoded = values.map(|value| place::basic(value.as_bytes()).map_or(value, |pair| pair.to_string()));
        let sent = format!("{} {}", parts.uri, decoded.collect::<Vec<_>>().join(" "));
        prop_assert!(!sent.contains(own.as_str()) && !sent.contains(other.as_str()), "{}", sent);
        prop_assert_eq!(sent.matches(SECRET).count(), usize::from(host == "api.example"), "{}", sent);
        prop_assert_eq!(sent.matches(OTHER).count(), usize::from(host == "other.example"), "{}", sent);
    }

    #[test]
    fn what_holds_no_secret_passes_unchanged(
        body in proptest::collection::vec(any::<u8>(), 0..400),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let scene = &*BASIC;
        let mut scrubber = scene.exchange.scrubber().unwrap();
        let mut out = Vec::new();
        for piece in pieces(&body, &cuts) {
            out.extend_from_slice(&scrubber.push(Bytes::copy_from_slice(piece)));
        }
        out.extend_from_slice(&scrubber.finish());
        prop_assert_eq!(out, body);
    }
}
