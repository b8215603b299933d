//! `cofferdam init`: a commented policy for this directory, on the owner's side.

use crate::arguments::InitArguments;
use crate::output::{Output, Tone, toned};
use cofferdam_session::context::Context;
use cofferdam_session::error::Error;
use cofferdam_session::init;
use cofferdam_session::request::RunRequest;
use cofferdam_session::resolve;
use cofferdam_session::terminal::visible;

pub(super) fn init(context: &Context, output: &Output, arguments: &InitArguments) -> Result<u8, Error> {
    let workspaces = arguments.directory.iter().cloned().collect();
    let directory = resolve::first_workspace(context, &RunRequest { workspaces, ..RunRequest::default() })?;
    let plan = init::plan(context, &directory)?;
    if !arguments.dry_run {
        init::write(&plan, arguments.overwrite)?;
    }
    output.object(&serde_json::json!({
        "path": plan.path.to_string_lossy(), "text": plan.text, "written": !arguments.dry_run,
    }))?;
    if arguments.dry_run {
        output.line(plan.text.trim_end());
        return Ok(0);
    }
    output.line(&format!("wrote {}", toned(Tone::Strong, &plan.path.display().to_string())));
    for found in &plan.found {
        let text = format!("{}: {}", found.name, found.reason);
        output.line(&toned(Tone::Dim, &format!("  {}", visible(text.as_bytes()))));
    }
    output.line(&toned(Tone::Dim, "see what it amounts to: cofferdam explain"));
    Ok(0)
}
