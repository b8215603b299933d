//! Several measurements beside each other: a page of Markdown and a picture, with no word that the figures don't carry.
//!
//! It ranks nothing and advises nothing. Only what can be tried in each of them is compared, so that none gains by what
//! it alone has. What could not be measured is said with the reason, and not counted.

use std::collections::BTreeSet;

use super::rings::{self, Drawn};
use super::{Sums, release, shortened, visible};
use crate::attempt::Radius;
use crate::measurement::{Measured, Measurement, Tally, Verdict};
use crate::outside::adapters;

const CELLS_A_ROW: u32 = 3;
const CELL_WIDTH: u32 = 272;
const CELL_HEIGHT: u32 = 300;
const HEAD_HEIGHT: u32 = 78;
const FOOT_HEIGHT: u32 = 44;
/// As long as the lines of other documents.
const LINE_CHARACTERS_MAX: usize = 120;
/// As many characters of a version as have room below its rings.
const VERSION_CHARACTERS_MAX: usize = 36;

/// An enclosure that could not be measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotMeasured {
    /// Its name.
    pub name: String,
    /// Why not, as a clause.
    pub why: String,
}

/// The page: how it was measured, the numbers, the command lines, each class, and what is missing. `picture` is the
/// path of the picture as seen from the page.
#[must_use]
pub fn page(measurements: &[Measurement], missing: &[NotMeasured], picture: Option<&str>) -> String {
    let all = measurements;
    let measurements = &shared(all);
    let mut parts = vec![introduction(measurements)];
    if let Some(path) = picture {
        parts.push(format!("![Five rings for each sandbox: what was held of what was tried]({path})"));
    }
    parts.push(radii_table(measurements));
    parts.push(counting());
    parts.push("## What was run".to_owned());
    parts.extend(measurements.iter().map(enclosure));
    parts.push("## What was reached, class by class".to_owned());
    parts.push(
        "Reached of tried, of what is counted in the class; – where nothing of it could be tried.".to_owned(),
    );
    parts.extend(Radius::ALL.into_iter().filter_map(|radius| classes_table(radius, measurements)));
    parts.push("## What was not measured".to_owned());
    parts.push(not_measured(measurements, missing, &left_out(all, measurements)));
    parts.push(again());
    let mut text = parts.join("\n\n");
    text.push('\n');
    text
}

/// The same measurements, less the attempts that one of them had nothing to try on.
fn shared(measurements: &[Measurement]) -> Vec<Measurement> {
    let attempts = measurements.iter().flat_map(|it| it.attempts.iter());
    let lacking: BTreeSet<&str> = attempts
        .filter(|measured| measured.verdict == Verdict::Inapplicable)
        .map(|measured| measured.id.as_str())
        .collect();
    measurements
        .iter()
        .map(|measurement| {
            let mut measurement = measurement.clone();
            measurement.attempts.retain(|measured| !lacking.contains(measured.id.as_str()));
            measurement.radii =
                Radius::ALL.into_iter().map(|radius| Tally::of(radius, &measurement.attempts)).collect();
            measurement
        })
        .collect()
}

/// The classes of which nothing is compared: those that some could try, and those that none could.
fn left_out(all: &[Measurement], compared: &[Measurement]) -> [Vec<String>; 2] {
    let tried = |measurements: &[Measurement]| -> BTreeSet<(Radius, String)> {
        let attempts = measurements.iter().flat_map(|it| it.attempts.iter());
        let tried = attempts.filter(|measured| measured.is_counted && is_tried(measured.verdict));
        tried.map(|measured| (measured.radius, measured.class.clone())).collect()
    };
    let attempts = all.iter().flat_map(|it| it.attempts.iter());
    let classes: BTreeSet<(Radius, String)> =
        attempts.map(|measured| (measured.radius, measured.class.clone())).collect();
    let (by_some, compared) = (tried(all), tried(compared));
    let (some, none) = classes.difference(&compared).partition::<Vec<_>, _>(|class| by_some.contains(*class));
    [some, none].map(|classes| {
        classes.into_iter().map(|(radius, class)| format!("{class} ({})", radius.name())).collect()
    })
}

