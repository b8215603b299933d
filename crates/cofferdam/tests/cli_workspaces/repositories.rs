//! git works inside, on every kind of repository, and the host's side stays as it is to the last byte.

use super::OWNER;
use cofferdam_testkit::{Home, Outcome, Repo, Tree};

const COMMIT: &str = "set -e; git status --porcelain; echo more >>file; git add -A; git commit -qm inside;
    git log --format=%s; git status --porcelain; git fsck --strict 2>&1 | grep -v dangling || true";

fn inside(home: &Home, repo: &Repo<'_>, script: &str) -> Outcome {
    home.cofferdam().args(["run", "--", "sh", "-c", script]).in_directory(repo.path()).run()
}

/// The host's identity, as an owner has it, with what must not come along.
fn identity(home: &Home) {
    let text = "[user]\n\tname = Ada Owner\n\temail = ada@owner.example\n\tsigningkey = ABCDEF\n\
        [init]\n\tdefaultBranch = trunk\n[alias]\n\tst = !touch /tmp/alias\n[commit]\n\tgpgSign = true\n\
        [credential]\n\thelper = store\n[core]\n\tfsmonitor = /bin/false\n[http]\n\textraHeader = Authorization: secret\n";
    home.write(home.home().join(".gitconfig"), text);
}

fn plain<'h>(home: &'h Home, name: &str) -> Repo<'h> {
    let repo = home.repo(name);
    repo.write("file", "one\n");
    repo.commit("outside");
    repo
}

#[test]
fn a_plain_repository() {
    let home = Home::of(OWNER);
    identity(&home);
    let repo = plain(&home, "project");
    let before = Tree::of(home.work());
    let run = inside(&home, &repo, COMMIT);
    assert_eq!(run.assert_success().stdout(), "inside\noutside\n", "{run}");
    Tree::of(home.work()).assert_same_as(&before);
    assert_eq!(repo.git(["log", "--format=%s"]), "outside\n");
}

#[test]
fn the_owners_git_identity_comes_along_and_nothing_else_of_the_configuration() {
    let home = Home::of(OWNER);
    identity(&home);
    let repo = plain(&home, "project");
    let script = "git config --global --list | sort; git commit -q --allow-empty -m x; git log -1 --format='%an <%ae>';
        git init -q ../elsewhere 2>/dev/null || { cd /tmp && git init -q new && git -C new branch --show-current; }";
    let run = inside(&home, &repo, script);
    let said = run.assert_success().stdout();
    assert!(
        said.contains("user.name=Ada Owner\n") && said.contains("Ada Owner <ada@owner.example>\n"),
        "{run}"
    );
    for absent in ["signingkey", "alias", "gpgsign", "credential", "fsmonitor", "extraheader", "secret"] {
        assert!(!said.to_lowercase().contains(absent), "{absent} came along: {run}");
    }
    assert!(said.contains("init.defaultbranch=trunk"), "{run}");
}

#[test]
fn a_linked_worktree() {
    let home = Home::of(OWNER);
    identity(&home);
    let main = plain(&home, "main");
    let linked = main.worktree("linked");
    let before = Tree::of(home.work());
    let run = inside(&home, &linked, COMMIT);
    assert_eq!(run.assert_success().stdout(), "inside\noutside\n", "{run}");
    // Nothing but git's own files can change beside the work tree, so names are those in it.
    assert!(run.stderr().lines().any(|line| line == "  ~ file"), "{run}");
    Tree::of(home.work()).assert_same_as(&before);
    // The main work tree itself is not shown: only its git directory is.
    let listed = inside(&home, &linked, "ls -A ../main");
    assert_eq!(listed.assert_success().stdout(), ".git\n");
}

#[test]
fn a_submodule_and_its_superproject() {
    let home = Home::of(OWNER);
    identity(&home);
    let library = plain(&home, "library");
    let project = plain(&home, "project");
    let submodule = project.submodule(&library, "deps/library");
    let before = Tree::of(home.work());
    let run = inside(&home, &submodule, COMMIT);
    assert_eq!(run.assert_success().stdout(), "inside\noutside\n", "{run}");
    let script = "set -e; git status --porcelain; git submodule status | wc -l; cd deps/library; echo x >>file;
        git commit -qam deep; cd ../..; git commit -qam 'move the submodule'; git log -1 --format=%s; git status --porcelain";
    let run = inside(&home, &project, script);
    assert_eq!(run.assert_success().stdout(), "1\nmove the submodule\n", "{run}");
    Tree::of(home.work()).assert_same_as(&before);
}

#[test]
fn a_repository_that_borrows_the_objects_of_another() {
    let home = Home::of(OWNER);
    identity(&home);
    let lender = plain(&home, "lender");
    let borrower = lender.borrowing_clone("borrower");
    let before = Tree::of(home.work());
    let run = inside(&home, &borrower, COMMIT);
    assert_eq!(run.assert_success().stdout(), "inside\noutside\n", "{run}");
    Tree::of(home.work()).assert_same_as(&before);
    let run = inside(&home, &borrower, "touch ../lender/.git/objects/x; ls -A ../lender ../lender/.git");
    assert!(!run.stdout().contains("file"), "the lender's work tree is shown: {run}");
}

