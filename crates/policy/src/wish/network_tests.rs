//! What a policy and a request say of the network, and how what is wrong in them is told.

use super::*;

const WHOLE: &str = r#"
allow = ["npm", "github-push(acme/app)", "POST api.example.com/v1/messages credential=model up=1 MB"]
on-handle-leak = "stop"

[[grant]]
host = "api.github.com"
port = 443
methods = ["GET"]
paths = ["/repos/acme/**"]
query = "deny"
credential = "github"
budget = { up = "10 MB", requests = 5000, rate = "20/s" }
protocols = ["http", "websocket"]
addresses = ["192.0.2.1"]

[[grant]]
host = "db.example.com"
port = 5432
protocols = ["tcp"]

[credential.github]
secret = "github"
place = "header:Authorization: Bearer {}"
environment = ["GITHUB_TOKEN", "GH_TOKEN"]

[credential.model]
secret = "model-key"
place = "header:x-api-key: {}"

[deny]
hosts = ["**.internal.example.com", "**.zip"]
"#;

fn lines(wish: &Wish) -> Vec<String> {
    wish.grants.iter().map(ToString::to_string).collect()
}

#[test]
fn grants_are_read_from_tables_and_from_lines() {
    let wish = Wish::parse(WHOLE.as_bytes()).unwrap();
    assert_eq!(
        lines(&wish),
        [
            "GET api.github.com:443/repos/acme/** protocols=http,websocket query=deny credential=github up=10MB requests=5000 rate=20/s address=192.0.2.1",
            "db.example.com:5432 protocols=tcp",
            "POST api.example.com:443/v1/messages credential=model up=1MB",
        ]
    );
    assert_eq!(wish.sets, ["npm", "github-push(acme/app)"]);
    assert_eq!(wish.on_handle_leak, Some(OnHandleLeak::Stop));
    assert_eq!(wish.credentials.len(), 2);
    assert_eq!(wish.deny.hosts.len(), 2);
    assert!(wish.grants.iter().all(|grant| grant.origin == GrantOrigin::Policy));
}

#[test]
fn a_request_names_credentials_and_never_says_what_they_are() {
    let grant = "[[grant]]\nhost = 'api.github.com'\ncredential = 'github'\n";
    let wish = Wish::parse_request(grant.as_bytes()).unwrap();
    assert_eq!(wish.grants[0].origin, GrantOrigin::Request);
    let defined = format!("{grant}[credential.github]\nsecret = 'other'\nplace = 'basic'\n");
    assert!(matches!(Wish::parse_request(defined.as_bytes()), Err(WishError::CredentialInRequest(_))));
    assert!(Wish::parse(defined.as_bytes()).is_ok());
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_key() {
    let told = |text: &str| match Wish::parse(text.as_bytes()) {
        Err(WishError::Form(error)) => {
            let at = error.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
            (at, error.to_string())
        }
        other => panic!("{other:?}"),
    };
    let grant = |rest: &str| format!("tools = []\n\n[[grant]]\nhost = 'a.example'\n{rest}\n");
    for (text, line, words) in [
        (grant("colour = 'red'"), 5, "colour"),
        (grant("port = 0"), 5, "port"),
        (grant("port = 65536"), 5, "port"),
        (grant("methods = ['get']"), 5, "`get` is no method"),
        (grant("methods = []"), 5, "`methods` is empty"),
        (grant("paths = ['/a/../b']"), 5, "`/a/../b` is no path pattern: the path has a segment"),
        (grant("paths = []"), 3, "`paths` is empty"),
        (grant("query = 'maybe'"), 5, "maybe"),
        (grant("credential = 'A b'"), 5, "`A b` names no credential"),
        (grant("budget = { up = '10' }"), 5, "`10` is no size"),
        (grant("budget = { upp = '10MB' }"), 5, "upp"),
        (grant("protocols = ['http', 'tcp']"), 5, "`tcp` is passed on unread"),
        (grant("protocols = ['udp']"), 5, "udp"),
        (grant("protocols = ['tcp']\ncredential = 'x'"), 3, "can't have `credential`"),
        (grant("addresses = ['::ffff:10.0.0.1']"), 5, "is no address"),
        ("[[grant]]\nport = 443\n".to_owned(), 1, "host"),
        ("[[grant]]\nhost = '*.com'\n".to_owned(), 1, "`*.com` means everything"),
        ("[[grant]]\nhost = '0x7f.1'\n".to_owned(), 2, "looks like a number"),
        ("[[grant]]\nhost = 'bücher.example'\n".to_owned(), 2, "Punycode"),
        ("\nallow = ['npm', 'a.example/a b']\n".to_owned(), 2, "`b` is not understood"),
        ("allow = ['a..b']\n".to_owned(), 1, "`a..b` can't be granted: the host's name has an empty part"),
        ("[credential.a]\nsecret = 'a'\nplace = 'cookie:x'\n".to_owned(), 3, "`cookie:x` is no place"),
        ("[credential.a]\nsecret = 'a'\nplace = 'header:Host: {}'\n".to_owned(), 3, "steers the connection"),
        ("[credential.a]\nsecret = 'a'\n".to_owned(), 1, "place"),
        ("[credential.'A']\nsecret = 'a'\nplace = 'basic'\n".to_owned(), 1, "`A` names no credential"),
        ("on-handle-leak = 'ignore'\n".to_owned(), 1, "ignore"),
        ("[deny]\nhosts = ['a.*']\n".to_owned(), 2, "host pattern"),
    ] {
        let (at, message) = told(&text);
        assert_eq!(at, line, "{text}\n{message}");
        assert!(message.contains(words), "{text}\n{message}");
    }
}

#[test]
fn of_two_rules_for_leaks_the_stricter_one_holds() {
    let wish = |text: &str| Wish::parse(text.as_bytes()).unwrap();
    let (stop, refuse) = (wish("on-handle-leak = 'stop'"), wish("on-handle-leak = 'refuse'"));
    for both in [stop.clone().and(refuse.clone()), refuse.and(stop.clone()), Wish::default().and(stop)] {
        assert_eq!(both.on_handle_leak, Some(OnHandleLeak::Stop));
    }
}

#[test]
fn a_place_is_one_of_three_and_prints_as_it_is() {
    use crate::net::credential::Place;
    for text in [
        "header:authorization: Bearer {}",
        "header:x-api-key: {}",
        "header:cookie: s={}; p=1",
        "basic",
        "basic:git",
        "query:key",
    ] {
        assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
    }
    let place = "header:Authorization: token {}".parse::<Place>().unwrap();
    assert_eq!(place.to_string(), "header:authorization: token {}");
    for wrong in [
        "",
        "header",
        "header:",
        "header:a",
        "header:a: ",
        "header:a: x",
        "header:a: {}{}",
        "header:a b: {}",
        "header:a: {}\r\nHost: b",
        "header:a:{}",
        "header:transfer-encoding: {}",
        "header:: {}",
        "basic:",
        "basic:a:b",
        "query:",
        "query:a b",
        "query:a&b",
        "body:x",
    ] {
        assert!(wrong.parse::<Place>().is_err(), "{wrong:?}");
    }
}
