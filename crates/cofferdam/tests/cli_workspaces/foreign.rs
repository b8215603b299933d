//! A repository of another user's. Only root can have a directory that it may enter and that is not its own, wherever
//! the tests run, so these are root's only.

use super::OWNER;
use cofferdam_testkit::Home;

/// The agent has the owner's rights, and root has none over files that another user's ids are shown on. git works all
/// the same, for this work tree and no other.
#[test]
fn a_repository_of_another_user_is_readable_for_git_and_its_owner_is_named() {
    let home = Home::of(OWNER);
    let repo = home.repo("project");
    repo.write("file", "one\n");
    repo.commit("outside");
    let other = "61234";
    home.invoke("chown").args(["-R", other]).arg(repo.path()).run().assert_success();
    let script =
        "git log --format=%s; git status --porcelain; git config --get-all safe.directory; touch file";
    let run = home.cofferdam().args(["run", "--", "sh", "-c", script]).in_directory(repo.path()).run();
    assert_eq!(run.stdout(), format!("outside\n{}\n", repo.path().display()), "{run}");
    let said = run.stderr();
    assert!(said.contains("belongs to uid 61234") && said.contains("Permission denied"), "{run}");
    assert_eq!(said.lines().filter(|line| line.starts_with("note:")).count(), 1, "{run}");
}
