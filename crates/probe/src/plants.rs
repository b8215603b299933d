//! Plants: what a test outside has prepared (a canary file, a listening socket, a pid), by name.
//!
//! An attempt without its plant is inconclusive, never held. No plant has a default that could point at
//! something of the owner's: without `init-pid`, say, nothing touches pid 1.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use rustix::process::Pid;

/// What a topic puts on the host's side before a run, and takes away after it. It knows the host's paths by the plants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Planting {
    /// Puts it there. It never overwrites anything.
    pub(crate) plant: fn(&Plants) -> std::io::Result<()>,
    /// Takes away what `plant` put where no scratch directory is removed whole, and what attempts made there.
    pub(crate) tidy: fn(&Plants) -> std::io::Result<()>,
}

/// The name of something prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Plant {
    /// A file of the owner's outside the workspace, holding the canary.
    OutsideFile,
    /// The directory of that file.
    OutsideDir,
    /// The text that stands in the planted file, in the secret holder's environment and memory, and in what
    /// the planted listeners say. It must occur nowhere else.
    Canary,
    /// The pid to take for the enclosure's pid 1: `1` inside, a holder's pid in a positive control.
    InitPid,
    /// The pid, outside, of `control hold-secret`.
    OutsidePid,
    /// The path of a stream socket that `control serve-unix` listens on.
    UnixStream,
    /// The path of the datagram socket beside it.
    UnixDatagram,
    /// The abstract name that `control serve-abstract` listens on.
    AbstractName,
    /// The path of a FIFO that has a reader outside.
    Fifo,
    /// The port that `control serve-tcp` listens on, on the host's loopback.
    HostPort,
    /// An address, with port, that nothing must reach; a documentation address if not given.
    OutsideAddress,
    /// The host's name.
    HostName,
    /// The host's machine id.
    MachineId,
    /// A file planted in the host's `/tmp`.
    TmpCanary,
    /// What the links in `/proc/self/ns` say outside, separated by spaces.
    HostNamespaces,
    /// A directory that may be written inside; `/tmp` if not given.
    Scratch,
    /// The workspace, where writing must work.
    Workspace,
    /// A set-user-id-root copy of this program.
    SetuidProbe,
    /// Where the attempt to fork without end stops.
    CapProcesses,
    /// Where the attempt to make threads without end stops.
    CapThreads,
    /// Where the attempt to take memory without end stops, in MiB.
    CapMemoryMib,
    /// Where the attempt to open files without end stops.
    CapOpenFiles,
    /// Where the attempt to fill the disk stops, in MiB.
    CapDiskMib,
    /// Where the attempt to use up inodes stops.
    CapInodes,
    /// Where the attempt to leave signals pending without end stops.
    CapSignals,
    /// Where the attempt to make watchers of files without end stops.
    CapWatchers,
    /// Where the attempt to watch files without end stops.
    CapWatches,
    /// Where the attempt to open terminals without end stops.
    CapTerminals,
    /// The owner's home directory.
    Home,
    /// A name that nothing of the owner's has; all that is made outside of the scratch directory bears it.
    Tag,
    /// A directory of the owner's outside of the workspace and below the home; it is removed whole afterwards.
    ScratchOutside,
    /// The port of a UDP socket on the host's loopback, which notes what it gets and answers with the canary.
    UdpPort,
    /// An address of the host's that is not its loopback; listeners are there too. Absent where the host has none.
    HostAddress,
    /// The port of an HTTP/1.1 origin on the host's loopback; it notes each request whole and answers with it.
    OriginPort,
    /// The name by which the planted grant names that origin; granted are GET and HEAD below `/open/`, without a query.
    OriginHost,
    /// The name by which another planted grant names that origin: as a model's endpoint in Anthropic's interface, of which
    /// inference is granted and nothing else.
    ModelHost,
    /// A file in the workspace of another session, holding the canary; the host's path.
    Neighbour,
    /// The ledger's file, or a stand-in that holds the canary; the host's path.
    LedgerFile,
    /// The file of the secret store, or a stand-in that holds the canary; the host's path.
    SecretStore,
    /// The path of a stand-in for an ssh agent; SSH_AUTH_SOCK names it outside.
    AgentSocket,
    /// The path of a stand-in for the session bus; DBUS_SESSION_BUS_ADDRESS names it outside.
    BusSocket,
    /// The path of a stand-in for a container engine's socket; DOCKER_HOST names it outside.
    EngineSocket,
    /// The variable that holds what the planted grant exchanges for the secret; where nothing is exchanged, the secret.
    HandleVariable,
    /// The names of the variables that the authority passes on, separated by spaces: they are declared by themselves.
    GivenVariables,
    /// Set where nothing encloses who tries, on the scene of the controls.
    Unenclosed,
    /// The secret itself. It is kept from whoever runs inside.
    Secret,
}

