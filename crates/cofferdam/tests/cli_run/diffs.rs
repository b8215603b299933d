//! `cofferdam diff`, as a person and a program get it.

use super::OWNER;
use cofferdam_testkit::{Home, Repo, Tree};
use serde_json::Value;

fn session(repo: &Repo<'_>, home: &Home, script: &str) {
    let command = ["run", "--name", "one", "--", "sh", "-c", script];
    home.cofferdam().args(command).in_directory(repo.path()).run().assert_success();
}

fn entries(home: &Home) -> Vec<Value> {
    let report = home.cofferdam().args(["diff", "-s", "one", "--json"]).run().json();
    report.get("entries").and_then(Value::as_array).unwrap().clone()
}

fn by_path<'e>(entries: &'e [Value], path: &str) -> &'e Value {
    let named = |entry: &&Value| entry.pointer("/path/escaped").and_then(Value::as_str) == Some(path);
    let found = entries.iter().find(named);
    found.unwrap_or(&Value::Null)
}

#[test]
fn a_diff_shows_what_changed_and_nothing_in_it_can_act_or_hide() {
    let home = Home::of(OWNER);
    let repo = home.repo("project");
    repo.write("kept.txt", "one\ntwo\nthree\n");
    repo.write("moved.txt", "the same\n");
    repo.write(".gitignore", "built/\n");
    repo.commit("first");
    let before = Tree::of(repo.path());
    let script = r#"printf 'one\ntwo \342\200\256\033[2J\nthree\n' >kept.txt; mkdir built d; echo o >built/o
        mv moved.txt d/; head -c 5000 /dev/zero >zeros; chmod +x .gitignore; ln -s / out
        touch "$(printf 'a\033]52;c;AA\007b')"; echo evil >.git/hooks/post-checkout"#;
    session(&repo, &home, script);
    let shown = home.cofferdam().arg("diff").in_directory(repo.path()).run();
    let text = shown.assert_success().stdout();
    for part in [
        "modified kept.txt",
        "+two <U+202E><U+001B>[2J",
        "-two",
        "renamed d/moved.txt from moved.txt",
        "binary: nothing → 5000 bytes",
        "mode .gitignore (100644 → 100755)",
        "comes only by its own PATH: it is a link to an absolute path",
        "a\\u{1b}]52;c;AA\\u{7}b",
        "1 ignored by your rules",
        "  .git/hooks/post-checkout",
        "digest ",
    ] {
        assert!(text.contains(part), "{part:?} is missing: {shown}");
    }
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{shown}");
    let stat = home.cofferdam().args(["diff", "--stat"]).in_directory(repo.path()).run();
    assert!(stat.assert_success().stdout().lines().all(|line| line.chars().count() <= 80), "{stat}");
    let named = home.cofferdam().args(["diff", "--name-only", "d"]).in_directory(repo.path()).run();
    assert_eq!(named.assert_success().stdout(), "d\nd/moved.txt\n");
    let ignored = home.cofferdam().args(["diff", "--ignored"]).in_directory(repo.path()).run();
    assert_eq!(ignored.assert_success().stdout(), "built/o\n");
    let outside = home.cofferdam().args(["diff", "/etc"]).in_directory(repo.path()).run();
    outside.assert_refused(201, &["/etc", "no directory that the session works on"]);
    Tree::of(repo.path()).assert_same_as(&before);
}

const LOCK: &str = "version = 4\n\n[[package]]\nname = \"serde\"\nversion = \"1.0.1\"\n";

#[test]
fn what_runs_later_deceives_or_moves_a_dependency_is_pointed_out_and_nothing_else() {
    let home = Home::of(OWNER);
    let repo = home.repo("project");
    repo.write("Cargo.lock", LOCK);
    repo.write("Read.me", "one\n");
    repo.commit("first");
    let place = home.cofferdam().args(["init"]).in_directory(repo.path()).run();
    let policy =
        place.assert_success().stdout().lines().find(|line| line.ends_with(".toml")).map(str::to_owned);
    let policy = policy.and_then(|line| line.split_whitespace().last().map(str::to_owned)).unwrap();
    std::fs::write(&policy, "[review]\nruns-later = [\"/ops/*.txt\"]\n").unwrap();
    let script = r#"mkdir -p ops .github/workflows; echo x >ops/a.txt; echo on: push >.github/workflows/ci.yml
        printf 'ok \342\200\256 no\n' >bidi.txt; echo plain >plain.txt; echo y >READ.ME
        echo '*.log' >.gitignore
        sed -i s/1.0.1/1.0.2/ Cargo.lock"#;
    session(&repo, &home, script);
    let entries = entries(&home);
    let remarks = |path: &str| {
        let row = by_path(&entries, path);
        (row["runs_later"].clone(), row["suspicious"].clone())
    };
    let none = serde_json::Value::Null;
    assert_eq!(remarks("plain.txt"), (none.clone(), serde_json::json!([])), "the control");
    assert_eq!(remarks("ops/a.txt").0, "owner");
    assert_eq!(remarks(".github/workflows/ci.yml").0, "ci");
    assert_eq!(remarks("bidi.txt"), (none, serde_json::json!(["bidi"])));
    assert_eq!(remarks("READ.ME").1, serde_json::json!(["name-collision"]));
    assert_eq!(remarks(".gitignore").1, serde_json::json!(["ignore-rules"]));
    let text = home.cofferdam().arg("diff").in_directory(repo.path()).run();
    for part in ["runs later (ci): ", "suspicious (bidi): ", "dependency serde 1.0.1 → 1.0.2"] {
        assert!(text.stdout().contains(part), "{part:?} is missing: {text}");
    }
    let stat = home.cofferdam().args(["diff", "--stat"]).in_directory(repo.path()).run();
    assert!(stat.stdout().lines().any(|line| line == "   runs later: ci"), "{stat}");
    assert!(stat.assert_success().stdout().lines().all(|line| line.chars().count() <= 80), "{stat}");
}

