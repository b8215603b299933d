//! What a cell shows of the host itself: programs and libraries, and the few pieces of `/etc` that make them work.
//!
//! An allow-list. The cell's `/etc` is its own, of copies: an overlay for each directory of the host's in it would cost
//! each start more than the look that sees whether a copy is still true. Only regular files that everybody may read are
//! ever taken, also where a pattern would match more. Never listed are keys, password files, and settings in which people
//! keep logins.
//! Files about users, hosts and names are made here, and hold nothing of the host's.

/// Directories of programs and libraries, shown read-only where they exist.
pub const DIRECTORIES: [&str; 4] = ["/usr", "/opt", "/nix/store", "/gnu/store"];

/// Shown as the same link where the host has a link into `/usr`, read-only where it has a directory.
pub const MERGED: [&str; 6] = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// Directories of `/etc` that are taken whole, where they exist, with their links as they are. `*` stands for part of a
/// name.
pub const ETC_DIRECTORIES: &[&str] = &[
    // Hundreds of links that programs in /usr/bin are reached through.
    "alternatives",
    // Certificates of public authorities. `ssl/private` is not below any of these.
    "ssl/certs",
    "ca-certificates/extracted",
    "pki/ca-trust/extracted",
    "pki/tls/certs",
    "crypto-policies",
    // Without it, text is drawn with the wrong fonts, or not at all.
    "fonts",
    // Java does not start without its settings.
    "java-*-openjdk",
];

