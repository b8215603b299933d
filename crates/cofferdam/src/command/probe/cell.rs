//! Our own cell as an enclosure: real sessions, with the authority that the flags give, and one grant of the probe's own.
//!
//! The sessions are started by this very program, as a person would; what is declared comes from the same resolution of
//! the flags that a start makes. Sessions and the planted secret are taken away afterwards.

use super::super::run::request;
use crate::arguments::{AuthorityArguments, ProbeArguments};
use cofferdam_policy::authority::{Access, Authority};
use cofferdam_policy::net::credential::VarName;
use cofferdam_probe::Enclosed;
use cofferdam_probe::outside::{CollectError, CommandLine, Declared, Enclosure, Scene};
use cofferdam_session::context::Context;
use cofferdam_session::error::{Error, ErrorKind};
use cofferdam_session::machine::Machine;
use cofferdam_session::policies::Policies;
use cofferdam_session::resolve;
use cofferdam_session::sessions;
use cofferdam_session::state::State;
use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the planted grant lets out.
const GRANTED_UP: &str = "128kB";
/// The variable in which the credential of the planted grant is looked for.
const HANDLE: &str = "PLANTED_HANDLE";

/// Why nothing was measured.
#[derive(Debug)]
pub(super) enum Failed {
    /// One of our own parts could not do its part.
    Session(Error),
    /// The collector could not.
    Collect(CollectError),
}

impl From<CollectError> for Failed {
    fn from(error: CollectError) -> Self {
        Self::Collect(error)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Session(error)
    }
}

impl Failed {
    /// As the owner reads it.
    pub(super) fn told(self) -> Error {
        match self {
            Self::Session(error) => error,
            Self::Collect(error) => {
                let kind = if error.is_of_the_words() { ErrorKind::Usage } else { ErrorKind::Command };
                let hint = error.what_to_do();
                Error::new(kind, "cannot measure").because(error).hint(hint)
            }
        }
    }
}

/// Our own cell.
pub(super) struct Cell<'c> {
    context: &'c Context,
    arguments: ProbeArguments,
    /// What the owner typed.
    asked: Vec<OsString>,
    authority: Option<Authority>,
    sessions: RefCell<Vec<String>>,
    is_granted: bool,
    /// Where the sessions' state and settings are, if apart from the owner's.
    apart: Vec<(OsString, OsString)>,
}

impl<'c> Cell<'c> {
    pub(super) fn new(context: &'c Context, arguments: ProbeArguments) -> Result<Self, Error> {
        let asked = flags(&arguments.authority);
        let (authority, sessions) = (None, RefCell::default());
        Ok(Self { context, arguments, asked, authority, sessions, is_granted: false, apart: Vec::new() })
    }

    /// The policy of the directory in which this is called holds, as it would for `run`.
    fn find_policy(&mut self) -> Result<(), Error> {
        if self.arguments.authority.policy.is_none() {
            let asked = request(self.arguments.authority.clone())?;
            let directory = resolve::first_workspace(self.context, &asked)?;
            let found = Policies::of(self.context).find(&directory)?;
            self.arguments.authority.policy = found.map(|found| found.path);
        }
        Ok(())
    }

    /// What the flags come to, with the scene's work directory as the first one.
    fn resolved(&self, scene: &Scene) -> Result<Authority, Error> {
        let mut authority = self.arguments.authority.clone();
        authority.workspaces.insert(0, scene.workspace());
        let context = self.context_apart()?;
        let state = State::open(&context)?;
        Ok(resolve::resolve(&context, &state, &Machine::look(), &request(authority)?)?.authority)
    }

    /// The owner's context, with the state and settings of the probe's sessions.
    fn context_apart(&self) -> Result<Context, Error> {
        let mut environment = self.context.environment.clone();
        environment.extend(self.apart.iter().cloned());
        let context = Context::new(environment, self.context.current.clone(), self.context.now)?;
        Ok(Context { program: self.context.program.clone(), ..context })
    }

    /// Whether sets are named: what they come to lies in the owner's state.
    fn names_sets(&self) -> Result<bool, Error> {
        let asked = request(self.arguments.authority.clone())?;
        let policies = Policies::of(self.context);
        let policy = asked.policy.as_deref().map(|path| policies.read(path, &[])).transpose()?;
        Ok(!asked.wish.sets.is_empty() || policy.is_some_and(|policy| !policy.wish.sets.is_empty()))
    }

    /// Keeps the sessions of the probe out of the owner's list, and its secret out of the owner's store.
    fn set_apart(&mut self, scene: &Scene) {
        let place = |name: &str| scene.scratch().join(name).into_os_string();
        self.apart =
            vec![("XDG_STATE_HOME".into(), place("state")), ("XDG_CONFIG_HOME".into(), place("config"))];
    }

