//! Who tells, on the host's side and after a run, whether an attempt was reached.
//!
//! What a program inside says is a claim. Where the host can see for itself (a file that changed, a listener that heard
//! something), it alone counts.

use crate::finding::Report;
use crate::plants::Plants;

/// Looks at the host's side; `Some` holds the evidence that the attempt was reached.
pub(crate) type Witness = fn(&HostSide<'_>) -> Option<String>;

/// What the host's side knows when the run is over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HostSide<'h> {
    /// What was planted for the run; paths are the host's.
    pub(crate) plants: &'h Plants,
    /// Everything that came to the planted listeners.
    pub(crate) contacts: &'h [Contact],
    /// What the attempt said inside, if it came to say anything.
    pub(crate) reported: Option<&'h Report>,
}

/// Something that came to a planted listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contact {
    /// Which listener: the name of the plant that tells where it is.
    pub(crate) listener: &'static str,
    /// The beginning of what it was sent.
    pub(crate) bytes: Vec<u8>,
}

impl HostSide<'_> {
    /// The first contact of any listener whose bytes hold `words`, told in a few words.
    pub(crate) fn heard(&self, words: &str) -> Option<String> {
        let holds =
            |contact: &&Contact| contact.bytes.windows(words.len()).any(|part| part == words.as_bytes());
        let contact = self.contacts.iter().find(holds)?;
        Some(format!("the planted listener {} heard it", contact.listener))
    }
}
