//! What an attempt found, the rules by which an errno becomes a finding, and the report of it as JSON.
//!
//! An errno that is known neither as a refusal nor as one from beyond the permission check is inconclusive: an
//! attempt never counts as held because it failed for a reason that nobody thought of.

use std::io;

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::attempt::Attempt;
use crate::inside::{errno, proc};

/// What an attempt found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// The kernel said no.
    Refused(Errno, String),
    /// Nothing said no, and yet the thing was not to be had: a signal ignored, another file in its place.
    Held(String),
    /// The act worked, or would have with arguments that are not inert.
    Reached(String),
    /// There is nothing here that the act could be tried on, and the evidence says why.
    Inapplicable(String),
    /// Nothing was learnt.
    Inconclusive(String),
}

impl Finding {
    /// What several members of one attempt amount to: the first that was reached, else the first that is
    /// inconclusive, else the refusal that tells most (of something that is there, rather than absent).
    pub(crate) fn strongest(findings: impl IntoIterator<Item = Self>) -> Self {
        let mut strongest = Self::Inapplicable("there was nothing to try".to_owned());
        for finding in findings {
            if finding.strength() > strongest.strength() {
                strongest = finding;
            }
            if matches!(strongest, Self::Reached(_)) {
                break;
            }
        }
        strongest
    }

    /// What an act came to of which the host's side tells whether it was reached: every errno says no, and those of a
    /// file system that has no such thing say nothing about an enclosure.
    pub(crate) fn claimed(act: &str, result: io::Result<()>) -> Self {
        const LACKING: [Errno; 5] =
            [Errno::NOTTY, Errno::INVAL, Errno::NAMETOOLONG, Errno::FBIG, Errno::ILSEQ];
        match result.map_err(|error| proc::from_io(&error)) {
            Ok(()) => Self::Reached(format!("{act}: it worked")),
            Err(lacking) if LACKING.contains(&lacking) => {
                Self::Held(format!("{act}: {}, the file system has no such thing", errno::name(lacking)))
            }
            Err(refusal) => Self::Refused(refusal, format!("{act}: {}", errno::name(refusal))),
        }
    }

    fn strength(&self) -> u8 {
        match self {
            Self::Inapplicable(_) => 0,
            Self::Refused(Errno::NOENT, _) => 1,
            Self::Held(_) => 2,
            Self::Refused(..) => 3,
            Self::Inconclusive(_) => 4,
            Self::Reached(_) => 5,
        }
    }
}

/// How to read the errnos of one kind of act.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gate {
    refusals: &'static [Errno],
    beyond: &'static [Errno],
}

impl Gate {
    /// Calls in general.
    pub(crate) const CALL: Self = Self { refusals: &[Errno::PERM, Errno::ACCESS, Errno::NOSYS], beyond: &[] };
    /// Paths: also absent, read-only, without a reader or a driver, on another mount.
    pub(crate) const PATH: Self = Self {
        refusals: &[
            Errno::PERM,
            Errno::ACCESS,
            Errno::NOSYS,
            Errno::NOENT,
            Errno::ROFS,
            Errno::NXIO,
            Errno::NODEV,
            Errno::NOTDIR,
            Errno::LOOP,
            Errno::XDEV,
        ],
        beyond: &[],
    };
    /// Other processes: also absent.
    pub(crate) const PROCESS: Self = Self {
        refusals: &[Errno::PERM, Errno::ACCESS, Errno::NOSYS, Errno::SRCH, Errno::NOENT],
        beyond: &[],
    };
    /// Sockets: also without family, address, route or listener, or reset by what caught it.
    pub(crate) const SOCKET: Self = Self {
        refusals: &[
            Errno::PERM,
            Errno::ACCESS,
            Errno::NOSYS,
            Errno::NOENT,
            Errno::ROFS,
            Errno::NOTDIR,
            Errno::AFNOSUPPORT,
            Errno::OPNOTSUPP,
            Errno::PROTONOSUPPORT,
            Errno::SOCKTNOSUPPORT,
            Errno::ADDRNOTAVAIL,
            Errno::CONNREFUSED,
            Errno::CONNRESET,
            Errno::NETUNREACH,
            Errno::HOSTUNREACH,
            Errno::NETDOWN,
        ],
        beyond: &[],
    };
    /// Resources: the limits.
    pub(crate) const LIMIT: Self = Self {
        refusals: &[
            Errno::AGAIN,
            Errno::NOMEM,
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOSPC,
            Errno::DQUOT,
            Errno::FBIG,
            Errno::PERM,
            Errno::ACCESS,
            Errno::ROFS,
        ],
        beyond: &[],
    };

    /// The same, with errnos that the kernel gives only after the permission check.
    pub(crate) const fn or_beyond(self, beyond: &'static [Errno]) -> Self {
        Self { refusals: self.refusals, beyond }
    }

