//! The picture of one measurement: the five radii as rings, declared against measured.
//!
//! Each ring runs three quarters round; what stands at its beginning names it. Within it come what was held, what was
//! reached, and what was declared and reached; the thin line beside it is what was declared to hold. Where the thin
//! line and the green part are equally long, measured is declared. Nothing of it needs a script, a font or a network.

use std::fmt::Write as _;

use super::{Sums, others, release, shortened, xml};
use crate::measurement::{Measurement, Tally};

/// How far the middles of the rings are from the centre, the first radius outermost.
const RING_RADII: [u32; 5] = [140, 118, 96, 74, 52];
/// Three quarters of a turn.
const SWEEP_DEGREES: f64 = 270.0;
/// What was reached is at least this long, so that one of many is seen.
const ARC_LENGTH_MIN: f64 = 3.0;
/// The thin line's distance from the middle of its ring.
const DECLARED_DISTANCE: f64 = 9.5;
const WIDTH: u32 = 680;
const HEIGHT: u32 = 340;
/// As many characters as have room beside the rings, at their size.
const NAME_CHARACTERS_MAX: usize = 24;
const LINE_CHARACTERS_MAX: usize = 44;

/// Both appearances: the card has a ground of its own, so that it can be read on any page.
pub(super) const STYLE: &str = "\
text{font-family:system-ui,-apple-system,'Segoe UI','Noto Sans','DejaVu Sans',sans-serif;fill:#1f2328}
.card{fill:#fff;stroke:#d0d7de}
text.soft,.soft{fill:#59636e}.end{text-anchor:end}.mid{text-anchor:middle}.bold{font-weight:600}
circle{fill:none;stroke-width:14}
.track{stroke:#eaeef2}.held{stroke:#1f8a70}.out{stroke:#d0524d}.given{stroke:#7a9cc6}
.wall{stroke:#1f2328;stroke-width:1.25}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.card{fill:#0d1117;stroke:#30363d}text.soft,.soft{fill:#9198a1}
.track{stroke:#21262d}.held{stroke:#3aa682}.out{stroke:#e5686a}.given{stroke:#5f86b8}.wall{stroke:#e6edf3}}
";

/// How a wheel is drawn, in its own units.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drawn {
    pub(super) label_pixels: u32,
    pub(super) number_pixels: u32,
    /// Whether the thin lines are there: of use where something was declared at all.
    pub(super) has_walls: bool,
}

/// The picture of `measurement`, as SVG.
#[must_use]
pub fn rings(measurement: &Measurement) -> String {
    let name = shortened(&measurement.enclosure.name, NAME_CHARACTERS_MAX);
    let title = format!("Ways out of {name}: declared against measured");
    let mut out = head(WIDTH, HEIGHT, &title, &told(measurement));
    put(&mut out, "<g transform=\"translate(172 170)\">\n");
    wheel(&mut out, measurement, Drawn { label_pixels: 13, number_pixels: 30, has_walls: true });
    put(&mut out, "</g>\n<g transform=\"translate(352 0)\">\n");
    beside(&mut out, measurement, &name);
    put(&mut out, "</g>\n</svg>\n");
    out
}

/// The beginning of a picture: its size, what it is called and what it says, its ground.
pub(super) fn head(width: u32, height: u32, title: &str, told: &str) -> String {
    let (inner_width, inner_height) = (width - 1, height - 1);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"title desc\">\n\
         <title id=\"title\">{}</title>\n<desc id=\"desc\">{}</desc>\n<style>{STYLE}</style>\n\
         <rect class=\"card\" x=\".5\" y=\".5\" width=\"{inner_width}\" height=\"{inner_height}\" rx=\"10\"/>\n",
        xml(title),
        xml(told)
    )
}

/// The rings in words, for who can't see them.
pub(super) fn told(measurement: &Measurement) -> String {
    let radius = |tally: &Tally| {
        let others: String =
            others(tally).into_iter().map(|(number, word)| format!(", {number} {word}")).collect();
        format!("{}: {} of {} held{others}.", tally.radius.name(), tally.held, tally.tried())
    };
    let mut all: Vec<String> = vec![format!("{}.", measurement.enclosure.name)];
    all.extend(measurement.radii.iter().map(radius));
    if measurement.cut_short.is_some() {
        all.push("The run was cut short.".to_owned());
    }
    all.join(" ")
}

/// The five rings round the origin, their names, and the sum in the middle.
pub(super) fn wheel(out: &mut String, measurement: &Measurement, drawn: Drawn) {
    put(out, "<g transform=\"rotate(-90)\">\n");
    for (tally, radius) in measurement.radii.iter().zip(RING_RADII) {
        ring(out, tally, f64::from(radius), drawn.has_walls);
    }
    put(out, "</g>\n");
    for (tally, radius) in measurement.radii.iter().zip(RING_RADII) {
        let at = f64::from(radius) - f64::from(drawn.label_pixels) * 0.36;
        let numbers = match tally.tried() {
            0 => "–".to_owned(),
            tried => format!("{}/{tried}", tally.held),
        };
        line(
            out,
            &format!(
                "<text class=\"end\" x=\"-12\" y=\"-{at:.1}\" font-size=\"{}\"><tspan class=\"soft\">{}</tspan> \
                 <tspan class=\"bold\">{numbers}</tspan></text>",
                drawn.label_pixels,
                tally.radius.name()
            ),
        );
    }
    let sums = Sums::of(measurement);
    let small = drawn.label_pixels;
    line(
        out,
        &format!(
            "<text class=\"mid bold\" y=\"5\" font-size=\"{}\">{}</text>\n\
             <text class=\"mid soft\" y=\"{}\" font-size=\"{small}\">of {}</text>",
            drawn.number_pixels,
            sums.held,
            small + 9,
            sums.tried()
        ),
    );
}

/// One ring: its track, what was held, reached and declared, and the thin line of what was declared to hold.
fn ring(out: &mut String, tally: &Tally, radius: f64, has_wall: bool) {
    arc(out, "track", radius, 0.0, 1.0);
    let tried = tally.tried();
    if tried == 0 {
        return;
    }
    let whole = length(radius);
    let part = |number: usize| match number {
        0 => 0.0,
        _ => (share(number, tried) * whole).max(ARC_LENGTH_MIN) / whole,
    };
    let (reached, declared) = (part(tally.reached), part(tally.declared));
    let held = (1.0 - reached - declared).max(0.0);
    arc(out, "held", radius, 0.0, if tally.held == 0 { 0.0 } else { held });
    arc(out, "out", radius, held, reached);
    arc(out, "given", radius, held + reached, declared);
    if has_wall {
        arc(out, "wall", radius + DECLARED_DISTANCE, 0.0, 1.0 - declared);
    }
}

fn share(number: usize, of: usize) -> f64 {
    let small = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    small(number) / small(of)
}

/// How long a whole ring is.
fn length(radius: f64) -> f64 {
    std::f64::consts::TAU * radius * SWEEP_DEGREES / 360.0
}

/// A part of a ring, from `begin` on, `part` long, both of the whole ring.
fn arc(out: &mut String, class: &str, radius: f64, begin: f64, part: f64) {
    if part <= 0.0 {
        return;
    }
    let turned = match begin > 0.0 {
        true => format!(" transform=\"rotate({:.2})\"", begin * SWEEP_DEGREES),
        false => String::new(),
    };
    let dashes = format!("{:.1} {:.1}", part * length(radius), std::f64::consts::TAU * radius);
    line(out, &format!("<circle class=\"{class}\" r=\"{radius}\" stroke-dasharray=\"{dashes}\"{turned}/>"));
}

/// What stands to the right of the rings: what was measured, what the colours mean, and their numbers.
fn beside(out: &mut String, measurement: &Measurement, name: &str) {
    let sums = Sums::of(measurement);
    put(out, &format!("<text class=\"bold\" y=\"72\" font-size=\"24\">{}</text>\n", escaped(name)));
    put(out, "<text class=\"soft\" y=\"96\" font-size=\"14\">ways out, declared against measured</text>\n");
    let rows = [
        ("held", sums.held, "held: tried, and not reached"),
        ("out", sums.reached, "reached, and nothing grants it"),
        ("given", sums.declared, "declared: reached, and granted"),
    ];
    for ((class, number, words), y) in rows.into_iter().zip([136, 162, 188]) {
        put(out, &key(class, 0, y));
        put(out, &format!("<text class=\"bold end\" x=\"64\" y=\"{y}\" font-size=\"14\">{number}</text>\n"));
        put(out, &format!("<text x=\"74\" y=\"{y}\" font-size=\"14\">{words}</text>\n"));
    }
    put(out, "<path d=\"M0 209h22\" class=\"wall\"/>\n");
    put(out, "<text class=\"soft\" x=\"74\" y=\"214\" font-size=\"14\">declared to hold</text>\n");
    let mut notes =
        vec![format!("{} inconclusive, {} inapplicable here", sums.inconclusive, sums.inapplicable)];
    if measurement.cut_short.is_some() {
        notes.push("cut short: not every attempt was made".to_owned());
    }
    notes.extend(measurement.enclosure.version.clone());
    let runner = &measurement.runner;
    notes.push(format!("as uid {} on Linux {}", runner.uid, release(&runner.kernel)));
    for (note, y) in notes.iter().zip([248, 268, 288, 308]) {
        let note = escaped(&shortened(note, LINE_CHARACTERS_MAX));
        put(out, &format!("<text class=\"soft\" y=\"{y}\" font-size=\"13\">{note}</text>\n"));
    }
}

/// A swatch of a colour beside a line of text at `y`.
pub(super) fn key(class: &str, x: u32, y: u32) -> String {
    format!("<path d=\"M{x} {}h22\" class=\"{class}\" stroke-width=\"12\"/>\n", y.saturating_sub(5))
}

/// `text`, already visible, as content of an element.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

pub(super) fn put(out: &mut String, text: &str) {
    out.push_str(text);
}

fn line(out: &mut String, text: &str) {
    let _infallible = writeln!(out, "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::made_up;

    const BYTES_MAX: usize = 12 << 10;
    const ALL_HELD: [made_up::Numbers; 5] =
        [[20, 0, 0, 0, 0], [120, 0, 0, 0, 9], [20, 0, 0, 0, 0], [18, 0, 1, 0, 0], [22, 0, 0, 0, 1]];

    #[test]
    fn the_rings_of_a_whole_enclosure() {
        let picture = rings(&made_up::measurement("cofferdam", ALL_HELD));
        assert!(picture.len() < BYTES_MAX, "{}", picture.len());
        assert!(!picture.contains("class=\"out\" r"), "nothing was reached");
        insta::assert_snapshot!(picture);
    }

    #[test]
    fn one_that_was_reached_of_many_is_seen() {
        let numbers = [[0; 5], [999, 1, 0, 0, 0], [0; 5], [0; 5], [0; 5]];
        let picture = rings(&made_up::measurement("x", numbers));
        assert!(picture.contains("class=\"out\" r=\"118\" stroke-dasharray=\"3.0 "), "{picture}");
        assert!(picture.contains("999/1000") && picture.contains("collateral: 999 of 1000 held, 1 reached."));
    }

    #[test]
    fn what_was_not_tried_is_no_full_ring() {
        let picture = rings(&made_up::measurement("x", [[0, 0, 0, 3, 7]; 5]));
        assert_eq!(picture.matches("<circle").count(), RING_RADII.len(), "{picture}");
        assert!(picture.contains("15 inconclusive, 35 inapplicable here"), "{picture}");
    }

    #[test]
    fn a_picture_is_the_same_every_time_and_holds_no_script_and_no_address() {
        let mut measurement = made_up::measurement("<script>", ALL_HELD);
        measurement.enclosure.version = Some("</text><script>alert(1)</script>\u{1b}".to_owned());
        let picture = rings(&measurement);
        assert_eq!(picture, rings(&measurement));
        assert!(!picture.contains("<script") && !picture.contains('\u{1b}'), "{picture}");
        assert_eq!(picture.matches("http").count(), 1, "only the name space: {picture}");
    }
}
