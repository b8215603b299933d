//! What no grant permits, and how long its lists may be.

use super::*;

#[test]
fn even_any_method_is_a_word_and_never_a_tunnel() {
    for method in ["GET", "PROPFIND", "x-own"] {
        assert!(Methods::Any.permit(method), "{method}");
    }
    for method in ["CONNECT", "connect", "TRACE", "Trace", "", "GET /", "GET\r\nX"] {
        assert!(!Methods::Any.permit(method), "{method}");
    }
    let these = Methods::parse(["GET", "POST"]).unwrap();
    assert!(these.permit("POST") && !these.permit("post") && !these.permit("PUT"));
}

#[test]
fn a_list_may_have_so_many_entries_and_no_more() {
    let methods = |count: usize| Methods::parse((0..count).map(|_| "GET").collect::<Vec<_>>());
    assert!(methods(GRANT_ENTRIES_MAX).is_ok());
    assert_eq!(methods(GRANT_ENTRIES_MAX + 1), Err(GrantError::TooMany("methods")));
    let with = |paths: usize, addresses: usize| {
        let mut grant = Grant::from_line("GET a.example/x", GrantOrigin::Flag).unwrap();
        grant.paths = vec![PathPattern::everything(); paths];
        grant.addresses = vec!["192.0.2.1".parse().unwrap(); addresses];
        grant.checked()
    };
    assert!(with(GRANT_ENTRIES_MAX, GRANT_ENTRIES_MAX).is_ok());
    assert_eq!(with(GRANT_ENTRIES_MAX + 1, 1), Err(GrantError::TooMany("paths")));
    assert_eq!(with(1, GRANT_ENTRIES_MAX + 1), Err(GrantError::TooMany("addresses")));
}
