//! Which hosts the owner is asked about once more, what a yes records, and what a change of addresses does.

use super::super::confirm::propose;
use super::super::confirmed::tests::Owner;
use super::*;
use cofferdam_policy::presets::sets::registry::Role;

const NPMRC: &str = "registry=https://packages.test/npm/\n";

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// A resolver that knows one name.
fn knows(name: &str, at: &[&str]) -> impl Fn(&BTreeSet<DnsName>) -> Result<Looked, Error> {
    let known = (DnsName::parse(name).unwrap(), addresses(at));
    move |names| {
        let of = |name: &DnsName| if *name == known.0 { known.1.clone() } else { Vec::new() };
        Ok(names.iter().map(|name| (name.clone(), of(name))).collect())
    }
}

fn observed(url: &str) -> Place {
    Place::new(Role::Files, Base::parse(url).unwrap(), Origin::Observed)
}

#[test]
fn a_mirror_of_the_settings_at_a_private_address_is_offered_and_recorded_only_after_a_yes() {
    for at in [&["10.1.2.3"][..], &["192.168.0.9", "fd00::9"], &["127.0.0.1"], &["93.184.216.34", "10.0.0.1"]]
    {
        let owner = Owner::with(&[(".npmrc", NPMRC)]);
        let mut draft = propose(&owner.context, "npm").unwrap();
        let found = draft.openings_by(&owner.context, &knows("packages.test", at)).unwrap();
        assert_eq!(found.offered.len(), 1, "{at:?}");
        assert_eq!(found.offered[0].addresses, addresses(at));
        assert!(draft.places()[0].base.addresses.is_empty(), "nothing is granted by being offered");
        draft.open(&found.offered[0]);
        assert_eq!(draft.places()[0].base.addresses, addresses(at));
        draft.confirm(&owner.context).unwrap();
        let kept = confirmed::read(&owner.context, Registry::Npm).unwrap().unwrap();
        assert_eq!(kept.places[0].addresses_from, AddressesFrom::Resolver);
    }
}

#[test]
fn a_mirror_out_on_the_internet_is_not_asked_about_and_names_no_address() {
    let owner = Owner::with(&[(".npmrc", NPMRC)]);
    let mut draft = propose(&owner.context, "npm").unwrap();
    for at in [&["93.184.216.34"][..], &[]] {
        let found = draft.openings_by(&owner.context, &knows("packages.test", at)).unwrap();
        assert!(found.offered.is_empty() && found.notes.is_empty(), "{found:?}");
    }
    assert!(draft.places()[0].base.addresses.is_empty());
}

#[test]
fn metadata_services_are_not_offered_whoever_names_them() {
    for at in [&["169.254.169.254"][..], &["10.0.0.1", "169.254.169.254"], &["fd00:ec2::254"], &["0.0.0.0"]] {
        let owner = Owner::with(&[(".npmrc", NPMRC)]);
        let mut draft = propose(&owner.context, "npm").unwrap();
        let found = draft.openings_by(&owner.context, &knows("packages.test", at)).unwrap();
        assert!(found.offered.is_empty(), "{at:?}");
        assert!(found.notes[0].contains("never offered"), "{:?}", found.notes);
    }
}

#[test]
fn a_yes_to_one_host_opens_no_other_that_an_index_names_at_the_same_address() {
    let owner = Owner::with(&[(".npmrc", NPMRC)]);
    let mut draft = propose(&owner.context, "npm").unwrap();
    let found = draft.openings_by(&owner.context, &knows("packages.test", &["10.1.2.3"])).unwrap();
    draft.open(&found.offered[0]);
    for url in ["https://evil.test/files", "https://packages.test:9000/files", "https://10.1.2.3/files"] {
        draft.take(observed(url));
        assert!(draft.places().last().unwrap().base.addresses.is_empty(), "{url}");
    }
    let both = |names: &BTreeSet<DnsName>| -> Result<Looked, Error> {
        Ok(names.iter().map(|name| (name.clone(), addresses(&["10.1.2.3"]))).collect())
    };
    let found = draft.openings_by(&owner.context, &both).unwrap();
    let asked: Vec<(&str, Origin)> =
        found.offered.iter().map(|opening| (opening.place.as_str(), opening.from)).collect();
    let observed_one = |place| (place, Origin::Observed);
    assert_eq!(asked, ["evil.test", "packages.test:9000", "10.1.2.3"].map(observed_one));
    // The control: another path of the very host and port goes by the same yes.
    draft.take(observed("https://packages.test/files"));
    assert_eq!(draft.places().last().unwrap().base.addresses, addresses(&["10.1.2.3"]));
}

