//! The masks that hold unless the owner says otherwise: a table of names under which secrets are kept.
//!
//! A name stands here only if a tool *keeps a secret* under it by convention. Names that merely sound secret are
//! in [`super::secret`], shown by `explain` and not hidden.

use super::{MaskError, MaskRule};

struct Default {
    pattern: &'static str,
    except: &'static [&'static str],
    reason: &'static str,
}

const fn hide(pattern: &'static str, reason: &'static str) -> Default {
    Default { pattern, except: &[], reason }
}

const DOTENV: &str = "environment file: keys and passwords of an application";
const PRIVATE_KEY: &str = "private key";
const KEY_STORE: &str = "key store";
const CLOUD: &str = "cloud credentials";
const REGISTRY: &str = "package registry token";
const TERRAFORM: &str = "state or variables of an infrastructure, passwords in plain text";
const PASSWORDS: &str = "login or password file";
const APPLICATION: &str = "secrets of an application by its framework's convention";
const AGENT: &str = "login of an agent program";

/// Templates that are checked in on purpose and hold no values.
const DOTENV_TEMPLATES: &[&str] = &[
    ".env.example",
    ".env.sample",
    ".env.template",
    ".env.dist",
    ".env.defaults",
    ".env.*.example",
    ".env.*.sample",
    ".env.*.template",
    ".env.*.dist",
];

const DEFAULTS: &[Default] = &[
    // Environment files (dotenv, Rails, Vite, Next, docker compose).
    hide(".env", DOTENV),
    Default { pattern: ".env.*", except: DOTENV_TEMPLATES, reason: DOTENV },
    Default { pattern: ".env-*", except: &[".env-example", ".env-sample", ".env-template"], reason: DOTENV },
    hide(".dev.vars", DOTENV),
    hide(".envrc", DOTENV),
    hide(".flaskenv", DOTENV),
    // Registries and download credentials.
    hide(".npmrc", REGISTRY),
    hide(".pypirc", REGISTRY),
    hide("**/.cargo/credentials", REGISTRY),
    hide("**/.cargo/credentials.toml", REGISTRY),
    hide("**/.gem/credentials", REGISTRY),
    hide("**/.bundle/config", REGISTRY),
    hide("**/.m2/settings.xml", REGISTRY),
    hide("**/.m2/settings-security.xml", REGISTRY),
    hide("**/.composer/auth.json", REGISTRY),
    hide("/auth.json", REGISTRY),
    hide("**/.nuget/NuGet.Config", REGISTRY),
    hide(".dockercfg", REGISTRY),
    hide("**/.docker/config.json", REGISTRY),
    hide("**/containers/auth.json", REGISTRY),
    // Logins.
    hide(".netrc", PASSWORDS),
    hide("_netrc", PASSWORDS),
    hide(".authinfo", PASSWORDS),
    hide(".authinfo.gpg", PASSWORDS),
    hide(".git-credentials", PASSWORDS),
    hide("**/.config/git/credentials", PASSWORDS),
    hide("**/.config/gh/hosts.yml", PASSWORDS),
    hide("**/.config/glab-cli/config.yml", PASSWORDS),
    hide("**/.config/hub", PASSWORDS),
    hide(".pgpass", PASSWORDS),
    hide(".my.cnf", PASSWORDS),
    hide(".mylogin.cnf", PASSWORDS),
    hide(".htpasswd", PASSWORDS),
    hide(".s3cfg", CLOUD),
    hide(".boto", CLOUD),
    hide(".vault-token", PASSWORDS),
    hide(".vault_pass", PASSWORDS),
    hide(".vault_pass.txt", PASSWORDS),
    hide(".vault-password", PASSWORDS),
    hide(".smbcredentials", PASSWORDS),
    hide("**/.password-store/", PASSWORDS),
    // Private keys: certificates (`*.crt`, most `*.pem`) are public and stay.
    hide("id_rsa", PRIVATE_KEY),
    hide("id_dsa", PRIVATE_KEY),
    hide("id_ecdsa", PRIVATE_KEY),
    hide("id_ecdsa_sk", PRIVATE_KEY),
    hide("id_ed25519", PRIVATE_KEY),
    hide("id_ed25519_sk", PRIVATE_KEY),
    hide("*.key", PRIVATE_KEY),
    hide("*-key.pem", PRIVATE_KEY),
    hide("*_key.pem", PRIVATE_KEY),
    hide("*.key.pem", PRIVATE_KEY),
    hide("key.pem", PRIVATE_KEY),
    hide("privkey*.pem", PRIVATE_KEY),
    hide("private*.pem", PRIVATE_KEY),
    hide("*.ppk", PRIVATE_KEY),
    hide("ssh_host_*_key", PRIVATE_KEY),
    hide("AuthKey_*.p8", PRIVATE_KEY),
    hide(".ssh/", PRIVATE_KEY),
    hide(".gnupg/", PRIVATE_KEY),
    hide("**/sops/age/keys.txt", PRIVATE_KEY),
    hide("*.p12", KEY_STORE),
    hide("*.pfx", KEY_STORE),
    hide("*.jks", KEY_STORE),
    hide("*.keystore", KEY_STORE),
    hide("*.kdbx", KEY_STORE),
    hide("*.kdb", KEY_STORE),
    hide("*.keychain-db", KEY_STORE),
    hide("*.keytab", KEY_STORE),
    hide("*.agekey", KEY_STORE),
    // Clouds and clusters.
    hide(".aws/", CLOUD),
    hide(".azure/", CLOUD),
    hide(".kube/", CLOUD),
    hide(".oci/", CLOUD),
    hide(".aliyun/", CLOUD),
    hide("**/.config/gcloud/", CLOUD),
    hide("**/.config/doctl/", CLOUD),
    hide("**/.config/hcloud/", CLOUD),
    hide("kubeconfig", CLOUD),
    hide("*.kubeconfig", CLOUD),
    hide("application_default_credentials.json", CLOUD),
    hide("service-account*.json", CLOUD),
    hide("service_account*.json", CLOUD),
    hide("serviceAccount*.json", CLOUD),
    hide("*-service-account.json", CLOUD),
    hide("*-firebase-adminsdk-*.json", CLOUD),
    hide("gcp-key*.json", CLOUD),
    hide("client_secret*.json", CLOUD),
    // Infrastructure state.
    hide("*.tfstate", TERRAFORM),
    hide("*.tfstate.*", TERRAFORM),
    hide("terraform.tfvars", TERRAFORM),
    hide("terraform.tfvars.json", TERRAFORM),
    hide("*.auto.tfvars", TERRAFORM),
    hide("*.auto.tfvars.json", TERRAFORM),
    hide(".terraformrc", TERRAFORM),
    hide("**/.terraform.d/credentials.tfrc.json", TERRAFORM),
    hide("**/.pulumi/credentials.json", TERRAFORM),
    // Frameworks.
    hide("secrets.yml", APPLICATION),
    hide("secrets.yaml", APPLICATION),
    hide("secrets.json", APPLICATION),
    hide("secrets.toml", APPLICATION),
    hide("master.key", APPLICATION),
    hide("**/config/credentials/*.key", APPLICATION),
    hide("wp-config.php", APPLICATION),
    // Agent programs keep their logins in their home, which sometimes is a repository of dot files.
    hide("**/.claude/.credentials.json", AGENT),
    hide("**/.codex/auth.json", AGENT),
    hide("**/.gemini/oauth_creds.json", AGENT),
    hide("**/opencode/auth.json", AGENT),
];

