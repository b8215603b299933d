//! Who the agent is, and which variables it gets: built from nothing, never passed through.

use super::OWNER;
use cofferdam_policy::presets::network::network_environment;
use cofferdam_testkit::{Home, Owner};

const SECRET: u8 = 213;

#[test]
fn the_agent_is_the_owner_or_for_root_an_ordinary_user_with_the_same_home_and_paths() {
    let home = Home::of(OWNER);
    home.write("project/file", "x");
    let script = "id -u; id -un; echo ~; echo $HOME; pwd; stat -c %u:%U file . ~; touch new && stat -c %u new;
        getent passwd $(id -u) | cut -d: -f6; grep -c . /proc/self/status >/dev/null; grep CapEff /proc/self/status | cut -f2";
    let project = home.work().join("project");
    let run = home.cofferdam().args(["run", "--", "sh", "-c", script]).in_directory(&project).run();
    let (uid, name) = match home.owner() {
        Owner::Root => (1000, "owner"),
        Owner::Ordinary => (home.uid(), "owner"),
    };
    let at = home.home().display().to_string();
    let expected = format!(
        "{uid}\n{name}\n{at}\n{at}\n{}\n{uid}:{name}\n{uid}:{name}\n{uid}:{name}\n{uid}\n{at}\n0000000000000000\n",
        project.display()
    );
    assert_eq!(run.assert_success().stdout(), expected);
    let named = home.cofferdam().args(["run", "--", "id", "-un"]).env("USER", "ada").in_directory(&project);
    let name = if home.owner() == Owner::Root { "owner\n" } else { "ada\n" };
    assert_eq!(named.run().assert_success().stdout(), name);
}

#[test]
fn only_what_is_granted_or_harmless_is_in_the_environment() {
    let home = Home::of(OWNER);
    let run = home
        .cofferdam()
        .env("UNASKED", "host-value")
        .env("SSH_AUTH_SOCK", "/host-value")
        .env("LD_PRELOAD_X", "host-value")
        .env("ASKED", "inherited value")
        .env("TERM", "xterm-256color")
        .env("LANG", "C.UTF-8")
        .args(["run", "-e", "ASKED", "-e", "GIVEN=a=b c", "-e", "EMPTY=", "--", "env", "-0"])
        .run();
    let stdout = run.assert_success().stdout();
    let mut seen: Vec<&str> = stdout.split('\0').filter(|entry| !entry.is_empty()).collect();
    seen.sort_unstable();
    // What every cell has for the network says nothing of the owner's.
    let network: Vec<&str> = network_environment().into_iter().map(|(key, _)| key).collect();
    let keys: Vec<&str> = seen.iter().filter_map(|entry| entry.split('=').next()).collect();
    assert!(network.iter().all(|key| keys.contains(key)), "{seen:?}");
    let keys: Vec<&str> = keys.into_iter().filter(|key| !network.contains(key)).collect();
    let expected = [
        "ASKED",
        "COFFERDAM_SESSION",
        "EMPTY",
        "GIVEN",
        "HOME",
        "LANG",
        "LOGNAME",
        "PATH",
        "SHELL",
        "TERM",
        "USER",
        "XDG_RUNTIME_DIR",
    ];
    assert_eq!(keys, expected, "{seen:?}");
    assert!(seen.contains(&"ASKED=inherited value") && seen.contains(&"GIVEN=a=b c"), "{seen:?}");
    assert!(!stdout.contains("host-value"), "{stdout}");
}

#[test]
fn a_dangerous_variable_is_passed_on_and_explained() {
    let home = Home::of(OWNER);
    let secret = "ghp_abcdefghijklmnopqrstuvwxyz0123456789";
    let flags = ["--dangerous-env", "MY_TOKEN"];
    let run = home.cofferdam().env("MY_TOKEN", secret).arg("run").args(flags);
    let run = run.args(["--", "sh", "-c", "test ${#MY_TOKEN} = 40"]).run();
    run.assert_success();
    let explained = home.cofferdam().env("MY_TOKEN", secret).arg("explain").args(flags).run();
    let text = explained.assert_success().stdout();
    assert!(text.contains("MY_TOKEN") && !text.contains(secret), "{text}");
    // Nor is the value written down anywhere.
    let found = home.invoke("grep").args(["-rl", secret]).arg(home.state()).run();
    assert_eq!(found.stdout(), "", "the secret is kept in the state");
}

#[test]
fn a_variable_that_became_a_secret_does_not_enter_a_session_that_began_before() {
    let home = Home::of(OWNER);
    let secret = "ghp_abcdefghijklmnopqrstuvwxyz0123456789";
    let say = ["--", "sh", "-c", "echo \"<$ASKED>\""];
    let with = |value: &str, words: &[&str]| home.cofferdam().env("ASKED", value).args(words).args(say).run();
    let first = with("plain", &["run", "--name", "old", "-e", "ASKED"]);
    assert_eq!(first.assert_success().stdout(), "<plain>\n");
    with(secret, &["resume", "-s", "old"]).assert_refused(SECRET, &["ASKED", "looks like a secret"]);
    let other = with("another", &["resume", "-s", "old"]);
    assert_eq!(other.assert_success().stdout(), "<another>\n", "the control: it is the value of each start");
    home.cofferdam()
        .env("ASKED", "plain")
        .args(["resume", "-d", "-s", "old", "--", "sleep", "1000"])
        .run()
        .assert_success();
    with(secret, &["exec", "-s", "old"]).assert_refused(SECRET, &["ASKED", "looks like a secret"]);
    assert_eq!(with("third", &["exec", "-s", "old"]).assert_success().stdout(), "<third>\n", "the control");
    home.cofferdam().args(["stop", "old", "--grace", "0"]).run().assert_success();
    // Named as dangerous it comes in again.
    with(secret, &["run", "--name", "named", "--dangerous-env", "ASKED"]).assert_success();
    assert_eq!(with(secret, &["resume", "-s", "named"]).assert_success().stdout(), format!("<{secret}>\n"));
}
