//! The trusted certificates of a cell: the host's, and the authority's that the gateway signs with.
//!
//! Every file that programs look into is made anew, with the authority added, in place of the host's. The host's own are
//! only read. The authority's key is not here, and never in a cell.

use super::etc::{is_public_file, write};
use super::keystore;
use cofferdam_policy::presets::network::{AUTHORITY_FILE, AUTHORITY_SUBJECT_HASH, BUNDLE_FILE};
use cofferdam_policy::presets::system::{TRUST_DIRECTORIES, TRUST_FILES, TRUST_STORES, TrustStore};
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

/// The most certificates of one subject hash; none has more than a few.
const SAME_HASH_MAX: u32 = 16;

/// What was found, and what is to be trusted beside it.
#[derive(Debug)]
pub(super) struct Trust {
    certificate: Vec<u8>,
    /// Where the host's certificates are read, if it has any.
    roots: Option<PathBuf>,
    stores: Vec<(&'static str, &'static str, TrustStore)>,
    /// Directories that are shown, in which certificates are looked up.
    lookups: Vec<&'static str>,
}

impl Trust {
    /// Looks for the host's stores in those directories of `/etc` that are shown.
    pub(super) fn look(certificate: Vec<u8>, shown: &[PathBuf]) -> Self {
        let is_shown = |directory: &&str| shown.contains(&Path::new("/etc").join(directory));
        let stores: Vec<_> = TRUST_STORES
            .iter()
            .copied()
            .filter(|(directory, file, _)| is_shown(directory) && real(&of_host(directory, file)).is_some())
            .collect();
        let bundles = stores.iter().filter(|(_, _, kind)| *kind == TrustStore::Bundle);
        let bundles = bundles.map(|(directory, file, _)| of_host(directory, file));
        let files = TRUST_FILES.iter().map(|file| Path::new("/etc").join(file));
        let roots = bundles.chain(files).find_map(|path| real(&path));
        let lookups = TRUST_DIRECTORIES.iter().copied().filter(is_shown).collect();
        Self { certificate, roots, stores, lookups }
    }

    /// Where stores are looked for, and where the host's certificates were found.
    pub(super) fn paths(&self) -> impl Iterator<Item = PathBuf> {
        let stores = TRUST_STORES.iter().map(|(directory, file, _)| of_host(directory, file));
        let files = TRUST_FILES.iter().map(|file| Path::new("/etc").join(file));
        stores.chain(files).chain(self.roots.clone())
    }

    /// Changes when anything does that the files are made of.
    pub(super) fn key(&self, stamp: impl Fn(&Metadata) -> String) -> String {
        let roots = self.roots.as_ref().and_then(|path| std::fs::metadata(path).ok());
        let stores: Vec<String> =
            self.stores.iter().map(|(directory, file, _)| format!("{directory}/{file}")).collect();
        let certificate = String::from_utf8_lossy(&self.certificate);
        format!(
            "{} {} {certificate}\n",
            roots.map_or_else(String::new, |found| stamp(&found)),
            stores.join(" ")
        )
    }

    /// Makes the files below the directory that becomes the cell's `/etc`, before the host's are copied beside them.
    pub(super) fn make(&self, etc: &Path) -> io::Result<()> {
        let mut bundle = match &self.roots {
            Some(path) => std::fs::read(path)?,
            None => Vec::new(),
        };
        if !bundle.ends_with(b"\n") && !bundle.is_empty() {
            bundle.push(b'\n');
        }
        bundle.extend(&self.certificate);
        put(&etc.join(AUTHORITY_FILE), &self.certificate)?;
        put(&etc.join(BUNDLE_FILE), &bundle)?;
        for (directory, file, kind) in &self.stores {
            let bytes = match kind {
                TrustStore::Bundle => bundle.clone(),
                TrustStore::Java => keystore::of_certificates(&String::from_utf8_lossy(&bundle)),
            };
            put(&etc.join(directory).join(file), &bytes)?;
        }
        for file in TRUST_FILES.iter().map(|file| etc.join(file)).filter(|path| path.exists()) {
            std::fs::remove_file(&file)?;
            put(&file, &bundle)?;
        }
        for directory in &self.lookups {
            let free = (0..SAME_HASH_MAX).map(|number| format!("{AUTHORITY_SUBJECT_HASH}.{number}"));
            if let Some(name) = free.into_iter().find(|name| !of_host(directory, name).exists()) {
                put(&etc.join(directory).join(name), &self.certificate)?;
            }
        }
        Ok(())
    }
}

fn of_host(directory: &str, file: &str) -> PathBuf {
    Path::new("/etc").join(directory).join(file)
}

/// The file behind links, if everybody may read it.
fn real(path: &Path) -> Option<PathBuf> {
    std::fs::canonicalize(path).ok().filter(|path| is_public_file(path))
}

fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    write(path, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authority_is_added_to_what_the_host_trusts_in_every_store() {
        let directory = tempfile::tempdir().unwrap();
        let roots = directory.path().join("roots.pem");
        std::fs::write(&roots, "host's").unwrap();
        let etc = directory.path().join("etc");
        let trust = Trust {
            certificate: b"ours\n".to_vec(),
            roots: Some(roots),
            stores: vec![
                ("ssl/certs", "ca-certificates.crt", TrustStore::Bundle),
                ("ssl/certs", "java/cacerts", TrustStore::Java),
            ],
            lookups: vec!["ssl/certs"],
        };
        trust.make(&etc).unwrap();
        let text = |path: &str| std::fs::read_to_string(etc.join(path)).unwrap();
        assert_eq!(text("cofferdam/authority.pem"), "ours\n");
        assert_eq!(text("cofferdam/ca-certificates.crt"), "host's\nours\n");
        assert_eq!(text("ssl/certs/ca-certificates.crt"), "host's\nours\n");
        assert_eq!(text(&format!("ssl/certs/{AUTHORITY_SUBJECT_HASH}.0")), "ours\n");
        assert!(std::fs::read(etc.join("ssl/certs/java/cacerts")).unwrap().starts_with(&[0xFE, 0xED]));
    }

    #[test]
    fn another_certificate_or_other_roots_make_another_key() {
        let directory = tempfile::tempdir().unwrap();
        let roots = directory.path().join("roots.pem");
        std::fs::write(&roots, "one").unwrap();
        let of = |certificate: &str| Trust {
            certificate: certificate.into(),
            roots: Some(roots.clone()),
            stores: Vec::new(),
            lookups: Vec::new(),
        };
        let key = |certificate: &str| of(certificate).key(|found| found.len().to_string());
        let first = key("a");
        assert_eq!(first, key("a"));
        assert_ne!(first, key("b"));
        std::fs::write(&roots, "other").unwrap();
        assert_ne!(first, key("a"));
    }
}
