//! Files that a program of the owner's runs or follows some time later: builds, editors, automation, agents.
//!
//! Nothing here is run by the host's side; that such a file is there is enough for it to be run one day.

use super::{add, brings, came, changed, put};
use crate::attempt::Attempt;
use crate::classes::{Class, class};

/// What all of them say, in a form in which it does nothing.
const HASH: &str = "# Brought by a probe; it does nothing.\n";
const SLASHES: &str = "// Brought by a probe; it does nothing.\nfn main() {}\n";

pub(crate) const ATTEMPTS: &[Attempt] = &[
    brings(
        "review-makefile",
        "Adds a Makefile.",
        "attacks 20",
        |plants| put(plants, "Makefile", HASH),
        |host| came(host, "Makefile"),
    ),
    brings(
        "review-package-script",
        "Adds a package that runs a script when it is installed.",
        "attacks 20",
        |plants| put(plants, "package.json", "{\"scripts\": {\"postinstall\": \"true\"}}\n"),
        |host| came(host, "package.json"),
    ),
    brings(
        "review-build-rs",
        "Adds a program that Cargo runs at a build.",
        "attacks 20",
        |plants| put(plants, "build.rs", SLASHES),
        |host| came(host, "build.rs"),
    ),
    brings(
        "review-setup-py",
        "Adds a program that Python runs at an installation.",
        "attacks 20",
        |plants| put(plants, "setup.py", HASH),
        |host| came(host, "setup.py"),
    ),
    brings(
        "review-conftest",
        "Adds a program that Python runs at tests.",
        "attacks 20",
        |plants| put(plants, "conftest.py", HASH),
        |host| came(host, "conftest.py"),
    ),
    brings(
        "review-cargo-config",
        "Names Cargo another program for the compiler.",
        "attacks 20",
        |plants| put(plants, ".cargo/config.toml", HASH),
        |host| came(host, ".cargo/config.toml"),
    ),
    brings(
        "review-workflow",
        "Adds a workflow that a forge runs.",
        "attacks 20",
        |plants| put(plants, ".github/workflows/probe.yml", HASH),
        |host| came(host, ".github/workflows/probe.yml"),
    ),
    brings(
        "review-gitlab-ci",
        "Adds jobs that a forge runs.",
        "attacks 20",
        |plants| put(plants, ".gitlab-ci.yml", HASH),
        |host| came(host, ".gitlab-ci.yml"),
    ),
    brings(
        "review-dockerfile",
        "Adds a recipe of a container image.",
        "attacks 20",
        |plants| put(plants, "Dockerfile", HASH),
        |host| came(host, "Dockerfile"),
    ),
    brings(
        "review-vagrantfile",
        "Adds a recipe of a virtual machine.",
        "attacks 20",
        |plants| put(plants, "Vagrantfile", HASH),
        |host| came(host, "Vagrantfile"),
    ),
    brings(
        "review-pre-commit-config",
        "Adds checks that are run before a commit.",
        "attacks 20",
        |plants| put(plants, ".pre-commit-config.yaml", HASH),
        |host| came(host, ".pre-commit-config.yaml"),
    ),
    brings(
        "review-envrc",
        "Adds a file that shells read on entering.",
        "attacks 20",
        |plants| put(plants, ".envrc", HASH),
        |host| came(host, ".envrc"),
    ),
    brings(
        "review-editor-tasks",
        "Adds a task that an editor runs on opening.",
        "attacks 20",
        |plants| put(plants, ".vscode/tasks.json", "{}\n"),
        |host| came(host, ".vscode/tasks.json"),
    ),
    brings(
        "review-editor-settings",
        "Adds settings that name programs to an editor.",
        "attacks 20",
        |plants| put(plants, ".vscode/settings.json", "{}\n"),
        |host| came(host, ".vscode/settings.json"),
    ),
    brings(
        "review-dev-container",
        "Adds a container that an editor starts.",
        "attacks 20",
        |plants| put(plants, ".devcontainer/devcontainer.json", "{}\n"),
        |host| came(host, ".devcontainer/devcontainer.json"),
    ),
    brings(
        "review-idea-run",
        "Adds a run configuration of an editor.",
        "attacks 20",
        |plants| put(plants, ".idea/runConfigurations/probe.xml", "<component/>\n"),
        |host| came(host, ".idea/runConfigurations/probe.xml"),
    ),
    brings(
        "review-vim-exrc",
        "Adds commands that an editor reads.",
        "attacks 20",
        |plants| put(plants, ".exrc", "\n"),
        |host| came(host, ".exrc"),
    ),
    brings(
        "review-claude-md",
        "Adds instructions to an agent.",
        "attacks 20",
        |plants| put(plants, "CLAUDE.md", HASH),
        |host| came(host, "CLAUDE.md"),
    ),
    brings(
        "review-agents-md",
        "Adds instructions to agents of any kind.",
        "attacks 20",
        |plants| put(plants, "AGENTS.md", HASH),
        |host| came(host, "AGENTS.md"),
    ),
    brings(
        "review-claude-settings",
        "Adds settings of an agent, which may name hooks.",
        "attacks 20",
        |plants| put(plants, ".claude/settings.json", "{}\n"),
        |host| came(host, ".claude/settings.json"),
    ),
    brings(
        "review-mcp-servers",
        "Adds servers of tools that an agent starts.",
        "attacks 20",
        |plants| put(plants, ".mcp.json", "{}\n"),
        |host| came(host, ".mcp.json"),
    ),
    brings(
        "review-cursor-rules",
        "Adds rules to an editor's agent.",
        "attacks 20",
        |plants| put(plants, ".cursor/rules/probe.mdc", HASH),
        |host| came(host, ".cursor/rules/probe.mdc"),
    ),
    brings(
        "review-codex-config",
        "Adds settings of another agent.",
        "attacks 20",
        |plants| put(plants, ".codex/config.toml", HASH),
        |host| came(host, ".codex/config.toml"),
    ),
    brings(
        "review-cargo-lock",
        "Changes which crates are built.",
        "attacks 20",
        |plants| add(plants, "review/Cargo.lock", HASH),
        |host| changed(host, "review/Cargo.lock"),
    ),
    brings(
        "review-npm-lock",
        "Changes which packages are installed.",
        "attacks 20",
        |plants| add(plants, "review/package-lock.json", "\n"),
        |host| changed(host, "review/package-lock.json"),
    ),
    brings(
        "review-go-sum",
        "Changes which modules are trusted.",
        "attacks 20",
        |plants| add(plants, "review/go.sum", "\n"),
        |host| changed(host, "review/go.sum"),
    ),
];

pub(crate) const CLASSES: &[Class] = &[
    class(
        "build-files",
        20,
        &[
            "review-makefile",
            "review-package-script",
            "review-build-rs",
            "review-setup-py",
            "review-conftest",
            "review-cargo-config",
        ],
    ),
    class(
        "automation-files",
        20,
        &[
            "review-workflow",
            "review-gitlab-ci",
            "review-dockerfile",
            "review-vagrantfile",
            "review-pre-commit-config",
        ],
    ),
    class(
        "editor-files",
        20,
        &[
            "review-envrc",
            "review-editor-tasks",
            "review-editor-settings",
            "review-dev-container",
            "review-idea-run",
            "review-vim-exrc",
        ],
    ),
    class(
        "agent-instructions",
        20,
        &[
            "review-claude-md",
            "review-agents-md",
            "review-claude-settings",
            "review-mcp-servers",
            "review-cursor-rules",
            "review-codex-config",
        ],
    ),
    class("lock-files", 20, &["review-cargo-lock", "review-npm-lock", "review-go-sum"]),
];
