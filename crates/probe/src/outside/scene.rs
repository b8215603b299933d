//! A scene: a work directory, things of the owner's around it, and the listeners; everything that attempts go for.
//!
//! It lies below the owner's home, as work does. What must lie elsewhere bears the scene's tag. All of it is taken away
//! when the scene is left, however that happens.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use rustix::process::{Resource, getrlimit};

use crate::catalog;
use crate::inside::proc;
use crate::outside::janitor::{self, Janitor};
use crate::outside::listeners::{Contacts, Listener, own_address};
use crate::outside::{confidant, origin, process};
use crate::plants::{Plant, Plants};

/// The beginning of all names that a scene makes.
const NAME: &str = "cofferdam-probe";
/// How long a tag is, in bytes before they are written in hexadecimal digits.
const TAG_BYTES: usize = 6;
/// Where in the work directory the program and its plants lie.
const OWN_DIRECTORY: &str = ".probe";

/// Everything that attempts go for.
#[derive(Debug)]
pub struct Scene {
    tag: String,
    home: PathBuf,
    scratch: PathBuf,
    plants: Plants,
    contacts: Contacts,
    holder: Option<Child>,
    janitor: Option<Janitor>,
}

impl Scene {
    /// Sets the scene below `home`; `program` is this very program, or one that holds it.
    ///
    /// # Errors
    /// Something could not be made; what was made is taken away again.
    pub(crate) fn set(home: &Path, program: &Path) -> io::Result<Self> {
        let tag = tag()?;
        let scratch = home.join(format!(".{NAME}-{tag}"));
        directory(&scratch)?;
        let mut scene = Self {
            tag,
            home: home.to_owned(),
            scratch,
            plants: Plants::default(),
            contacts: Contacts::default(),
            holder: None,
            janitor: None,
        };
        scene.janitor = Some(Janitor::start(program, &scene.scratch, &scene.tag)?);
        scene.make_directories(program)?;
        scene.make_files()?;
        scene.listen()?;
        scene.hold()?;
        scene.name_the_host();
        if let Some(janitor) = &scene.janitor {
            janitor.learn(&scene.plants);
        }
        for planting in catalog::PLANTINGS {
            (planting.plant)(&scene.plants)?;
        }
        Ok(scene)
    }

    /// The word that is in the name of everything outside of the scratch directory.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The directory that holds the scene.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// The work directory, in which the probe is started.
    #[must_use]
    pub fn workspace(&self) -> PathBuf {
        workspace(&self.scratch)
    }

    /// Things of the owner's that are none of the work's.
    #[must_use]
    pub fn outside(&self) -> PathBuf {
        self.scratch.join("outside")
    }

    /// The owner's home.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Says that the enclosure grants GET and HEAD below `/open/` of the planted origin, by this name.
    pub fn grant_origin(&mut self, name: &str) {
        self.plant(Plant::OriginHost, name);
    }

    /// Says that the enclosure grants inference at the planted origin, as a model's endpoint of this name.
    pub fn grant_model(&mut self, name: &str) {
        self.plant(Plant::ModelHost, name);
    }

    /// Says that the grant has a credential, for which programs look in the variable of this name: the secret is there
    /// for whoever starts the enclosure, and what is exchanged for it is there inside.
    pub fn bind_secret(&mut self, variable: &str, secret: &str) {
        self.plant(Plant::HandleVariable, variable);
        self.plant(Plant::Secret, secret);
    }

    /// The text that is nowhere but in what is planted.
    #[must_use]
    pub fn canary(&self) -> &str {
        self.plants.text(Plant::Canary).unwrap_or_default()
    }

    /// Says where another session's file lies on the host, which must hold the canary, and where its enclosure keeps its
    /// record and its secrets: in place of stand-ins, which an enclosure that has no such things gets.
    pub fn keep(&mut self, neighbour: &Path, record: &Path, secrets: Option<&Path>) {
        self.plant(Plant::Neighbour, told(neighbour));
        self.plant(Plant::LedgerFile, told(record));
        if let Some(secrets) = secrets {
            self.plant(Plant::SecretStore, told(secrets));
        }
    }

