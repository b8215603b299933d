//! The grammar of the command line, with its help and examples.

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};
use cofferdam_policy::net::host::Port;
use cofferdam_policy::presets::sets::registry::Registry;
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

/// Let an AI agent loose inside a watertight wall, and decide afterwards what comes out.
#[derive(Debug, Parser)]
#[command(name = "cofferdam", version, arg_required_else_help = true, disable_help_subcommand = true)]
#[command(help_template = crate::help::template(), after_help = "Examples:
  cofferdam run -- make test          on a copy-on-write view of this repository
  cofferdam run --tools node -- bash  a shell in it, with your node
  cofferdam explain                   what it could touch, to the last item
  cofferdam review                    go through what the latest session did
  cofferdam apply                     go through it, and write what you take
  cofferdam undo                      take that back
  cofferdam apply --commits           bring its commits, under names of their own
  cofferdam doctor                    what this machine can enforce

Where no session is named, it is the latest of this directory. Exit codes of our
own are 200 to 219; every other is the command's. See docs/exit-codes.md.")]
pub(crate) struct Arguments {
    /// Report as JSON on standard output.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a command in a new session
    #[command(after_help = "Examples:
  cofferdam run -- npm test
  cofferdam run --agent-home claude --tools node -- claude
  cofferdam run -w . -w ../library --instructions ../library -- bash
  cofferdam run --mount ~/datasets:/data:ro --limit memory=4G --limit time=30m -- python train.py
  cofferdam run --allow 'GET api.example.com:443/v1/**' -- ./fetch
  cofferdam run -d --name nightly -- ./long-job")]
    Run(RunArguments),
    /// Try the ways out of a session: declared against measured
    #[command(after_help = "Examples:
  cofferdam probe                             a session with this directory's policy
  cofferdam probe --allow npm --mount ~/data  with what `run` would get by these flags
  cofferdam probe --svg rings.svg             and a picture
  cofferdam probe --against bwrap             the same attempts in another sandbox
  cofferdam probe --against 'mysandbox --dir {workspace} -- {}'
Exit code: 1 where what was measured is not what was declared.")]
    Probe(ProbeArguments),
    /// List sessions
    #[command(visible_alias = "ps")]
    Ls,
    /// Show a session: its state, its authority, what it changed
    Show(OneSession),
    /// Show what it changed, as it would be brought back
    #[command(after_help = "Examples:
  cofferdam diff                              all of it, as text
  cofferdam diff --stat                       a line for each file
  cofferdam diff -s nightly src docs/a.md     of these directories and files only
  cofferdam diff --merged                     with your own edits merged in where they conflict
  cofferdam diff --commits                    each commit that it made
  cofferdam diff --json                       for programs; see docs/change-set.md")]
    Diff(DiffArguments),
    /// Bring it into your directories, wholly or not at all
    #[command(after_help = "Examples:
  cofferdam apply                             go through it, and write what you take
  cofferdam apply -n                          what would be written, and its digest
  cofferdam apply --digest 3f…e1              exactly what has this digest, which you saw
  cofferdam apply -s nightly src docs/a.md    only these directories and files
  cofferdam apply --include-ignored dist      with what your ignore rules leave out there
  cofferdam apply --merged                    with your own edits since then merged in
  cofferdam apply --commits                   the commits that it made, under a name of their own")]
    Apply(ApplyArguments),
    /// Take an apply back
    #[command(after_help = "Examples:
  cofferdam undo                              the latest of this directory's latest session
  cofferdam undo 9c41                         the one that begins so: cofferdam show lists them")]
    Undo(UndoArguments),
    /// Go through what a session changed, and choose what is taken
    #[command(after_help = "Examples:
  cofferdam review                            what is notable comes first; ? shows the keys
  cofferdam review nightly | less             to read only: a pipe completes no review")]
    Review(OneSession),
    /// Run a further command in it, with the same authority
    #[command(after_help = "Example:\n  cofferdam exec -s nightly -- ps aux")]
    Exec(ExecArguments),
    /// Connect the terminal to a running session (Ctrl-^ d detaches)
    Attach(OneSession),
    /// Print what a session's program printed
    Logs(LogsArguments),
    /// Print what happened to a session
    Events(Followed),
    /// Show which places it speaks to, how much, and what was refused
    #[command(after_help = "Examples:
  cofferdam net                               so far
  cofferdam net -f nightly                    as it goes on")]
    Net(NetArguments),
    /// Show your browser a port of a running session, or no longer
    #[command(
        after_help = "HTTP and WebSocket only, under a host name of its own on loopback. The page runs in your
browser, which is a way out: it can send what it has anywhere.

Examples:
  cofferdam publish 3000                      of the latest session of this directory
  cofferdam publish 3000 -s nightly
  cofferdam publish --stop 3000"
    )]
    Publish(PublishArguments),
    /// List requests that wait for your word, and give it
    #[command(
        after_help = "A session started with --ask holds what nothing grants, for as long as you were given.

