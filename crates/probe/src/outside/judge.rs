//! From what an attempt came to outside and inside, and from what the host saw, to its verdict.
//!
//! An attempt that can't be made outside says nothing about an enclosure, whatever it came to inside.

use crate::attempt::{Attempt, Opening};
use crate::finding::{Outcome, Report};
use crate::measurement::Verdict;
use crate::outside::enclosure::Declared;
use crate::plants::{Plant, Plants};
use crate::witness::HostSide;
use std::path::{Path, PathBuf};

/// What came of an attempt on one scene.
#[derive(Debug)]
pub(crate) enum Came {
    /// To what it aimed at.
    Reached(String),
    /// Not there: with the errno, where there is one.
    Refused { errno: Option<String>, evidence: String },
    /// It could not be tried.
    Inapplicable(String),
    /// Nothing was learnt.
    Inconclusive(String),
}

impl Came {
    /// What came of `attempt`: the host's word goes before the inside's.
    pub(crate) fn of(attempt: &Attempt, report: Option<&Report>, host: &HostSide<'_>) -> Self {
        let Some(report) = report else {
            return Self::Inconclusive("the probe was ended before it came to this".to_owned());
        };
        let (errno, evidence) = (report.errno.clone(), report.evidence.clone());
        let claimed = match report.outcome {
            Outcome::Reached => Self::Reached(evidence),
            Outcome::Refused => Self::Refused { errno, evidence },
            Outcome::Inapplicable => Self::Inapplicable(evidence),
            Outcome::Inconclusive => Self::Inconclusive(evidence),
        };
        if attempt.witness.is_none() {
            return claimed;
        }
        if !(attempt.ready)(host) {
            return Self::Inconclusive(
                "the host's side can't tell: what was to be seen there did not come".to_owned(),
            );
        }
        match (attempt.seen(host), claimed) {
            (Some(seen), _) => Self::Reached(seen),
            (None, Self::Reached(claim)) => {
                let evidence = format!("{claim}; on the host nothing came of it");
                Self::Refused { errno: None, evidence }
            }
            (None, claimed @ (Self::Refused { .. } | Self::Inapplicable(_) | Self::Inconclusive(_))) => {
                claimed
            }
        }
    }
}

/// A verdict, with what it rests on.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    pub(crate) control: String,
    pub(crate) errno: Option<String>,
    pub(crate) evidence: String,
}

/// What a refusal outside means: that the runner may not, or that there is no such thing here.
const PRIVILEGE: [&str; 2] = ["EPERM", "EACCES"];
const ABSENCE: [&str; 9] = [
    "ENOSYS",
    "EAFNOSUPPORT",
    "EPROTONOSUPPORT",
    "ESOCKTNOSUPPORT",
    "EOPNOTSUPP",
    "ENODEV",
    "ENXIO",
    "EROFS",
    "EADDRNOTAVAIL",
];

/// Limits of the runner's own.
const SCARCITY: [&str; 4] = ["EAGAIN", "EMFILE", "ENOMEM", "ENOSPC"];

/// Judges one attempt.
///
/// What is reached inside is reached, whatever came of the control: then the enclosure gives what its runner has not.
pub(crate) fn judge(attempt: &Attempt, control: Came, inside: Came, granted: Option<String>) -> Judged {
    let judged = |verdict, control, errno, evidence| Judged { verdict, control, errno, evidence };
    let is_given = matches!(inside, Came::Reached(_));
    let control = match control {
        Came::Reached(evidence) => evidence,
        Came::Refused { evidence, .. } | Came::Inapplicable(evidence) | Came::Inconclusive(evidence)
            if is_given =>
        {
            evidence
        }
        Came::Refused { errno, evidence } => {
            let (verdict, why) = refused_outside(attempt, errno.as_deref());
            return judged(verdict, evidence, None, why);
        }
        Came::Inapplicable(evidence) => {
            return judged(Verdict::Inapplicable, evidence.clone(), None, evidence);
        }
        Came::Inconclusive(evidence) => {
            let why = "outside of any enclosure nothing was learnt either".to_owned();
            return judged(Verdict::Inconclusive, evidence, None, why);
        }
    };
    match (inside, granted) {
        (Came::Reached(evidence), Some(grant)) => {
            judged(Verdict::Declared, control, None, format!("{evidence}; granted by {grant}"))
        }
        (Came::Reached(evidence), None) => judged(Verdict::Reached, control, None, evidence),
        (Came::Refused { errno, evidence }, _) => judged(Verdict::Held, control, errno, evidence),
        (Came::Inapplicable(evidence), _) => judged(Verdict::Inapplicable, control, None, evidence),
        (Came::Inconclusive(evidence), _) => judged(Verdict::Inconclusive, control, None, evidence),
    }
}

fn refused_outside(attempt: &Attempt, errno: Option<&str>) -> (Verdict, String) {
    if attempt.may_be_absent && errno.is_none_or(|errno| errno == "ENOENT") {
        let why = "neither this machine nor who runs this has anything of the kind";
        return (Verdict::Inapplicable, why.to_owned());
    }
    let Some(errno) = errno else {
        return (Verdict::Inconclusive, "outside of any enclosure it is not to be had either".to_owned());
    };
    if PRIVILEGE.contains(&errno) {
        return (Verdict::Inapplicable, format!("whoever runs this may not do it outside either: {errno}"));
    }
    if SCARCITY.contains(&errno) {
        return (
            Verdict::Inapplicable,
            format!("whoever runs this has not so much of it outside either: {errno}"),
        );
    }
    // A path that was planted must be there.
    let is_absent = ABSENCE.contains(&errno) || (errno == "ENOENT" && attempt.needs.is_empty());
    if is_absent {
        return (Verdict::Inapplicable, format!("this machine has no such thing: {errno}"));
    }
    (Verdict::Inconclusive, format!("outside of any enclosure it fails as well: {errno}"))
}

