//! `cofferdam explain`: the five radii, enumerated to the last item, before anything is started.

use super::run::request;
use super::table::{aligned, cut, wrapped};
use crate::arguments::ExplainArguments;
use crate::output::{Output, Tone, toned};
use cofferdam_session::context::Context;
use cofferdam_session::error::Error;
use cofferdam_session::explain::{self, Explanation};
use cofferdam_session::machine::Machine;
use cofferdam_session::resolve;
use cofferdam_session::sessions;
use cofferdam_session::state::State;

/// How many hidden or secret-looking paths are listed for people; `--json` has them all.
const LISTED_MAX: usize = 20;
const COLUMNS_MAX: usize = 80;

pub(super) fn explain(context: &Context, output: &Output, arguments: ExplainArguments) -> Result<u8, Error> {
    let state = State::open(context)?;
    let machine = Machine::look();
    let resolved = match &arguments.session {
        Some(asked) => {
            let record = sessions::find(context, &state, Some(asked))?;
            resolve::reopen(context, sessions::authority(&record)?, record.directory.clone())?
        }
        None => resolve::resolve(context, &state, &machine, &request(arguments.authority)?)?,
    };
    let explanation = explain::explain(context, &state, &machine, &resolved)?;
    output.object(&explanation)?;
    if !output.json {
        print(output, &explanation);
    }
    Ok(0)
}

fn print(output: &Output, explanation: &Explanation) {
    let line = |text: &str| output.line(&cut(text, COLUMNS_MAX));
    line(&format!("cell       {}", explanation.cell));
    line(&format!("agent      {}", explanation.identity));
    line(&format!("authority  {}", explanation.authority_digest));
    if let Some(policy) = &explanation.policy {
        line(&format!("policy     {policy}"));
    }
    for radius in &explanation.radii {
        output.line("");
        output.line(&format!("{}  {}", toned(Tone::Strong, radius.name), toned(Tone::Dim, radius.question)));
        for reach in &radius.reach {
            wrapped("  • ", 4, reach).iter().for_each(|text| output.line(text));
        }
        for held in &radius.held_by {
            let lines = wrapped("    held by ", 6, held);
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
    for (row, limit) in aligned(&rows).iter().zip(&explanation.limits) {
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
        wrapped("note: ", 6, note).iter().for_each(|text| output.line(text));
    }
}

fn listed(output: &Output, title: &str, tone: Tone, paths: &[String]) {
    if paths.is_empty() {
        return;
    }
    output.line("");
    output.line(&toned(Tone::Strong, title));
    for path in paths.iter().take(LISTED_MAX) {
        output.line(&toned(tone, &cut(&format!("  {path}"), COLUMNS_MAX)));
    }
    if paths.len() > LISTED_MAX {
        output.line(&toned(
            Tone::Dim,
            &format!("  … and {} more (--json lists them)", paths.len() - LISTED_MAX),
        ));
    }
}
