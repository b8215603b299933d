//! A forge: git repositories over HTTPS, served by git's own backend, behind a name and a password.
//!
//! Repositories are bare, in a scratch directory that goes with the forge. It knows nothing of issues, pull requests
//! or an API.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::must;
use crate::pki::Pki;
use crate::server::{Answer, Seen, Server};

/// The names that its certificate is for.
pub const NAMES: [&str; 2] = ["git.test", "localhost"];

const PLAIN_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// What needs the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guarded {
    /// Pushing; everybody may fetch.
    Push,
    /// All of it.
    Everything,
}

/// A running forge.
#[derive(Debug)]
pub struct Forge {
    server: Server,
    directory: TempDir,
}

impl Forge {
    /// Under TLS, for [`NAMES`]; `user` and `password` open what is guarded.
    #[track_caller]
    #[must_use]
    pub fn secure(pki: &Pki, user: &str, password: &str, guarded: Guarded) -> Self {
        let directory =
            must(tempfile::Builder::new().prefix("cdt-forge-").tempdir(), "make the forge's directory");
        let (root, user, password) = (directory.path().to_owned(), user.to_owned(), password.to_owned());
        let server = Server::secure(pki, &NAMES, move |seen| {
            let is_push = seen.path.ends_with("/git-receive-pack")
                || seen.query.as_deref() == Some("service=git-receive-pack");
            let opens = seen.basic().is_some_and(|(name, word)| name == user && word == password);
            if (is_push || guarded == Guarded::Everything) && !opens {
                return Answer::status(401).header("www-authenticate", "Basic realm=\"forge\"");
            }
            backend(&root, seen, opens.then_some(user.as_str()))
        });
        Self { server, directory }
    }

    /// A new repository with one commit of these files on `main`; its path on the forge is `/NAME.git`.
    #[track_caller]
    pub fn repository(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let path = self.directory.path().join(format!("{name}.git"));
        let init = ["init", "--quiet", "--bare", "--initial-branch=main"];
        git(self.directory.path(), &[&init[..], &[&path.to_string_lossy()]].concat(), b"");
        git(&path, &["config", "http.receivepack", "true"], b"");
        let mut stream =
            "commit refs/heads/main\ncommitter Ada <ada@owner.example> 1767323045 +0000\ndata 5\nfirst\n"
                .to_owned();
        for (path, text) in files {
            stream += &format!("M 100644 inline {path}\ndata {}\n{text}\n", text.len());
        }
        git(&path, &["fast-import", "--quiet"], stream.as_bytes());
        path
    }

    /// What git prints when it is asked about a repository of the forge.
    #[track_caller]
    #[must_use]
    pub fn ask(&self, name: &str, arguments: &[&str]) -> String {
        git(&self.directory.path().join(format!("{name}.git")), arguments, b"")
    }

    /// The server below.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// `https://git.test:PORT/NAME.git`.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        format!("{}/{name}.git", self.server.url(NAMES.first().copied().unwrap_or_default()))
    }
}

/// Runs git, without anybody's configuration.
#[track_caller]
fn git(directory: &Path, arguments: &[&str], input: &[u8]) -> String {
    let mut command = plain_git();
    command.arg("-C").arg(directory).args(arguments);
    let output = fed(command, input);
    String::from_utf8_lossy(&output).into_owned()
}

fn plain_git() -> Command {
    let mut command = Command::new("git");
    command.env_clear().env("PATH", PLAIN_PATH).env("GIT_CONFIG_NOSYSTEM", "1").env("HOME", "/nonexistent");
    command
}

#[track_caller]
fn fed(mut command: Command, input: &[u8]) -> Vec<u8> {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = must(command.spawn(), "start git");
    let stdin = child.stdin.take();
    let output = std::thread::scope(|threads| {
        threads.spawn(move || {
            // One that reads no more has said why.
            let _no_matter = stdin.map(|mut stdin| stdin.write_all(input).is_err());
        });
        must(child.wait_with_output(), "wait for git")
    });
    assert!(output.status.success(), "git failed: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// `git http-backend` as a CGI program (RFC 3875).
fn backend(root: &Path, seen: &Seen, user: Option<&str>) -> Answer {
    let mut command = plain_git();
    command.arg("http-backend");
    command.env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1");
    command.env("REQUEST_METHOD", &seen.method).env("PATH_INFO", &seen.path);
    command.env("QUERY_STRING", seen.query.as_deref().unwrap_or_default());
    command.env("CONTENT_LENGTH", seen.body.len().to_string()).env("REMOTE_ADDR", "127.0.0.1");
    let headers = [
        ("content-type", "CONTENT_TYPE"),
        ("content-encoding", "HTTP_CONTENT_ENCODING"),
        ("git-protocol", "GIT_PROTOCOL"),
    ];
    for (header, variable) in headers {
        command.envs(seen.header(header).map(|value| (variable, value)));
    }
    command.envs(user.map(|user| ("REMOTE_USER", user)));
    let output = fed(command, &seen.body);
    let end = output.windows(4).position(|part| part == b"\r\n\r\n").unwrap_or(output.len());
    let head = String::from_utf8_lossy(output.get(..end).unwrap_or_default()).into_owned();
    let mut answer = Answer::bytes(output.get(end + 4..).unwrap_or_default());
    for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
        answer = match value.split(' ').next().map(str::parse) {
            Some(Ok(status)) if name == "Status" => answer.with_status(status),
            _ => answer.header(&name.to_ascii_lowercase(), value),
        };
    }
    answer
}

#[cfg(test)]
mod tests;