#[test]
fn the_digest_is_the_same_each_time_and_only_one_stage_is_kept() {
    let home = Home::of(OWNER);
    let repo = home.repo("project");
    session(&repo, &home, "echo a >a; echo b >b");
    let digest = || home.cofferdam().args(["diff", "-s", "one", "--json"]).run().json()["digest"].clone();
    let first = digest();
    assert_eq!(first, digest());
    let session = std::fs::read_dir(home.state().join("sessions")).unwrap().flatten().next().unwrap();
    let stages: Vec<_> = std::fs::read_dir(session.path().join("stage")).unwrap().flatten().collect();
    assert_eq!(stages.len(), 1);
    assert_eq!(first.as_str(), stages[0].file_name().to_str());
}

#[test]
fn edits_of_the_owners_during_a_session_are_conflicts_and_nothing_else_is() {
    let home = Home::of(OWNER);
    let repo = home.repo("project");
    for file in ["edited", "src/saved", "src/untouched", "lost", "swapped/x", "gone"] {
        repo.write(file, "before\n");
    }
    repo.commit("first");
    std::thread::sleep(std::time::Duration::from_millis(20));
    session(
        &repo,
        &home,
        "for f in edited src/saved src/untouched lost swapped/x; do echo after >>$f; done; rm gone",
    );
    assert!(entries(&home).iter().all(|entry| entry["conflict"].is_null()));
    repo.write("edited", "by the owner\n");
    // As editors save: a new file, put in the place of the old one.
    repo.write("src/.saved.tmp", "by the owner\n");
    let at = |path: &str| repo.path().join(path);
    std::fs::rename(at("src/.saved.tmp"), at("src/saved")).unwrap();
    std::fs::remove_file(at("lost")).unwrap();
    std::fs::create_dir(at("other")).unwrap();
    std::fs::rename(at("swapped/x"), at("other/x")).unwrap();
    std::fs::remove_dir(at("swapped")).unwrap();
    std::fs::rename(at("other"), at("swapped")).unwrap();
    let entries = entries(&home);
    for (path, conflict) in [
        ("edited", Some("edited")),
        ("src/saved", Some("replaced")),
        ("src/untouched", None),
        ("lost", Some("deleted")),
        ("gone", None),
    ] {
        assert_eq!(by_path(&entries, path)["conflict"].as_str(), conflict, "{path}: {entries:#?}");
    }
    assert!(!by_path(&entries, "swapped/x")["conflict"].is_null(), "{entries:#?}");
}

#[test]
fn what_the_agent_made_unreadable_is_shown_all_the_same() {
    let home = Home::of(OWNER);
    let repo = home.repo("project");
    session(&repo, &home, "mkdir d; echo text >d/x; chmod 000 d/x; chmod 000 d");
    let shown = home.cofferdam().args(["diff", "-s", "one", "d"]).in_directory(repo.path()).run();
    assert!(shown.assert_success().stdout().contains("+text"), "{shown}");
}

#[test]
fn a_diff_executes_nothing() {
    let home = Home::of(OWNER);
    let repo = home.repo("project");
    let script = r#"printf '[core]\n\tfsmonitor = touch /tmp/evil\n[diff "x"]\n\ttextconv = evil\n' >>.git/config
        echo '* diff=x filter=x' >.gitattributes; mkdir d; echo x >d/x; chmod 000 d"#;
    session(&repo, &home, script);
    let trace = home.home().join("trace");
    let product = home.cofferdam().command();
    let strace = home.invoke("strace").args(["-f", "-qq", "-e", "trace=execve,execveat", "-o"]).arg(&trace);
    let strace = strace.arg("--").arg(product.get_program()).args(["diff", "-s", "one"]);
    strace.in_directory(repo.path()).run().assert_success();
    let calls = std::fs::read_to_string(&trace).unwrap();
    assert_eq!(
        calls.lines().filter(|line| line.contains("exec")).count(),
        1,
        "only the product itself: {calls}"
    );
}

#[test]
fn a_text_that_is_too_long_to_be_looked_at_as_a_whole_says_so() {
    let home = Home::of(OWNER);
    let repo = home.repo("project");
    repo.write("kept.txt", "kept\n");
    repo.commit("first");
    // Both sides of 4 MiB.
    session(&repo, &home, "yes plain | head -c 4194300 >short.txt; yes plain | head -c 4194306 >long.txt");
    let text = home.cofferdam().arg("diff").in_directory(repo.path()).run();
    let said = |text: &str| text.lines().filter(|line| line.contains("(not-looked-through): ")).count();
    assert_eq!(said(&text.assert_success().stdout()), 1, "{text}");
    let entries = entries(&home);
    let suspicious = |path: &str| by_path(&entries, path)["suspicious"].clone();
    assert_eq!(suspicious("long.txt"), serde_json::json!(["not-looked-through"]));
    assert_eq!(suspicious("short.txt"), serde_json::json!([]));
}
