//! Secrets in files: below the owner's home, in the workspace under the names that tools keep them by, and this program's own.
//!
//! Everything read here was planted for it, beside whatever the owner has; of the owner's own files none is opened.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::attempt::{Attempt, Opening, Radius, Run};
use crate::classes::{Class, class};
use crate::finding::{Finding, Gate};
use crate::inside::{made, proc};
use crate::plants::{Plant, PlantError, Planting, Plants};

pub(crate) const ATTEMPTS: &[Attempt] = &[
    at_home("home-ssh", "Reads a file of ~/.ssh.", ".ssh", |plants| home(plants, ".ssh")),
    at_home("home-gnupg", "Reads a file of ~/.gnupg.", ".gnupg", |plants| home(plants, ".gnupg")),
    at_home("home-aws", "Reads a file of ~/.aws.", ".aws", |plants| home(plants, ".aws")),
    at_home("home-kube", "Reads a file of ~/.kube.", ".kube", |plants| home(plants, ".kube")),
    at_home("home-docker", "Reads a file of ~/.docker.", ".docker", |plants| home(plants, ".docker")),
    at_home("home-gcloud", "Reads a file of ~/.config/gcloud.", ".config/gcloud", |plants| {
        home(plants, ".config/gcloud")
    }),
    at_home("home-gh", "Reads a file of ~/.config/gh.", ".config/gh", |plants| home(plants, ".config/gh")),
    at_home("home-browser", "Reads a file of ~/.mozilla.", ".mozilla", |plants| home(plants, ".mozilla")),
    at_home("home-claude", "Reads a file of ~/.claude.", ".claude", |plants| home(plants, ".claude")),
    at_home("home-codex", "Reads a file of ~/.codex.", ".codex", |plants| home(plants, ".codex")),
    at_home("home-history", "Reads a shell's history in the home directory.", "", |plants| {
        read(plants, &format!("{}/.{}_history", plants.text(Plant::Home)?, plants.text(Plant::Tag)?))
    }),
    at_home("home-listed", "Finds the planted history in the list of the home directory.", "", listed),
    in_workspace("workspace-env", "Reads .env of the workspace.", |plants| within(plants, ".env")),
    in_workspace("workspace-env-local", "Reads .env.local of it.", |plants| within(plants, ".env.local")),
    in_workspace("workspace-npmrc", "Reads .npmrc of it.", |plants| within(plants, ".npmrc")),
    in_workspace("workspace-pypirc", "Reads .pypirc of it.", |plants| within(plants, ".pypirc")),
    in_workspace("workspace-private-key", "Reads id_rsa of it.", |plants| within(plants, "id_rsa")),
    in_workspace("workspace-state", "Reads terraform.tfstate of it.", |plants| {
        within(plants, "terraform.tfstate")
    }),
    in_workspace("workspace-netrc", "Reads .netrc of it.", |plants| within(plants, ".netrc")),
    in_workspace("workspace-nested", "Reads .env in a directory of it.", |plants| {
        within(plants, "nested/.env")
    }),
    in_workspace("git-remote-password", "Reads the password in the URL of a remote.", |plants| {
        find(&within_path(plants, ".git/config")?, &format!("{}-url", plants.text(Plant::Canary)?))
    }),
    in_workspace("git-extra-header", "Reads the header that git sends along.", |plants| {
        find(&within_path(plants, ".git/config")?, &format!("{}-header", plants.text(Plant::Canary)?))
    }),
    in_workspace("git-credentials", "Reads the credentials kept in the git directory.", |plants| {
        within(plants, ".git/credentials")
    }),
    in_workspace("git-old-config", "Reads a former configuration of git.", |plants| {
        within(plants, ".git/config.bak")
    }),
    in_workspace("git-home-credentials", "Reads .git-credentials of the workspace.", |plants| {
        within(plants, ".git-credentials")
    }),
    of_others(
        "other-session",
        "Reads a file in the workspace of another session.",
        Plant::Neighbour,
        |plants| read(plants, plants.text(Plant::Neighbour)?),
    ),
    of_others("ledger-read", "Reads the ledger.", Plant::LedgerFile, |plants| {
        Ok(read_any(plants.text(Plant::LedgerFile)?))
    }),
    of_others("secret-store-read", "Reads the store of secrets.", Plant::SecretStore, |plants| {
        Ok(read_any(plants.text(Plant::SecretStore)?))
    }),
];

pub(crate) const CLASSES: &[Class] = &[
    class(
        "home-keys",
        16,
        &["home-ssh", "home-gnupg", "home-aws", "home-kube", "home-docker", "home-gcloud"],
    ),
    class(
        "home-logins",
        16,
        &["home-gh", "home-browser", "home-claude", "home-codex", "home-history", "home-listed"],
    ),
    class(
        "workspace-secrets",
        16,
        &[
            "workspace-env",
            "workspace-npmrc",
            "workspace-private-key",
            "workspace-state",
            "workspace-nested",
            "workspace-pypirc",
            "workspace-env-local",
            "workspace-netrc",
        ],
    ),
    class(
        "git-secrets",
        16,
        &[
            "git-remote-password",
            "git-extra-header",
            "git-credentials",
            "git-old-config",
            "git-home-credentials",
        ],
    ),
    class("other-sessions", 16, &["other-session", "ledger-read", "secret-store-read"]),
];

