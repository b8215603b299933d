//! The owner's directories as a session sees them: masks, git places, changes.
#![forbid(unsafe_code)]
