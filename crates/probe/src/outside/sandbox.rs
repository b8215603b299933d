//! Any enclosure that a shell command starts: `{}` in it stands for the probe.
//!
//! It is run by `sh -c`, as a user would type it. What it grants is not known: nothing is declared.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;
use std::time::Duration;

use crate::measurement::Enclosed;
use crate::outside::adapters;
use crate::outside::collector::{CollectError, complaint};
use crate::outside::enclosure::{CommandLine, Declared, Enclosure};
use crate::outside::process::{self, Place, Ran};
use crate::outside::scene::Scene;

/// Where the probe's command line stands in a template.
const PROBE: &str = "{}";

/// An enclosure by its command.
#[derive(Debug, Clone)]
pub struct Sandbox {
    /// What it is; the command has `{}` where the probe stands, `{workspace}` for the work directory and `{home}` for
    /// the owner's home.
    pub enclosed: Enclosed,
}

impl Sandbox {
    /// One that is known by name, or any command. A known one is asked for its version, and tried: one that does not
    /// even start says nothing about what it holds.
    ///
    /// # Errors
    /// [`CollectError::Missing`] for a known one that can't be used here, [`CollectError::NoProbe`] for a command
    /// without a place for the probe.
    pub fn of(text: &str, place: &Path, environment: &[(OsString, OsString)]) -> Result<Self, CollectError> {
        let Some(adapter) = adapters::find(text) else {
            if !text.contains(PROBE) {
                return Err(CollectError::NoProbe { command: text.to_owned() });
            }
            let name = text.split_whitespace().next().unwrap_or(text).to_owned();
            return Ok(Self { enclosed: Enclosed { name, version: None, command: text.to_owned() } });
        };
        let place = Place { directory: place, environment, left_open: place, janitor: None };
        let tried = asked(adapter.trial, place).and_then(|ran| {
            ran.status.is_some_and(|status| status.success()).then_some(()).ok_or(complaint(&ran))
        });
        if let Err(said) = tried {
            let (name, install) = (adapter.name, adapter.install);
            return Err(CollectError::Missing { name, said, install });
        }
        let version = asked(adapter.version, place).ok().and_then(|ran| {
            let said = String::from_utf8_lossy(&ran.printed).into_owned() + &ran.complaint;
            said.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
        });
        let enclosed =
            Enclosed { name: adapter.name.to_owned(), version, command: adapter.command.to_owned() };
        Ok(Self { enclosed })
    }
}

/// How long a sandbox may take for a program that does nothing.
const TRIAL_TIME_MAX: Duration = Duration::from_secs(20);

fn asked(words: &[&str], place: Place<'_>) -> Result<Ran, String> {
    let Some((program, arguments)) = words.split_first() else { return Err("it has none".to_owned()) };
    let arguments = arguments.iter().map(OsString::from).collect();
    let line = CommandLine { program: program.into(), arguments, variables: Vec::new() };
    process::through_pipes(&line, place, TRIAL_TIME_MAX, &mut |_| ()).map_err(|error| error.to_string())
}

impl Enclosure for Sandbox {
    type Error = CollectError;

    fn enclosed(&self) -> Enclosed {
        self.enclosed.clone()
    }

    fn prepare(&mut self, _scene: &mut Scene) -> Result<(), CollectError> {
        Ok(())
    }

    fn command(&self, scene: &Scene, inner: &[OsString]) -> CommandLine {
        let inner: Vec<Vec<u8>> = inner.iter().map(|word| quoted(word)).collect();
        let text = filled(
            self.enclosed.command.as_bytes(),
            &[
                (b"{workspace}", &quoted(scene.workspace().as_os_str())),
                (b"{home}", &quoted(scene.home().as_os_str())),
                (PROBE.as_bytes(), &inner.join(&b' ')),
            ],
        );
        let arguments = vec!["-c".into(), OsString::from_vec(text)];
        CommandLine { program: "sh".into(), arguments, variables: Vec::new() }
    }

    fn declared(&self) -> Declared {
        Declared::default()
    }

    fn finish(&mut self, _scene: &Scene) -> Result<(), CollectError> {
        Ok(())
    }
}

/// A word as a shell reads it: between single quotes, in which nothing has a meaning.
fn quoted(word: &OsStr) -> Vec<u8> {
    let inner = filled(word.as_bytes(), &[(b"'", br"'\''")]);
    [b"'".as_slice(), &inner, b"'"].concat()
}

/// `text` with each name replaced by its value; what a value holds is not looked at again.
fn filled(text: &[u8], values: &[(&[u8], &[u8])]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some((first, after_first)) = rest.split_first() {
        let found = values.iter().find(|(name, _)| rest.starts_with(name));
        if let Some((name, value)) = found {
            out.extend_from_slice(value);
            rest = rest.get(name.len()..).unwrap_or_default();
        } else {
            out.push(*first);
            rest = after_first;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_with_quotes_stays_one_word() {
        assert_eq!(quoted(OsStr::new("it's $HOME")), br"'it'\''s $HOME'");
        assert_eq!(filled(b"a {} b {} c", &[(b"{}", b"x y")]), b"a x y b x y c");
        assert_eq!(filled(b"nothing", &[(b"{}", b"x")]), b"nothing");
    }

    #[test]
    fn braces_in_the_name_of_a_directory_are_no_place_for_the_probe() {
        let values: [(&[u8], &[u8]); 2] = [(b"{home}", b"'/h/{}'"), (b"{}", b"probe")];
        assert_eq!(filled(b"box {home} -- {}", &values), b"box '/h/{}' -- probe");
    }
}
