//! Real git clones from the forge and pushes to it, outside any cell.

use super::*;
use crate::Home;
use crate::proxy::Proxy;

#[test]
fn git_clones_freely_and_pushes_with_the_password_only() {
    let (home, pki, proxy) = (Home::new(), Pki::new(), Proxy::start());
    let forge = Forge::secure(&pki, "ada", "word", Guarded::Push);
    forge.repository("hull", &[("README.md", "hull\n"), ("src/main.c", "int main;\n")]);
    let run = |arguments: &[&str]| {
        let mut command = home.invoke("git").args(arguments).env("GIT_SSL_CAINFO", pki.root_file());
        for (name, value) in proxy.environment() {
            command = command.env(name, value);
        }
        let identity = ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"];
        let command = identity.iter().fold(command, |command, name| command.env(name, "ada@owner.example"));
        command.env("GIT_TERMINAL_PROMPT", "0").run()
    };
    run(&["clone", "--quiet", &forge.url("hull"), "hull"]).assert_success();
    home.write("hull/NEW", "new\n");
    run(&["-C", "hull", "add", "--all"]).assert_success();
    run(&["-C", "hull", "commit", "--quiet", "--message", "second"]).assert_success();
    let to = |password: &str| forge.url("hull").replacen("://", &format!("://ada:{password}@"), 1);
    assert!(!run(&["-C", "hull", "push", "--quiet", &to("other"), "main"]).status.success());
    assert_eq!(forge.ask("hull", &["log", "--format=%s", "main"]), "first\n");
    run(&["-C", "hull", "push", "--quiet", &to("word"), "main"]).assert_success();
    assert_eq!(forge.ask("hull", &["log", "--format=%s", "main"]), "second\nfirst\n");
    let shown: Vec<String> =
        forge.server().seen().iter().filter_map(Seen::basic).map(|(_, word)| word).collect();
    assert!(shown.contains(&"other".to_owned()) && shown.contains(&"word".to_owned()), "{shown:?}");
}

#[test]
fn a_wholly_guarded_forge_shows_nothing_without_the_password() {
    let (home, pki, proxy) = (Home::new(), Pki::new(), Proxy::start());
    let forge = Forge::secure(&pki, "ada", "word", Guarded::Everything);
    forge.repository("hull", &[("README.md", "hull\n")]);
    for (password, works) in [("other", false), ("word", true)] {
        let url = forge.url("hull").replacen("://", &format!("://ada:{password}@"), 1);
        let mut command = home.invoke("git").args(["ls-remote", &url]).env("GIT_SSL_CAINFO", pki.root_file());
        for (name, value) in proxy.environment() {
            command = command.env(name, value);
        }
        assert_eq!(command.env("GIT_TERMINAL_PROMPT", "0").run().status.success(), works);
    }
}
