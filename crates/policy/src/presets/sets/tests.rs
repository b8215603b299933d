//! Each set by its protocol: what its use needs is permitted, what goes further is refused.

use super::registry::Role;
use super::*;
use crate::net::credential::{Credential, undefined};
use crate::net::grant::{QueryRule, Scheme};
use crate::net::host::Destination;
use crate::net::model::ModelApi;
use crate::net::refusal::RefusalReason;
use crate::net::verdict::{Grants, Head, Upgrade};

const INDEX: &str = "https://packages.test:8443/mirror";
const FILES: &str = "https://files.test/store";

fn of(registry: Registry) -> Grants {
    let roles = [(INDEX, Role::Index), (FILES, Role::Files)];
    let grants = roles.map(|(url, role)| registry.grant(&Base::parse(url).unwrap(), role).unwrap());
    Grants::new(grants.to_vec())
}

/// `METHOD https://host:port/path[?query]`
fn judged(grants: &Grants, text: &str) -> Result<Option<String>, RefusalReason> {
    let (method, url) = text.split_once(' ').unwrap();
    let rest = url.split_once("://").unwrap().1;
    let (authority, path) = rest.split_at(rest.find('/').unwrap());
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let scheme = if url.starts_with("http://") { Scheme::Http } else { Scheme::Https };
    let destination = Destination::parse(authority, "443".parse().unwrap()).unwrap();
    let (upgrade, header_names, authority) = (Upgrade::None, &[][..], &destination);
    let head = Head { method, path, query, upgrade, header_names, authority, scheme };
    let permit = grants.judge(&destination, &head).map_err(|refusal| refusal.reason)?;
    Ok(permit.credential().map(ToString::to_string))
}

fn permitted(grants: &Grants, requests: &[&str]) {
    for request in requests {
        assert!(judged(grants, request).is_ok(), "{request}: {:?}", judged(grants, request));
    }
}

fn refused(grants: &Grants, requests: &[&str]) {
    for request in requests {
        assert!(judged(grants, request).is_err(), "{request}");
    }
}

#[test]
fn npm_installs_and_can_t_publish() {
    let grants = of(Registry::Npm);
    permitted(
        &grants,
        &[
            "GET https://packages.test:8443/mirror/left",
            "GET https://packages.test:8443/mirror/@scope%2fleft",
            "GET https://packages.test:8443/mirror/@scope%2Fleft",
            "GET https://packages.test:8443/mirror/@scope/left",
            "GET https://packages.test:8443/mirror/left/1.0.0",
            "GET https://packages.test:8443/mirror/left/-/left-1.0.0.tgz",
            "GET https://packages.test:8443/mirror/@scope/left/-/left-1.0.0.tgz",
            "HEAD https://packages.test:8443/mirror/left",
            "GET https://files.test/store/left/left-1.0.0.tgz",
        ],
    );
    refused(
        &grants,
        &[
            "PUT https://packages.test:8443/mirror/left",
            "PUT https://packages.test:8443/mirror/@scope%2fleft",
            "PUT https://packages.test:8443/mirror/left/-rev/1-abc",
            "DELETE https://packages.test:8443/mirror/left/-/left-1.0.0.tgz/-rev/1-abc",
            "PUT https://packages.test:8443/mirror/-/package/left/dist-tags/latest",
            "PUT https://packages.test:8443/mirror/-/user/org.couchdb.user:me",
            "POST https://packages.test:8443/mirror/-/v1/login",
            "POST https://packages.test:8443/mirror/-/npm/v1/tokens",
            "GET https://packages.test:8443/mirror/-/npm/v1/tokens",
            "GET https://packages.test:8443/mirror/-/whoami",
            "GET https://packages.test:8443/mirror/left?data=carried",
            "GET https://packages.test:8443/other/left",
            "GET https://packages.test/mirror/left",
            "PUT https://files.test/store/left/left-1.0.0.tgz",
            "GET https://files.test/store/secrets.json",
        ],
    );
}