/// How a piece of `/etc` comes into the cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EtcFile {
    /// Its content, which is text.
    Text(&'static str),
    /// Its content, which is not.
    Binary(&'static str),
    /// The link itself, if it leads into what the cell shows; else the content that it leads to.
    Link(&'static str),
}

/// Single files of `/etc`. `*` stands for part of a name, in the last segment or the one before.
pub const ETC_FILES: &[EtcFile] = &[
    EtcFile::Binary("ld.so.cache"),
    EtcFile::Text("ld.so.conf"),
    EtcFile::Link("localtime"),
    EtcFile::Text("timezone"),
    EtcFile::Link("os-release"),
    EtcFile::Text("debian_version"),
    EtcFile::Text("lsb-release"),
    EtcFile::Text("redhat-release"),
    EtcFile::Text("system-release"),
    EtcFile::Text("arch-release"),
    EtcFile::Text("alpine-release"),
    // Names and numbers that are the same everywhere.
    EtcFile::Text("services"),
    EtcFile::Text("protocols"),
    EtcFile::Text("rpc"),
    EtcFile::Text("ethertypes"),
    EtcFile::Text("networks"),
    EtcFile::Text("mime.types"),
    EtcFile::Text("magic"),
    EtcFile::Text("magic.mime"),
    EtcFile::Text("gai.conf"),
    EtcFile::Text("host.conf"),
    // Shells and terminals. Not `environment`, `profile.d`: people put tokens and proxies with passwords there.
    EtcFile::Text("shells"),
    EtcFile::Text("profile"),
    EtcFile::Text("bash.bashrc"),
    EtcFile::Text("bashrc"),
    EtcFile::Text("bash_completion"),
    EtcFile::Text("zsh/*"),
    EtcFile::Text("inputrc"),
    EtcFile::Text("DIR_COLORS"),
    EtcFile::Text("locale.alias"),
    EtcFile::Text("locale.conf"),
    EtcFile::Text("default/locale"),
    EtcFile::Text("login.defs"),
    EtcFile::Text("terminfo/*/*"),
    // Tools that stop, or misbehave, without theirs.
    EtcFile::Text("ssl/openssl.cnf"),
    EtcFile::Text("pki/tls/openssl.cnf"),
    EtcFile::Text("pki/tls/cert.pem"),
    EtcFile::Text("ssl/cert.pem"),
    EtcFile::Text("ca-certificates.conf"),
    // The launcher of Debian's browser reads all of these, and ends when there is none.
    EtcFile::Text("chromium.d/*"),
    EtcFile::Text("gdb/gdbinit"),
    EtcFile::Text("manpath.config"),
    EtcFile::Text("mke2fs.conf"),
    EtcFile::Text("nanorc"),
    EtcFile::Text("vim/vimrc"),
    EtcFile::Text("xattr.conf"),
    EtcFile::Text("papersize"),
    EtcFile::Text("perl/Net/libnet.cfg"),
    EtcFile::Text("python3*/sitecustomize.py"),
    EtcFile::Text("python3/debian_config"),
    EtcFile::Text("ImageMagick-*/*.xml"),
    // Maven's launcher reads these; its `settings.xml` may hold logins and stays out.
    EtcFile::Text("maven/m2.conf"),
    EtcFile::Text("maven/logging/*"),
];

/// What is made for the cell rather than taken, below `/etc`: by this module, and by [`network`](super::network) where
/// it is about certificates or git.
pub const ETC_MADE: [&str; 9] = [
    "passwd",
    "group",
    "hosts",
    "hostname",
    "resolv.conf",
    "nsswitch.conf",
    "machine-id",
    "gitconfig",
    "cofferdam",
];

/// A file of trusted certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrustStore {
    /// Certificates as text, one after the other.
    Bundle,
    /// Java's.
    Java,
}

/// Where distributions keep them: a directory of [`ETC_DIRECTORIES`], and the file in it.
pub const TRUST_STORES: &[(&str, &str, TrustStore)] = &[
    ("ssl/certs", "ca-certificates.crt", TrustStore::Bundle),
    ("ssl/certs", "ca-bundle.crt", TrustStore::Bundle),
    ("ssl/certs", "java/cacerts", TrustStore::Java),
    ("pki/tls/certs", "ca-bundle.crt", TrustStore::Bundle),
    ("pki/ca-trust/extracted", "pem/tls-ca-bundle.pem", TrustStore::Bundle),
    ("pki/ca-trust/extracted", "java/cacerts", TrustStore::Java),
    ("ca-certificates/extracted", "tls-ca-bundle.pem", TrustStore::Bundle),
    ("ca-certificates/extracted", "java-cacerts.jks", TrustStore::Java),
];

/// Bundles among [`ETC_FILES`].
pub const TRUST_FILES: [&str; 2] = ["pki/tls/cert.pem", "ssl/cert.pem"];

/// Directories of [`ETC_DIRECTORIES`] in which OpenSSL looks certificates up by their subject.
pub const TRUST_DIRECTORIES: [&str; 2] = ["ssl/certs", "pki/tls/certs"];

/// What no list here may name or contain, as a second check: patterns below `/etc`.
pub const ETC_NEVER: &[&str] = &[
    "shadow*",
    "gshadow*",
    "passwd-",
    "group-",
    "sudoers*",
    "security",
    "ssh",
    "ssl/private",
    "pki/tls/private",
    "pki/nssdb",
    "krb5.keytab",
    "NetworkManager",
    "wpa_supplicant",
    "wireguard",
    "openvpn",
    "ppp",
    "docker",
    "kubernetes",
    "rancher",
    "letsencrypt",
    "apt",
    "yum.repos.d",
    "cron*",
    "environment*",
    "profile.d",
    "fstab",
    "crypttab",
    "exports",
    "pip.conf",
    "npmrc",
    "gitconfig",
    "wgetrc",
    "curlrc",
    "netrc",
    "mysql",
    "postgresql*",
    "redis",
    "mongod.conf",
    "samba",
    "cifs*",
    "ldap",
    "openldap",
    "sssd",
    "munge",
    "slurm*",
    "default/grub",
    "hosts",
    "hostname",
    "machine-id",
    "resolv.conf",
    "maven/settings*.xml",
    "systemd",
    "dbus-1",
    "polkit-1",
    "pam.d",
    "subuid",
    "subgid",
    "ld.so.preload",
];

/// Who the agent is inside, as far as `passwd` and `group` tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account<'a> {
    /// Login name.
    pub name: &'a str,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Home directory.
    pub home: &'a str,
    /// Login shell.
    pub shell: &'a str,
}

/// Why an account can't be written down.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot write {field} {shown} into the cell's password file")]
pub struct AccountError {
    /// Which part of it.
    pub field: &'static str,
    /// The text, escaped.
    pub shown: String,
}

/// The user and group `nobody`, which unmapped ids appear as.
const OVERFLOW_ID: u32 = 65_534;

