//! Handles for secrets on their way out, and secrets for nothing on their way back.
