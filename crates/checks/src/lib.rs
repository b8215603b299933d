//! Dev only: layers, sizes, documentation and lockfile budgets, as tests.
#![forbid(unsafe_code)]
