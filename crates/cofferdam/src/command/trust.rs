//! `cofferdam trust` and `untrust`: accepting, by digest, what a repository asks for.

use super::table::wrapped;
use crate::arguments::{DirectoryArguments, TrustArguments};
use crate::output::{Output, Tone, toned, whole};
use cofferdam_session::context::Context;
use cofferdam_session::error::{Error, ErrorKind};
use cofferdam_session::machine::Machine;
use cofferdam_session::request::RunRequest;
use cofferdam_session::resolve;
use cofferdam_session::state::State;
use cofferdam_session::trust::{self, Request, Standing};
use std::path::{Path, PathBuf};

pub(super) fn trust(context: &Context, output: &Output, arguments: &TrustArguments) -> Result<u8, Error> {
    let state = State::open(context)?;
    let directory = directory(context, arguments.directory.as_deref())?;
    let request = trust::read_request(&directory)?.ok_or_else(|| {
        Error::new(ErrorKind::Policy, format!("cannot trust {}", directory.display()))
            .since(format!("it asks for nothing: there is no {}", trust::REQUEST_FILE))
            .hint("write your own policy for it: cofferdam init")
    })?;
    let ledger = state.ledger()?;
    let standing = trust::standing(&ledger, &directory, Some(&request))?;
    let (widened, notes) = widened(context, &state, &directory, &request)?;
    if standing == Standing::Accepted {
        report(output, &directory, &request, &widened, true)?;
        output.line("accepted already");
        return Ok(0);
    }
    if arguments.digest.as_deref().is_some_and(|digest| digest != request.digest) {
        return Err(Error::new(ErrorKind::Policy, "cannot accept the request")
            .since(format!("its digest is {}", request.digest))
            .hint("look at what it asks for: cofferdam trust"));
    }
    show(context, output, &directory, &request, &widened);
    for note in &notes {
        let lines = wrapped("  note: ", 8, note, output.columns);
        lines.iter().for_each(|line| output.line(&toned(Tone::Dim, line)));
    }
    if arguments.digest.is_none() && !output.confirm("accept exactly this?") {
        return Err(Error::new(ErrorKind::Declined, "the request was not accepted")
            .since("nobody said yes")
            .hint(format!(
                "off a terminal, name what you saw: cofferdam trust --digest {}",
                request.digest
            )));
    }
    trust::accept(&ledger, &directory, &request, (context.now)())?;
    report(output, &directory, &request, &widened, true)?;
    output.line(&toned(Tone::Good, "accepted; it counts from the next session on"));
    Ok(0)
}

pub(super) fn untrust(
    context: &Context,
    output: &Output,
    arguments: &DirectoryArguments,
) -> Result<u8, Error> {
    let state = State::open(context)?;
    let directory = directory(context, arguments.directory.as_deref())?;
    let withdrawn = trust::withdraw(&*state.ledger()?, &directory)?;
    output
        .object(&serde_json::json!({ "directory": directory.to_string_lossy(), "withdrawn": withdrawn }))?;
    output.line(if withdrawn { "withdrawn; it counts for nothing now" } else { "nothing was accepted here" });
    Ok(0)
}

/// Every item of authority that the request adds to the owner's own policy, and what there is to know about it.
fn widened(
    context: &Context,
    state: &State,
    directory: &Path,
    request: &Request,
) -> Result<(Vec<String>, Vec<String>), Error> {
    let machine = Machine::look();
    let own = RunRequest { workspaces: vec![directory.to_owned()], ..RunRequest::default() };
    let asked = RunRequest { accepting: Some(request.wish.clone()), ..own.clone() };
    let before = resolve::resolve(context, state, &machine, &own)?.authority;
    let after = resolve::resolve(context, state, &machine, &asked)?;
    Ok((after.authority.beyond(&before).into_iter().collect(), after.notes))
}

fn show(context: &Context, output: &Output, directory: &Path, request: &Request, widened: &[String]) {
    output.line(&format!("{} asks for:", toned(Tone::Strong, &directory.display().to_string())));
    for item in widened {
        let lines = wrapped("  + ", 6, &whole(item.as_bytes()), output.columns);
        lines.iter().for_each(|line| output.line(line));
    }
    if widened.is_empty() {
        output.line("  nothing beyond your own policy");
    }
    for entry in request.remaining(context, directory, widened) {
        let lines = wrapped("    ", 6, &entry, output.columns);
        lines.iter().for_each(|line| output.line(&toned(Tone::Dim, line)));
    }
    output.line(&toned(Tone::Dim, &format!("  digest {}", request.digest)));
}

fn report(
    output: &Output,
    directory: &Path,
    request: &Request,
    widened: &[String],
    accepted: bool,
) -> Result<(), Error> {
    output.object(&serde_json::json!({
        "directory": directory.to_string_lossy(), "digest": request.digest, "widens": widened, "accepted": accepted,
    }))
}

/// The top of the repository, as `run` would find it.
fn directory(context: &Context, named: Option<&Path>) -> Result<PathBuf, Error> {
    let request = RunRequest {
        workspaces: named.iter().map(|path| path.to_path_buf()).collect(),
        ..RunRequest::default()
    };
    resolve::first_workspace(context, &request)
}
