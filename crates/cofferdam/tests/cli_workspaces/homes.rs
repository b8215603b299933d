//! The owner's home: what `--agent-home`, `--tools` and caches bring of it, and that the rest is not there.

use super::OWNER;
use cofferdam_testkit::{Home, Outcome, Tree};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

fn sh(home: &Home, flags: &[&str], script: &str) -> Outcome {
    home.directory("project");
    let run = home.cofferdam().arg("run").args(flags).args(["--", "sh", "-c", script]);
    run.in_directory(home.work().join("project")).run()
}

fn in_home(home: &Home, path: &str, text: &str) {
    home.write(home.home().join(path), text);
}

/// The files below `~/.claude` and the like that show, sorted.
fn shown(run: &Outcome) -> Vec<String> {
    let mut lines: Vec<String> = run.assert_success().stdout().lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn of_an_agents_home_exactly_settings_instructions_and_skills_show() {
    let home = Home::of(OWNER);
    for (path, text) in [
        (
            ".claude/settings.json",
            "{\"model\":\"x\",\"env\":{\"ANTHROPIC_API_KEY\":\"hidden-word\"},\"apiKeyHelper\":\"hidden-word\"}",
        ),
        (".claude/CLAUDE.md", "be kind\n"),
        (".claude/skills/one/SKILL.md", "skill\n"),
        (".claude/agents/a.md", "agent\n"),
        (".claude/commands/c.md", "command\n"),
        (".claude/.credentials.json", "{\"token\":\"hidden-word\"}"),
        (".claude/history.jsonl", "hidden-word\n"),
        (".claude/projects/p/session.jsonl", "hidden-word\n"),
        (".claude/todos/t.json", "hidden-word"),
        (".claude/shell-snapshots/s.sh", "hidden-word"),
        (".claude/statsig/s", "hidden-word"),
        (
            ".claude.json",
            "{\"mcpServers\":{\"m\":{\"command\":\"m\"}},\"oauthAccount\":{\"x\":\"hidden-word\"},\"userID\":\"hidden-word\"}",
        ),
        (".ssh/id_ed25519", "hidden-word\n"),
        (".codex/auth.json", "hidden-word\n"),
    ] {
        in_home(&home, path, text);
    }
    let before = Tree::of(home.home().join(".claude"));
    let list = "cd; find . -type f -not -name .gitconfig | sort";
    let run = sh(&home, &["--agent-home", "claude"], list);
    let expected = [
        "./.claude.json",
        "./.claude/CLAUDE.md",
        "./.claude/agents/a.md",
        "./.claude/commands/c.md",
        "./.claude/settings.json",
        "./.claude/skills/one/SKILL.md",
    ];
    assert_eq!(shown(&run), expected);
    let run = sh(
        &home,
        &["--agent-home", "claude"],
        "cd; grep -r hidden-word . ; cat .claude.json .claude/settings.json",
    );
    let text = run.assert_success().stdout();
    assert!(!text.contains("hidden-word"), "{text}");
    assert!(text.contains("mcpServers") && text.contains("\"model\""), "{text}");

    let script = "cd; echo changed >.claude/CLAUDE.md; echo mine >.claude/skills/one/SKILL.md; rm -r .claude/agents/a.md; touch .claude/history.jsonl";
    sh(&home, &["--agent-home", "claude"], script).assert_success();
    Tree::of(home.home().join(".claude")).assert_same_as(&before);

    let explained = home.cofferdam().args(["explain", "--json", "--agent-home", "claude"]).run();
    let text = explained.assert_success().stdout();
    for file in ["CLAUDE.md", "settings.json", "skills"] {
        assert!(text.contains(file), "{file} is not explained: {text}");
    }
    assert!(!text.contains("credentials.json"), "{text}");
}

#[test]
fn an_agent_that_has_nothing_in_the_home_is_said_in_one_line() {
    let home = Home::of(OWNER);
    let run = sh(&home, &["--agent-home", "codex"], "true");
    let told = run.assert_success().stderr();
    assert_eq!(told.lines().filter(|line| line.contains("codex")).count(), 1, "{run}");
    in_home(&home, ".codex/config.toml", "model = \"x\"\n");
    let run = sh(&home, &["--agent-home", "codex"], "true");
    assert!(!run.assert_success().stderr().contains("codex"), "{run}");
}

#[test]
fn without_being_asked_for_nothing_of_the_home_shows() {
    let home = Home::of(OWNER);
    for path in [
        ".claude/CLAUDE.md",
        ".bashrc",
        ".ssh/id_rsa",
        ".aws/credentials",
        ".config/gh/hosts.yml",
        "notes.txt",
    ] {
        in_home(&home, path, "hidden-word\n");
    }
    let run = sh(&home, &[], "cd; find . -type f -not -name .gitconfig");
    assert_eq!(run.assert_success().stdout(), "");
}

#[test]
fn what_an_agent_keeps_in_its_home_is_there_next_day() {
    let home = Home::of(OWNER);
    in_home(&home, ".claude/CLAUDE.md", "be kind\n");
    let script = "mkdir -p ~/.claude/projects; echo conversation >~/.claude/projects/p.jsonl; echo x >>~/.claude/CLAUDE.md";
    sh(&home, &["--agent-home", "claude"], script).assert_success();
    let resume =
        ["resume", "-s", "project", "--", "sh", "-c", "cat ~/.claude/projects/p.jsonl ~/.claude/CLAUDE.md"];
    let run = home.cofferdam().args(resume).in_directory(home.work().join("project")).run();
    assert_eq!(run.assert_success().stdout(), "conversation\nbe kind\nx\n");
}

#[test]
fn tools_are_read_only_in_the_path_and_bring_no_login() {
    let home = Home::of(OWNER);
    for tool in [
        ".cargo/bin/tool-cargo",
        ".nvm/versions/node/v20.0.0/bin/tool-node",
        ".local/bin/tool-local",
        "go/bin/tool-go",
    ] {
        in_home(&home, tool, "#!/bin/sh\necho \"$0 runs\"\n");
        fs::set_permissions(home.home().join(tool), fs::Permissions::from_mode(0o755)).unwrap();
    }
    in_home(&home, ".rustup/settings.toml", "version = \"12\"\n");
    for secret in [".cargo/credentials.toml", ".cargo/config.toml", ".npmrc", ".config/go/env"] {
        in_home(&home, secret, "hidden-word\n");
    }
    let before = Tree::of(home.home());
    let flags = ["--tools", "cargo", "--tools", "node", "--tools", "local-bin", "--tools", "go"];
    let script =
        "tool-cargo; tool-local; tool-go; ls ~/.nvm/versions/node/v20.0.0/bin; grep -r hidden-word ~ ;
        echo x >~/.cargo/bin/tool-cargo; rm ~/.local/bin/tool-local; touch ~/.cargo/bin/new; true";
    let run = sh(&home, &flags, script);
    let text = run.assert_success().stdout();
    assert_eq!(text.matches(" runs\n").count(), 3, "{run}");
    assert!(text.contains("tool-node") && !text.contains("hidden-word"), "{run}");
    assert!(run.stderr().matches("Read-only file system").count() >= 3, "{run}");
    let after = Tree::of(home.home());
    let touched: Vec<_> = after
        .differences(&before)
        .into_iter()
        .filter(|line| !line.contains(".local/state") && !line.contains("links"))
        .collect();
    assert!(touched.iter().all(|line| line.contains(".local")), "{touched:?}");
    let none = sh(&home, &["--tools", "deno"], "true");
    assert!(none.assert_success().stderr().contains("deno"), "a set that is not there is not said: {none}");
}

/// rustup and cargo write beside their toolchains and caches, and fail where they can't.
/// A script of a package looks for the rest of it beside where it lies itself: alone, it would start and fail oddly.
#[test]
fn a_program_of_npms_is_brought_with_its_package_or_not_at_all() {
    let home = Home::of(OWNER);
    in_home(&home, ".local/lib/node_modules/codex/bin/codex.js", "#!/bin/sh\nexec cat \"${0%/*}/../rest\"\n");
    in_home(&home, ".local/lib/node_modules/codex/rest", "whole\n");
    let script = home.home().join(".local/lib/node_modules/codex/bin/codex.js");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    home.directory(home.home().join(".local/bin"));
    symlink("../lib/node_modules/codex/bin/codex.js", home.home().join(".local/bin/codex")).unwrap();
    let command = "readlink -f \"$(command -v codex)\" && exec $(readlink -f \"$(command -v codex)\")";
    let alone = sh(&home, &["--agent-home", "codex"], command);
    alone.assert_exit(1);
    assert!(alone.stderr().contains("--tools node --tools local-bin"), "{alone}");
    let whole = sh(&home, &["--agent-home", "codex", "--tools", "node", "--tools", "local-bin"], command);
    assert!(whole.assert_success().stdout().ends_with("codex/bin/codex.js\nwhole\n"), "{whole}");
}

#[test]
fn tools_outside_the_home_work_and_bring_no_login_either() {
    let home = Home::of(OWNER);
    let tools = home.directory("opt");
    let (cargo, rustup) = (tools.join("cargo"), tools.join("rustup"));
    for (path, text) in [
        ("cargo/bin/tool-cargo", "#!/bin/sh\necho runs\n"),
        ("cargo/credentials.toml", "hidden-word\n"),
        ("cargo/registry/cache/x.crate", "warm\n"),
        ("rustup/toolchains/stable/bin/rustc", "x\n"),
        ("rustup/settings.toml", "version = \"12\"\n"),
    ] {
        home.write(tools.join(path), text);
    }
    fs::set_permissions(cargo.join("bin/tool-cargo"), fs::Permissions::from_mode(0o755)).unwrap();
    let project = home.directory("project");
    let before = Tree::of(&tools);
    let invoke = |arguments: &[&str]| {
        let invocation = home.cofferdam().args(arguments).in_directory(&project);
        invocation.env("CARGO_HOME", &cargo).env("RUSTUP_HOME", &rustup).run()
    };
    let script = "set -e; tool-cargo; cat $CARGO_HOME/registry/cache/x.crate; ls -A $CARGO_HOME $RUSTUP_HOME;
        touch $CARGO_HOME/.package-cache; mkdir $RUSTUP_HOME/update-hashes; rm $CARGO_HOME/registry/cache/x.crate
        ! touch $CARGO_HOME/bin/new 2>/dev/null; ! touch $RUSTUP_HOME/toolchains/new 2>/dev/null";
    let run = invoke(&["run", "--tools", "cargo", "--", "sh", "-c", script]);
    let expected = format!(
        "runs\nwarm\n{}:\nbin\nregistry\n\n{}:\nsettings.toml\ntoolchains\n",
        cargo.display(),
        rustup.display()
    );
    assert_eq!(run.assert_success().stdout(), expected, "{run}");
    Tree::of(&tools).assert_same_as(&before);
    let explained = invoke(&["explain", "--tools", "cargo"]);
    for place in [&cargo, &rustup] {
        let line = format!("{}: empty, in memory", place.display());
        assert!(explained.assert_success().stdout().contains(&line), "{explained}");
    }
    let again = invoke(&["resume", "--", "sh", "-c", "ls -A $RUSTUP_HOME | wc -l; touch $CARGO_HOME/x"]);
    assert_eq!(again.assert_success().stdout(), "2\n", "{again}");
}

#[test]
fn tools_where_nothing_can_be_put_are_refused() {
    let home = Home::of(OWNER);
    let above = home.home().parent().unwrap().to_owned();
    for place in ["/", "/usr/local", "/etc/rust", "relative", above.to_str().unwrap()] {
        let run = home.cofferdam().env("RUSTUP_HOME", place).args(["run", "--tools", "cargo", "--", "true"]);
        run.run().assert_refused(202, &["tools cargo", "RUSTUP_HOME", "variable"]);
    }
}

#[test]
fn download_caches_are_read_warm_and_written_privately() {
    let home = Home::of(OWNER);
    in_home(&home, ".cargo/registry/cache/index/crate-1.0.crate", "warm\n");
    in_home(&home, ".cargo/bin/x", "");
    in_home(&home, "go/pkg/mod/cache/download/m", "warm\n");
    let before = Tree::of(home.home().join(".cargo"));
    let go = Tree::of(home.home().join("go"));
    let script = "cat ~/.cargo/registry/cache/index/*.crate ~/go/pkg/mod/cache/download/m;
        echo new >~/.cargo/registry/cache/index/other.crate; rm ~/.cargo/registry/cache/index/crate-1.0.crate; ls ~/.cargo/registry/cache/index";
    let flags = ["--tools", "cargo", "--tools", "go"];
    let run = sh(&home, &flags, script);
    assert_eq!(run.assert_success().stdout(), "warm\nwarm\nother.crate\n");
    Tree::of(home.home().join(".cargo")).assert_same_as(&before);
    Tree::of(home.home().join("go")).assert_same_as(&go);
    let next = sh(&home, &flags, "ls ~/.cargo/registry/cache/index");
    assert_eq!(next.assert_success().stdout(), "crate-1.0.crate\n");
}
