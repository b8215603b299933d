//! `cofferdam sets confirm`: shows the owner where a tool loads from, and asks.
//!
//! Each place is asked about, and each host in the owner's own network once more, with its addresses. Off a terminal both
//! must have been named beforehand; nothing is taken for a yes.

use super::super::table::wrapped;
use super::{object_of_place, said_by, told};
use crate::arguments::ConfirmArguments;
use crate::output::{Output, Tone, toned, whole};
use cofferdam_session::context::Context;
use cofferdam_session::error::{Error, ErrorKind};
use cofferdam_session::sets::{self, Draft, Opening, Place, ROUNDS_MAX};
use std::collections::BTreeSet;
use std::net::IpAddr;

pub(super) fn confirm(context: &Context, output: &Output, asked: &ConfirmArguments) -> Result<u8, Error> {
    let mut draft = sets::propose(context, &asked.set)?;
    for url in asked.hosts.iter().filter(|host| host.contains("://")) {
        draft.name_place(url)?;
    }
    draft.notes().iter().for_each(|text| note(output, text));
    let known = draft.places().to_vec();
    if !known.is_empty() {
        agreed(output, asked, &draft, &known, "load from here?")?;
        opened(context, output, asked, &mut draft)?;
        draft.keep_logins(context)?;
    }
    if !asked.no_trial {
        observe(context, output, asked, &mut draft)?;
    }
    let path = draft.confirm(context)?;
    output.object(&serde_json::json!({
        "set": draft.name(), "file": path.to_string_lossy(),
        "places": draft.places().iter().map(object_of_place).collect::<Vec<_>>(),
    }))?;
    let allow = toned(Tone::Strong, &format!("--allow {}", draft.name()));
    let places = match draft.places().len() {
        1 => "one place".to_owned(),
        several => format!("{several} places"),
    };
    output.line(&format!("confirmed; {allow} may load from {places}"));
    output.line(&toned(Tone::Dim, &format!("kept in {}", whole(path.to_string_lossy().as_bytes()))));
    Ok(0)
}

fn note(output: &Output, text: &str) {
    output.aside(&toned(Tone::Dim, &format!("note: {}", whole(text.as_bytes()))));
}

/// Runs the tool until nothing new comes up.
fn observe(
    context: &Context,
    output: &Output,
    asked: &ConfirmArguments,
    draft: &mut Draft,
) -> Result<(), Error> {
    let Some(trial) = draft.trial() else { return Ok(()) };
    for _ in 0..ROUNDS_MAX {
        output.aside(&toned(Tone::Dim, &format!("running {} in a cell of its own …", trial.program)));
        let observed = draft.run(context, &asked.tools)?;
        if observed.places.is_empty() {
            observed.others.iter().for_each(|other| note(output, &format!("not part of the set: {other}")));
            if let Some(code) = observed.failed {
                note(output, &failed(trial.program, code));
            }
            return Ok(());
        }
        agreed(output, asked, draft, &observed.places, "load from here, too?")?;
        observed.places.into_iter().for_each(|place| draft.take(place));
        opened(context, output, asked, draft)?;
    }
    Ok(())
}

fn failed(program: &str, code: u8) -> String {
    const NOT_FOUND: u8 = 127;
    if code == NOT_FOUND {
        format!("{program}: it was not found in the cell; name where it lies with --tools")
    } else {
        format!(
            "{program}: it ended with {code}, though nothing was refused that the set could grant; the set may lack what it would have asked for next"
        )
    }
}

