//! `cofferdam logs`: what a session's program printed, made harmless for a terminal; byte by byte only if asked to.

use crate::arguments::LogsArguments;
use crate::output::Output;
use cofferdam_session::context::Context;
use cofferdam_session::error::{Error, ErrorKind};
use cofferdam_session::sessions::{self, Following};
use cofferdam_session::state::State;
use cofferdam_session::terminal::{Filter, Medium};
use std::fs::File;
use std::io::{ErrorKind as IoKind, IsTerminal as _, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

const PORTION_BYTES: usize = 64 << 10;

pub(super) fn logs(context: &Context, output: &Output, asked: &LogsArguments) -> Result<u8, Error> {
    let LogsArguments { followed: asked, raw } = asked;
    if *raw && (output.json || std::io::stdout().is_terminal()) {
        return Err(Error::new(ErrorKind::Usage, "cannot print the raw log here")
            .since("it can steer a terminal, and need not be text")
            .hint("send it to a file: cofferdam logs --raw > FILE"));
    }
    if output.json && asked.follow {
        return Err(Error::new(ErrorKind::Usage, "cannot follow as JSON what a program prints")
            .since("it would be one object, which ends only with the session")
            .hint("leave out --json, or follow what happens: cofferdam events -f --json"));
    }
    let state = State::open(context)?;
    let record = super::find(context, &state, output, asked.session.as_deref())?;
    let [former, log] = sessions::logs(&state, &record);
    let mut tails = [Tail::of(former), Tail::of(log)];
    if output.json {
        let mut text = Vec::new();
        for tail in &mut tails {
            tail.read(&mut |bytes| {
                text.extend_from_slice(bytes);
                true
            })?;
        }
        output.object(&serde_json::json!({
            "session": record.name.as_str(), "output": String::from_utf8_lossy(&text)
        }))?;
        return Ok(0);
    }
    output.say_chosen();
    // Also into a pipe: what comes next in it (`tail`, a pager) may well print to a terminal.
    let mut filter = (!raw).then(|| Filter::new(Medium::Pipe));
    let mut print = |bytes: &[u8]| {
        let mut shown = Vec::new();
        match &mut filter {
            Some(filter) => filter.feed(bytes, &mut shown),
            None => shown.extend_from_slice(bytes),
        }
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(&shown).and_then(|()| stdout.flush()).is_ok()
    };
    let mut following = Following::of(record);
    let [former, log] = &mut tails;
    let mut is_read = former.read(&mut print)?;
    loop {
        // Asked first: what was printed before the end is shown, too.
        let goes_on = asked.follow && following.goes_on(context, &state)?;
        is_read = is_read && log.read(&mut print)?;
        if !goes_on || !is_read {
            return Ok(0);
        }
        following.wait();
    }
}

/// A file that grows, and that a new one of the same name may take the place of.
struct Tail {
    path: PathBuf,
    file: Option<File>,
}

impl Tail {
    fn of(path: PathBuf) -> Self {
        Self { path, file: None }
    }

    /// All that has come since the last time; `false` if nobody takes it any more.
    fn read(&mut self, take: &mut dyn FnMut(&[u8]) -> bool) -> Result<bool, Error> {
        let cannot = |error: std::io::Error| {
            Error::new(ErrorKind::State, "cannot read the session's log")
                .because(error)
                .hint("cofferdam doctor")
        };
        loop {
            // Before it is read to its end: what is written to it until it is replaced is not missed.
            let newer = newer(&self.path, self.file.as_ref()).map_err(cannot)?;
            if let Some(file) = &mut self.file
                && !drain(file, take).map_err(cannot)?
            {
                return Ok(false);
            }
            match newer {
                Some(newer) => self.file = Some(newer),
                None => return Ok(true),
            }
        }
    }
}

/// The file of this name, if it is another than the one that is open.
fn newer(path: &Path, open: Option<&File>) -> std::io::Result<Option<File>> {
    let found = match File::open(path) {
        Ok(found) => found,
        Err(error) if error.kind() == IoKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(open) = open else { return Ok(Some(found)) };
    let is_same = open.metadata()?.ino() == found.metadata()?.ino();
    Ok((!is_same).then_some(found))
}

fn drain(file: &mut File, take: &mut dyn FnMut(&[u8]) -> bool) -> std::io::Result<bool> {
    let mut portion = vec![0_u8; PORTION_BYTES];
    loop {
        let read = file.read(&mut portion)?;
        let bytes = portion.get(..read).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(true);
        }
        if !take(bytes) {
            return Ok(false);
        }
    }
}
