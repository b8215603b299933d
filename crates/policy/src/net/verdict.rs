//! Grants compiled, and the one place that judges by them.