#[test]
fn pip_installs_and_can_t_upload() {
    let grants = of(Registry::Pypi);
    permitted(
        &grants,
        &[
            "GET https://packages.test:8443/mirror/",
            "GET https://packages.test:8443/mirror/left/",
            "GET https://packages.test:8443/mirror/left",
            "GET https://files.test/store/ab/cd/left-1.0-py3-none-any.whl",
            "GET https://files.test/store/ab/cd/left-1.0-py3-none-any.whl.metadata",
            "HEAD https://files.test/store/left-1.0.tar.gz",
        ],
    );
    refused(
        &grants,
        &[
            "POST https://packages.test:8443/mirror/",
            "POST https://packages.test:8443/legacy/",
            "PUT https://files.test/store/left-1.0.tar.gz",
            "GET https://packages.test:8443/mirror/left/?x=carried",
            "GET https://packages.test:8443/mirror/left/json/other",
        ],
    );
}

#[test]
fn cargo_builds_and_can_t_publish_or_yank() {
    let grants = of(Registry::Crates);
    permitted(
        &grants,
        &[
            "GET https://packages.test:8443/mirror/config.json",
            "GET https://packages.test:8443/mirror/1/a",
            "GET https://packages.test:8443/mirror/2/ab",
            "GET https://packages.test:8443/mirror/3/a/abc",
            "GET https://packages.test:8443/mirror/se/rd/serde",
            "GET https://files.test/store/left/left-1.0.0.crate",
            "GET https://files.test/store/left/1.0.0/download",
        ],
    );
    refused(
        &grants,
        &[
            "PUT https://packages.test:8443/mirror/api/v1/crates/new",
            "PUT https://files.test/store/new",
            "DELETE https://packages.test:8443/mirror/api/v1/crates/left/1.0.0/yank",
            "PUT https://packages.test:8443/mirror/api/v1/crates/left/owners",
            "GET https://packages.test:8443/mirror/api/v1/crates?q=carried",
            "GET https://packages.test:8443/mirror/me",
        ],
    );
}

#[test]
fn apt_go_and_maven_load_and_can_t_deploy() {
    let apt = of(Registry::Debian);
    permitted(
        &apt,
        &[
            "GET https://packages.test:8443/mirror/dists/stable/InRelease",
            "GET https://packages.test:8443/mirror/dists/stable/main/binary-amd64/by-hash/SHA256/00ff",
            "GET https://packages.test:8443/mirror/pool/main/l/left/left_1.0-1_amd64.deb",
        ],
    );
    refused(
        &apt,
        &[
            "PUT https://packages.test:8443/mirror/pool/main/l/left/left_1.0-1_amd64.changes",
            "GET https://packages.test:8443/mirror/api/repos",
        ],
    );
    let go = of(Registry::Go);
    permitted(
        &go,
        &[
            "GET https://packages.test:8443/mirror/modules.test/!left/@v/list",
            "GET https://packages.test:8443/mirror/modules.test/left/v2/@v/v2.0.0+incompatible.zip",
            "GET https://packages.test:8443/mirror/modules.test/left/@latest",
            "GET https://packages.test:8443/mirror/sumdb/sums.test/lookup/modules.test/left@v1.0.0",
        ],
    );
    refused(
        &go,
        &[
            "PUT https://packages.test:8443/mirror/modules.test/left/@v/v1.0.0.zip",
            "GET https://packages.test:8443/mirror/modules.test/left",
            "GET https://packages.test:8443/mirror/modules.test/left?go-get=1",
        ],
    );
    let sums = Registry::Go.grant(&Base::parse("https://sums.test").unwrap(), Role::Checksums).unwrap();
    let sums = Grants::new(vec![sums]);
    permitted(
        &sums,
        &["GET https://sums.test/lookup/modules.test/left@v1.0.0", "GET https://sums.test/latest"],
    );
    refused(&sums, &["GET https://sums.test/", "POST https://sums.test/lookup/modules.test/left@v1.0.0"]);
    let maven = of(Registry::Maven);
    permitted(&maven, &["GET https://packages.test:8443/mirror/org/left/left/1.0/left-1.0.jar"]);
    refused(&maven, &["PUT https://packages.test:8443/mirror/org/left/left/1.0/left-1.0.jar"]);
}

