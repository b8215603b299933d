//! What a session must not share: its name and its range of the host's user ids.
//!
//! Both are chosen within the transaction that begins the session, so that two that begin at once get two. The
//! schema's unique indexes stand behind it.

use crate::error::{Error, Fault};
use crate::lifecycle::{NameWish, UidRanges};
use cofferdam_policy::session_id::SessionName;
use rusqlite::{Connection, params};
use std::collections::BTreeSet;

/// A name that no session has that is not discarded.
pub(crate) fn name(connection: &Connection, wish: &NameWish) -> Result<SessionName, Fault> {
    match wish {
        NameWish::Exactly(name) if is_free(connection, name)? => Ok(name.clone()),
        NameWish::Exactly(name) => Err(Error::NameTaken { name: name.clone() }.into()),
        NameWish::Like(base) if is_free(connection, base)? => Ok(base.clone()),
        NameWish::Like(base) => numbered(connection, base),
    }
}

fn is_free(connection: &Connection, name: &SessionName) -> Result<bool, Fault> {
    let taken = connection
        .prepare("SELECT 1 FROM sessions WHERE name = ?1 AND state <> 'discarded'")?
        .exists(params![name.as_str()])?;
    Ok(!taken)
}

/// The first free of `<base>-2`, `<base>-3`, … All names of that form are read at once, not one by one: a hundred
/// sessions of one directory are begun at the same time.
fn numbered(connection: &Connection, base: &SessionName) -> Result<SessionName, Fault> {
    // A long base is cut for its number, by one character more with each digit: what all of them begin with.
    let longest = base.numbered(u32::MAX);
    let stem = longest.as_str().trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('-');
    let mut statement = connection.prepare(
        "SELECT name FROM sessions WHERE name >= ?1 AND name < ?1 || '~' AND state <> 'discarded'",
    )?;
    let taken: BTreeSet<String> =
        statement.query_map(params![stem], |row| row.get(0))?.collect::<Result<_, _>>()?;
    (2..=u32::MAX)
        .map(|number| base.numbered(number))
        .find(|name| !taken.contains(name.as_str()))
        .ok_or_else(|| Error::NameTaken { name: base.clone() }.into())
}

/// The start of the first range that touches none in use. Ranges in use may have come from other settings.
pub(crate) fn uid_base(connection: &Connection, of: UidRanges) -> Result<u32, Fault> {
    let mut statement = connection.prepare(
        "SELECT uid_base FROM sessions WHERE uid_base IS NOT NULL AND state <> 'discarded' ORDER BY uid_base",
    )?;
    let used: BTreeSet<u32> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let exhausted = || Error::UidsExhausted { ranges: of.ranges };
    let (behind, before) = (of.first.min(of.ranges)..of.ranges, 0..of.first.min(of.ranges));
    for nth in behind.chain(before) {
        let base =
            of.size.checked_mul(nth).and_then(|offset| of.start.checked_add(offset)).ok_or_else(exhausted)?;
        let end = base.checked_add(of.size).ok_or_else(exhausted)?;
        let touching = base.saturating_sub(of.size.saturating_sub(1))..end;
        if used.range(touching).next().is_none() {
            return Ok(base);
        }
    }
    Err(exhausted().into())
}
