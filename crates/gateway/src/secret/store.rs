//! The store: values in `secrets/store.age`, what is known in the open in `secrets/index.json`, the key elsewhere.
//!
//! Every change is made under one lock, writes the values first and the index after, each whole or not at all. A store
//! or index that can't be understood is never written over. It knows no source and no session.

use super::age::{self, AgeError, Identity};
use super::file::{self, Lock};
use super::value::Secret;
use crate::wire::SecretStore;
use cofferdam_policy::event::UnixNanos;
use cofferdam_policy::net::credential::SecretName;
use cofferdam_policy::net::secret::{SecretEntry, SecretReport, Standing};
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The most secrets in a store.
pub const SECRETS_MAX: usize = 256;
const STORE_BYTES_MAX: usize = 8 << 20;
const INDEX_BYTES_MAX: usize = 2 << 20;
const KEY_FILE_BYTES_MAX: usize = 4096;
const DISK_VERSION: u32 = 1;

/// Why the store can't be used. Nothing of its contents is ever in it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file or directory of ours.
    #[error("cannot {act} {}", .path.display())]
    File {
        /// What was tried.
        act: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The encryption.
    #[error("cannot {act} {}", .path.display())]
    Cipher {
        /// What was tried.
        act: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: AgeError,
    },
    /// There are values, and the key to them is gone.
    #[error("cannot find the key {} of the secrets that are there", .0.display())]
    NoKey(PathBuf),
    /// What a file holds is not what we write.
    #[error("cannot understand {}", .0.display())]
    Damaged(PathBuf),
    /// There are too many.
    #[error("cannot keep more than {SECRETS_MAX} secrets")]
    Full,
}

/// One value, and what refreshes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// What is put in the place of handles.
    pub secret: Secret,
    /// A login's refresh token; it never leaves the gateway but to the token endpoint.
    pub refresh: Option<Secret>,
}

/// What the store holds, decrypted.
#[derive(Debug, Default)]
pub struct Contents {
    /// What is known in the open.
    pub entries: BTreeMap<SecretName, SecretEntry>,
    /// The values.
    pub values: BTreeMap<SecretName, Value>,
}

/// Where everything lies.
#[derive(Debug, Clone)]
pub struct Store {
    directory: PathBuf,
    key: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DiskIndex {
    version: u32,
    secrets: BTreeMap<SecretName, SecretEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DiskStore<'d> {
    version: u32,
    #[serde(borrow)]
    values: BTreeMap<SecretName, DiskValue<'d>>,
}

/// In base64, so that the texts are borrowed from the buffer that is overwritten and never copied by the parser.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DiskValue<'d> {
    secret: &'d str,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh: Option<&'d str>,
}

impl Store {
    /// At this place.
    #[must_use]
    pub fn at(place: &SecretStore) -> Self {
        Self { directory: place.directory.clone(), key: place.identity.clone() }
    }

    /// The directory that is written to, and the key: all that a change touches once they are there.
    #[must_use]
    pub fn places(&self) -> (PathBuf, PathBuf) {
        (self.directory.clone(), self.key.clone())
    }

    /// What is known in the open; needs neither lock nor key.
    ///
    /// # Errors
    /// [`StoreError::File`], [`StoreError::Damaged`].
    pub fn entries(&self) -> Result<BTreeMap<SecretName, SecretEntry>, StoreError> {
        let path = self.index_path();
        let read = file::read_private(&path, INDEX_BYTES_MAX).map_err(cannot("read", &path))?;
        let Some(bytes) = read else { return Ok(BTreeMap::new()) };
        match serde_json::from_slice::<DiskIndex>(&bytes) {
            Ok(index) if index.version == DISK_VERSION => Ok(index.secrets),
            Ok(_) | Err(_) => Err(StoreError::Damaged(path)),
        }
    }

