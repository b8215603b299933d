//! What editors, debuggers, agent programs and development containers run.
//!
//! `.editorconfig` is not here: it can say nothing but how text is indented and ended.

use super::{ReasonCode, Row};

pub(super) const ROWS: &[Row] = &[
    Row {
        patterns: "
            skill.md *.mdc *.prompt.md *.instructions.md *.chatmode.md *.agent.md mcp.json mcp_config.json
            mcp.*.json .mcp/ .mcpb claude_desktop_config.json copilot-instructions.md
            copilot-setup-steps.yml llms.txt .aider* .sweep.yaml .coderabbit.yaml .coderabbit.yml .codeium/
            .tabnine* .trae/ .openhands/ .devin/ .aiignore .aiexclude .claudeignore .codexignore
            .cursorindexingignore .codeiumignore .clineignore .rooignore .prompts/ .claude.json agents.yaml
            .agentrules .ai/ .bito* .cody/ .pearai* .void/ .sourcery.yaml .gitingest* .ruler/ cofferdam.toml
        ",
        reason: ReasonCode::Agent,
        why: "an agent program reads it as instructions or starts the tools that it defines",
    },
    Row {
        patterns: "
            .vscode/ .vscode-server/ .vscode-test* *.code-workspace .theia/ .vscodium/
        ",
        reason: ReasonCode::Editor,
        why: "VS Code and its relatives run its tasks, and start the programs that its settings name",
    },
    Row {
        patterns: "
            .idea/ .run/ *.iml *.ipr *.iws .fleet/ *.run.xml http-client.env.json *.http
        ",
        reason: ReasonCode::Editor,
        why: "the JetBrains programs run its configurations, watchers and start-up tasks",
    },
    Row {
        patterns: "
            .vim/ .vimrc _vimrc .gvimrc .exrc _exrc .nvimrc .nvim.lua .nvim/ .lvimrc .local.vimrc
            .vimspector.json .ycm_extra_conf.py *.vim .neoconf.json .projections.json coc-settings.json
        ",
        reason: ReasonCode::Editor,
        why: "Vim or Neovim runs it when a file here is opened",
    },
    Row {
        patterns: "
            .dir-locals.el .dir-locals-2.el .emacs .emacs.d/ .emacs.el .spacemacs *.el .projectile eldev
            eldev-local eask cask
        ",
        reason: ReasonCode::Editor,
        why: "Emacs runs it, or evaluates what it holds, when a file here is opened",
    },
    Row {
        patterns: "
            .helix/ .zed/ *.sublime-project *.sublime-workspace *.sublime-build *.sublime-settings .kakrc
            .kateproject .kateconfig .micro/ .lapce/ .project .classpath .cproject .settings/
            .externaltoolbuilders/ nbproject/ .vs/ *.vcxproj.user *.csproj.user .clangd .ccls .ccls-root
            compile_commands.json compile_flags.txt pyrightconfig.json .luarc.json .luarc.jsonc
            .ropeproject/ .atom/ .brackets.json .nova/ .metals/ .bloop/ .bsp/ .merlin .ensime hie.yaml
            .sourcekit-lsp/ .ctags .ctags.d/ .geany
        ",
        reason: ReasonCode::Editor,
        why: "an editor or language server takes commands to run from it",
    },
    Row {
        patterns: "
            .gdbinit gdbinit .gdbearlyinit .gdb/ *-gdb.py *-gdb.gdb *-gdb.scm .lldbinit lldbinit .lldbinit-*
            .radare2rc .rr/ *.wds .dap.json
        ",
        reason: ReasonCode::Editor,
        why: "a debugger runs it when it is started here",
    },
    Row {
        patterns: "
            .devcontainer/ .devcontainer.json devcontainer.json .gitpod.yml .gitpod.yaml .gitpod.dockerfile
            .idx/ devfile.yaml .devfile.yaml devbox.json devenv.nix devenv.yaml devenv.local.nix .replit
            replit.nix .codesandbox/ sandbox.config.json .stackblitzrc .coder/ .daytona/ .ona/ .okteto/
            okteto.yml dev.nix distrobox.ini .toolbox* .envbuilder/ shell.nix
        ",
        reason: ReasonCode::DevContainer,
        why: "a development container or environment is built from it, and its commands run on opening",
    },
];
