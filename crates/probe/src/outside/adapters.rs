//! Other sandboxes by name: what a user types to run a program in them that may write in a project directory.
//!
//! Each command is what the tool's own documentation shows for that, and nothing that makes it better or worse; where
//! it is from is said beside it. It installs nothing and passes no judgement.

/// How one sandbox is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adapter {
    /// What it is called in `--against NAME`.
    pub name: &'static str,
    /// A command for `sh -c`, with `{}` where the probe's command line stands, `{workspace}` for the work directory
    /// and `{home}` for the home directory, each quoted when it is put in.
    pub command: &'static str,
    /// How it is asked for its version: the first line of what it prints. Empty where there is none.
    pub version: &'static [&'static str],
    /// The least that it can start; where this fails it can't be measured on this machine.
    pub trial: &'static [&'static str],
    /// How a user comes to it, in one line.
    pub install: &'static str,
    /// Where the command is from.
    pub documented: &'static str,
}

/// All of them, in the order in which they are shown.
pub const ADAPTERS: &[Adapter] = &[BWRAP, CODEX, DOCKER, FIREJAIL, LANDRUN, PODMAN, SRT, SYSTEMD_RUN, NONE];

/// The adapter named `name`.
#[must_use]
pub fn find(name: &str) -> Option<&'static Adapter> {
    ADAPTERS.iter().find(|adapter| adapter.name == name)
}

/// No sandbox: what a program can reach that is simply started.
const NONE: Adapter = Adapter {
    name: "none",
    command: "{}",
    version: &[],
    trial: &["true"],
    install: "nothing is needed",
    documented: "no sandbox: the program is just started",
};

/// Of the demonstration beside its README (demos/bubblewrap-shell.sh), less the account files that it makes up; with
/// the work directory bound, and with `--new-session`, which the README's section on limitations asks for.
const BWRAP: Adapter = Adapter {
    name: "bwrap",
    command: "bwrap --ro-bind /usr /usr --dir /tmp --dir /var --symlink ../tmp var/tmp --proc /proc --dev /dev \
              --ro-bind-try /etc/resolv.conf /etc/resolv.conf --symlink usr/lib /lib --symlink usr/lib64 /lib64 \
              --symlink usr/bin /bin --symlink usr/sbin /sbin --unshare-all --share-net --die-with-parent \
              --new-session --bind {workspace} {workspace} --chdir {workspace} {}",
    version: &["bwrap", "--version"],
    trial: &["bwrap", "--ro-bind", "/", "/", "--unshare-all", "true"],
    install: "apt-get install bubblewrap",
    documented: "as demos/bubblewrap-shell.sh beside its README, with the work directory bound and the --new-session \
                 that the README advises; its README calls it a tool for making sandboxes, not a ready-made one",
};

/// `codex sandbox --help`; the mode is the one that its README gives for writing within the workspace. What it uses for
/// a directory that nobody has trusted yet lets nothing write.
const CODEX: Adapter = Adapter {
    name: "codex",
    command: "codex sandbox -c 'sandbox_mode=\"workspace-write\"' -- {}",
    version: &["codex", "--version"],
    trial: &["codex", "sandbox", "--", "true"],
    install: "npm install -g @openai/codex",
    documented: "codex sandbox --help, in the mode workspace-write, which its README gives for writing in the \
                 workspace; the sandbox of its commands alone, without the agent and its questions",
};

/// The reference of `docker run`: a bind mount, the work directory, and an image.
const DOCKER: Adapter = Adapter {
    name: "docker",
    command: "docker run --rm -v {workspace}:{workspace} -w {workspace} debian:stable-slim {}",
    version: &["docker", "--version"],
    trial: &["docker", "run", "--rm", "debian:stable-slim", "true"],
    install: "apt-get install docker.io, and start its engine",
    documented: "docker run, as its reference shows for -v and -w",
};