Examples:
  cofferdam pending                           of all running sessions
  cofferdam pending approve 3                 this one request
  cofferdam pending approve 3 --session-long  and its like until the session ends
  cofferdam pending deny 3 -s nightly"
    )]
    Pending(PendingArguments),
    /// End a running session and all its processes; its changes stay
    Stop(StopArguments),
    /// Start a stopped session again, on the same changes and home
    #[command(
        after_help = "Examples:\n  cofferdam resume\n  cofferdam resume -s nightly -- claude --continue"
    )]
    Resume(ResumeArguments),
    /// Show a running session what you changed meanwhile
    Refresh(OneSession),
    /// Copy what a session changed so far, to be taken back to
    Checkpoint(OneSession),
    /// Take a stopped session back to a checkpoint
    #[command(
        after_help = "What it was before becomes a checkpoint too.\n\nExample:\n  cofferdam restore -s nightly c2"
    )]
    Restore(RestoreArguments),
    /// Remove a session and all that it changed
    Discard(DiscardArguments),
    /// Print all that a session may touch, and what enforces it here
    #[command(after_help = "Examples:\n  cofferdam explain --tools node\n  cofferdam explain nightly")]
    Explain(ExplainArguments),
    /// Try what this machine can enforce; find leftovers
    Doctor(DoctorArguments),
    /// Accept what this repository's cofferdam.toml asks for
    Trust(TrustArguments),
    /// Withdraw that acceptance
    Untrust(DirectoryArguments),
    /// Write a commented policy for this directory, on your side
    Init(InitArguments),
    /// Keep secrets that agents use by a handle and never see
    #[command(after_help = "Examples:
  cofferdam secret add github --from env:GH_TOKEN
  cofferdam secret add registry --from 'command:pass show registry'
  cofferdam secret add claude --from login:claude
  cofferdam secret revoke github --session nightly

A policy names them: [credential.github] secret = \"github\". See docs/secrets.md.")]
    Secret {
        #[command(subcommand)]
        command: SecretCommand,
    },
    /// List named sets of grants; confirm where package tools load from
    #[command(after_help = "Examples:
  cofferdam sets                              what there is, and what it comes to here
  cofferdam sets show npm                     each grant of it
  cofferdam sets confirm npm                  find out where npm loads from, and say yes to it
  cofferdam run --allow npm --allow 'github-push(acme/app)' -- claude

