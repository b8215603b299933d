//! Runs attempts one after the other, each in a process of its own and until a deadline: an attempt that hangs, or
//! that a filter kills, has an outcome like any other.

use std::io::Read as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::attempt::Attempt;
use crate::finding::{Finding, Report};
use crate::inside::control::OWN_PROGRAM;
use crate::inside::proc::READ_BYTES_MAX;
use crate::plants::Plants;

/// How long one attempt may take.
const ATTEMPT_TIME_MAX: Duration = Duration::from_secs(20);
/// How often it is looked whether it has ended: short at first, as nearly all end at once.
const POLL_MIN: Duration = Duration::from_micros(200);
const POLL_MAX: Duration = Duration::from_millis(10);

/// Runs `attempt` in a child.
pub(crate) fn run(attempt: &Attempt, plants: &Plants) -> Report {
    let mut command = Command::new(OWN_PROGRAM);
    command.args(["try", attempt.id]).args(plants.as_arguments()).process_group(0);
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let inconclusive = |evidence: String| Report::new(attempt, Finding::Inconclusive(evidence));
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => return inconclusive(format!("cannot start a process for it: {error}")),
    };
    let status = match wait(&mut child, ATTEMPT_TIME_MAX) {
        Ok(Some(status)) => status,
        Ok(None) => {
            end(&mut child);
            let seconds = ATTEMPT_TIME_MAX.as_secs();
            return inconclusive(format!("it had not ended after {seconds} seconds")).killed_by("deadline");
        }
        Err(error) => return inconclusive(format!("cannot wait for it: {error}")),
    };
    if let Some(signal) = status.signal() {
        return killed(attempt, signal);
    }
    let mut printed = String::new();
    let output = child.stdout.take();
    let read = output.map(|output| output.take(READ_BYTES_MAX).read_to_string(&mut printed));
    match (read, serde_json::from_str(&printed)) {
        (Some(Ok(_)), Ok(report)) => report,
        _ => inconclusive(format!("it ended with {status} and no report")),
    }
}

/// Runs a command in a process group of its own, and ends it if it takes longer; without a status then.
pub(crate) fn run_within(command: &mut Command, time_max: Duration) -> std::io::Result<Option<ExitStatus>> {
    let mut child = command.process_group(0).spawn()?;
    let status = wait(&mut child, time_max);
    if !matches!(status, Ok(Some(_))) {
        end(&mut child);
    }
    status
}

fn wait(child: &mut Child, time_max: Duration) -> std::io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    let mut pause = POLL_MIN;
    while start.elapsed() < time_max {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(pause);
        pause = (pause * 2).min(POLL_MAX);
    }
    Ok(None)
}

/// Ends the attempt with all that it started: it has a process group of its own.
fn end(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        kill_process_group(group, Signal::KILL).ok();
    }
    drop(child.wait());
}

fn killed(attempt: &Attempt, signal: i32) -> Report {
    let name = signal_name(signal);
    let evidence = format!("killed by {name}");
    // A filter's signal and those of exhausted limits are refusals; any other tells nothing.
    let refusal = [Signal::SYS, Signal::XFSZ, Signal::XCPU].iter().any(|known| known.as_raw() == signal);
    let finding = if refusal { Finding::Held(evidence) } else { Finding::Inconclusive(evidence) };
    Report::new(attempt, finding).killed_by(&name)
}

fn signal_name(signal: i32) -> String {
    const NAMES: [(Signal, &str); 10] = [
        (Signal::SYS, "SIGSYS"),
        (Signal::XFSZ, "SIGXFSZ"),
        (Signal::XCPU, "SIGXCPU"),
        (Signal::KILL, "SIGKILL"),
        (Signal::TERM, "SIGTERM"),
        (Signal::SEGV, "SIGSEGV"),
        (Signal::BUS, "SIGBUS"),
        (Signal::ABORT, "SIGABRT"),
        (Signal::ILL, "SIGILL"),
        (Signal::HUP, "SIGHUP"),
    ];
    let known = NAMES.iter().find(|(each, _)| each.as_raw() == signal);
    known.map_or_else(|| format!("signal {signal}"), |(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Outcome;

    const ATTEMPT: Attempt =
        Attempt::forbidden("an-id", "Acts.", "a source", |_| Ok(Finding::Held(String::new())));

    #[test]
    fn a_filter_that_kills_is_a_refusal() {
        let report = killed(&ATTEMPT, Signal::SYS.as_raw());
        assert_eq!((report.outcome, report.killed.as_deref()), (Outcome::Refused, Some("SIGSYS")));
    }

    #[test]
    fn any_other_signal_proves_nothing() {
        let report = killed(&ATTEMPT, Signal::SEGV.as_raw());
        assert_eq!((report.outcome, report.killed.as_deref()), (Outcome::Inconclusive, Some("SIGSEGV")));
    }
}
