//! One attempt: an id that never changes, a sentence, where the attack comes from, what it needs, and its code.

use serde::{Deserialize, Serialize};

use crate::finding::Finding;
use crate::plants::{Plant, PlantError, Plants};
use crate::witness::{HostSide, Witness};

/// The code of an attempt.
pub(crate) type Run = fn(&Plants) -> Result<Finding, PlantError>;

/// What stands for the first process where the probe is that.
pub(crate) const ITSELF: &str = "itself";
/// What stands for it where it has nothing that the probe has not.
pub(crate) const ITS_EQUAL: &str = "its-equal";

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
    /// Who tells, on the host's side, whether it was reached; without one the finding inside counts.
    pub(crate) witness: Option<Witness>,
    /// Whether the host's side can tell yet; if not, a witness that says nothing proves nothing.
    pub(crate) ready: fn(&HostSide<'_>) -> bool,
    /// What of an authority would grant it.
    pub(crate) opening: Opening,
    /// Whether what it goes for is the machine's or the runner's own, which not every one has.
    pub(crate) may_be_absent: bool,
}

/// Which promise an attempt measures: the five radii, in the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Radius {
    /// What inside the work directory can be lost.
    Destruction,
    /// What outside of it can be touched.
    Collateral,
    /// What comes back without a person having seen it.
    Review,
    /// Which secrets can be seen.
    Credential,
    /// Where data can leave to.
    Exfiltration,
}

/// What of an authority would grant an attempt, so that reaching it is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    /// Nothing does.
    Never,
    /// A mount that shows this path.
    Shows(Plant),
    /// A mount that shows a copy of this path, which may be written.
    Copies(Plant),
    /// A mount that shows this path below that of the plant.
    ShowsBelow(Plant, &'static str),
    /// The variable of this name is given.
    Gives(&'static str),
    /// The request that the planted grant permits.
    PlantedGrant,
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
        Self {
            id,
            radius: Radius::Collateral,
            kind: Kind::Forbidden,
            sentence,
            source,
            needs: &[],
            run,
            witness: None,
            ready: |_| true,
            opening: Opening::Never,
            may_be_absent: false,
        }
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

    /// The same, of which the host's side tells whether it was reached.
    pub(crate) const fn witnessed(self, witness: Witness) -> Self {
        Self { witness: Some(witness), ..self }
    }

    /// The same, of which the host's side can tell only if `ready` says so.
    pub(crate) const fn ready_when(self, ready: fn(&HostSide<'_>) -> bool) -> Self {
        Self { ready, ..self }
    }

    /// The same, which an authority may grant.
    pub(crate) const fn opened_by(self, opening: Opening) -> Self {
        Self { opening, ..self }
    }

    /// The same, going for something of the machine's or the runner's that need not be there.
    pub(crate) const fn if_present(self) -> Self {
        Self { may_be_absent: true, ..self }
    }

    /// What its witness sees; nothing if it has none.
    pub(crate) fn seen(&self, host: &HostSide<'_>) -> Option<String> {
        let plants = host.plants.of(self.id);
        self.witness?(&HostSide { plants: &plants, ..*host })
    }

    /// Tries it. A plant that is missing or malformed makes it inconclusive.
    pub(crate) fn find(&self, plants: &Plants) -> Finding {
        let plants = &plants.of(self.id);
        // What it would make would stay: whoever takes things away has been here.
        if plants.has_lost_its_scene() {
            return Finding::Inconclusive("the scene was taken away before this".to_owned());
        }
        if self.needs.contains(&Plant::InitPid)
            && let Ok(first @ (ITSELF | ITS_EQUAL)) = plants.text(Plant::InitPid)
        {
            let why = match first {
                ITSELF => "the probe itself is the first process here",
                _ => "the first process here has nothing that the probe has not",
            };
            return Finding::Inapplicable(why.to_owned());
        }
        let ready = self.needs.iter().try_for_each(|plant| plants.text(*plant).map(|_| ()));
        ready
            .and_then(|()| (self.run)(plants))
            .unwrap_or_else(|error| Finding::Inconclusive(error.to_string()))
    }
}

impl Radius {
    /// All five, in the order in which they are shown.
    pub const ALL: [Self; 5] =
        [Self::Destruction, Self::Collateral, Self::Review, Self::Credential, Self::Exfiltration];

    /// The one word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Destruction => "destruction",
            Self::Collateral => "collateral",
            Self::Review => "review",
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
