//! Settings of every kind, as their tools write them, with planted logins.

use super::*;

const HOME: &str = "/home/me";

/// What a tool's settings come to with these files and variables.
fn of(registry: Registry, files: &[(&str, &str)], variables: &[(&str, &str)]) -> Configured {
    tried(registry, files, variables).unwrap()
}

fn tried(
    registry: Registry,
    files: &[(&str, &str)],
    variables: &[(&str, &str)],
) -> Result<Configured, SettingsError> {
    let home = AbsPath::new(HOME).unwrap();
    let look = |of: &[(&str, &str)], key: &str| {
        of.iter().find(|(own, _)| *own == key).map(|(_, value)| (*value).to_owned())
    };
    let environment = |key: &str| look(variables, key);
    let read = |path: &str| look(files, path);
    let list = |directory: &str| {
        let below = files.iter().filter(|(path, _)| path.rsplit_once('/').unwrap().0 == directory);
        below.map(|(path, _)| (*path).to_owned()).collect()
    };
    configured(registry, &Surroundings { home: &home, environment: &environment, read: &read, list: &list })
}

/// Addresses with their roles.
fn places(configured: &Configured) -> Vec<String> {
    configured.places.iter().map(|place| format!("{} {}", place.role.name(), place.base)).collect()
}

fn login_of(configured: &Configured, at: usize) -> (String, String) {
    let login = configured.places[at].login.as_ref().unwrap();
    (login.place.to_string(), login.value.expose().to_owned())
}

#[test]
fn without_settings_nothing_is_known() {
    for registry in Registry::ALL {
        assert_eq!(of(registry, &[], &[]), Configured::default(), "{}", registry.name());
    }
}

#[test]
fn npm_s_registries_and_scopes_come_with_their_logins() {
    let npmrc = "; mine\nregistry=https://packages.test/npm/\n@acme:registry = \"https://acme.test\"\n\
                 //packages.test/npm/:_authToken=${TOKEN}\n//acme.test/:username=me\n\
                 //acme.test/:_password=cGxhbnRlZA==\nalways-auth=true\n";
    let files = [("/home/me/.npmrc", npmrc), ("/etc/npmrc", "registry=https://other.test/\n")];
    let npm = of(Registry::Npm, &files, &[("TOKEN", "planted-token")]);
    assert_eq!(places(&npm), ["index https://packages.test/npm/", "index https://acme.test/"]);
    assert_eq!(login_of(&npm, 0), ("header:authorization: Bearer {}".into(), "planted-token".into()));
    assert_eq!(login_of(&npm, 1), ("basic:me".into(), "planted".into()));
    assert_eq!(npm.environment["npm_config_registry"], "https://packages.test/npm/");
    assert_eq!(npm.environment["npm_config_@acme:registry"], "https://acme.test/");
    assert!(npm.is_complete);
    assert!(!format!("{npm:?}").contains("planted"));
    let variable = of(Registry::Npm, &files, &[("npm_config_registry", "https://mine.test")]);
    assert_eq!(places(&variable), ["index https://mine.test/", "index https://acme.test/"]);
    assert_eq!(variable.places[0].login, None, "a login is for its own host only");
    let elsewhere =
        of(Registry::Npm, &[("/x/rc", "registry=http://x.test/\n")], &[("NPM_CONFIG_USERCONFIG", "/x/rc")]);
    assert_eq!(places(&elsewhere), ["index http://x.test/"]);
}

#[test]
fn a_login_for_a_whole_host_counts_for_a_registry_below_it_and_for_no_other_host() {
    let npmrc = "registry=https://packages.test/a/b/\n//packages.test/:_auth=cGxhbnRlZDp4\n";
    let npm = of(Registry::Npm, &[("/home/me/.npmrc", npmrc)], &[]);
    assert_eq!(login_of(&npm, 0).0, "header:authorization: Basic {}");
    let npmrc = "registry=https://packages.test.evil.test/\n//packages.test/:_authToken=planted\n";
    let npm = of(Registry::Npm, &[("/home/me/.npmrc", npmrc)], &[]);
    assert_eq!(npm.places[0].login, None);
}

