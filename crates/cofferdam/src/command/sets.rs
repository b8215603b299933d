//! `cofferdam sets`: what each named set of grants comes to here, and the owner's word on where tools load from.

use super::table::{aligned, wrapped};
use crate::arguments::{ConfirmArguments, SetsArguments, SetsCommand};
use crate::output::{Output, Tone, toned, whole};
use cofferdam_session::context::Context;
use cofferdam_session::error::{Error, ErrorKind};
use cofferdam_session::sets::{self, Draft, Listed, Origin, Place, ROUNDS_MAX, Shown, Standing};

pub(super) fn sets(context: &Context, output: &Output, arguments: &SetsArguments) -> Result<u8, Error> {
    match &arguments.command {
        None => list(context, output),
        Some(SetsCommand::Show { set }) => show(context, output, set),
        Some(SetsCommand::Confirm(asked)) => confirm(context, output, asked),
    }
}

fn list(context: &Context, output: &Output) -> Result<u8, Error> {
    let listed = sets::list(context);
    output.object(&listed.iter().map(object_of).collect::<Vec<_>>())?;
    let mut rows = vec![["SET", "STATE", "COMES TO"].map(String::from).to_vec()];
    rows.extend(
        listed.iter().map(|set| {
            vec![set.name.clone(), state(&set.standing).to_owned(), whole(comes_to(set).as_bytes())]
        }),
    );
    for (number, line) in aligned(&rows, output.columns).iter().enumerate() {
        output.line(&if number == 0 { toned(Tone::Dim, line) } else { line.clone() });
    }
    Ok(0)
}

fn state(standing: &Standing) -> &'static str {
    match standing {
        Standing::Ready => "ready",
        Standing::Confirmed(_) => "confirmed",
        Standing::Changed(_) => "changed",
        Standing::Unconfirmed(_) => "unconfirmed",
        Standing::Broken(_) => "broken",
    }
}

fn comes_to(set: &Listed) -> String {
    match &set.standing {
        Standing::Ready => format!("cofferdam sets show '{}'", set.name),
        Standing::Confirmed(places) => {
            places.iter().map(|place| place.base.url()).collect::<Vec<_>>().join(", ")
        }
        Standing::Changed(differences) => differences.join("; "),
        Standing::Unconfirmed(places) if places.is_empty() => format!("cofferdam sets confirm {}", set.name),
        Standing::Unconfirmed(places) => {
            format!("{}; cofferdam sets confirm {}", places.join(", "), set.name)
        }
        Standing::Broken(why) => why.clone(),
    }
}

fn object_of(set: &Listed) -> serde_json::Value {
    serde_json::json!({ "set": set.name, "state": state(&set.standing), "about": about(&set.standing) })
}

fn about(standing: &Standing) -> serde_json::Value {
    match standing {
        Standing::Ready => serde_json::Value::Null,
        Standing::Confirmed(places) => places.iter().map(object_of_place).collect(),
        Standing::Changed(texts) | Standing::Unconfirmed(texts) => texts.iter().cloned().collect(),
        Standing::Broken(why) => why.clone().into(),
    }
}

fn object_of_place(place: &Place) -> serde_json::Value {
    serde_json::json!({
        "url": place.base.url(), "role": place.role.name(), "from": place.from,
        "credential": place.base.credential, "addresses": place.base.addresses,
    })
}

fn show(context: &Context, output: &Output, set: &str) -> Result<u8, Error> {
    let shown = sets::show(context, set)?;
    output.object(&serde_json::json!({
        "set": shown.name, "state": state(&shown.standing), "about": about(&shown.standing),
        "grants": shown.grants, "environment": shown.environment, "notes": shown.notes,
        "credentials": shown.credentials.iter().map(|(secret, place)|
            serde_json::json!({ "secret": secret, "place": place })).collect::<Vec<_>>(),
    }))?;
    let heading =
        format!("{}: {}", toned(Tone::Strong, &whole(shown.name.as_bytes())), state(&shown.standing));
    output.line(&heading);
    print(output, &shown);
    Ok(0)
}

