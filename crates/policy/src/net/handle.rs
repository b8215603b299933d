//! What the agent holds in place of a secret.
