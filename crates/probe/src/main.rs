//! A static binary that tries one forbidden act and reports the errno of it.
fn main() {}
