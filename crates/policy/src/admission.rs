//! Admission: whether an authority can be kept on this machine, now, as a value.
//!
//! [`admit`] is the only maker of a [`Permit`], and starting a cell takes one. Nothing is weakened here: what
//! can't be enforced and was asked for is refused with a reason; a default without a mechanism is listed.

use crate::authority::Authority;
use crate::presets::limits::{LimitName, Origin};
use std::collections::BTreeMap;

/// How a limit is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mechanism {
    /// A control group of the unified hierarchy that was delegated to the owner.
    CgroupV2,
    /// A control group of the old hierarchies.
    CgroupV1,
    /// A resource limit that the kernel keeps for each process, or for the cell's user namespace.
    Rlimit,
    /// A file system in memory of that size.
    SizedTmpfs,
    /// The supervisor's clock.
    Timer,
}

impl Mechanism {
    /// In words, for `explain`.
    #[must_use]
    pub fn phrase(self) -> &'static str {
        match self {
            Self::CgroupV2 => "control group (v2)",
            Self::CgroupV1 => "control group (v1)",
            Self::Rlimit => "rlimit of the cell's user namespace",
            Self::SizedTmpfs => "sized tmpfs",
            Self::Timer => "the supervisor's clock",
        }
    }
}

/// What this machine offers to this owner, as found out before the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Support {
    /// Version of Landlock, if there is any.
    pub landlock: Option<u32>,
    /// The version that the cell needs at least.
    pub landlock_min: u32,
    /// Which limits have a mechanism.
    pub mechanisms: BTreeMap<LimitName, Mechanism>,
}

/// Why a session is refused. The codes are stable and documented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A limit was asked for that nothing here can keep.
    LimitUnenforceable(LimitName),
    /// The kernel has no Landlock, or it is switched off.
    LandlockMissing,
    /// The kernel's Landlock is too old.
    LandlockTooOld {
        /// What it has.
        found: u32,
        /// What is needed.
        least: u32,
    },
}

impl Reason {
    /// The stable code, as documented in `docs/exit-codes.md`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::LimitUnenforceable(_) => "limit-unenforceable",
            Self::LandlockMissing => "landlock-missing",
            Self::LandlockTooOld { .. } => "landlock-too-old",
        }
    }

    /// What is wrong.
    #[must_use]
    pub fn phrase(&self) -> String {
        match self {
            Self::LimitUnenforceable(name) => format!("nothing on this machine can keep the limit `{name}`"),
            Self::LandlockMissing => "this kernel has no Landlock".into(),
            Self::LandlockTooOld { found, least } => {
                format!("this kernel's Landlock has version {found}, and {least} is needed")
            }
        }
    }

    /// What the owner can do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::LimitUnenforceable(LimitName::Memory | LimitName::Cpu) => {
                "leave the limit away, or start within a delegated control group: systemd-run --user --scope -p Delegate=yes cofferdam …".into()
            }
            Self::LimitUnenforceable(LimitName::Disk) => {
                "leave the limit away; keep the state directory on a file system of its own to bound all sessions".into()
            }
            Self::LimitUnenforceable(
                LimitName::Processes | LimitName::Files | LimitName::Tmp | LimitName::Time,
            ) => "leave the limit away".into(),
            Self::LandlockMissing => "boot with `lsm=landlock,…` on the kernel's command line".into(),
            Self::LandlockTooOld { .. } => "use Linux 5.19 or newer".into(),
        }
    }
}

/// The word to go ahead with exactly this authority. Only [`admit`] makes one.
///
/// ```
/// use cofferdam_policy::admission::{Permit, Support, Verdict, admit};
/// use cofferdam_policy::authority::Authority;
///
/// fn lawful(authority: Authority, machine: &Support) -> Option<Box<Permit>> {
///     match admit(authority, machine) {
///         Verdict::Permit(permit) => Some(permit),
///         Verdict::Refuse(_) => None,
///     }
/// }
/// ```
///
/// It can't be made in any other way:
///
/// ```compile_fail,E0451
/// use cofferdam_policy::admission::Permit;
/// use cofferdam_policy::authority::Authority;
///
/// fn forged(authority: Authority) -> Permit {
///     Permit { authority, mechanisms: std::collections::BTreeMap::new() }
/// }
/// ```
///
/// nor turned into one for more than was asked:
///
/// ```compile_fail,E0451
/// use cofferdam_policy::admission::Permit;
/// use cofferdam_policy::authority::Authority;
///
/// fn widened(permit: Permit, authority: Authority) -> Permit {
///     Permit { authority, ..permit }
/// }
/// ```
///
/// ```compile_fail,E0616
/// use cofferdam_policy::admission::Permit;
///
/// fn unmasked(permit: &mut Permit) {
///     permit.authority.masks.clear();
/// }
/// ```
///
/// ```compile_fail,E0277
/// fn read<T: serde::de::DeserializeOwned>(text: &str) -> T {
///     serde_json::from_str(text).unwrap()
/// }
/// let permit: cofferdam_policy::admission::Permit = read("{}");
/// ```
#[derive(Debug, Clone)]
pub struct Permit {
    authority: Authority,
    mechanisms: BTreeMap<LimitName, Mechanism>,
}

impl Permit {
    /// What is permitted.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// How a limit is kept; `None` for one that is not, which then is a default.
    #[must_use]
    pub fn mechanism(&self, limit: LimitName) -> Option<Mechanism> {
        self.mechanisms.get(&limit).copied()
    }
}

/// Yes with a permit, or no with every reason. There is no verdict by default:
///
/// ```compile_fail,E0277
/// fn whatever<T: Default>() -> T {
///     T::default()
/// }
/// let verdict: cofferdam_policy::admission::Verdict = whatever();
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub enum Verdict {
    /// Go ahead.
    Permit(Box<Permit>),
    /// Don't, for all of these reasons; never empty.
    Refuse(Vec<Reason>),
}

/// Decides whether `authority` can be kept on `machine`.
pub fn admit(authority: Authority, machine: &Support) -> Verdict {
    let mut reasons = Vec::new();
    match machine.landlock {
        None => reasons.push(Reason::LandlockMissing),
        Some(found) if found < machine.landlock_min => {
            reasons.push(Reason::LandlockTooOld { found, least: machine.landlock_min });
        }
        Some(_) => {}
    }
    for bound in authority.limits.iter() {
        let name = bound.limit.name();
        if bound.origin == Origin::Asked && !machine.mechanisms.contains_key(&name) {
            reasons.push(Reason::LimitUnenforceable(name));
        }
    }
    if reasons.is_empty() {
        Verdict::Permit(Box::new(Permit { authority, mechanisms: machine.mechanisms.clone() }))
    } else {
        Verdict::Refuse(reasons)
    }
}