#[test]
fn what_was_said_yes_to_before_is_asked_again_and_what_the_owner_wrote_is_not() {
    let owner = Owner::with(&[(".npmrc", NPMRC)]);
    let mut draft = propose(&owner.context, "npm").unwrap();
    let found = draft.openings_by(&owner.context, &knows("packages.test", &["10.1.2.3"])).unwrap();
    draft.open(&found.offered[0]);
    let path = draft.confirm(&owner.context).unwrap();
    let mut again = propose(&owner.context, "npm").unwrap();
    let found = again.openings_by(&owner.context, &knows("packages.test", &["10.9.9.9"])).unwrap();
    assert_eq!(found.offered[0].before, addresses(&["10.1.2.3"]));
    assert_eq!(found.offered[0].addresses, addresses(&["10.9.9.9"]));
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("addresses_from = \"resolver\"\n", "")).unwrap();
    let mut written = propose(&owner.context, "npm").unwrap();
    let found = written.openings_by(&owner.context, &knows("packages.test", &["10.9.9.9"])).unwrap();
    assert!(found.offered.is_empty());
    assert_eq!(written.places()[0].base.addresses, addresses(&["10.1.2.3"]));
}

#[test]
fn addresses_that_the_owner_wrote_at_a_place_that_a_tool_asks_for_survive_and_serve_the_next_round() {
    let owner = Owner::with(&[(".npmrc", NPMRC)]);
    let mut draft = propose(&owner.context, "npm").unwrap();
    draft.take(observed("https://files.test/x"));
    let path = draft.confirm(&owner.context).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let written = "from = \"observed\"\naddresses = [\"10.0.0.7\"]";
    std::fs::write(&path, text.replace("from = \"observed\"", written)).unwrap();
    let mut again = propose(&owner.context, "npm").unwrap();
    again.take(observed("https://files.test/x"));
    assert_eq!(again.places()[1].base.addresses, addresses(&["10.0.0.7"]));
}

#[test]
fn a_name_that_leads_elsewhere_by_now_is_told_and_one_that_leads_nowhere_is_not() {
    let base = Base {
        addresses: addresses(&["10.1.2.3", "10.1.2.4"]),
        ..Base::parse("https://packages.test/").unwrap()
    };
    let mut place = Place::new(Role::Index, base, Origin::Settings);
    place.addresses_from = AddressesFrom::Resolver;
    let confirmed = Confirmed { places: vec![place.clone()], ..Confirmed::default() };
    let moved_to = |at: &[&str]| moved(&confirmed, &knows("packages.test", at)).unwrap();
    assert!(moved_to(&["10.1.2.4"]).is_empty() && moved_to(&[]).is_empty());
    assert!(moved_to(&["10.1.2.3", "10.9.9.9"])[0].contains("10.9.9.9"));
    assert!(moved_to(&["93.184.216.34"])[0].contains("was at 10.1.2.3"));
    // What the owner wrote holds wherever the name leads.
    place.addresses_from = AddressesFrom::You;
    let written = Confirmed { places: vec![place], ..Confirmed::default() };
    assert!(moved(&written, &knows("packages.test", &["10.9.9.9"])).unwrap().is_empty());
}

#[test]
fn loopback_by_its_own_name_is_refused_since_it_is_the_cell_s() {
    for url in
        ["http://localhost:4873/", "http://127.0.0.1:4873/", "https://x.localhost/", "http://[::1]:4873/"]
    {
        let owner = Owner::with(&[(".npmrc", &format!("registry={url}\n"))]);
        let error = propose(&owner.context, "npm").unwrap_err();
        assert_eq!(error.kind, ErrorKind::Policy);
        assert!(error.why().contains("the cell's own loopback"), "{url}: {}", error.why());
    }
}

#[test]
fn a_place_that_is_there_gets_queries_when_the_owner_said_yes_to_them() {
    let owner = Owner::with(&[(".npmrc", NPMRC)]);
    let mut draft = propose(&owner.context, "npm").unwrap();
    let plain = draft.places()[0].clone();
    draft.take(plain.clone());
    assert_eq!(draft.places(), std::slice::from_ref(&plain));
    let mut asking = plain;
    asking.base.query = QueryRule::Allow;
    draft.take(asking);
    assert_eq!((draft.places().len(), draft.places()[0].base.query), (1, QueryRule::Allow));
}
