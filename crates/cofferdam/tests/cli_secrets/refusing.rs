//! What is refused, in three lines, and that nothing is written over.

use super::scene::{NAME_TAKEN, PLANTED, SECRET, STATE, Scene, USAGE};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};

#[test]
fn names_and_sources_that_are_none_and_values_that_no_header_takes() {
    let scene = Scene::new();
    scene.home.write("lines", format!("{PLANTED}\n{PLANTED}\n"));
    scene.home.write("short", "short\n");
    let cases: [(&[&str], u8, &[&str]); 11] = [
        (&["add", "Git_Hub", "--from", "env:TOKEN"], USAGE, &["secret"]),
        (&["add", "github", "--from", "TOKEN"], USAGE, &["env:VARIABLE"]),
        (&["add", "github", "--from", "login:other"], USAGE, &["login:claude"]),
        (&["add", "github"], USAGE, &["--from"]),
        (&["add", "github", "--from", "env:UNSET"], SECRET, &["UNSET", "not set"]),
        (&["add", "github", "--from", "file:lines"], SECRET, &["github", "one line"]),
        (&["add", "github", "--from", "file:short"], SECRET, &["8 to"]),
        (&["add", "github", "--from", "file:missing"], SECRET, &["missing"]),
        (&["add", "github", "--from", "command:exit 3"], SECRET, &["command failed"]),
        (&["add", "github", "--from", "login:codex"], SECRET, &[".codex/auth.json"]),
        (&["revoke", "github"], SECRET, &["none of that name"]),
    ];
    for (words, code, told) in cases {
        scene.refused(words, code, told);
    }
    scene.run(&["add", "github", "--from", "env:TOKEN"]).assert_success();
    scene.refused(&["add", "github", "--from", "env:TOKEN"], NAME_TAKEN, &["github", "--replace"]);
    let failed = scene.run(&["add", "github", "--from", "env:TOKEN", "--json"]);
    assert_eq!(failed.assert_exit(NAME_TAKEN).json()["error"]["kind"], "name-taken");
}

#[test]
fn a_prompt_without_a_terminal_is_refused() {
    let scene = Scene::new();
    // In a session of its own there is no terminal, whichever the test itself has.
    let words = ["--wait", "--"];
    let program = scene.home.cofferdam().command().get_program().to_owned();
    let run = scene.home.invoke("setsid").args(words).arg(program);
    let run = run.args(["secret", "add", "github", "--from", "prompt"]).input(PLANTED).run();
    run.assert_refused(SECRET, &["no terminal"]);
}

#[test]
fn a_damaged_store_is_told_in_three_lines_and_not_written_over() {
    let scene = Scene::new();
    scene.run(&["add", "github", "--from", "env:TOKEN"]).assert_success();
    let store = scene.home.state().join("secrets/store.age");
    let index = scene.home.state().join("secrets/index.json");
    let key = scene.home.config().join("secrets.key");
    for path in [&store, &index, &key] {
        let whole = fs::read(path).unwrap();
        for damaged in [&whole[..whole.len() - 7], b"", b"{}"] {
            fs::write(path, damaged).unwrap();
            let before = scene.files();
            for words in [&["ls"][..], &["add", "other", "--from", "env:TOKEN"], &["rm", "github"]] {
                scene.refused(words, STATE, &["store of secrets", "back from"]);
            }
            assert_eq!(scene.files(), before, "{}", path.display());
        }
        fs::write(path, whole).unwrap();
        scene.run(&["ls"]).assert_success();
    }
    fs::remove_file(&key).unwrap();
    scene.refused(&["add", "other", "--from", "env:TOKEN"], STATE, &["secrets.key"]);
    assert!(!key.exists(), "no other key is made while there is something that it would not open");
}

#[test]
fn no_key_is_kept_where_others_could_put_theirs() {
    let scene = Scene::new();
    scene.run(&["add", "github", "--from", "env:TOKEN"]).assert_success();
    let config = scene.home.config();
    let owner = fs::metadata(&config).unwrap().uid();
    let add = ["add", "other", "--from", "env:TOKEN"];
    let before = scene.files();
    for mode in [0o777, 0o1777, 0o775] {
        fs::set_permissions(&config, fs::Permissions::from_mode(mode)).unwrap();
        scene.refused(&add, STATE, &["key of secrets", "chmod go-w"]);
    }
    fs::set_permissions(&config, fs::Permissions::from_mode(0o755)).unwrap();
    if rustix::process::getuid().is_root() {
        chown(&config, Some(owner + 1), None).unwrap();
        scene.refused(&add, STATE, &["key of secrets", "another user"]);
        chown(&config, Some(owner), None).unwrap();
    }
    assert_eq!(scene.files().len(), before.len());
    scene.run(&add).assert_success();
}

#[test]
fn a_key_that_others_can_read_is_not_used() {
    let scene = Scene::new();
    scene.run(&["add", "github", "--from", "env:TOKEN"]).assert_success();
    let key = scene.home.config().join("secrets.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    scene.refused(&["ls"], STATE, &["secrets.key", "chmod"]);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    scene.run(&["ls"]).assert_success();
}

#[test]
fn without_the_program_beside_it_the_command_says_so() {
    let scene = Scene::new();
    let program = scene.home.cofferdam().command().get_program().to_owned();
    let alone = scene.home.directory("alone").join("cofferdam");
    fs::copy(program, &alone).unwrap();
    let run = scene.home.invoke(alone).args(["secret", "ls"]).run();
    run.assert_refused(STATE, &["cofferdam-gateway", "side by side"]);
}
