//! cargo builds with crates of a replaced source.

use super::scene::{Scene, place};
use cofferdam_testkit::registry::{Registry, RegistryKind};
use std::os::unix::fs::symlink;
use std::path::PathBuf;

const MANIFEST: &str =
    "[package]\nname = \"mine\"\nversion = \"1.0.0\"\nedition = \"2021\"\n[dependencies]\nanchor = \"1\"\n";

/// The toolchain of whoever runs the tests, shown in the home of the test.
fn with_toolchain(scene: &Scene) {
    let of = |key: &str, below: &str| {
        let own = std::env::var_os(key).map(PathBuf::from);
        own.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(below))
    };
    symlink(of("CARGO_HOME", ".cargo").join("bin"), scene.home.home().join(".cargo/bin")).unwrap();
    symlink(of("RUSTUP_HOME", ".rustup"), scene.home.home().join(".rustup")).unwrap();
}

#[test]
fn cargo_builds_with_crates_of_a_replaced_source_and_publishing_is_refused() {
    let scene = Scene::new();
    let registry = Registry::secure(&scene.pki, RegistryKind::Crates);
    let config = format!(
        "[source.crates-io]\nreplace-with = \"mirror\"\n[source.mirror]\nregistry = \"{}\"\n[http]\nproxy = \"x\"\n",
        registry.url()
    );
    scene.settings(".cargo/config.toml", &config);
    with_toolchain(&scene);
    scene.confirm("crates", &[place(&registry, "index.packages.test")]);
    scene.edit("crates", Some(&format!("https://{}/crates/", place(&registry, "static.packages.test"))));
    scene.project("Cargo.toml", MANIFEST);
    scene.project("src/main.rs", "fn main() { println!(\"{}\", anchor::words()) }\n");
    let run = scene.session("crates", &["--tools", "cargo"], "cargo run --quiet");
    assert!(run.stdout().contains("anchor ballast"), "{run}");
    let index = registry.server().url("index.packages.test");
    let put = format!("curl -sS -X PUT -d x {index}/api/v1/crates/new");
    let run = scene.session("crates", &[], &put);
    assert!(run.to_string().contains("not-granted"), "{run}");
    assert_eq!(registry.written(), []);
}