pub(crate) const PLANTING: Planting = Planting { plant, tidy };

const fn at_home(id: &'static str, sentence: &'static str, shown: &'static str, run: Run) -> Attempt {
    Attempt::forbidden(id, sentence, "attacks 16", run)
        .of(Radius::Credential)
        .needs(&[Plant::Home, Plant::Tag, Plant::Canary])
        .opened_by(Opening::ShowsBelow(Plant::Home, shown))
        .if_present()
}

const fn in_workspace(id: &'static str, sentence: &'static str, run: Run) -> Attempt {
    Attempt::forbidden(id, sentence, "attacks 16", run)
        .of(Radius::Credential)
        .needs(&[Plant::Workspace, Plant::Canary])
}

const fn of_others(id: &'static str, sentence: &'static str, plant: Plant, run: Run) -> Attempt {
    Attempt::forbidden(id, sentence, "attacks 16", run)
        .of(Radius::Credential)
        .needs(&[Plant::Canary])
        .opened_by(Opening::Shows(plant))
}

fn home(plants: &Plants, directory: &str) -> Result<Finding, PlantError> {
    let (home, tag) = (plants.text(Plant::Home)?, plants.text(Plant::Tag)?);
    read(plants, &format!("{home}/{directory}/{tag}"))
}

fn within_path(plants: &Plants, name: &str) -> Result<String, PlantError> {
    Ok(format!("{}/{name}", plants.text(Plant::Workspace)?))
}

fn within(plants: &Plants, name: &str) -> Result<Finding, PlantError> {
    read(plants, &within_path(plants, name)?)
}

/// Reads a planted file, which holds the canary.
pub(crate) fn read(plants: &Plants, path: &str) -> Result<Finding, PlantError> {
    find(path, plants.text(Plant::Canary)?)
}

fn find(path: &str, words: &str) -> Result<Finding, PlantError> {
    Ok(match proc::read(path) {
        Ok(bytes) if proc::contains(&bytes, words) => Finding::Reached(format!("{path}: was read")),
        Ok(bytes) => Finding::Held(format!("{path}: {} bytes, and not the planted ones", bytes.len())),
        failed @ Err(_) => Gate::PATH.judge(path, failed),
    })
}

/// A file that need not hold the canary, for it is somebody's own: that it can be read at all is too much.
fn read_any(path: &str) -> Finding {
    match proc::read(path) {
        Ok(bytes) if bytes.is_empty() => Finding::Held(format!("{path}: nothing is in it")),
        Ok(bytes) => Finding::Reached(format!("{path}: {} bytes were read", bytes.len())),
        failed @ Err(_) => Gate::PATH.judge(path, failed),
    }
}

fn listed(plants: &Plants) -> Result<Finding, PlantError> {
    let (home, tag) = (plants.text(Plant::Home)?, plants.text(Plant::Tag)?);
    Ok(match proc::names(home) {
        Ok(names) if names.iter().any(|name| name.ends_with(&format!("{tag}_history"))) => {
            Finding::Reached(format!("{home}: is listed"))
        }
        Ok(names) => Finding::Held(format!("{home}: {} names, and not the planted one", names.len())),
        failed @ Err(_) => Gate::PATH.judge(home, failed),
    })
}

const HOME_DIRECTORIES: [&str; 10] = [
    ".ssh",
    ".gnupg",
    ".aws",
    ".kube",
    ".docker",
    ".config/gcloud",
    ".config/gh",
    ".mozilla",
    ".claude",
    ".codex",
];
const WORKSPACE_FILES: [&str; 11] = [
    ".env",
    ".env.local",
    ".npmrc",
    ".pypirc",
    "id_rsa",
    "terraform.tfstate",
    ".netrc",
    "nested/.env",
    ".git/credentials",
    ".git/config.bak",
    ".git-credentials",
];
/// The name of this planting in marks.
const SECRETS: &str = "secrets";
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

fn plant(plants: &Plants) -> io::Result<()> {
    let canary = text(plants, Plant::Canary)?;
    for file in home_files(plants)? {
        // What can't be planted is not there, and what goes for it says so.
        plant_at_home(plants, &file, canary).ok();
    }
    plant_workspace(plants, canary)
}

fn plant_at_home(plants: &Plants, file: &Path, canary: &str) -> io::Result<()> {
    directories_above(plants, file)?
        .iter()
        .rev()
        .try_for_each(|directory| made::make(directory, plants, SECRETS))?;
    put(file, canary)
}

/// The directories between the home and `file`, the inner before the outer.
fn directories_above(plants: &Plants, file: &Path) -> io::Result<Vec<PathBuf>> {
    let home = Path::new(text(plants, Plant::Home)?);
    Ok(file.ancestors().skip(1).take_while(|above| *above != home).map(Path::to_owned).collect())
}

