//! `cofferdam explain`: the five radii, enumerated to the last item, before anything is started.

use super::run::request;
use super::table::{aligned, wrapped};
use crate::arguments::ExplainArguments;
use crate::output::{Output, Tone, toned};
use cofferdam_session::context::Context;
use cofferdam_session::error::Error;
use cofferdam_session::explain::{self, Explanation};
use cofferdam_session::machine::Machine;
use cofferdam_session::network;
use cofferdam_session::resolve;
use cofferdam_session::sessions;
use cofferdam_session::state::State;

/// How many hidden or secret-looking paths are listed on a terminal; elsewhere it is all of them.
const LISTED_MAX: usize = 20;

pub(super) fn explain(context: &Context, output: &Output, arguments: ExplainArguments) -> Result<u8, Error> {
    let state = State::open(context)?;
    let machine = Machine::look();
    let mut published = Vec::new();
    let resolved = match &arguments.session {
        Some(asked) => {
            let record = sessions::find(context, &state, Some(asked))?;
            published = network::published(&state, &record)?;
            resolve::reopen(context, sessions::authority(&record)?, record.directory.clone())?
        }
        None => resolve::resolve(context, &state, &machine, &request(arguments.authority)?)?,
    };
    let explanation = explain::explain(context, &state, &machine, &resolved, &published)?;
    output.object(&explanation)?;
    if !output.json {
        print(output, &explanation);
    }
    Ok(0)
}

fn print(output: &Output, explanation: &Explanation) {
    let paragraph = |first: &str, indent: usize, text: &str| {
        wrapped(first, indent, text, output.columns).iter().for_each(|text| output.line(text));
    };
    paragraph("cell       ", 11, explanation.cell);
    paragraph("agent      ", 11, &explanation.identity);
    paragraph("authority  ", 11, &explanation.authority_digest);
    if let Some(policy) = &explanation.policy {
        paragraph("policy     ", 11, policy);
    }
    for radius in &explanation.radii {
        output.line("");
        output.line(&format!("{}  {}", toned(Tone::Strong, radius.name), toned(Tone::Dim, radius.question)));
        for reach in &radius.reach {
            paragraph("  • ", 4, reach);
        }
        for held in &radius.held_by {
            let lines = wrapped("    held by ", 6, held, output.columns);
            lines.iter().for_each(|text| output.line(&toned(Tone::Dim, text)));
        }
    }
    output.line("");
    output.line(&toned(Tone::Strong, "limits"));
    let rows: Vec<Vec<String>> = explanation
        .limits
        .iter()
        .map(|limit| {
            let how = limit.mechanism.map_or_else(|| "not enforced here".to_owned(), |by| format!("by {by}"));
            vec![format!("  {}", limit.name), limit.most.clone(), how]
        })
        .collect();
    for (row, limit) in aligned(&rows, output.columns).iter().zip(&explanation.limits) {
        output.line(&if limit.mechanism.is_some() { row.clone() } else { toned(Tone::Bad, row) });
    }
    listed(output, "hidden", Tone::Good, &explanation.masked);
    listed(
        output,
        "looks like a secret, and is shown (hide it: --mask NAME)",
        Tone::Bad,
        &explanation.resembling,
    );
    for note in &explanation.notes {
        output.line("");
        paragraph("note: ", 6, note);
    }
}

fn listed(output: &Output, title: &str, tone: Tone, paths: &[String]) {
    if paths.is_empty() {
        return;
    }
    output.line("");
    output.line(&toned(Tone::Strong, title));
    let listed = if output.columns.is_some() { LISTED_MAX } else { usize::MAX };
    for path in paths.iter().take(listed) {
        output.line(&toned(tone, &format!("  {path}")));
    }
    let more = paths.len().saturating_sub(listed);
    if more > 0 {
        output.line(&toned(Tone::Dim, &format!("  … and {more} more (--json lists them)")));
    }
}
