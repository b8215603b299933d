//! Trees that are made to deceive or to break what reads and writes them, by hand and at random (ATTACKS 17, 18). Each is
//! shown, planned, applied and taken back by the real program; see `exact` for what has to hold of each.

use super::exact::{applies_exactly, give, layer, succeeds_or_refuses, witness};
use super::scene::*;
use cofferdam_testkit::{Home, Repo, Tree};
use proptest::prelude::*;
use rustix::fs::{CWD, FileType, Mode, XattrFlags};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;

const FILES: &[(&str, &str)] = &[
    ("d/x", "x\n"),
    ("d/e/y", "y\n"),
    ("d/e/f/z", "z\n"),
    ("other/x", "other\n"),
    ("File", "capital\n"),
    ("text", "one\ntwo\nthree\n"),
    ("tool", "#!/bin/sh\n"),
];

fn scene(home: &Home) -> Repo<'_> {
    witness(home);
    repo(home, FILES)
}

fn work(home: &Home, repo: &Repo<'_>, script: impl Into<Vec<u8>>) {
    let run = home.cofferdam().args(["run", "--name", "one", "--", "sh", "-s"]);
    run.input(script.into()).in_directory(repo.path()).run().assert_success();
}

fn refusals(home: &Home, repo: &Repo<'_>) -> Vec<(String, String)> {
    let text = |row: &Value, at: &str| row.pointer(at).and_then(Value::as_str).map(str::to_owned);
    let rows = entries(home, repo);
    rows.iter().filter_map(|row| Some((text(row, "/path/escaped")?, text(row, "/refused")?))).collect()
}

/// What the suites of jj and git try, and what terminals, shells and other file systems make of a name.
fn names() -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = (1..=0x1f_u8).chain([0x7f]).map(|byte| vec![b'c', byte, b'c']).collect();
    let texts = [
        "new\nline",
        "\n",
        "cr\rover",
        "trailing ",
        " leading",
        "trailing.",
        "...",
        "....",
        "-rf",
        "--",
        "*",
        "?",
        "[a]",
        "\\",
        "back\\slash",
        "quote'\"`",
        "$(touch x)",
        "a:b",
        "a|b>c<d",
        "~",
        "#",
        "con",
        "AUX.txt",
        "nul ",
        "LPT1",
        "FILE",
        "file",
        "caf\u{e9}",
        "cafe\u{301}",
        "\u{212a}elvin",
        "Kelvin",
        "\u{202e}gpj.exe",
        "a\u{2066}b\u{2069}",
        "zero\u{200b}width",
        "soft\u{ad}hyphen",
        "tag\u{e0041}",
        "variation\u{fe0f}",
        "\u{3164}",
        "\u{2028}line",
        "\u{1b}]52;c;AA\u{7}",
        "\u{9b}2J",
        "\u{1f600}",
        "l\u{131}ne",
        "\u{df}",
        "SS",
        ".gitignore ",
        ".gitmodules",
        "HEAD",
        "\u{feff}bom",
    ];
    names.extend(texts.iter().map(|text| text.as_bytes().to_vec()));
    names.extend([
        b"\xff".to_vec(),
        b"\xc3".to_vec(),
        b"\xed\xa0\x80".to_vec(),
        b"\xf4\x90\x80\x80".to_vec(),
    ]);
    names.extend([vec![b'l'; 255], "\u{e9}".repeat(127).into_bytes(), vec![0xfe; 255]]);
    names
}

fn quoted(name: &[u8]) -> Vec<u8> {
    let inner = name.iter().flat_map(|byte| if *byte == b'\'' { b"'\\''".to_vec() } else { vec![*byte] });
    b"'".iter().copied().chain(inner).chain(*b"'").collect()
}

#[test]
fn names_that_deceive_are_files_directories_and_targets_as_any() {
    let home = home();
    let repo = scene(&home);
    let mut script = b"set -e; mkdir f l\n".to_vec();
    for (number, name) in names().iter().enumerate() {
        let name = quoted(name);
        let number = number.to_string().into_bytes();
        let parts: [&[u8]; 11] = [
            b"mkdir ./",
            &name,
            b"; echo ",
            &number,
            b" >./",
            &name,
            b"/in; echo ",
            &number,
            b" >f/",
            &name,
            b"\n",
        ];
        script.extend(parts.concat());
        script.extend([b"ln -s ./".as_slice(), &name, b" l/", &number, b"\n"].concat());
    }
    work(&home, &repo, script);
    let written = applies_exactly(&home, &repo);
    assert_eq!(written.len(), 4 * names().len() + 2, "{:?}", refusals(&home, &repo));
}

