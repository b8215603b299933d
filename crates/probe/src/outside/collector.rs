//! One measurement, from the setting of the scenes to the verdicts.
//!
//! 1. Two equal scenes are set: one for the control, one for the enclosure, which is made ready.
//! 2. Every attempt is made on the first, outside of any enclosure.
//! 3. At the same time every attempt is made on the second, inside; what is printed there goes to a terminal of its own.
//! 4. The host looks at both scenes, and each attempt is judged.
//! 5. Both scenes are taken away, whatever came of it.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::Mode;

use crate::attempt::Attempt;
use crate::catalog;
use crate::finding::{Outcome, Report};
use crate::inside::{processes, terminal};
use crate::measurement::{Measured, Measurement, Runner, SCHEMA, Tally};
use crate::outside::adapters::ADAPTERS;
use crate::outside::enclosure::{CommandLine, Enclosure};
use crate::outside::judge::{self, Came};
use crate::outside::listeners::Contacts;
use crate::outside::process::{self, Place, Ran};
use crate::outside::scene::Scene;
use crate::plants::Plant;
use crate::program::{MARK, mark};
use crate::witness::{Contact, HostSide};

/// How long all attempts on one scene may take.
const RUN_TIME_MAX: Duration = Duration::from_secs(120);
/// How long the pass on a terminal may take.
const TERMINAL_TIME_MAX: Duration = Duration::from_secs(20);
/// How long listeners are given for what has been sent already.
const SETTLE: Duration = Duration::from_millis(30);
/// How many lines the probe prints for each attempt.
const LINES_EACH: usize = 2;
/// The most lines of a complaint that are told.
const COMPLAINT_LINES_MAX: usize = 3;

/// What a measurement is made with.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The owner's home, below which the scenes are set.
    pub home: PathBuf,
    /// The probe's program.
    pub program: PathBuf,
    /// The environment of whoever runs it.
    pub environment: Vec<(OsString, OsString)>,
    /// Only attempts whose id begins so.
    pub only: String,
}