#[test]
fn docker_pulls_and_can_t_push() {
    let base = |url| Base::parse(url).unwrap();
    let roles = [
        ("https://images.test", Role::Index),
        ("https://tokens.test/token", Role::Tokens),
        ("https://layers.test/blobs", Role::Files),
    ];
    let grants = roles.map(|(url, role)| Registry::Docker.grant(&base(url), role).unwrap());
    let grants = Grants::new(grants.to_vec());
    permitted(
        &grants,
        &[
            "GET https://images.test/v2/",
            "HEAD https://images.test/v2/library/left/manifests/latest",
            "GET https://images.test/v2/left/manifests/sha256:00ff",
            "GET https://images.test/v2/acme/sub/left/blobs/sha256:00ff",
            "GET https://tokens.test/token?service=images.test&scope=repository:left:pull",
            "GET https://layers.test/blobs/00ff/data?signature=00",
        ],
    );
    refused(
        &grants,
        &[
            "POST https://images.test/v2/left/blobs/uploads/",
            "PATCH https://images.test/v2/left/blobs/uploads/00",
            "PUT https://images.test/v2/left/manifests/latest",
            "DELETE https://images.test/v2/left/manifests/sha256:00ff",
            "GET https://images.test/v2/_catalog",
            "GET https://images.test/v2/left/blobs/sha256:00ff?data=carried",
            "POST https://tokens.test/token",
        ],
    );
}

fn none(_: &CredentialName) -> bool {
    false
}

fn all(_: &CredentialName) -> bool {
    true
}

fn comes(text: &str, known: &dyn Fn(&CredentialName) -> bool) -> (Grants, Vec<Credential>) {
    let comes = Set::parse(text).unwrap().comes(known).unwrap();
    assert_eq!(undefined(&comes.grants, &comes.credentials), None, "{text}");
    let marked = |grant: &Grant| matches!(&grant.origin, crate::net::grant::GrantOrigin::Set(_));
    assert!(comes.grants.iter().all(marked), "{text}");
    (Grants::new(comes.grants), comes.credentials)
}

#[test]
fn github_read_reads_and_holds_no_credential_for_all_that_the_owner_may_see() {
    let (grants, credentials) = comes("github-read", &all);
    assert!(credentials.is_empty());
    let fetch = "GET https://github.com/acme/app/info/refs?service=git-upload-pack";
    assert_eq!(judged(&grants, fetch), Ok(None));
    permitted(&grants, &["POST https://github.com/acme/app.git/git-upload-pack"]);
    permitted(&grants, &["GET https://api.github.com/repos/acme/app/pulls?state=open"]);
    permitted(&grants, &["GET https://github.com/acme/app/releases/download/v1/app.tgz"]);
    refused(
        &grants,
        &[
            "POST https://github.com/acme/app.git/git-receive-pack",
            "POST https://api.github.com/repos/acme/app/issues",
            "POST https://api.github.com/graphql",
            "GET https://api.github.com/user",
            "POST https://api.github.com/gists",
            "GET https://github.com/acme/app/settings",
        ],
    );
    let (grants, _) = comes("github-read(acme/app)", &all);
    assert_eq!(judged(&grants, fetch), Ok(Some("github-git".into())));
    let call = judged(&grants, "GET https://api.github.com/repos/acme/app/pulls");
    assert_eq!(call, Ok(Some("github".into())));
    refused(
        &grants,
        &["GET https://github.com/acme/other/info/refs", "GET https://api.github.com/repos/acme/other"],
    );
    let (grants, credentials) = comes("github-read(acme/*)", &none);
    assert!(credentials.is_empty());
    assert_eq!(judged(&grants, fetch), Ok(None));
}

