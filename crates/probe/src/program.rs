//! The command line of `cofferdam-probe`: what an enclosure, a test or a collector asks of it.
//!
//! It passes no judgement on an enclosure: it reports what was found, and others decide.

use std::error::Error as _;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use rustix::fs::Mode;
use serde::Serialize;

use crate::attempt::Attempt;
use crate::catalog;
use crate::failure::{EXIT_MADE, Failure};
use crate::finding::Report;
use crate::inside::{control, outlive, processes, runner, terminal};
use crate::outside::{self, Sandbox, Setting};
use crate::plants::{Plant, Plants};
use crate::showing;

/// What stands before each word of `inside`, with the tag of its scene: what another run said is nothing to this one.
pub(crate) fn mark(tag: &str) -> String {
    format!("{MARK}{tag} ")
}

/// What stands before each word of `inside`, whichever the scene.
pub(crate) const MARK: &str = "@cofferdam-probe ";

const USAGE: &str = "\
cofferdam-probe list [--json]                     what can be tried, and what each needs
cofferdam-probe try ID [--plants FILE] [NAME=VALUE]...
cofferdam-probe all [--only PREFIX] [--plants FILE] [NAME=VALUE]...
cofferdam-probe inside [--only PREFIX] [--plants FILE] [NAME=VALUE]...
                                                  all that is measured, a line for each
cofferdam-probe against NAME|COMMAND [--only PREFIX]
                                                  measures a sandbox; the record, as JSON
cofferdam-probe show FILE [--svg]                 a record as a table, or as a picture
cofferdam-probe compare FILE... [--svg] [--picture PATH] [--missing NAME=WHY]...
                                                  several records as a page, or as a picture
cofferdam-probe adapters                          the sandboxes known by name
cofferdam-probe terminal                          print what a terminal would obey, for a pty that records it
cofferdam-probe outlive PATH [SECONDS]            a daemon with a heartbeat in PATH
cofferdam-probe control NAME [ARG]... [NAME=VALUE]...
    serve-unix PATH, serve-abstract NAME, serve-tcp PORT, serve-fifo PATH, hold-secret, canary FILE:
    stay until the standard input ends
    answer, hold, whoami, crash, allocate MIB, memfd-exec: what attempts start
A plant is NAME=VALUE, a member of the JSON map in FILE, or a variable COFFERDAM_PROBE_NAME.
Exit status: 0 the attempt was made, whatever came of it; 1 this program failed; 2 not understood.
";

/// Runs the program; its exit status is 0 where an attempt was made, whatever came of it.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let environment: Vec<_> = std::env::vars_os().collect();
    // Not locked: listeners note their contacts from threads of their own.
    let ran = run(&words, Plants::from_environment(&environment), &mut io::stdout());
    match ran {
        Ok(()) => ExitCode::from(EXIT_MADE),
        Err(failure) => {
            drop(writeln!(io::stderr(), "{}", said(&failure)));
            ExitCode::from(failure.exit_status())
        }
    }
}

/// A failure in one line; one of a command for people in three: what, why, what to do.
fn said(failure: &Failure) -> String {
    let mut causes = Vec::new();
    let mut cause = failure.source();
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    if let Some(what_to_do) = failure.what_to_do() {
        let why = if causes.is_empty() { failure.to_string() } else { causes.join(": ") };
        return format!("error: {failure}\n  why: {why}\n  try: {what_to_do}");
    }
    let causes: String = causes.into_iter().map(|cause| format!(": {cause}")).collect();
    format!("cofferdam-probe: {failure}{causes}")
}

fn run(words: &[&str], plants: Plants, out: &mut dyn Write) -> Result<(), Failure> {
    match words {
        ["list"] => list(out),
        ["list", "--json"] => print(out, &catalog::all().map(Entry::new).collect::<Vec<_>>()),
        ["try", id, rest @ ..] => {
            let options = Options::parse(rest, plants)?;
            options.no_words()?;
            let attempt = catalog::find(id).ok_or_else(|| Failure::UnknownAttempt((*id).to_owned()))?;
            print(out, &Report::new(attempt, attempt.find(&options.plants)))
        }
        ["all", rest @ ..] => {
            let options = Options::parse(rest, plants)?;
            options.no_words()?;
            let wanted = catalog::all().filter(|attempt| attempt.id.starts_with(&options.only));
            print(out, &wanted.map(|attempt| runner::run(attempt, &options.plants)).collect::<Vec<_>>())
        }
        ["inside", rest @ ..] => {
            let options = Options::parse(rest, plants)?;
            options.no_words()?;
            inside(&options, out)
        }
        ["against", command, rest @ ..] => {
            let options = Options::parse(rest, plants)?;
            options.no_words()?;
            against(command, &options, out)
        }
        ["show", rest @ ..] => write(out, &showing::show(rest)?),
        ["compare", rest @ ..] => write(out, &showing::compare(rest)?),
        ["adapters"] => write(out, &showing::adapters()),
        ["terminal"] => terminal::print(out).map_err(Failure::Output),
        ["outlive", rest @ ..] => outlive::run(rest),
        ["control", rest @ ..] => {
            let options = Options::parse(rest, plants)?;
            let words: Vec<&str> = options.words.iter().map(String::as_str).collect();
            control::run(&words, &options.plants, out)
        }
        ["help" | "--help" | "-h"] => write(out, USAGE),
        _ => Err(Failure::Usage(format!("not understood\n{USAGE}"))),
    }
}

