//! `cofferdam doctor`: what this machine can enforce, tried one by one, and what is left over.

use super::table::wrapped;
use crate::arguments::DoctorArguments;
use crate::output::{Output, Tone, toned, whole};
use cofferdam_session::context::Context;
use cofferdam_session::doctor::{self, Check, CheckState, Fate, Leftover, Need};
use cofferdam_session::error::Error;
use cofferdam_session::exit;
use cofferdam_session::terminal::visible_within;
use std::collections::BTreeSet;

const EVIDENCE_COLUMNS_MAX: usize = 400;

pub(super) fn doctor(context: &Context, output: &Output, arguments: &DoctorArguments) -> Result<u8, Error> {
    let report = doctor::examine(context, arguments.fix);
    output.object(&report)?;
    if !output.json {
        // What mends several things is said once.
        let mut said = BTreeSet::new();
        report.checks.iter().for_each(|check| print_check(output, check, &mut said));
        print_leftovers(output, &report.leftovers);
        let obstacles = report.obstacles().count();
        output.line("");
        output.line(&if obstacles == 0 {
            toned(Tone::Good, "sessions can start here")
        } else {
            toned(Tone::Bad, &format!("no session can start here: {obstacles} required things are missing"))
        });
    }
    Ok(if report.obstacles().next().is_some() { exit::UNENFORCEABLE } else { 0 })
}

fn print_check(output: &Output, check: &Check, said: &mut BTreeSet<String>) {
    let (sign, tone) = match (check.state, check.need) {
        (CheckState::Works, _) => ("✓", Tone::Good),
        (CheckState::Missing, Need::Required) => ("✗", Tone::Bad),
        (CheckState::Missing, Need::Optional) | (CheckState::CannotTell, _) => ("–", Tone::Strong),
    };
    output.line(&format!("{} {}", toned(tone, sign), check.title));
    if check.state != CheckState::Works {
        let evidence = visible_within(check.evidence.as_bytes(), EVIDENCE_COLUMNS_MAX);
        let lines = wrapped("    ", 4, &evidence, output.columns);
        lines.iter().for_each(|text| output.line(text));
    }
    for remedy in &check.remedies {
        if !said.insert(format!("{}{}", remedy.words, remedy.command)) {
            continue;
        }
        let lines = wrapped(&format!("    {}: ", remedy.on), 6, &remedy.words, output.columns);
        lines.iter().for_each(|text| output.line(&toned(Tone::Dim, text)));
        for line in remedy.command.lines() {
            output.line(&format!("      {line}"));
        }
    }
}

fn print_leftovers(output: &Output, leftovers: &[Leftover]) {
    if leftovers.is_empty() {
        output.line(&format!("{} nothing is left over", toned(Tone::Good, "✓")));
        return;
    }
    for leftover in leftovers {
        let what = format!("{}: {}", whole(leftover.subject.as_bytes()), leftover.reason);
        let (sign, tone, more) = match &leftover.fate {
            Fate::Listed => ("–", Tone::Strong, leftover.command.clone()),
            Fate::Cleared => ("✓", Tone::Good, "cleared".to_owned()),
            Fate::Kept(why) => ("–", Tone::Strong, format!("kept: {why}; {}", leftover.command)),
            Fate::Failed(why) => ("✗", Tone::Bad, why.clone()),
        };
        let lines = wrapped("", 4, &what, output.columns);
        let (first, rest) =
            lines.split_first().map_or(("", [].as_slice()), |(first, rest)| (first.as_str(), rest));
        output.line(&format!("{} {first}", toned(tone, sign)));
        rest.iter().for_each(|text| output.line(text));
        output.line(&toned(Tone::Dim, &format!("    {}", whole(more.as_bytes()))));
    }
}
