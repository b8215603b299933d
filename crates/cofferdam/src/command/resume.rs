//! `cofferdam resume`: a stopped session goes on, on the same changes and home.

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
    let options = StartOptions { detach: arguments.detach, remove: false, streams: output.streams() };
    let mut progress = summary::Progress::new(output);
    let told = |news: News<'_>| summary::tell(output, &options, news);
    let started =
        start::resume(context, &record, &arguments.command, options, &told, &mut |files, bytes| {
            progress.show(files, bytes);
        })?;
    summary::started(output, started)
}