fn introduction(measurements: &[Measurement]) -> String {
    let runners: BTreeSet<(u32, String)> =
        measurements.iter().map(|it| (it.runner.uid, release(&it.runner.kernel))).collect();
    let runner = |(uid, kernel): (u32, String)| match uid {
        0 => format!("root on Linux {}", cell(&kernel)),
        uid => format!("an ordinary user (uid {uid}) on Linux {}", cell(&kernel)),
    };
    let runners: Vec<String> = runners.into_iter().map(runner).collect();
    let text = format!(
        "One program tried the same ways out of each, as {}. Every attempt was first made outside of any sandbox, as \
         its control, and then inside on a scene of its own; where the host can see whether it was reached, what the \
         host saw counts. Nothing was configured beyond what a tool's own documentation shows for running a program \
         that writes in a project directory: [the command lines](#what-was-run) are all there is. A tool that \
         lets a program write in the work directory itself was told to permit most of what *destruction* and *review* \
         count as reached. Most of these tools can be told to hold more, and some are made for other purposes than \
         this. The attempts were chosen by the authors of Cofferdam.",
        runners.join(" and ")
    );
    format!("# Sandboxes compared\n\n{}", filled(&text))
}

fn radii_table(measurements: &[Measurement]) -> String {
    let mut lines = vec![row(std::iter::once("held of tried".to_owned())
        .chain(Radius::ALL.iter().map(|radius| radius.name().to_owned()))
        .chain(["all", "declared", "inconclusive"].map(str::to_owned)))];
    lines.push(format!("|---|{}", "--:|".repeat(Radius::ALL.len() + 3)));
    for measurement in measurements {
        let sums = Sums::of(measurement);
        let radii = measurement.radii.iter().map(|tally| of(tally.held, tally.tried()));
        let mark = if measurement.cut_short.is_some() { " (cut short)" } else { "" };
        lines.push(row(std::iter::once(format!("{}{mark}", cell(&measurement.enclosure.name)))
            .chain(radii)
            .chain(std::iter::once(of(sums.held, sums.tried())))
            .chain([sums.declared, sums.inconclusive].map(|number| number.to_string()))));
    }
    lines.join("\n")
}

fn counting() -> String {
    filled(
        "*Held*: reached outside, not inside. *Declared*: reached inside, and the sandbox had said so beforehand in a form \
     that a program can read. *Inconclusive*: nothing was learnt, and so it does not count as tried. What one of them \
         has nothing to try on, such as a grant, is compared in none; nor is what this machine or this user has not. Of one class of attempts at most \
     six are counted. The five columns are five questions: what inside the work directory can be lost (destruction), \
     what outside it can be touched (collateral), what comes back or runs without a person having seen it (review), \
     which secrets can be seen (credential), and where data can leave to (exfiltration).",
    )
}

/// What was run of one enclosure, and where its documentation says so.
fn enclosure(measurement: &Measurement) -> String {
    let enclosed = &measurement.enclosure;
    let version = enclosed.version.as_deref().map(|version| format!(": {}", cell(version)));
    let version = version.unwrap_or_default();
    let source = adapters::find(&enclosed.name).map(|adapter| adapter.documented);
    let source = source.map(|source| format!(" ({source})")).unwrap_or_default();
    let said = filled(&format!("**{}**{version}{source}", cell(&enclosed.name)));
    let mut text = format!("{said}\n\n    {}", visible(&enclosed.command));
    if let Some(why) = &measurement.cut_short {
        text.push_str("\n\n");
        text.push_str(&filled(&format!("The run was cut short: {}.", cell(why))));
    }
    text
}

/// One table of the classes of `radius`, if any was tried.
fn classes_table(radius: Radius, measurements: &[Measurement]) -> Option<String> {
    let of_radius =
        |measured: &&Measured| measured.radius == radius && measured.is_counted && is_tried(measured.verdict);
    let mut names: Vec<&str> = Vec::new();
    for measured in measurements.iter().flat_map(|it| it.attempts.iter()).filter(of_radius) {
        if !names.contains(&measured.class.as_str()) {
            names.push(&measured.class);
        }
    }
    names.sort_unstable();
    if names.is_empty() {
        return None;
    }
    let heads = measurements.iter().map(|it| cell(&it.enclosure.name));
    let mut lines = vec![row(std::iter::once(radius.name().to_owned()).chain(heads))];
    lines.push(format!("|---|{}", "--:|".repeat(measurements.len())));
    for name in names {
        let cells = measurements.iter().map(|measurement| {
            let of_class: Vec<&Measured> = measurement
                .attempts
                .iter()
                .filter(of_radius)
                .filter(|measured| measured.class == name)
                .collect();
            let reached = of_class.iter().filter(|measured| measured.verdict == Verdict::Reached).count();
            match reached {
                0 => of(0, of_class.len()),
                _ => format!("**{}**", of(reached, of_class.len())),
            }
        });
        lines.push(row(std::iter::once(cell(name)).chain(cells)));
    }
    Some(lines.join("\n"))
}

