//! A child that may read what the agent made unreadable: root over the owner's own ids in a user namespace, and over
//! nothing else.
//!
//! It executes nothing. What it finds comes back through a pipe and is parsed.

use crate::error::{Error, ErrorKind};
use cofferdam_syscall::process::{Fork, Namespaces, clone_into_namespaces, exit_now};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::process::{WaitId, WaitIdOptions, waitid};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{Read as _, Write as _};

/// The longest answer of the helper, in bytes.
const ANSWER_BYTES_MAX: u64 = 1 << 30;

/// What the helper answers.
#[derive(Serialize, Deserialize)]
enum Answer<T> {
    Read(T),
    Failed(String),
}

/// What `read` gives when it is called in such a child.
///
/// # Errors
/// [`ErrorKind::State`] with what `read` failed by, or if there can be no such child.
pub(crate) fn with_privilege<T: Serialize + DeserializeOwned>(
    read: impl Fn() -> Result<T, String>,
) -> Result<T, Error> {
    let cannot = |why: String| {
        Error::new(ErrorKind::State, "cannot read what the agent made unreadable")
            .since(why)
            .hint("cofferdam doctor")
    };
    let pipe =
        || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|e| cannot(e.to_string()));
    let ((go_reader, go_writer), (reader, writer)) = (pipe()?, pipe()?);
    match clone_into_namespaces(Namespaces::USER).map_err(|errno| cannot(errno.to_string()))? {
        Fork::Child => {
            drop((go_writer, reader));
            let mut go = [0_u8];
            let told = rustix::io::read(&go_reader, &mut go) == Ok(1);
            exit_now(i32::from(!(told && answer(read, writer))))
        }
        Fork::Parent(pid, pidfd) => {
            drop((go_reader, writer));
            let mapped = map_own_ids(pid).map_err(|error| cannot(error.to_string()));
            if mapped.is_ok() {
                rustix::io::write(&go_writer, &[1]).map_err(|errno| cannot(errno.to_string()))?;
            }
            drop(go_writer);
            let mut text = Vec::new();
            let read = std::fs::File::from(reader).take(ANSWER_BYTES_MAX).read_to_end(&mut text);
            let _reaped = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED).is_ok();
            mapped?;
            read.map_err(|error| cannot(error.to_string()))?;
            match serde_json::from_slice(&text) {
                Ok(Answer::Read(found)) => Ok(found),
                Ok(Answer::Failed(why)) => Err(cannot(why)),
                Err(error) => Err(cannot(error.to_string())),
            }
        }
    }
}

fn answer<T: Serialize>(read: impl Fn() -> Result<T, String>, writer: OwnedFd) -> bool {
    let answer = match read() {
        Ok(found) => Answer::Read(found),
        Err(why) => Answer::Failed(why),
    };
    let text = serde_json::to_vec(&answer).unwrap_or_default();
    std::fs::File::from(writer).write_all(&text).is_ok()
}

fn map_own_ids(pid: rustix::process::Pid) -> std::io::Result<()> {
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let file = |name: &str| format!("/proc/{}/{name}", pid.as_raw_nonzero());
    std::fs::write(file("setgroups"), "deny")?;
    std::fs::write(file("uid_map"), format!("{uid} {uid} 1\n"))?;
    std::fs::write(file("gid_map"), format!("{gid} {gid} 1\n"))
}
