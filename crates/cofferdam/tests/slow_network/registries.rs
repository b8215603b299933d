//! Package programs at registries of the tests' own, with nothing but grants and the owner's usual settings.

use super::OWNER;
use cofferdam_testkit::pki::Pki;
use cofferdam_testkit::registry::{NAMES, Registry, RegistryKind};
use cofferdam_testkit::{Home, Outcome};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(150);

/// With the proxy's variables, and then without.
const WAYS: [&str; 2] = [
    "",
    "unset http_proxy HTTP_PROXY https_proxy HTTPS_PROXY all_proxy ALL_PROXY npm_config_proxy npm_config_https_proxy; ",
];

struct Scene {
    home: Home,
    pki: Pki,
    registry: Registry,
}

impl Scene {
    fn new(kind: RegistryKind) -> Self {
        let pki = Pki::new();
        let registry = Registry::secure(&pki, kind);
        Self { home: Home::of(OWNER), pki, registry }
    }

    fn write(&self, name: &str, text: impl AsRef<str>) {
        self.home.write(format!("project/{name}"), text.as_ref());
    }

    /// Runs the script in a session that may read the registry's hosts, and change nothing there.
    fn session(&self, flags: &[&str], script: &str) -> Outcome {
        let port = self.registry.server().address().port();
        let grants =
            NAMES.iter().take(4).map(|name| format!("GET,HEAD {name}:{port}/**,/@*%2f* address=127.0.0.1"));
        let grants: Vec<String> = grants.collect();
        let grants = grants.iter().flat_map(|grant| ["--allow", grant]);
        let words: Vec<&str> =
            ["run", "--rm"].into_iter().chain(grants).chain(flags.iter().copied()).collect();
        let trusted = self.home.keep("trusted.pem", self.pki.root_pem());
        let run = self.home.cofferdam().args(words).args(["--", "bash", "-ec", script]);
        run.env("SSL_CERT_FILE", trusted).in_directory(self.home.directory("project")).run_within(PATIENCE)
    }

    /// The same twice; each time this comes out.
    #[track_caller]
    fn works(&self, flags: &[&str], script: &str, says: &str) {
        for way in WAYS {
            let run = self.session(flags, &format!("{way}{script}"));
            assert!(run.assert_success().stdout().ends_with(says), "{way}: {run}");
        }
        assert_eq!(self.registry.written(), []);
    }
}

#[test]
fn npm_installs_and_installs_by_lock_file() {
    let scene = Scene::new(RegistryKind::Npm);
    scene.write("npm.conf", format!("registry={}\naudit=false\n", scene.registry.url()));
    scene.write("package.json", r#"{"name":"mine","version":"1.0.0","dependencies":{"anchor":"^1.0.0"}}"#);
    let script = "export npm_config_userconfig=$PWD/npm.conf; npm install --silent; rm -rf node_modules ~/.npm; npm ci --silent; node -p \"require('anchor').join()\"";
    scene.works(&[], script, "anchor,ballast,@dock/crane\n");
}

#[test]
fn a_configuration_of_npms_that_names_certificates_of_its_own_does_not_shut_it_out() {
    let scene = Scene::new(RegistryKind::Npm);
    scene.write("own.pem", Pki::new().root_pem());
    scene.write("npm.conf", format!("registry={}\naudit=false\ncafile=own.pem\n", scene.registry.url()));
    scene.write("package.json", r#"{"name":"mine","version":"1.0.0","dependencies":{"ballast":"^2.0.0"}}"#);
    let run = scene.session(&[], "npm_config_userconfig=$PWD/npm.conf npm install --silent; ls node_modules");
    assert_eq!(run.assert_success().stdout(), "ballast\n", "{run}");
}

#[test]
fn pip_installs_from_an_index_whose_files_lie_elsewhere() {
    let scene = Scene::new(RegistryKind::Pypi);
    scene.write("requirements.txt", format!("--index-url {}\nanchor\n", scene.registry.url()));
    let script = "/usr/bin/python3 -m pip install -q --disable-pip-version-check --target lib -r requirements.txt; \
         PYTHONPATH=lib /usr/bin/python3 -c 'import anchor; print(anchor.WORDS)'; rm -rf lib";
    scene.works(&[], script, "['anchor', 'ballast']\n");
}

#[test]
fn go_builds_with_modules_of_a_proxy() {
    let scene = Scene::new(RegistryKind::Go);
    scene.write("go.mod", "module mine\n\ngo 1.19\n\nrequire packages.test/anchor v1.0.0\n");
    scene.write(
        "main.go",
        "package main\n\nimport (\"fmt\"; \"packages.test/anchor\")\n\nfunc main() { fmt.Println(anchor.Words()) }\n",
    );
    let script = format!(
        "export GOPROXY={} GOSUMDB=off GOFLAGS='-mod=mod -modcacherw'; go run .; rm -rf ~/go go.sum",
        scene.registry.url()
    );
    scene.works(&[], &script, "anchor ballast\n");
}

#[test]
fn apt_fetches_what_a_list_of_its_own_names() {
    let scene = Scene::new(RegistryKind::Debian);
    scene.write(
        "apt/etc/sources.list",
        format!("deb [trusted=yes arch=amd64] {} stable main\n", scene.registry.url()),
    );
    scene.write("apt/status", "");
    scene.write(
        "apt/conf",
        "Dir::Etc \"apt/etc\"; Dir::State \"apt/state\"; Dir::Cache \"apt/cache\"; Dir::State::status \"apt/status\"; \
         APT::Sandbox::User \"\";\n",
    );
    let script = "mkdir -p apt/etc/apt.conf.d apt/state/lists/partial apt/cache/archives/partial; \
         sed -i \"s|\\\"apt/|\\\"$PWD/apt/|g\" apt/conf; export APT_CONFIG=$PWD/apt/conf; \
         apt-get -qq update; apt-get -qq download anchor ballast; ls *.deb | wc -l; rm -rf *.deb apt/state apt/cache";
    scene.works(&[], script, "2\n");
}

#[test]
fn cargo_builds_with_crates_of_a_sparse_index() {
    let scene = Scene::new(RegistryKind::Crates);
    scene.home.bring_toolchain();
    let url = scene.registry.url();
    let settings = format!(
        "[registries.tests]\nindex = \"{url}\"\n[source.crates-io]\nreplace-with = \"tests\"\n[source.tests]\nregistry = \"{url}\"\n"
    );
    scene.write(".cargo/config.toml", settings);
    let manifest = "[package]\nname = \"mine\"\nversion = \"1.0.0\"\nedition = \"2021\"\n[dependencies]\nanchor = { version = \"1\", registry = \"tests\" }\n[workspace]\n";
    scene.write("Cargo.toml", manifest);
    scene.write("src/main.rs", "fn main() { println!(\"{}\", anchor::words()) }\n");
    scene.works(
        &["--tools", "cargo"],
        "cargo build -q; ./target/debug/mine; rm -rf target",
        "anchor ballast\n",
    );
}
