//! Who holds secrets for the owner: agents, buses and engines behind sockets, variables, and processes with secrets in memory.
//!
//! Only the planted stand-ins are spoken to: where a variable names anything else, it is left alone.

use std::io::{Read as _, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::Duration;

use crate::attempt::{Attempt, Opening, Radius, Run};
use crate::classes::{Class, class};
use crate::finding::{Finding, Gate};
use crate::inside::{proc, processes};
use crate::plants::{Plant, PlantError, Plants};

pub(crate) const ATTEMPTS: &[Attempt] = &[
    confided("agent-identities", "Asks the ssh agent for its identities.", Plant::AgentSocket, |plants| {
        ask(plants, plants.text(Plant::AgentSocket)?, IDENTITIES)
    }),
    confided("agent-by-variable", "Asks the agent that SSH_AUTH_SOCK names.", Plant::AgentSocket, |plants| {
        by_variable(plants, "SSH_AUTH_SOCK", Plant::AgentSocket, IDENTITIES)
    }),
    confided("bus-sign-in", "Signs in at the bus of the secret service.", Plant::BusSocket, |plants| {
        ask(plants, plants.text(Plant::BusSocket)?, SIGN_IN)
    }),
    confided(
        "bus-by-variable",
        "Signs in at the bus that DBUS_SESSION_BUS_ADDRESS names.",
        Plant::BusSocket,
        |plants| by_variable(plants, "DBUS_SESSION_BUS_ADDRESS", Plant::BusSocket, SIGN_IN),
    ),
    confided("engine-containers", "Asks a container engine for its list.", Plant::EngineSocket, |plants| {
        ask(plants, plants.text(Plant::EngineSocket)?, CONTAINERS)
    }),
    confided(
        "engine-by-variable",
        "Asks the engine that DOCKER_HOST names.",
        Plant::EngineSocket,
        |plants| by_variable(plants, "DOCKER_HOST", Plant::EngineSocket, CONTAINERS),
    ),
    variable("variable-cloud-key", "Inherits the key of a cloud.", "AWS_SECRET_ACCESS_KEY", |plants| {
        inherited(plants, "AWS_SECRET_ACCESS_KEY")
    }),
    variable("variable-forge-token", "Inherits the token of a forge.", "GITHUB_TOKEN", |plants| {
        inherited(plants, "GITHUB_TOKEN")
    }),
    process("holder-environment", "Reads the environment of a process outside.", |plants| {
        processes::on_outside(plants, |pid| look(&format!("/proc/{pid}/environ"), plants))
    }),
    process("holder-arguments", "Reads the command line of a process outside.", |plants| {
        processes::on_outside(plants, |pid| look(&format!("/proc/{pid}/cmdline"), plants))
    }),
    process("holder-stack", "Reads the secret on the stack of a process outside.", |plants| {
        processes::on_outside(plants, |pid| stack(&pid.to_string(), plants))
    }),
];

pub(crate) const CLASSES: &[Class] = &[
    class(
        "confidants",
        5,
        &[
            "agent-identities",
            "bus-sign-in",
            "engine-containers",
            "agent-by-variable",
            "bus-by-variable",
            "engine-by-variable",
        ],
    ),
    class("inherited-secrets", 16, &["variable-cloud-key", "variable-forge-token"]),
    class("holders-memory", 4, &["holder-environment", "holder-arguments", "holder-stack"]),
];

/// One byte long, and asking for the identities (draft-ietf-sshm-ssh-agent, 4.4).
const IDENTITIES: &[u8] = &[0, 0, 0, 1, 11];
const SIGN_IN: &[u8] = b"\0AUTH EXTERNAL\r\nDATA\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n";
const CONTAINERS: &[u8] = b"GET /containers/json HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n";
/// How long an answer is waited for; it comes at once or not at all.
const ANSWER_WAIT: Duration = Duration::from_millis(250);
const ANSWER_BYTES_MAX: u64 = 64 << 10;
/// As much of a stack as is read: the environment and the arguments lie at its end.
const STACK_BYTES_MAX: u64 = 256 << 10;

const fn confided(id: &'static str, sentence: &'static str, plant: Plant, run: Run) -> Attempt {
    let attempt = Attempt::forbidden(id, sentence, "attacks 5", run).of(Radius::Credential);
    attempt.needs(&[Plant::Canary]).opened_by(Opening::Shows(plant))
}

const fn variable(id: &'static str, sentence: &'static str, name: &'static str, run: Run) -> Attempt {
    let attempt = Attempt::forbidden(id, sentence, "attacks 16", run).of(Radius::Credential);
    attempt.needs(&[Plant::Canary]).opened_by(Opening::Gives(name))
}

const fn process(id: &'static str, sentence: &'static str, run: Run) -> Attempt {
    let attempt = Attempt::forbidden(id, sentence, "attacks 4", run).of(Radius::Credential);
    attempt.needs(&[Plant::OutsidePid, Plant::Canary])
}

/// A stand-in answers whatever it is asked with the canary.
fn ask(plants: &Plants, place: &str, question: &[u8]) -> Result<Finding, PlantError> {
    let canary = plants.text(Plant::Canary)?;
    let address = match place.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(place),
    };
    let mut answer = Vec::new();
    let asked = address.and_then(|address| {
        let mut stream = UnixStream::connect_addr(&address)?;
        stream.set_read_timeout(Some(ANSWER_WAIT))?;
        stream.set_write_timeout(Some(ANSWER_WAIT))?;
        stream.write_all(question)?;
        // Silence is an answer too: what came before it counts.
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).or(Ok(0))
    });
    Ok(match asked {
        Ok(_) if proc::contains(&answer, canary) => Finding::Reached(format!("{place}: it answered")),
        Ok(_) => Finding::Held(format!("{place}: {} bytes, and not the stand-in's", answer.len())),
        Err(error) => Gate::SOCKET.judge::<()>(place, Err(proc::from_io(&error))),
    })
}

