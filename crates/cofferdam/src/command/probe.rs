//! `cofferdam probe`: tries ways out of a real session, or of another sandbox, and prints declared against measured.

mod cell;

use super::progress::Progress;
use crate::arguments::{AuthorityArguments, ProbeArguments};
use crate::output::Output;
use cell::{Cell, Failed};
use cofferdam_probe::Measurement;
use cofferdam_probe::outside::{self, Enclosure, Sandbox, Setting};
use cofferdam_probe::report::{Look, rings, table};
use cofferdam_session::context::Context;
use cofferdam_session::error::{Error, ErrorKind};
use std::path::{Path, PathBuf};

/// What was measured is not what was declared.
const EXIT_DISAGREES: u8 = 1;

pub(super) fn probe(context: &Context, output: &Output, arguments: ProbeArguments) -> Result<u8, Error> {
    let setting = Setting {
        home: context.home.as_path().to_path_buf(),
        program: program(context)?,
        environment: context.environment.clone().into_iter().collect(),
        only: arguments.only.clone(),
    };
    if arguments.against.is_some() && arguments.authority != AuthorityArguments::default() {
        return Err(Error::new(ErrorKind::Usage, "cannot give another sandbox our flags")
            .since("with --against, what it may touch is for its own command line to say")
            .hint("write its flags into the command: --against 'mysandbox --flag -- {}'"));
    }
    let picture = arguments.svg.clone();
    let measured = match &arguments.against {
        Some(command) => Sandbox::of(command, &setting.home, &setting.environment)
            .map_err(Failed::from)
            .and_then(|mut sandbox| measure(&mut sandbox, &setting, output)),
        None => measure(&mut Cell::new(context, arguments)?, &setting, output),
    };
    let measurement = measured.map_err(Failed::told)?;
    // Before the record: whoever reads that reads one object, or one that says what failed.
    if let Some(path) = picture {
        draw(&measurement, &path)?;
    }
    output.object(&measurement)?;
    print(output, &measurement);
    Ok(if measurement.agrees() { 0 } else { EXIT_DISAGREES })
}

/// The probe's program lies beside this one.
fn program(context: &Context) -> Result<PathBuf, Error> {
    let beside = context.program.with_file_name("cofferdam-probe");
    if beside.is_file() {
        return Ok(beside);
    }
    Err(Error::new(ErrorKind::Internal, "cannot find the probe's program")
        .since(format!("{} is not there", beside.display()))
        .hint("install cofferdam and cofferdam-probe of one version side by side"))
}

fn measure<E>(enclosure: &mut E, setting: &Setting, output: &Output) -> Result<Measurement, Failed>
where
    E: Enclosure,
    Failed: From<E::Error>,
{
    let progress = Progress::new(output);
    let measured = outside::measure(enclosure, setting, &mut |at| {
        progress.show(&format!("trying: {} of {} attempts", at.made, at.of));
    });
    Ok(measured?)
}

fn draw(measurement: &Measurement, path: &Path) -> Result<(), Error> {
    std::fs::write(path, rings(measurement)).map_err(|error| {
        Error::new(ErrorKind::State, format!("cannot draw {}", path.display()))
            .because(error)
            .hint("name a file in a directory that you may write: --svg rings.svg")
    })
}

fn print(output: &Output, measurement: &Measurement) {
    let text = table(measurement, Look { columns: output.columns, colour: true });
    text.lines().for_each(|line| output.line(line));
}