#[test]
fn spellings_of_gits_name_at_any_depth_are_never_written() {
    let home = home();
    let repo = scene(&home);
    let names = [
        ".GIT",
        ".git.",
        ".git ",
        ".git...",
        ".Git . .",
        "git~1",
        "GIT~1",
        ".g\u{200c}it",
        ".git\u{200d}",
        "\u{feff}.git",
        ".gi\u{206f}t",
        ".git::$INDEX_ALLOCATION",
        ".git:stream",
        ".git\\hooks",
    ];
    let mut script = String::new();
    for name in names {
        for above in [".", "d/e", "new/deep/er"] {
            script.push_str(&format!(
                "mkdir -p '{above}/{name}/hooks'; echo evil >'{above}/{name}/hooks/post-checkout'\n"
            ));
        }
    }
    script.push_str("mkdir plain; echo 'gitdir: ../other' >plain/.git; mkdir -p d/e/f/.git/hooks; echo x >d/e/f/.git/config");
    work(&home, &repo, script);
    applies_exactly(&home, &repo);
    let refused = refusals(&home, &repo);
    assert_eq!(
        refused.iter().filter(|(_, why)| why == "git-directory").count(),
        9 * names.len() + 2,
        "{refused:#?}"
    );
}

#[test]
fn nothing_that_is_written_into_a_git_directory_comes_back_with_an_apply() {
    let home = home();
    let repo = scene(&home);
    let script = "cd .git; echo '* filter=evil' >info/attributes; mkdir -p objects/info objects/pack logs modules/m
        echo /etc >objects/info/alternates; echo x >objects/pack/pack-1.pack; echo x >refs/heads/evil
        echo x >packed-refs; echo 'ref: refs/heads/evil' >HEAD; echo '[core] fsmonitor = evil' >>config
        echo evil >hooks/pre-commit; chmod +x hooks/pre-commit; rm index; echo x >index; echo x >modules/m/config
        echo '/witness' >commondir; ln -s /etc/passwd logs/out; echo beside >../beside";
    work(&home, &repo, script);
    let git = Tree::of(repo.path().join(".git"));
    let written = applies_exactly(&home, &repo);
    assert_eq!(written.len(), 1, "{written:#?}");
    let digest = digest(&home, &repo, &[]);
    try_apply(&home, &repo, &digest, &[]).assert_success();
    Tree::of(repo.path().join(".git")).assert_same_as(&git);
    assert_eq!(text(&repo, "beside"), "beside\n");
    let shown = cofferdam(&home, &repo, &["diff", "-s", "one"]).run();
    for named in
        [".git/hooks/pre-commit", ".git/config", ".git/info/attributes", ".git/objects/info/alternates"]
    {
        assert!(shown.stdout().contains(named), "{named}: {shown}");
    }
    for named in [".git/hooks/pre-commit", ".git/refs/heads/evil", ".git"] {
        let chosen = cofferdam(&home, &repo, &["apply", "-s", "one", "-n", named]).run();
        assert!(!succeeds_or_refuses(&chosen), "{named}: {chosen}");
    }
}

