//! Real cells, started by this very binary, as uid 0 and as an ordinary user.
//!
//! [`Cell::start`](cofferdam_cell::Cell::start) is told to call this binary again as the launcher, which no test harness
//! lets happen: so this one has a `main`, and speaks as much of the harness's command line as runners need.
#![forbid(unsafe_code)]
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests, with a harness of their own"
)]

mod ending;
mod entering;
mod limits;
mod process;
mod refreshing;
mod refusing;
mod relaying;
mod scene;
mod starting;
mod walls;

use scene::Owner;
use std::process::{Command, ExitCode};

/// A test, by the promise it checks; it runs once for each owner.
type Promise = (&'static str, fn(Owner));

const OWNERS: [(&str, Owner); 2] = [("as_root", Owner::Root), ("as_an_ordinary_user", Owner::Ordinary)];

fn promises() -> Vec<Promise> {
    [
        starting::PROMISES,
        refusing::PROMISES,
        entering::PROMISES,
        limits::PROMISES,
        ending::PROMISES,
        refreshing::PROMISES,
        relaying::PROMISES,
        walls::PROMISES,
    ]
    .concat()
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["launch"] => cofferdam_cell::launch::main(),
        ["supervise", directory] => ending::supervise(directory),
        ["promise", name] => promise(name),
        words if words.contains(&"--list") => {
            // None is ignored: nothing is listed when those are asked for.
            for name in names().filter(|_| !words.contains(&"--ignored")) {
                println!("{name}: test");
            }
            ExitCode::SUCCESS
        }
        words => run(words),
    }
}

fn names() -> impl Iterator<Item = String> {
    promises().into_iter().flat_map(|(name, _)| OWNERS.map(|(owner, _)| format!("{name}::{owner}")))
}

/// Runs what the words ask for: everything, what contains a word, or with `--exact` what is one.
fn run(words: &[&str]) -> ExitCode {
    let exact = words.contains(&"--exact");
    let filters: Vec<&&str> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let asked = |name: &str| {
        filters.is_empty() || filters.iter().any(|f| if exact { **f == name } else { name.contains(**f) })
    };
    let mut failed = 0;
    for name in names().filter(|name| asked(name)) {
        // Each in a process of its own, so that a panic, a lost child or a changed id stays there.
        let passed = scene::as_owner(owner_of(&name), &name).is_some_and(|status| status.success());
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        failed += u32::from(!passed);
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn owner_of(name: &str) -> Owner {
    let found = OWNERS.iter().find(|(suffix, _)| name.ends_with(suffix));
    found.unwrap_or_else(|| panic!("no test is called {name}")).1
}

fn promise(name: &str) -> ExitCode {
    let owner = owner_of(name);
    let (promise, _) = name.rsplit_once("::").unwrap();
    let (_, test) = promises().into_iter().find(|(name, _)| *name == promise).unwrap();
    test(owner);
    ExitCode::SUCCESS
}

/// This binary, called again.
fn myself() -> Command {
    Command::new(std::env::current_exe().unwrap())
}
