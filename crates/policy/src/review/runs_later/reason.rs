//! Why something runs later, as a code that scripts can rely on.
//!
//! Codes are only ever added. Which names have which reason is in the tables beside this.

use std::fmt;

/// A kind of thing that runs later on the host, or decides what does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReasonCode {
    /// Run by git itself.
    GitHook,
    /// Run by git by way of a manager of hooks.
    HookManager,
    /// Configuration by which git runs programs or fetches others' code.
    GitConfiguration,
    /// A repository within the repository.
    Submodule,
    /// Continuous integration and deployment.
    Ci,
    /// Instructions, settings, tools and skills of agent programs.
    Agent,
    /// Start files of shells and of programs used in them.
    Shell,
    /// What sets the environment on entering a directory.
    Environment,
    /// Timers.
    Scheduled,
    /// Services and what the system loads with authority.
    Service,
    /// Launchers and what a click starts.
    Desktop,
    /// Libraries loaded into programs.
    Loader,
    /// Read by an interpreter before the program.
    InterpreterStartup,
    /// Editors, debuggers and their language servers.
    Editor,
    /// Development containers and environments.
    DevContainer,
    /// Images of containers and virtual machines.
    Container,
    /// Descriptions of infrastructure that programs carry out.
    Infrastructure,
    /// Pinned dependencies.
    LockFile,
    /// Named dependencies, and where they come from.
    Dependencies,
    /// Scripts of a package that its manager runs.
    PackageScripts,
    /// Which compiler or interpreter runs, and by what wrapper.
    Toolchain,
    /// Build files and scripts.
    Build,
    /// Recipes for a runner of tasks.
    TaskRunner,
    /// Read by a test runner.
    Tests,
    /// Read by a linter, formatter or generator.
    Linter,
    /// Opened in a browser.
    Page,
    /// Cells that a person runs.
    Notebook,
    /// Documents that can hold macros.
    Macros,
    /// Data that can run code when it is loaded.
    Pickle,
    /// Compiled code.
    Binary,
    /// A script by its name or first line.
    Script,
    /// The mode says so.
    Executable,
    /// The owner's policy says so.
    Owner,
}

impl ReasonCode {
    /// Every code, in order.
    pub const ALL: [Self; 33] = [
        Self::GitHook,
        Self::HookManager,
        Self::GitConfiguration,
        Self::Submodule,
        Self::Ci,
        Self::Agent,
        Self::Shell,
        Self::Environment,
        Self::Scheduled,
        Self::Service,
        Self::Desktop,
        Self::Loader,
        Self::InterpreterStartup,
        Self::Editor,
        Self::DevContainer,
        Self::Container,
        Self::Infrastructure,
        Self::LockFile,
        Self::Dependencies,
        Self::PackageScripts,
        Self::Toolchain,
        Self::Build,
        Self::TaskRunner,
        Self::Tests,
        Self::Linter,
        Self::Page,
        Self::Notebook,
        Self::Macros,
        Self::Pickle,
        Self::Binary,
        Self::Script,
        Self::Executable,
        Self::Owner,
    ];

    /// The stable text of the code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GitHook => "git-hook",
            Self::HookManager => "hook-manager",
            Self::GitConfiguration => "git-configuration",
            Self::Submodule => "submodule",
            Self::Ci => "ci",
            Self::Agent => "agent",
            Self::Shell => "shell",
            Self::Environment => "environment",
            Self::Scheduled => "scheduled",
            Self::Service => "service",
            Self::Desktop => "desktop",
            Self::Loader => "loader",
            Self::InterpreterStartup => "interpreter-startup",
            Self::Editor => "editor",
            Self::DevContainer => "dev-container",
            Self::Container => "container",
            Self::Infrastructure => "infrastructure",
            Self::LockFile => "lock-file",
            Self::Dependencies => "dependencies",
            Self::PackageScripts => "package-scripts",
            Self::Toolchain => "toolchain",
            Self::Build => "build",
            Self::TaskRunner => "task-runner",
            Self::Tests => "tests",
            Self::Linter => "linter",
            Self::Page => "page",
            Self::Notebook => "notebook",
            Self::Macros => "macros",
            Self::Pickle => "pickle",
            Self::Binary => "binary",
            Self::Script => "script",
            Self::Executable => "executable",
            Self::Owner => "owner",
        }
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