#[test]
fn directories_that_become_files_links_and_directories_again_are_what_they_are_in_the_end() {
    let home = home();
    let repo = scene(&home);
    let script = "rm -r d; echo a >d; rm d; ln -s other d; rm d; mkdir d; echo new >d/x; mkdir -p d/e/y/in; echo z >d/e/y/in/z
        mv other real; ln -s real other; rm tool; mkdir tool; ln -s ../text tool/in; rm File; ln -s file File; ln -s File file
        mkdir -p gone/and; rmdir -p gone/and; rm text; mkdir text; rmdir text; echo back >text";
    work(&home, &repo, script);
    let written = applies_exactly(&home, &repo);
    assert!(written.len() > 8, "{written:#?}");
    // A link lies above this path now: what is chosen is what lies there for the session, or nothing.
    for chosen in ["other/x", "other", "d/e/y", "tool/in", "real"] {
        let (before, outside) = (looks(&repo), Tree::of(home.work().join("witness")));
        let dry = cofferdam(&home, &repo, &["apply", "-s", "one", "-n", "--json", chosen]).run();
        if succeeds_or_refuses(&dry) {
            let digest = dry.json()["digest"].as_str().unwrap().to_owned();
            if succeeds_or_refuses(&try_apply(&home, &repo, &digest, &[chosen])) {
                cofferdam(&home, &repo, &["undo", "-s", "one"]).run().assert_success();
            }
        }
        assert_eq!(looks(&repo), before, "{chosen}");
        Tree::of(home.work().join("witness")).assert_same_as(&outside);
    }
}

#[test]
fn modes_owners_attributes_and_special_files_do_not_come_back() {
    let home = home();
    let repo = scene(&home);
    let script = "echo x >in-the-layer; echo x >locked; chmod 0 locked; mkdir closed; echo x >closed/in; chmod 0 closed
        mkdir setgid; chmod 2777 setgid; echo x >setgid/in; mkdir sticky; chmod 1777 sticky; echo x >sticky/in
        cp /bin/true setuid; chmod 4755 setuid; cp /bin/true runs; chmod 777 runs; echo more >>text; chmod 2644 text
        mkfifo fifo; truncate -s 10G sparse; truncate -s 1M hole; echo x >marked; echo x >capable; echo x >listed
        echo l >one; ln one two; mkdir deep; ln one deep/three; ln -s fifo to-fifo; chmod 0 d/e";
    work(&home, &repo, script);
    let layer = layer(&home);
    let mark = |file: &str, name: &str, value: &[u8]| {
        rustix::fs::setxattr(layer.join(file), name, value, XattrFlags::empty()).unwrap();
    };
    mark("marked", "user.note", b"kept?");
    if rustix::process::geteuid().is_root() {
        // cap_net_raw, effective, in the form of VFS_CAP_REVISION_2.
        let mut capability = [0_u8; 20];
        capability[..6].copy_from_slice(&[1, 0, 0, 2, 0, 0x20]);
        mark("capable", "security.capability", &capability);
        for (name, kind, device) in [
            ("device", FileType::CharacterDevice, rustix::fs::makedev(1, 3)),
            ("disk", FileType::BlockDevice, rustix::fs::makedev(7, 0)),
        ] {
            rustix::fs::mknodat(CWD, layer.join(name), kind, Mode::RUSR, device).unwrap();
            give(&layer, &layer.join(name));
        }
    }
    rustix::fs::mknodat(CWD, layer.join("socket"), FileType::Socket, Mode::RUSR, 0).unwrap();
    give(&layer, &layer.join("socket"));
    applies_exactly(&home, &repo);
    let refused = refusals(&home, &repo);
    for (path, why) in [
        ("setuid", "set-id"),
        ("text", "set-id"),
        ("fifo", "fifo"),
        ("socket", "socket"),
        ("sparse", "too-big"),
    ] {
        assert!(refused.contains(&(path.into(), why.into())), "{path}: {refused:#?}");
    }
    let devices = refused.iter().filter(|(_, why)| why == "device").count();
    assert_eq!(devices, if rustix::process::geteuid().is_root() { 2 } else { 0 });
}

#[test]
fn what_lies_deeper_than_any_path_comes_back_whole_and_goes_again() {
    const DEPTH: usize = 22;
    let name = "a-long-name-".repeat(16);
    let home = home();
    let repo = scene(&home);
    let down = format!(
        "n={name}; i=0; while [ $i -lt {DEPTH} ]; do mkdir -p $n; cd -P $n || exit 1; i=$((i+1)); done"
    );
    work(&home, &repo, format!("{down}; echo at the end >file; ln -s ../outward link"));
    assert!(name.len() * DEPTH > 4096, "longer than PATH_MAX");
    assert_eq!(entries(&home, &repo).len(), DEPTH + 2);
    let digest = digest(&home, &repo, &[]);
    try_apply(&home, &repo, &digest, &[]).assert_success();
    let find = || {
        home.invoke("find")
            .args([name.as_str(), "-type", "f", "-size", "-20c"])
            .in_directory(repo.path())
            .run()
    };
    assert_eq!(find().stdout().lines().count(), 1);
    cofferdam(&home, &repo, &["undo", "-s", "one"]).run().assert_success();
    assert!(!repo.path().join(&name).exists());
    home.cofferdam().args(["discard", "one", "-f"]).run().assert_success();
}

