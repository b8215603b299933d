//! What is never brought back.

use super::scene::*;
use std::os::unix::fs::PermissionsExt as _;

const HOSTILE: &str =
    "echo ok >fine; cp /bin/true suid; chmod u+s suid; mkfifo fifo; ln -s /etc/passwd absolute
    ln -s ../outside outward; mkdir sub; mkdir -p sub/.git/hooks; echo evil >sub/.git/hooks/post-checkout
    mkdir .GIT; echo x >.GIT/config";

#[test]
fn setuid_files_fifos_outward_links_and_git_directories_stay_out_and_are_named() {
    let home = home();
    let repo = repo(&home, &[("a", "a\n")]);
    session(&home, &repo, HOSTILE);
    let digest = digest(&home, &repo, &[]);
    let report = json(&home, &repo, &["apply", "-s", "one", "--digest", &digest]);
    let left: Vec<&str> = report["left_out"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|row| row["path"]["escaped"].as_str())
        .collect();
    for path in ["suid", "fifo", "absolute", "outward", "sub/.git", ".GIT"] {
        assert!(left.contains(&path), "{path}: {report:#}");
        assert!(std::fs::symlink_metadata(repo.path().join(path)).is_err(), "{path}");
    }
    assert_eq!(text(&repo, "fine"), "ok\n");
}

#[test]
fn what_is_never_brought_back_has_an_exit_code_of_its_own_where_it_is_named() {
    let home = home();
    let repo = repo(&home, &[("a", "a\n")]);
    session(&home, &repo, HOSTILE);
    for (path, why) in [("suid", "setuid"), ("fifo", "FIFO")] {
        let refused = cofferdam(&home, &repo, &["apply", "-s", "one", path]).run();
        refused.assert_refused(218, &[path, why]);
    }
    // A link that leads out comes by its own path, and only if a person stands for it.
    for path in ["absolute", "outward"] {
        let asked = cofferdam(&home, &repo, &["apply", "-s", "one", path]).run();
        asked.assert_refused(219, &[&format!("cofferdam apply -s one {path} --digest ")]);
    }
}

#[test]
fn a_conflict_stops_all_of_it_until_the_paths_leave_it_out() {
    let home = home();
    let repo = repo(&home, &[("mine", "before\n"), ("free", "before\n")]);
    session(&home, &repo, "echo theirs >mine; echo theirs >free");
    repo.write("mine", "the owner's\n");
    let digest = digest_of_free(&home, &repo);
    let refused = cofferdam(&home, &repo, &["apply", "-s", "one", "--digest", &digest]).run();
    refused.assert_refused(217, &["mine", "you edited it meanwhile"]);
    assert_eq!((text(&repo, "mine"), text(&repo, "free")), ("the owner's\n".into(), "before\n".into()));
    try_apply(&home, &repo, &digest, &["free"]).assert_success();
    assert_eq!((text(&repo, "mine"), text(&repo, "free")), ("the owner's\n".into(), "theirs\n".into()));
}

fn digest_of_free(home: &cofferdam_testkit::Home, repo: &cofferdam_testkit::Repo<'_>) -> String {
    digest(home, repo, &["free"])
}

#[test]
fn where_two_files_cannot_change_places_nothing_is_written_and_three_lines_say_so() {
    let home = home();
    let repo = repo(&home, &[("a", "a\n")]);
    session(&home, &repo, "echo b >a");
    let digest = digest(&home, &repo, &[]);
    let product = home.cofferdam().command();
    // The kernel's answer on such a file system, to the first exchange that is tried.
    let inject = [
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=renameat2",
        "-e",
        "inject=renameat2:error=EINVAL:when=2",
    ];
    let strace = home.invoke("strace").args(inject).arg("--").arg(product.get_program());
    let refused = strace.args(["apply", "-s", "one", "--digest", &digest]).in_directory(repo.path()).run();
    refused.assert_refused(204, &["cannot exchange two files", "cofferdam diff"]);
    assert_eq!(text(&repo, "a"), "a\n");
    try_apply(&home, &repo, &digest, &[]).assert_success();
}

#[test]
fn the_mode_of_a_file_with_names_elsewhere_is_not_changed_there() {
    let home = home();
    let repo = repo(&home, &[("tool", "t\n"), ("plain", "p\n")]);
    let elsewhere = home.directory("elsewhere").join("same");
    std::fs::hard_link(repo.path().join("tool"), &elsewhere).unwrap();
    settle();
    session(&home, &repo, "chmod +x tool plain");
    let refused = cofferdam(&home, &repo, &["apply", "-s", "one", "-n", "tool"]).run();
    refused.assert_refused(218, &["tool: it has further names"]);
    apply(&home, &repo);
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o111;
    assert_eq!((mode(&elsewhere), mode(&repo.path().join("plain"))), (0, 0o111));
}
