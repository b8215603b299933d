//! What may name a variable or a place, which grants name a credential that there is, and which of two wishes holds.

use super::*;

#[test]
fn a_variable_is_a_word_as_shells_have_it() {
    for word in ["A", "_", "GH_TOKEN", "a1", &"V".repeat(VARIABLE_BYTES_MAX)] {
        assert_eq!(word.parse::<VarName>().unwrap().as_str(), word);
        assert_eq!(word.parse::<VarName>().unwrap().to_string(), word);
    }
    for wrong in ["", "1A", "A-B", "A=B", "A B", "Ä", &"V".repeat(VARIABLE_BYTES_MAX + 1)] {
        assert!(wrong.parse::<VarName>().is_err(), "{wrong}");
    }
}

#[test]
fn a_place_has_a_greatest_length_and_is_printed_as_it_is_written() {
    let longest = format!("query:{}", "k".repeat(PLACE_BYTES_MAX - "query:".len()));
    for place in ["basic", "basic:user", "header:authorization: Bearer {}", &longest] {
        assert_eq!(String::from(place.parse::<Place>().unwrap()), place);
    }
    assert!(format!("{longest}k").parse::<Place>().is_err());
}

#[test]
fn of_two_wishes_the_stricter_one_holds() {
    use OnHandleLeak::{Refuse, Stop};
    for (one, other, holds) in
        [(Refuse, Refuse, Refuse), (Refuse, Stop, Stop), (Stop, Refuse, Stop), (Stop, Stop, Stop)]
    {
        assert_eq!(one.and(other), holds);
    }
}

#[test]
fn a_grant_that_names_a_credential_which_is_none_is_found() {
    let line = |credential: &str| format!("GET a.example/x credential={credential}");
    let grant =
        |credential| Grant::from_line(&line(credential), crate::net::grant::GrantOrigin::Flag).unwrap();
    let kept = Credential {
        name: "kept".parse().unwrap(),
        secret: "secret".parse().unwrap(),
        place: "basic".parse().unwrap(),
        environment: Vec::new(),
    };
    let kept = std::slice::from_ref(&kept);
    assert_eq!(undefined(&[grant("kept")], kept), None);
    let (grants, missing) = ([grant("kept"), grant("other")], "other".parse().unwrap());
    assert_eq!(undefined(&grants, kept), Some((&grants[1], &missing)));
    assert!(undefined(&grants, &[]).is_some_and(|(_, name)| name.as_str() == "kept"));
}
