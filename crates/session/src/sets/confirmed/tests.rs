//! Confirmed sets on a disk: written, read, compared, and refused where they can't be the owner's word.

use super::*;
use crate::sets::surroundings::configured;
use cofferdam_policy::event::UnixNanos;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;

/// An owner with a home of their own.
pub(crate) struct Owner {
    pub(crate) home: tempfile::TempDir,
    pub(crate) context: Context,
}

impl Owner {
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        for (below, text) in files {
            let path = home.path().join(below);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let environment: BTreeMap<OsString, OsString> =
            [(OsString::from("HOME"), home.path().as_os_str().to_owned())].into();
        let context = Context::new(environment, home.path().to_owned(), || UnixNanos(1)).unwrap();
        Self { home, context }
    }

    fn write(&self, below: &str, text: &str) {
        std::fs::write(self.home.path().join(below), text).unwrap();
    }
}

const NPMRC: &str = "registry=https://packages.test/npm/\n//packages.test/npm/:_authToken=planted-token\n";

fn confirmed(owner: &Owner) -> Confirmed {
    let now = configured(&owner.context, Registry::Npm).unwrap();
    let mut base = now.places[0].base.clone();
    base.credential = Some("npm-packages-test".parse().unwrap());
    base.addresses = vec!["127.0.0.1".parse().unwrap()];
    let places = vec![
        Place::new(Role::Index, base, Origin::Settings),
        Place::new(Role::Files, Base::parse("https://files.test/").unwrap(), Origin::Observed),
    ];
    Confirmed {
        places,
        environment: now.environment,
        files: [(".x/y".to_owned(), "text\n".to_owned())].into(),
    }
}

#[test]
fn what_was_confirmed_is_read_as_it_was_written_and_holds_no_secret() {
    let owner = Owner::with(&[(".npmrc", NPMRC)]);
    assert_eq!(read(&owner.context, Registry::Npm).unwrap(), None);
    let confirmed = confirmed(&owner);
    let path = write(&owner.context, Registry::Npm, &confirmed).unwrap();
    assert_eq!(read(&owner.context, Registry::Npm).unwrap(), Some(confirmed));
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("https://packages.test/npm/") && !text.contains("planted"), "{text}");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_change_of_the_settings_takes_the_confirmation_back() {
    let owner = Owner::with(&[(".npmrc", NPMRC)]);
    let confirmed = confirmed(&owner);
    let differences = || confirmed.differences(&configured(&owner.context, Registry::Npm).unwrap());
    assert!(differences().is_empty(), "{:?}", differences());
    owner.write(".npmrc", "registry=https://evil.test/\n");
    let told = differences().join("\n");
    assert!(
        told.contains("https://packages.test/npm/ is not") && told.contains("https://evil.test/ is new"),
        "{told}"
    );
    owner.write(".npmrc", "registry=https://packages.test/npm/\n");
    assert_eq!(differences().len(), 1, "the login is gone");
    let npmrc = format!("{NPMRC}@acme:registry=https://acme.test/\n");
    owner.write(".npmrc", &npmrc);
    assert_eq!(differences().len(), 1, "{:?}", differences());
}

#[test]
fn what_is_compiled_in_counts_only_while_no_setting_replaces_it() {
    let owner = Owner::with(&[]);
    let base = Base::parse("https://packages.test/").unwrap();
    let place = Place::new(Role::Index, base, Origin::Observed);
    let confirmed = Confirmed { places: vec![place], ..Confirmed::default() };
    let differences = || confirmed.differences(&configured(&owner.context, Registry::Npm).unwrap());
    assert!(differences().is_empty());
    owner.write(".npmrc", "registry=https://packages.test/\n");
    assert!(!differences().is_empty());
}

#[test]
fn a_file_that_others_could_write_or_that_is_not_understood_counts_for_nothing() {
    let owner = Owner::with(&[(".npmrc", NPMRC)]);
    let path = write(&owner.context, Registry::Npm, &confirmed(&owner)).unwrap();
    assert!(read(&owner.context, Registry::Npm).is_ok());
    let text = std::fs::read_to_string(&path).unwrap();
    for wrong in [
        text.replace("version = 1", "version = 2"),
        text.replace("set = \"npm\"", "set = \"pypi\""),
        text.replace("role = \"index\"", "role = \"all\""),
        text.replace("https://packages.test/npm/", "https://packages.test/*/"),
        format!("{text}\n[extra]\n"),
        text.replace(".x/y", "../.x/y"),
    ] {
        std::fs::write(&path, wrong).unwrap();
        assert!(read(&owner.context, Registry::Npm).is_err());
    }
    std::fs::write(&path, &text).unwrap();
    assert!(read(&owner.context, Registry::Npm).is_ok());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    assert!(read(&owner.context, Registry::Npm).is_err());
}
