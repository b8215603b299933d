//! The object stores of a repository, opened: its own, and the alternates that count.
//!
//! Alternates are followed by the same rules as for mounting them. Nothing in a store is looked at.

use super::{ALTERNATES_DEPTH_MAX, PLACES_MAX, PlacesError, alternates_of, config_value, open};
use crate::git::objects::ObjectFormat;
use cofferdam_policy::path::AbsPath;
use rustix::fd::OwnedFd;

/// A repository's stores.
#[derive(Debug)]
pub struct Stores {
    /// By which hash its objects are named.
    pub format: ObjectFormat,
    /// Its own first.
    pub directories: Vec<OwnedFd>,
}

/// The stores of the repository with that common directory; `None` if its format is not known here.
///
/// # Errors
/// [`PlacesError`] if its own can't be opened.
pub fn stores(common_directory: &AbsPath) -> Result<Option<Stores>, PlacesError> {
    let common = open(common_directory.as_path())?;
    let format = match config_value(&common, "extensions", "objectformat") {
        None => ObjectFormat::Sha1,
        Some(name) if name.eq_ignore_ascii_case(b"sha1") => ObjectFormat::Sha1,
        Some(name) if name.eq_ignore_ascii_case(b"sha256") => ObjectFormat::Sha256,
        Some(_) => return Ok(None),
    };
    let own = common_directory.as_path().join("objects");
    let mut directories = vec![open(&own)?];
    let (mut met, mut pending) = (vec![own.clone()], vec![(own, 0)]);
    while let Some((objects, depth)) = pending.pop() {
        for (path, directory) in alternates_of(&objects).into_iter().filter_map(|(_, settled)| settled.ok()) {
            let path = path.as_path().to_owned();
            if depth < ALTERNATES_DEPTH_MAX && directories.len() < PLACES_MAX && !met.contains(&path) {
                directories.push(directory);
                met.push(path.clone());
                pending.push((path, depth + 1));
            }
        }
    }
    Ok(Some(Stores { format, directories }))
}