/// Its README: "prefix your command with firejail". `--quiet` takes away what it prints, and changes nothing else.
const FIREJAIL: Adapter = Adapter {
    name: "firejail",
    command: "firejail --quiet {}",
    version: &["firejail", "--version"],
    trial: &["firejail", "--quiet", "true"],
    install: "apt-get install firejail",
    documented: "its README: prefix your command with firejail, which applies its default profile",
};

/// The README's examples: system directories with `--rox` and `--ro`, and `--rwx` for a directory that is written and
/// executed in; `--best-effort` is what it advises for kernels that lack the newest features.
const LANDRUN: Adapter = Adapter {
    name: "landrun",
    command: "landrun --best-effort --rox /usr --ro /etc,/lib,/lib64 --rwx {workspace} -- {}",
    version: &["landrun", "--version"],
    trial: &["landrun", "--best-effort", "--rox", "/usr", "--ro", "/etc,/lib,/lib64", "--", "/usr/bin/true"],
    install: "apt-get install landrun (Debian from forky on), or: go install github.com/zouuup/landrun/cmd/landrun@latest",
    documented: "the examples of its README, with --rwx for the work directory",
};

/// As docker, whose command line it takes.
const PODMAN: Adapter = Adapter {
    name: "podman",
    command: "podman run --rm -v {workspace}:{workspace} -w {workspace} debian:stable-slim {}",
    version: &["podman", "--version"],
    trial: &["podman", "run", "--rm", "debian:stable-slim", "true"],
    install: "apt-get install podman",
    documented: "podman-run(1), as its examples show for -v and -w",
};

/// The README's recipe "Restrict to specific directories", less its example directories. Without any settings it lets
/// nothing write in the work directory. The file lies beside the work directory, where the probe has no business.
const SRT: Adapter = Adapter {
    name: "srt",
    command: "printf '%s' '{\"network\":{\"allowedDomains\":[],\"deniedDomains\":[]},\
              \"filesystem\":{\"denyRead\":[\"~/.ssh\"],\"allowWrite\":[\".\"],\"denyWrite\":[\".env\",\"secrets/\"]}}' \
              >{workspace}/../srt-settings.json; srt --settings {workspace}/../srt-settings.json {}",
    version: &["srt", "--version"],
    trial: &["srt", "true"],
    install: "npm install -g @anthropic-ai/sandbox-runtime; apt-get install bubblewrap socat ripgrep",
    documented: "the recipe \"Restrict to specific directories\" of its README, as without settings nothing may write in \
                 the work directory",
};

/// systemd.exec(5), "Sandboxing": its README shows no command line for this.
const SYSTEMD_RUN: Adapter = Adapter {
    name: "systemd-run",
    command: "systemd-run --user --quiet --wait --collect --pipe --same-dir -p NoNewPrivileges=yes \
              -p ProtectSystem=strict -p ProtectHome=read-only -p PrivateTmp=yes -p ReadWritePaths={workspace} {}",
    version: &["systemd-run", "--version"],
    trial: &["systemd-run", "--user", "--quiet", "--wait", "--collect", "true"],
    install: "it comes with systemd; it needs a systemd of the user's own (a login session)",
    documented: "systemd-run(1) with the settings of systemd.exec(5), \"Sandboxing\", that leave one directory writable",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_the_probe_once_and_at_its_end() {
        for adapter in ADAPTERS {
            assert_eq!(adapter.command.matches("{}").count(), 1, "{}", adapter.name);
            assert!(adapter.command.ends_with("{}"), "{}", adapter.name);
        }
    }

    #[test]
    fn names_are_unique_and_found() {
        for adapter in ADAPTERS {
            assert_eq!(find(adapter.name), Some(adapter), "{}", adapter.name);
            assert!(
                !adapter.trial.is_empty() && !adapter.install.is_empty() && !adapter.documented.is_empty()
            );
        }
        assert_eq!(find("no-such"), None);
    }
}
