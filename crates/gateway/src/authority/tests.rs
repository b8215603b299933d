//! The authority is made once, its key is nobody else's, and its leaves are believed.

use super::*;
use std::os::unix::fs::PermissionsExt as _;

const NOW: u64 = 1_795_420_800;

fn made() -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("authority");
    make(&directory, NOW).unwrap();
    (home, directory)
}

fn both(directory: &Path) -> [Vec<u8>; 2] {
    [KEY_FILE, CERTIFICATE_FILE].map(|name| std::fs::read(directory.join(name)).unwrap())
}

#[test]
fn an_authority_is_made_once_and_again_before_it_ends() {
    let (_home, directory) = made();
    let first = both(&directory);
    make(&directory, NOW + 59 * SECONDS_PER_DAY).unwrap();
    assert_eq!(both(&directory), first);
    make(&directory, NOW + 61 * SECONDS_PER_DAY).unwrap();
    assert_ne!(both(&directory), first);
    let pair = Pair::read(&directory).unwrap();
    assert_eq!(pair.valid_until, NOW + (61 + VALID_DAYS) * SECONDS_PER_DAY);
    make(&directory, NOW).unwrap();
    assert!(Pair::read(&directory).unwrap().valid_from < NOW, "one from the future is of no use now");
}

#[test]
fn the_key_is_for_the_owner_alone() {
    let (_home, directory) = made();
    let key = directory.join(KEY_FILE);
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    Authority::read(&directory).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(Authority::read(&directory), Err(AuthorityError::Exposed { .. })));
}

#[test]
fn a_key_that_does_not_belong_to_the_certificate_is_refused_and_replaced() {
    let (_home, directory) = made();
    let (_other_home, other) = made();
    std::fs::copy(other.join(KEY_FILE), directory.join(KEY_FILE)).unwrap();
    assert!(matches!(Authority::read(&directory), Err(AuthorityError::Unpaired { .. })));
    make(&directory, NOW).unwrap();
    Authority::read(&directory).unwrap();
}

#[test]
fn an_address_of_version_6_is_in_its_leaf_as_an_address() {
    let (_home, directory) = made();
    let authority = Authority::read(&directory).unwrap();
    let address: std::net::Ipv6Addr = "2001:db8::7".parse().unwrap();
    for written in ["[2001:db8::7]", "2001:db8::7"] {
        let leaf = authority.leaf(written).unwrap();
        // A name of that kind (RFC 5280, 4.2.1.6), sixteen bytes long.
        let name = [&[0x87, 16][..], &address.octets()].concat();
        assert!(leaf.cert[0].windows(name.len()).any(|bytes| bytes == name), "{written}");
    }
}

#[test]
fn the_same_host_gets_the_same_leaf_and_the_number_of_leaves_is_bounded() {
    let (_home, directory) = made();
    let authority = Authority::read(&directory).unwrap();
    let first = authority.server("a.test").unwrap();
    assert!(Arc::ptr_eq(&first, &authority.server("a.test").unwrap()));
    for number in 0..LEAVES_MAX {
        authority.server(&format!("{number}.test")).unwrap();
    }
    assert!(authority.leaves.lock().unwrap().len() <= LEAVES_MAX);
    assert!(!Arc::ptr_eq(&first, &authority.server("a.test").unwrap()));
}
