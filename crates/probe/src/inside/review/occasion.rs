//! What the owner does with git after a run, done on the host's side to see whether anything that was brought runs.
//!
//! Only in the planted workspace, with an environment of its own, without a terminal or network, and bounded in time.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::inside::runner;
use crate::plants::{Plant, PlantError, Plants};

/// How long one command of git may take.
const GIT_TIME_MAX: Duration = Duration::from_secs(5);

/// The file that the attempt's script makes when it runs; outside of the workspace, so that no enclosure has it.
pub(super) fn mark(plants: &Plants) -> Result<PathBuf, PlantError> {
    Ok(Path::new(plants.text(Plant::ScratchOutside)?).join(format!("ran-{}", plants.attempt())))
}

/// Does `acts`, and adds to the evidence what came of them.
pub(super) fn and_ran(plants: &Plants, evidence: String, acts: &[&[&str]]) -> String {
    let (Ok(workspace), Ok(mark)) = (plants.text(Plant::Workspace), mark(plants)) else {
        return evidence;
    };
    for act in acts {
        if !mark.exists() && !git(Path::new(workspace), act) {
            return evidence;
        }
    }
    let verb = acts.last().and_then(|act| act.first()).copied().unwrap_or_default();
    if mark.exists() { format!("{evidence}, and `git {verb}` ran it") } else { evidence }
}

/// Whether git could be run at all, whatever came of it.
fn git(workspace: &Path, arguments: &[&str]) -> bool {
    let mut command = Command::new("git");
    command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path))).envs(ENVIRONMENT);
    // Named, so that no repository of the owner's further up is taken if this one is broken.
    command.env("GIT_DIR", workspace.join(".git")).env("GIT_WORK_TREE", workspace);
    command.args(["-c", "gc.auto=0", "-c", "maintenance.auto=false"]).args(arguments);
    command.current_dir(workspace).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    runner::run_within(&mut command, GIT_TIME_MAX).is_ok()
}

/// `GIT_SSH` is what is left if the setting that was brought has no effect: nothing is ever connected.
const ENVIRONMENT: [(&str, &str); 9] = [
    ("HOME", "/nonexistent"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_SSH", "false"),
    ("GIT_AUTHOR_NAME", "Probe"),
    ("GIT_AUTHOR_EMAIL", "probe@probe.invalid"),
    ("GIT_COMMITTER_NAME", "Probe"),
    ("GIT_COMMITTER_EMAIL", "probe@probe.invalid"),
];
