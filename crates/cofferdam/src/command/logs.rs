//! `cofferdam logs`: what a session's program printed, made harmless for a terminal.

use crate::output::Output;
use cofferdam_session::context::Context;
use cofferdam_session::error::{Error, ErrorKind};
use cofferdam_session::sessions;
use cofferdam_session::state::State;
use cofferdam_session::terminal::{Filter, Medium};
use std::io::{IsTerminal as _, Read as _, Write as _};

const PORTION_BYTES: usize = 64 << 10;

pub(super) fn logs(context: &Context, output: &Output, asked: Option<&str>) -> Result<u8, Error> {
    let state = State::open(context)?;
    let record = super::find(context, &state, output, asked)?;
    let (record, files) = sessions::logs(context, &state, Some(record.id.as_str()))?;
    let cannot = |error: std::io::Error| {
        Error::new(ErrorKind::State, "cannot read the session's log").because(error).hint("cofferdam doctor")
    };
    if output.json {
        let mut text = Vec::new();
        for file in &files {
            text.extend(std::fs::read(file).map_err(cannot)?);
        }
        output.object(&serde_json::json!({
            "session": record.name.as_str(), "output": String::from_utf8_lossy(&text)
        }))?;
        return Ok(0);
    }
    let mut stdout = std::io::stdout().lock();
    let mut filter = stdout.is_terminal().then(|| Filter::new(Medium::Pipe));
    for file in &files {
        let mut file = std::fs::File::open(file).map_err(cannot)?;
        let mut portion = vec![0_u8; PORTION_BYTES];
        loop {
            let read = file.read(&mut portion).map_err(cannot)?;
            let bytes = portion.get(..read).unwrap_or_default();
            if bytes.is_empty() {
                break;
            }
            let mut shown = Vec::new();
            match &mut filter {
                Some(filter) => filter.feed(bytes, &mut shown),
                None => shown.extend_from_slice(bytes),
            }
            if stdout.write_all(&shown).is_err() {
                return Ok(0);
            }
        }
    }
    let _closed = stdout.flush().is_err();
    Ok(0)
}