    /// Grants a little of the planted origin, and inference at a model's endpoint that it plays; with a credential
    /// where that has a store of its own, and no policy of the owner's has the say.
    fn plant_grant(&mut self, scene: &mut Scene, may_keep_secret: bool) -> Result<(), Error> {
        let (host, port) = (format!("origin-{}.test", scene.tag()), scene.origin_port());
        let grant =
            format!("GET,HEAD http://{host}:{port}/open/** query=deny up={GRANTED_UP} address=127.0.0.1");
        let model_host = format!("model-{}.test", scene.tag());
        let model = format!("POST http://{model_host}:{port}/v1/** model=anthropic address=127.0.0.1");
        scene.grant_origin(&host);
        scene.grant_model(&model_host);
        self.is_granted = true;
        if !may_keep_secret || self.arguments.authority.policy.is_some() {
            self.arguments.authority.allow.extend([grant, model]);
            return Ok(());
        }
        let secret = format!("probe-{}", scene.tag());
        let value = format!("sk-{}-of-the-probe", scene.tag());
        let policy = format!(
            "allow = [\"{grant} credential=probe\", \"{model} credential=probe\"]\n[credential.probe]\nsecret = \"{secret}\"\n\
             place = \"header:Authorization: Bearer {{}}\"\nenvironment = [\"{HANDLE}\"]\n"
        );
        let (kept, file) = (scene.scratch().join("value"), scene.scratch().join("policy.toml"));
        let written = std::fs::write(&kept, &value).and_then(|()| std::fs::write(&file, policy));
        written.map_err(|error| Error::new(ErrorKind::State, "cannot plant a grant").because(error))?;
        let from = format!("file:{}", kept.display());
        self.cofferdam(scene, ["secret", "add", &secret, "--from", &from], "cannot plant a secret")?;
        scene.bind_secret(HANDLE, &value);
        self.arguments.authority.policy = Some(file);
        Ok(())
    }

    /// Has another session, with a workspace of its own, whose layer, whose record and whose secrets are gone for.
    fn settle_neighbour(&self, scene: &mut Scene) -> Result<(), Error> {
        const ACT: &str = "cannot plant another session";
        let workspace = scene.scratch().join("neighbour");
        let failed = |error: std::io::Error| Error::new(ErrorKind::State, ACT).because(error);
        std::fs::create_dir(&workspace).map_err(failed)?;
        let (name, text) = (self.name(scene), format!("printf %s {} > note", scene.canary()));
        let flags = [OsStr::new("run"), OsStr::new("--name"), OsStr::new(&name), OsStr::new("--workspace")];
        let words = flags.into_iter().chain([workspace.as_os_str()]);
        self.cofferdam(scene, words.chain(["--", "sh", "-c", &text].map(OsStr::new)), ACT)?;
        let context = self.context_apart()?;
        let state = State::open(&context)?;
        let record = sessions::find(&context, &state, Some(&name))?;
        let note = find_file(state.session(&record.id).root(), "note", DEPTH_MAX);
        let ledger = find_file(&context.state.as_path().join("ledger"), "ledger.db", DEPTH_MAX);
        let key = find_file(context.config.as_path(), "secrets.key", DEPTH_MAX);
        let (Some(note), Some(ledger)) = (note, ledger) else {
            return Err(Error::new(ErrorKind::Internal, ACT).since("what it wrote is not where it is kept"));
        };
        scene.keep(&note, &ledger, key.as_deref());
        Ok(())
    }

    /// A name that no session has yet.
    fn name(&self, scene: &Scene) -> String {
        let mut names = self.sessions.borrow_mut();
        let name = format!("probe-{}-{}", scene.tag(), names.len() + 1);
        names.push(name.clone());
        name
    }

    /// Runs this very program, and says what it complained of.
    fn cofferdam<A: AsRef<OsStr>>(
        &self,
        scene: &Scene,
        words: impl IntoIterator<Item = A>,
        act: &str,
    ) -> Result<(), Error> {
        let mut command = Command::new(&self.context.program);
        command.args(words).env_clear().envs(&self.context.environment).stdin(Stdio::null());
        command.envs(self.apart.iter().map(|(name, value)| (name, value)));
        let ran = scene
            .watched(&mut command)
            .map_err(|error| Error::new(ErrorKind::Internal, act.to_owned()).because(error))?;
        if ran.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&ran.stderr).trim().to_owned();
        Err(Error::new(ErrorKind::Internal, act.to_owned())
            .since(said)
            .hint("look at: cofferdam ls, cofferdam secret ls"))
    }
}

