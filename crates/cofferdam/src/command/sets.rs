//! `cofferdam sets`: what each named set of grants comes to here, and the owner's word on where tools load from.

mod confirm;

use super::table::{aligned, wrapped};
use crate::arguments::{SetsArguments, SetsCommand};
use crate::output::{Output, Tone, toned, whole};
use cofferdam_policy::net::grant::QueryRule;
use cofferdam_session::context::Context;
use cofferdam_session::error::Error;
use cofferdam_session::sets::{self, Listed, Origin, Place, Shown, Standing};

pub(super) fn sets(context: &Context, output: &Output, arguments: &SetsArguments) -> Result<u8, Error> {
    match &arguments.command {
        None => list(context, output),
        Some(SetsCommand::Show { set }) => show(context, output, set),
        Some(SetsCommand::Confirm(asked)) => confirm::confirm(context, output, asked),
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
        "addresses_from": (!place.base.addresses.is_empty()).then_some(place.addresses_from),
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
    let credential = place.base.credential.as_ref();
    let credential = credential.map_or_else(String::new, |name| format!(", with secret {name}"));
    let query = if place.base.query == QueryRule::Allow { ", with queries" } else { "" };
    let addresses = &place.base.addresses;
    let at = match sets::leads_inward(addresses) {
        Some(inward) => format!("; an opening into {}: at {}", inward.phrase(), sets::listed(addresses)),
        None if addresses.is_empty() => String::new(),
        None => format!("; at {}", sets::listed(addresses)),
    };
    format!("{} {} ({}{credential}{query}{at})", place.role.name(), place.base, said_by(place.from))
}

/// Who says that a tool loads from a place.
fn said_by(origin: Origin) -> &'static str {
    match origin {
        Origin::Settings => "by the settings",
        Origin::Observed => "the tool asked for it",
        Origin::You => "named by you",
    }
}
