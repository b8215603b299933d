//! Any enclosure that a shell command starts: `{}` in it stands for the probe.
//!
//! It is run by `sh -c`, as a user would type it. What it grants is not known: nothing is declared.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use crate::measurement::Enclosed;
use crate::outside::collector::CollectError;
use crate::outside::enclosure::{CommandLine, Declared, Enclosure};
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

impl Enclosure for Sandbox {
    type Error = CollectError;

    fn enclosed(&self) -> Enclosed {
        self.enclosed.clone()
    }

    fn prepare(&mut self, _scene: &mut Scene) -> Result<(), CollectError> {
        if self.enclosed.command.contains(PROBE) {
            return Ok(());
        }
        Err(CollectError::NoProbe { command: self.enclosed.command.clone() })
    }

    fn command(&self, scene: &Scene, inner: &[OsString]) -> CommandLine {
        let inner: Vec<Vec<u8>> = inner.iter().map(|word| quoted(word)).collect();
        let mut text = self.enclosed.command.clone().into_bytes();
        for (name, value) in [
            ("{workspace}", quoted(scene.workspace().as_os_str())),
            ("{home}", quoted(scene.home().as_os_str())),
            (PROBE, inner.join(&b' ')),
        ] {
            text = replaced(&text, name.as_bytes(), &value);
        }
        CommandLine { program: "sh".into(), arguments: vec!["-c".into(), OsString::from_vec(text)] }
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
    let inner = replaced(word.as_bytes(), b"'", br"'\''");
    [b"'".as_slice(), &inner, b"'"].concat()
}

fn replaced(text: &[u8], wanted: &[u8], by: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some(at) = rest.windows(wanted.len()).position(|part| part == wanted) {
        let (before, after) = rest.split_at(at);
        out.extend_from_slice(before);
        out.extend_from_slice(by);
        rest = after.get(wanted.len()..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_with_quotes_stays_one_word() {
        assert_eq!(quoted(OsStr::new("it's $HOME")), br"'it'\''s $HOME'");
        assert_eq!(replaced(b"a {} b {} c", b"{}", b"x y"), b"a x y b x y c");
        assert_eq!(replaced(b"nothing", b"{}", b"x"), b"nothing");
    }
}
