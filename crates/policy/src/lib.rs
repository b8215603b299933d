//! Authority, patterns, labels, verdicts and the plan of a cell: pure, no I/O, no clock.
#![forbid(unsafe_code)]
