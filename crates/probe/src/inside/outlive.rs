//! A daemon that tries to outlive its session: twice removed from whoever started it, in a session of its own,
//! deaf to its parent's death, with a heartbeat that a test can watch. It ends by itself after a while.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{set_parent_process_death_signal, setsid};

use crate::failure::Failure;
use crate::inside::control::OWN_PROGRAM;

const BEAT: Duration = Duration::from_millis(50);
const LIFE_SECONDS_DEFAULT: u64 = 60;

/// Runs `outlive PATH [SECONDS]`, or one of its later stages.
pub(crate) fn run(words: &[&str]) -> Result<(), Failure> {
    match words {
        [path] => start("stage-2", path, &LIFE_SECONDS_DEFAULT.to_string()),
        ["stage-2", path, seconds] => {
            // It leads its group already when a shell started it so; then the next stage is out of it anyway.
            setsid().ok();
            start("stage-3", path, seconds)
        }
        ["stage-3", path, seconds] => beat(path, life(seconds)?),
        [path, seconds] => life(seconds).and_then(|_| start("stage-2", path, seconds)),
        _ => Err(Failure::Usage("outlive PATH [SECONDS]".to_owned())),
    }
}

fn life(seconds: &str) -> Result<Duration, Failure> {
    let parsed = seconds.parse().map(Duration::from_secs);
    parsed.map_err(|_not_a_number| Failure::Usage(format!("{seconds:?} is no number of seconds")))
}

fn start(stage: &str, path: &str, seconds: &str) -> Result<(), Failure> {
    let mut command = Command::new(OWN_PROGRAM);
    command.args(["outlive", stage, path, seconds]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(failed)?;
    if stage == "stage-2" {
        // The middle generation ends at once and leaves the last one an orphan.
        child.wait().map_err(failed)?;
    }
    Ok(())
}

fn beat(path: &str, life: Duration) -> Result<(), Failure> {
    set_parent_process_death_signal(None).ok();
    let file = fs::File::create(path).map_err(failed)?;
    let start = Instant::now();
    let mut count = 0_u64;
    while start.elapsed() < life {
        count += 1;
        file.write_all_at(format!("{count:020} {}\n", std::process::id()).as_bytes(), 0).map_err(failed)?;
        thread::sleep(BEAT);
    }
    Ok(())
}

fn failed(source: std::io::Error) -> Failure {
    Failure::Control { act: "outlive the session", source }
}
