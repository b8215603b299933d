//! The certificate authority of one owner's cells: made once, kept in two files, and the leaves that it signs.
//!
//! It is trusted inside cells only. Its key is read by gateways and never enters a cell; leaves and their key live
//! in memory and die with the gateway. It verifies nobody: certificates of origins are checked elsewhere.

mod validity;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType, SerialNumber,
};
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ProducesTickets, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;
use std::collections::HashMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use thiserror::Error;

/// The certificate, for the trust stores of cells.
pub const CERTIFICATE_FILE: &str = "certificate.pem";
/// Its key, for gateways only.
pub const KEY_FILE: &str = "key.pem";

const SUBJECT: &str = "Cofferdam cells";
const VALID_DAYS: u64 = 90;
/// With less left than this, a new one is made.
const RENEWED_DAYS_BEFORE: u64 = 30;
/// For clocks that lag behind ours.
const BACKDATED_DAYS: u64 = 1;
const SECONDS_PER_DAY: u64 = 86_400;
const FILE_BYTES_MAX: u64 = 16 << 10;
/// Hosts whose leaves are kept; one more, and all are minted anew as they are asked for.
const LEAVES_MAX: usize = 1_024;
const SERIAL_BYTES: usize = 16;

/// Why there is no authority.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each variant says in its text what could not be done to which file")]
pub enum AuthorityError {
    #[error("cannot make the directory {directory}")]
    Directory {
        directory: PathBuf,
        #[source]
        source: Errno,
    },
    #[error("cannot read {file}")]
    Read {
        file: PathBuf,
        #[source]
        source: Errno,
    },
    #[error("cannot write {file}")]
    Write {
        file: PathBuf,
        #[source]
        source: Errno,
    },
    #[error("cannot understand {file}")]
    Malformed { file: PathBuf },
    #[error("cannot use {file}: others than its owner can read it")]
    Exposed { file: PathBuf },
    #[error("cannot use {key}: it is not the key of {certificate}")]
    Unpaired { key: PathBuf, certificate: PathBuf },
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
    #[error("cannot get random bytes")]
    Random(#[source] Errno),
}

/// Makes the authority in `directory`, unless there is one that is good for a while; `now` in seconds since 1970.
///
/// # Errors
/// When files can't be written, or what is there can't be read.
pub fn make(directory: &Path, now: u64) -> Result<(), AuthorityError> {
    let wrong = |source| AuthorityError::Directory { directory: directory.to_owned(), source };
    match rustix::fs::mkdir(directory, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(wrong(errno)),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(directory, flags, Mode::empty()).map_err(wrong)?;
    // Two sessions may start at once; the second then finds what the first has made.
    rustix::fs::flock(&opened, FlockOperation::LockExclusive).map_err(wrong)?;
    let renewed_at = now + RENEWED_DAYS_BEFORE * SECONDS_PER_DAY;
    if Pair::read(directory).is_ok_and(|pair| pair.valid_until > renewed_at && pair.valid_from <= now) {
        return Ok(());
    }
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let from = now.saturating_sub(BACKDATED_DAYS * SECONDS_PER_DAY);
    let certificate = parameters(from, now + VALID_DAYS * SECONDS_PER_DAY)?.self_signed(&key)?;
    // Whoever reads between the two finds a key that does not belong to the certificate, and says so.
    write(directory, opened.as_fd(), KEY_FILE, &pem("PRIVATE KEY", key.serialized_der()))?;
    write(directory, opened.as_fd(), CERTIFICATE_FILE, &pem("CERTIFICATE", certificate.der()))
}

fn parameters(from: u64, until: u64) -> Result<CertificateParams, AuthorityError> {
    let mut parameters = CertificateParams::new(Vec::new())?;
    parameters.distinguished_name = subject(SUBJECT);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters.serial_number = Some(serial()?);
    last(&mut parameters, from, until);
    Ok(parameters)
}

fn subject(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

fn last(parameters: &mut CertificateParams, from: u64, until: u64) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    parameters.not_before = epoch + Duration::from_secs(from);
    parameters.not_after = epoch + Duration::from_secs(until);
}

/// At random: leaves share one key, and the same number twice from one issuer is refused by browsers.
fn serial() -> Result<SerialNumber, AuthorityError> {
    let mut bytes = [0; SERIAL_BYTES];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(AuthorityError::Random)?;
    if let Some(first) = bytes.first_mut() {
        *first = (*first & 0x7F) | 0x40;
    }
    Ok(SerialNumber::from_slice(&bytes))
}

/// RFC 7468.
fn pem(label: &str, der: &[u8]) -> String {
    const BYTES_PER_LINE: usize = 48;
    let lines: String = der.chunks(BYTES_PER_LINE).map(|line| base64(line) + "\n").collect();
    format!("-----BEGIN {label}-----\n{lines}-----END {label}-----\n")
}

/// RFC 4648, 4.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | usize::from(group.get(at).copied().unwrap_or(0)));
        for place in 0..4 {
            let letter = LETTERS.get(bits >> (18 - 6 * place) & 63).copied().unwrap_or(b'=');
            text.push(char::from(if place <= group.len() { letter } else { b'=' }));
        }
    }
    text
}

