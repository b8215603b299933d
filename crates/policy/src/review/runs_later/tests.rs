//! Each row by an example and a near miss, and what holds for the table whatever stands in it.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn file(path: &str) -> Subject<'_> {
    Subject {
        path: path.as_bytes(),
        kind: EntryKind::File,
        mode_before: Some(0o644),
        mode_after: Some(0o644),
        head: None,
    }
}

fn table() -> RunsLaterTable {
    RunsLaterTable::new(&[]).unwrap()
}

fn rows() -> impl Iterator<Item = &'static Row> {
    ROWS.iter().copied().flatten()
}

/// A path that is as the pattern says, made from it.
fn example_of(pattern: &str) -> String {
    let name =
        pattern.strip_prefix("**/").map_or_else(|| pattern.to_owned(), |rest| format!("some/where/{rest}"));
    let name = name.replace("/**/", "/between/").replace('*', "sample").replace("[0-9]", "1");
    if name.ends_with('/') { format!("{name}inside.txt") } else { name }
}

/// One of each row: the reason, a path that it finds, and a near miss that no row finds.
const EXAMPLES: &[(&str, ReasonCode, &str, &str)] = &[
    ("git runs it by itself", ReasonCode::GitHook, ".githooks/Pre-Commit", "docs/pre-commit.md"),
    ("a manager of git hooks", ReasonCode::HookManager, "web/.husky/pre-push.txt", "husky/readme.txt"),
    ("git takes filters", ReasonCode::GitConfiguration, "sub/.GitAttributes", "gitattributes.md"),
    ("GitHub runs it", ReasonCode::Ci, ".github/workflows/ci.yml", ".github/ISSUE_TEMPLATE/bug.md"),
    ("GitLab runs it", ReasonCode::Ci, ".gitlab-ci.yml", "gitlab-ci.md"),
    ("Forgejo or Gitea", ReasonCode::Ci, ".forgejo/workflows/a.yaml", "forgejo/a.yaml"),
    ("CircleCI runs it", ReasonCode::Ci, ".circleci/config.yml", "circleci/config.yml"),
    ("Azure runs it", ReasonCode::Ci, "azure-pipelines-nightly.yml", "azure.md"),
    ("Jenkins runs it", ReasonCode::Ci, "ci/Jenkinsfile.release", "jenkins.md"),
    ("Travis runs it", ReasonCode::Ci, ".travis.yml", "travis.yml"),
    ("Buildkite runs it", ReasonCode::Ci, ".buildkite/pipeline.yml", "buildkite/pipeline.yml"),
    ("Drone or Woodpecker", ReasonCode::Ci, ".woodpecker/test.yaml", "woodpecker/test.yaml"),
    ("a service for continuous", ReasonCode::Ci, "bitbucket-pipelines.yml", "bitbucket.yml"),
    ("it decides who must agree", ReasonCode::Ci, "docs/CODEOWNERS", "codeowners.md"),
    ("a program for releases", ReasonCode::Ci, ".goreleaser.yaml", "releases.yaml"),
    ("a platform builds", ReasonCode::Ci, "Procfile", "procfiles.md"),
    ("a shell, or a program", ReasonCode::Shell, "dotfiles/.bashrc", "bashrc.md"),
    ("it sets variables", ReasonCode::Environment, "app/.envrc", "env.rs"),
    ("it is a timer", ReasonCode::Scheduled, "etc/cron.d/backup", "cron/backup.rs"),
    ("a service manager", ReasonCode::Service, "deploy/app.service", "src/service.rs"),
    ("a web server takes", ReasonCode::Service, "public/.htaccess", "htaccess.md"),
    ("opening it in a file manager", ReasonCode::Desktop, "share/App.Desktop", "desktop.md"),
    ("the dynamic loader", ReasonCode::Loader, "etc/ld.so.preload", "ld.so.md"),
    ("an interpreter runs it", ReasonCode::InterpreterStartup, "lib/sitecustomize.py", "src/customize.py"),
    ("an agent program reads it as", ReasonCode::Agent, "skills/pdf/SKILL.md", "skills.md"),
    ("VS Code and", ReasonCode::Editor, ".vscode/tasks.json", "vscode/tasks.json"),
    ("the JetBrains programs", ReasonCode::Editor, ".idea/workspace.xml", "idea/workspace.xml"),
    ("Vim or Neovim", ReasonCode::Editor, ".exrc", "exrc.txt"),
    ("Emacs runs it", ReasonCode::Editor, ".dir-locals.el", "elisp.md"),
    ("an editor or language server", ReasonCode::Editor, ".helix/languages.toml", ".editorconfig"),
    ("a debugger runs it", ReasonCode::Editor, ".gdbinit", "gdb.rs"),
    (
        "a development container",
        ReasonCode::DevContainer,
        ".devcontainer/devcontainer.json",
        "devcontainer.md",
    ),
    ("it pins what", ReasonCode::LockFile, "crates/x/Cargo.lock", "locking.rs"),
    ("a package manager runs", ReasonCode::PackageScripts, "packages/a/package.json", "packages.json"),
    ("it decides where packages", ReasonCode::Toolchain, ".cargo/config.toml", "cargo/config.txt"),
    ("it chooses which compiler", ReasonCode::Toolchain, ".python-version", "python-version.md"),
    ("it names what is downloaded", ReasonCode::Dependencies, "pyproject.toml", "project.md"),
    ("make runs", ReasonCode::Build, "src/GNUmakefile", "makefiles.md"),
    ("CMake runs", ReasonCode::Build, "cmake/FindX.cmake", "cmake.md"),
    ("Meson runs", ReasonCode::Build, "meson.build", "meson.md"),
    ("it is run, or turned into", ReasonCode::Build, "configure.ac", "configure.rs"),
    ("Bazel or one", ReasonCode::Build, "tools/rules.bzl", "bazel.md"),
    ("a build program runs it", ReasonCode::Build, "SConstruct", "construct.txt"),
    ("a packager runs it", ReasonCode::Build, "debian/rules", "debian.md"),
    ("Nix or Guix", ReasonCode::Build, "flake.nix", "nix.md"),
    ("a runner of tasks", ReasonCode::TaskRunner, "justfile", "justfiles.md"),
    ("an image is built", ReasonCode::Container, "docker-compose.override.yml", "docker.md"),
    ("a program that owns", ReasonCode::Infrastructure, "infra/main.tf", "infra/main.md"),
    ("cargo compiles", ReasonCode::Build, "crates/x/build.rs", "src/builder.rs"),
    ("Python runs it", ReasonCode::Build, "setup.py", "src/set_up.py"),
    ("a runner of tests", ReasonCode::Tests, "tests/unit/conftest.py", "tests/unit/test_conf.py"),
    ("Gradle, Maven", ReasonCode::Build, "app/build.gradle.kts", "gradle.md"),
    ("Ruby or one", ReasonCode::Build, "lib/tasks/x.rake", "lib/rake.rb"),
    ("MSBuild or", ReasonCode::Build, "src/App.csproj", "src/App.cs"),
    ("Xcode, Swift", ReasonCode::Build, "App.xcodeproj/project.pbxproj", "App.swift"),
    ("a builder of its language", ReasonCode::Build, "build.zig", "src/zig.zig"),
    ("a builder, checker or formatter", ReasonCode::Linter, "web/vite.config.ts", "web/src/config.ts"),
    ("a checker, formatter or gen", ReasonCode::Linter, ".pylintrc", "pylint.md"),
    ("its cells", ReasonCode::Notebook, "study.ipynb", "study.py"),
    ("an office program", ReasonCode::Macros, "report.XLSM", "report.csv"),
    ("it can run code when", ReasonCode::Pickle, "model.pkl", "pickle.rs"),
    ("it is compiled code", ReasonCode::Binary, "lib/libx.so.1.2", "lib/so.rs"),
    ("it runs its scripts", ReasonCode::Page, "docs/logo.svg", "docs/logo.png"),
    ("it is a script by", ReasonCode::Script, "tools/release.sh", "tools/release.md"),
];