#[test]
fn a_repository_with_large_files() {
    let home = Home::of(OWNER);
    identity(&home);
    let repo = plain(&home, "project");
    repo.git(["lfs", "install", "--local"]);
    repo.git(["lfs", "track", "*.bin"]);
    repo.write("big.bin", vec![7_u8; 300_000]);
    repo.commit("large");
    let before = Tree::of(home.work());
    let script = "set -e; git lfs install --local >/dev/null; git status --porcelain; git show HEAD:big.bin | head -1;
        wc -c <big.bin; head -c 400000 /dev/zero >big.bin; git commit -qam grown; git show HEAD:big.bin | tail -1; git lfs ls-files | wc -l";
    let run = inside(&home, &repo, script);
    let expected = "version https://git-lfs.github.com/spec/v1\n300000\nsize 400000\n1\n";
    assert_eq!(run.assert_success().stdout(), expected, "{run}");
    Tree::of(home.work()).assert_same_as(&before);
}

#[test]
fn credentials_in_the_repositorys_own_configuration_are_not_shown() {
    let home = Home::of(OWNER);
    identity(&home);
    let repo = plain(&home, "project");
    repo.git(["remote", "add", "origin", "https://user:hidden-word@git.example/x.git"]);
    repo.git(["config", "http.extraHeader", "Authorization: Bearer hidden-word"]);
    repo.git(["config", "include.path", "/etc/hidden-word"]);
    repo.git(["config", "credential.helper", "hidden-word"]);
    let before = Tree::of(home.work());
    let run = inside(
        &home,
        &repo,
        "cat .git/config; git remote -v; grep -rl hidden-word . ; git status --porcelain",
    );
    assert!(!run.stdout().contains("hidden-word"), "{run}");
    assert!(run.stdout().contains("git.example"), "{run}");
    assert_eq!(run.status.code(), Some(0), "{run}");
    Tree::of(home.work()).assert_same_as(&before);
}

#[test]
fn commits_count_as_changes_and_rm_keeps_them() {
    let home = Home::of(OWNER);
    identity(&home);
    let repo = plain(&home, "project");
    let script = "git commit -q --allow-empty -m inside";
    let run =
        home.cofferdam().args(["run", "--rm", "--", "sh", "-c", script]).in_directory(repo.path()).run();
    assert!(run.assert_success().stderr().contains("git"), "{run}");
    let log = home.cofferdam().args(["resume", "-s", "project", "--", "git", "log", "-1", "--format=%s"]);
    assert_eq!(log.in_directory(repo.path()).run().assert_success().stdout(), "inside\n");
}

#[test]
fn no_commit_inside_deletes_what_is_hidden() {
    let home = Home::of(OWNER);
    let repo = home.repo("project");
    repo.write("service/.npmrc", "registry = x\n");
    repo.write(".env.example", "A=\n");
    repo.commit("tracked");
    repo.write(".env", "A=1\n");
    let linked = repo.worktree("linked");
    let script = "git status --porcelain && test ! -e service/.npmrc && echo more >> .env.example && \
         git -c user.name=a -c user.email=a@b.example commit -qam second && git show --name-only --format=";
    for directory in [repo.path(), linked.path()] {
        let explained =
            home.cofferdam().arg("explain").in_directory(directory).run().assert_success().stdout();
        let notes: Vec<&str> = explained.lines().filter(|line| line.contains("git tracks")).collect();
        assert_eq!(notes.len(), 1, "{explained}");
        assert!(notes[0].contains("git tracks service/.npmrc: hidden, and marked"), "{explained}");
        let run =
            home.cofferdam().args(["run", "--rm", "--", "sh", "-c", script]).in_directory(directory).run();
        assert_eq!(run.assert_success().stdout(), ".env.example\n");
    }
    repo.git(["rm", "-q", "--cached", "service/.npmrc"]);
    let text = home.cofferdam().arg("explain").in_directory(repo.path()).run().assert_success().stdout();
    assert!(!text.contains("git tracks") && text.contains("service/.npmrc"), "{text}");
}

#[test]
fn with_a_split_index_what_is_hidden_shows_as_deleted() {
    let home = Home::of(OWNER);
    let repo = home.repo("project");
    repo.write("service/.npmrc", "registry = x\n");
    repo.commit("tracked");
    repo.git(["update-index", "--split-index"]);
    let run = inside(&home, &repo, "git status --porcelain");
    assert_eq!(run.assert_success().stdout(), " D service/.npmrc\n");
}

/// The first status must not re-read everything: git trusts the index only if uid and inode fit.
#[test]
fn a_clean_repository_is_clean_inside() {
    let home = Home::of(OWNER);
    let repo = home.repo("project");
    home.many_files("project/files", 500);
    repo.commit("many");
    let run = inside(&home, &repo, "git status --porcelain; git diff --stat; git ls-files | wc -l");
    assert_eq!(run.assert_success().stdout(), "500\n");
}
