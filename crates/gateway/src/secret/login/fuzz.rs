//! Files of other programs and answers of token endpoints: whatever they hold, what comes of them fits a header.

use super::*;
use cofferdam_fuzz::fuzz;

#[test]
fn no_login_and_no_answer_gives_a_token_that_breaks_a_header() {
    fuzz("login", target);
}

fn target(input: &[u8]) -> [bool; 3] {
    let logins = LoginKind::ALL.map(|kind| parse_file(kind, input).ok());
    let answer = TokenAnswer { status: 200, body: Zeroizing::new(input.to_vec()) };
    let old = Secret::new(b"refresh-zero".to_vec()).unwrap();
    let answered = token_answer(&answer, &old, UnixNanos(0)).ok();
    let tokens = logins.iter().flatten().flat_map(|login| [Some(&login.access), login.refresh.as_ref()]);
    let renewed = answered.iter().flat_map(|(value, _)| [Some(&value.secret), value.refresh.as_ref()]);
    for token in tokens.chain(renewed).flatten() {
        assert!(token.expose().iter().all(|byte| (b' '..=b'~').contains(byte)));
    }
    for facts in logins.iter().flatten().map(|login| &login.facts) {
        let words = facts.plan.iter().chain(&facts.account).chain(&facts.scopes);
        assert!(words.into_iter().all(|word| word.bytes().all(|byte| byte.is_ascii_graphic())));
    }
    [logins[0].is_some(), logins[1].is_some(), answered.is_some()]
}