#[test]
fn each_row_finds_its_example_and_not_the_near_miss() {
    let table = table();
    let mut open: Vec<&Row> = rows().collect();
    for (beginning, reason, hit, miss) in EXAMPLES {
        let place = open.iter().position(|row| row.why.starts_with(beginning));
        let row = open.remove(place.unwrap_or_else(|| panic!("no row says {beginning:?}")));
        assert_eq!(row.reason, *reason, "{beginning}");
        let found = table.find(&file(hit));
        assert_eq!(found, Some(RunsLater { reason: *reason, why: row.why }), "{hit}");
        assert_eq!(table.find(&file(miss)), None, "{miss}");
    }
    let without: Vec<_> = open.iter().map(|row| row.why).collect();
    assert!(without.is_empty(), "rows without an example: {without:?}");
}

#[test]
fn each_pattern_of_each_row_is_one_and_finds_what_it_says() {
    let table = table();
    let mut seen = BTreeSet::new();
    for row in rows() {
        for pattern in row.patterns.split_whitespace() {
            assert!(pattern.parse::<MaskPattern>().is_ok(), "{pattern}");
            assert!(seen.insert(pattern), "{pattern} stands twice");
            assert_eq!(pattern, pattern.to_lowercase(), "names are folded before they are compared");
            let path = example_of(pattern);
            for spelt in [path.clone(), path.to_uppercase(), format!("deep/er/{path}"), format!("{path}.")] {
                let anchored = pattern.trim_end_matches('/').contains('/') && !pattern.starts_with("**/");
                if !(anchored && spelt.starts_with("deep")) {
                    assert!(table.find(&file(&spelt)).is_some(), "{pattern}: {spelt}");
                }
            }
        }
    }
}

