//! A repository on both sides: the owner's directories, and the session's layers over them.

use super::cannot_take;
use crate::changes::{Changeable, changeable};
use crate::error::Error;
use crate::state::{self, SessionPlace, State};
use cofferdam_ledger::SessionRecord;
use cofferdam_policy::authority::{Authority, View};
use cofferdam_policy::path::AbsPath;
use cofferdam_workspace::changeset;
use cofferdam_workspace::git::config;
use cofferdam_workspace::git::objects::{ObjectFormat, Objects};
use cofferdam_workspace::git::places::{self, Role};
use cofferdam_workspace::git::refs::{self, Head, Layered, RefError};
use rustix::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

/// The longest configuration that is read, in bytes.
const CONFIG_BYTES_MAX: usize = 1 << 20;

/// Where a repository lies.
#[derive(Debug)]
pub(super) struct Repository {
    /// The top of its work tree.
    pub(super) top: AbsPath,
    pub(super) format: ObjectFormat,
    /// Its references are no files.
    pub(super) keeps_references_otherwise: bool,
    /// The owner's git directory that all work trees share.
    pub(super) owners_common: OwnedFd,
    git: Side,
    common: Side,
    /// The owner's stores besides the common one.
    alternates: Vec<AbsPath>,
    workspace: AbsPath,
}

/// A git directory, as the session's layer and the owner's directory hold it.
#[derive(Debug)]
struct Side {
    upper: Option<OwnedFd>,
    lower: OwnedFd,
    below: Vec<u8>,
}

impl Side {
    fn of(place: &SessionPlace, authority: &Authority, path: &AbsPath) -> Result<Self, Error> {
        let over: Option<Changeable<'_>> = changeable(authority)
            .into_iter()
            .filter(|changeable| path.is_within(changeable.original))
            .max_by_key(|changeable| changeable.original.as_str().len());
        let Some(over) = over else {
            return Ok(Self {
                upper: None,
                lower: state::open_directory(path.as_path())?,
                below: Vec::new(),
            });
        };
        let layer = match over.view {
            View::Overlay => place.layer(over.number).join("upper"),
            View::Copy => place.copy(over.number),
        };
        let below = path.as_path().strip_prefix(over.original.as_path()).unwrap_or(path.as_path());
        let upper = if layer.exists() {
            state::make_enterable(&layer)?;
            Some(state::open_directory(&layer)?)
        } else {
            None
        };
        let lower = state::open_directory(over.original.as_path())?;
        Ok(Self { upper, lower, below: below.as_os_str().as_bytes().to_vec() })
    }

    fn layered(&self) -> Layered<'_> {
        let upper = self.upper.as_ref().map(|upper| upper.as_fd());
        Layered { upper, lower: Some(self.lower.as_fd()), below: &self.below }
    }

    /// The session's directory of that name, if it has one.
    fn upper_directory(&self, name: &str) -> Option<OwnedFd> {
        let path = [&self.below, name.as_bytes()];
        let path = path.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(&b'/');
        changeset::open_below(self.upper.as_ref()?.as_fd(), &path).ok()
    }
}

impl Repository {
    /// The one whose work tree `workspace` lies in, if any.
    pub(super) fn of(
        state: &State,
        record: &SessionRecord,
        authority: &Authority,
        workspace: &AbsPath,
    ) -> Result<Option<Self>, Error> {
        let found =
            places::find(workspace, workspace).map_err(|error| cannot_take(workspace, error.to_string()))?;
        let Some(found) = found else { return Ok(None) };
        let place = state.session(&record.id);
        let git = Side::of(&place, authority, &found.git_directory)?;
        let common = Side::of(&place, authority, &found.common_directory)?;
        let owners_common = state::open_directory(found.common_directory.as_path())?;
        // The owner's own configuration: what the session wrote into its view says nothing.
        let text =
            changeset::small_file(owners_common.as_fd(), b"config", CONFIG_BYTES_MAX).unwrap_or_default();
        let entries = config::parse(&text).map_err(|error| cannot_take(workspace, error.to_string()))?;
        let extension = |key: &str| {
            let of_key = |entry: &&config::Entry| entry.section == "extensions" && entry.key == key;
            entries.iter().rev().find(of_key).and_then(|entry| entry.value.clone())
        };
        let format = match extension("objectformat").as_deref() {
            Some(b"sha256") => ObjectFormat::Sha256,
            Some(_) | None => ObjectFormat::Sha1,
        };
        let keeps_references_otherwise = extension("refstorage").is_some_and(|value| value != b"files");
        let alternates = found.outside.iter().filter(|place| place.role == Role::Alternate);
        Ok(Some(Self {
            top: found.top,
            format,
            keeps_references_otherwise,
            owners_common,
            git,
            common,
            alternates: alternates.map(|place| place.path.clone()).collect(),
            workspace: workspace.clone(),
        }))
    }

    /// What the session has checked out.
    pub(super) fn head(&self) -> Result<Head, RefError> {
        refs::head(&self.git.layered(), &self.common.layered())
    }

    /// What the owner has.
    pub(super) fn owners_objects(&self) -> Result<Objects, Error> {
        self.open(Vec::new())
    }

    /// What the session has, its own first.
    pub(super) fn all_objects(&self) -> Result<Objects, Error> {
        self.open(self.common.upper_directory("objects").into_iter().collect())
    }

    fn open(&self, mut stores: Vec<OwnedFd>) -> Result<Objects, Error> {
        let cannot = |error: rustix::io::Errno| cannot_take(&self.workspace, format!("its objects: {error}"));
        stores.push(changeset::open_below(self.owners_common.as_fd(), b"objects").map_err(cannot)?);
        for alternate in &self.alternates {
            stores.push(state::open_directory(alternate.as_path())?);
        }
        Objects::open(self.format, stores).map_err(cannot)
    }
}