    /// Grants what `other` does: what is inapplicable on one scene is so on both.
    pub(crate) fn grant_as(&mut self, other: &Self) {
        for plant in [Plant::OriginHost, Plant::ModelHost, Plant::HandleVariable, Plant::Secret] {
            if let Ok(value) = other.plants.text(plant) {
                self.plant(plant, value.to_owned());
            }
        }
    }

    /// The port of the planted origin, on the host's loopback.
    #[must_use]
    pub fn origin_port(&self) -> &str {
        self.plants.text(Plant::OriginPort).unwrap_or_default()
    }

    /// Plants one thing more, or another one in its place.
    pub(crate) fn plant(&mut self, plant: Plant, value: impl Into<String>) {
        self.plants.set(plant, value.into());
    }

    pub(crate) fn plants(&self) -> &Plants {
        &self.plants
    }

    pub(crate) fn contacts(&self) -> &Contacts {
        &self.contacts
    }

    /// Says which variables the authority passes on: attempts on what is inherited don't count them.
    pub fn give_variables<'v>(&mut self, names: impl Iterator<Item = &'v str>) {
        self.plant(Plant::GivenVariables, names.collect::<Vec<_>>().join(" "));
    }

    /// Runs a command to its end, for an enclosure that makes itself ready: it is ended with the scene.
    ///
    /// # Errors
    /// It can't be started or waited for.
    pub fn watched(&self, command: &mut Command) -> io::Result<Output> {
        let child = command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let group = child.id();
        if let Some(janitor) = &self.janitor {
            janitor.watch(group);
        }
        let output = child.wait_with_output();
        if let Some(janitor) = &self.janitor {
            janitor.forget(group);
        }
        output
    }

    /// Whether the process that holds the secret has ended.
    pub(crate) fn is_holder_gone(&self) -> bool {
        self.holder.as_ref().is_some_and(process::has_ended)
    }

    /// Who takes the scene away.
    pub(crate) fn janitor(&self) -> Option<&Janitor> {
        self.janitor.as_ref()
    }

    /// The program as it is called inside.
    pub(crate) fn program(&self) -> PathBuf {
        let [program, _] = programs(&self.scratch);
        program
    }

    /// The file of the plants that the inside is told of.
    pub(crate) fn plants_file(&self) -> PathBuf {
        self.workspace().join(OWN_DIRECTORY).join("plants.json")
    }

    /// Writes the plants that the inside is told of.
    pub(crate) fn write_plants(&self) -> io::Result<()> {
        fs::write(self.plants_file(), self.plants.for_inside())
    }

    /// What is in the environment of whoever starts the enclosure, besides what was there: secrets, and where agents,
    /// buses and engines are to be found.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let text = |plant| self.plants.text(plant).unwrap_or_default().to_owned();
        [
            ("AWS_SECRET_ACCESS_KEY", text(Plant::Canary)),
            ("GITHUB_TOKEN", text(Plant::Canary)),
            ("SSH_AUTH_SOCK", text(Plant::AgentSocket)),
            ("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", text(Plant::BusSocket))),
            ("DOCKER_HOST", format!("unix://{}", text(Plant::EngineSocket))),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .chain(
            self.plants.text(Plant::HandleVariable).ok().map(|name| (name.to_owned(), text(Plant::Secret))),
        )
        .collect()
    }

    fn make_directories(&mut self, program: &Path) -> io::Result<()> {
        let (workspace, outside) = (self.workspace(), self.outside());
        let own = workspace.join(OWN_DIRECTORY);
        let scratch = own.join("scratch");
        for path in [&workspace, &outside, &own, &scratch] {
            directory(path)?;
        }
        self.plants.set(Plant::Scratch, told(&scratch));
        fs::copy(program, self.program())?;
        fs::set_permissions(self.program(), fs::Permissions::from_mode(0o755))?;
        let [_, set_user_id] = programs(&self.scratch);
        fs::copy(program, &set_user_id)?;
        fs::set_permissions(&set_user_id, fs::Permissions::from_mode(0o4755))?;
        self.plants.set(Plant::SetuidProbe, told(&set_user_id));
        self.plants.set(Plant::Workspace, told(&workspace));
        self.plants.set(Plant::ScratchOutside, told(&outside));
        self.plants.set(Plant::OutsideDir, told(&outside));
        self.plants.set(Plant::Home, told(&self.home));
        self.plants.set(Plant::Tag, self.tag.clone());
        repository(&workspace)
    }

    fn make_files(&mut self) -> io::Result<()> {
        let canary = format!("canary-{}", tag()?);
        let outside = self.outside();
        let stand_ins = [
            (Plant::OutsideFile, "secret"),
            (Plant::Neighbour, "neighbour"),
            (Plant::LedgerFile, "ledger"),
            (Plant::SecretStore, "secret-store"),
        ];
        for (plant, name) in stand_ins {
            let path = outside.join(name);
            file(&path, canary.as_bytes())?;
            self.plants.set(plant, told(&path));
        }
        let in_tmp = janitor::in_tmp(&self.tag);
        file(&in_tmp, canary.as_bytes())?;
        self.plants.set(Plant::TmpCanary, told(&in_tmp));
        self.plants.set(Plant::Canary, canary);
        Ok(())
    }

    fn listen(&mut self) -> io::Result<()> {
        let canary = self.plants.text(Plant::Canary).unwrap_or_default().to_owned();
        let of = |plant| Listener { plant, canary: canary.clone(), contacts: self.contacts.clone() };
        let outside = self.outside();
        let mut found = Vec::new();
        let stream = outside.join("stream.sock");
        of(Plant::UnixStream).at_path(&stream)?;
        found.push((Plant::UnixStream, told(&stream)));
        for (plant, name) in [
            (Plant::AgentSocket, "agent.sock"),
            (Plant::BusSocket, "bus.sock"),
            (Plant::EngineSocket, "engine.sock"),
        ] {
            let path = outside.join(name);
            self.serve_confidant(plant, &path, &canary)?;
            found.push((plant, told(&path)));
        }
        let (datagram, fifo) = (outside.join("datagram.sock"), outside.join("fifo"));
        of(Plant::UnixDatagram).datagrams_at_path(&datagram)?;
        of(Plant::Fifo).fifo(&fifo)?;
        let name = format!("{NAME}-{}", self.tag);
        of(Plant::AbstractName).at_abstract(&name)?;
        found.extend([
            (Plant::UnixDatagram, told(&datagram)),
            (Plant::Fifo, told(&fifo)),
            (Plant::AbstractName, name),
        ]);
        let address = own_address();
        found.push((Plant::HostPort, of(Plant::HostPort).tcp(address)?.to_string()));
        found.push((Plant::UdpPort, of(Plant::UdpPort).udp(address)?.to_string()));
        found.push((Plant::OriginPort, self.serve_origin()?.to_string()));
        found.extend(address.map(|address| (Plant::HostAddress, address.to_string())));
        for (plant, value) in found {
            self.plants.set(plant, value);
        }
        Ok(())
    }

    fn serve_confidant(&self, plant: Plant, path: &Path, canary: &str) -> io::Result<()> {
        let (listener, contacts, words) =
            (UnixListener::bind(path)?, self.contacts.clone(), canary.to_owned());
        thread::spawn(move || confidant::serve(listener, &words, move |bytes| contacts.note(plant, bytes)));
        Ok(())
    }

    fn serve_origin(&self) -> io::Result<u16> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (port, contacts) = (listener.local_addr()?.port(), self.contacts.clone());
        thread::spawn(move || origin::serve(listener, move |bytes| contacts.note(Plant::OriginPort, bytes)));
        Ok(port)
    }

    /// Starts a process that holds the canary in its environment, on its command line and in its memory. It stands for
    /// the first process where there is no other to take for it.
    fn hold(&mut self) -> io::Result<()> {
        let canary = self.plants.text(Plant::Canary).unwrap_or_default();
        let mut command = Command::new(self.program());
        command.args(["control", "hold-secret", &format!("canary={canary}")]);
        let mut holder =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut ready = String::new();
        if let Some(output) = holder.stdout.take() {
            BufReader::new(output).read_line(&mut ready)?;
        }
        self.plants.set(Plant::OutsidePid, holder.id().to_string());
        self.plants.set(Plant::InitPid, holder.id().to_string());
        self.holder = Some(holder);
        Ok(())
    }

    fn name_the_host(&mut self) {
        let line = |path: &str| fs::read_to_string(path).map(|text| text.trim().to_owned()).ok();
        let found = [
            (Plant::HostName, line("/proc/sys/kernel/hostname")),
            (Plant::MachineId, line("/etc/machine-id")),
            (Plant::HostNamespaces, Some(proc::own_namespaces())),
            (Plant::CapSignals, getrlimit(Resource::Sigpending).current.map(share_of)),
        ];
        for (plant, value) in found {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                self.plants.set(plant, value);
            }
        }
    }

    fn leave(&mut self) {
        if let Some(mut holder) = self.holder.take() {
            holder.kill().ok();
            holder.wait().ok();
        }
        let is_done = self.janitor.take().is_some_and(|janitor| janitor.finish().is_ok());
        if !is_done || self.scratch.exists() {
            janitor::tidy(&self.scratch, &self.tag, &self.plants);
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.leave();
    }
}