#[test]
fn pip_s_indexes_come_from_its_files_and_variables() {
    let conf = "[global]\nindex-url = https://me:pl%61nted@packages.test/simple\nextra-index-url =\n    \
                https://one.test/simple/\n    https://two.test/simple/\ntimeout = 60\n";
    let pip = of(Registry::Pypi, &[("/home/me/.config/pip/pip.conf", conf)], &[]);
    assert_eq!(
        places(&pip),
        [
            "index https://packages.test/simple/",
            "index https://one.test/simple/",
            "index https://two.test/simple/"
        ]
    );
    assert_eq!(login_of(&pip, 0), ("basic:me".into(), "planted".into()));
    assert_eq!(pip.environment["PIP_INDEX_URL"], "https://packages.test/simple/");
    assert_eq!(pip.environment["UV_INDEX"], "https://one.test/simple/ https://two.test/simple/");
    assert!(!format!("{pip:?}").contains("planted"));
    let files = [
        ("/home/me/.config/pip/pip.conf", conf),
        ("/etc/pip.conf", "[global]\nindex-url=https://etc.test\n"),
    ];
    let variables =
        [("PIP_INDEX_URL", "https://mine.test/simple"), ("PIP_EXTRA_INDEX_URL", "https://x.test/simple")];
    let pip = of(Registry::Pypi, &files, &variables);
    assert_eq!(places(&pip), ["index https://mine.test/simple/", "index https://x.test/simple/"]);
    let token = of(Registry::Pypi, &[], &[("PIP_INDEX_URL", "https://planted-token@packages.test/simple")]);
    assert_eq!(login_of(&token, 0).0, "header:authorization: Basic {}");
}

#[test]
fn uv_s_indexes_come_from_its_file() {
    let toml = "[[index]]\nname = 'x'\nurl = 'https://x.test/simple'\n[[index]]\nurl = 'https://main.test/simple'\n\
                default = true\n";
    let uv = of(Registry::Pypi, &[("/home/me/.config/uv/uv.toml", toml)], &[]);
    assert_eq!(places(&uv), ["index https://main.test/simple/", "index https://x.test/simple/"]);
    assert_eq!(uv.environment["UV_DEFAULT_INDEX"], "https://main.test/simple/");
    let named = of(Registry::Pypi, &[], &[("UV_INDEX", "mine=https://y.test/simple")]);
    assert_eq!(places(&named), ["index https://y.test/simple/"]);
    assert!(!named.is_complete, "the compiled index is asked, too");
    assert!(tried(Registry::Pypi, &[("/home/me/.config/uv/uv.toml", "index = [")], &[]).is_err());
}

#[test]
fn cargo_s_replaced_source_is_followed_and_its_token_is_found() {
    let config = "[source.crates-io]\nreplace-with = 'mirror'\n[source.mirror]\nregistry = \
                  'sparse+https://packages.test/index/'\n[registries.acme]\nindex = 'sparse+https://acme.test/'\n\
                  [registries.old]\nindex = 'https://git.test/index'\n[net]\ngit-fetch-with-cli = true\n\
                  [http]\nproxy = 'planted'\n";
    let tokens = "[registry]\ntoken = 'planted-publish'\n[registries.acme]\ntoken = 'planted-acme'\n";
    let files = [("/home/me/.cargo/config.toml", config), ("/home/me/.cargo/credentials.toml", tokens)];
    let cargo = of(Registry::Crates, &files, &[]);
    assert_eq!(places(&cargo), ["index https://packages.test/index/", "index https://acme.test/"]);
    assert_eq!(cargo.places[0].login, None, "the token for publishing is nobody's business here");
    assert_eq!(login_of(&cargo, 1), ("header:authorization: {}".into(), "planted-acme".into()));
    let variables = &cargo.places[1].login.as_ref().unwrap().variables;
    assert_eq!(variables[0].as_str(), "CARGO_REGISTRIES_ACME_TOKEN");
    assert!(cargo.notes.iter().any(|note| note.contains("git repository")), "{:?}", cargo.notes);
    let text = &cargo.files[".cargo/config.toml"];
    assert!(text.contains("sparse+https://packages.test/index/"), "{text}");
    assert!(!text.contains("planted") && !text.contains("proxy"), "{text}");
    let elsewhere =
        of(Registry::Crates, &[("/opt/cargo/config.toml", config)], &[("CARGO_HOME", "/opt/cargo")]);
    assert!(elsewhere.files.is_empty());
    assert!(elsewhere.notes.iter().any(|note| note.contains("/opt/cargo")));
}

