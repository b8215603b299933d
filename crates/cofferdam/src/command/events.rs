//! `cofferdam events`: what happened to a session, from the ledger, one sentence an event.

use super::calendar::date;
use super::ls::typed;
use super::table::labelled;
use crate::arguments::Followed;
use crate::output::{Output, whole};
use cofferdam_policy::event::{Decision, Event, Refused, Requested, StoppedBy, UnixNanos};
use cofferdam_session::context::Context;
use cofferdam_session::error::Error;
use cofferdam_session::sessions::{self, Following, RecordedEvent, SessionRecord};
use cofferdam_session::state::State;

/// How much of an authority's digest is shown.
const DIGEST_CHARS: usize = 12;

pub(super) fn events(context: &Context, output: &Output, asked: &Followed) -> Result<u8, Error> {
    let state = State::open(context)?;
    let record = super::find(context, &state, output, asked.session.as_deref())?;
    if asked.follow {
        return follow(context, &state, output, record);
    }
    let events = all(&state, &record)?;
    output.object(&events.iter().map(object).collect::<Vec<_>>())?;
    events.iter().for_each(|event| print(output, event));
    Ok(0)
}

/// Every event of a session, portion by portion.
fn all(state: &State, record: &SessionRecord) -> Result<Vec<RecordedEvent>, Error> {
    let mut events: Vec<RecordedEvent> = Vec::new();
    loop {
        let more = sessions::events(state, record, events.last().map_or(0, |event| event.seq))?;
        if more.is_empty() {
            return Ok(events);
        }
        events.extend(more);
    }
}

/// Prints what there is and what comes, until the session ends; with `--json` an object a line.
fn follow(context: &Context, state: &State, output: &Output, record: SessionRecord) -> Result<u8, Error> {
    let mut following = Following::of(record);
    let mut seen = 0;
    loop {
        // Asked first: what is recorded before the end is printed, too.
        let goes_on = following.goes_on(context, state)?;
        for event in sessions::events(state, following.record(), seen)? {
            seen = event.seq;
            if output.json {
                if !output.object_line(&object(&event))? {
                    return Ok(0);
                }
            } else {
                print(output, &event);
            }
        }
        if !goes_on {
            return Ok(0);
        }
        following.wait();
    }
}

fn object(event: &RecordedEvent) -> serde_json::Value {
    serde_json::json!({ "seq": event.seq, "at": event.at.0, "event": event.event })
}

fn print(output: &Output, event: &RecordedEvent) {
    let sentence = whole(sentence(&event.event).as_bytes());
    let lines = labelled(&format!("{}  ", instant(event.at)), &sentence, output.columns);
    lines.iter().for_each(|line| output.line(line));
}

/// What happened, for people.
pub(super) fn sentence(event: &Event) -> String {
    let digest = |whole: &str| whole.chars().take(DIGEST_CHARS).collect::<String>();
    match event {
        Event::Started { authority_digest, command } => {
            format!("started with authority {}: {}", digest(authority_digest), typed(command))
        }
        Event::Resumed { authority_digest, command } => {
            format!("resumed with authority {}: {}", digest(authority_digest), typed(command))
        }
        Event::Executed { command } => format!("a further program was started: {}", typed(command)),
        Event::Attached => "a terminal was attached".to_owned(),
        Event::Detached => "the terminal was detached; it went on in the background".to_owned(),
        Event::Refreshed => "your directories were shown anew".to_owned(),
        Event::Exited { status } => format!("its program ended: {status}"),
        Event::Stopped { by: StoppedBy::Owner } => "stopped".to_owned(),
        Event::Stopped { by: StoppedBy::Guardian } => {
            "ended by its guardian: the supervisor was gone".to_owned()
        }
        Event::Stopped { by: StoppedBy::Doctor } => "found left over, and recorded as stopped".to_owned(),
        Event::LimitReached { limit } => format!("came to its limit: {limit}"),
        Event::Failed { step, cause } if cause.is_empty() => format!("failed: {step}"),
        Event::Failed { step, cause } => format!("failed: {step}: {cause}"),
        Event::Reviewed { digest: of, notes } => match notes.len() {
            0 => format!("{} was reviewed to the end", digest(of)),
            1 => format!("{} was reviewed to the end, with a note", digest(of)),
            count => format!("{} was reviewed to the end, with {count} notes", digest(of)),
        },
        Event::Applied { apply, digest: of, entries } => {
            format!("{} was applied as {apply}: {entries} entries", digest(of))
        }
        Event::Imported { reference, tip, commits, .. } => {
            format!("{commits} commits were imported as {reference}: {}", digest(tip))
        }
        Event::Undone { apply } => format!("{apply} was taken back"),
        Event::Checkpointed { checkpoint } => format!("kept as {checkpoint}"),
        Event::Restored { checkpoint } => format!("became {checkpoint} again"),
        Event::Discarded => "removed, with all that it changed".to_owned(),
        Event::GatewayBegan => "its gateway took up its work".to_owned(),
        Event::GatewayEnded { cause } => format!("its gateway is gone, and with it the way out: {cause}"),
        Event::Refused(refused) => format!("refused ({}): {}", refused.reason, of_refused(refused)),
        Event::Requested(requested) => of_requested(requested),
        Event::Held { id, refused } => format!("held as {id}: {}", of_refused(refused)),
        Event::Decided { id, decision } => format!("{id} was {}", of_decision(*decision)),
        Event::HandleLeaked { credential, place, count } => {
            let times = if *count > 1 { format!(" ({count} times)") } else { String::new() };
            format!("the handle of {credential} was seen where it does not belong: {place}{times}")
        }
        Event::Revoked { credential } => format!("{credential} can't be used any more"),
        Event::Published { port, url } => format!("its port {port} was published to your browser: {url}"),
        Event::Unpublished { port } => format!("its port {port} is published no longer"),
    }
}

