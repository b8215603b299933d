//! What programs in a cell are told of its network: variables that name the proxies and the trusted certificates, and
//! git's rules that turn SSH into HTTPS.
//!
//! Nothing here lets anything through. A program that looks at none of it is caught all the same; but one that brings
//! trusted certificates of its own has to be told of the authority, and one that asks a proxy by name says the host's
//! name where another only says an address. The host's own `/etc/gitconfig` is not taken: people keep logins there.

use crate::net::addresses::{HTTP_PROXY_PORT, PROXY_ADDRESS};
use crate::net::grant::{Grant, Protocol, Scheme};
use crate::net::host::{DnsName, Host, HostPattern, Port};
use std::collections::BTreeMap;

/// The subject of the authority that signs for every host, for the cells of one owner.
pub const AUTHORITY_SUBJECT: &str = "CN=Cofferdam cells";
/// What OpenSSL looks such a subject up by in a directory of certificates: `openssl x509 -noout -subject_hash`.
pub const AUTHORITY_SUBJECT_HASH: &str = "cb532ac9";

/// The authority's certificate alone, below the cell's `/etc`.
pub const AUTHORITY_FILE: &str = "cofferdam/authority.pem";
/// The host's trusted certificates and the authority's, below the cell's `/etc`.
pub const BUNDLE_FILE: &str = "cofferdam/ca-certificates.crt";

/// Where HTTPS is when nothing is said.
const HTTPS_PORT: u16 = 443;

/// What is connected to directly: the cell's own loopback.
const NO_PROXY: &str = "localhost,127.0.0.1,::1";

/// For programs that take a bundle *instead* of their own, or of the system's.
const BUNDLE_VARIABLES: [&str; 15] = [
    // OpenSSL, and what goes by its variable: Go, Ruby, rustls-native-certs, uv, Codex.
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    // Python: requests and what is built on it, httplib2, pip.
    "REQUESTS_CA_BUNDLE",
    "HTTPLIB2_CA_CERTS",
    "PIP_CERT",
    "CARGO_HTTP_CAINFO",
    // npm, where its own configuration names a file: then it looks at nothing else, not even at what Node was told.
    "npm_config_cafile",
    "AWS_CA_BUNDLE",
    "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "NIX_SSL_CERT_FILE",
    "HEX_CACERTS_PATH",
    "PERL_LWP_SSL_CA_FILE",
    "CODEX_CA_CERTIFICATE",
];

/// For programs that take certificates *beside* their own.
const AUTHORITY_VARIABLES: [&str; 2] = [
    // Node, npm, Bun, and Deno from 2.8 on.
    "NODE_EXTRA_CA_CERTS",
    "DENO_CERT",
];

/// Programs that ask for a proxy by name. In capital letters, `HTTP_PROXY` is overlooked by curl, for it might come from
/// a request (CVE-2016-5385); here both say the same.
const PROXY_VARIABLES: [&str; 8] = [
    "http_proxy",
    "HTTP_PROXY",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "npm_config_proxy",
    "npm_config_https_proxy",
];

const NO_PROXY_VARIABLES: [&str; 3] = ["no_proxy", "NO_PROXY", "npm_config_noproxy"];

/// All variables of the network, for the agent's environment; the owner's own come after them.
///
/// Java looks at none: it trusts the system's key store, to which the authority is added, and is caught without a
/// proxy. `JAVA_TOOL_OPTIONS` would have it print a line at each start, which breaks programs that read its output.
#[must_use]
pub fn network_environment() -> Vec<(&'static str, String)> {
    let mut variables = trust_environment();
    variables.extend(proxy_environment());
    // One that was built for another prefix would look there, and find the host's instead.
    variables.push(("GIT_CONFIG_SYSTEM", "/etc/gitconfig".to_owned()));
    variables
}

