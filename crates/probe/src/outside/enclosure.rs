//! What a collector wants of an enclosure: how a program is run in it, and what it grants.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::measurement::Enclosed;
use crate::outside::collector::CollectError;
use crate::outside::scene::Scene;

/// Something that a program can be run in.
pub trait Enclosure {
    /// Why it could not be made ready.
    type Error: From<CollectError>;

    /// What it is.
    fn enclosed(&self) -> Enclosed;

    /// Makes it ready, when the scene is set and before anything runs; it may plant more.
    ///
    /// # Errors
    /// Whatever it needs is missing.
    fn prepare(&mut self, scene: &mut Scene) -> Result<(), Self::Error>;

    /// The command line by which `inner` (a program and its arguments) runs in it.
    fn command(&self, scene: &Scene, inner: &[OsString]) -> CommandLine;

    /// What it grants on purpose.
    fn declared(&self) -> Declared;

    /// Takes away what [`Enclosure::prepare`] and the runs left behind.
    ///
    /// # Errors
    /// Something could not be taken away.
    fn finish(&mut self, scene: &Scene) -> Result<(), Self::Error>;
}

/// A program and its arguments; the directory is the scene's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// The program.
    pub program: OsString,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Variables that it has besides, or in place of, those of whoever runs the measurement.
    pub variables: Vec<(OsString, OsString)>,
}

/// What an enclosure grants on purpose: what is reached by it is declared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declared {
    /// What of the host is shown, with all that is below it, besides the work directory.
    pub shown: Vec<PathBuf>,
    /// What of that is shown as a copy, which may be written.
    pub copied: Vec<PathBuf>,
    /// The names of the variables that are passed on.
    pub given: Vec<String>,
    /// Whether the planted grant is there.
    pub has_planted_grant: bool,
}