/// One act each; what can't be done after those before it is left out.
const ACTS: [&str; 36] = [
    "rm -rf d",
    "rm -rf d/e",
    "mkdir -p d/e/f",
    "echo new >d/x",
    "echo new >d/e/y",
    "rm -rf other; ln -s ../witness other",
    "rm -rf other; ln -s d other",
    "rm -rf other; ln -s . other",
    "rm -rf d; ln -s other d",
    "rm -rf d; echo file >d",
    "mv d moved",
    "mv moved d",
    "mv d/e e",
    "mkdir -p e; mv e d/again",
    "ln -s /etc/passwd absolute",
    "ln -s ../../../../etc/passwd d/outward",
    "ln -s x/../../witness/file d/through",
    "ln -s loop loop",
    "echo through >other/file",
    "echo through >>other/x",
    "mkfifo d/fifo",
    "rm -f text; mkfifo text",
    "cp /bin/true tool; chmod 6755 tool",
    "chmod 0 text",
    "chmod 0 d",
    "chmod 755 text",
    "mv File file",
    "cp file FILE",
    "rm -f File",
    "mkdir -p d/.GIT/hooks; echo evil >d/.GIT/hooks/post-checkout",
    "mkdir -p n/objects n/refs; echo 'ref: refs/heads/x' >n/HEAD; echo x >n/config",
    "echo 'gitdir: ../witness' >d/.git",
    "echo evil >.git/hooks/post-checkout; echo '[core] fsmonitor = evil' >>.git/config",
    "truncate -s 10G d/huge",
    "test ! -p text && ln text linked && echo more >>linked",
    "echo '*' >.gitignore; echo hidden >hidden",
];

fn acts() -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(ACTS.to_vec(), 4..24).prop_shuffle()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4,
        max_shrink_iters: 8,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn whatever_hostile_acts_come_together_only_what_was_shown_is_written(acts in acts()) {
        let home = home();
        let repo = scene(&home);
        let lines: Vec<String> = acts.iter().map(|act| format!("{{ {act}; }} 2>/dev/null\n")).collect();
        work(&home, &repo, format!("{}exit 0\n", lines.concat()));
        applies_exactly(&home, &repo);
    }
}

#[test]
fn a_path_that_is_named_by_its_bytes_is_the_one_that_is_applied() {
    let home = home();
    let repo = scene(&home);
    let names: [&[u8]; 5] = [b"\xff", b"new\nline", b"-rf", "caf\u{e9}".as_bytes(), b"*"];
    let twins: [&[u8]; 5] = [b"\xfe", b"new", b"rf", "cafe\u{301}".as_bytes(), b"star"];
    let lines = names
        .iter()
        .chain(&twins)
        .flat_map(|name| [b"echo x >./".to_vec(), quoted(name), b"\n".to_vec()].concat());
    work(&home, &repo, lines.collect::<Vec<u8>>());
    for (name, twin) in names.iter().zip(&twins) {
        let chosen = OsStr::from_bytes(name);
        let planned =
            cofferdam(&home, &repo, &["apply", "-s", "one", "-n", "--json", "--"]).arg(chosen).run();
        let digest = planned.assert_success().json()["digest"].as_str().unwrap().to_owned();
        let apply =
            cofferdam(&home, &repo, &["apply", "-s", "one", "--digest", &digest, "--"]).arg(chosen).run();
        apply.assert_success();
        assert!(fs::metadata(repo.path().join(chosen)).unwrap().permissions().mode() & 0o6111 == 0);
        assert!(!repo.path().join(OsStr::from_bytes(twin)).exists(), "{}", name.escape_ascii());
    }
}
