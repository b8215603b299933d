//! A repository with a defect, a model that knows how to mend it, and an agent in a cell that asks it.

use super::OWNER;
use cofferdam_testkit::agents::Driven;
use cofferdam_testkit::model::{Act, ModelServer, Script};
use cofferdam_testkit::pki::Pki;
use cofferdam_testkit::proxy::Proxy;
use cofferdam_testkit::server::Seen;
use cofferdam_testkit::{Home, Invocation, Outcome, Repo};
use std::net::Ipv4Addr;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub(super) const PROMPT: &str = "mend the sum";
/// What the model sees of the handle that the agent shows it.
const SHOWN: &[u8] = b"SHOWN=***";
const PATIENCE: Duration = Duration::from_secs(100);
/// Agents whose vendors' names lead nowhere from here.
const VENDORS: [&str; 2] = ["api.anthropic.com", "api.openai.com"];

pub(super) struct Scene {
    pub(super) home: Home,
    pub(super) model: ModelServer,
    /// What the model wants, and no cell may see.
    secret: String,
    pki: Pki,
    proxy: Proxy,
}

impl Scene {
    /// A model at every name, that wants this secret.
    pub(super) fn new(secret: &str) -> Self {
        let (home, pki) = (Home::of(OWNER), Pki::new());
        let script = work(&home.work().join("project"));
        let names = [&VENDORS[..], &["api.models.test"]].concat();
        let model = ModelServer::secure_at((Ipv4Addr::LOCALHOST, 0).into(), &pki, &names, secret, script);
        let proxy = Proxy::to(model.server().address());
        Self { home, model, secret: secret.to_owned(), pki, proxy }
    }

    pub(super) fn repo(&self) -> Repo<'_> {
        let repo = self.home.repo("project");
        repo.write("sum.sh", "# adds\necho $(($1 - $2))\n");
        repo.commit("first");
        self.home.write(
            self.home.home().join(".gitconfig"),
            "[user]\n\tname = Ada\n\temail = ada@owner.example\n",
        );
        repo
    }

    /// Any command of the owner's, whose way out is a proxy at which all names are the model's.
    pub(super) fn cofferdam(&self) -> Invocation {
        let trusted = self.home.keep("trusted.pem", self.pki.root_pem());
        let command = self.home.cofferdam().env("SSL_CERT_FILE", trusted).env("NO_PROXY", "127.0.0.1");
        self.proxy.environment().into_iter().fold(command, |command, (name, value)| command.env(name, value))
    }

    /// Keeps the secret, and writes a policy that lets a host infer with it.
    pub(super) fn policy(&self, host: &str, api: &str, place: &str, variables: &[&str]) -> PathBuf {
        let add = self.cofferdam().args(["secret", "add", "model", "--from", "env:PLANTED"]);
        add.env("PLANTED", &self.secret).run().assert_success();
        self.policy_with("model", host, api, place, variables)
    }

    /// The same for a secret that is there.
    pub(super) fn policy_with(
        &self,
        secret: &str,
        host: &str,
        api: &str,
        place: &str,
        variables: &[&str],
    ) -> PathBuf {
        let policy = format!(
            "allow = [\"GET,POST {host}/v1/** credential=model model={api} address=127.0.0.1\"]\n\n\
             [credential.model]\nsecret = {secret:?}\nplace = {place:?}\nenvironment = {variables:?}\n"
        );
        self.home.write("policy.toml", policy)
    }

    /// The agent in a cell, with its own settings and no key; `home` names the preset that brings those.
    pub(super) fn session(&self, home: &str, policy: &Path, driven: &Driven, repo: &Repo<'_>) -> Outcome {
        for (path, text) in &driven.files {
            self.home.write(self.home.home().join(path), text);
        }
        let agents = self.home.agents();
        let command = self.cofferdam().args(["run", "--name", "one", "--agent-home", home, "--mount"]);
        let command = command.arg(&agents).arg("--policy").arg(policy);
        let set = |command: Invocation, (name, value): &(&str, String)| {
            command.arg("-e").arg(format!("{name}={value}"))
        };
        // A key is in none of them: that is the credential's to bring.
        let environment = driven.environment.iter().filter(|(_, value)| *value != self.secret);
        let command = environment.fold(command, set);
        let command = command.arg("--").arg(agents.join("bin").join(driven.program)).args(&driven.arguments);
        let running = command.in_directory(repo.path()).start();
        self.search_memory();
        let run = running.finish_within(PATIENCE);
        self.home.wait_until_quiet();
        run
    }

    /// All memory of the session's processes while the agent is at work, but that of the gateway.
    fn search_memory(&self) {
        let end = Instant::now() + PATIENCE;
        while !self.model.seen().iter().any(|seen| holds(&seen.body, SHOWN)) {
            if self.home.processes().is_empty() || Instant::now() > end {
                // What the session said tells more than this could.
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let searched = self.home.processes().into_iter().filter(|process| {
            let program = std::fs::read_link(format!("/proc/{}/exe", process.pid)).unwrap_or_default();
            let is_gateway = program.ends_with("cofferdam-gateway");
            let found = memory_holds(process.pid, self.secret.as_bytes());
            // The control: where the secret is, it is found.
            assert!(found == is_gateway, "{found}: {process:?}");
            !is_gateway
        });
        assert!(searched.count() >= 3, "too few processes");
    }

    /// The work is done, shown and committed; the model got the secret and the cell never had it.
    pub(super) fn assert_done(&self, run: &Outcome) {
        let seen = self.model.seen();
        let lines: Vec<String> = seen.iter().map(Seen::line).collect();
        let events = || self.cofferdam().args(["events", "one"]).run().stdout();
        assert!(run.status.code() == Some(0), "{run}\n{lines:?}\n{}", events());
        assert!(run.stdout().contains("the sum is mended"), "{run}\n{lines:?}\n{}", events());
        let shown = self.cofferdam().args(["diff", "-s", "one"]).run().assert_success().stdout();
        for part in ["+echo $(($1 + $2))", "+mended", "passed.log"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        let commits =
            self.cofferdam().args(["diff", "-s", "one", "--commits"]).run().assert_success().stdout();
        assert!(commits.contains("mend the sum") && commits.contains("ada@owner.example"), "{commits}");
        assert!(seen.iter().any(|seen| format!("{:?}", seen.headers).contains(&self.secret)), "{lines:?}");
        self.assert_nowhere(run);
    }

    /// No byte of the secret in what the agent said, sent or wrote, nor a handle in what it sent.
    fn assert_nowhere(&self, run: &Outcome) {
        let secret = self.secret.as_bytes();
        assert!(!holds(&run.stdout, secret) && !holds(&run.stderr, secret), "it is in the transcript");
        for seen in self.model.seen() {
            assert!(!holds(&seen.body, secret), "it is in the body of {}", seen.line());
        }
        let environment = self.model.seen().iter().any(|seen| holds(&seen.body, SHOWN));
        assert!(environment, "the agent did not show its environment, with asterisks in it");
        let events = self.cofferdam().args(["events", "one", "--json"]).run().assert_success().stdout();
        assert!(events.contains("replaced by asterisks") && !holds(events.as_bytes(), secret), "{events}");
        let mut files = 0;
        for top in [self.home.state(), self.home.work(), self.home.home()] {
            search(&top, &mut |path, bytes| {
                files += 1;
                let is_owners = path.ends_with(".claude/.credentials.json")
                    && path.starts_with(self.home.home().join(".claude"));
                assert!(is_owners || !holds(bytes, secret), "it is in {}", path.display());
            });
        }
        assert!(files > 20, "only {files} files were searched");
    }
}

/// What the model has the agent do; the environment and all else that it can read of processes is shown to the model.
fn work(repo: &Path) -> Script {
    let at = |name: &str| repo.join(name).display().to_string();
    let edit = Act::Edit {
        path: at("sum.sh"),
        old: "echo $(($1 - $2))".to_owned(),
        new: "echo $(($1 + $2))".to_owned(),
    };
    let show = "env; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' >environ.txt; \
        grep -hE '^(ANTHROPIC_API_KEY|MODEL_KEY|CODEX_API_KEY|CLAUDE_CODE_OAUTH_TOKEN)=' environ.txt \
        | head -n 1 | sed 's/^[A-Z_]*=/SHOWN=/'; \
        grep -o 'sk-ant-[A-Za-z0-9_-]*' ~/.claude/.credentials.json 2>/dev/null | sed 's/^/SHOWN=/'; true";
    Script::new()
        .then(Act::shell(show))
        .then(Act::shell("sleep 8"))
        .then(Act::Read { path: at("sum.sh") })
        .then(edit)
        .then(Act::Write { path: at("NOTES.md"), text: "mended\n".to_owned() })
        .then(Act::shell("test \"$(sh sum.sh 2 3)\" = 5 && echo tests passed > passed.log"))
        .then(Act::shell("git add --all && git commit --quiet -m 'mend the sum'"))
        .finish("the sum is mended")
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(bytes, part).is_some()
}

/// Each file below a directory; what is gone meanwhile is left out.
fn search(top: &Path, look: &mut impl FnMut(&Path, &[u8])) {
    for entry in std::fs::read_dir(top).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            search(&path, look);
        } else if kind.is_file() {
            look(&path, &std::fs::read(&path).unwrap_or_default());
        }
    }
}