fn of_refused(refused: &Refused) -> String {
    let method = refused.method.as_ref().map_or_else(String::new, |method| format!("{method} "));
    let path = refused.path.as_deref().unwrap_or_default();
    let times = if refused.count > 1 { format!(" ({} times)", refused.count) } else { String::new() };
    format!("{method}{}:{}{path}{times}", refused.host, refused.port)
}

fn of_requested(requested: &Requested) -> String {
    let method = requested.method.as_deref().unwrap_or("connection to");
    let path = requested.path.as_deref().unwrap_or_default();
    let status = requested.status.map_or_else(String::new, |status| format!(" → {status}"));
    let by = requested.credential.as_ref().map_or_else(String::new, |name| format!(" with {name}"));
    let times = if requested.count > 1 { format!(", {} times", requested.count) } else { String::new() };
    let (up, down) = (requested.up, requested.down);
    let (host, port) = (&requested.host, requested.port);
    if requested.is_cut_off {
        return format!("{method} {host}:{port}{path}{by} was under way when its gateway ended{times}");
    }
    format!("{method} {host}:{port}{path}{status}{by} ({up} bytes up, {down} down{times})")
}

fn of_decision(decision: Decision) -> &'static str {
    match decision {
        Decision::AllowedOnce => "let through, this once",
        Decision::AllowedForSession => "let through, and its like until the session ends",
        Decision::Denied => "refused by you",
        Decision::DeniedForNow => {
            "refused by you, like others before; for a minute all that nothing grants is refused unasked"
        }
        Decision::TimedOut => "refused: nobody answered in time",
    }
}

/// `2026-11-23 01:02:03Z`: the ledger's clock, in UTC.
fn instant(at: UnixNanos) -> String {
    const SECONDS_A_DAY: i64 = 86_400;
    let seconds = at.0.div_euclid(1_000_000_000);
    let (days, second) = (seconds.div_euclid(SECONDS_A_DAY), seconds.rem_euclid(SECONDS_A_DAY));
    let (year, month, day) = date(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cofferdam_policy::event::ExitStatus;

    #[test]
    fn instants_are_told_in_utc() {
        let at = |seconds: i64| instant(UnixNanos(seconds * 1_000_000_000 + 999_999_999));
        assert_eq!(at(0), "1970-01-01 00:00:00Z");
        assert_eq!(at(951_782_400), "2000-02-29 00:00:00Z");
        assert_eq!(at(1_709_251_199), "2024-02-29 23:59:59Z");
        assert_eq!(at(1_709_251_200), "2024-03-01 00:00:00Z");
        assert_eq!(at(4_107_542_400), "2100-03-01 00:00:00Z");
        assert_eq!(instant(UnixNanos(-1)), "1969-12-31 23:59:59Z");
    }

    #[test]
    fn an_event_is_a_sentence_and_a_command_stands_as_it_was_typed() {
        let command = vec!["sh".to_owned(), "-c".to_owned(), "echo it's".to_owned(), String::new()];
        let started = Event::Started { authority_digest: "0123456789abcdef".into(), command };
        assert_eq!(sentence(&started), "started with authority 0123456789ab: sh -c 'echo it'\\''s' ''");
        let exited = Event::Exited { status: ExitStatus::Signal(9) };
        assert_eq!(sentence(&exited), "its program ended: signal 9");
    }
}
