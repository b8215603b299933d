//! The entries of a change set as a review lists them: in which order, with which remarks, and which may be taken how.

use super::page::Page;
use cofferdam_policy::path::AbsPath;
use cofferdam_session::selection::{Selection, WorkspacePath};
use std::collections::BTreeSet;

/// The order of a review: what most wants to be looked at comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    RunsLater,
    Suspicious,
    Barred,
    Shape,
    Text,
}

impl Rank {
    pub(super) fn heading(self) -> &'static str {
        match self {
            Self::RunsLater => "runs later",
            Self::Suspicious => "suspicious",
            Self::Barred => "stays out",
            Self::Shape => "modes, links, binaries",
            Self::Text => "text",
        }
    }
}

/// How loud a remark is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loudness {
    Alarm,
    Notice,
}

/// One entry.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) directory: AbsPath,
    pub(super) path: WorkspacePath,
    /// Its path, visible: absolute where there are several directories.
    pub(super) name: String,
    /// `modified`, `renamed from …`, with the modes.
    pub(super) change: String,
    pub(super) rank: Rank,
    /// In a word or two, for the list: why it is notable.
    pub(super) mark: Option<String>,
    pub(super) remarks: Vec<(Loudness, String)>,
    /// Why it can't be taken at all.
    pub(super) barred: Option<String>,
    /// Why it is never taken together with others.
    pub(super) alone: Option<&'static str>,
}

/// A directory that a person need not decide: it comes with the first of what is in it, and goes with the last.
#[derive(Debug, Clone)]
pub(super) struct Folded {
    pub(super) directory: AbsPath,
    pub(super) path: WorkspacePath,
    pub(super) fold: Fold,
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    Arrives,
    Goes,
}

/// Where the bodies of entries come from.
pub(super) trait Source {
    /// The body of an entry; hunks in `split` are chosen change by change.
    fn page(&self, item: usize, split: &BTreeSet<usize>) -> Page;
    /// What differs beside the entries, and is no part of what is decided.
    fn asides(&self) -> Vec<String>;
    /// The digest of exactly what would be written, if it can be told.
    fn digest(&self, selection: &Selection) -> Option<String>;
}
