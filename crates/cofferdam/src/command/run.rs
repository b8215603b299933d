//! `cofferdam run`: a new session, from its start to the summary of what it changed.

use super::progress::Progress;
use super::summary;
use crate::arguments::{AuthorityArguments, RunArguments};
use crate::output::Output;
use cofferdam_policy::net::allow::{AllowEntry, AllowError};
use cofferdam_policy::net::grant::GrantOrigin;
use cofferdam_policy::presets::limits::Limit;
use cofferdam_policy::wish::Wish;
use cofferdam_session::context::Context;
use cofferdam_session::error::{Error, ErrorKind};
use cofferdam_session::launcher::Launcher;
use cofferdam_session::request::RunRequest;
use cofferdam_session::start::{self, News, StartOptions};

pub(super) fn run(
    context: &Context,
    output: &Output,
    ahead: Option<Launcher>,
    arguments: RunArguments,
) -> Result<u8, Error> {
    let RunArguments { detach, rm: remove, ask, .. } = arguments;
    let options = StartOptions { detach, remove, ask, streams: output.streams() };
    let request =
        RunRequest { name: arguments.name, command: arguments.command, ..request(arguments.authority)? };
    let progress = Progress::new(output);
    let told = |news: News<'_>| summary::tell(output, &options, &progress, news);
    let started = start::run(context, ahead, &request, options, &told, &mut |files, bytes| {
        progress.show_copied(files, bytes)
    })?;
    drop(progress);
    summary::started(output, started)
}

/// The flags as a request.
pub(super) fn request(arguments: AuthorityArguments) -> Result<RunRequest, Error> {
    let limits: Result<Vec<Limit>, _> = arguments.limits.iter().map(|text| text.parse()).collect();
    let limits = limits.map_err(|error| {
        Error::new(ErrorKind::Usage, "cannot set the limit")
            .because(error)
            .hint("write --limit memory=4G, processes=500, cpu=1.5, files=1024, tmp=1G or time=30m")
    })?;
    let mut wish = Wish {
        mounts: arguments.mounts,
        environment: arguments.environment,
        masks: arguments.masks,
        instructions: arguments.instructions,
        agent_homes: arguments.agent_homes,
        tools: arguments.tools,
        profiles: arguments.profiles,
        limits,
        publish: arguments.publish,
        ..Wish::default()
    };
    for text in &arguments.allow {
        match AllowEntry::parse(text, GrantOrigin::Flag).map_err(|error| no_grant(text, error))? {
            AllowEntry::Grant(grant) => wish.grants.push(*grant),
            AllowEntry::Set(name) => wish.sets.push(name),
        }
    }
    Ok(RunRequest {
        workspaces: arguments.workspaces,
        wish,
        dangerous_environment: arguments.dangerous_env,
        copy: arguments.copy,
        policy: arguments.policy,
        ..RunRequest::default()
    })
}

fn no_grant(text: &str, error: AllowError) -> Error {
    Error::new(ErrorKind::Usage, format!("cannot allow `{text}`"))
        .because(error)
        .hint("write --allow 'GET,POST host:443/path/** credential=NAME up=10MB', or the name of a set")
}