/// Makes every attempt that is measured, and says what came of each as soon as it is known, in a line of its own that
/// can be told from whatever an enclosure prints.
fn inside(options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let plants = processes::at_home(&options.plants);
    // The enclosure's shell may have set another one; attempts make files.
    rustix::process::umask(Mode::WGRP | Mode::WOTH);
    let mark = mark(plants.text(Plant::Tag).unwrap_or_default());
    let mut say =
        |word: &str| writeln!(out, "\n{mark}{word}").and_then(|()| out.flush()).map_err(Failure::Output);
    say("begun")?;
    let is_control = plants.text(Plant::Unenclosed).is_ok();
    let attempts = if is_control { catalog::measured_apart() } else { catalog::measured().collect() };
    for attempt in attempts.into_iter().filter(|attempt| attempt.id.starts_with(&options.only)) {
        if plants.has_lost_its_scene() {
            return Ok(());
        }
        say(&serde_json::to_string(&runner::run(attempt, &plants)).map_err(Failure::Report)?)?;
    }
    say("ended")
}

/// Measures an enclosure, and prints the record.
fn against(command: &str, options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let environment: Vec<_> = std::env::vars_os().collect();
    let home = environment.iter().find(|(name, _)| name == "HOME").map(|(_, home)| PathBuf::from(home));
    let setting = Setting {
        home: home.ok_or_else(|| Failure::Usage("HOME is not set".to_owned()))?,
        program: std::env::current_exe().map_err(Failure::Input)?,
        environment,
        only: options.only.clone(),
    };
    let mut sandbox = Sandbox::of(command, &setting.home, &setting.environment)?;
    let measured = outside::measure(&mut sandbox, &setting, &mut |_| ())?;
    print(out, &measured)
}

/// What follows the command: plants, a prefix of ids, and plain words.
#[derive(Debug, Default)]
struct Options {
    plants: Plants,
    only: String,
    words: Vec<String>,
}

impl Options {
    fn parse(words: &[&str], plants: Plants) -> Result<Self, Failure> {
        let mut options = Self { plants, ..Self::default() };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| Failure::Usage(format!("{word} wants a value")));
            match *word {
                "--plants" => {
                    let path = PathBuf::from(value()?);
                    let text = std::fs::read_to_string(&path);
                    let text = text.map_err(|source| Failure::PlantsFile { path, source })?;
                    options.plants.add_json(&text)?;
                }
                "--only" => (*value()?).clone_into(&mut options.only),
                flag if flag.starts_with('-') => {
                    return Err(Failure::Usage(format!("there is no option {flag}")));
                }
                other => match other.split_once('=') {
                    Some((name, value)) => options.plants.add(name, value)?,
                    None => options.words.push(other.to_owned()),
                },
            }
        }
        Ok(options)
    }

    fn no_words(&self) -> Result<(), Failure> {
        let first = self.words.first();
        first.map_or(Ok(()), |word| Err(Failure::Usage(format!("{word:?} is no NAME=VALUE"))))
    }
}

/// One line of `list --json`.
#[derive(Debug, Serialize)]
struct Entry {
    id: &'static str,
    radius: &'static str,
    kind: &'static str,
    act: &'static str,
    source: &'static str,
    needs: Vec<&'static str>,
}

impl Entry {
    fn new(attempt: &'static Attempt) -> Self {
        Self {
            id: attempt.id,
            radius: attempt.radius.name(),
            kind: attempt.kind.name(),
            act: attempt.sentence,
            source: attempt.source,
            needs: attempt.needs.iter().map(|plant| plant.name()).collect(),
        }
    }
}

fn write(out: &mut dyn Write, text: &str) -> Result<(), Failure> {
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::Output)
}

fn print(out: &mut dyn Write, value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(Failure::Report)?;
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(Failure::Output)
}

fn list(out: &mut dyn Write) -> Result<(), Failure> {
    for entry in catalog::all().map(Entry::new) {
        let needs =
            if entry.needs.is_empty() { String::new() } else { format!(" [{}]", entry.needs.join(", ")) };
        let Entry { id, radius, kind, act, source, .. } = entry;
        writeln!(out, "{id:<26} {radius:<12} {kind:<9} {act} ({source}){needs}").map_err(Failure::Output)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{failure, finding};

    fn output(words: &[&str]) -> Result<String, Failure> {
        let mut out = Vec::new();
        run(words, Plants::default(), &mut out).map(|()| String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_list_is_json_with_every_attempt() {
        let text = output(&["list", "--json"]).unwrap();
        let entries: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(entries.len(), catalog::all().count());
        assert!(entries.iter().all(|entry| entry["act"].is_string() && entry["needs"].is_array()));
    }

    #[test]
    fn an_attempt_without_its_plant_is_inconclusive_and_made() {
        let report: Report = serde_json::from_str(&output(&["try", "file-read"]).unwrap()).unwrap();
        assert_eq!(report.outcome, finding::Outcome::Inconclusive);
        assert!(report.evidence.contains("outside-file"));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for words in [
            &["try", "no-such"][..],
            &["try", "mount", "--x"],
            &["try", "mount", "word"],
            &["all", "a=b"],
            &[],
        ] {
            assert_eq!(output(words).unwrap_err().exit_status(), failure::EXIT_USAGE, "{words:?}");
        }
    }
}
