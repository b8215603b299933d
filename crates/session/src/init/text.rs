//! The policy as a text: what counts, what could, and why.
//!
//! `# ` begins words for the reader; `#` without a space a line that counts once the `#` is gone. Both forms parse,
//! as a test shows.

use super::found::{Finding, FindingKind};
use crate::terminal::visible;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

const HEAD: &str = "\
# It holds for sessions that start in this directory, beside the flags of `cofferdam run` and a request of the
# repository that you accepted (`cofferdam trust`). Any deny wins. All that a session may touch: `cofferdam explain`.
# Lines that begin with `#` and no space are suggestions: take the `#` away and they count.

";

const TOOLS: &str = "\
# Sets of your own tools, read-only, with their download caches copy-on-write. Programs in /usr and /opt are always
# there. Other sets: asdf, bun, cargo, deno, go, java, local-bin, mise, node, pyenv, ruby, uv.
";

const AGENTS: &str = "\
# Settings, instructions and skills of agent programs, copy-on-write; never their logins and histories.
";

const MASKS: &str = "\
# Names hidden from the session, beside the default ones (.env, private keys, cloud logins…).
";

const MORE: &str = "\
# Variables: KEY hands on your value at each start, KEY=VALUE sets one. What looks like a secret is refused.
#environment = [\"EDITOR\", \"CI=1\"]

# Other directories at their own paths: read-only, or copy-on-write with `:cow`. None of them is ever written.
#mounts = [\"~/datasets\", \"~/notes:cow\"]

# Further workspaces: what changes in them is kept apart like what changes in this one.
#workspaces = [\"../library\"]

# Further workspaces whose instructions for agents (CLAUDE.md, AGENTS.md, .mcp.json…) are shown; else they are hidden.
#instructions = [\"../library\"]

# Named widenings of the system-call filter: chromium (its own sandbox needs nested namespaces).
#profiles = [\"chromium\"]

# What a session may reach; else nothing. A host alone means GET and HEAD of all its paths. More in docs/grants.md:
# methods, paths, budgets, credentials ([credential.NAME]), other protocols.
#allow = [\"docs.example.com\", \"GET,POST api.example.com/v1/** up=10MB\"]

# Ports of its own that your browser reaches, on loopback. Pages from there run in your browser, which is a way out.
#publish = [3000]

# What becomes of a session whose handle of a secret is seen where it doesn't belong: refuse (the request) or stop.
#on-handle-leak = \"stop\"

# What a session may use up. A limit that is named here and that nothing on this machine can keep is refused.
[limits]
#memory = \"8G\"
#cpu = 2
#processes = 2000
#files = 16384
#tmp = \"1G\"
#time = \"8h\"

# Copies of all that a session changed, by themselves while it runs: `cofferdam restore` takes it back to one.
[checkpoint]
#every = \"10m\"
#keep = 10

# What no session here may have, whoever asks for it.
[deny]
#paths = [\"~/private\"]
#environment = [\"AWS_*\"]
#agent-homes = [\"aider\"]
#tools = [\"local-bin\"]
#profiles = [\"chromium\"]
#hosts = [\"**.internal.example.com\"]
";

/// The whole file.
pub(super) fn policy(directory: &Path, found: &[Finding]) -> String {
    let of = |kind: FindingKind| found.iter().filter(move |finding| finding.kind == kind);
    let mut text =
        format!("# What a session in {} may touch.\n#\n", visible(directory.as_os_str().as_bytes()));
    text.push_str(HEAD);
    text.push_str(TOOLS);
    list(&mut text, "tools", of(FindingKind::Tools), "#\"local-bin\",  # programs in ~/.local/bin");
    text.push_str(AGENTS);
    list(&mut text, "agent-homes", of(FindingKind::Agent), "#\"claude\",  # for example");
    text.push_str(MASKS);
    hidden(&mut text, of(FindingKind::Hidden));
    list(&mut text, "masks", of(FindingKind::Secret), "#\"*.sqlite\",  # for example");
    text.push_str(MORE);
    text
}

/// A list with one line for each finding, and its reason behind it.
fn list<'f>(text: &mut String, key: &str, found: impl Iterator<Item = &'f Finding>, example: &str) {
    let mut lines = String::new();
    for finding in found {
        let mark = if finding.suggested { "" } else { "#" };
        let entry = toml::Value::String(finding.name.clone());
        let _infallible = writeln!(lines, "    {mark}{entry},  # {}", visible(finding.reason.as_bytes()));
    }
    let named = example.split(',').next().unwrap_or(example).trim_start_matches('#');
    if !lines.contains(named) {
        let _infallible = writeln!(lines, "    {example}");
    }
    let _infallible = write!(text, "{key} = [\n{lines}]\n\n");
}

fn hidden<'f>(text: &mut String, found: impl Iterator<Item = &'f Finding>) {
    let names: Vec<String> = found.map(|finding| visible(finding.name.as_bytes())).collect();
    if !names.is_empty() {
        let _infallible = writeln!(text, "# Hidden here by default: {}", names.join(", "));
    }
}
