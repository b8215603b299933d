//! One attempt: an id that never changes, a sentence, where the attack comes from, what it needs, and its code.

use crate::finding::Finding;
use crate::plants::{Plant, PlantError, Plants};

/// The code of an attempt.
pub(crate) type Run = fn(&Plants) -> Result<Finding, PlantError>;

/// One attempt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    /// Kebab-case; stable for ever, as tests and `docs/escapes.md` name it.
    pub(crate) id: &'static str,
    pub(crate) radius: Radius,
    pub(crate) kind: Kind,
    /// What is tried, as one sentence.
    pub(crate) sentence: &'static str,
    /// The advisory, manual page or line of the attack list that it comes from.
    pub(crate) source: &'static str,
    pub(crate) needs: &'static [Plant],
    pub(crate) run: Run,
}

/// Which promise an attempt measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Radius {
    Collateral,
    Credential,
    Exfiltration,
}

/// Whether the act is to fail inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It must be refused.
    Forbidden,
    /// It must work: the cell's own business, and proof that the probe can reach anything at all.
    Allowed,
}

impl Attempt {
    /// An act on the collateral radius that must be refused.
    pub(crate) const fn forbidden(
        id: &'static str,
        sentence: &'static str,
        source: &'static str,
        run: Run,
    ) -> Self {
        Self { id, radius: Radius::Collateral, kind: Kind::Forbidden, sentence, source, needs: &[], run }
    }

    /// An act that must work.
    pub(crate) const fn allowed(
        id: &'static str,
        sentence: &'static str,
        source: &'static str,
        run: Run,
    ) -> Self {
        Self { kind: Kind::Allowed, ..Self::forbidden(id, sentence, source, run) }
    }

    /// The same, on another radius.
    pub(crate) const fn of(self, radius: Radius) -> Self {
        Self { radius, ..self }
    }

    /// The same, with the plants that it cannot do without.
    pub(crate) const fn needs(self, needs: &'static [Plant]) -> Self {
        Self { needs, ..self }
    }

    /// Tries it. A plant that is missing or malformed makes it inconclusive.
    pub(crate) fn find(&self, plants: &Plants) -> Finding {
        let ready = self.needs.iter().try_for_each(|plant| plants.text(*plant).map(|_| ()));
        ready
            .and_then(|()| (self.run)(plants))
            .unwrap_or_else(|error| Finding::Inconclusive(error.to_string()))
    }
}

impl Radius {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Collateral => "collateral",
            Self::Credential => "credential",
            Self::Exfiltration => "exfiltration",
        }
    }
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Forbidden => "forbidden",
            Self::Allowed => "allowed",
        }
    }
}
