//! What init finds, and that what it writes is a policy.

use super::*;
use cofferdam_policy::event::UnixNanos;
use cofferdam_policy::wish::Wish;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;

struct Scene {
    _directory: tempfile::TempDir,
    root: PathBuf,
    context: Context,
}

fn scene(home: &[&str], project: &[&str]) -> Scene {
    let directory = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(directory.path()).unwrap();
    for (base, names) in [("home", home), ("project", project)] {
        fs::create_dir_all(root.join(base)).unwrap();
        for name in names {
            let path = root.join(base).join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            if name.ends_with('/') { fs::create_dir_all(path).unwrap() } else { fs::write(path, "").unwrap() }
        }
    }
    let environment = BTreeMap::from([("HOME".into(), root.join("home").into_os_string())]);
    let context = Context::new(environment, root.join("project"), || UnixNanos(0)).unwrap();
    Scene { _directory: directory, root, context }
}

impl Scene {
    fn plan(&self) -> InitPlan {
        plan(&self.context, &self.root.join("project")).unwrap()
    }
}

/// The text with every suggestion taken.
fn all_taken(text: &str) -> String {
    let taken = text.lines().map(|line| {
        let bare = line.trim_start();
        match bare.strip_prefix('#') {
            Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => rest.to_owned(),
            Some(_) | None => line.to_owned(),
        }
    });
    taken.collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_written_is_a_policy_as_it_is_and_with_every_suggestion_taken() {
    let home = [".cargo/bin/cargo", ".claude/settings.json", ".claude/CLAUDE.md"];
    let project = [
        "Cargo.toml",
        "web/package.json",
        "web/pnpm-lock.yaml",
        "go.mod",
        "secrets.json",
        ".env",
        "GEMINI.md",
    ];
    for (home, project) in [(&home[..], &project[..]), (&[], &[])] {
        let plan = scene(home, project).plan();
        Wish::parse(plan.text.as_bytes()).unwrap();
        let wish = Wish::parse(all_taken(&plan.text).as_bytes()).unwrap();
        assert!(wish.limits.len() == 6 && !wish.deny.paths.is_empty() && !wish.mounts.is_empty());
        assert!(plan.text.lines().all(|line| line.chars().count() <= 160), "{}", plan.text);
    }
}

#[test]
fn only_tools_that_the_owner_has_count_and_the_others_are_commented_out_with_the_reason() {
    let scene = scene(&[".cargo/bin/cargo"], &["Cargo.toml", "web/package.json", "node_modules/x/go.mod"]);
    let plan = scene.plan();
    let wish = Wish::parse(plan.text.as_bytes()).unwrap();
    assert_eq!(wish.tools, ["cargo"]);
    assert!(
        plan.text.contains("#\"node\",  # web/package.json: nothing of it is in your home"),
        "{}",
        plan.text
    );
    assert!(!plan.text.contains("\"go\","), "{}", plan.text);
}

#[test]
fn an_agent_counts_if_it_is_in_the_home_and_not_because_a_repository_speaks_to_it() {
    let scene = scene(&[".claude/settings.json", ".agents/skills/"], &["CLAUDE.md", ".codex/config.toml"]);
    let plan = scene.plan();
    let wish = Wish::parse(plan.text.as_bytes()).unwrap();
    assert_eq!(wish.agent_homes, ["claude"]);
    assert!(plan.text.contains("#\"codex\""), "{}", plan.text);
    assert!(!plan.found.iter().any(|found| found.name == "pi"), "a shared directory is nobody's sign");
}

#[test]
fn what_looks_like_a_secret_is_named_and_what_is_hidden_anyway_too() {
    let plan = scene(&[], &[".env", "secrets.json", "config/database.yml"]).plan();
    assert!(plan.text.contains("# Hidden here by default: .env"), "{}", plan.text);
    assert!(plan.text.contains("#\"config/database.yml\",  # may hold a login"), "{}", plan.text);
}

#[test]
fn a_name_cannot_write_into_the_policy() {
    let scene = scene(&[], &[]);
    for name in [
        &b"token\"]\nmounts = [\"~\"] #.json"[..],
        b"secret\xff.txt",
        b"pass\x1b[2Jwd.txt",
        b"a'''secret.txt",
    ] {
        fs::write(scene.root.join("project").join(OsStr::from_bytes(name)), "").unwrap();
    }
    let plan = scene.plan();
    let wish = Wish::parse(plan.text.as_bytes()).unwrap();
    assert!(wish.mounts.is_empty() && wish.masks.is_empty(), "{}", plan.text);
    assert!(plan.text.chars().all(|c| c == '\n' || !c.is_control()), "{}", plan.text);
    let taken = all_taken(&plan.text);
    Wish::parse(taken.as_bytes()).unwrap();
}

#[test]
fn a_policy_that_is_there_stays_unless_it_is_to_be_replaced() {
    let scene = scene(&[], &["Cargo.toml"]);
    let plan = scene.plan();
    write(&plan, false).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&plan.path), mode(plan.path.parent().unwrap())), (0o600, 0o700));
    let found = Policies::of(&scene.context).find(&scene.root.join("project")).unwrap().unwrap();
    assert_eq!(found.path, plan.path);
    fs::write(&plan.path, "tools = [\"go\"]").unwrap();
    let refusal = write(&plan, false).unwrap_err();
    assert_eq!((refusal.kind, refusal.why().as_str()), (ErrorKind::Policy, "there is one already"));
    assert_eq!(fs::read_to_string(&plan.path).unwrap(), "tools = [\"go\"]");
    write(&plan, true).unwrap();
    assert_eq!(fs::read_to_string(&plan.path).unwrap(), plan.text);
    assert_eq!(fs::read_dir(plan.path.parent().unwrap()).unwrap().count(), 1, "no temporary file is left");
}
