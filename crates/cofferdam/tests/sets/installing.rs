//! Real package programs install through a set, and can't publish through it.

use super::scene::{Scene, place};
use cofferdam_testkit::registry::{Registry, RegistryKind};

const MANIFEST: &str = r#"{"name":"mine","version":"1.0.0","dependencies":{"anchor":"^1.0.0"}}"#;
const KEY: &str = "npm_plantedZ0123456789abcdefghij";

#[test]
fn npm_installs_by_a_lock_file_and_publishing_is_refused() {
    let scene = Scene::new();
    let registry = Registry::secure(&scene.pki, RegistryKind::Npm);
    scene.settings(".npmrc", &format!("registry={}\n", registry.url()));
    scene.confirm("npm", &[place(&registry, "packages.test")]);
    scene.edit("npm", None);
    scene.project("package.json", MANIFEST);
    let script = "npm install --package-lock-only && npm ci && node -p \"require('anchor').join()\"";
    let run = scene.session("npm", &[], script);
    assert!(run.stdout().contains("anchor,ballast,@dock/crane"), "{run}");
    let run = scene.session("npm", &[], "echo //packages.test/:_authToken=x >>~/.npmrc; npm publish");
    assert!(!run.status.success(), "{run}");
    let registry_address = registry.url();
    let put = format!("curl -sS -X PUT -d {{}} {registry_address}mine");
    let asked: Vec<String> = registry.server().seen().iter().map(|seen| seen.method.clone()).collect();
    assert!(asked.iter().all(|method| method == "GET"), "{asked:?}");
    let run = scene.session("npm", &[], &put);
    assert!(run.to_string().contains("method-not-granted"), "{run}");
    assert_eq!(registry.written(), []);
}

#[test]
fn npm_installs_from_a_company_s_registry_whose_token_the_agent_never_has() {
    let scene = Scene::new();
    let registry = Registry::guarded(&scene.pki, RegistryKind::Npm, KEY);
    let at = place(&registry, "packages.test");
    scene.settings(".npmrc", &format!("registry={}\n//{at}/:_authToken={KEY}\n", registry.url()));
    scene.confirm("npm", std::slice::from_ref(&at));
    scene.edit("npm", None);
    scene.project("package.json", MANIFEST);
    let script = "env; cat ~/.npmrc 2>/dev/null || true; npm install && node -p \"require('anchor').join()\"";
    let run = scene.session("npm", &[], script);
    assert!(run.stdout().contains("anchor,ballast,@dock/crane"), "{run}");
    assert!(!run.stdout().contains("plantedZ"), "{run}");
    // The control: without the credential the registry says no.
    let url = registry.url();
    let run = scene.run(&[
        "run",
        "--allow",
        &format!("{at}/** address=127.0.0.1"),
        "--",
        "curl",
        "-s",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        &format!("{url}anchor"),
    ]);
    assert!(run.stdout().contains("401"), "{run}");
}

#[test]
fn pip_installs_from_an_index_whose_files_lie_elsewhere_and_uploading_is_refused() {
    let scene = Scene::new();
    let registry = Registry::secure(&scene.pki, RegistryKind::Pypi);
    scene.settings(".config/pip/pip.conf", &format!("[global]\nindex-url = {}\n", registry.url()));
    scene.confirm("pypi", &[place(&registry, "index.packages.test")]);
    let install = "/usr/bin/python3 -m pip install --no-cache-dir --disable-pip-version-check --retries 0 --target lib anchor";
    scene.edit("pypi", None);
    let refused = scene.session("pypi", &[], install);
    assert!(!refused.status.success(), "{refused}");
    assert!(refused.stderr().contains("files.packages.test"), "the refusal names what is missing: {refused}");
    let files = format!("https://{}/packages/", place(&registry, "files.packages.test"));
    scene.edit("pypi", Some(&files));
    let run = scene.session(
        "pypi",
        &[],
        &format!("{install} && PYTHONPATH=lib /usr/bin/python3 -c 'import anchor; print(anchor.WORDS)'"),
    );
    assert!(run.stdout().contains("['anchor', 'ballast']"), "{run}");
    let post = format!("curl -sS -X POST -d x {}", registry.publishing_url());
    let run = scene.session("pypi", &[], &post);
    assert!(run.to_string().contains("not-granted"), "{run}");
    assert_eq!(registry.written(), []);
}

#[test]
fn go_builds_with_modules_of_the_owner_s_proxy() {
    let scene = Scene::new();
    let registry = Registry::secure(&scene.pki, RegistryKind::Go);
    scene.settings(".config/go/env", &format!("GOPROXY={}\nGOSUMDB=off\n", registry.url()));
    scene.confirm("go", &[place(&registry, "packages.test")]);
    scene.edit("go", None);
    scene.project("go.mod", "module mine\n\ngo 1.19\n\nrequire packages.test/anchor v1.0.0\n");
    let main = "package main\n\nimport \"packages.test/anchor\"\n\nfunc main() { println(anchor.Words()) }\n";
    scene.project("main.go", main);
    let run = scene.session("go", &[], "GOFLAGS='-mod=mod -modcacherw' go run .");
    assert!(run.stderr().contains("anchor ballast"), "{run}");
    let put = format!("curl -sS -X PUT -d x {}/packages.test/anchor/@v/v2.0.0.zip", registry.url());
    let run = scene.session("go", &[], &put);
    assert!(run.to_string().contains("method-not-granted"), "{run}");
    assert_eq!(registry.written(), []);
}
