//! Why this program could not do its own work; never the outcome of an attempt, which is a report.

use std::io;
use std::path::PathBuf;

use crate::outside::CollectError;
use crate::plants::PlantError;
use crate::showing::ShowError;

/// Exit status: the attempt was made, whatever came of it.
pub(crate) const EXIT_MADE: u8 = 0;
/// Exit status: this program failed at its own work.
pub(crate) const EXIT_FAILED: u8 = 1;
/// Exit status: the command line was not understood.
pub(crate) const EXIT_USAGE: u8 = 2;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line was not understood.
    #[error("{0}")]
    Usage(String),
    /// There is no attempt of this name.
    #[error("there is no attempt {0:?}")]
    UnknownAttempt(String),
    /// The plants cannot be used.
    #[error("cannot use the plants")]
    Plants(#[from] PlantError),
    /// The file of plants cannot be read.
    #[error("cannot read the plants in {}", .path.display())]
    PlantsFile {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Nothing could be measured.
    #[error("cannot measure")]
    Collect(#[from] CollectError),
    /// A record cannot be shown.
    #[error(transparent)]
    Show(#[from] ShowError),
    /// A report cannot be written as JSON.
    #[error("cannot write a report as JSON")]
    Report(#[source] serde_json::Error),
    /// The standard output is closed or full.
    #[error("cannot write the standard output")]
    Output(#[source] io::Error),
    /// The standard input cannot be read.
    #[error("cannot read the standard input")]
    Input(#[source] io::Error),
    /// A helper cannot do what it is for.
    #[error("cannot {act}")]
    Control {
        act: &'static str,
        #[source]
        source: io::Error,
    },
}

impl Failure {
    /// What to do about one of a command for people.
    pub(crate) fn what_to_do(&self) -> Option<String> {
        match self {
            Self::Show(error) => Some(error.what_to_do().to_owned()),
            Self::Collect(error) => Some(error.what_to_do()),
            Self::Usage(_)
            | Self::UnknownAttempt(_)
            | Self::Plants(_)
            | Self::PlantsFile { .. }
            | Self::Report(_)
            | Self::Output(_)
            | Self::Input(_)
            | Self::Control { .. } => None,
        }
    }

    pub(crate) fn exit_status(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::UnknownAttempt(_) | Self::Plants(_) | Self::PlantsFile { .. } => {
                EXIT_USAGE
            }
            Self::Show(ShowError::Words(_)) => EXIT_USAGE,
            Self::Show(_)
            | Self::Collect(_)
            | Self::Report(_)
            | Self::Output(_)
            | Self::Input(_)
            | Self::Control { .. } => EXIT_FAILED,
        }
    }
}
