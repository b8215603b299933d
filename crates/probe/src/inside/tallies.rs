//! What the kernel counts for each user over all their processes: pending signals, watchers and watches of files,
//! terminals; each up to a cap that the test gives.
//!
//! As in [`crate::inside::resources`], reaching the cap is `reached`, and what was taken is given back at this process's end.

use std::fs;

use cofferdam_syscall::process::queue_for_self;
use rustix::fs::inotify;
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, openpt};

use crate::attempt::Attempt;
use crate::finding::{Finding, Gate};
use crate::inside::files::scratch_name;
use crate::inside::proc;
use crate::plants::{Plant, PlantError, Plants};

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::forbidden("flood-signals", "Leaves signals pending up to the cap.", "attacks 7", |plants| {
        counted(plants, Plant::CapSignals, "pending signals", queue_for_self)
    })
    .needs(&[Plant::CapSignals]),
    Attempt::forbidden("flood-watchers", "Makes watchers of files up to the cap.", "attacks 7", |plants| {
        counted(plants, Plant::CapWatchers, "watchers", || inotify::init(inotify::CreateFlags::CLOEXEC))
    })
    .needs(&[Plant::CapWatchers]),
    Attempt::forbidden("flood-watches", "Watches directories up to the cap.", "attacks 7", watches)
        .needs(&[Plant::CapWatches]),
    Attempt::forbidden("flood-terminals", "Opens terminals up to the cap.", "attacks 7", |plants| {
        counted(plants, Plant::CapTerminals, "terminals", || openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY))
    })
    .needs(&[Plant::CapTerminals]),
];

/// Takes one more until the cap or a refusal, and keeps them all until the end.
fn counted<T>(
    plants: &Plants,
    cap: Plant,
    what: &str,
    mut take: impl FnMut() -> Result<T, Errno>,
) -> Result<Finding, PlantError> {
    let cap = plants.number(cap)?;
    let mut taken = Vec::new();
    let mut ended = Ok(());
    while ended.is_ok() && (taken.len() as u64) < cap {
        match take() {
            Ok(one) => taken.push(one),
            Err(errno) => ended = Err(errno),
        }
    }
    Ok(Gate::LIMIT.judge(&format!("{} {what} of at most {cap}", taken.len()), ended))
}

/// One watcher, and a directory for each watch: a second watch of the same would count as none.
fn watches(plants: &Plants) -> Result<Finding, PlantError> {
    let directory = scratch_name(plants, "watched");
    let watcher = match inotify::init(inotify::CreateFlags::CLOEXEC) {
        Ok(watcher) => watcher,
        Err(errno) => return Ok(Finding::Inconclusive(format!("cannot make a watcher: {errno}"))),
    };
    if let Err(error) = fs::create_dir(&directory) {
        return Ok(Gate::PATH.judge::<()>(&directory, Err(proc::from_io(&error))));
    }
    let mut number = 0;
    let finding = counted(plants, Plant::CapWatches, "watches", || {
        number += 1;
        let path = format!("{directory}/{number}");
        fs::create_dir(&path).map_err(|error| proc::from_io(&error))?;
        inotify::add_watch(&watcher, path, inotify::WatchFlags::CREATE)
    });
    drop(fs::remove_dir_all(&directory));
    finding
}
