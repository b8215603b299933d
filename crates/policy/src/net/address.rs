//! Which addresses are globally routable.