const fn is_tried(verdict: Verdict) -> bool {
    match verdict {
        Verdict::Held | Verdict::Reached | Verdict::Declared => true,
        Verdict::Inconclusive | Verdict::Inapplicable => false,
    }
}

fn not_measured(
    measurements: &[Measurement],
    missing: &[NotMeasured],
    left_out: &[Vec<String>; 2],
) -> String {
    let mut lines: Vec<String> =
        missing.iter().map(|it| item(&format!("**{}**: {}.", cell(&it.name), cell(&it.why)))).collect();
    for measurement in measurements {
        let doubtful: Vec<&str> = measurement
            .attempts
            .iter()
            .filter(|measured| measured.verdict == Verdict::Inconclusive)
            .map(|measured| measured.id.as_str())
            .collect();
        if !doubtful.is_empty() {
            let name = cell(&measurement.enclosure.name);
            lines.push(item(&format!("inconclusive in **{name}**: {}.", cell(&doubtful.join(", ")))));
        }
    }
    for (classes, why) in
        left_out.iter().zip(["can be tried in some of them only", "can be tried in none here"])
    {
        if !classes.is_empty() {
            lines.push(item(&format!("{why}: {}.", cell(&classes.join(", ")))));
        }
    }
    match lines.is_empty() {
        true => "Nothing that was to be measured is missing.".to_owned(),
        false => lines.join("\n"),
    }
}

fn again() -> String {
    filled(
        "This page and its picture are written by `make compare`, from what `cofferdam probe --against NAME --json` \
     printed. `cofferdam probe --against 'COMMAND {}'` measures any other.",
    )
}

/// A picture with the rings of each.
#[must_use]
pub fn picture(measurements: &[Measurement]) -> String {
    let measurements = &shared(measurements);
    let count = u32::try_from(measurements.len()).unwrap_or(u32::MAX).max(1);
    let across = count.min(CELLS_A_ROW);
    let down = count.div_ceil(CELLS_A_ROW);
    let width = across.max(2) * CELL_WIDTH + 16;
    let height = HEAD_HEIGHT + down * CELL_HEIGHT + FOOT_HEIGHT;
    let told: Vec<String> = measurements.iter().map(rings::told).collect();
    let mut out = rings::head(width, height, "Ways out of several sandboxes: what was held", &told.join(" "));
    rings::put(
        &mut out,
        "<text class=\"bold\" x=\"28\" y=\"40\" font-size=\"20\">Ways out, tried</text>\n\
         <text class=\"soft\" x=\"28\" y=\"62\" font-size=\"13\">held of tried, in each of the five radii, of what can be tried in all of them</text>\n",
    );
    for (measurement, at) in measurements.iter().zip(0_u32..) {
        let x = 8 + at % CELLS_A_ROW * CELL_WIDTH;
        let y = HEAD_HEIGHT + at / CELLS_A_ROW * CELL_HEIGHT;
        small(&mut out, measurement, x + CELL_WIDTH / 2, y);
    }
    let is_any_declared = measurements.iter().any(|it| Sums::of(it).declared > 0);
    legend(&mut out, height - 24, is_any_declared);
    rings::put(&mut out, "</svg>\n");
    out
}

/// The rings of one, and its name, below `top` and round the middle `x`.
fn small(out: &mut String, measurement: &Measurement, x: u32, top: u32) {
    rings::put(out, &format!("<g transform=\"translate({x} {}) scale(.72)\">\n", top + 122));
    rings::wheel(out, measurement, Drawn { label_pixels: 15, number_pixels: 32, has_walls: false });
    rings::put(out, "</g>\n");
    let enclosed = &measurement.enclosure;
    let name = rings::escaped(&shortened(&enclosed.name, VERSION_CHARACTERS_MAX));
    let version = enclosed.version.as_deref().unwrap_or_default();
    let said = match measurement.cut_short {
        Some(_) => format!("{version} (cut short)"),
        None => version.to_owned(),
    };
    let said = rings::escaped(&shortened(&said, VERSION_CHARACTERS_MAX));
    rings::put(
        out,
        &format!(
            "<text class=\"mid bold\" x=\"{x}\" y=\"{}\" font-size=\"16\">{name}</text>\n\
             <text class=\"mid soft\" x=\"{x}\" y=\"{}\" font-size=\"11\">{said}</text>\n",
            top + 254,
            top + 271
        ),
    );
}