    /// The values too.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn contents(&self) -> Result<Contents, StoreError> {
        let entries = self.entries()?;
        let values = match self.encrypted()? {
            Some(bytes) => self.decrypted(&self.identity()?, &bytes)?,
            None => BTreeMap::new(),
        };
        Ok(Contents { entries, values })
    }

    /// Changes it, alone among all processes; a change that fails writes nothing.
    ///
    /// # Errors
    /// [`StoreError`], or what `change` says.
    pub fn change<T, E: From<StoreError>>(
        &self,
        change: impl FnOnce(&mut Contents) -> Result<T, E>,
    ) -> Result<T, E> {
        let _lock = self.lock("lock")?;
        let mut contents = self.contents()?;
        let made = change(&mut contents)?;
        if contents.entries.len() > SECRETS_MAX {
            return Err(StoreError::Full.into());
        }
        contents.values.retain(|name, _| contents.entries.contains_key(name));
        self.write_values(&contents.values)?;
        self.write_index(contents.entries)?;
        Ok(made)
    }

    /// Changes only what is known in the open; works without the key, and where the values are damaged.
    ///
    /// # Errors
    /// [`StoreError`], or what `change` says.
    pub fn change_entries<T, E: From<StoreError>>(
        &self,
        change: impl FnOnce(&mut BTreeMap<SecretName, SecretEntry>) -> Result<T, E>,
    ) -> Result<T, E> {
        let _lock = self.lock("lock")?;
        let mut entries = self.entries()?;
        let made = change(&mut entries)?;
        self.write_index(entries)?;
        Ok(made)
    }

    /// Each of `names`, and how it stands; all that are known if none is named.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn report(
        &self,
        names: &[SecretName],
        now: UnixNanos,
        session: Option<&str>,
    ) -> Result<Vec<SecretReport>, StoreError> {
        let contents = self.contents()?;
        let names: Vec<SecretName> =
            if names.is_empty() { contents.entries.keys().cloned().collect() } else { names.to_vec() };
        let report = |name: SecretName| {
            let entry = contents.entries.get(&name).cloned();
            let standing = match &entry {
                Some(entry) if contents.values.contains_key(&name) => entry.standing(now, session),
                Some(_) | None => Standing::Missing,
            };
            SecretReport { name, standing, entry }
        };
        Ok(names.into_iter().map(report).collect())
    }

    /// One of the store's locks.
    pub(super) fn lock(&self, name: &str) -> Result<Lock, StoreError> {
        let path = self.lock_path(name)?;
        Lock::take(&path).map_err(cannot("lock", &path))
    }

    /// The same, if nobody has it.
    pub(super) fn try_lock(&self, name: &str) -> Result<Option<Lock>, StoreError> {
        let path = self.lock_path(name)?;
        Lock::try_take(&path).map_err(cannot("lock", &path))
    }

    fn lock_path(&self, name: &str) -> Result<PathBuf, StoreError> {
        let made =
            file::private_directory(&self.directory).and_then(|()| file::check_closed(&self.directory));
        made.map_err(cannot("use", &self.directory))?;
        Ok(self.directory.join(name))
    }

    fn index_path(&self) -> PathBuf {
        self.directory.join("index.json")
    }

    fn store_path(&self) -> PathBuf {
        self.directory.join("store.age")
    }

    fn encrypted(&self) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let path = self.store_path();
        file::read_private(&path, STORE_BYTES_MAX).map_err(cannot("read", &path))
    }

    /// The key that is there.
    fn identity(&self) -> Result<Identity, StoreError> {
        let read = file::read_private(&self.key, KEY_FILE_BYTES_MAX).map_err(cannot("read", &self.key))?;
        let bytes = read.ok_or_else(|| StoreError::NoKey(self.key.clone()))?;
        let text = std::str::from_utf8(&bytes).unwrap_or_default();
        let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
        Identity::parse(line.unwrap_or_default()).map_err(ciphering("read", &self.key))
    }

    /// The key, made at the first time; under the lock, and never while there is something that another one opens.
    fn identity_or_new(&self) -> Result<Identity, StoreError> {
        match self.identity() {
            Err(StoreError::NoKey(path)) => {
                if self.store_path().exists() {
                    return Err(StoreError::NoKey(path));
                }
                let identity = Identity::generate().map_err(ciphering("make", &self.key))?;
                let text = Zeroizing::new(format!(
                    "# The key to the secrets of cofferdam; keep it out of backups.\n# public key: {}\n{}\n",
                    identity.recipient(),
                    identity.text().as_str()
                ));
                if let Some(above) = self.key.parent() {
                    file::private_directory(above).map_err(cannot("make", above))?;
                }
                file::put_private(&self.key, text.as_bytes()).map_err(cannot("write", &self.key))?;
                Ok(identity)
            }
            found => found,
        }
    }

    fn decrypted(
        &self,
        identity: &Identity,
        bytes: &[u8],
    ) -> Result<BTreeMap<SecretName, Value>, StoreError> {
        let path = self.store_path();
        let plain = age::decrypt(identity, bytes).map_err(ciphering("decrypt", &path))?;
        let damaged = || StoreError::Damaged(path.clone());
        let disk: DiskStore<'_> = serde_json::from_slice(&plain).map_err(|_untold| damaged())?;
        if disk.version != DISK_VERSION {
            return Err(damaged());
        }
        let secret = |text: &str| {
            let bytes = BASE64.decode(text.as_bytes()).map_err(|_untold| damaged())?;
            Secret::new(bytes).map_err(|_untold| damaged())
        };
        let value = |(name, value): (SecretName, DiskValue<'_>)| {
            let refresh = value.refresh.map(secret).transpose()?;
            Ok((name, Value { secret: secret(value.secret)?, refresh }))
        };
        disk.values.into_iter().map(value).collect()
    }

    fn write_values(&self, values: &BTreeMap<SecretName, Value>) -> Result<(), StoreError> {
        let identity = self.identity_or_new()?;
        let text = |secret: &Secret| Zeroizing::new(BASE64.encode(secret.expose()));
        let texts: Vec<_> = values
            .iter()
            .map(|(name, value)| (name, text(&value.secret), value.refresh.as_ref().map(text)))
            .collect();
        let disk = DiskStore {
            version: DISK_VERSION,
            values: texts
                .iter()
                .map(|(name, secret, refresh)| {
                    let refresh = refresh.as_ref().map(|text| text.as_str());
                    ((*name).clone(), DiskValue { secret: secret.as_str(), refresh })
                })
                .collect(),
        };
        // The room is there from the start: a buffer that grows leaves copies behind.
        let length = |text: &Zeroizing<String>| text.len();
        let room: usize =
            texts.iter().map(|(_, one, other)| one.len() + other.as_ref().map_or(0, length)).sum();
        let mut plain = Zeroizing::new(Vec::with_capacity(room + 128 * (texts.len() + 1)));
        let path = self.store_path();
        serde_json::to_writer(&mut *plain, &disk).map_err(|_untold| StoreError::Damaged(path.clone()))?;
        let sealed = age::encrypt(&identity, &plain).map_err(ciphering("encrypt", &path))?;
        if sealed.len() > STORE_BYTES_MAX {
            return Err(StoreError::Full);
        }
        file::put_private(&path, &sealed).map_err(cannot("write", &path))
    }

    fn write_index(&self, secrets: BTreeMap<SecretName, SecretEntry>) -> Result<(), StoreError> {
        let path = self.index_path();
        let index = DiskIndex { version: DISK_VERSION, secrets };
        let bytes = serde_json::to_vec_pretty(&index).map_err(|_untold| StoreError::Damaged(path.clone()))?;
        if bytes.len() > INDEX_BYTES_MAX {
            return Err(StoreError::Full);
        }
        file::put_private(&path, &bytes).map_err(cannot("write", &path))
    }
}

fn cannot(act: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::File { act, path, source }
}

fn ciphering(act: &'static str, path: &Path) -> impl FnOnce(AgeError) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Cipher { act, path, source }
}

#[cfg(test)]
mod tests;