#[test]
fn what_agents_read_is_found_by_the_same_list_that_masks_use() {
    let table = table();
    for instruction in INSTRUCTIONS {
        let found = table.find(&file(&example_of(instruction.pattern))).unwrap();
        assert_eq!(found, RunsLater { reason: ReasonCode::Agent, why: AGENT_WHY }, "{}", instruction.pattern);
    }
    assert_eq!(table.find(&file("docs/agents-and-us.md")), None);
}

#[test]
fn ordinary_files_have_no_finding() {
    let table = table();
    for path in [
        "README.md",
        "src/main.rs",
        "src/lib.c",
        "src/app.py",
        "src/index.ts",
        "lib/a.rb",
        "docs/guide.rst",
        "tests/test_app.py",
        "tests/run.rs",
        "data/values.csv",
        "assets/photo.png",
        "LICENSE",
        ".gitignore",
        ".editorconfig",
        "po/de.po",
        "po/messages.pot",
        "schema.sql",
        "src/build/mod.rs",
        "graph.dot",
        "key.pub",
        "src/Main.java",
        "src/main.go",
        "CHANGELOG",
        "a/b/c",
        "src/index.php",
        "src/configure/mod.rs",
    ] {
        assert_eq!(table.find(&file(path)), None, "{path}");
    }
}

#[test]
fn a_spelling_that_only_some_file_systems_fold_does_not_hide_a_name() {
    let table = table();
    for path in [
        "MAKEFILE",
        "Makefile.",
        "makefile ",
        "Makefile::$DATA",
        "Ma\u{212a}efile",
        "ma\u{200c}kefile",
        ".ENVRC",
        ".Claude/Settings.JSON",
        "\u{17f}etup.py",
    ] {
        assert!(table.find(&file(path)).is_some(), "{path:?}");
    }
}

#[test]
fn a_link_or_repository_stands_for_the_file_and_the_directory() {
    let table = table();
    for kind in [EntryKind::Symlink, EntryKind::Gitlink, EntryKind::Directory] {
        let found = table.find(&Subject { kind, ..file(".claude") }).unwrap();
        assert_eq!(found.reason, ReasonCode::Agent);
    }
    assert_eq!(
        table.find(&Subject { kind: EntryKind::Symlink, ..file("Makefile") }).unwrap().reason,
        ReasonCode::Build
    );
    assert_eq!(table.find(&Subject { kind: EntryKind::Directory, ..file("Makefile") }), None);
    assert_eq!(table.find(&file("build/readme.txt")), None);
    assert_eq!(table.find(&file(".vscode")), None, "a file of that name is no directory of settings");
    let module = Subject { kind: EntryKind::Gitlink, ..file("third/party") };
    assert_eq!(table.find(&module).unwrap().reason, ReasonCode::Submodule);
}