/// Whether any page of a piece is in memory or in swap space (proc(5), pagemap).
fn is_there(pages: &std::fs::File, start: u64, bytes: usize) -> bool {
    const PAGE_BYTES: usize = 4096;
    let mut entries = vec![0; (bytes / PAGE_BYTES + 1) * 8];
    let read = pages.read_at(&mut entries, start / 4096 * 8).unwrap_or_default();
    let present = |entry: &[u8]| entry.last().is_some_and(|high| high & 0b1100_0000 != 0);
    entries.get(..read).unwrap_or_default().chunks_exact(8).any(present)
}

/// Whether a process has these bytes anywhere that it could read.
fn memory_holds(pid: u32, part: &[u8]) -> bool {
    const PIECE_BYTES: usize = 1 << 20;
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    let Ok(memory) = std::fs::File::open(format!("/proc/{pid}/mem")) else { return false };
    let Ok(pages) = std::fs::File::open(format!("/proc/{pid}/pagemap")) else { return false };
    let mut piece = vec![0; PIECE_BYTES + part.len()];
    maps.lines().any(|line| {
        let mut words = line.split_ascii_whitespace();
        let (Some(range), Some(rights)) = (words.next(), words.next()) else { return false };
        let bounds = range.split_once('-').unwrap();
        let [mut start, end] = [bounds.0, bounds.1].map(|bound| u64::from_str_radix(bound, 16).unwrap());
        while rights.starts_with("rw") && start < end {
            if !is_there(&pages, start, PIECE_BYTES) {
                start += u64::try_from(PIECE_BYTES).unwrap();
                continue;
            }
            let Ok(read @ 1..) = memory.read_at(&mut piece, start) else { break };
            if holds(piece.get(..read).unwrap_or_default(), part) {
                return true;
            }
            start += u64::try_from(read.min(PIECE_BYTES)).unwrap();
        }
        false
    })
}