/// Names inside a git directory that hold credentials besides `config`, which is shown without them.
const GIT_DIRECTORY: &[(&str, &str)] = &[
    ("credentials", "git's credential file, kept in the git directory"),
    ("config~", "a former configuration, which may hold credentials"),
    ("config.bak", "a former configuration, which may hold credentials"),
    ("config.orig", "a former configuration, which may hold credentials"),
    ("config.old", "a former configuration, which may hold credentials"),
    ("config.save", "a former configuration, which may hold credentials"),
    (".config.swp", "an editor's copy of the configuration, which may hold credentials"),
    (".config.swo", "an editor's copy of the configuration, which may hold credentials"),
    ("#config#", "an editor's copy of the configuration, which may hold credentials"),
    ("config.lock", "a half-written configuration, which may hold credentials"),
    ("branches", "addresses in the old form, which may hold passwords"),
    ("remotes", "addresses in the old form, which may hold passwords"),
    ("lfs/logs", "what Git LFS noted of failures, addresses with passwords among it"),
    ("annex/creds", "credentials of git-annex's special remotes"),
];

/// The default rules.
///
/// # Errors
/// Never in a build whose tests pass; a table that can't be read must not become an empty one.
pub fn default_masks() -> Result<Vec<MaskRule>, MaskError> {
    DEFAULTS
        .iter()
        .map(|row| {
            let except = row.except.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
            Ok(MaskRule { pattern: row.pattern.parse()?, except, reason: row.reason.to_owned() })
        })
        .collect()
}

/// Paths relative to a git directory that are hidden in it, each with its reason.
pub fn git_directory_masks() -> impl Iterator<Item = (&'static str, &'static str)> {
    GIT_DIRECTORY.iter().copied()
}

/// A rule that the owner asked for by `--mask` or in a policy: it has no exceptions.
///
/// # Errors
/// [`MaskError`] names what is wrong with the pattern.
pub fn explicit_mask(text: &str) -> Result<MaskRule, MaskError> {
    Ok(MaskRule { pattern: text.parse()?, except: Vec::new(), reason: "masked by the owner".to_owned() })
}
