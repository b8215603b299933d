//! What is written, and that nothing else is.

use super::scene::*;
use cofferdam_testkit::Tree;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

const CHANGES: &str = r#"echo after >edited; rm gone; rm -r old; mkdir -p new/deep; echo x >new/deep/x
    ln -s edited link; chmod +x tool; mv moved.txt new/moved.txt; rm kind; mkdir kind; echo y >kind/y
    rm -r was; echo file >was; printf 'a\nb' >"$(printf 'odd\nname')""#;

const FILES: &[(&str, &str)] = &[
    ("edited", "before\n"),
    ("gone", "x\n"),
    ("old/a", "a\n"),
    ("old/b/c", "c\n"),
    ("tool", "#!/bin/sh\n"),
    ("moved.txt", "the same\n"),
    ("kind", "a file\n"),
    ("was/inside", "i\n"),
    ("kept", "kept\n"),
];

#[test]
fn all_that_was_shown_is_written_and_a_diff_afterwards_shows_nothing() {
    let home = home();
    let repo = repo(&home, FILES);
    session(&home, &repo, CHANGES);
    let id = apply(&home, &repo);
    assert_eq!(text(&repo, "edited"), "after\n");
    assert_eq!(text(&repo, "new/deep/x"), "x\n");
    assert_eq!(text(&repo, "new/moved.txt"), "the same\n");
    assert_eq!(text(&repo, "kind/y"), "y\n");
    assert_eq!(text(&repo, "was"), "file\n");
    assert_eq!(text(&repo, "odd\nname"), "a\nb");
    assert_eq!(text(&repo, "kept"), "kept\n");
    for gone in ["gone", "old", "moved.txt"] {
        assert!(!repo.path().join(gone).exists(), "{gone}");
    }
    assert_eq!(fs::read_link(repo.path().join("link")).unwrap().to_str(), Some("edited"));
    assert_eq!(fs::metadata(repo.path().join("tool")).unwrap().permissions().mode() & 0o111, 0o111);
    assert_eq!(fs::metadata(repo.path().join("new/deep/x")).unwrap().uid(), home.uid());
    assert!(entries(&home, &repo).is_empty(), "{:#?}", entries(&home, &repo));
    assert_eq!(events(&home, &repo, "applied"), 1);
    let shown = json(&home, &repo, &["show", "one"]);
    assert_eq!(shown["applies"][0]["apply"].as_str(), Some(id.as_str()), "{shown:#}");
    assert_eq!(shown["applies"][0]["undone"], false);
    let nothing = cofferdam(&home, &repo, &["apply", "-s", "one"]).run();
    nothing.assert_refused(216, &["nothing to apply", "cofferdam diff"]);
}

#[test]
fn a_dry_run_writes_nothing_and_names_the_digest_that_is_then_taken() {
    let home = home();
    let repo = repo(&home, FILES);
    session(&home, &repo, CHANGES);
    let before = Tree::of(repo.path());
    let report = json(&home, &repo, &["apply", "-s", "one", "-n", "edited", "new"]);
    for key in ["version", "session", "digest", "dry_run", "apply", "entries", "left_out", "refresh"] {
        assert!(report.get(key).is_some(), "{key} is missing: {report:#}");
    }
    assert!(report["apply"].is_null() && report["dry_run"] == true);
    assert_eq!(report["entries"].as_array().unwrap().len(), 5, "{report:#}");
    Tree::of(repo.path()).assert_same_as(&before);
    let all = digest(&home, &repo, &[]);
    let part = report["digest"].as_str().unwrap();
    assert_ne!(all, part);
    try_apply(&home, &repo, part, &[]).assert_refused(215, &[&all, "cofferdam diff -s one"]);
    try_apply(&home, &repo, part, &["edited", "new"]).assert_success();
    assert_eq!((text(&repo, "edited"), text(&repo, "gone")), ("after\n".into(), "x\n".into()));
    assert!(entries(&home, &repo).iter().all(|entry| entry["path"]["escaped"] != "edited"));
}

#[test]
fn a_new_file_brings_the_directories_that_it_needs_and_nothing_beside_it() {
    let home = home();
    let repo = repo(&home, FILES);
    session(&home, &repo, CHANGES);
    let part = digest(&home, &repo, &["new/deep/x"]);
    try_apply(&home, &repo, &part, &["new/deep/x"]).assert_success();
    assert_eq!(text(&repo, "new/deep/x"), "x\n");
    assert!(!repo.path().join("new/moved.txt").exists());
}

#[test]
fn ignored_files_come_only_where_they_are_named() {
    let home = home();
    let repo = repo(&home, &[(".gitignore", "built/\n*.log\n"), ("src", "s\n")]);
    let script =
        "mkdir built; echo o >built/o; echo l >x.log; echo a >a; echo '*' >.gitignore; echo hid >hidden";
    session(&home, &repo, script);
    let without = digest(&home, &repo, &[]);
    let with = digest(&home, &repo, &["--include-ignored", "built/o"]);
    assert_ne!(without, with);
    try_apply(&home, &repo, &with, &[]).assert_refused(215, &[&without]);
    try_apply(&home, &repo, &with, &["--include-ignored", "built/o"]).assert_success();
    assert_eq!(text(&repo, "built/o"), "o\n");
    // A rule that the agent wrote hides nothing.
    assert_eq!((text(&repo, "hidden"), text(&repo, "a")), ("hid\n".into(), "a\n".into()));
    assert!(!repo.path().join("x.log").exists());
    let foreign = cofferdam(&home, &repo, &["apply", "-s", "one", "--include-ignored", "/etc"]).run();
    foreign.assert_refused(201, &["/etc"]);
}

#[test]
fn a_directory_that_holds_ignored_files_stays_and_the_rest_goes() {
    let home = home();
    let repo = repo(&home, &[(".gitignore", "*.log\n"), ("d/x", "x\n"), ("d/e/y", "y\n")]);
    repo.write("d/kept.log", "the owner's\n");
    settle();
    session(&home, &repo, "rm -r d");
    apply(&home, &repo);
    assert_eq!(text(&repo, "d/kept.log"), "the owner's\n");
    assert!(!repo.path().join("d/x").exists() && !repo.path().join("d/e").exists());
}

#[test]
fn an_apply_executes_nothing() {
    let home = home();
    let repo = repo(&home, &[("a", "a\n")]);
    let script = r#"printf '[core]\n\tfsmonitor = touch /tmp/evil\n' >>.git/config; echo '* filter=x' >.gitattributes
        printf '#!/bin/sh\ntouch evil\n' >a; chmod +x a; mkdir d; echo x >d/x; chmod 000 d"#;
    session(&home, &repo, script);
    let digest = digest(&home, &repo, &[]);
    let trace = home.home().join("trace");
    let product = home.cofferdam().command();
    for arguments in [&["apply", "-s", "one", "--digest", digest.as_str()] as &[&str], &["undo", "-s", "one"]]
    {
        let strace =
            home.invoke("strace").args(["-f", "-qq", "-e", "trace=execve,execveat", "-o"]).arg(&trace);
        let strace = strace.arg("--").arg(product.get_program()).args(arguments);
        strace.in_directory(repo.path()).run().assert_success();
        let calls = fs::read_to_string(&trace).unwrap();
        let count = calls.lines().filter(|line| line.contains("exec")).count();
        assert_eq!(count, 1, "only the product itself: {calls}");
    }
    assert!(!repo.path().join("evil").exists());
}
