//! What the owner confirmed of a set: one file each, `$XDG_CONFIG_HOME/cofferdam/sets/NAME.toml`, to be read and edited.
//!
//! A place that no agent can write. What the file says holds only as long as the tool's settings still name the same
//! places; that comparison is here, too.

use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::policies::{read_bounded, shown};
use cofferdam_policy::net::credential::CredentialName;
use cofferdam_policy::net::grant::QueryRule;
use cofferdam_policy::presets::sets::base::Base;
use cofferdam_policy::presets::sets::registry::{Registry, Role};
use cofferdam_policy::presets::settings::Configured;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

/// The version of the file's form.
const VERSION: u32 = 1;
/// The most places of one set.
const PLACES_MAX: usize = 64;
/// Write permission for others than the owner.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// A set as it was confirmed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Confirmed {
    /// What it loads from.
    pub places: Vec<Place>,
    /// Variables for the cell.
    pub environment: BTreeMap<String, String>,
    /// Files for the home in the cell: their paths there, and their texts.
    pub files: BTreeMap<String, String>,
}

/// One place of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What it is.
    pub role: Role,
    /// Where, with which credential.
    pub base: Base,
    /// Who says so.
    pub from: Origin,
    /// Who says where it is, if its addresses are named.
    pub addresses_from: AddressesFrom,
}

/// Who names the addresses of a place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AddressesFrom {
    /// The owner, by writing them into the file: they hold, wherever the name leads.
    #[default]
    You,
    /// The machine's resolver, and the owner said yes: they hold as long as the name leads there.
    Resolver,
}

/// Who says that a set loads from a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The tool's settings.
    Settings,
    /// The tool asked for it in a cell.
    Observed,
    /// The owner.
    You,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    set: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    home_files: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    place: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    url: String,
    role: String,
    from: Origin,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credential: Option<CredentialName>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    addresses: Vec<IpAddr>,
    #[serde(default, skip_serializing_if = "is_the_owner_s")]
    addresses_from: AddressesFrom,
    #[serde(default, skip_serializing_if = "is_denied")]
    query: Query,
}