/// The owner's yes to these places: on a terminal, or beforehand by their names.
fn agreed(
    output: &Output,
    asked: &ConfirmArguments,
    draft: &Draft,
    places: &[Place],
    question: &str,
) -> Result<(), Error> {
    output.aside(&format!("{} loads from:", toned(Tone::Strong, draft.name())));
    for place in places {
        wrapped("  + ", 6, &told(place), output.columns).iter().for_each(|line| output.aside(line));
    }
    let hint = beforehand(draft, places, &[]);
    if asked.yes {
        let is_named = |place: &&Place| {
            let (host, url) = (place.base.place(), place.base.url());
            asked.hosts.iter().any(|named| *named == host || same_address(named, &url))
        };
        return match places.iter().find(|place| !is_named(place)) {
            None => Ok(()),
            Some(place) => {
                Err(declined(draft, format!("--hosts does not name {}", place.base.place()), hint))
            }
        };
    }
    if output.confirm(question) { Ok(()) } else { Err(declined(draft, "nobody said yes".to_owned(), hint)) }
}

/// The owner's yes to each host that is not out on the internet, at the addresses that it has now.
fn opened(
    context: &Context,
    output: &Output,
    asked: &ConfirmArguments,
    draft: &mut Draft,
) -> Result<(), Error> {
    let openings = draft.openings(context)?;
    openings.notes.iter().for_each(|text| note(output, text));
    let hint = beforehand(draft, &[], &openings.offered);
    for opening in &openings.offered {
        show(output, draft, opening);
        if asked.yes {
            let is_named = |address: &IpAddr| {
                asked.private.iter().any(|(host, at)| *host == opening.place && at == address)
            };
            if let Some(address) = opening.addresses.iter().find(|address| !is_named(address)) {
                let why = format!("--private does not name {}={address}", opening.place);
                return Err(declined(draft, why, hint));
            }
        } else if !output.confirm("connect there?") {
            return Err(declined(draft, "nobody said yes".to_owned(), hint));
        }
        draft.open(opening);
    }
    Ok(())
}

fn show(output: &Output, draft: &Draft, opening: &Opening) {
    let Opening { place, addresses, before, from, bares_login, .. } = opening;
    let inward = sets::leads_inward(addresses).map_or("your own network", |inward| inward.phrase());
    output.aside(&format!("{} is not on the internet:", toned(Tone::Strong, place)));
    let was = if before.is_empty() || before == addresses {
        String::new()
    } else {
        format!("; it was {} when you confirmed it", sets::listed(before))
    };
    let mut lines = vec![format!(
        "an opening into {inward}: at {} ({}{was}); what runs with --allow {} can send requests there",
        sets::listed(addresses),
        said_by(*from),
        draft.name()
    )];
    if *bares_login {
        lines.push("your login goes there in clear text, for it is http".to_owned());
    }
    for line in lines {
        wrapped("  ! ", 6, &line, output.columns).iter().for_each(|line| output.aside(line));
    }
}

/// The command that says yes to all that is known so far, without being asked.
fn beforehand(draft: &Draft, places: &[Place], openings: &[Opening]) -> String {
    let mut seen = BTreeSet::new();
    let mut unseen = |text: &String| seen.insert(text.clone());
    let hosts: Vec<String> = draft
        .places()
        .iter()
        .chain(places)
        .map(|place| place.base.place())
        .filter(|host| unseen(host))
        .collect();
    let agreed = draft.openings_so_far().into_iter();
    let new = openings.iter().map(|opening| (opening.place.clone(), opening.addresses.clone()));
    let private = agreed
        .chain(new)
        .flat_map(|(host, addresses)| addresses.into_iter().map(move |address| format!("{host}={address}")));
    let private: Vec<String> = private.filter(|named| unseen(named)).collect();
    let mut command =
        format!("off a terminal: cofferdam sets confirm {} --yes --hosts {}", draft.name(), hosts.join(","));
    if !private.is_empty() {
        command.push_str(&format!(" --private {}", private.join(",")));
    }
    command
}

fn declined(draft: &Draft, why: String, hint: String) -> Error {
    Error::new(ErrorKind::Declined, format!("the set {} was not confirmed", draft.name()))
        .since(why)
        .hint(hint)
}

fn same_address(named: &str, url: &str) -> bool {
    let (_role, named) = sets::in_role(named);
    named.trim_end_matches('/') == url.trim_end_matches('/')
}
