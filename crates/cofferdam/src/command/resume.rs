//! `cofferdam resume`: a stopped session goes on, on the same changes and home.

use super::progress::Progress;
use super::summary;
use crate::arguments::ResumeArguments;
use crate::output::Output;
use cofferdam_session::context::Context;
use cofferdam_session::error::Error;
use cofferdam_session::start::{self, News, StartOptions};
use cofferdam_session::state::State;

pub(super) fn resume(context: &Context, output: &Output, arguments: &ResumeArguments) -> Result<u8, Error> {
    let state = State::open(context)?;
    let record = super::find(context, &state, output, arguments.session.as_deref())?;
    let ResumeArguments { detach, ask, .. } = *arguments;
    let options = StartOptions { detach, remove: false, ask, streams: output.streams() };
    let progress = Progress::new(output);
    let told = |news: News<'_>| summary::tell(output, &options, &progress, news);
    let started =
        start::resume(context, &record, &arguments.command, options, &told, &mut |files, bytes| {
            progress.show_copied(files, bytes);
        })?;
    drop(progress);
    summary::started(output, started)
}