/// As in policies; here the narrow one is what holds when nothing is said.
#[derive(Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Query {
    Allow,
    #[default]
    Deny,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn is_denied(query: &Query) -> bool {
    *query == Query::Deny
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn is_the_owner_s(from: &AddressesFrom) -> bool {
    *from == AddressesFrom::You
}

/// Where the file of a set lies, whether there is one or not.
#[must_use]
pub fn path(context: &Context, registry: Registry) -> PathBuf {
    context.config.as_path().join("sets").join(format!("{}.toml", registry.name()))
}

/// Where the text of one of its files for homes lies.
pub(super) fn home_file(context: &Context, registry: Registry, below: &str) -> PathBuf {
    context.config.as_path().join("sets").join(format!("{}.home", registry.name())).join(below)
}

/// What the owner confirmed, if anything was.
pub(super) fn read(context: &Context, registry: Registry) -> Result<Option<Confirmed>, Error> {
    let path = path(context, registry);
    let broken = |why: String| {
        Error::new(ErrorKind::Policy, format!("cannot take the set {}", shown(&path)))
            .since(why)
            .hint(format!("correct it, or make it anew: cofferdam sets confirm {}", registry.name()))
    };
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = match rustix::fs::open(&path, flags, Mode::empty()) {
        Ok(fd) => fd,
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(broken(errno.to_string())),
    };
    let found = rustix::fs::fstat(&fd).map_err(|errno| broken(errno.to_string()))?;
    let is_own = found.st_uid == context.uid || found.st_uid == 0;
    let is_file = FileType::from_raw_mode(found.st_mode) == FileType::RegularFile;
    if !is_own || !is_file || found.st_mode & WRITABLE_BY_OTHERS != 0 {
        return Err(broken("it is no file that only you can write".to_owned()));
    }
    let bytes = read_bounded(&fd).map_err(|errno| broken(errno.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|error| broken(error.to_string()))?;
    let file: File = toml::from_str(&text).map_err(|error| broken(error.message().to_owned()))?;
    if file.version != VERSION || file.set != registry.name() || file.place.len() > PLACES_MAX {
        return Err(broken("it is of another version or another set, or has too many places".to_owned()));
    }
    let places = file.place.into_iter().map(Place::try_from).collect::<Result<_, _>>().map_err(broken)?;
    let mut files = BTreeMap::new();
    for below in file.home_files {
        if !is_below(&below) {
            return Err(broken(format!("{below:?} is no path below a home")));
        }
        let text = std::fs::read_to_string(home_file(context, registry, &below));
        let text = text.map_err(|error| broken(format!("{below}: {error}")))?;
        files.insert(below, text);
    }
    Ok(Some(Confirmed { places, environment: file.environment, files }))
}

/// Writes what was confirmed in the place of what was there.
pub(super) fn write(context: &Context, registry: Registry, confirmed: &Confirmed) -> Result<PathBuf, Error> {
    let path = path(context, registry);
    let cannot = |why: String| {
        Error::new(ErrorKind::State, format!("cannot write {}", shown(&path)))
            .since(why)
            .hint("see that the directory is yours and the disk has room")
    };
    let directory = context.config.as_path().join("sets");
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory);
    made.map_err(|error| cannot(error.to_string()))?;
    let file = File {
        version: VERSION,
        set: registry.name().to_owned(),
        home_files: confirmed.files.keys().cloned().collect(),
        environment: confirmed.environment.clone(),
        place: confirmed.places.iter().map(Entry::from).collect(),
    };
    let text = toml::to_string(&file).map_err(|error| cannot(error.to_string()))?;
    let head = format!(
        "# Where {0} loads from in a cell, as you confirmed it: cofferdam sets confirm {0}\n\
         # You may edit it: see docs/sets.md.\n\n",
        registry.name()
    );
    let put = |path: PathBuf, text: &str| -> std::io::Result<()> {
        use std::io::Write as _;
        let partial = path.with_extension("new");
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(partial, path)
    };
    for (below, text) in &confirmed.files {
        let path = home_file(context, registry, below);
        let directory = path.parent().unwrap_or(&directory);
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.and_then(|()| put(path.clone(), text)).map_err(|error| cannot(error.to_string()))?;
    }
    put(path.clone(), &(head + &text)).map_err(|error| cannot(error.to_string()))?;
    Ok(path)
}

/// Plain names only: what is joined to a home must stay in it.
fn is_below(path: &str) -> bool {
    path.split('/').all(|name| !matches!(name, "" | "." | ".."))
}

impl Confirmed {
    /// In what the tool's settings differ by now from those that were confirmed.
    #[must_use]
    pub fn differences(&self, now: &Configured) -> Vec<String> {
        let confirmed = self.places.iter().filter(|place| place.from == Origin::Settings);
        let mut differences = Vec::new();
        for place in confirmed.clone() {
            let is_there =
                now.places.iter().any(|other| other.role == place.role && other.base.is_at(&place.base));
            if !is_there {
                differences.push(format!("{} is not in the settings any more", place.base));
            }
        }
        for place in &now.places {
            let mut known = confirmed.clone().filter(|known| known.role == place.role);
            match known.find(|known| known.base.is_at(&place.base)) {
                None => differences.push(format!("{} is new in {}", place.base, place.from)),
                Some(known) if known.base.credential.is_none() && place.login.is_some() => {
                    differences.push(format!("{} has a login in {} now", place.base, place.from));
                }
                Some(known) if known.base.credential.is_some() && place.login.is_none() => {
                    differences.push(format!("{} has no login in {} any more", place.base, place.from));
                }
                Some(_) => {}
            }
        }
        let observed =
            self.places.iter().any(|place| place.from == Origin::Observed && place.role == Role::Index);
        if now.is_complete && observed && confirmed.count() == 0 {
            differences.push("the settings replace what is compiled into the tool".to_owned());
        }
        differences
    }
}

impl Place {
    /// One whose addresses nobody named.
    #[must_use]
    pub fn new(role: Role, base: Base, from: Origin) -> Self {
        Self { role, base, from, addresses_from: AddressesFrom::You }
    }

    /// Whether it is the same place in the same role.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.role == other.role && self.base.is_at(&other.base)
    }
}

impl TryFrom<Entry> for Place {
    type Error = String;

    fn try_from(entry: Entry) -> Result<Self, String> {
        let role = Role::named(&entry.role).ok_or_else(|| format!("there is no role {:?}", entry.role))?;
        let mut base = Base::parse(&entry.url).map_err(|error| format!("{}: {error}", entry.url))?;
        base.credential = entry.credential;
        base.addresses = entry.addresses;
        base.query = match entry.query {
            Query::Allow => QueryRule::Allow,
            Query::Deny => QueryRule::Deny,
        };
        Ok(Self { role, base, from: entry.from, addresses_from: entry.addresses_from })
    }
}

impl From<&Place> for Entry {
    fn from(place: &Place) -> Self {
        Self {
            url: place.base.url(),
            role: place.role.name().to_owned(),
            from: place.from,
            credential: place.base.credential.clone(),
            addresses: place.base.addresses.clone(),
            addresses_from: place.addresses_from,
            query: if place.base.query == QueryRule::Allow { Query::Allow } else { Query::Deny },
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