/// Under another name first, so that whoever reads finds the old file or the new one.
fn write(directory: &Path, opened: BorrowedFd<'_>, name: &str, text: &str) -> Result<(), AuthorityError> {
    let wrong = |source| AuthorityError::Write { file: directory.join(name), source };
    let draft = format!("{name}.new");
    match rustix::fs::unlinkat(opened, &draft, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(wrong(errno)),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(opened, &draft, flags, Mode::RUSR | Mode::WUSR).map_err(wrong)?;
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let written = rustix::io::retry_on_intr(|| rustix::io::write(&file, rest)).map_err(wrong)?;
        rest = rest.get(written..).unwrap_or_default();
    }
    rustix::fs::fsync(&file).map_err(wrong)?;
    rustix::fs::renameat(opened, &draft, opened, name).map_err(wrong)?;
    rustix::fs::fsync(opened).map_err(wrong)
}

fn read(directory: &Path, name: &str) -> Result<Vec<u8>, AuthorityError> {
    let file = directory.join(name);
    let wrong = |source| AuthorityError::Read { file: file.clone(), source };
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened: OwnedFd = rustix::fs::open(&file, flags, Mode::empty()).map_err(wrong)?;
    let status = rustix::fs::fstat(&opened).map_err(wrong)?;
    if name == KEY_FILE && status.st_mode & 0o077 != 0 {
        return Err(AuthorityError::Exposed { file });
    }
    let mut bytes = Vec::new();
    let taken = std::io::Read::take(std::fs::File::from(opened), FILE_BYTES_MAX);
    let read = std::io::Read::read_to_end(&mut { taken }, &mut bytes);
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => Err(wrong(Errno::from_io_error(&error).unwrap_or(Errno::IO))),
    }
}

/// The two files, understood.
struct Pair {
    key: KeyPair,
    certificate: CertificateDer<'static>,
    valid_from: u64,
    valid_until: u64,
}

impl Pair {
    fn read(directory: &Path) -> Result<Self, AuthorityError> {
        let path = |name: &str| directory.join(name);
        let malformed = |name: &str| AuthorityError::Malformed { file: path(name) };
        let key = PrivatePkcs8KeyDer::from_pem_slice(&read(directory, KEY_FILE)?);
        let key = key
            .ok()
            .and_then(|der| KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ECDSA_P256_SHA256).ok());
        let key = key.ok_or_else(|| malformed(KEY_FILE))?;
        let certificate = CertificateDer::from_pem_slice(&read(directory, CERTIFICATE_FILE)?);
        let certificate = certificate.ok().ok_or_else(|| malformed(CERTIFICATE_FILE))?;
        let (valid_from, valid_until) =
            validity::of(&certificate).ok_or_else(|| malformed(CERTIFICATE_FILE))?;
        let public = key.public_key_raw();
        if !certificate.windows(public.len()).any(|bytes| bytes == public) {
            let (key, certificate) = (path(KEY_FILE), path(CERTIFICATE_FILE));
            return Err(AuthorityError::Unpaired { key, certificate });
        }
        Ok(Self { key, certificate, valid_from, valid_until })
    }
}

/// The authority at work: TLS as a server for any host, with a leaf of its own for each.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    valid: (u64, u64),
    /// One for all leaves: making keys costs more than signing.
    leaf_key: KeyPair,
    provider: Arc<CryptoProvider>,
    tickets: Arc<dyn ProducesTickets>,
    leaves: Mutex<HashMap<String, Arc<ServerConfig>>>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    pub(crate) fn read(directory: &Path) -> Result<Self, AuthorityError> {
        let Pair { key, certificate, valid_from, valid_until } = Pair::read(directory)?;
        let issuer = Issuer::new(parameters(valid_from, valid_until)?, key);
        Ok(Self {
            issuer,
            certificate,
            valid: (valid_from, valid_until),
            leaf_key: KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?,
            provider: Arc::new(rustls::crypto::ring::default_provider()),
            tickets: rustls::crypto::ring::Ticketer::new()?,
            leaves: Mutex::default(),
        })
    }

    /// TLS as the server `host`, a name or an address as it is written.
    pub(crate) fn server(&self, host: &str) -> Result<Arc<ServerConfig>, AuthorityError> {
        let mut leaves = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = leaves.get(host) {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(self.config(self.leaf(host)?)?);
        if leaves.len() >= LEAVES_MAX {
            leaves.clear();
        }
        leaves.insert(host.to_owned(), Arc::clone(&config));
        Ok(config)
    }

    fn leaf(&self, host: &str) -> Result<Arc<CertifiedKey>, AuthorityError> {
        let mut parameters = CertificateParams::new(Vec::new())?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let name = match bare.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_name) => SanType::DnsName(host.try_into()?),
        };
        parameters.subject_alt_names = vec![name];
        parameters.distinguished_name = DistinguishedName::new();
        parameters.serial_number = Some(serial()?);
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        parameters.use_authority_key_identifier_extension = true;
        last(&mut parameters, self.valid.0, self.valid.1);
        let certificate = parameters.signed_by(&self.leaf_key, &self.issuer)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.leaf_key.serialize_der()));
        let key = self.provider.key_provider.load_private_key(key)?;
        Ok(Arc::new(CertifiedKey::new(vec![certificate.der().clone(), self.certificate.clone()], key)))
    }

    fn config(&self, leaf: Arc<CertifiedKey>) -> Result<ServerConfig, AuthorityError> {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Always(leaf)));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.ticketer = Arc::clone(&self.tickets);
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.send_tls13_tickets = 1;
        Ok(config)
    }
}

/// The leaf is chosen by the destination, which the server name has been compared with before.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _hello: rustls::server::ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

#[cfg(test)]
mod tests;