#[test]
fn apt_s_sources_are_read_in_both_forms() {
    let list = "# deb http://gone.test/debian x main\ndeb [arch=amd64 signed-by=/x] http://packages.test/debian stable \
                main\ndeb-src http://packages.test/debian stable main\ndeb https://flat.test/repo ./\n\
                deb cdrom:[x]/ stable main\n";
    let sources = "Types: deb\nURIs: https://packages.test/security\n https://second.test/security\nSuites: \
                   stable-security\nComponents: main\nSigned-By: /usr/share/keyrings/a.gpg\n\nTypes: deb\nURIs: https://off.test/\nSuites: x\nEnabled: no\n";
    let files = [
        ("/etc/apt/sources.list", list),
        ("/etc/apt/sources.list.d/a.sources", sources),
        ("/etc/apt/sources.list.d/b.list.disabled", "deb http://disabled.test/ x main\n"),
    ];
    let apt = of(Registry::Debian, &files, &[]);
    assert_eq!(
        places(&apt),
        [
            "index http://packages.test/debian/",
            "flat https://flat.test/repo/",
            "index https://packages.test/security/",
            "index https://second.test/security/"
        ]
    );
    assert!(apt.is_complete);
    let sources = &apt.files[".config/apt/sources.list"];
    let line = "deb [arch=amd64 signed-by=/x] http://packages.test/debian stable main";
    assert!(sources.lines().any(|known| known == line), "{sources}");
    let stanza =
        "deb [signed-by=/usr/share/keyrings/a.gpg] https://second.test/security stable-security main";
    assert!(sources.lines().any(|known| known == stanza), "{sources}");
    assert!(!sources.contains("off.test") && !sources.contains("cdrom"), "{sources}");
    assert_eq!(apt.environment["APT_CONFIG"], "/home/me/.config/apt/apt.conf");
    assert!(apt.files[".config/apt/apt.conf"].contains("/home/me/.config/apt/sources.list"));
    assert!(apt.notes.iter().any(|note| note.contains("/x")), "{:?}", apt.notes);
}

#[test]
fn apt_in_a_cell_trusts_the_owner_s_public_keys_and_no_private_one_comes_along() {
    const KEY: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQ==\n-----END PGP PUBLIC KEY BLOCK-----\n";
    let list = ("/etc/apt/sources.list", "deb http://packages.test/debian stable main\n");
    let key = ("/etc/apt/trusted.gpg.d/archive.asc", KEY);
    let named =
        ("/etc/apt/sources.list.d/a.list", "deb [signed-by=/etc/apt/keyrings/a.asc] http://a.test/ x main\n");
    let named_key = ("/etc/apt/keyrings/a.asc", KEY);
    let apt = of(Registry::Debian, &[list, key, named, named_key], &[]);
    assert!(apt.notes.is_empty(), "{:?}", apt.notes);
    assert_eq!(apt.files[".config/apt/trusted.gpg.d/archive.asc"], KEY);
    assert_eq!(apt.files[".config/apt/keyrings/a.asc"], KEY);
    let own = &apt.files[".config/apt/apt.conf"];
    assert!(own.contains("TrustedParts \"/home/me/.config/apt/trusted.gpg.d/\""), "{own}");
    let sources = &apt.files[".config/apt/sources.list"];
    assert!(sources.contains("[signed-by=/home/me/.config/apt/keyrings/a.asc] http://a.test/"), "{sources}");
    // A source that names its key is trusted by no other.
    let apt = of(Registry::Debian, &[named, named_key, key], &[]);
    assert!(!apt.files[".config/apt/apt.conf"].contains("TrustedParts"), "{:?}", apt.files);
    let private = KEY.replace("PUBLIC", "PRIVATE");
    for (path, text) in [(key.0, private.as_str()), (key.0, "planted"), ("/etc/apt/trusted.gpg.d/a.gpg", KEY)]
    {
        let apt = of(Registry::Debian, &[list, (path, text)], &[]);
        assert!(!apt.files.keys().any(|path| path.contains("trusted.gpg.d")), "{:?}", apt.files);
        assert!(apt.files[".config/apt/apt.conf"].contains("TrustedParts \"/usr/share/keyrings/\""));
    }
}

#[test]
fn go_s_defaults_stand_in_a_file_of_its_own_which_the_user_s_goes_before() {
    let defaults = "# defaults\nGOPROXY=https://modules.test,direct\nGOSUMDB=sums.test\nGOTOOLCHAIN=auto\n";
    let files = [("/usr/local/go/go.env", defaults)];
    let go = of(Registry::Go, &files, &[("PATH", "/usr/bin:/usr/local/go/bin")]);
    assert_eq!(places(&go), ["index https://modules.test/", "checksums https://sums.test/"]);
    assert_eq!(go.environment["GOPROXY"], "https://modules.test,direct");
    assert!(go.notes.iter().any(|note| note.contains("own host")), "{:?}", go.notes);
    let user = ("/home/me/.config/go/env", "GOPROXY=https://me:planted@company.test/go|off\nGOSUMDB=off\n");
    let go = of(Registry::Go, &[files[0], user], &[]);
    assert_eq!(places(&go), ["index https://company.test/go/"]);
    assert_eq!(go.environment["GOPROXY"], "https://company.test/go|off");
    assert_eq!(login_of(&go, 0), ("basic:me".into(), "planted".into()));
    let variable =
        of(Registry::Go, &[files[0], user], &[("GOPROXY", "off"), ("GOSUMDB", "s.test+00 https://t.test")]);
    assert_eq!(places(&variable), ["checksums https://t.test/"]);
}

