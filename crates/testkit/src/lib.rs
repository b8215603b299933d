//! Dev only: hermetic homes, repositories and cells for tests.
#![forbid(unsafe_code)]
