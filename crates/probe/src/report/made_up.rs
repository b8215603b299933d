//! Measurements that nobody made, to show.

use crate::attempt::Radius;
use crate::measurement::{Enclosed, Measured, Measurement, Runner, SCHEMA, Tally, Verdict};

/// How many of a radius have which verdict: held, reached, declared, inconclusive, inapplicable.
pub(crate) type Numbers = [usize; 5];

const VERDICTS: [Verdict; 5] =
    [Verdict::Held, Verdict::Reached, Verdict::Declared, Verdict::Inconclusive, Verdict::Inapplicable];

/// A measurement of the enclosure `name` with these numbers, one for each radius.
pub(crate) fn measurement(name: &str, numbers: [Numbers; 5]) -> Measurement {
    let mut attempts = Vec::new();
    for (radius, numbers) in Radius::ALL.into_iter().zip(numbers) {
        for (verdict, number) in VERDICTS.into_iter().zip(numbers) {
            attempts.extend((0..number).map(|at| measured(radius, verdict, at)));
        }
    }
    Measurement {
        schema: SCHEMA.to_owned(),
        enclosure: Enclosed {
            name: name.to_owned(),
            version: Some(format!("{name} 1.2.3")),
            command: format!("{name} --workspace {{}}"),
        },
        runner: Runner { uid: 1000, kernel: "6.1.0".to_owned() },
        took_millis: 12_345,
        cut_short: None,
        radii: Radius::ALL.into_iter().map(|radius| Tally::of(radius, &attempts)).collect(),
        attempts,
    }
}

fn measured(radius: Radius, verdict: Verdict, at: usize) -> Measured {
    // Five of a class, so that classes have several members.
    let class = format!("{}-class-{}", radius.name(), at / 5);
    Measured {
        id: format!("{}-{}-{at}", radius.name(), verdict.name()),
        class,
        attack: 1,
        radius,
        act: format!("Does something to the {} of a person who is not looking, number {at}.", radius.name()),
        source: "attacks 1".to_owned(),
        verdict,
        is_counted: true,
        control: "it was reached".to_owned(),
        errno: (verdict == Verdict::Held).then(|| "EPERM".to_owned()),
        evidence: "the file /home/owner/.ssh/id_ed25519 was read: 411 bytes".to_owned(),
    }
}
