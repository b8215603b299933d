//! The keys by which apt in a cell trusts its sources: those that the owner's apt trusts, as far as they are texts.
//!
//! Public keys only: a file with anything else in it is left alone. Keys below `/usr` are in the cell anyway. No key is
//! trusted for a source that does not name it, but where the owner's apt does the same.

use super::super::{Configured, Surroundings};
use super::{Source, without_user};

/// Keys for every source that names none.
const TRUSTED: &str = "/etc/apt/trusted.gpg.d";
/// Where packages put theirs.
const PACKAGED: &str = "/usr/share/keyrings/";

/// Below the home in the cell.
const OWN_TRUSTED: &str = ".config/apt/trusted.gpg.d";
const OWN_NAMED: &str = ".config/apt/keyrings";

/// How an armored public key begins, and what stands in any key that is not public.
const PUBLIC_KEY: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
const PRIVATE_KEY: &str = "PRIVATE KEY";
/// The most keys that are taken along.
const KEYS_MAX: usize = 32;

/// Takes the key along that a source names, if it is not in a cell anyway.
pub(super) fn take_named(
    configured: &mut Configured,
    source: &mut Source,
    surroundings: &Surroundings<'_>,
    from: &str,
) {
    let address = without_user(&source.address).0;
    let key = source.options.iter_mut().find(|(name, _)| name == "signed-by");
    let Some((_, key)) = key.filter(|(_, key)| !key.starts_with("/usr/")) else { return };
    match take(configured, surroundings, key, OWN_NAMED) {
        Some(below) => *key = surroundings.below_home(&below),
        None => {
            configured
                .notes
                .push(format!("{from}: {key} is not in a cell, so apt will not trust {address} there"));
        }
    }
}

/// The setting by which apt finds keys for sources that name none.
pub(super) fn trusted(configured: &mut Configured, surroundings: &Surroundings<'_>) -> String {
    let paths = (surroundings.list)(TRUSTED);
    let paths: Vec<&String> =
        paths.iter().filter(|path| path.ends_with(".asc") || path.ends_with(".gpg")).collect();
    let taken = paths.iter().filter_map(|path| take(configured, surroundings, path, OWN_TRUSTED)).count();
    if taken > 0 && taken == paths.len() {
        return format!("Dir::Etc::TrustedParts \"{}/\";\n", surroundings.below_home(OWN_TRUSTED));
    }
    configured.files.retain(|below, _| !below.starts_with(OWN_TRUSTED));
    configured.notes.push(format!(
        "sources that name no key are trusted in a cell by the keys of {PACKAGED}, for some of {TRUSTED} are no texts"
    ));
    format!("Dir::Etc::TrustedParts \"{PACKAGED}\";\n")
}

/// Takes a key along as a file of the home; its path below it.
fn take(
    configured: &mut Configured,
    surroundings: &Surroundings<'_>,
    path: &str,
    into: &str,
) -> Option<String> {
    let name = path.rsplit('/').next().unwrap_or_default();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    // What has another ending is binary to apt.
    if !name.ends_with(".asc") || name.starts_with('.') || !name.bytes().all(is_plain) {
        return None;
    }
    let text = (surroundings.read)(path)?;
    if !text.trim_start().starts_with(PUBLIC_KEY) || text.contains(PRIVATE_KEY) {
        return None;
    }
    let below = format!("{into}/{name}");
    let is_new = configured.files.get(&below).is_none_or(|known| *known == text);
    if !is_new || configured.files.len() >= KEYS_MAX {
        return None;
    }
    configured.files.insert(below.clone(), text);
    Some(below)
}
