//! Histories that mean harm: none of them comes, and the repository stays as it was.

use super::scene::*;
use cofferdam_testkit::{Home, Repo, Tree};

/// Commits what the script makes of the tree `$tree`, which it leaves in that variable.
fn with_tree(home: &Home, repo: &Repo<'_>, script: &str) {
    let script = format!(
        "blob=$(echo evil | git hash-object -w --stdin); kept=$(git rev-parse HEAD:kept); {script}
         commit=$(git commit-tree -p HEAD -m second $tree); git update-ref HEAD $commit"
    );
    session(home, repo, &script);
}

#[track_caller]
fn is_refused(home: &Home, repo: &Repo<'_>, why: &str) {
    let before = Tree::of(repo.path().join(".git"));
    shown(home).assert_refused(204, &[why]);
    apply(home, &"0".repeat(64)).assert_refused(204, &[why]);
    Tree::of(repo.path().join(".git")).assert_same_as(&before);
}

#[test]
fn a_git_directory_by_any_spelling_in_a_tree_is_refused() {
    for name in [".git", ".GIT", "git~1", ".g\u{200c}it"] {
        let home = home();
        let repo = project(&home);
        let tree = format!(
            "sub=$(printf '100644 blob %s\\tconfig\\n' $blob | git mktree)
             tree=$(printf '040000 tree %s\\t{name}\\n100644 blob %s\\tkept\\n' $sub $kept | git mktree)"
        );
        with_tree(&home, &repo, &tree);
        is_refused(&home, &repo, "git directory");
    }
}

#[test]
fn a_repository_in_a_commit_is_refused_also_if_the_next_takes_it_away() {
    for inside in ["HEAD commondir", "HEAD objects/x refs/x"] {
        let home = home();
        let repo = project(&home);
        let script = format!(
            "for name in {inside}; do mkdir -p $(dirname x/$name); echo y >x/$name; done
             git add x; git commit -qm second; git rm -rq x; git commit -qm third"
        );
        session(&home, &repo, &script);
        is_refused(&home, &repo, "git directory");
    }
}

#[test]
fn links_that_lead_out_and_submodules_that_move_are_refused() {
    for (entry, why) in [
        (
            "target=$(printf /etc/passwd | git hash-object -w --stdin); line=\"120000 blob $target\"",
            "absolute path",
        ),
        (
            "target=$(printf ../../x | git hash-object -w --stdin); line=\"120000 blob $target\"",
            "out of the workspace",
        ),
        ("line=\"160000 commit $(git rev-parse HEAD)\"", "moves the submodule"),
    ] {
        let home = home();
        let repo = project(&home);
        let tree = format!(
            "{entry}; tree=$(printf '100644 blob %s\\tkept\\n%s\\tl\\n' $kept \"$line\" | git mktree --missing)"
        );
        with_tree(&home, &repo, &tree);
        is_refused(&home, &repo, why);
    }
}

#[test]
fn an_object_that_is_not_what_its_name_stands_for_is_refused() {
    let home = home();
    let repo = project(&home);
    let script = "echo good >new; git add new; git commit -qm second
         name=$(git rev-parse HEAD:new | sed 's#^..#&/#'); other=$(echo evil | git hash-object -w --stdin | sed 's#^..#&/#')
         chmod u+w .git/objects/$name; cat .git/objects/$other >.git/objects/$name".to_string();
    session(&home, &repo, &script);
    is_refused(&home, &repo, "its content is not what its name stands for");
}

#[test]
fn a_name_that_stands_twice_in_a_tree_is_refused() {
    // `mktree` would sort and refuse: the tree is written as bytes.
    const ENTRY: &str =
        "entry() { printf '100644 kept\\0'; printf %s $1 | sed 's/../\\\\x&/g' | xargs -0 printf '%b'; }";
    let tree = |entries: &str| {
        format!("{ENTRY}; tree=$( {{ {entries} }} | git hash-object -t tree -w --literally --stdin)")
    };
    let (control, hostile) = (home(), home());
    let (once, twice) = (project(&control), project(&hostile));
    with_tree(&control, &once, &tree("entry $blob;"));
    assert!(
        shown(&control).assert_success().stdout().contains("+evil"),
        "the control: a tree made so is read"
    );
    with_tree(&hostile, &twice, &tree("entry $kept; entry $blob;"));
    is_refused(&hostile, &twice, "its entries are not as git writes a tree's");
}

#[test]
fn what_a_commit_says_can_not_act_on_the_terminal() {
    let home = home();
    let repo = project(&home);
    let script = "git commit -q --allow-empty --author=\"$(printf 'E\\033[2Jve <e@x.example>')\" \
         -m \"$(printf 'x \\033]52;c;AA\\007 \\342\\200\\256 y')\"";
    session(&home, &repo, script);
    let shown = shown(&home);
    let text = shown.assert_success().stdout();
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}') && !text.contains('\u{7}'), "{text}");
    assert!(text.contains("52;c;AA"), "the control: it is shown: {text}");
}

#[test]
fn replace_references_and_alternates_of_the_agents_mean_nothing() {
    let home = home();
    let repo = project(&home);
    let script = "echo evil >new; git add new; git commit -qm second; evil=$(git rev-parse HEAD:new)
         good=$(echo good | git hash-object -w --stdin); git replace $evil $good; git cat-file -p HEAD:new | grep -q good".to_string();
    session(&home, &repo, &script);
    let shown = shown(&home).assert_success().stdout();
    assert!(shown.contains("+evil") && !shown.contains("+good"), "{shown}");
}

#[test]
fn what_git_itself_would_not_take_is_found_out_in_a_cell_and_does_not_come() {
    let home = home();
    let repo = project(&home);
    let script = "tree=$(git rev-parse 'HEAD^{tree}'); parent=$(git rev-parse HEAD)
         commit=$(printf 'tree %s\\nparent %s\\nauthor Eve 1 +0000\\ncommitter Eve 1 +0000\\n\\nx\\n' $tree $parent \\
             | git hash-object -t commit -w --literally --stdin)
         git update-ref HEAD $commit".to_string();
    session(&home, &repo, &script);
    let seen =
        home.cofferdam().args(["diff", "-s", "one", "--commits", "--json"]).run().assert_success().json();
    let digest = seen["digest"].as_str().unwrap();
    let before = Tree::of(repo.path().join(".git"));
    let run = apply(&home, digest);
    run.assert_refused(218, &["git, in a cell of its own, does not take them", "missingEmail"]);
    Tree::of(repo.path().join(".git")).assert_same_as(&before);
    let left = home.cofferdam().args(["ls", "--json"]).run().assert_success().json();
    assert_eq!(left.as_array().map(Vec::len), Some(1), "the cell that looked is gone: {left}");
}