impl Enclosure for Cell<'_> {
    type Error = Failed;

    fn enclosed(&self) -> Enclosed {
        let mut command = vec!["cofferdam run --workspace {workspace}".to_owned()];
        command.extend(self.asked.iter().map(|flag| flag.to_string_lossy().into_owned()));
        if self.is_granted {
            command.push("[and the planted grants]".to_owned());
        }
        command.push("-- {}".to_owned());
        Enclosed {
            name: "cofferdam".to_owned(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            command: command.join(" "),
        }
    }

    fn prepare(&mut self, scene: &mut Scene) -> Result<(), Failed> {
        self.find_policy()?;
        let authority = self.resolved(scene)?;
        let takes_from_owner = !authority.credentials.is_empty() || self.names_sets()?;
        if !takes_from_owner {
            self.set_apart(scene);
        }
        if !self.arguments.no_planted_grant {
            self.plant_grant(scene, !takes_from_owner)?;
        }
        if !takes_from_owner {
            self.settle_neighbour(scene)?;
        }
        let authority = self.resolved(scene)?;
        let handles = authority.credentials.iter().flat_map(|credential| &credential.environment);
        let given = authority.environment.keys().map(String::as_str);
        scene.give_variables(given.chain(handles.map(VarName::as_str)));
        self.authority = Some(authority);
        Ok(())
    }

    fn command(&self, scene: &Scene, inner: &[OsString]) -> CommandLine {
        let mut arguments: Vec<OsString> = vec!["run".into(), "--name".into(), self.name(scene).into()];
        arguments.extend(["--workspace".into(), scene.workspace().into_os_string()]);
        arguments.extend(flags(&self.arguments.authority));
        arguments.push("--".into());
        arguments.extend(inner.iter().cloned());
        CommandLine {
            program: self.context.program.clone().into_os_string(),
            arguments,
            variables: self.apart.clone(),
        }
    }

    fn declared(&self) -> Declared {
        let Some(authority) = &self.authority else { return Declared::default() };
        let shown = authority.mounts.iter().map(|mount| PathBuf::from(mount.source.as_path()));
        let files = authority.home_files.iter().map(|file| PathBuf::from(file.source.as_path()));
        let copies = authority.mounts.iter().filter(|mount| mount.access == Access::Cow);
        Declared {
            copied: copies.map(|mount| PathBuf::from(mount.source.as_path())).collect(),
            shown: shown.chain(files).collect(),
            given: authority.environment.keys().cloned().collect(),
            has_planted_grant: self.is_granted,
        }
    }

    fn finish(&mut self, scene: &Scene) -> Result<(), Failed> {
        for name in self.sessions.take() {
            self.cofferdam(scene, ["discard", "-f", &name], "cannot discard a session of the probe")?;
        }
        Ok(())
    }
}

/// How deep a session's own directories are, above what its program wrote.
const DEPTH_MAX: usize = 12;

/// The first file of this name below `directory`.
fn find_file(directory: &Path, name: &str, depth_max: usize) -> Option<PathBuf> {
    let entries: Vec<_> = std::fs::read_dir(directory).ok()?.flatten().collect();
    let of_name = entries.iter().find(|entry| entry.file_name() == name && entry.path().is_file());
    if let Some(found) = of_name {
        return Some(found.path());
    }
    let deeper = depth_max.checked_sub(1)?;
    let directories = entries.iter().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    directories.map(std::fs::DirEntry::path).find_map(|below| find_file(&below, name, deeper))
}

/// The flags as they were given. One that is new and missing here does not compile.
fn flags(authority: &AuthorityArguments) -> Vec<OsString> {
    let AuthorityArguments {
        workspaces,
        mounts,
        environment,
        dangerous_env,
        masks,
        instructions,
        agent_homes,
        tools,
        profiles,
        limits,
        allow,
        publish,
        copy,
        policy,
    } = authority;
    let paths = |paths: &[PathBuf]| paths.iter().cloned().map(PathBuf::into_os_string).collect();
    let texts = |texts: &[String]| texts.iter().map(OsString::from).collect();
    let valued: [(&str, Vec<OsString>); 13] = [
        ("--workspace", paths(workspaces)),
        ("--mount", texts(mounts)),
        ("--env", texts(environment)),
        ("--dangerous-env", texts(dangerous_env)),
        ("--mask", texts(masks)),
        ("--instructions", texts(instructions)),
        ("--agent-home", texts(agent_homes)),
        ("--tools", texts(tools)),
        ("--profile", texts(profiles)),
        ("--limit", texts(limits)),
        ("--allow", texts(allow)),
        ("--publish", publish.iter().map(|port| port.to_string().into()).collect()),
        ("--policy", policy.iter().cloned().map(PathBuf::into_os_string).collect()),
    ];
    let flags = valued
        .into_iter()
        .flat_map(|(name, values)| values.into_iter().flat_map(move |value| [OsString::from(name), value]));
    flags.chain(copy.then(|| "--copy".into())).collect()
}