#[test]
fn maven_s_mirrors_come_with_the_logins_of_their_servers() {
    let settings = "<settings><!-- <mirror><url>https://gone.test</url></mirror> -->\n<servers><server><id>company</id>\
                    <username>me</username><password>planted&amp;1</password></server><server><id>locked</id>\
                    <username>me</username><password>{planted=}</password></server></servers><mirrors><mirror>\
                    <id>company</id><mirrorOf>*</mirrorOf><url>https://packages.test/maven</url></mirror><mirror>\
                    <id>http-blocker</id><mirrorOf>external:http:*</mirrorOf><url>http://0.0.0.0/</url>\
                    <blocked>true</blocked></mirror></mirrors><profiles><profile><repositories><repository>\
                    <id>locked</id><url>https://locked.test/</url></repository></repositories></profile></profiles>\
                    </settings>";
    let maven = of(Registry::Maven, &[("/home/me/.m2/settings.xml", settings)], &[]);
    assert_eq!(places(&maven), ["index https://packages.test/maven/", "index https://locked.test/"]);
    assert_eq!(login_of(&maven, 0), ("basic:me".into(), "planted&1".into()));
    assert_eq!(maven.places[1].login, None);
    assert!(maven.is_complete);
    let text = &maven.files[".m2/settings.xml"];
    assert!(text.contains("https://packages.test/maven") && !text.contains("planted"), "{text}");
}

#[test]
fn docker_s_mirrors_come_where_they_can_be_read() {
    let daemon = r#"{"registry-mirrors": ["https://me:planted@images.test"], "debug": true}"#;
    let docker = of(Registry::Docker, &[("/etc/docker/daemon.json", daemon)], &[]);
    assert_eq!(places(&docker), ["index https://images.test/"]);
    assert_eq!(docker.places[0].login, None);
    assert!(!docker.is_complete);
}

#[test]
fn settings_that_are_not_understood_name_their_file_and_no_value() {
    for (registry, file, text) in [
        (Registry::Npm, "/home/me/.npmrc", "registry=planted nonsense\n"),
        (Registry::Pypi, "/etc/pip.conf", "[global]\nindex-url = https://me:planted@x.test/a/../b\n"),
        (Registry::Crates, "/home/me/.cargo/config.toml", "planted"),
        (Registry::Docker, "/etc/docker/daemon.json", "planted"),
    ] {
        let error = tried(registry, &[(file, text)], &[]).unwrap_err();
        assert_eq!(error.from, file);
        assert!(!error.to_string().contains("planted"), "{error}");
    }
}

#[test]
fn a_login_in_an_address_reaches_neither_a_cell_nor_a_note() {
    let go =
        of(Registry::Go, &[], &[("GOSUMDB", "sum.test https://me:planted@sums.test/a"), ("GOPROXY", "off")]);
    assert_eq!(places(&go), ["checksums https://sums.test/a/"]);
    assert_eq!(login_of(&go, 0), ("basic:me".into(), "planted".into()));
    assert_eq!(go.environment["GOSUMDB"], "sum.test https://sums.test/a");
    let plain = of(Registry::Go, &[], &[("GOSUMDB", "sum.test+1+ab")]);
    assert_eq!(plain.environment["GOSUMDB"], "sum.test+1+ab");
    let list = "deb [signed-by=/etc/apt/a.gpg] https://me:planted@packages.test/debian stable main contrib\n";
    let apt = of(Registry::Debian, &[("/etc/apt/sources.list", list)], &[]);
    assert_eq!(login_of(&apt, 0).1, "planted");
    assert!(apt.notes[0].contains("will not trust https://packages.test/debian there"), "{:?}", apt.notes);
    assert!(!format!("{apt:?}").contains("planted"));
}

proptest::proptest! {
    /// The owner's own files, but any program of theirs may have written them.
    #[test]
    fn no_text_makes_a_reader_of_settings_panic_or_name_a_place_that_is_none(
        text in "(registry ?= ?|//[a-z]{1,3}/:_auth=|\\[global\\]\n|index-url=|deb |URIs: |GOPROXY=|<mirror>|<url>|</url>|https?://|[a-z@:%/.,|*{}\"'=# ]{0,6}|\n){0,12}",
    ) {
        let places = ["/home/me/.npmrc", "/etc/pip.conf", "/home/me/.config/uv/uv.toml", "/home/me/.cargo/config.toml",
            "/etc/apt/sources.list", "/etc/apt/sources.list.d/a.sources", "/home/me/.config/go/env",
            "/home/me/.m2/settings.xml", "/etc/docker/daemon.json"];
        let files: Vec<(&str, &str)> = places.iter().map(|path| (*path, text.as_str())).collect();
        for registry in Registry::ALL {
            let Ok(configured) = tried(registry, &files, &[]) else { continue };
            for place in configured.places {
                let again = Base::parse(&place.base.url()).unwrap();
                proptest::prop_assert!(again.is_at(&place.base));
            }
        }
    }
}