#[test]
fn the_mode_and_the_first_bytes_tell_what_a_name_does_not() {
    let table = table();
    let reason = |subject: &Subject<'_>| table.find(subject).map(|found| found.reason);
    let made = Subject { mode_after: Some(0o755), ..file("tool") };
    assert_eq!(table.find(&made), Some(MADE_EXECUTABLE));
    assert_eq!(table.find(&Subject { mode_before: None, ..made }), Some(MADE_EXECUTABLE));
    assert_eq!(table.find(&Subject { mode_before: Some(0o711), ..made }), Some(EXECUTABLE));
    assert_eq!(reason(&Subject { mode_before: Some(0o755), ..file("tool") }), None, "it was taken away");
    for (head, expected) in [
        (&b"#!/bin/sh\n"[..], Some(ReasonCode::Script)),
        (b" #!/bin/sh\n", None),
        (b"\x7fELF\x02", Some(ReasonCode::Binary)),
        (b"MZ\x90", Some(ReasonCode::Binary)),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 ", Some(ReasonCode::Macros)),
        (b"\xef\xbb\xbf\n <!DocType HTML>", Some(ReasonCode::Page)),
        (b"text <html>", None),
        (b"[Desktop Entry]\nExec=x", Some(ReasonCode::Desktop)),
        (b"", None),
    ] {
        let subject = Subject { head: Some(head), ..file("notes") };
        assert_eq!(reason(&subject), expected, "{head:?}");
        assert_eq!(reason(&Subject { mode_after: None, ..subject }), None, "what is deleted has no content");
    }
    assert_eq!(reason(&Subject { mode_after: None, ..file("Makefile") }), Some(ReasonCode::Build));
}

#[test]
fn a_pattern_of_the_owners_finds_more_and_says_so() {
    let patterns = ["/data/*.yaml", "Rules/", "generated", "[Z-a]x"].map(|text| text.parse().unwrap());
    let table = RunsLaterTable::new(&patterns).unwrap();
    for path in ["data/x.yaml", "DATA/X.YAML", "a/rules/x", "generated", "generated/deep/file", "_x"] {
        assert_eq!(table.find(&file(path)).map(|found| found.reason), Some(ReasonCode::Owner), "{path}");
    }
    assert_eq!(table.find(&file("more/data/x.yaml")), None);
    assert_eq!(table.find(&file("rules/Makefile")).unwrap().reason, ReasonCode::Build);
    assert!(matches!("!Makefile".parse::<OwnerPattern>(), Err(MaskError::Negated(_))));
    let many = vec!["x".parse::<OwnerPattern>().unwrap(); OWNER_PATTERNS_MAX + 1];
    assert!(matches!(RunsLaterTable::new(&many), Err(MaskError::TooMany { .. })));
}

#[test]
fn every_reason_has_a_code_of_its_own() {
    let codes: BTreeSet<&str> = ReasonCode::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(codes.len(), ReasonCode::ALL.len());
    assert!(ReasonCode::ALL.is_sorted());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_pattern_more_never_takes_a_finding_away(
        patterns in prop::collection::vec("[a-cA-C*?/]{1,6}", 0..5),
        paths in prop::collection::vec("([a-c.]{1,4}/){0,2}(makefile|[a-cA-C]{1,4}|x\\.sh)", 1..12),
        mode in prop::option::of(prop::sample::select(vec![0o644, 0o755])),
    ) {
        let owner: Vec<OwnerPattern> = patterns.iter().filter_map(|text| text.parse().ok()).collect();
        let (plain, more) = (table(), RunsLaterTable::new(&owner).unwrap());
        for path in &paths {
            let subject = Subject { mode_after: mode, ..file(path) };
            if let Some(found) = plain.find(&subject) {
                prop_assert_eq!(more.find(&subject), Some(found), "{}", path);
            }
        }
    }

    #[test]
    fn letter_case_never_decides(path in "([a-zA-Z.]{1,6}/){0,2}[a-zA-Z]{1,8}(\\.[a-zA-Z]{1,4})?") {
        let table = table();
        let (upper, lower) = (path.to_uppercase(), path.to_lowercase());
        prop_assert_eq!(table.find(&file(&upper)), table.find(&file(&lower)));
    }

    #[test]
    fn any_bytes_can_be_asked_about(path in prop::collection::vec(any::<u8>(), 0..40), head in any::<Vec<u8>>()) {
        let subject = Subject { path: &path, head: Some(&head), ..file("") };
        prop_assert!(table().find(&subject).is_none_or(|found| !found.why.is_empty()));
    }
}