See docs/sets.md.")]
    Sets(SetsArguments),
    /// Print completions for a shell
    #[command(after_help = "Examples:
  eval \"$(cofferdam completions bash)\"                              in ~/.bashrc
  cofferdam completions zsh >~/.zfunc/_cofferdam                    with ~/.zfunc in fpath
  cofferdam completions fish >~/.config/fish/completions/cofferdam.fish")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the ids of a session's applies or checkpoints that begin so, for completions
    #[command(hide = true)]
    CompleteIds(CompleteIdsArguments),
    /// Print the names of sessions that begin so, for completions
    #[command(hide = true)]
    CompleteSessions {
        /// The beginning of a name or id
        #[arg(default_value = "")]
        beginning: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct SetsArguments {
    #[command(subcommand)]
    pub(crate) command: Option<SetsCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SetsCommand {
    /// Show each grant of a set
    Show {
        /// As --allow takes it: npm, github-push(OWNER/REPO)
        #[arg(value_name = "SET")]
        set: String,
    },
    /// Find out where a package tool loads from, and confirm it
    Confirm(ConfirmArguments),
}

#[derive(Debug, Args)]
pub(crate) struct ConfirmArguments {
    /// Of which tool
    #[arg(value_name = "SET", value_parser = PossibleValuesParser::new(Registry::ALL.map(Registry::name)))]
    pub(crate) set: String,
    /// Say yes without being asked, to the places named by --hosts and no others
    #[arg(long, requires = "hosts")]
    pub(crate) yes: bool,
    /// The hosts that you expect; an address (https://HOST/PATH/, files=https://…) is taken without being observed
    #[arg(long, value_name = "HOST|URL", value_delimiter = ',')]
    pub(crate) hosts: Vec<String>,
    /// With --yes: a host in your own network that may be connected to, at this address
    #[arg(long, value_name = "HOST=ADDRESS", value_delimiter = ',', requires = "yes", value_parser = at_address)]
    pub(crate) private: Vec<(String, IpAddr)>,
    /// Where the tool lies in your home, as for `run`
    #[arg(long, value_name = "NAME")]
    pub(crate) tools: Vec<String>,
    /// Take what the settings and --hosts say, and don't run the tool
    #[arg(long)]
    pub(crate) no_trial: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Take a secret into the store
    Add(SecretAddArguments),
    /// List secrets: names, shapes and where they come from, never values
    Ls,
    /// Let a secret count for nothing, also where it is in use
    Revoke(SecretRevokeArguments),
    /// Remove a secret from the store
    Rm {
        /// What it is called
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Print what a credential of this name was used for
    Log {
        /// What it is called
        #[arg(value_name = "NAME")]
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct SecretAddArguments {
    /// What it is to be called: a-z, 0-9 and `-`
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// env:X, file:PATH, command:COMMAND, prompt, login:claude, login:codex or setting:SET:HOST
    #[arg(long, value_name = "SOURCE")]
    pub(crate) from: String,
    /// In the place of one of that name
    #[arg(long)]
    pub(crate) replace: bool,
    /// Where a login is refreshed, in place of its provider's address
    #[arg(long, value_name = "URL")]
    pub(crate) token_endpoint: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SecretRevokeArguments {
    /// What it is called
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Only for this session: name, id or its beginning [default: for all]
    #[arg(short, long)]
    pub(crate) session: Option<String>,
}

/// What a session may touch.
#[derive(Debug, Clone, PartialEq, Eq, Args, Default)]
pub(crate) struct AuthorityArguments {
    /// A directory to work on, copy-on-write, at its own path [default: the git top level, or this directory]
    #[arg(short, long = "workspace", value_name = "DIR")]
    pub(crate) workspaces: Vec<PathBuf>,
    /// A further directory or file: read-only, or copy-on-write with `:cow`
    #[arg(long = "mount", value_name = "SRC[:DST][:ro|:cow]")]
    pub(crate) mounts: Vec<String>,
    /// A variable: your value, or this one; refused if it looks like a secret
    #[arg(short = 'e', long = "env", value_name = "K[=V]")]
    pub(crate) environment: Vec<String>,
    /// Pass a variable on although it looks like a secret
    #[arg(long, value_name = "K")]
    pub(crate) dangerous_env: Vec<String>,
    /// Hide files of this name or path, beside the default ones (as in .gitignore)
    #[arg(long = "mask", value_name = "PATTERN")]
    pub(crate) masks: Vec<String>,
    /// Show the agent instructions (CLAUDE.md, AGENTS.md, …) of a second workspace
    #[arg(long, value_name = "DIR")]
    pub(crate) instructions: Vec<String>,
    /// Bring your settings, instructions and skills of this agent, without logins and histories
    #[arg(long = "agent-home", value_name = "AGENT")]
    pub(crate) agent_homes: Vec<String>,
    /// Bring this set of tools from your home, read-only, and its download caches
    #[arg(long, value_name = "NAME")]
    pub(crate) tools: Vec<String>,
    /// Widen the system-call filter by this profile
    #[arg(long = "profile", value_name = "NAME")]
    pub(crate) profiles: Vec<String>,
    /// Limit memory, processes, cpu, files, disk, tmp or time
    #[arg(long = "limit", value_name = "K=V")]
    pub(crate) limits: Vec<String>,
    /// Let it reach this place on the network, or this named set of places
    #[arg(long = "allow", value_name = "GRANT|SET")]
    pub(crate) allow: Vec<String>,
    /// Show your browser this port of the session, on loopback: its pages can send what they have anywhere
    #[arg(long = "publish", value_name = "PORT", value_parser = port)]
    pub(crate) publish: Vec<Port>,
    /// Work on a copy instead of an overlay
    #[arg(long)]
    pub(crate) copy: bool,
    /// Use this policy file in place of the directory's
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// What the session is called [default: after the directory]
    #[arg(long)]
    pub(crate) name: Option<OsString>,
    #[command(flatten)]
    pub(crate) authority: AuthorityArguments,
    /// Go on in the background
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Hold what no grant permits, and ask you
    #[arg(long)]
    pub(crate) ask: bool,
    /// Remove the session at its end, if it changed nothing
    #[arg(long)]
    pub(crate) rm: bool,
    /// The command and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct ProbeArguments {
    #[command(flatten)]
    pub(crate) authority: AuthorityArguments,
    /// Measure another sandbox: one that is known, or a command with `{}` where the probe is to stand
    #[arg(long, value_name = "NAME|COMMAND")]
    pub(crate) against: Option<String>,
    /// Make only the attempts whose ids begin so
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    pub(crate) only: String,
    /// Add no grant of the probe's own, by which the gateway's verdicts are measured
    #[arg(long)]
    pub(crate) no_planted_grant: bool,
    /// Draw the five radii into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct NetArguments {
    /// Name, id or its beginning [default: the latest session of this directory]
    pub(crate) session: Option<String>,
    /// Go on until the session ends
    #[arg(short, long)]
    pub(crate) follow: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PublishArguments {
    /// Which port, as the session's own program listens to it
    #[arg(value_name = "PORT", value_parser = port)]
    pub(crate) port: Port,
    /// Name, id or its beginning [default: the latest session of this directory]
    #[arg(short, long)]
    pub(crate) session: Option<String>,
    /// Publish it no longer
    #[arg(long)]
    pub(crate) stop: bool,
}

/// `HOST=ADDRESS`; an address of version 6 has no `=`.
fn at_address(text: &str) -> Result<(String, IpAddr), &'static str> {
    let form = "write HOST=ADDRESS, for instance packages.example.com=10.1.2.3";
    let (host, address) = text.split_once('=').filter(|(host, _)| !host.is_empty()).ok_or(form)?;
    Ok((host.to_owned(), address.parse().map_err(|_no_address| form)?))
}

fn port(text: &str) -> Result<Port, &'static str> {
    text.parse().map_err(|_form| "a port is a number from 1 to 65535")
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct PendingArguments {
    /// Name, id or its beginning [default: all that run]
    pub(crate) session: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Option<PendingCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PendingCommand {
    /// Let a request through
    Approve(ApproveArguments),
    /// Refuse it
    Deny(DecisionArguments),
}

#[derive(Debug, Args)]
pub(crate) struct ApproveArguments {
    #[command(flatten)]
    pub(crate) decision: DecisionArguments,
    /// Let the like of it through until the session ends
    #[arg(long)]
    pub(crate) session_long: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DecisionArguments {
    /// Its number: cofferdam pending
    pub(crate) id: u64,
    /// Name, id or its beginning [default: the latest session of this directory]
    #[arg(short, long)]
    pub(crate) session: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArguments {
    /// Name, id or its beginning [default: the latest session of this directory]
    #[arg(short, long)]
    pub(crate) session: Option<String>,
    /// Only what lies at or below these paths
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// A line for each file, with how many lines come and go
    #[arg(long, group = "form")]
    pub(crate) stat: bool,
    /// Only the paths, one a line
    #[arg(long, group = "form")]
    pub(crate) name_only: bool,
    /// List what your ignore rules leave out
    #[arg(long, group = "form")]
    pub(crate) ignored: bool,
    /// Each commit that the session made, with what it changes
    #[arg(long, group = "form", conflicts_with = "paths")]
    pub(crate) commits: bool,
    /// Merge what you edited meanwhile with what the session did, where git has the base: a change set of its own
    #[arg(long)]
    pub(crate) merged: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ApplyArguments {
    /// Name, id or its beginning [default: the latest session of this directory]
    #[arg(short, long)]
    pub(crate) session: Option<String>,
    /// What you saw: nothing else is written, and you are not asked
    #[arg(long, value_name = "SHA256")]
    pub(crate) digest: Option<String>,
    /// Only what lies at or below these paths
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Also what lies at or below this path, though your rules ignore it
    #[arg(long, value_name = "PATH")]
    pub(crate) include_ignored: Vec<PathBuf>,
    /// With what you edited meanwhile merged in, where git has the base: see it by `diff --merged`
    #[arg(long)]
    pub(crate) merged: bool,
    /// Bring its commits into your repository instead, as refs/cofferdam/SESSION/BRANCH
    #[arg(long, conflicts_with_all = ["paths", "include_ignored", "merged"])]
    pub(crate) commits: bool,
    /// Choose hunk by hunk on the terminal, also if it was reviewed before
    #[arg(short, long, conflicts_with_all = ["digest", "dry_run", "commits"])]
    pub(crate) patch: bool,
    /// Only print what would be written, and its digest
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct UndoArguments {
    /// Name, id or its beginning [default: the latest session of this directory]
    #[arg(short, long)]
    pub(crate) session: Option<String>,
    /// Which apply, by its id or the beginning of it [default: the latest that stands]
    pub(crate) apply: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CompleteIdsArguments {
    /// Of which session [default: the latest of this directory]
    #[arg(short, long)]
    pub(crate) session: Option<String>,
    /// Ids of what
    pub(crate) of: IdsOf,
    /// The beginning of an id
    #[arg(default_value = "")]
    pub(crate) beginning: String,
}

/// What has ids in a session.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum IdsOf {
    /// Applies that stand.
    Applies,
    /// Checkpoints.
    Checkpoints,
}

#[derive(Debug, Args)]
pub(crate) struct OneSession {
    /// Name, id or its beginning [default: the latest session of this directory]
    pub(crate) session: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Followed {
    /// Name, id or its beginning [default: the latest session of this directory]
    pub(crate) session: Option<String>,
    /// Go on printing until the session ends; with --json, `events` prints an object a line
    #[arg(short, long)]
    pub(crate) follow: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LogsArguments {
    #[command(flatten)]
    pub(crate) followed: Followed,
    /// Byte by byte, with all that could steer a terminal; never onto one
    #[arg(long)]
    pub(crate) raw: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExecArguments {
    /// Name, id or its beginning [default: the latest session of this directory]
    #[arg(short, long)]
    pub(crate) session: Option<String>,
    /// The command and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct StopArguments {
    /// Name, id or its beginning [default: the latest session of this directory]
    pub(crate) session: Option<String>,
    /// How long processes have between being asked and being ended, in seconds
    #[arg(long, default_value_t = 5, value_name = "SECONDS")]
    pub(crate) grace: u32,
}

#[derive(Debug, Args)]
pub(crate) struct ResumeArguments {
    /// Name, id or its beginning [default: the latest session of this directory]
    #[arg(short, long)]
    pub(crate) session: Option<String>,
    /// Go on in the background
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Hold what no grant permits, and ask you
    #[arg(long)]
    pub(crate) ask: bool,
    /// Another command than before
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArguments {
    /// Name, id or its beginning [default: the latest session of this directory]
    #[arg(short, long)]
    pub(crate) session: Option<String>,
    /// Which checkpoint: `cofferdam show` lists them
    #[arg(value_name = "CHECKPOINT")]
    pub(crate) checkpoint: String,
}

#[derive(Debug, Args)]
pub(crate) struct DiscardArguments {
    /// Name, id or its beginning
    pub(crate) session: String,
    /// Don't ask, also when there are unapplied changes
    #[arg(short, long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    #[command(flatten)]
    pub(crate) authority: AuthorityArguments,
    /// Explain this session instead of one that would be started
    #[arg(value_name = "S", conflicts_with_all = [
        "workspaces", "mounts", "environment", "dangerous_env", "masks", "instructions", "agent_homes", "tools",
        "profiles", "limits", "publish", "copy", "policy",
    ])]
    pub(crate) session: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    /// Clear what is left over
    #[arg(long)]
    pub(crate) fix: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DirectoryArguments {
    /// The repository [default: this one]
    pub(crate) directory: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct TrustArguments {
    /// The repository [default: this one]
    pub(crate) directory: Option<PathBuf>,
    /// Accept exactly the bytes with this digest, without being asked
    #[arg(long, value_name = "SHA256")]
    pub(crate) digest: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct InitArguments {
    /// The directory [default: this one]
    pub(crate) directory: Option<PathBuf>,
    /// Replace a policy that is there
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Only print it
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
}
