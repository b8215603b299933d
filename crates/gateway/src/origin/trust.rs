//! TLS as a client: which origins are believed to be who they say.

use crate::wire::Trust;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls_native_certs::CertificateResult;
use std::path::Path;
use std::sync::Arc;
use thiserror::Error;

/// Why no origin could be believed.
#[derive(Debug, Error)]
pub(crate) enum TrustError {
    #[error("cannot find a certificate authority on this machine to believe")]
    Nobody,
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
}

/// Where distributions keep all of them in one file.
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Those of the bundle, if there is one: the directory beside it says the same again in some hundred files, and to read
/// those, too, is most of a gateway's start.
fn of_the_machine() -> CertificateResult {
    let read = |bundle: &str| rustls_native_certs::load_certs_from_paths(Some(Path::new(bundle)), None);
    let mut bundles = BUNDLES.into_iter().map(read);
    let found = bundles.find(|found| !found.certs.is_empty());
    found.unwrap_or_else(rustls_native_certs::load_native_certs)
}

/// The two kinds of connection that are made.
#[derive(Debug, Clone)]
pub(crate) struct ClientTls {
    /// HTTP/2 where the origin has it.
    pub(crate) any: Arc<ClientConfig>,
    /// HTTP/1.1, for WebSocket.
    pub(crate) old: Arc<ClientConfig>,
}

impl ClientTls {
    pub(crate) fn read(trust: &Trust) -> Result<Self, TrustError> {
        let found = match trust {
            Trust { file: None, directory: None } => of_the_machine(),
            Trust { file, directory } => {
                rustls_native_certs::load_certs_from_paths(file.as_deref(), directory.as_deref())
            }
        };
        Self::believing(found.certs)
    }

    pub(crate) fn believing(authorities: Vec<CertificateDer<'static>>) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        // Machines have a few that nobody can read; the others count.
        let (added, _ignored) = roots.add_parsable_certificates(authorities);
        if added == 0 {
            return Err(TrustError::Nobody);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut old = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut any = old.clone();
        any.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        old.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { any: Arc::new(any), old: Arc::new(old) })
    }
}
