//! A server on loopback, an owner who trusts its authority, and sessions that are granted some of it.

use super::OWNER;
use cofferdam_testkit::pki::Pki;
use cofferdam_testkit::server::{Answer, Seen, Server};
use cofferdam_testkit::{Home, Invocation, Outcome};

/// The name of the server; no resolver knows it.
pub(super) const NAME: &str = "api.service.test";
/// A second name of the same server, so that its certificate would do for either.
pub(super) const OTHER: &str = "other.service.test";
/// What it answers to everything.
pub(super) const WORD: &str = "all is well";

/// A value of the planted kind; searched for byte by byte.
pub(super) const SECRET: &str = "ghp_q8ZJ3vN7kTs2LhXr5WmCy9BdFa4EoGp1UiVx";

pub(super) struct Scene {
    pub(super) home: Home,
    pub(super) pki: Pki,
    pub(super) server: Server,
}

impl Scene {
    pub(super) fn new() -> Self {
        Self::answering(|_| Answer::text(WORD))
    }

    pub(super) fn answering(answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let pki = Pki::new();
        let server = Server::secure(&pki, &[NAME, OTHER], answer);
        Self { home: Home::of(OWNER), pki, server }
    }

    /// `HOST:PORT` of the server.
    pub(super) fn place(&self) -> String {
        format!("{NAME}:{}", self.server.address().port())
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.place())
    }

    /// A grant of `METHODS PLACE{rest}`, at loopback.
    pub(super) fn grant(&self, methods: &str, rest: &str) -> String {
        format!("{methods} {}{rest} address=127.0.0.1", self.place())
    }

    /// A grant of `METHODS` for a server of the test's own, by a name that no resolver knows, in clear text.
    pub(super) fn clear_grant(methods: &str, name: &str, port: u16, rest: &str) -> String {
        format!("{methods} http://{name}:{port}{rest} address=127.0.0.1")
    }

    /// A policy of these grants and lines, whose credential `example` is [`SECRET`]; `EXAMPLE_TOKEN` is its handle.
    pub(super) fn policy_with_secret(&self, grants: &[String], more: &str) -> String {
        let add = self.cofferdam(&["secret", "add", "example", "--from", "env:PLANTED"]);
        add.env("PLANTED", SECRET).run().assert_success();
        let policy = format!(
            "allow = {grants:?}\n{more}\n[credential.example]\nsecret = \"example\"\n\
             place = \"header:Authorization: Bearer {{}}\"\nenvironment = [\"EXAMPLE_TOKEN\"]\n"
        );
        self.home.write("policy.toml", policy).to_str().unwrap().to_owned()
    }

    /// Any command of the owner's, who trusts the server's authority.
    pub(super) fn cofferdam(&self, words: &[&str]) -> Invocation {
        let trusted = self.home.keep("trusted.pem", self.pki.root_pem());
        self.home.cofferdam().args(words).env("SSL_CERT_FILE", trusted).in_directory(self.project())
    }

    /// A session of this name that runs `script`, with these further flags.
    pub(super) fn session(&self, name: &str, flags: &[&str], script: &str) -> Outcome {
        let words = [&["run", "--name", name], flags, &["--", "sh", "-c", script]].concat();
        self.cofferdam(&words).run()
    }

    fn project(&self) -> std::path::PathBuf {
        self.home.directory("project")
    }

    /// The events of a session, as one text of JSON.
    pub(super) fn events(&self, name: &str) -> serde_json::Value {
        self.cofferdam(&["events", name, "--json"]).run().assert_success().json()
    }

    /// The bodies of the events of a kind.
    pub(super) fn events_of(&self, name: &str, kind: &str) -> Vec<serde_json::Value> {
        let all = self.events(name);
        let of_kind = |event: &&serde_json::Value| event["event"]["kind"] == kind;
        all.as_array().unwrap().iter().filter(of_kind).map(|event| event["event"]["body"].clone()).collect()
    }
}