#[test]
fn github_push_pushes_to_one_repository_and_mints_nothing() {
    let (grants, credentials) = comes("github-push(acme/app)", &none);
    let secrets: Vec<&str> = credentials.iter().map(|credential| credential.secret.as_str()).collect();
    assert_eq!(secrets, ["github", "github"]);
    let held = Ok(Some("github-git".to_owned()));
    assert_eq!(judged(&grants, "POST https://github.com/acme/app.git/git-receive-pack"), held);
    assert_eq!(judged(&grants, "POST https://github.com/acme/app/git-receive-pack"), held);
    assert_eq!(judged(&grants, "GET https://github.com/acme/app/info/refs?service=git-receive-pack"), held);
    refused(
        &grants,
        &[
            "POST https://github.com/acme/other/git-receive-pack",
            "POST https://github.com/acme/app.git.git/git-receive-pack",
            "POST https://github.com/acme/apps/git-receive-pack",
            "POST https://api.github.com/repos/acme/app/keys",
            "POST https://api.github.com/repos/acme/app/hooks",
            "PUT https://api.github.com/repos/acme/app/collaborators/mallory",
            "PUT https://api.github.com/repos/acme/app/contents/.github/workflows/ci.yml",
            "POST https://api.github.com/repos/acme/app/actions/workflows/1/dispatches",
            "POST https://api.github.com/app/installations/1/access_tokens",
        ],
    );
}

#[test]
fn a_vendor_of_models_infers_and_does_nothing_else() {
    let (grants, credentials) = comes("anthropic", &none);
    assert_eq!(credentials[0].environment[0].as_str(), "ANTHROPIC_API_KEY");
    let held = Ok(Some("anthropic".to_owned()));
    assert_eq!(judged(&grants, "POST https://api.anthropic.com/v1/messages?beta=true"), held);
    assert_eq!(judged(&grants, "POST https://api.anthropic.com/v1/messages/count_tokens"), held);
    assert_eq!(judged(&grants, "GET https://api.anthropic.com/v1/models?limit=100"), held);
    refused(
        &grants,
        &[
            "POST https://api.anthropic.com/v1/files",
            "GET https://api.anthropic.com/v1/files",
            "POST https://api.anthropic.com/v1/messages/batches",
            "POST https://api.anthropic.com/v1/organizations/api_keys",
            "DELETE https://api.anthropic.com/v1/models/x",
            "POST https://api.anthropic.com/v1/environments",
        ],
    );
    let (grants, _) = comes("openai", &none);
    permitted(&grants, &["POST https://api.openai.com/v1/responses", "GET https://api.openai.com/v1/models"]);
    refused(&grants, &["POST https://api.openai.com/v1/files", "GET https://api.openai.com/v1/responses/x"]);
    let (grants, _) = comes("gemini", &none);
    let host = "https://generativelanguage.googleapis.com/v1beta";
    permitted(&grants, &[&format!("POST {host}/models/some-model:streamGenerateContent?alt=sse")]);
    refused(&grants, &[&format!("POST {host}/cachedContents"), &format!("POST {host}/models/m:other")]);
    let (grants, _) = comes("openrouter", &none);
    permitted(&grants, &["POST https://openrouter.ai/api/v1/chat/completions"]);
    refused(&grants, &["GET https://openrouter.ai/api/v1/key", "POST https://openrouter.ai/api/v1/keys"]);
}

#[test]
fn every_call_of_a_model_s_set_is_understood_and_its_credential_known_by_a_usual_name() {
    for provider in Provider::ALL {
        let vendor = provider.comes(&none);
        assert_eq!(vendor.grants.len(), 2, "{}", provider.name());
        assert!(vendor.grants.iter().all(|grant| grant.model.is_some() && grant.credential.is_some()));
        assert_eq!(vendor.credentials[0].name.as_str(), provider.name());
        for grant in &vendor.grants {
            let method = if grant.methods.permit("POST") { "POST" } else { "GET" };
            let paths =
                grant.paths.iter().map(|pattern| pattern.as_str().replace("**", "some").replace('*', "some"));
            let rule = grant.model.as_ref().unwrap();
            assert!(paths.into_iter().all(|path| rule.call(method, &path).is_some()), "{grant}");
        }
    }
    // A login in place of a key, where that is what the owner has.
    let login = Provider::Anthropic.comes(&|name| name.as_str() == "claude");
    assert_eq!(login.credentials[0].environment[0].as_str(), "CLAUDE_CODE_OAUTH_TOKEN");
}

