//! What this machine offers, now: Landlock, mechanisms for limits, memory.
//!
//! Only what has to be known before a start. Whether namespaces and overlays work shows when the cell is built,
//! by the step that fails; `doctor` tries them one by one.

use crate::cgroup::Hierarchies;
use crate::error::{Error, ErrorKind};
use cofferdam_cell::landlock::LANDLOCK_VERSION_MIN;
use cofferdam_policy::admission::{Mechanism, Reason, Support};
use cofferdam_policy::presets::limits::LimitName;

/// The machine as found.
#[derive(Debug, Clone)]
pub struct Machine {
    /// What can be enforced.
    pub support: Support,
    /// Where control groups can be made.
    pub hierarchies: Hierarchies,
    /// Main memory, in bytes.
    pub memory_bytes: u64,
}

impl Machine {
    /// Looks at it.
    #[must_use]
    pub fn look() -> Self {
        let hierarchies = Hierarchies::look();
        let mut mechanisms = hierarchies.mechanisms();
        mechanisms.insert(LimitName::Processes, Mechanism::Rlimit);
        mechanisms.insert(LimitName::Files, Mechanism::Rlimit);
        mechanisms.insert(LimitName::Tmp, Mechanism::SizedTmpfs);
        mechanisms.insert(LimitName::Time, Mechanism::Timer);
        let landlock = cofferdam_syscall::confine::landlock_version().ok();
        let information = rustix::system::sysinfo();
        let unit = u64::from(information.mem_unit.max(1));
        Self {
            support: Support { landlock, landlock_min: LANDLOCK_VERSION_MIN, mechanisms },
            hierarchies,
            memory_bytes: information.totalram.saturating_mul(unit),
        }
    }
}

/// A refusal, for the owner.
#[must_use]
pub(crate) fn refusal(reasons: &[Reason]) -> Error {
    let why: Vec<String> =
        reasons.iter().map(|reason| format!("{} ({})", reason.phrase(), reason.code())).collect();
    let what_to_do: Vec<String> = reasons.iter().map(Reason::remedy).collect();
    Error::new(ErrorKind::Unenforceable, "cannot keep what this session asks for")
        .since(why.join("; "))
        .hint(what_to_do.join("; "))
}