/// How far a measurement has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Attempts made, on both scenes.
    pub made: usize,
    /// Attempts to make, on both scenes.
    pub of: usize,
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The scene could not be set.
    #[error("cannot set the scene below {}", .home.display())]
    Scene {
        /// Where.
        home: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The enclosure's program could not be started.
    #[error("cannot start {}", .program.to_string_lossy())]
    Start {
        /// Which one.
        program: OsString,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No attempt that is measured has such an id.
    #[error("no attempt's id begins with `{only}`")]
    NoAttempt {
        /// What was asked for.
        only: String,
    },
    /// The enclosure's command has no place for the probe.
    #[error("`{command}` is no sandbox known by name, and has no {{}} where the probe is to stand")]
    NoProbe {
        /// The command.
        command: String,
    },
    /// A sandbox that is known by name can't be used here.
    #[error("{name} does not start: {said}")]
    Missing {
        /// Its name.
        name: &'static str,
        /// What it said.
        said: String,
        /// How one comes to it.
        install: &'static str,
    },
    /// The enclosure's command started the probe more than once: what one did was there for the next.
    #[error("it started the probe {times} times")]
    Repeated {
        /// How often.
        times: usize,
    },
    /// It was started, and no attempt came of it.
    #[error("{}", .said)]
    Nothing {
        /// What it said.
        said: String,
    },
}

impl CollectError {
    /// Whether what was asked for can't be measured anywhere.
    #[must_use]
    pub const fn is_of_the_words(&self) -> bool {
        matches!(self, Self::NoAttempt { .. } | Self::NoProbe { .. })
    }

    /// What to do about it.
    #[must_use]
    pub fn what_to_do(&self) -> String {
        match self {
            Self::Scene { source, .. } if source.kind() == io::ErrorKind::InvalidInput => {
                "take a home directory with a shorter path: a socket's may have 107 bytes".to_owned()
            }
            Self::Scene { .. } => {
                "look whether your home directory has room and may be written to".to_owned()
            }
            Self::Start { .. } | Self::Nothing { .. } => {
                "try the sandbox by hand, with `true` in place of the probe".to_owned()
            }
            Self::Missing { install, .. } => (*install).to_owned(),
            Self::NoAttempt { .. } => "see them all: cofferdam-probe list".to_owned(),
            Self::NoProbe { .. } => {
                let known: Vec<&str> = ADAPTERS.iter().map(|adapter| adapter.name).collect();
                format!("name one of {}, or write for instance 'mysandbox -- {{}}'", known.join(", "))
            }
            Self::Repeated { .. } => "let {} stand once in the command, and run once".to_owned(),
        }
    }
}

/// Measures an enclosure, with the usual umask: this process, the enclosure and the attempts have it from here on.
///
/// # Errors
/// Nothing could be measured at all. An enclosure that ends the probe midway is no error: what was learnt until then is
/// in the measurement.
pub fn measure<E: Enclosure>(
    enclosure: &mut E,
    setting: &Setting,
    told: &mut dyn FnMut(Progress),
) -> Result<Measurement, E::Error> {
    let begun = Instant::now();
    rustix::process::umask(Mode::WGRP | Mode::WOTH);
    let set = || {
        Scene::set(&setting.home, &setting.program)
            .map_err(|source| CollectError::Scene { home: setting.home.clone(), source })
    };
    let wanted: Vec<Wanted> = wanted(&setting.only);
    if wanted.is_empty() {
        return Err(CollectError::NoAttempt { only: setting.only.clone() }.into());
    }
    let (mut control, mut scene) = (set()?, set()?);
    let prepared = enclosure.prepare(&mut scene);
    let measured = prepared.and_then(|()| {
        control.grant_as(&scene);
        control.plant(Plant::Unenclosed, "yes");
        Ok(both(&control, &scene, &|inner| enclosure.command(&scene, inner), setting, wanted.len(), told)?)
    });
    let declared = enclosure.declared();
    let finished = enclosure.finish(&scene);
    let (outside, inside) = measured?;
    finished?;
    thread::sleep(SETTLE);
    let attempts: Vec<Measured> = wanted
        .iter()
        .map(|wanted| {
            let granted = judge::granted(wanted.attempt, scene.plants(), &declared);
            let came = |scene, pass: &Pass| pass.came(wanted.attempt, scene);
            let judged =
                judge::judge(wanted.attempt, came(&control, &outside), came(&scene, &inside), granted);
            wanted.measured(judged)
        })
        .collect();
    let radii = Tally::all(&attempts);
    Ok(Measurement {
        schema: SCHEMA.to_owned(),
        enclosure: enclosure.enclosed(),
        runner: runner(),
        took_millis: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        cut_short: inside.cut_short,
        radii,
        attempts,
    })
}

/// An attempt that is to be measured.
struct Wanted {
    attempt: &'static Attempt,
    class: &'static str,
    attack: u8,
    is_counted: bool,
}

/// In the order in which the probe makes them.
fn wanted(only: &str) -> Vec<Wanted> {
    let classes: HashMap<&str, (&str, u8, bool)> = catalog::classes()
        .flat_map(|class| {
            let of_class = move |(attempt, is_counted): (&Attempt, bool)| {
                (attempt.id, (class.name, class.attack, is_counted))
            };
            class.attempts().map(of_class)
        })
        .collect();
    let measured = catalog::measured().filter(|attempt| attempt.id.starts_with(only));
    measured
        .filter_map(|attempt| {
            let (class, attack, is_counted) = *classes.get(attempt.id)?;
            Some(Wanted { attempt, class, attack, is_counted })
        })
        .collect()
}

impl Wanted {
    fn measured(&self, judged: judge::Judged) -> Measured {
        Measured {
            id: self.attempt.id.to_owned(),
            class: self.class.to_owned(),
            attack: self.attack,
            radius: self.attempt.radius,
            act: self.attempt.sentence.to_owned(),
            source: self.attempt.source.to_owned(),
            verdict: judged.verdict,
            is_counted: self.is_counted,
            control: judged.control,
            errno: judged.errno,
            evidence: judged.evidence,
        }
    }
}

/// The command itself, in no enclosure.
fn direct(inner: &[OsString]) -> CommandLine {
    let (program, arguments) = inner
        .split_first()
        .map_or_else(Default::default, |(program, arguments)| (program.clone(), arguments.to_vec()));
    CommandLine { program, arguments, variables: Vec::new() }
}

/// Makes all attempts on both scenes, which have nothing in common, at the same time.
fn both(
    control: &Scene,
    scene: &Scene,
    command: &dyn Fn(&[OsString]) -> CommandLine,
    setting: &Setting,
    wanted: usize,
    told: &mut dyn FnMut(Progress),
) -> Result<(Pass, Pass), CollectError> {
    let made_outside = AtomicUsize::new(0);
    thread::scope(|threads| {
        let outside = threads.spawn(|| {
            let count = |made| made_outside.store(made, Ordering::Relaxed);
            run(control, &|inner| direct(inner), setting, &mut |made| count(made))
        });
        let inside = run(scene, command, setting, &mut |made| {
            let of = wanted * 2;
            told(Progress { made: (made + made_outside.load(Ordering::Relaxed)).min(of), of });
        });
        let outside = outside.join().unwrap_or_else(|panicked| std::panic::resume_unwind(panicked));
        Ok((outside?, inside?))
    })
}

/// What came of all attempts on one scene.
struct Pass {
    reports: HashMap<String, Report>,
    /// The process that attempts go for was not there any more at the end.
    is_holder_gone: bool,
    cut_short: Option<String>,
}

/// Makes all attempts on one scene; `told` is told how many were made.
fn run(
    scene: &Scene,
    command: &dyn Fn(&[OsString]) -> CommandLine,
    setting: &Setting,
    told: &mut dyn FnMut(usize),
) -> Result<Pass, CollectError> {
    let Setting { environment, only, .. } = setting;
    scene.write_plants().map_err(|source| CollectError::Scene { home: scene.home().to_owned(), source })?;
    let stand_ins = scene.environment().into_iter().map(|(name, value)| (name.into(), value.into()));
    let environment: Vec<(OsString, OsString)> = environment.iter().cloned().chain(stand_ins).collect();
    let workspace = scene.workspace();
    let outside = scene.outside();
    let place = Place {
        directory: &workspace,
        environment: &environment,
        left_open: &outside,
        janitor: scene.janitor(),
    };
    let words = |words: &[&str]| -> Vec<OsString> {
        let program = [scene.program().into_os_string()];
        program.into_iter().chain(words.iter().map(OsString::from)).collect()
    };
    let plants = scene.plants_file();
    let inner = words(&["inside", "--plants", &plants.to_string_lossy(), "--only", only]);
    let line = command(&inner);
    let start = |source| CollectError::Start { program: line.program.clone(), source };
    let (mut looked_at, mut made) = (0, 0);
    let ran = process::through_pipes(&line, place, RUN_TIME_MAX, &mut |printed| {
        // Lines are counted as they end; what they say is read when all are there.
        let new = printed.get(looked_at..).unwrap_or_default();
        looked_at = printed.len();
        made += new.iter().filter(|byte| **byte == b'\n').count();
        told(made / LINES_EACH);
    })
    .map_err(start)?;
    let said = Said::by(&ran.printed, scene.tag());
    match said.begun {
        0 => return Err(CollectError::Nothing { said: complaint(&ran) }),
        1 => {}
        times => return Err(CollectError::Repeated { times }),
    }
    let terminal = process::on_terminal(&command(&words(&["terminal"])), place, TERMINAL_TIME_MAX);
    if let Ok(terminal) = terminal {
        scene.contacts().note_as(terminal::LISTENER, &terminal.printed);
    }
    let is_holder_gone = scene.is_holder_gone();
    let cut_short = (!said.has_ended).then(|| ran.cut_short(RUN_TIME_MAX).unwrap_or_else(|| complaint(&ran)));
    Ok(Pass { reports: said.reports, is_holder_gone, cut_short })
}

impl Pass {
    fn came(&self, attempt: &Attempt, scene: &Scene) -> Came {
        let reported = self.reports.get(attempt.id);
        if self.has_missed(attempt) {
            return Came::Inconclusive(
                "the planted process was ended meanwhile, and not by the probe".to_owned(),
            );
        }
        let contacts: Vec<Contact> = Contacts::all(scene.contacts());
        Came::of(attempt, reported, &HostSide { plants: scene.plants(), contacts: &contacts, reported })
    }
}

impl Pass {
    /// Whether the process that `attempt` goes for may have been gone by then: whoever ended it, no attempt did.
    fn has_missed(&self, attempt: &Attempt) -> bool {
        let was_reached =
            |id: &str| self.reports.get(id).is_some_and(|report| report.outcome == Outcome::Reached);
        let goes_for_it = [Plant::OutsidePid, Plant::InitPid].iter().any(|pid| attempt.needs.contains(pid));
        self.is_holder_gone
            && goes_for_it
            && !was_reached(attempt.id)
            && !processes::FATAL.iter().any(|fatal| was_reached(fatal.id))
    }
}

/// What the inside has said: lines of its own among whatever else an enclosure prints. A report that comes twice, or not
/// between beginning and end, is none.
#[derive(Default)]
struct Said {
    begun: usize,
    has_ended: bool,
    reports: HashMap<String, Report>,
    repeated: HashSet<String>,
}

impl Said {
    fn by(printed: &[u8], tag: &str) -> Self {
        let (mut said, mark) = (Self::default(), mark(tag));
        for line in String::from_utf8_lossy(printed).lines() {
            let Some((_, word)) = line.split_once(&mark) else { continue };
            match word.trim() {
                "begun" => said.begun += 1,
                "ended" => said.has_ended = true,
                report => {
                    let report = serde_json::from_str::<Report>(report);
                    if let Some(report) = report.ok().filter(|_| said.begun > 0 && !said.has_ended) {
                        said.hear(report);
                    }
                }
            }
        }
        said
    }

    fn hear(&mut self, report: Report) {
        let id = report.id.clone();
        if self.repeated.contains(&id) || self.reports.insert(id.clone(), report).is_some() {
            self.reports.remove(&id);
            self.repeated.insert(id);
        }
    }
}

/// What a program said instead of doing what it was for.
pub(crate) fn complaint(ran: &Ran) -> String {
    let printed = String::from_utf8_lossy(&ran.printed);
    let lines = ran.complaint.lines().chain(printed.lines()).map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.contains(MARK));
    let told: Vec<&str> = lines.take(COMPLAINT_LINES_MAX).collect();
    let how = ran.status.map_or_else(|| "it had to be ended".to_owned(), |status| status.to_string());
    if told.is_empty() { format!("it said nothing ({how})") } else { format!("{} ({how})", told.join("; ")) }
}

fn runner() -> Runner {
    let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
    Runner { uid: rustix::process::geteuid().as_raw(), kernel }
}