/// `/etc/passwd`: the agent, `root` and `nobody`, and nobody else. The agent comes first, so that its name is
/// what its id is shown as.
///
/// # Errors
/// A part with a `:` or a control character, which would forge further fields or accounts.
pub fn passwd(account: &Account<'_>) -> Result<String, AccountError> {
    for (field, text) in [("name", account.name), ("home", account.home), ("shell", account.shell)] {
        check(field, text)?;
    }
    let mut text = String::new();
    let Account { name, uid, gid, home, shell } = account;
    text += &format!("{name}:x:{uid}:{gid}:{name}:{home}:{shell}\n");
    for (other, id, home) in [("root", 0, "/root"), ("nobody", OVERFLOW_ID, "/nonexistent")] {
        if *name != other && *uid != id {
            text += &format!("{other}:x:{id}:{id}:{other}:{home}:/usr/sbin/nologin\n");
        }
    }
    Ok(text)
}

/// `/etc/group`, as [`passwd`].
///
/// # Errors
/// As [`passwd`].
pub fn group(account: &Account<'_>) -> Result<String, AccountError> {
    check("name", account.name)?;
    let mut text = String::new();
    let Account { name, gid, .. } = account;
    text += &format!("{name}:x:{gid}:\n");
    // The terminal's group, so that `ls -l /dev/pts` and `mesg` show a name.
    for (other, id) in [("root", 0), ("tty", 5), ("nogroup", OVERFLOW_ID)] {
        if *name != other && *gid != id {
            text += &format!("{other}:x:{id}:\n");
        }
    }
    Ok(text)
}

/// `/etc/hosts`: the cell itself.
///
/// # Errors
/// A host name with anything but letters, digits, `-` and `.` in it.
pub fn hosts(hostname: &str) -> Result<String, AccountError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    if hostname.is_empty() || !hostname.chars().all(is_plain) {
        return Err(AccountError { field: "host name", shown: format!("{hostname:?}") });
    }
    Ok(format!("127.0.0.1\tlocalhost {hostname}\n::1\tlocalhost ip6-localhost ip6-loopback\n"))
}

/// `/etc/nsswitch.conf`: files first, names of hosts also by DNS; none of the host's daemons.
#[must_use]
pub fn nsswitch() -> &'static str {
    "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\nprotocols: files\n\
     services: files\nethers: files\nrpc: files\n"
}

/// `/etc/resolv.conf`: a resolver inside the cell, asked once, so that a name is refused at once where none is.
#[must_use]
pub fn resolv_conf() -> &'static str {
    "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"
}

/// `/etc/machine-id`: 32 hexadecimal digits made of `seed`, which is to be the session's, never the machine's.
#[must_use]
pub fn machine_id(seed: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let digest = Sha256::digest(format!("cofferdam machine-id {seed}").as_bytes());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).chain(["\n".to_owned()]).collect()
}

impl EtcFile {
    /// Its path below `/etc`, as a pattern.
    #[must_use]
    pub fn pattern(self) -> &'static str {
        match self {
            Self::Text(pattern) | Self::Binary(pattern) | Self::Link(pattern) => pattern,
        }
    }
}

/// Whether a path below `/etc` matches a pattern of these lists: segment by segment, `*` for any part of one.
#[must_use]
pub fn matches(pattern: &str, path: &str) -> bool {
    let mut patterns = pattern.split('/');
    let mut segments = path.split('/');
    loop {
        match (patterns.next(), segments.next()) {
            (None, None) => return true,
            (Some(pattern), Some(segment)) if segment_matches(pattern, segment) => {}
            (_, _) => return false,
        }
    }
}

/// Whether one segment matches a pattern with at most one `*`.
fn segment_matches(pattern: &str, segment: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == segment,
        Some((start, end)) => {
            // A hidden file is never what a pattern means: editors leave copies there.
            !segment.starts_with('.')
                && segment.len() >= start.len().saturating_add(end.len())
                && segment.starts_with(start)
                && segment.ends_with(end)
        }
    }
}

/// Whether a path below `/etc` is, or lies in, something that is never taken.
#[must_use]
pub fn is_never_taken(path: &str) -> bool {
    let segments: Vec<&str> = path.split('/').collect();
    (1..=segments.len()).any(|length| {
        let ancestor = segments.iter().take(length).copied().collect::<Vec<_>>().join("/");
        ETC_NEVER.iter().any(|never| matches(never, &ancestor))
    })
}