fn print(output: &Output, shown: &Shown) {
    let item = |text: &str| {
        let lines = wrapped("  • ", 4, &whole(text.as_bytes()), output.columns);
        lines.iter().for_each(|line| output.line(line));
    };
    match &shown.standing {
        Standing::Ready => {}
        Standing::Confirmed(places) => places.iter().for_each(|place| item(&told(place))),
        Standing::Changed(texts) | Standing::Unconfirmed(texts) => texts.iter().for_each(|text| item(text)),
        Standing::Broken(why) => item(why),
    }
    shown.grants.iter().for_each(|grant| item(&format!("grant {grant}")));
    for (secret, place) in &shown.credentials {
        item(&format!("secret {secret} in {place}"));
    }
    shown.environment.iter().for_each(|(key, value)| item(&format!("variable {key}={value}")));
    shown.notes.iter().for_each(|note| item(&format!("note: {note}")));
    if !matches!(shown.standing, Standing::Ready | Standing::Confirmed(_)) {
        output.line(&toned(Tone::Dim, &format!("  cofferdam sets confirm {}", shown.name)));
    }
}

/// A place in one line, with who says so.
fn told(place: &Place) -> String {
    let from = match place.from {
        Origin::Settings => "by the settings",
        Origin::Observed => "the tool asked for it",
        Origin::You => "named by you",
    };
    let credential = place.base.credential.as_ref();
    let credential = credential.map_or_else(String::new, |name| format!(", with secret {name}"));
    format!("{} {} ({from}{credential})", place.role.name(), place.base)
}

fn confirm(context: &Context, output: &Output, asked: &ConfirmArguments) -> Result<u8, Error> {
    let mut draft = sets::propose(context, &asked.set)?;
    for url in asked.hosts.iter().filter(|host| host.contains("://")) {
        draft.name_place(url)?;
    }
    draft.notes().iter().for_each(|note| output.aside(&toned(Tone::Dim, &format!("note: {note}"))));
    let known = draft.places().to_vec();
    if !known.is_empty() {
        agreed(output, asked, &draft, &known, "load from here?")?;
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
    output.line(&format!("confirmed; {allow} may load from {} places", draft.places().len()));
    output.line(&toned(Tone::Dim, &format!("kept in {}", whole(path.to_string_lossy().as_bytes()))));
    Ok(0)
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
            for other in &observed.others {
                output.aside(&toned(
                    Tone::Dim,
                    &format!("note: not part of the set: {}", whole(other.as_bytes())),
                ));
            }
            if let Some(code) = observed.failed {
                output.aside(&failed(trial.program, code));
            }
            return Ok(());
        }
        agreed(output, asked, draft, &observed.places, "load from here, too?")?;
        observed.places.into_iter().for_each(|place| draft.take(place));
    }
    Ok(())
}

fn failed(program: &str, code: u8) -> String {
    const NOT_FOUND: u8 = 127;
    let why = if code == NOT_FOUND {
        "it was not found in the cell; name where it lies with --tools".to_owned()
    } else {
        format!("it ended with {code}, though nothing was refused that the set could grant")
    };
    toned(Tone::Dim, &format!("note: {program}: {why}"))
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
    let declined = |why: String, hint: String| {
        Err(Error::new(ErrorKind::Declined, format!("the set {} was not confirmed", draft.name()))
            .since(why)
            .hint(hint))
    };
    let mut hosts: Vec<String> =
        draft.places().iter().chain(places).map(|place| place.base.place()).collect();
    let mut seen = std::collections::BTreeSet::new();
    hosts.retain(|host| seen.insert(host.clone()));
    let hint =
        format!("off a terminal: cofferdam sets confirm {} --yes --hosts {}", draft.name(), hosts.join(","));
    if asked.yes {
        let is_named = |place: &&Place| {
            let (host, url) = (place.base.place(), place.base.url());
            asked.hosts.iter().any(|named| *named == host || same_address(named, &url))
        };
        return match places.iter().find(|place| !is_named(place)) {
            None => Ok(()),
            Some(place) => declined(format!("--hosts does not name {}", place.base.place()), hint),
        };
    }
    if output.confirm(question) { Ok(()) } else { declined("nobody said yes".to_owned(), hint) }
}

fn same_address(named: &str, url: &str) -> bool {
    named.trim_end_matches('/') == url.trim_end_matches('/')
}