fn legend(out: &mut String, y: u32, is_any_declared: bool) {
    let parts = [("held", 28, "held"), ("out", 118, "reached"), ("given", 226, "reached, as declared")];
    for (class, x, words) in parts.into_iter().take(if is_any_declared { 3 } else { 2 }) {
        rings::put(out, &rings::key(class, x, y));
        rings::put(
            out,
            &format!("<text class=\"soft\" x=\"{}\" y=\"{y}\" font-size=\"13\">{words}</text>\n", x + 30),
        );
    }
}

/// One of a list, in lines as long as those of other documents.
fn item(text: &str) -> String {
    format!("- {}", filled(text).replace('\n', "\n  "))
}

/// Prose in lines as long as those of other documents.
fn filled(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let is_full = lines.last().is_some_and(|line| {
            !line.is_empty() && line.chars().count() + 1 + word.chars().count() > LINE_CHARACTERS_MAX
        });
        if is_full {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}

fn of(number: usize, tried: usize) -> String {
    match tried {
        0 => "–".to_owned(),
        _ => format!("{number} of {tried}"),
    }
}

fn row(cells: impl Iterator<Item = String>) -> String {
    format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
}

/// `text` as text of a page, also within a table.
fn cell(text: &str) -> String {
    let mut shown = String::new();
    for character in visible(text).chars() {
        if matches!(character, '|' | '*' | '_' | '`' | '<' | '>' | '[' | ']' | '\\' | '#' | '&') {
            shown.push('\\');
        }
        shown.push(character);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::made_up;

    fn three() -> Vec<Measurement> {
        let held = [[20, 0, 0, 0, 0], [30, 0, 0, 0, 9], [20, 0, 0, 0, 0], [18, 0, 1, 0, 0], [22, 0, 0, 0, 1]];
        let some =
            [[10, 10, 0, 0, 0], [25, 5, 0, 0, 9], [4, 16, 0, 0, 0], [3, 16, 0, 0, 0], [22, 0, 0, 0, 1]];
        let none = [[0, 20, 0, 0, 0], [0, 30, 0, 0, 9], [0, 19, 0, 1, 0], [0, 19, 0, 0, 0], [0, 22, 0, 0, 1]];
        let mut all = vec![
            made_up::measurement("bwrap", some),
            made_up::measurement("cofferdam", held),
            made_up::measurement("none", none),
        ];
        if let Some(last) = all.last_mut() {
            last.cut_short = Some("the probe was killed | by <signal> 9".to_owned());
        }
        all
    }

    #[test]
    fn a_page_has_the_numbers_the_command_lines_and_what_is_missing() {
        let missing = [NotMeasured { name: "docker".into(), why: "no engine runs on this machine".into() }];
        insta::assert_snapshot!(page(&three(), &missing, Some("comparison.svg")));
    }

    #[test]
    fn nobody_gains_by_what_can_be_tried_in_one_alone() {
        let less = [[3, 1, 0, 0, 2], [5, 0, 0, 0, 0], [5, 0, 0, 0, 0], [5, 0, 0, 0, 0], [0, 0, 0, 0, 5]];
        let mut all = vec![made_up::measurement("a", less), made_up::measurement("b", less)];
        // In b, what a has nothing to try on is held; and so is all of a class that a cannot try at all.
        for measured in all.last_mut().into_iter().flat_map(|it| it.attempts.iter_mut()) {
            if measured.verdict == Verdict::Inapplicable {
                measured.verdict = Verdict::Held;
            }
        }
        let text = page(&all, &[], None);
        for name in ["a", "b"] {
            assert!(text.contains(&format!("| {name} | 3 of 4 | 5 of 5 | 5 of 5 | 5 of 5 | – |")), "{text}");
        }
        assert!(text.contains("in some of them only: exfiltration-class-0 (exfiltration)."), "{text}");
        assert!(!picture(&all).contains("5/6"));
    }

    #[test]
    fn a_name_can_write_nothing_else_into_a_page_or_a_picture() {
        let mut all = three();
        if let Some(first) = all.first_mut() {
            first.enclosure.name = "a|b](http://evil.test) <img src=x>\n# c".to_owned();
            first.enclosure.command = "x\n\n# heading".to_owned();
        }
        let text = page(&all, &[], None);
        assert!(text.lines().filter(|line| line.starts_with("# ")).count() == 1, "{text}");
        assert!(!text.contains(" <img") && !text.contains("b](http"), "{text}");
        assert!(!picture(&all).contains("<img"));
    }

    #[test]
    fn a_picture_has_the_rings_of_each() {
        let all = three();
        let text = picture(&all);
        assert_eq!(text.matches("scale(.72)").count(), all.len());
        assert!(text.contains("bwrap") && text.contains("(cut short)"));
        assert!(picture(&[]).ends_with("</svg>\n"));
    }
}
