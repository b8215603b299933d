//! Data that leaves by the file system: sockets and FIFOs that lie there, and directories that the host has in common with
//! an enclosure.
//!
//! Each sends a mark to a planted listener, or leaves an empty file of a planted name, which the host looks for.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixDatagram, UnixStream};

use rustix::fs::OFlags;

use crate::attempt::Attempt;
use crate::classes::{Class, class};
use crate::finding::{Finding, Gate};
use crate::inside::egress::{judged, leaving};
use crate::inside::knock::{heard, mark};
use crate::inside::proc;
use crate::plants::{Plant, PlantError, Planting, Plants};
use crate::witness::HostSide;

pub(crate) const ATTEMPTS: &[Attempt] = &[
    leaving(
        "channel-unix-stream",
        "Sends over a socket of the host by its path.",
        &[Plant::UnixStream, Plant::Canary],
        |plants| {
            let path = plants.text(Plant::UnixStream)?;
            unix(plants, &UnixAddress::from_pathname(path))
        },
        heard,
    ),
    leaving(
        "channel-unix-abstract",
        "Sends over an abstract socket of the host.",
        &[Plant::AbstractName, Plant::Canary],
        |plants| {
            let name = plants.text(Plant::AbstractName)?;
            unix(plants, &UnixAddress::from_abstract_name(name))
        },
        heard,
    ),
    leaving(
        "channel-unix-datagram",
        "Sends a datagram to a socket of the host.",
        &[Plant::UnixDatagram, Plant::Canary],
        |plants| {
            let (path, mark) = (plants.text(Plant::UnixDatagram)?, mark(plants)?);
            let sent = UnixDatagram::unbound().and_then(|socket| socket.send_to(mark.as_bytes(), path));
            Ok(judged(path, sent.map(|_| ())))
        },
        heard,
    ),
    leaving(
        "channel-fifo",
        "Writes to a FIFO that the host reads.",
        &[Plant::Fifo, Plant::Canary],
        |plants| {
            let (path, mark) = (plants.text(Plant::Fifo)?, mark(plants)?);
            let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
            let opened = File::options().write(true).custom_flags(nonblocking).open(path);
            let written = opened.and_then(|mut fifo| writeln!(fifo, "{mark}"));
            Ok(Gate::PATH.judge(path, written.map_err(|error| proc::from_io(&error))))
        },
        heard,
    ),
    leaving(
        "channel-tmp",
        "Leaves a file in the host's /tmp.",
        &[Plant::Tag],
        |plants| leave(plants, "/tmp"),
        |host| left(host, "/tmp"),
    ),
    leaving(
        "channel-var-tmp",
        "Leaves a file in the host's /var/tmp.",
        &[Plant::Tag],
        |plants| leave(plants, "/var/tmp"),
        |host| left(host, "/var/tmp"),
    ),
    leaving(
        "channel-shared-memory",
        "Leaves a file in the host's shared memory.",
        &[Plant::Tag],
        |plants| leave(plants, "/dev/shm"),
        |host| left(host, "/dev/shm"),
    ),
];

pub(crate) const CLASSES: &[Class] = &[
    class(
        "local-channels",
        5,
        &["channel-unix-stream", "channel-unix-abstract", "channel-unix-datagram", "channel-fifo"],
    ),
    class("shared-directories", 4, &["channel-tmp", "channel-var-tmp", "channel-shared-memory"]),
];

pub(crate) const PLANTING: Planting = Planting { plant: |_| Ok(()), tidy };

const SHARED_DIRECTORIES: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];

fn unix(plants: &Plants, address: &io::Result<UnixAddress>) -> Result<Finding, PlantError> {
    let mark = mark(plants)?;
    let Ok(address) = address else {
        return Ok(Finding::Inconclusive("the planted name is no address".to_owned()));
    };
    let sent = UnixStream::connect_addr(address).and_then(|mut stream| stream.write_all(mark.as_bytes()));
    Ok(judged(&format!("{address:?}"), sent))
}

/// Another name for each: two of the directories may be one and the same inside.
fn shared(directory: &str, tag: &str) -> String {
    format!("{directory}/{tag}-left{}", directory.replace('/', "-"))
}

fn leave(plants: &Plants, directory: &str) -> Result<Finding, PlantError> {
    let path = shared(directory, plants.text(Plant::Tag)?);
    let made = File::create_new(&path);
    Ok(Gate::PATH.judge(&path, made.map_err(|error| proc::from_io(&error))))
}

fn left(host: &HostSide<'_>, directory: &str) -> Option<String> {
    let path = shared(directory, host.plants.text(Plant::Tag).ok()?);
    std::fs::exists(&path).is_ok_and(|exists| exists).then(|| format!("{path} is there"))
}

fn tidy(plants: &Plants) -> io::Result<()> {
    let Ok(tag) = plants.text(Plant::Tag) else { return Ok(()) };
    SHARED_DIRECTORIES.iter().try_for_each(|directory| match std::fs::remove_file(shared(directory, tag)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Report;

    #[test]
    fn outside_a_file_is_left_and_seen_and_taken_away() {
        let mut plants = Plants::default();
        plants.add("tag", &format!("probe-channel-{}", std::process::id())).unwrap();
        let seen = |attempt: &Attempt, reported: Option<&Report>| {
            attempt.seen(&HostSide { plants: &plants, contacts: &[], reported })
        };
        for attempt in ATTEMPTS.iter().filter(|attempt| attempt.needs == [Plant::Tag]) {
            assert_eq!(seen(attempt, None), None, "{}", attempt.id);
            let reported = Report::new(attempt, attempt.find(&plants));
            assert!(seen(attempt, Some(&reported)).is_some(), "{}", attempt.id);
        }
        tidy(&plants).unwrap();
        assert!(
            SHARED_DIRECTORIES.iter().all(|directory| !std::fs::exists(shared(
                directory,
                plants.text(Plant::Tag).unwrap()
            ))
            .unwrap())
        );
    }
}
