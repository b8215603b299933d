//! What is said at the start of a session, and at its end: there at most six lines, or one object.

use super::progress::Progress;
use crate::output::{Output, TEXT_COLUMNS_MAX, Tone, toned};
use cofferdam_policy::event::{ExitStatus, Refused};
use cofferdam_policy::net::refusal::RefusalReason;
use cofferdam_session::changes::Changes;
use cofferdam_session::error::Error;
use cofferdam_session::exit;
use cofferdam_session::shell;
use cofferdam_session::start::{Ended, News, StartOptions, Started, shell_status};
use cofferdam_session::supervise::Ending;
use cofferdam_session::terminal::{DETACH_KEY_NAME, visible_within};
use serde::Serialize;

/// The most lines that are said at the end.
const LINES_MAX: usize = 6;
/// A longer name would take more than its line.
const NAME_COLUMNS_MAX: usize = 72;

#[derive(Serialize)]
struct Report<'a> {
    session: Session<'a>,
    exit_status: Option<ExitStatus>,
    ending: &'static str,
    changes: &'a Changes,
    /// What the gateway refused; the kernel's own refusals are not recorded.
    refusals: &'a [Refused],
    removed: bool,
}

#[derive(Serialize)]
struct Session<'a> {
    id: &'a str,
    name: &'a str,
}

/// Says what there is to know while a session is started.
pub(super) fn tell(output: &Output, options: &StartOptions, progress: &Progress, news: News<'_>) {
    progress.clear();
    let dim = |text: &str| output.aside(&toned(Tone::Dim, text));
    match news {
        News::Notes(notes) => notes.iter().for_each(|note| dim(&format!("note: {note}"))),
        News::Begun if options.streams.interactive() => dim(&format!("{DETACH_KEY_NAME} detaches")),
        News::Begun => output.say_chosen(),
    }
}

/// Says what became of a start; returns the exit code.
pub(super) fn started(output: &Output, started: Started) -> Result<u8, Error> {
    match started {
        Started::Unattended => Ok(0),
        Started::Detached { name, id } => {
            output.object(&serde_json::json!({
                "session": { "id": id.as_str(), "name": name.as_str() }, "detached": true
            }))?;
            let name = name.as_str();
            output.line(&format!("session {} goes on in the background", toned(Tone::Strong, name)));
            output.line(&format!("  come back:  cofferdam attach {name}"));
            output.line(&format!("  end it:     cofferdam stop {name}"));
            Ok(0)
        }
        Started::Ended(ended) => {
            say(output, &ended)?;
            Ok(code(ended.ending))
        }
    }
}

fn code(ending: Ending) -> u8 {
    match ending {
        Ending::Exited(status) => shell_status(status),
        Ending::Stopped => shell_status(ExitStatus::Signal(15)),
        Ending::TimeLimit => exit::TIME_LIMIT,
        Ending::Vanished => exit::CELL,
    }
}

fn say(output: &Output, ended: &Ended) -> Result<(), Error> {
    let (exit_status, ending) = match ended.ending {
        Ending::Exited(status) => (Some(status), "exited"),
        Ending::Stopped => (None, "stopped"),
        Ending::TimeLimit => (None, "time-limit"),
        Ending::Vanished => (None, "vanished"),
    };
    output.object(&Report {
        session: Session { id: ended.id.as_str(), name: ended.name.as_str() },
        exit_status,
        ending,
        changes: &ended.changes,
        refusals: &ended.refusals,
        removed: ended.removed,
    })?;
    if output.json || (ended.removed && ended.ending == Ending::Exited(ExitStatus::Code(0))) {
        return Ok(());
    }
    let name = ended.name.as_str();
    let mut said: Vec<String> = match ended.ending {
        Ending::Exited(_) => Vec::new(),
        Ending::Stopped => vec!["the session was stopped".into()],
        Ending::TimeLimit => vec!["the session came to its time limit".into()],
        Ending::Vanished => vec!["the cell ended before its program did".into()],
    };
    let next = if ended.removed { Vec::new() } else { next(name, !ended.changes.is_empty()) };
    said.extend(refusals(&ended.refusals, name));
    let room = LINES_MAX.saturating_sub(said.len() + next.len());
    said.extend(lines(&ended.changes, name, room));
    said.extend(next);
    said.iter().for_each(|line| output.aside(line));
    Ok(())
}

/// The commands that come next of a session that does not run: what to do with its changes, and with itself.
pub(super) fn next(name: &str, changed: bool) -> Vec<String> {
    let dim = |text: String| toned(Tone::Dim, &text);
    let changes =
        format!("cofferdam review {name}  ·  cofferdam diff -s {name}  ·  cofferdam apply -s {name}");
    let itself = format!("cofferdam resume -s {name}  ·  cofferdam discard {name}");
    changed.then_some(changes).into_iter().chain([itself]).map(dim).collect()
}

/// What was refused, and the grant that would permit the most frequent of it: at most two lines.
fn refusals(refused: &[Refused], name: &str) -> Vec<String> {
    let Some(first) = refused.first() else { return Vec::new() };
    let times: u64 = refused.iter().map(|refused| refused.count).sum();
    let place = visible_within(format!("{}:{}", first.host, first.port).as_bytes(), NAME_COLUMNS_MAX);
    let more = match refused.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more: cofferdam net {name}"),
    };
    let counted = if times == 1 { "once".to_owned() } else { format!("{times} times") };
    let said = format!("{} {counted}: {} to {place}{more}", toned(Tone::Bad, "refused"), first.reason);
    let offered = |refused: &Refused| shell::allow(refused.allow.as_deref()?, TEXT_COLUMNS_MAX);
    let permit =
        refused.iter().find_map(offered).map(|allow| toned(Tone::Dim, &format!("  permitted by: {allow}")));
    let is_inward = first.reason == RefusalReason::AddressNotGlobal.code();
    let inward = is_inward.then(|| {
        toned(Tone::Dim, "  it is not on the internet; if that is meant: cofferdam sets confirm SET, or address=… in a grant")
    });
    std::iter::once(said).chain(permit.or(inward)).collect()
}

/// What changed, in at most `lines_max` lines, of which the last tells how much is not named.
fn lines(changes: &Changes, name: &str, lines_max: usize) -> Vec<String> {
    if changes.is_empty() {
        return vec![toned(Tone::Dim, "nothing changed")];
    }
    let mut lines = vec![format!("{} {}", toned(Tone::Strong, "changed:"), counts(changes))];
    let room = lines_max.saturating_sub(lines.len());
    let fits = changes.total() <= room as u64;
    let named = if fits { room } else { room.saturating_sub(1) };
    for entry in changes.entries().take(named) {
        lines.push(format!("  {} {}", entry.sign(), visible_within(entry.path(), NAME_COLUMNS_MAX)));
    }
    let more = changes.total().saturating_sub(changes.total_listed().min(named) as u64);
    if more > 0 {
        lines.push(toned(Tone::Dim, &format!("  … and {more} more: cofferdam show {name}")));
    }
    lines
}

/// `3 added, 1 modified, 1 deleted`
pub(super) fn counts(changes: &Changes) -> String {
    let parts: Vec<String> = changes
        .counts()
        .into_iter()
        .filter(|&(count, _)| count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if parts.is_empty() { "nothing".into() } else { parts.join(", ") }
}
