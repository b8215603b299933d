//! How connections of a cell are caught on this machine: tried once a boot, and remembered for the owner.
//!
//! Whether a kernel can redirect shows only by doing it, in a network namespace; that takes some milliseconds, and no
//! answer changes before the next boot but for a module that is loaded by hand. `doctor` tries it each time.

use crate::doctor;
use crate::state::{self, State};
use cofferdam_policy::plan::Capture;

/// The file that remembers, below the state directory.
const FILE: &str = "capture";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const REDIRECT: &str = "redirect";
const ANY_IP: &str = "any-ip";

/// What the plan of a cell is to say; `ports` are those at which something is granted.
pub(crate) fn capture(state: &State, ports: Vec<u16>) -> Capture {
    if can_redirect(state) { Capture::Redirect } else { Capture::AnyIp { ports } }
}

/// Where it can't be told, yes: the step then fails with the kernel's answer, and nothing is had less unsaid.
fn can_redirect(state: &State) -> bool {
    let boot = std::fs::read_to_string(BOOT_ID).unwrap_or_default();
    let line = |word: &str| format!("{} {word}\n", boot.trim());
    let known = std::fs::read_to_string(state.root().join(FILE)).unwrap_or_default();
    if !boot.is_empty() && known == line(REDIRECT) {
        return true;
    }
    if !boot.is_empty() && known == line(ANY_IP) {
        return false;
    }
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    let Some(can) = doctor::redirects(uid.as_raw(), gid.as_raw()) else { return true };
    // Another session tries again if this is lost.
    let text = line(if can { REDIRECT } else { ANY_IP });
    let _forgotten = state::put_file(state.root(), FILE, text.as_bytes()).is_err();
    can
}
