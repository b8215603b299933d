//! Real package programs install from the registries, outside any cell; what they would publish is kept.

use super::*;
use crate::proxy::Proxy;
use crate::{Home, Invocation, Outcome};
use std::path::Path;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(100);

/// A home, a registry, and the way to it.
struct Scene {
    home: Home,
    pki: Pki,
    proxy: Proxy,
}

impl Scene {
    fn new() -> Self {
        Self { home: Home::new(), pki: Pki::new(), proxy: Proxy::start() }
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Outcome {
        self.command(program, arguments).run_within(PATIENCE)
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Invocation {
        let root = self.pki.root_file();
        // npm and pip take a machine's own setting before what Node and OpenSSL are told.
        let trusting = ["SSL_CERT_FILE", "npm_config_cafile", "PIP_CERT", "CARGO_HTTP_CAINFO"];
        let mut command: Invocation = self.home.invoke(program).args(arguments);
        for (name, value) in self.proxy.environment() {
            command = command.env(name, value);
        }
        for name in trusting {
            command = command.env(name, root);
        }
        // The toolchain of whoever runs the tests comes first: what stands in a PATH may look for it in a home.
        let cargo = std::env::var("CARGO").unwrap_or_default();
        let toolchain = Path::new(&cargo).parent().unwrap_or(Path::new("/usr/bin"));
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", toolchain.display());
        command.env("PATH", path)
    }
}

#[test]
fn npm_installs_by_its_lock_file_and_publishing_is_kept() {
    let scene = Scene::new();
    let registry = Registry::secure(&scene.pki, RegistryKind::Npm);
    let settings = format!(
        "registry={}\n//{}:_authToken=t\n",
        registry.url(),
        registry.server().url("packages.test").trim_start_matches("https://").to_owned() + "/"
    );
    scene.home.write(".npmrc", settings);
    scene
        .home
        .write("package.json", r#"{"name":"mine","version":"1.0.0","dependencies":{"anchor":"^1.0.0"}}"#);
    scene.run("npm", &["install", "--package-lock-only"]).assert_success();
    scene.run("npm", &["ci"]).assert_success();
    let ran = scene.run("node", &["-p", "require('anchor').join()"]);
    assert_eq!(ran.stdout(), "anchor,ballast,@dock/crane\n", "{ran}");
    assert_eq!(registry.written(), []);
    scene.run("npm", &["publish"]).assert_success();
    let lines: Vec<String> = registry.written().iter().map(Seen::line).collect();
    assert_eq!(lines, ["PUT /mine"]);
}

#[test]
fn pip_installs_from_an_index_whose_files_lie_elsewhere() {
    let scene = Scene::new();
    let registry = Registry::secure(&scene.pki, RegistryKind::Pypi);
    let url = registry.url();
    let install =
        ["-m", "pip", "install", "--no-cache-dir", "--index-url", &url, "--target", "lib", "anchor"];
    scene.run("/usr/bin/python3", &install).assert_success();
    let words = "import sys; sys.path.insert(0, 'lib'); import anchor; print(anchor.WORDS)";
    let ran = scene.run("/usr/bin/python3", &["-c", words]);
    assert_eq!(ran.stdout(), "['anchor', 'ballast']\n", "{ran}");
    let asked = scene.proxy.asked();
    assert!(asked.iter().any(|target| target.starts_with("files.packages.test:")), "{asked:?}");
}

#[test]
fn cargo_builds_with_crates_of_a_sparse_index_and_publishing_is_kept() {
    let scene = Scene::new();
    let registry = Registry::secure(&scene.pki, RegistryKind::Crates);
    let settings = format!(
        "[registries.tests]\nindex = \"{}\"\ntoken = \"t\"\n[source.crates-io]\nreplace-with = \"tests\"\n[source.tests]\nregistry = \"{}\"\n",
        registry.url(),
        registry.url()
    );
    scene.home.write(".cargo/config.toml", settings);
    let manifest = "[package]\nname = \"mine\"\nversion = \"1.0.0\"\nedition = \"2021\"\ndescription = \"d\"\nlicense = \"MIT\"\n[dependencies]\nanchor = { version = \"1\", registry = \"tests\" }\n";
    scene.home.write("Cargo.toml", manifest);
    scene.home.write("src/main.rs", "fn main() { println!(\"{}\", anchor::words()) }\n");
    let ran = scene.run("cargo", &["run", "--quiet"]);
    assert_eq!(ran.assert_success().stdout(), "anchor ballast\n", "{ran}");
    assert_eq!(registry.written(), []);
    // It would wait for the index to list what it published.
    let publish = ["publish", "--registry", "tests", "--allow-dirty", "--no-verify"];
    let publishing = scene.command("cargo", &publish).start();
    registry.server().wait_for("something published", writes);
    drop(publishing);
    let lines: Vec<String> = registry.written().iter().map(Seen::line).collect();
    assert_eq!(lines, ["PUT /api/v1/crates/new"]);
}

#[test]
fn apt_downloads_what_an_archive_lists() {
    let scene = Scene::new();
    let registry = Registry::secure(&scene.pki, RegistryKind::Debian);
    let at = |name: &str| scene.home.directory(name).display().to_string();
    let options = [
        format!("Dir::Etc={}", at("etc")),
        format!("Dir::State={}", at("state")),
        format!("Dir::Cache={}", at("cache")),
        format!("Dir::State::status={}", scene.home.write("status", "").display()),
        "APT::Sandbox::User=".to_owned(),
        format!("Acquire::https::Proxy={}", scene.proxy.url()),
        format!("Acquire::https::CAInfo={}", scene.pki.root_file().display()),
    ];
    scene.home.directory("etc/apt.conf.d");
    scene
        .home
        .write("etc/sources.list", format!("deb [trusted=yes arch=amd64] {} stable main\n", registry.url()));
    let options: Vec<&str> = options.iter().flat_map(|option| ["-o", option]).collect();
    scene.run("apt-get", &[&options[..], &["update"]].concat()).assert_success();
    scene.run("apt-get", &[&options[..], &["download", "anchor", "ballast"]].concat()).assert_success();
    let listed = scene.run("dpkg-deb", &["--contents", "anchor_1.0_all.deb"]);
    assert!(listed.assert_success().stdout().contains("./usr/share/anchor/word"), "{listed}");
}

#[test]
fn go_builds_with_modules_of_a_proxy() {
    let scene = Scene::new();
    let registry = Registry::secure(&scene.pki, RegistryKind::Go);
    scene.home.write("go.mod", "module mine\n\ngo 1.19\n\nrequire packages.test/anchor v1.0.0\n");
    scene.home.write(
        "main.go",
        "package main\n\nimport \"packages.test/anchor\"\n\nfunc main() { println(anchor.Words()) }\n",
    );
    let settings = [
        ("GOPROXY", registry.url()),
        ("GOSUMDB", "off".to_owned()),
        ("GOFLAGS", "-mod=mod -modcacherw".to_owned()),
    ];
    let settings: Vec<String> = settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let ran = scene.run("env", &[&settings[..], &["go", "run", "."]].concat());
    assert_eq!(ran.assert_success().stderr().lines().last(), Some("anchor ballast"), "{ran}");
}

#[test]
fn a_guarded_registry_opens_for_its_key_only() {
    let scene = Scene::new();
    let registry = Registry::guarded(&scene.pki, RegistryKind::Npm, "npm_key");
    let authority = registry.server().url("packages.test").trim_start_matches("https:").to_owned();
    scene
        .home
        .write("package.json", r#"{"name":"mine","version":"1.0.0","dependencies":{"ballast":"^2.0.0"}}"#);
    for (key, works) in [("npm_other", false), ("npm_key", true)] {
        scene.home.write(".npmrc", format!("registry={}\n{authority}/:_authToken={key}\n", registry.url()));
        let installed = scene.run("npm", &["install", "--fetch-retries=0"]);
        assert_eq!(installed.status.success(), works, "{installed}");
    }
}
