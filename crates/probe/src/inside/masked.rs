//! A secret of the workspace that is hidden by its name, by other names: links, renamed directories, what a mount is made of.
//!
//! What is moved is moved back; it reads the planted `.env` and nothing else.

use rustix::fs;

use crate::attempt::{Attempt, Radius, Run};
use crate::classes::{Class, class};
use crate::finding::{Finding, Gate};
use crate::inside::files::scratch_name;
use crate::inside::{proc, secrets};
use crate::plants::{Plant, PlantError, Plants};

pub(crate) const ATTEMPTS: &[Attempt] = &[
    hidden("masked-by-root", "Reads the hidden file by the root in /proc.", |plants| {
        secrets::read(plants, &format!("/proc/self/root{}", hidden_file(plants)?))
    }),
    hidden("masked-by-symlink", "Reads it through a symbolic link.", by_symlink),
    hidden("masked-by-hard-link", "Makes a hard link to it, and reads that.", by_hard_link),
    hidden("masked-by-rename", "Renames it, and reads it by the new name.", by_rename),
    hidden(
        "masked-by-renamed-directory",
        "Renames the directory above a hidden file, and reads it there.",
        by_renamed_directory,
    ),
    hidden("masked-by-lower-layer", "Reads it in the directories that the mounts are made of.", by_layers),
];

pub(crate) const CLASSES: &[Class] = &[class(
    "hidden-files",
    1,
    &[
        "masked-by-root",
        "masked-by-symlink",
        "masked-by-hard-link",
        "masked-by-rename",
        "masked-by-renamed-directory",
        "masked-by-lower-layer",
    ],
)];

const fn hidden(id: &'static str, sentence: &'static str, run: Run) -> Attempt {
    Attempt::forbidden(id, sentence, "attacks 1", run)
        .of(Radius::Credential)
        .needs(&[Plant::Workspace, Plant::Canary])
}

fn hidden_file(plants: &Plants) -> Result<String, PlantError> {
    Ok(format!("{}/.env", plants.text(Plant::Workspace)?))
}

fn beside(plants: &Plants, name: &str) -> Result<String, PlantError> {
    Ok(format!("{}/plain-{name}-{}", plants.text(Plant::Workspace)?, std::process::id()))
}

fn by_symlink(plants: &Plants) -> Result<Finding, PlantError> {
    let link = scratch_name(plants, "masked");
    let made = fs::symlink(hidden_file(plants)?.as_str(), link.as_str());
    let found = match made {
        Ok(()) => secrets::read(plants, &link)?,
        Err(errno) => not_made(&link, errno),
    };
    fs::unlink(link.as_str()).ok();
    Ok(found)
}

fn by_hard_link(plants: &Plants) -> Result<Finding, PlantError> {
    let (file, link) = (hidden_file(plants)?, beside(plants, "link")?);
    let found = match fs::link(file.as_str(), link.as_str()) {
        Ok(()) => secrets::read(plants, &link)?,
        Err(errno) => not_made(&link, errno),
    };
    fs::unlink(link.as_str()).ok();
    Ok(found)
}

fn by_rename(plants: &Plants) -> Result<Finding, PlantError> {
    moved(plants, &hidden_file(plants)?, "")
}

fn by_renamed_directory(plants: &Plants) -> Result<Finding, PlantError> {
    moved(plants, &format!("{}/nested", plants.text(Plant::Workspace)?), "/.env")
}

/// A mount point is busy for whoever may rename it.
fn moved(plants: &Plants, from: &str, below: &str) -> Result<Finding, PlantError> {
    let to = beside(plants, "moved")?;
    Ok(match fs::rename(from, to.as_str()) {
        Ok(()) => {
            let found = secrets::read(plants, &format!("{to}{below}"))?;
            fs::rename(to.as_str(), from).ok();
            found
        }
        Err(rustix::io::Errno::BUSY) => Finding::Held(format!("{from}: EBUSY, something is mounted on it")),
        Err(errno) => not_made(&to, errno),
    })
}

/// What can't be made says nothing about what it was to lead to, unless the way to that is what is refused.
fn not_made(path: &str, errno: rustix::io::Errno) -> Finding {
    match errno {
        rustix::io::Errno::ROFS => Finding::Inconclusive(format!("{path}: EROFS, it can't be made")),
        other => Gate::PATH.judge::<()>(path, Err(other)),
    }
}

/// The workspace itself is the first: outside of an enclosure nothing is mounted over it.
fn by_layers(plants: &Plants) -> Result<Finding, PlantError> {
    let mounts = match proc::read_text("/proc/self/mountinfo") {
        Ok(mounts) => mounts,
        failed @ Err(_) => return Ok(Gate::PATH.judge("/proc/self/mountinfo", failed)),
    };
    let workspace = plants.text(Plant::Workspace)?.to_owned();
    let options = mounts.split([' ', ',', '\n']).filter_map(|word| {
        let value = word.strip_prefix("lowerdir=").or_else(|| word.strip_prefix("lowerdir+="));
        value.or_else(|| word.strip_prefix("upperdir="))
    });
    let layers = options.flat_map(|value| value.split(':')).filter(|layer| layer.starts_with('/'));
    let directories = std::iter::once(workspace).chain(layers.map(str::to_owned));
    let found: Result<Vec<_>, _> =
        directories.map(|directory| secrets::read(plants, &format!("{directory}/.env"))).collect();
    found.map(Finding::strongest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_nothing_hides_is_read_by_each_name_and_stays() {
        let workspace = std::env::temp_dir().join(format!("probe-masked-{}", std::process::id()));
        std::fs::create_dir_all(workspace.join("nested")).unwrap();
        std::fs::write(workspace.join(".env"), "CANARY").unwrap();
        std::fs::write(workspace.join("nested/.env"), "CANARY").unwrap();
        let mut plants = Plants::default();
        plants.add("workspace", workspace.to_str().unwrap()).unwrap();
        plants.add("canary", "CANARY").unwrap();
        for attempt in ATTEMPTS {
            let found = attempt.find(&plants);
            assert!(matches!(found, Finding::Reached(_)), "{}: {found:?}", attempt.id);
        }
        let mut left = proc::names(workspace.to_str().unwrap()).unwrap();
        left.sort();
        assert_eq!(left, [".env", "nested"]);
        std::fs::remove_dir_all(workspace).unwrap();
    }
}