/// Every plant.
pub(crate) const ALL: [Plant; 46] = [
    Plant::OutsideFile,
    Plant::OutsideDir,
    Plant::Canary,
    Plant::InitPid,
    Plant::OutsidePid,
    Plant::UnixStream,
    Plant::UnixDatagram,
    Plant::AbstractName,
    Plant::Fifo,
    Plant::HostPort,
    Plant::OutsideAddress,
    Plant::HostName,
    Plant::MachineId,
    Plant::TmpCanary,
    Plant::HostNamespaces,
    Plant::Scratch,
    Plant::Workspace,
    Plant::SetuidProbe,
    Plant::CapProcesses,
    Plant::CapThreads,
    Plant::CapMemoryMib,
    Plant::CapOpenFiles,
    Plant::CapDiskMib,
    Plant::CapInodes,
    Plant::CapSignals,
    Plant::CapWatchers,
    Plant::CapWatches,
    Plant::CapTerminals,
    Plant::Home,
    Plant::Tag,
    Plant::ScratchOutside,
    Plant::UdpPort,
    Plant::HostAddress,
    Plant::OriginPort,
    Plant::OriginHost,
    Plant::ModelHost,
    Plant::Neighbour,
    Plant::LedgerFile,
    Plant::SecretStore,
    Plant::AgentSocket,
    Plant::BusSocket,
    Plant::EngineSocket,
    Plant::HandleVariable,
    Plant::Secret,
    Plant::GivenVariables,
    Plant::Unenclosed,
];

/// The prefix of plants given by the environment: `COFFERDAM_PROBE_OUTSIDE_FILE`.
const ENVIRONMENT_PREFIX: &str = "COFFERDAM_PROBE_";

impl Plant {
    /// The name in `--plants` files, on the command line and in `list`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::OutsideFile => "outside-file",
            Self::OutsideDir => "outside-dir",
            Self::Canary => "canary",
            Self::InitPid => "init-pid",
            Self::OutsidePid => "outside-pid",
            Self::UnixStream => "unix-stream",
            Self::UnixDatagram => "unix-datagram",
            Self::AbstractName => "abstract-name",
            Self::Fifo => "fifo",
            Self::HostPort => "host-port",
            Self::OutsideAddress => "outside-address",
            Self::HostName => "host-name",
            Self::MachineId => "machine-id",
            Self::TmpCanary => "tmp-canary",
            Self::HostNamespaces => "host-namespaces",
            Self::Scratch => "scratch",
            Self::Workspace => "workspace",
            Self::SetuidProbe => "setuid-probe",
            Self::CapProcesses => "cap-processes",
            Self::CapThreads => "cap-threads",
            Self::CapMemoryMib => "cap-memory-mib",
            Self::CapOpenFiles => "cap-open-files",
            Self::CapDiskMib => "cap-disk-mib",
            Self::CapInodes => "cap-inodes",
            Self::CapSignals => "cap-signals",
            Self::CapWatchers => "cap-watchers",
            Self::CapWatches => "cap-watches",
            Self::CapTerminals => "cap-terminals",
            Self::Home => "home",
            Self::Tag => "tag",
            Self::ScratchOutside => "scratch-outside",
            Self::UdpPort => "udp-port",
            Self::HostAddress => "host-address",
            Self::OriginPort => "origin-port",
            Self::OriginHost => "origin-host",
            Self::ModelHost => "model-host",
            Self::Neighbour => "neighbour",
            Self::LedgerFile => "ledger-file",
            Self::SecretStore => "secret-store",
            Self::AgentSocket => "agent-socket",
            Self::BusSocket => "bus-socket",
            Self::EngineSocket => "engine-socket",
            Self::HandleVariable => "handle-variable",
            Self::Secret => "secret",
            Self::GivenVariables => "given-variables",
            Self::Unenclosed => "unenclosed",
        }
    }

    fn in_environment(self) -> String {
        format!("{ENVIRONMENT_PREFIX}{}", self.name().to_ascii_uppercase().replace('-', "_"))
    }
}

/// Why plants cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlantError {
    /// Nobody prepared it.
    #[error("the plant {} was not given", .0.name())]
    Missing(Plant),
    /// It does not have the form that its name asks for.
    #[error("the plant {} is malformed: {value:?}", .plant.name())]
    Malformed {
        /// Which one.
        plant: Plant,
        /// What was given.
        value: String,
    },
    /// A name that no plant has.
    #[error("there is no plant named {0:?}")]
    Unknown(String),
    /// Not a map of strings.
    #[error("cannot read the plants as a JSON map of strings")]
    NotAMap(#[source] serde_json::Error),
}

/// The plants given.
#[derive(Debug, Default, Clone)]
pub(crate) struct Plants {
    planted: BTreeMap<Plant, String>,
    /// The attempt that these are given to; its marks bear its id.
    attempt: &'static str,
}

impl Plants {
    /// Takes those that the environment holds.
    pub(crate) fn from_environment(environment: &[(OsString, OsString)]) -> Self {
        let mut plants = Self::default();
        for plant in ALL {
            let name = plant.in_environment();
            let given = environment.iter().find(|(key, _)| key.to_str() == Some(name.as_str()));
            if let Some(value) = given.and_then(|(_, value)| value.to_str()) {
                plants.planted.insert(plant, value.to_owned());
            }
        }
        plants
    }