/// Those that name the trusted certificates. Only where there is an authority: a file that is missing is trusted by
/// nobody, and programs then trust nobody else.
#[must_use]
pub fn trust_environment() -> Vec<(&'static str, String)> {
    let naming = |file: &'static str| move |name: &&'static str| (*name, format!("/etc/{file}"));
    BUNDLE_VARIABLES
        .iter()
        .map(naming(BUNDLE_FILE))
        .chain(AUTHORITY_VARIABLES.iter().map(naming(AUTHORITY_FILE)))
        .chain([("DENO_TLS_CA_STORE", "system,mozilla".to_owned())])
        .collect()
}

/// Those that name the proxies.
#[must_use]
pub fn proxy_environment() -> Vec<(&'static str, String)> {
    let proxy = format!("http://{PROXY_ADDRESS}:{HTTP_PROXY_PORT}");
    let proxies = PROXY_VARIABLES.iter().map(|name| (*name, proxy.clone()));
    proxies.chain(NO_PROXY_VARIABLES.iter().map(|name| (*name, NO_PROXY.to_owned()))).collect()
}

/// `/etc/gitconfig`: every URL by which hosts that are granted over HTTPS are reached over SSH, or unprotected, is
/// rewritten to HTTPS, where grants and credentials are. Git knows no patterns here, so a grant for a wildcard rewrites
/// nothing.
#[must_use]
pub fn gitconfig<'g>(grants: impl IntoIterator<Item = &'g Grant>) -> String {
    let mut ports: BTreeMap<&DnsName, Port> = BTreeMap::new();
    for grant in grants {
        let HostPattern::Exactly(Host::Name(host)) = &grant.host else { continue };
        if grant.scheme == Scheme::Https && grant.protocols.permit(Protocol::Http) {
            // At several ports, the usual one is meant.
            let port = ports.entry(host).or_insert(grant.port);
            *port = if grant.port.get() == HTTPS_PORT { grant.port } else { *port };
        }
    }
    let mut text = String::new();
    for (host, port) in ports {
        let port = if port.get() == HTTPS_PORT { String::new() } else { format!(":{}", port.get()) };
        text += &format!("[url \"https://{host}{port}/\"]\n");
        for from in [
            format!("git@{host}:"),
            format!("ssh://git@{host}/"),
            format!("ssh://git@{host}:22/"),
            format!("git+ssh://git@{host}/"),
            format!("git://{host}/"),
        ] {
            text += &format!("\tinsteadOf = {from}\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::grant::GrantOrigin;
    use std::collections::BTreeSet;

    #[test]
    fn each_variable_is_named_once_and_proxies_come_in_both_spellings() {
        let all = network_environment();
        let names: BTreeSet<&str> = all.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), all.len());
        for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
            let value = |name: &str| all.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
            assert_eq!(value(name), value(&name.to_uppercase()));
        }
        assert!(all.contains(&("https_proxy", "http://198.18.0.1:3128".to_owned())));
        assert!(all.contains(&("SSL_CERT_FILE", "/etc/cofferdam/ca-certificates.crt".to_owned())));
        assert!(all.contains(&("NODE_EXTRA_CA_CERTS", "/etc/cofferdam/authority.pem".to_owned())));
    }

    #[test]
    fn a_host_is_rewritten_by_every_spelling_and_no_other_host_is() {
        let grants = [
            "git.example.com:8443",
            "git.example.com/acme/**",
            "forge.example.com:8443",
            "*.example.com",
            "http://plain.example.com",
            "tunnel.example.com protocols=tls-passthrough",
            "192.0.2.1",
        ];
        let grants = grants.map(|line| Grant::from_line(line, GrantOrigin::Policy).unwrap());
        let text = gitconfig(&grants);
        assert_eq!(text.matches("[url ").count(), 2, "{text}");
        assert!(text.contains("[url \"https://git.example.com/\"]\n\tinsteadOf = git@git.example.com:\n"));
        assert!(text.starts_with("[url \"https://forge.example.com:8443/\"]\n"), "{text}");
        // Every one ends where the host's name does, so that no longer name begins with it.
        for line in text.lines().filter(|line| !line.starts_with("[url ")) {
            assert!(line.ends_with(['/', ':']), "{line}");
        }
        assert_eq!(gitconfig([]), "");
    }
}