#[test]
fn another_place_with_a_vendor_s_interface_is_named_by_its_address() {
    let set = Set::parse("openai-compatible(https://models.test/api/v2)").unwrap();
    let known = |name: &CredentialName| name.as_str() == "openai-compatible";
    let comes = set.comes(&known).unwrap();
    assert_eq!(comes.environment["OPENAI_BASE_URL"], "https://models.test/api/v2");
    assert_eq!(comes.credentials.len(), 1);
    let grants = Grants::new(comes.grants);
    permitted(&grants, &["POST https://models.test/api/v2/chat/completions"]);
    refused(&grants, &["POST https://models.test/v1/chat/completions"]);
    let set = Set::parse("anthropic-compatible(https://models.test/gate)").unwrap();
    let comes = set.comes(&none).unwrap();
    assert_eq!(comes.environment["ANTHROPIC_BASE_URL"], "https://models.test/gate");
    assert_eq!(comes.grants[0].model.as_ref().map(|rule| rule.api()), Some(ModelApi::Anthropic));
    permitted(&Grants::new(comes.grants), &["POST https://models.test/gate/v1/messages"]);
}

#[test]
fn a_model_of_the_host_s_has_a_name_and_never_the_address() {
    let set = Set::parse("local-model(llama=http://127.0.0.1:11434)").unwrap();
    assert_eq!(Set::parse(&set.to_string()).unwrap(), set);
    let comes = set.comes(&none).unwrap();
    assert_eq!(comes.environment["OPENAI_BASE_URL"], "http://llama.host.cofferdam:11434/v1");
    assert!(
        comes
            .grants
            .iter()
            .all(|grant| grant.addresses == ["127.0.0.1".parse::<std::net::IpAddr>().unwrap()])
    );
    let grants = Grants::new(comes.grants);
    permitted(&grants, &["POST http://llama.host.cofferdam:11434/v1/chat/completions"]);
    refused(
        &grants,
        &[
            "POST http://127.0.0.1:11434/v1/chat/completions",
            "POST http://llama.host.cofferdam:11434/api/pull",
            "POST http://llama.host.cofferdam:22/v1/chat/completions",
        ],
    );
    let unnamed = Set::parse("local-model(http://localhost:8080/v1)").unwrap().comes(&none).unwrap();
    assert_eq!(unnamed.environment["OPENAI_BASE_URL"], "http://model.host.cofferdam:8080/v1");
    for wrong in [
        "local-model",
        "local-model(x=http://10.0.0.1:80)",
        "local-model(x=http://models.test:80)",
        "local-model(x=https://127.0.0.1:80)",
        "local-model(a.b=http://127.0.0.1:80)",
        "local-model(=http://127.0.0.1:80)",
    ] {
        assert!(Set::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_name_that_is_no_set_is_told_what_there_is() {
    for text in ["npmm", "npm(x)", "anthropic(x)", "github-push", "github-push(acme)", "github-push(acme/*)"]
    {
        assert!(Set::parse(text).is_err(), "{text}");
    }
    for text in
        ["github-push(a/b/c)", "github-push(../x)", "openai-compatible", "openai-compatible(models.test)"]
    {
        assert!(Set::parse(text).is_err(), "{text}");
    }
    let told = Set::parse("npmm").unwrap_err().to_string();
    assert!(told.contains("npm, pypi") && told.contains("github-push(OWNER/REPO)"), "{told}");
    for registry in Registry::ALL {
        let set = Set::parse(registry.name()).unwrap();
        assert_eq!(set.to_string(), registry.name());
        assert_eq!(set.comes(&all), None);
    }
}

#[test]
fn a_credential_never_goes_out_in_clear_text() {
    let mut base = Base::parse("http://packages.test/").unwrap();
    assert!(Registry::Npm.grant(&base, Role::Index).is_ok());
    base.credential = Some("npm-packages-test".parse().unwrap());
    assert!(Registry::Npm.grant(&base, Role::Index).is_err());
    base.addresses = vec!["127.0.0.1".parse().unwrap()];
    base.query = QueryRule::Deny;
    assert!(Registry::Npm.grant(&base, Role::Index).is_ok());
}