    /// Reads a result. `act` names, in a few words, what was done.
    pub(crate) fn judge<T>(self, act: &str, result: Result<T, Errno>) -> Finding {
        match result {
            Ok(_) => Finding::Reached(format!("{act}: it worked")),
            Err(errno) if self.beyond.contains(&errno) => {
                Finding::Reached(format!("{act}: {}, beyond the permission check", errno::name(errno)))
            }
            Err(errno) if self.refusals.contains(&errno) => {
                Finding::Refused(errno, format!("{act}: {}", errno::name(errno)))
            }
            Err(errno) => Finding::Inconclusive(format!(
                "{act}: {}, which is no refusal known here",
                errno::name(errno)
            )),
        }
    }
}

/// The report of one attempt, as it is printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Report {
    pub(crate) id: String,
    pub(crate) radius: String,
    pub(crate) kind: String,
    pub(crate) act: String,
    pub(crate) outcome: Outcome,
    pub(crate) errno: Option<String>,
    pub(crate) killed: Option<String>,
    pub(crate) evidence: String,
}

/// The verdict of one attempt, as it is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    Refused,
    Reached,
    Inapplicable,
    Inconclusive,
}

impl Report {
    /// The report of `attempt` that found `finding`.
    pub(crate) fn new(attempt: &Attempt, finding: Finding) -> Self {
        let (outcome, errno, evidence) = match finding {
            Finding::Refused(errno, evidence) => (Outcome::Refused, Some(errno::name(errno)), evidence),
            Finding::Held(evidence) => (Outcome::Refused, None, evidence),
            Finding::Reached(evidence) => (Outcome::Reached, None, evidence),
            Finding::Inapplicable(evidence) => (Outcome::Inapplicable, None, evidence),
            Finding::Inconclusive(evidence) => (Outcome::Inconclusive, None, evidence),
        };
        Self {
            id: attempt.id.to_owned(),
            radius: attempt.radius.name().to_owned(),
            kind: attempt.kind.name().to_owned(),
            act: attempt.sentence.to_owned(),
            outcome,
            errno,
            killed: None,
            evidence,
        }
    }

    /// The same, of an attempt that `signal` ended.
    pub(crate) fn killed_by(self, signal: &str) -> Self {
        Self { killed: Some(signal.to_owned()), ..self }
    }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errno_that_nobody_thought_of_is_not_held() {
        assert!(matches!(Gate::CALL.judge::<()>("act", Err(Errno::IO)), Finding::Inconclusive(_)));
    }

    #[test]
    fn an_errno_from_beyond_the_check_is_reached() {
        let gate = Gate::CALL.or_beyond(&[Errno::FAULT]);
        assert!(matches!(gate.judge::<()>("act", Err(Errno::FAULT)), Finding::Reached(_)));
        assert!(matches!(gate.judge::<()>("act", Err(Errno::PERM)), Finding::Refused(Errno::PERM, _)));
    }

    #[test]
    fn one_member_reached_or_in_doubt_outweighs_all_refusals() {
        let refused = || Finding::Refused(Errno::PERM, String::new());
        let absent = || Finding::Refused(Errno::NOENT, String::new());
        let doubt = || Finding::Inconclusive(String::new());
        let reached = || Finding::Reached(String::new());
        assert_eq!(Finding::strongest([refused(), doubt(), refused()]), doubt());
        assert_eq!(Finding::strongest([refused(), doubt(), reached()]), reached());
        assert_eq!(Finding::strongest([absent(), refused(), absent()]), refused());
        assert!(matches!(Finding::strongest([]), Finding::Inapplicable(_)));
    }

    #[test]
    fn the_report_has_the_documented_members() {
        let attempt = Attempt::forbidden("an-id", "Acts.", "a source", |_| Ok(Finding::Held(String::new())));
        let report = Report::new(&attempt, Finding::Refused(Errno::PERM, "act: EPERM".to_owned()));
        let expected = concat!(
            r#"{"id":"an-id","radius":"collateral","kind":"forbidden","act":"Acts.","outcome":"refused","#,
            r#""errno":"EPERM","killed":null,"evidence":"act: EPERM"}"#
        );
        assert_eq!(serde_json::to_string(&report).unwrap(), expected);
        assert_eq!(serde_json::from_str::<Report>(expected).unwrap(), report);
    }

    #[test]
    fn a_quiet_hold_is_refused_without_an_errno() {
        let attempt = Attempt::forbidden("an-id", "Acts.", "a source", |_| Ok(Finding::Held(String::new())));
        let report = Report::new(&attempt, Finding::Held("another file".to_owned()));
        assert_eq!((report.outcome, report.errno), (Outcome::Refused, None));
    }
}
