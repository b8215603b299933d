//! Secrets at rest, and where they come from.
