//! A certificate authority of the test's own, and leaves for the names that its servers answer to.
//!
//! Its keys live in memory and end with the test; only the root certificate is ever written, into a scratch file. It
//! is trusted by nothing but what a test points at that file.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use data_encoding::BASE64;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use tempfile::NamedTempFile;

use crate::must;

const PEM_LINE_BYTES: usize = 64;

/// A root and its scratch file.
#[derive(Debug)]
pub struct Pki {
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
    file: NamedTempFile,
}

/// How long a leaf is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// From long ago until long after the test.
    Current,
    /// Over since 2001.
    Over,
}

impl Pki {
    /// A fresh root, valid from 2020 on, in a file that everybody can read.
    #[track_caller]
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a default that makes keys and files would surprise")]
    pub fn new() -> Self {
        let key = must(KeyPair::generate(), "make the key of the test's authority");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2090, 1, 1);
        let root = must(params.self_signed(&key), "sign the root of the test's authority").der().clone();
        let file = tempfile::Builder::new().prefix("cdt-root-").suffix(".pem").tempfile();
        let mut file = must(file, "make a file for the root certificate");
        must(file.write_all(pem(&root).as_bytes()), "write the root certificate");
        must(
            std::fs::set_permissions(file.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644)),
            "let everybody read the root certificate",
        );
        Self { issuer: Issuer::new(params, key), root, file }
    }

    /// The root as PEM.
    #[must_use]
    pub fn root_pem(&self) -> String {
        pem(&self.root)
    }

    /// The root certificate, for a client of the test's own.
    #[must_use]
    pub fn root(&self) -> &CertificateDer<'static> {
        &self.root
    }

    /// The file that holds the root, for programs that are told of a file. It goes with the `Pki`.
    #[must_use]
    pub fn root_file(&self) -> &Path {
        self.file.path()
    }

    /// A leaf for these DNS names and addresses, with its key.
    #[track_caller]
    #[must_use]
    pub fn leaf(&self, names: &[&str], validity: Validity) -> Arc<CertifiedKey> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = must(CertificateParams::new(names), "name the leaf");
        (params.not_before, params.not_after) = match validity {
            Validity::Current => (date_time_ymd(2020, 1, 1), date_time_ymd(2090, 1, 1)),
            Validity::Over => (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 1, 1)),
        };
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = must(KeyPair::generate(), "make the leaf's key");
        let leaf = must(params.signed_by(&key, &self.issuer), "sign the leaf");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let key = must(rustls::crypto::ring::sign::any_supported_type(&key), "load the leaf's key");
        Arc::new(CertifiedKey::new(vec![leaf.der().clone()], key))
    }
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    let text = BASE64.encode(certificate);
    let lines = text.as_bytes().chunks(PEM_LINE_BYTES).map(String::from_utf8_lossy);
    let lines: String = lines.map(|line| format!("{line}\n")).collect();
    format!("-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n")
}
