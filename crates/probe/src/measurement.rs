//! What a run of the probe measured: the verdict of every attempt, and the record of it that is printed as JSON.
//!
//! The record's form is a promise (`cofferdam.probe/1`): members are added and never renamed, so that one which is not
//! known here is passed over. How it is shown is for [`crate::report`].

use serde::{Deserialize, Serialize};

use crate::attempt::Radius;

/// The form of the record.
pub const SCHEMA: &str = "cofferdam.probe/1";

/// One run of the probe in one enclosure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measurement {
    /// [`SCHEMA`].
    pub schema: String,
    /// What enclosed the probe.
    pub enclosure: Enclosed,
    /// Who ran it, and on what.
    pub runner: Runner,
    /// How long the run took, controls included.
    pub took_millis: u64,
    /// Why there are fewer findings than attempts, if the probe was ended midway.
    pub cut_short: Option<String>,
    /// One for each radius, in the order of [`Radius::ALL`].
    pub radii: Vec<Tally>,
    /// Every attempt, in the order in which it was tried.
    pub attempts: Vec<Measured>,
}

/// What enclosed the probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enclosed {
    /// A short name: `cofferdam`, `bwrap`.
    pub name: String,
    /// What the program says of its version, if it was asked.
    pub version: Option<String>,
    /// The command line, with `{}` where the probe stands.
    pub command: String,
}

/// Who ran the probe, and on what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runner {
    /// The user's number.
    pub uid: u32,
    /// The kernel's release.
    pub kernel: String,
}

/// How many attempts of a radius had which verdict. Of each class only so many are counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Which radius.
    pub radius: Radius,
    /// Tried, and not reached.
    pub held: usize,
    /// Reached, although nothing grants it.
    pub reached: usize,
    /// Reached, and granted.
    pub declared: usize,
    /// Nothing was learnt.
    pub inconclusive: usize,
    /// Can't be tried here.
    pub inapplicable: usize,
}

/// One attempt and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// The attempt's name, for ever.
    pub id: String,
    /// The class that it belongs to.
    pub class: String,
    /// The line of the list of attacks that the class belongs to, from 1.
    pub attack: u8,
    /// The promise that it measures.
    pub radius: Radius,
    /// What is tried, as one sentence.
    pub act: String,
    /// The advisory, manual page or line of the attack list that it comes from.
    pub source: String,
    /// What came of it.
    pub verdict: Verdict,
    /// Whether it is in the tally: the first few of its class are.
    pub is_counted: bool,
    /// What the same attempt came to outside of the enclosure.
    pub control: String,
    /// The errno inside, where there is one.
    pub errno: Option<String>,
    /// What was seen.
    pub evidence: String,
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It was reached outside, and not inside.
    Held,
    /// It was reached inside, although nothing grants it.
    Reached,
    /// It was reached inside, and the authority grants it.
    Declared,
    /// Nothing was learnt: the control failed, or the answer is not understood.
    Inconclusive,
    /// It can't be tried here: the kernel has no such thing, or it takes a privilege that the runner doesn't have.
    Inapplicable,
}

impl Verdict {
    /// The one word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Reached => "reached",
            Self::Declared => "declared",
            Self::Inconclusive => "inconclusive",
            Self::Inapplicable => "inapplicable",
        }
    }
}

impl Measurement {
    /// Whether what was measured is what was declared: nothing was reached that nothing grants, nothing is in doubt,
    /// and the probe came to its end.
    #[must_use]
    pub fn agrees(&self) -> bool {
        let is_doubtful =
            |measured: &Measured| matches!(measured.verdict, Verdict::Reached | Verdict::Inconclusive);
        self.cut_short.is_none() && !self.attempts.iter().any(is_doubtful)
    }
}

impl Tally {
    /// The tallies of `attempts`, in the order of [`Radius::ALL`].
    #[must_use]
    pub fn all(attempts: &[Measured]) -> Vec<Self> {
        Radius::ALL.map(|radius| Self::of(radius, attempts)).into()
    }

    /// The tally of `radius` in `attempts`.
    #[must_use]
    pub fn of(radius: Radius, attempts: &[Measured]) -> Self {
        let count = |verdict| {
            let is_it = |measured: &&Measured| {
                measured.is_counted && measured.radius == radius && measured.verdict == verdict
            };
            attempts.iter().filter(is_it).count()
        };
        Self {
            radius,
            held: count(Verdict::Held),
            reached: count(Verdict::Reached),
            declared: count(Verdict::Declared),
            inconclusive: count(Verdict::Inconclusive),
            inapplicable: count(Verdict::Inapplicable),
        }
    }

    /// How many were tried and judged.
    #[must_use]
    pub fn tried(&self) -> usize {
        self.held + self.reached + self.declared
    }
}