/// What of `declared` grants `attempt`, told in a few words.
pub(crate) fn granted(attempt: &Attempt, plants: &Plants, declared: &Declared) -> Option<String> {
    match attempt.opening {
        Opening::Never => None,
        Opening::Shows(plant) => {
            above(plants, plant, &declared.shown).map(|shown| format!("what is shown of {}", shown.display()))
        }
        Opening::ShowsBelow(plant, name) => {
            let path = Path::new(plants.text(plant).ok()?).join(name);
            let shown = declared.shown.iter().find(|shown| path.starts_with(shown))?;
            Some(format!("what is shown of {}", shown.display()))
        }
        Opening::Copies(plant) => {
            above(plants, plant, &declared.copied).map(|copied| format!("the copy of {}", copied.display()))
        }
        Opening::Gives(name) => {
            declared.given.iter().find(|given| *given == name).map(|given| format!("the variable {given}"))
        }
        Opening::PlantedGrant => declared.has_planted_grant.then(|| "the planted grant".to_owned()),
    }
}

/// What of `shown` a planted path is below.
fn above<'d>(plants: &Plants, plant: Plant, shown: &'d [PathBuf]) -> Option<&'d PathBuf> {
    let path = Path::new(plants.text(plant).ok()?);
    shown.iter().find(|shown| path.starts_with(shown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Finding;

    const ATTEMPT: Attempt =
        Attempt::forbidden("an-id", "Acts.", "a source", |_| Ok(Finding::Held(String::new())));

    fn reached() -> Came {
        Came::Reached("it worked".to_owned())
    }

    fn refused(errno: Option<&str>) -> Came {
        Came::Refused { errno: errno.map(str::to_owned), evidence: String::new() }
    }

    #[test]
    fn only_what_is_reached_outside_and_not_inside_is_held() {
        assert_eq!(judge(&ATTEMPT, reached(), refused(Some("EPERM")), None).verdict, Verdict::Held);
        assert_eq!(judge(&ATTEMPT, reached(), refused(None), None).verdict, Verdict::Held);
        assert_eq!(judge(&ATTEMPT, reached(), reached(), None).verdict, Verdict::Reached);
        let unclear = Came::Inconclusive(String::new());
        assert_eq!(judge(&ATTEMPT, reached(), unclear, None).verdict, Verdict::Inconclusive);
    }

    #[test]
    fn what_fails_outside_is_never_held() {
        for (errno, verdict) in [
            (Some("EPERM"), Verdict::Inapplicable),
            (Some("EAFNOSUPPORT"), Verdict::Inapplicable),
            (Some("ENOENT"), Verdict::Inapplicable),
            (Some("EIO"), Verdict::Inconclusive),
            (None, Verdict::Inconclusive),
        ] {
            assert_eq!(judge(&ATTEMPT, refused(errno), refused(Some("EPERM")), None).verdict, verdict);
        }
        let planted = ATTEMPT.needs(&[Plant::OutsideFile]);
        let judged = judge(&planted, refused(Some("ENOENT")), refused(Some("ENOENT")), None);
        assert_eq!(judged.verdict, Verdict::Inconclusive, "a plant that is not there proves nothing");
    }

    #[test]
    fn what_is_granted_is_declared_and_nothing_else_is() {
        let declared = Declared { shown: vec!["/home/o/shown".into()], ..Declared::default() };
        let attempt = ATTEMPT.opened_by(Opening::Shows(Plant::OutsideFile));
        let mut plants = Plants::default();
        plants.set(Plant::OutsideFile, "/home/o/shown/file".to_owned());
        let granted_here = granted(&attempt, &plants, &declared);
        assert_eq!(judge(&attempt, reached(), reached(), granted_here).verdict, Verdict::Declared);
        plants.set(Plant::OutsideFile, "/home/o/shown-not/file".to_owned());
        assert_eq!(granted(&attempt, &plants, &declared), None);
        assert_eq!(granted(&ATTEMPT, &plants, &declared), None);
    }

    #[test]
    fn the_hosts_word_goes_before_the_insides() {
        let said = |finding| Report::new(&ATTEMPT, finding);
        let plants = Plants::default();
        let host = HostSide { plants: &plants, contacts: &[], reported: None };
        let silent = ATTEMPT.witnessed(|_| None);
        let claimed = said(Finding::Reached("done".to_owned()));
        assert!(matches!(Came::of(&silent, Some(&claimed), &host), Came::Refused { errno: None, .. }));
        let seen = ATTEMPT.witnessed(|_| Some("it is gone".to_owned()));
        let denied = said(Finding::Held(String::new()));
        assert!(matches!(Came::of(&seen, Some(&denied), &host), Came::Reached(_)));
    }

    #[test]
    fn a_host_that_cannot_tell_yet_holds_nothing() {
        let (plants, denied) = (Plants::default(), Report::new(&ATTEMPT, Finding::Held(String::new())));
        let host = HostSide { plants: &plants, contacts: &[], reported: None };
        let silent = ATTEMPT.witnessed(|_| None);
        let came = |attempt: Attempt| Came::of(&attempt, Some(&denied), &host);
        assert!(matches!(came(silent.ready_when(|_| false)), Came::Inconclusive(_)));
        assert!(matches!(came(silent), Came::Refused { .. }));
    }
}
