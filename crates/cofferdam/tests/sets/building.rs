//! cargo builds with crates of a replaced source.

use super::scene::{Scene, place};
use cofferdam_testkit::registry::{Registry, RegistryKind};

const MANIFEST: &str =
    "[package]\nname = \"mine\"\nversion = \"1.0.0\"\nedition = \"2021\"\n[dependencies]\nanchor = \"1\"\n";

#[test]
fn cargo_builds_with_crates_of_a_replaced_source_and_publishing_is_refused() {
    let scene = Scene::new();
    let registry = Registry::secure(&scene.pki, RegistryKind::Crates);
    let config = format!(
        "[source.crates-io]\nreplace-with = \"mirror\"\n[source.mirror]\nregistry = \"{}\"\n[http]\nproxy = \"x\"\n",
        registry.url()
    );
    scene.settings(".cargo/config.toml", &config);
    scene.home.bring_toolchain();
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

#[test]
fn cargo_s_trial_goes_by_a_replaced_source_and_not_by_the_owner_s_cache() {
    let scene = Scene::knowing("127.0.0.1", &["index.packages.test"]);
    let registry = Registry::secure(&scene.pki, RegistryKind::Crates);
    let config = format!(
        "[source.crates-io]\nreplace-with = \"mirror\"\n[source.mirror]\nregistry = \"{}\"\n",
        registry.url()
    );
    scene.settings(".cargo/config.toml", &config);
    scene.home.bring_toolchain();
    scene.confirm_private("crates", &[place(&registry, "index.packages.test")], &[]).assert_success();
    let paths: Vec<String> = registry.server().seen().iter().map(|seen| seen.path.clone()).collect();
    assert_eq!(paths.first().map(String::as_str), Some("/config.json"), "{paths:?}");
    assert!(paths.iter().any(|path| path == "/cf/g-/cfg-if"), "{paths:?}");
}
