//! apt, Maven and a client of container registries: each loads through its set and can't publish through it, while the same
//! client can where publishing is granted.

use super::scene::{Scene, place};
use cofferdam_testkit::registry::{Registry, RegistryKind};
use cofferdam_testkit::server::Seen;

const NAMES: [&str; 3] = ["packages.test", "files.packages.test", "tokens.packages.test"];

/// Sends a file by PUT through the set, which is refused, then with a grant beside it, which is not.
fn assert_put_needs_a_grant(scene: &Scene, registry: &Registry, set: &str, path: &str) {
    let at = place(registry, "packages.test");
    let put = format!("echo mine >file && curl -sS -T file https://{at}{path}");
    let run = scene.session(set, &[], &put);
    assert!(run.to_string().contains("method-not-granted"), "{run}");
    assert_eq!(registry.written(), []);
    let grant = format!("PUT {at}{path} address=127.0.0.1");
    scene.session(set, &["--allow", &grant], &put).assert_success();
    let lines: Vec<String> = registry.written().iter().map(|seen| seen.line()).collect();
    assert_eq!(lines, [format!("PUT {path}")]);
}

#[test]
fn apt_loads_lists_and_packages_of_the_machine_s_sources_and_publishing_is_refused() {
    let scene = Scene::knowing("127.0.0.1", &NAMES);
    let registry = Registry::secure(&scene.pki, RegistryKind::Debian);
    let etc = scene.home.root().join("etc-apt");
    std::fs::create_dir_all(etc.join("sources.list.d")).unwrap();
    let source = format!("deb [trusted=yes arch=amd64] {} stable main\n", registry.url());
    std::fs::write(etc.join("sources.list"), source).unwrap();
    let scene = scene.with(etc, "/etc/apt");
    scene.confirm_private("debian", &[place(&registry, "packages.test")], &[]).assert_success();
    let script = "apt-get update && apt-get download anchor && dpkg-deb -x anchor_1.0_all.deb tree && \
                  cat tree/usr/share/anchor/word && apt-cache depends anchor";
    let run = scene.session("debian", &[], script);
    run.assert_success();
    assert!(!run.to_string().contains("W: "), "no warning of what a cell has not: {run}");
    assert!(run.stdout().contains("\nanchor\n") && run.stdout().contains("Depends: ballast"), "{run}");
    let script = "apt-get update && apt-get install -y --download-only anchor && ls ~/.cache/apt/archives";
    let run = scene.session("debian", &[], script);
    assert!(run.stdout().contains("anchor_1.0_all.deb"), "{run}");
    assert!(run.stdout().contains("ballast_2.1_all.deb"), "with what it needs: {run}");
    assert_put_needs_a_grant(&scene, &registry, "debian", "/debian/pool/mine_1.0_all.deb");
}

const POM: &str = r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <parent>
    <groupId>test.packages</groupId><artifactId>dock</artifactId><version>1.0</version><relativePath/>
  </parent>
  <artifactId>mine</artifactId><packaging>pom</packaging>
  <build><extensions><extension>
    <groupId>test.packages</groupId><artifactId>anchor</artifactId><version>1.0</version>
  </extension></extensions></build>
</project>
"#;

#[test]
fn maven_loads_a_parent_and_libraries_of_the_owner_s_mirror_and_deploying_is_refused() {
    let scene = Scene::knowing("127.0.0.1", &NAMES);
    let registry = Registry::secure(&scene.pki, RegistryKind::Maven);
    let mirror = format!("<mirror><id>m</id><mirrorOf>*</mirrorOf><url>{}</url></mirror>", registry.url());
    scene.settings(".m2/settings.xml", &format!("<settings><mirrors>{mirror}</mirrors></settings>\n"));
    scene.confirm_private("maven", &[place(&registry, "packages.test")], &[]).assert_success();
    let went_by_the_mirror = |seen: &Seen| seen.path.starts_with("/maven/org/apache/maven/plugins/");
    assert!(registry.server().seen().iter().any(went_by_the_mirror), "{:?}", registry.server().seen());
    scene.project("pom.xml", POM);
    let below = "~/.m2/repository/test/packages";
    let script = format!("mvn -B validate && ls {below}/anchor/1.0 {below}/ballast/2.1");
    let run = scene.session("maven", &[], &script);
    run.assert_success();
    for file in ["anchor-1.0.jar", "ballast-2.1.jar"] {
        assert!(run.stdout().contains(file), "{run}");
    }
    // What `mvn deploy` sends: a PUT of each file.
    assert_put_needs_a_grant(&scene, &registry, "maven", "/maven/test/packages/mine/1.0/mine-1.0.pom");
}

/// Without an engine, which no cell has.
#[test]
fn an_image_is_pulled_by_its_tokens_manifests_and_layers_and_pushing_it_is_refused() {
    let scene = Scene::knowing("127.0.0.1", &NAMES);
    let registry = Registry::secure(&scene.pki, RegistryKind::Docker);
    let [at, files, tokens] = NAMES.map(|name| place(&registry, name));
    let hosts = format!("https://{at}/,tokens=https://{tokens}/token,files=https://{files}/layers/");
    let private = format!("{at}=127.0.0.1,{files}=127.0.0.1,{tokens}=127.0.0.1");
    let words = ["sets", "confirm", "docker", "--yes", "--hosts", &hosts, "--private", &private];
    scene.run(&words).assert_success();
    let image = format!("docker://{at}/acme/anchor:1.0");
    let pull = format!("skopeo --insecure-policy copy {image} dir:image && ls image");
    let run = scene.session("docker", &[], &pull);
    run.assert_success();
    assert!(run.stdout().contains("manifest.json"), "{run}");
    let asked: Vec<String> = registry.server().seen().iter().map(|seen| seen.authority.clone()).collect();
    for host in [&at, &files, &tokens] {
        assert!(asked.contains(host), "{asked:?}");
    }
    let push = format!("docker://{at}/acme/anchor:2.0");
    let both = format!("{pull} && skopeo --insecure-policy copy dir:image {push}");
    let run = scene.session("docker", &[], &both);
    assert!(!run.status.success() && run.stderr().contains("method-not-granted"), "{run}");
    assert_eq!(registry.written(), []);
    // The control: the same client pushes where no cell is.
    let policy = "--insecure-policy";
    scene.outside("skopeo", &[policy, "copy", &image, "dir:outside"]).assert_success();
    scene.outside("skopeo", &[policy, "copy", "dir:outside", &push]).assert_success();
    let last = registry.written().last().unwrap().line();
    assert_eq!(last, "PUT /v2/acme/anchor/manifests/2.0");
}