fn workspace(scratch: &Path) -> PathBuf {
    scratch.join("project")
}

/// The programs of the scene in `scratch`: the probe, and a copy of it that has the set-user-id bit.
pub(crate) fn programs(scratch: &Path) -> [PathBuf; 2] {
    let own = workspace(scratch).join(OWN_DIRECTORY);
    [own.join(NAME), own.join("set-user-id")]
}

/// A share of what there is for all processes of a user together: so much that the others would notice, and so little
/// that two scenes at once have it.
fn share_of(all: u64) -> String {
    (all / 3).to_string()
}

fn tag() -> io::Result<String> {
    let mut bytes = [0; TAG_BYTES];
    rustix::rand::getrandom(&mut bytes[..], rustix::rand::GetRandomFlags::empty())?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        write!(text, "{byte:02x}").ok();
        text
    }))
}

fn told(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(path)
}

fn file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    File::options().write(true).create_new(true).mode(0o600).open(path)?.write_all(bytes)
}

/// A repository with one commit. Where git is not installed it is empty, and what git itself would have to do with it is
/// inapplicable.
fn repository(workspace: &Path) -> io::Result<()> {
    fs::write(workspace.join("README"), "A project of no use but to be destroyed.\n")?;
    fs::write(workspace.join(".gitignore"), "ignored/\n")?;
    let commit = [
        "-c",
        "user.name=owner",
        "-c",
        "user.email=owner@localhost",
        "commit",
        "--quiet",
        "--message",
        "first",
    ];
    let init = ["-c", "init.defaultBranch=main", "init", "--quiet", "--template="];
    for words in [&init[..], &["add", "README", ".gitignore"], &commit] {
        let mut git = Command::new("git");
        // Nothing of the owner's: no settings or templates, and no GIT_DIR that would lead to another repository.
        git.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        git.envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")]);
        git.arg("-C").arg(workspace).args(words);
        // A missing git is no failure: what depends on it says so.
        git.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().ok();
    }
    let repository = workspace.join(".git");
    if !repository.is_dir() {
        ["", "objects", "refs"].iter().try_for_each(|name| directory(&repository.join(name)))?;
        file(&repository.join("HEAD"), b"ref: refs/heads/main\n")?;
        file(&repository.join("config"), b"[core]\n\trepositoryformatversion = 0\n")?;
    }
    Ok(())
}
