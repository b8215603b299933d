//! What every ledger promises, whatever it is stored in.
//!
//! [`contract`] holds the promises, each a function that takes a factory; this file runs them on SQLite. A second
//! backend is a second factory.

#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, also in its helpers"
)]

mod contract {
    pub(crate) mod promises;
}

use cofferdam_ledger::Ledger;
use contract::promises::{self, Store};
use std::os::unix::fs::PermissionsExt as _;
use tempfile::TempDir;

/// A ledger of its own in a directory that goes away with it.
struct Sqlite(TempDir);

impl Store for Sqlite {
    fn open(&self) -> Ledger {
        Ledger::open(self.0.path()).unwrap()
    }
}

fn sqlite() -> Sqlite {
    let directory = TempDir::new().unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    Sqlite(directory)
}

#[test]
fn what_is_begun_is_read_back_whole() {
    promises::what_is_begun_is_read_back_whole(sqlite);
}

#[test]
fn a_name_asked_for_is_given_once_until_discarded() {
    promises::a_name_asked_for_is_given_once_until_discarded(sqlite);
}

#[test]
fn a_derived_name_gets_the_first_free_number() {
    promises::a_derived_name_gets_the_first_free_number(sqlite);
}

#[test]
fn no_two_sessions_share_user_ids() {
    promises::no_two_sessions_share_user_ids(sqlite);
}

#[test]
fn a_session_goes_only_where_its_state_leads() {
    promises::a_session_goes_only_where_its_state_leads(sqlite);
}

#[test]
fn a_refused_step_leaves_no_event() {
    promises::a_refused_step_leaves_no_event(sqlite);
}

#[test]
fn of_many_that_resume_one_session_one_succeeds() {
    promises::of_many_that_resume_one_session_one_succeeds(sqlite);
}

#[test]
fn a_session_is_found_by_id_name_and_unambiguous_beginning() {
    promises::a_session_is_found_by_id_name_and_unambiguous_beginning(sqlite);
}

#[test]
fn the_latest_session_is_that_of_exactly_the_directory() {
    promises::the_latest_session_is_that_of_exactly_the_directory(sqlite);
}

#[test]
fn events_come_in_order_and_in_pages() {
    promises::events_come_in_order_and_in_pages(sqlite);
}

#[test]
fn an_event_of_no_session_is_refused() {
    promises::an_event_of_no_session_is_refused(sqlite);
}

#[test]
fn newlines_in_bodies_forge_nothing() {
    promises::newlines_in_bodies_forge_nothing(sqlite);
}

#[test]
fn trust_is_for_exact_bytes_of_an_exact_directory() {
    promises::trust_is_for_exact_bytes_of_an_exact_directory(sqlite);
}

#[test]
fn what_was_written_is_there_after_opening_again() {
    promises::what_was_written_is_there_after_opening_again(sqlite);
}

#[test]
fn a_hundred_threads_lose_nothing() {
    promises::a_hundred_threads_lose_nothing(sqlite);
}