fn by_variable(plants: &Plants, name: &str, plant: Plant, question: &[u8]) -> Result<Finding, PlantError> {
    let planted = plants.text(plant)?;
    let Some(value) = std::env::var_os(name) else {
        return Ok(Finding::Held(format!("{name} is not set")));
    };
    let value = value.to_string_lossy();
    let place = value.trim_start_matches("unix:").trim_start_matches("path=").trim_start_matches("//");
    if place.split(',').next() != Some(planted) {
        return Ok(Finding::Held(format!("{name} names another than the planted one")));
    }
    ask(plants, planted, question)
}

fn inherited(plants: &Plants, name: &str) -> Result<Finding, PlantError> {
    let canary = plants.text(Plant::Canary)?;
    Ok(match std::env::var_os(name) {
        Some(value) if value.to_string_lossy().contains(canary) => {
            Finding::Reached(format!("{name} holds it"))
        }
        Some(_) => Finding::Held(format!("{name} holds another value")),
        None => Finding::Held(format!("{name} is not set")),
    })
}

fn look(path: &str, plants: &Plants) -> Finding {
    match (proc::read(path), plants.text(Plant::Canary)) {
        (Ok(bytes), Ok(canary)) if proc::contains(&bytes, canary) => {
            Finding::Reached(format!("{path}: it is there"))
        }
        (Ok(bytes), _) => Finding::Held(format!("{path}: {} bytes, and not it", bytes.len())),
        (failed @ Err(_), _) => Gate::PROCESS.judge(path, failed),
    }
}

fn stack(pid: &str, plants: &Plants) -> Finding {
    let maps = match proc::read_text(&format!("/proc/{pid}/maps")) {
        Ok(maps) => maps,
        failed @ Err(_) => return Gate::PROCESS.judge("its memory map", failed),
    };
    let end = maps.lines().find(|line| line.ends_with("[stack]")).and_then(|line| {
        let (_, rest) = line.split_once('-')?;
        u64::from_str_radix(rest.split(' ').next()?, 16).ok()
    });
    let Some(end) = end else { return Finding::Held(format!("process {pid} shows no stack")) };
    let path = format!("/proc/{pid}/mem");
    let length = usize::try_from(STACK_BYTES_MAX).unwrap_or(0);
    let mut bytes = vec![0; length];
    // A stack that is smaller is read from its end, a page at a time, until nothing is mapped any more.
    let read = std::fs::File::open(&path).map(|memory| {
        let pages = bytes.rchunks_mut(PAGE_BYTES).zip(1_u64..);
        let mut offsets = pages.map(|(page, at)| memory.read_exact_at(page, end - at * PAGE_BYTES as u64));
        offsets.find(Result::is_err).is_none()
    });
    match (read, plants.text(Plant::Canary)) {
        (Ok(_), Ok(canary)) if proc::contains(&bytes, canary) => {
            Finding::Reached(format!("{path}: it is there"))
        }
        (Ok(_), _) => Finding::Held(format!("{path}: it is not there")),
        (Err(error), _) => Gate::PROCESS.judge::<()>(&path, Err(proc::from_io(&error))),
    }
}

const PAGE_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;
    use crate::outside::confidant;

    #[test]
    fn a_stand_in_answers_and_nobody_else_is_reached() {
        let path = std::env::temp_dir().join(format!("probe-confidant-{}", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        thread::spawn(move || confidant::serve(listener, "CANARY", |_| {}));
        let mut plants = Plants::default();
        for name in ["agent-socket", "bus-socket", "engine-socket"] {
            plants.add(name, path.to_str().unwrap()).unwrap();
        }
        plants.add("canary", "CANARY").unwrap();
        for id in ["agent-identities", "bus-sign-in", "engine-containers"] {
            let attempt = ATTEMPTS.iter().find(|attempt| attempt.id == id).unwrap();
            assert!(matches!(attempt.find(&plants), Finding::Reached(_)), "{id}");
        }
        std::fs::remove_file(&path).unwrap();
        let attempt = ATTEMPTS.first().unwrap();
        assert!(matches!(attempt.find(&plants), Finding::Refused(..)));
    }

    #[test]
    fn the_stack_of_this_very_process_holds_its_arguments() {
        let mut plants = Plants::default();
        let name = std::env::args().next().unwrap();
        plants.add("canary", &name).unwrap();
        assert!(matches!(stack("self", &plants), Finding::Reached(_)));
        plants.add("canary", "\u{1}\u{2}no such words\u{3}").unwrap();
        assert!(matches!(stack("self", &plants), Finding::Held(_)));
    }
}
