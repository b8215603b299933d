//! Paths of requests in their one canonical form, and the patterns that match them.