    /// Takes those of a JSON map of strings, over what was there.
    pub(crate) fn add_json(&mut self, text: &str) -> Result<(), PlantError> {
        let map: BTreeMap<String, String> = serde_json::from_str(text).map_err(PlantError::NotAMap)?;
        map.iter().try_for_each(|(name, value)| self.add(name, value))
    }

    /// Takes one.
    pub(crate) fn add(&mut self, name: &str, value: &str) -> Result<(), PlantError> {
        let plant = ALL.into_iter().find(|plant| plant.name() == name);
        let plant = plant.ok_or_else(|| PlantError::Unknown(name.to_owned()))?;
        self.planted.insert(plant, value.to_owned());
        Ok(())
    }

    /// The plants as `NAME=VALUE`, for a child's command line.
    pub(crate) fn as_arguments(&self) -> impl Iterator<Item = String> {
        self.planted.iter().map(|(plant, value)| format!("{}={value}", plant.name()))
    }

    /// Whether the environment variable named `key` is a plant, and so no secret that was inherited.
    pub(crate) fn is_variable(key: &str) -> bool {
        key.starts_with(ENVIRONMENT_PREFIX)
    }

    /// Sets one.
    pub(crate) fn set(&mut self, plant: Plant, value: String) {
        self.planted.insert(plant, value);
    }

    /// These for the attempt `id`.
    pub(crate) fn of(&self, id: &'static str) -> Self {
        Self { planted: self.planted.clone(), attempt: id }
    }

    /// The id of the attempt that these are for.
    pub(crate) const fn attempt(&self) -> &'static str {
        self.attempt
    }

    /// These without one.
    pub(crate) fn without(mut self, plant: Plant) -> Self {
        self.planted.remove(&plant);
        self
    }

    /// What the inside is told of, as a JSON map of strings: everything but the secret.
    pub(crate) fn for_inside(&self) -> String {
        let told = |(plant, value): (&Plant, &'_ String)| (plant.name(), value.clone());
        let map: BTreeMap<&str, String> =
            self.planted.iter().filter(|(plant, _)| **plant != Plant::Secret).map(told).collect();
        serde_json::to_string(&map).unwrap_or_default()
    }

    /// A plant as text.
    pub(crate) fn text(&self, plant: Plant) -> Result<&str, PlantError> {
        self.planted.get(&plant).map(String::as_str).ok_or(PlantError::Missing(plant))
    }

    /// A plant as a number.
    pub(crate) fn number(&self, plant: Plant) -> Result<u64, PlantError> {
        let text = self.text(plant)?;
        text.parse().map_err(|_not_a_number| PlantError::Malformed { plant, value: text.to_owned() })
    }

    /// A plant as a port.
    pub(crate) fn port(&self, plant: Plant) -> Result<u16, PlantError> {
        let text = self.text(plant)?;
        text.parse().map_err(|_not_a_port| PlantError::Malformed { plant, value: text.to_owned() })
    }

    /// A plant as a pid.
    pub(crate) fn pid(&self, plant: Plant) -> Result<Pid, PlantError> {
        let text = self.text(plant)?;
        let pid = text.parse().ok().filter(|pid| *pid > 0).and_then(Pid::from_raw);
        pid.ok_or_else(|| PlantError::Malformed { plant, value: text.to_owned() })
    }

    /// The names of the variables that the authority passes on.
    pub(crate) fn given_variables(&self) -> Vec<&str> {
        self.text(Plant::GivenVariables).unwrap_or_default().split_ascii_whitespace().collect()
    }

    /// Whether the workspace that was planted is no longer there.
    pub(crate) fn has_lost_its_scene(&self) -> bool {
        self.text(Plant::Workspace).is_ok_and(|workspace| !Path::new(workspace).is_dir())
    }

    /// The directory that attempts may write to and clean again.
    pub(crate) fn scratch(&self) -> &str {
        self.text(Plant::Scratch).unwrap_or("/tmp")
    }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<_> = ALL.iter().map(|plant| plant.name()).collect();
        assert_eq!(names.len(), ALL.len());
    }

    #[test]
    fn an_unknown_plant_is_refused() {
        let mut plants = Plants::default();
        assert!(matches!(plants.add_json(r#"{"outside-fil": "x"}"#), Err(PlantError::Unknown(_))));
        assert!(matches!(plants.add_json(r#"{"canary": 1}"#), Err(PlantError::NotAMap(_))));
    }

    #[test]
    fn a_missing_or_malformed_plant_says_which() {
        let mut plants = Plants::default();
        assert_eq!(plants.pid(Plant::InitPid).unwrap_err().to_string(), "the plant init-pid was not given");
        plants.add("init-pid", "-1").unwrap();
        assert!(plants.pid(Plant::InitPid).unwrap_err().to_string().contains("malformed"));
    }

    #[test]
    fn the_environment_gives_plants() {
        let environment = [("COFFERDAM_PROBE_OUTSIDE_FILE".into(), "/x".into())];
        assert_eq!(Plants::from_environment(&environment).text(Plant::OutsideFile).unwrap(), "/x");
    }
}
