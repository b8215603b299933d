//! What sets come to for an owner with these settings.

use super::confirmed::tests::Owner;
use super::*;
use cofferdam_policy::presets::sets::registry::Role;

fn wish(sets: &[&str]) -> Wish {
    Wish { sets: sets.iter().map(|name| (*name).to_owned()).collect(), ..Wish::default() }
}

const NPMRC: &str = "registry=https://packages.test/npm/\n//packages.test/npm/:_authToken=planted-token\n";

#[test]
fn a_set_that_was_never_confirmed_is_refused_with_the_command_that_does() {
    let owner = Owner::with(&[(".npmrc", NPMRC)]);
    let error = of_wish(&owner.context, &wish(&["npm"])).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Policy);
    assert_eq!(error.what_to_do(), Some("cofferdam sets confirm npm"));
    let error = of_wish(&owner.context, &wish(&["npmm"])).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Usage);
    assert!(error.why().contains("github-read"), "{}", error.why());
}

#[test]
fn a_confirmed_set_grants_its_places_with_the_login_as_a_secret() {
    let owner = Owner::with(&[(".npmrc", NPMRC)]);
    let draft = propose(&owner.context, "npm").unwrap();
    let setting = ("npm-packages-test".to_owned(), "setting:npm:packages.test".to_owned());
    assert_eq!(draft.logins(), [setting]);
    draft.confirm(&owner.context).unwrap();
    let comes = of_wish(&owner.context, &wish(&["npm", "npm"])).unwrap();
    assert_eq!(comes.grants.len(), 1);
    let line = comes.grants[0].to_string();
    assert!(
        line.starts_with("packages.test:443/npm/*,") && line.contains("credential=npm-packages-test"),
        "{line}"
    );
    assert_eq!(comes.credentials.len(), 1);
    assert!(comes.credentials[0].environment.is_empty(), "the agent sees nothing of it");
    assert_eq!(comes.environment["npm_config_registry"], "https://packages.test/npm/");
    assert!(!format!("{comes:?}").contains("planted"));
    std::fs::write(owner.home.path().join(".npmrc"), "registry=https://evil.test/\n").unwrap();
    let error = of_wish(&owner.context, &wish(&["npm"])).unwrap_err();
    assert!(error.why().contains("https://evil.test/ is new"), "{}", error.why());
}

#[test]
fn what_the_owner_wrote_into_a_confirmed_set_survives_the_next_confirmation() {
    let owner = Owner::with(&[(".npmrc", "registry=https://packages.test/npm/\n")]);
    let mut draft = propose(&owner.context, "npm").unwrap();
    draft.name_place("https://mirror.test/x").unwrap();
    let path = draft.confirm(&owner.context).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let edited = text.replacen("role = \"index\"", "role = \"index\"\naddresses = [\"10.0.0.1\"]", 1);
    std::fs::write(&path, edited).unwrap();
    let again = propose(&owner.context, "npm").unwrap();
    assert_eq!(again.places().len(), 2);
    assert_eq!(again.places()[0].base.addresses, ["10.0.0.1".parse::<std::net::IpAddr>().unwrap()]);
    assert_eq!((again.places()[1].role, again.places()[1].from), (Role::Index, Origin::You));
}

#[test]
fn nothing_is_confirmed_where_nothing_is_known() {
    let owner = Owner::with(&[]);
    let error = propose(&owner.context, "docker").unwrap().confirm(&owner.context).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Policy);
    let error = propose(&owner.context, "github-read").unwrap_err();
    assert_eq!(error.kind, ErrorKind::Usage);
}

#[test]
fn cargo_in_a_cell_is_told_by_a_file_what_no_variable_can_say() {
    let config =
        "[source.crates-io]\nreplace-with = 'm'\n[source.m]\nregistry = 'sparse+https://packages.test/i/'\n";
    let owner = Owner::with(&[(".cargo/config.toml", config)]);
    propose(&owner.context, "crates").unwrap().confirm(&owner.context).unwrap();
    let comes = of_wish(&owner.context, &wish(&["crates"])).unwrap();
    let file = &comes.home_files[0];
    assert_eq!(file.target, owner.context.home.join(".cargo/config.toml").unwrap());
    let text = std::fs::read_to_string(file.source.as_path()).unwrap();
    assert!(text.contains("sparse+https://packages.test/i/"), "{text}");
}

#[test]
fn the_policy_s_own_credential_goes_before_the_usual_one() {
    let owner = Owner::with(&[]);
    let own = b"[credential.anthropic]\nsecret = 'work-key'\nplace = 'header:x-api-key: {}'\n";
    let wish = Wish { sets: vec!["anthropic".into()], ..Wish::parse(own).unwrap() };
    let comes = of_wish(&owner.context, &wish).unwrap();
    assert!(comes.credentials.is_empty());
    assert!(comes.grants.iter().all(|grant| grant.credential.as_ref().unwrap().as_str() == "anthropic"));
}

#[test]
fn every_set_is_listed_with_how_it_stands() {
    let owner = Owner::with(&[(".npmrc", NPMRC)]);
    let standing_of =
        |name: &str| list(&owner.context).into_iter().find(|set| set.name == name).unwrap().standing;
    assert_eq!(standing_of("anthropic"), Standing::Ready);
    assert!(matches!(standing_of("npm"), Standing::Unconfirmed(places) if places.len() == 1));
    propose(&owner.context, "npm").unwrap().confirm(&owner.context).unwrap();
    assert!(matches!(standing_of("npm"), Standing::Confirmed(places) if places.len() == 1));
    let shown = show(&owner.context, "npm").unwrap();
    assert_eq!((shown.grants.len(), shown.credentials.len()), (1, 1));
    let shown = show(&owner.context, "github-push(acme/app)").unwrap();
    assert!(shown.grants.iter().any(|grant| grant.contains("git-receive-pack")), "{:?}", shown.grants);
}
