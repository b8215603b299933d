//! Paths and queries beyond the granted ones, in spellings that some origin reads as one that a gateway did not.
//!
//! What is granted stands in [`super::grant`]; where nothing is, these are inapplicable.

use crate::attempt::Attempt;
use crate::classes::{Class, class};
use crate::inside::grant::{beyond, say};

pub(crate) const ATTEMPTS: &[Attempt] = &[
    beyond("grant-path", "Asks for a path that is not granted.", |plants| {
        say(plants, &["GET /closed/MARK LAST"])
    }),
    beyond("grant-path-dots", "Leaves the granted path by two dots.", |plants| {
        say(plants, &["GET /open/../closed/MARK LAST"])
    }),
    beyond("grant-path-encoded-dots", "Leaves it by two encoded dots.", |plants| {
        say(plants, &["GET /open/%2e%2e/closed/MARK LAST"])
    }),
    beyond("grant-path-encoded-slash", "Leaves it by dots and an encoded slash.", |plants| {
        say(plants, &["GET /open/..%2fclosed/MARK LAST"])
    }),
    beyond("grant-path-twice-encoded", "Leaves it by dots that are encoded twice.", |plants| {
        say(plants, &["GET /open/%252e%252e/closed/MARK LAST"])
    }),
    beyond("grant-path-backslash", "Leaves it by dots and a backslash.", |plants| {
        say(plants, &["GET /open/..\\closed\\MARK LAST"])
    }),
    beyond("grant-path-semicolon", "Leaves it by dots with a parameter.", |plants| {
        say(plants, &["GET /open/..;/closed/MARK LAST"])
    }),
    beyond(
        "grant-path-double-slash",
        "Begins the path with two slashes, which some read as a host.",
        |plants| say(plants, &["GET //open/MARK LAST"]),
    ),
    beyond("grant-path-case", "Writes the granted path in capitals.", |plants| {
        say(plants, &["GET /OPEN/MARK LAST"])
    }),
    beyond("grant-query", "Adds a query, where none is granted.", |plants| {
        say(plants, &["GET /open/x?q=MARK LAST"])
    }),
    beyond("grant-query-encoded", "Adds a query behind an encoded question mark.", |plants| {
        say(plants, &["GET /open/x%3Fq=MARK LAST"])
    }),
    beyond("grant-fragment", "Adds a fragment, which belongs into no request.", |plants| {
        say(plants, &["GET /open/x#MARK LAST"])
    }),
];

pub(crate) const CLASSES: &[Class] = &[
    class(
        "granted-paths",
        11,
        &[
            "grant-path",
            "grant-path-dots",
            "grant-path-encoded-dots",
            "grant-path-encoded-slash",
            "grant-path-double-slash",
            "grant-path-semicolon",
            "grant-path-backslash",
            "grant-path-twice-encoded",
            "grant-path-case",
        ],
    ),
    class("granted-queries", 15, &["grant-query", "grant-query-encoded", "grant-fragment"]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inside::knock::tests::scene;

    #[test]
    fn outside_each_reaches_the_origin_and_is_heard() {
        let mut scene = scene();
        scene.plants.add("origin-host", "origin.invalid").unwrap();
        for attempt in ATTEMPTS {
            assert!(scene.witnessed(attempt).is_some(), "{}", attempt.id);
        }
    }
}