fn check(field: &'static str, text: &str) -> Result<(), AccountError> {
    if text.is_empty() || text.contains(':') || text.chars().any(char::is_control) {
        return Err(AccountError { field, shown: format!("{text:?}") });
    }
    Ok(())
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Account<'_> =
        Account { name: "ann", uid: 1000, gid: 1000, home: "/home/ann", shell: "/bin/bash" };

    #[test]
    fn nothing_that_is_never_taken_is_on_a_list_or_in_a_listed_directory() {
        let listed = ETC_FILES.iter().map(|file| file.pattern()).chain(ETC_DIRECTORIES.iter().copied());
        for path in listed {
            assert!(!is_never_taken(path), "{path}");
        }
        for directory in ETC_DIRECTORIES {
            assert!(!directory.is_empty() && !directory.starts_with('/'));
            for never in ETC_NEVER {
                assert!(
                    !format!("{never}/").starts_with(&format!("{directory}/")),
                    "{directory} holds {never}"
                );
            }
        }
        for path in [
            "shadow",
            "shadow-",
            "ssh/ssh_host_ed25519_key",
            "ssl/private/key.pem",
            "sudoers.d/x",
            "environment",
            "profile.d/token.sh",
            "gitconfig",
            "apt/auth.conf",
            "maven/settings.xml",
            "cron.d/x",
        ] {
            assert!(is_never_taken(path), "{path}");
        }
    }

    #[test]
    fn patterns_stay_within_their_segment() {
        assert!(matches("java-*-openjdk", "java-17-openjdk"));
        assert!(matches("python3*/sitecustomize.py", "python3.11/sitecustomize.py"));
        assert!(!matches("java-*-openjdk", "java-/x-openjdk"));
        assert!(!matches("zsh/*", "zsh"));
        assert!(!matches("zsh/*", "zsh/a/b"));
        assert!(!matches("zsh/*", "zsh/.secret"));
        assert!(!matches("aa*aa", "aaa"));
        assert!(!matches("localtime", "localtime.bak"));
    }

    #[test]
    fn the_password_file_knows_the_agent_and_nobody_of_the_host() {
        let text = passwd(&OWNER).unwrap();
        assert_eq!(
            text,
            "ann:x:1000:1000:ann:/home/ann:/bin/bash\nroot:x:0:0:root:/root:/usr/sbin/nologin\n\
             nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
        );
        assert_eq!(group(&OWNER).unwrap(), "ann:x:1000:\nroot:x:0:\ntty:x:5:\nnogroup:x:65534:\n");
        let root = Account { name: "root", uid: 0, gid: 0, home: "/root", shell: "/bin/sh" };
        assert_eq!(passwd(&root).unwrap().matches("root:x").count(), 1);
        assert_eq!(group(&root).unwrap().matches("root:x").count(), 1);
    }

    #[test]
    fn no_name_or_path_forges_an_account() {
        for hostile in ["", "a:x:0:0", "a\nroot2:x:0:0:::/bin/sh", "a\0", "a\r"] {
            assert!(passwd(&Account { name: hostile, ..OWNER }).is_err(), "{hostile:?}");
            assert!(passwd(&Account { home: hostile, ..OWNER }).is_err(), "{hostile:?}");
            assert!(passwd(&Account { shell: hostile, ..OWNER }).is_err(), "{hostile:?}");
            assert!(group(&Account { name: hostile, ..OWNER }).is_err(), "{hostile:?}");
            assert!(hosts(hostile).is_err(), "{hostile:?}");
        }
        assert!(hosts("a b").is_err());
        assert!(
            hosts("cofferdam")
                .unwrap()
                .lines()
                .all(|line| line.starts_with("127.0.0.1\t") || line.starts_with("::1\t"))
        );
    }

    #[test]
    fn each_session_is_another_machine() {
        let id = machine_id("abcdefghijkl");
        assert_eq!(id.len(), 33);
        assert!(id.trim_end().bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_ne!(id, machine_id("abcdefghijkm"));
        assert_eq!(id, machine_id("abcdefghijkl"));
    }
}
