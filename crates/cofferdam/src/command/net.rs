//! `cofferdam net`: which places a session speaks to, how much, and what the gateway says of it; live on a terminal.

use super::table::aligned;
use crate::arguments::NetArguments;
use crate::output::{Output, TEXT_COLUMNS_MAX, Tone, toned};
use cofferdam_session::context::Context;
use cofferdam_session::error::Error;
use cofferdam_session::network::{self, Network, Published, Traffic, Waiting};
use cofferdam_session::sessions::Following;
use cofferdam_session::state::State;
use cofferdam_session::terminal::visible_within;

/// A longer host goes to the next line's cost on a terminal.
const HOST_COLUMNS_MAX: usize = 34;

pub(super) fn net(context: &Context, output: &Output, asked: &NetArguments) -> Result<u8, Error> {
    let state = State::open(context)?;
    let record = super::find(context, &state, output, asked.session.as_deref())?;
    if !asked.follow {
        let found = network::network(&state, &record)?;
        output.object(&found)?;
        print(output, &found);
        return Ok(0);
    }
    let mut following = Following::of(record);
    let mut before = None;
    loop {
        let goes_on = following.goes_on(context, &state)?;
        let found = network::network(&state, following.record())?;
        if before.as_ref() != Some(&found) {
            if output.json {
                if !output.object_line(&serde_json::to_value(&found).unwrap_or_default())? {
                    return Ok(0);
                }
            } else {
                output.clear_screen();
                print(output, &found);
            }
            before = Some(found);
        }
        if !goes_on {
            return Ok(0);
        }
        following.wait();
    }
}

fn print(output: &Output, found: &Network) {
    found.published.iter().for_each(|published| output.line(&in_browser(published)));
    if found.traffic.is_empty() && found.waiting.is_empty() {
        output.line("nothing went to the network, and nothing was refused");
        return;
    }
    let host_columns_max = if output.columns.is_some() { HOST_COLUMNS_MAX } else { TEXT_COLUMNS_MAX };
    let mut rows = vec![["PLACE", "REQUESTS", "REFUSED", "UP", "DOWN", "LAST"].map(String::from).to_vec()];
    rows.extend(found.traffic.iter().map(|row| cells(row, host_columns_max)));
    let lines = aligned(&rows, output.columns);
    for (line, row) in lines.iter().zip(std::iter::once(None).chain(found.traffic.iter().map(Some))) {
        output.line(&match row {
            None => toned(Tone::Dim, line),
            Some(row) if row.verdict == "allowed" => line.clone(),
            Some(_) => toned(Tone::Bad, line),
        });
    }
    found.waiting.iter().for_each(|waiting| output.line(&said(waiting)));
}

/// A published port in one line.
pub(super) fn in_browser(published: &Published) -> String {
    format!("port {} in your browser: {}", published.port, published.url)
}

fn cells(row: &Traffic, host_columns_max: usize) -> Vec<String> {
    let place = if row.port == 0 { row.host.clone() } else { format!("{}:{}", row.host, row.port) };
    vec![
        visible_within(place.as_bytes(), host_columns_max),
        row.requests.to_string(),
        row.refused.to_string(),
        size(row.up),
        size(row.down),
        row.verdict.clone(),
    ]
}

/// A held request in one line.
pub(super) fn said(waiting: &Waiting) -> String {
    let refused = &waiting.refused;
    let method = refused.method.as_deref().unwrap_or("connect");
    let path = refused.path.as_deref().unwrap_or_default();
    let what = format!("{method} {}:{}{path}", refused.host, refused.port);
    let what = visible_within(what.as_bytes(), TEXT_COLUMNS_MAX);
    format!("{}  {what}  {}", waiting.id, toned(Tone::Dim, &format!("{}s left", waiting.seconds_left)))
}

/// `512`, `1.5K`, `20M`: bytes, in powers of 1024.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["", "K", "M", "G", "T"];
    let mut scaled = bytes;
    let mut tenths = 0;
    let mut unit = 0;
    while scaled >= 1024 && unit + 1 < UNITS.len() {
        tenths = scaled % 1024 * 10 / 1024;
        scaled /= 1024;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if unit > 0 && scaled < 10 { format!("{scaled}.{tenths}{name}") } else { format!("{scaled}{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        let of = [(0, "0"), (1023, "1023"), (1536, "1.5K"), (20 << 20, "20M"), (1 << 30, "1.0G")];
        of.iter().for_each(|(bytes, text)| assert_eq!(size(*bytes), *text));
    }
}
