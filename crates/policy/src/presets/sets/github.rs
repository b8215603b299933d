//! GitHub: reading what is public, reading some repositories with the owner's credential, and pushing to one.
//!
//! Reading public places takes no credential, so that `github-read` alone never opens what only the owner may see. A
//! push is git's own protocol to one repository; no call of the interface that writes is granted, so nothing here can
//! mint tokens, keys or webhooks, invite anybody, or start a workflow by hand. What a push brings is not read: a file
//! of a workflow in it is GitHub's to refuse, and it does unless the token has that scope.

use super::base::Base;
use super::{Comes, SetError, credential, grant};
use crate::net::credential::CredentialName;
use crate::net::grant::{Grant, QueryRule};
use std::fmt;

/// The set that reads.
pub const READ: &str = "github-read";
/// The set that pushes.
pub const PUSH: &str = "github-push";
/// How it is written.
pub const PUSH_FORM: &str = "github-push(OWNER/REPO)";

const READ_FORM: &str = "github-read, github-read(OWNER/REPO) or github-read(OWNER/*)";

/// By which the interface is used.
const API_CREDENTIAL: &str = "github";
/// By which git is.
const GIT_CREDENTIAL: &str = "github-git";

const SITE: &str = "https://github.com";
const API: &str = "https://api.github.com";
const ARCHIVES: &str = "https://codeload.github.com";
const RAW: &str = "https://raw.githubusercontent.com";

const READING: [&str; 2] = ["GET", "HEAD"];

/// One repository, or all of one owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repositories {
    owner: String,
    /// `None` for all.
    name: Option<String>,
}

impl Repositories {
    /// Reads `OWNER/REPO`, or `OWNER/*` where `all` is permitted.
    pub(super) fn parse(set: &'static str, text: &str, all: bool) -> Result<Self, SetError> {
        let form = if all { READ_FORM } else { PUSH_FORM };
        let wrong = || SetError::Argument { name: set, form };
        let (owner, name) = text.split_once('/').ok_or_else(wrong)?;
        let is_part = |part: &str| {
            !part.is_empty()
                && part.len() <= 100
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
                && !part.starts_with('.')
        };
        let name = match name {
            "*" if all => None,
            // GitHub serves a repository under its name with and without the ending.
            name => Some(name.strip_suffix(".git").unwrap_or(name).to_owned()),
        };
        if !is_part(owner) || name.as_deref().is_some_and(|name| !is_part(name)) {
            return Err(wrong());
        }
        Ok(Self { owner: owner.to_owned(), name })
    }
}

impl fmt::Display for Repositories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name.as_deref().unwrap_or("*"))
    }
}

/// Grants that read: public places, or these repositories with a credential if there is one.
pub(super) fn read(of: Option<&Repositories>, known: &dyn Fn(&CredentialName) -> bool) -> Comes {
    let (owner, name) = match of {
        None => ("*", "*"),
        Some(of) => (of.owner.as_str(), of.name.as_deref().unwrap_or("*")),
    };
    let has = |name: &str| name.parse().is_ok_and(|name| known(&name));
    let is_held = of.is_some() && (has(API_CREDENTIAL) || has(GIT_CREDENTIAL));
    let repository = format!("/{owner}/{name}");
    let mut grants = fetching(READ, &repository, is_held);
    let held = |name: &'static str| is_held.then_some(name);
    let archives = [format!("{repository}/**")];
    let releases = [format!("{repository}/releases/download/**"), format!("{repository}/archive/**")];
    grants.extend(of_place(READ, SITE, &READING, &releases, None, QueryRule::Deny));
    grants.extend(of_place(READ, ARCHIVES, &READING, &archives, None, QueryRule::Deny));
    grants.extend(of_place(READ, RAW, &READING, &archives, None, QueryRule::Deny));
    let calls = [format!("/repos/{owner}/{name}"), format!("/repos/{owner}/{name}/**")];
    grants.extend(of_place(READ, API, &READING, &calls, held(API_CREDENTIAL), QueryRule::Allow));
    let credentials = if is_held { credentials() } else { Vec::new() };
    Comes { grants, credentials, ..Comes::default() }
}

/// Grants that fetch from and push to one repository.
pub(super) fn push(to: &Repositories) -> Comes {
    let name = to.name.as_deref().unwrap_or("*");
    let repository = format!("/{}/{name}", to.owner);
    let mut grants = fetching(PUSH, &repository, true);
    let receive = both(&repository, "/git-receive-pack");
    grants.extend(of_place(PUSH, SITE, &["POST"], &receive, Some(GIT_CREDENTIAL), QueryRule::Deny));
    Comes { grants, credentials: credentials(), ..Comes::default() }
}

/// What `git clone` and `git fetch` need.
fn fetching(set: &str, repository: &str, is_held: bool) -> Vec<Grant> {
    let held = is_held.then_some(GIT_CREDENTIAL);
    // The query says which service; by this alone nothing is written.
    let refs = of_place(set, SITE, &["GET"], &both(repository, "/info/refs"), held, QueryRule::Allow);
    let pack = of_place(set, SITE, &["POST"], &both(repository, "/git-upload-pack"), held, QueryRule::Deny);
    refs.into_iter().chain(pack).collect()
}

/// With and without `.git`; where a star stands for the repository, it stands for both.
fn both(repository: &str, rest: &str) -> Vec<String> {
    let plain = format!("{repository}{rest}");
    if repository.ends_with('*') { vec![plain] } else { vec![plain, format!("{repository}.git{rest}")] }
}

fn of_place(
    set: &str,
    place: &str,
    methods: &[&str],
    patterns: &[String],
    credential: Option<&str>,
    query: QueryRule,
) -> Option<Grant> {
    let mut base = Base::parse(place).ok()?;
    base.credential = credential.and_then(|name| name.parse().ok());
    base.query = query;
    let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
    grant(set, &base, methods, &patterns)
}

/// One secret in two places: a bearer's token for the interface, a password for git.
fn credentials() -> Vec<crate::net::credential::Credential> {
    let api = credential(API_CREDENTIAL, "github", "header:Authorization: Bearer {}", &["GH_TOKEN"]);
    let git = credential(GIT_CREDENTIAL, "github", "basic:x-access-token", &[]);
    api.into_iter().chain(git).collect()
}