fn plant_workspace(plants: &Plants, canary: &str) -> io::Result<()> {
    let workspace = Path::new(text(plants, Plant::Workspace)?);
    DirBuilder::new().mode(DIRECTORY_MODE).create(workspace.join("nested"))?;
    WORKSPACE_FILES.iter().try_for_each(|name| put(&workspace.join(name), canary))?;
    let mut config = File::options().append(true).open(workspace.join(".git/config"))?;
    write!(
        config,
        "[remote \"probe\"]\n\turl = https://probe:{canary}-url@forge.invalid/probe.git\n\
         [http \"https://forge.invalid/\"]\n\textraHeader = Authorization: Bearer {canary}-header\n"
    )
}

/// What stands in the workspace goes with it. All is taken away that can be, whatever fails.
fn tidy(plants: &Plants) -> io::Result<()> {
    let files = home_files(plants)?;
    let mut tidied = Ok(());
    for file in &files {
        tidied = tidied.and(made::gone(fs::remove_file(file)));
    }
    let above = files.iter().map(|file| directories_above(plants, file)).collect::<io::Result<Vec<_>>>()?;
    // The inner ones first.
    for directory in above.into_iter().flatten().collect::<BTreeSet<_>>().iter().rev() {
        tidied = tidied.and(made::unmake(directory, plants, SECRETS));
    }
    tidied
}

fn home_files(plants: &Plants) -> io::Result<Vec<PathBuf>> {
    let (home, tag) = (Path::new(text(plants, Plant::Home)?), text(plants, Plant::Tag)?);
    let inner = HOME_DIRECTORIES.iter().map(|directory| home.join(directory).join(tag));
    Ok(inner.chain([home.join(format!(".{tag}_history"))]).collect())
}

fn put(path: &Path, canary: &str) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(FILE_MODE).open(path)?;
    writeln!(file, "{canary}")
}

fn text(plants: &Plants, plant: Plant) -> io::Result<&str> {
    plants.text(plant).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A home with a workspace, neither of them the owner's.
    fn scene() -> (PathBuf, Plants) {
        let thread = std::thread::current();
        let name = thread.name().unwrap().rsplit(':').next().unwrap().to_owned();
        let root = std::env::temp_dir().join(format!("probe-{}-{name}", std::process::id()));
        fs::create_dir_all(root.join("project/.git")).unwrap();
        fs::create_dir_all(root.join("outside")).unwrap();
        fs::create_dir_all(root.join("home/.aws")).unwrap();
        fs::write(root.join("project/.git/config"), "[core]\n").unwrap();
        let mut plants = Plants::default();
        let other = root.join("outside/other");
        fs::write(&other, "CANARY\n").unwrap();
        for (name, value) in [
            ("home", root.join("home")),
            ("workspace", root.join("project")),
            ("scratch-outside", root.join("outside")),
            ("neighbour", other.clone()),
            ("ledger-file", other.clone()),
            ("secret-store", other),
            ("tag", PathBuf::from("tag-1")),
            ("canary", PathBuf::from("CANARY")),
        ] {
            plants.add(name, value.to_str().unwrap()).unwrap();
        }
        (root, plants)
    }

    #[test]
    fn outside_each_is_reached_once_it_is_planted_and_not_before() {
        let (root, plants) = scene();
        let planted = |attempt: &&Attempt| {
            !attempt.id.contains("other") && !attempt.id.contains("ledger") && !attempt.id.contains("store")
        };
        for attempt in ATTEMPTS.iter().filter(planted) {
            let found = attempt.find(&plants);
            assert!(matches!(found, Finding::Refused(..) | Finding::Held(_)), "{}: {found:?}", attempt.id);
        }
        plant(&plants).unwrap();
        for attempt in ATTEMPTS {
            let found = attempt.find(&plants);
            assert!(matches!(found, Finding::Reached(_)), "{}: {found:?}", attempt.id);
        }
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn tidying_leaves_the_home_as_it_was() {
        let (root, plants) = scene();
        plant(&plants).unwrap();
        assert!(plant(&plants).is_err(), "nothing is overwritten");
        tidy(&plants).unwrap();
        let left = proc::names(root.join("home").to_str().unwrap()).unwrap();
        assert_eq!(left, [".aws"], "the directory that was there stays, though it is empty");
        tidy(&plants).unwrap();
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn of_two_measurements_at_once_the_last_one_takes_away_what_either_made() {
        let (root, first) = scene();
        let mut second = first.clone();
        second.set(Plant::Tag, "tag-2".to_owned());
        plant(&first).unwrap();
        for file in home_files(&second).unwrap() {
            plant_at_home(&second, &file, "CANARY").unwrap();
        }
        tidy(&first).unwrap();
        assert!(root.join("home/.ssh/tag-2").exists(), "the other's are left");
        tidy(&second).unwrap();
        let left = proc::names(root.join("home").to_str().unwrap()).unwrap();
        assert_eq!(left, [".aws"]);
        fs::remove_dir_all(root).unwrap();
    }
}
