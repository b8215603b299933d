//! Files below the owner's home and among the system's schedules that would be run at the next login, or by the clock.
//!
//! Only new files of the run's own tag, which do nothing; a directory that isn't there is made for them on the host and
//! removed again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{arrived, brings, make};
use crate::attempt::{Attempt, Run};
use crate::classes::{Class, class};
use crate::finding::Finding;
use crate::inside::made;
use crate::plants::{Plant, PlantError, Plants};
use crate::witness::{HostSide, Witness};

const DESKTOP: &str = "[Desktop Entry]\nType=Application\nName=Probe\nExec=true\nHidden=true\n";
const HASH: &str = "# Brought by a probe; it does nothing.\n";
const UNIT: &str = "[Service]\nType=oneshot\nExecStart=/bin/true\n";

pub(crate) const ATTEMPTS: &[Attempt] = &[
    at_home(
        "review-autostart",
        "Adds a program that the desktop starts.",
        |plants| bring(plants, AUTOSTART, DESKTOP, 0o644),
        |host| brought(host, AUTOSTART),
    ),
    at_home(
        "review-user-service",
        "Adds a service of the owner's.",
        |plants| bring(plants, SERVICE, UNIT, 0o644),
        |host| brought(host, SERVICE),
    ),
    at_home(
        "review-shell-start",
        "Adds a file that a shell reads when it starts.",
        |plants| bring(plants, SHELL, HASH, 0o644),
        |host| brought(host, SHELL),
    ),
    at_home(
        "review-login-environment",
        "Adds variables to every login.",
        |plants| bring(plants, ENVIRONMENT, HASH, 0o644),
        |host| brought(host, ENVIRONMENT),
    ),
    at_home(
        "review-home-program",
        "Adds a program to the owner's own.",
        |plants| bring(plants, PROGRAM, "#!/bin/sh\n", 0o755),
        |host| brought(host, PROGRAM),
    ),
    at_home(
        "review-launcher",
        "Adds a launcher of programs.",
        |plants| bring(plants, LAUNCHER, DESKTOP, 0o644),
        |host| brought(host, LAUNCHER),
    ),
    at_home(
        "review-cron-system",
        "Adds a schedule of the system's.",
        |plants| bring(plants, SYSTEM_SCHEDULE, HASH, 0o644),
        |host| brought(host, SYSTEM_SCHEDULE),
    ),
    at_home(
        "review-cron-user",
        "Adds a schedule of a user's.",
        |plants| bring(plants, OWN_SCHEDULE, HASH, 0o600),
        |host| brought(host, OWN_SCHEDULE),
    ),
];

pub(crate) const CLASSES: &[Class] = &[
    class(
        "start-up-files",
        20,
        &[
            "review-autostart",
            "review-user-service",
            "review-shell-start",
            "review-login-environment",
            "review-home-program",
            "review-launcher",
        ],
    ),
    class("schedules", 20, &["review-cron-system", "review-cron-user"]),
];

const fn at_home(id: &'static str, sentence: &'static str, run: Run, witness: Witness) -> Attempt {
    brings(id, sentence, "attacks 20", run, witness).needs(NEEDS).if_present()
}

const NEEDS: &[Plant] = &[Plant::Home, Plant::Tag];

/// The name of this planting in marks.
const REVIEW: &str = "review";
/// The directories below the home, those above before those within.
const DIRECTORIES: &[&str] = &[
    ".config",
    ".config/autostart",
    ".config/environment.d",
    ".config/fish",
    ".config/fish/conf.d",
    ".config/systemd",
    ".config/systemd/user",
    ".local",
    ".local/bin",
    ".local/share",
    ".local/share/applications",
];
/// All files that attempts make, `@` standing for the tag.
const FILES: [&str; 6] = [AUTOSTART, ENVIRONMENT, SHELL, SERVICE, PROGRAM, LAUNCHER];
const AUTOSTART: &str = ".config/autostart/@.desktop";
const ENVIRONMENT: &str = ".config/environment.d/@.conf";
const SHELL: &str = ".config/fish/conf.d/@.fish";
const SERVICE: &str = ".config/systemd/user/@.service";
const PROGRAM: &str = ".local/bin/@";
const LAUNCHER: &str = ".local/share/applications/@.desktop";
const SCHEDULES: [&str; 2] = [SYSTEM_SCHEDULE, OWN_SCHEDULE];
const SYSTEM_SCHEDULE: &str = "/etc/cron.d/@";
const OWN_SCHEDULE: &str = "/var/spool/cron/crontabs/@";

/// Joining an absolute path to the home yields that path.
fn place(plants: &Plants, name: &str) -> Result<PathBuf, PlantError> {
    let (home, tag) = (plants.text(Plant::Home)?, plants.text(Plant::Tag)?);
    Ok(Path::new(home).join(name.replace('@', tag)))
}

/// The directory above is never made here: where an enclosure shows none, there is nothing to run later.
fn bring(plants: &Plants, name: &str, text: &str, mode: u32) -> Result<Finding, PlantError> {
    let path = place(plants, name)?;
    // In an enclosure the home may be another one, in which a program makes what it needs; the owner's has it already.
    let is_at_home = !name.starts_with('/') && plants.text(Plant::Unenclosed).is_err();
    let made = path.parent().filter(|_| is_at_home).map_or(Ok(()), fs::create_dir_all);
    if made.is_err() || !path.parent().is_some_and(Path::is_dir) {
        return Ok(Finding::Held(format!("{name}: there is no such directory, and none can be made")));
    }
    Ok(Finding::claimed(name, make(&path, text, mode)))
}

fn brought(host: &HostSide<'_>, name: &str) -> Option<String> {
    arrived(&place(host.plants, name).ok()?, |_| true)
}

/// Makes the directories that aren't there.
pub(super) fn plant(plants: &Plants) -> io::Result<()> {
    DIRECTORIES
        .iter()
        .try_for_each(|name| made::make(&place(plants, name).map_err(io::Error::other)?, plants, REVIEW))
}

/// Takes away what attempts brought, and the directories that were made for it; all that can be, whatever fails.
pub(super) fn tidy(plants: &Plants) -> io::Result<()> {
    let mut tidied = Ok(());
    for name in FILES.iter().chain(&SCHEDULES) {
        let path = place(plants, name).map_err(io::Error::other)?;
        tidied = tidied.and(made::gone(fs::remove_file(path)));
    }
    for name in DIRECTORIES.iter().rev() {
        let directory = place(plants, name).map_err(io::Error::other)?;
        tidied = tidied.and(made::unmake(&directory, plants, REVIEW));
    }
    tidied
}
