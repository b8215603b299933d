//! What is particular to a ledger in a file: many processes, hostile places, damage, no room, and its cost.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, also in its helpers")]

use cofferdam_ledger::{
    EndState, Ending, Error, Filter, Ledger, NameWish, NewSession, Supervisor, UidRanges,
};
use cofferdam_policy::authority::CellKind;
use cofferdam_policy::event::{Event, ExitStatus, UnixNanos};
use cofferdam_policy::label::Label;
use cofferdam_policy::session_id::SessionId;
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const DIRECTORY_VARIABLE: &str = "LEDGER_TEST_DIRECTORY";
const NUMBER_VARIABLE: &str = "LEDGER_TEST_NUMBER";

fn private_directory() -> TempDir {
    let directory = TempDir::new().unwrap();
    set_mode(directory.path(), 0o700);
    directory
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn file(directory: &TempDir) -> PathBuf {
    directory.path().join("ledger.db")
}

fn new_session(number: u64) -> NewSession {
    NewSession {
        id: SessionId::from_random((number << 4).to_be_bytes()),
        name: NameWish::Like("app".parse().unwrap()),
        directory: "/home/owner/project".into(),
        cell: CellKind::Namespaces,
        parent: None,
        uids: Some(UidRanges { start: 2_000_000, size: 65_536, ranges: 1_000, first: 0 }),
        supervisor: None,
        label: Label::initial(),
        command: vec!["true".into()],
        authority_digest: "d".repeat(64),
        authority: "x".repeat(6_000),
        at: UnixNanos(1),
    }
}

/// What one `cofferdam run --rm -- true` writes.
fn whole_life(ledger: &Ledger, number: u64) {
    let id = ledger.begin_session(&new_session(number)).unwrap().id;
    let supervisor = Supervisor { pid: 1, started_ticks: 1, boot_id: "b".into() };
    ledger.set_running(&id, &supervisor, UnixNanos(2)).unwrap();
    let status = ExitStatus::Code(0);
    let ending = Ending {
        state: EndState::Stopped,
        exit_status: Some(status),
        event: Event::Exited { status },
        at: UnixNanos(3),
    };
    ledger.set_ended(&id, &ending).unwrap();
}

/// Starts this test program again to run the one test that is `entry`.
fn child(entry: &str, directory: &Path, number: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", entry, "--quiet"])
        .env(DIRECTORY_VARIABLE, directory)
        .env(NUMBER_VARIABLE, number.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn child_arguments() -> Option<(PathBuf, u64)> {
    let directory = std::env::var_os(DIRECTORY_VARIABLE)?;
    Some((directory.into(), std::env::var(NUMBER_VARIABLE).unwrap().parse().unwrap()))
}

/// The body of a process that another test starts; by itself it does nothing.
#[test]
fn process_that_lives_once() {
    let Some((directory, number)) = child_arguments() else { return };
    let ledger = Ledger::open(&directory).unwrap();
    whole_life(&ledger, number);
    ledger.tidy().unwrap();
}

#[test]
fn a_hundred_processes_that_make_the_ledger_together_lose_nothing() {
    let directory = private_directory();
    let children: Vec<Child> =
        (0..100).map(|number| child("process_that_lives_once", directory.path(), number)).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let ledger = Ledger::open(directory.path()).unwrap();
    let sessions = ledger.sessions(&Filter::default()).unwrap();
    assert_eq!(sessions.len(), 100);
    assert_eq!(sessions.iter().map(|s| s.name.as_str()).collect::<BTreeSet<_>>().len(), 100);
    assert_eq!(sessions.iter().map(|s| s.uid_base).collect::<BTreeSet<_>>().len(), 100);
    assert_eq!(ledger.events(None, 0, u32::MAX).unwrap().len(), 200);
}

/// As above; another test kills it.
#[test]
fn process_that_writes_until_killed() {
    let Some((directory, number)) = child_arguments() else { return };
    let progress = directory.join(format!("progress-{number}"));
    for nth in 0.. {
        let ledger = Ledger::open(&directory).unwrap();
        whole_life(&ledger, number * 1_000_000 + nth);
        fs::write(&progress, nth.to_string()).unwrap();
        ledger.tidy().unwrap();
    }
}

#[test]
fn writers_killed_at_any_moment_lose_nothing_that_was_written() {
    let directory = private_directory();
    let mut children: Vec<Child> =
        (0..4).map(|number| child("process_that_writes_until_killed", directory.path(), number)).collect();
    let written = |number: u64| -> Option<u64> {
        fs::read_to_string(directory.path().join(format!("progress-{number}"))).ok()?.parse().ok()
    };
    // A busy machine may take its time; nextest ends the test if it never comes.
    while !(0..4).all(|number| written(number) >= Some(1)) {
        std::thread::sleep(Duration::from_millis(37));
    }
    for child in &mut children {
        child.kill().unwrap();
        child.wait().unwrap();
        std::thread::sleep(Duration::from_millis(37));
    }
    let ledger = Ledger::open(directory.path()).unwrap();
    for number in 0..4_u64 {
        // Killed while it was noted, the number may be gone; what it counted is not.
        for nth in 0..=written(number).unwrap_or(1) {
            ledger.session(&new_session(number * 1_000_000 + nth).id).unwrap();
        }
    }
    let healthy: String = Connection::open(file(&directory))
        .unwrap()
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(healthy, "ok");
}

#[test]
fn the_ledger_is_the_owners_alone() {
    let directory = private_directory();
    let ledger = Ledger::open(directory.path()).unwrap();
    whole_life(&ledger, 1);
    for entry in fs::read_dir(directory.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
    }
}

#[test]
fn a_directory_that_others_can_enter_is_refused() {
    let directory = private_directory();
    for mode in [0o701, 0o710, 0o750, 0o755, 0o777] {
        set_mode(directory.path(), mode);
        let error = Ledger::open(directory.path()).unwrap_err();
        assert!(matches!(&error, Error::Exposed { mode: m, .. } if *m == mode), "{error:?}");
        assert!(!file(&directory).exists());
    }
    set_mode(directory.path(), 0o700);
}

#[test]
fn a_file_that_others_can_reach_is_refused() {
    let directory = private_directory();
    drop(Ledger::open(directory.path()).unwrap());
    for mode in [0o601, 0o640, 0o604, 0o666] {
        set_mode(&file(&directory), mode);
        let error = Ledger::open(directory.path()).unwrap_err();
        assert!(matches!(&error, Error::Exposed { path, .. } if *path == file(&directory)), "{error:?}");
    }
    set_mode(&file(&directory), 0o600);
    Ledger::open(directory.path()).unwrap();
}

#[test]
fn links_in_place_of_the_directory_or_the_file_are_refused() {
    let real = private_directory();
    drop(Ledger::open(real.path()).unwrap());
    let other = private_directory();
    symlink(file(&real), file(&other)).unwrap();
    assert!(matches!(Ledger::open(other.path()), Err(Error::Irregular { expected: "file", .. })));
    fs::remove_file(file(&other)).unwrap();
    symlink("/nonexistent", file(&other)).unwrap();
    assert!(matches!(Ledger::open(other.path()), Err(Error::Irregular { expected: "file", .. })));
    let link = other.path().join("link");
    symlink(real.path(), &link).unwrap();
    assert!(matches!(Ledger::open(&link), Err(Error::Irregular { expected: "directory", .. })));
    assert!(matches!(Ledger::open(&file(&real)), Err(Error::Irregular { expected: "directory", .. })));
    fs::remove_file(file(&other)).unwrap();
    fs::create_dir(file(&other)).unwrap();
    assert!(matches!(Ledger::open(other.path()), Err(Error::Irregular { expected: "file", .. })));
}

#[test]
fn what_another_user_owns_is_refused() {
    const STRANGER: u32 = 61_001;
    let directory = private_directory();
    if !rustix::process::geteuid().is_root() {
        // An ordinary user can give nothing away, but finds what root owns.
        let error = Ledger::open(Path::new("/usr")).unwrap_err();
        assert!(matches!(error, Error::ForeignOwner { uid: 0, .. }), "{error:?}");
        return;
    }
    drop(Ledger::open(directory.path()).unwrap());
    let give = |path: &Path, uid| std::os::unix::fs::chown(path, Some(uid), None).unwrap();
    give(&file(&directory), STRANGER);
    assert!(matches!(Ledger::open(directory.path()), Err(Error::ForeignOwner { uid: STRANGER, .. })));
    give(&file(&directory), 0);
    give(directory.path(), STRANGER);
    assert!(matches!(Ledger::open(directory.path()), Err(Error::ForeignOwner { uid: STRANGER, .. })));
}

#[test]
fn looking_makes_nothing() {
    let directory = private_directory();
    assert!(Ledger::open_existing(directory.path()).unwrap().is_none());
    assert!(Ledger::open_existing(&directory.path().join("missing")).unwrap().is_none());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    drop(Ledger::open(directory.path()).unwrap());
    assert!(Ledger::open_existing(directory.path()).unwrap().is_some());
    assert!(matches!(Ledger::open(&directory.path().join("missing")), Err(Error::Place { act: "open", .. })));
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let directory = private_directory();
    drop(Ledger::open(directory.path()).unwrap());
    Connection::open(file(&directory)).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    let error = Ledger::open(directory.path()).unwrap_err();
    assert!(matches!(&error, Error::NewerSchema { found: 99, path, .. } if *path == file(&directory)));
    let version: i64 = Connection::open(file(&directory))
        .unwrap()
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap();
    assert_eq!(version, 99);
}

#[test]
fn a_start_cut_off_while_making_the_ledger_is_made_good() {
    let directory = private_directory();
    fs::write(file(&directory), b"").unwrap();
    set_mode(&file(&directory), 0o600);
    whole_life(&Ledger::open(directory.path()).unwrap(), 1);

    let directory = private_directory();
    Connection::open(file(&directory)).unwrap().execute_batch("PRAGMA journal_mode = WAL").unwrap();
    set_mode(&file(&directory), 0o600);
    whole_life(&Ledger::open(directory.path()).unwrap(), 1);
}

#[test]
fn a_damaged_file_is_named() {
    let is_damaged = |directory: &TempDir| {
        let result = Ledger::open(directory.path())
            .and_then(|ledger| ledger.sessions(&Filter { discarded: true, directory: None }).map(drop));
        let error = result.unwrap_err();
        assert!(matches!(&error, Error::Corrupt { path, .. } if *path == file(directory)), "{error:?}");
        assert!(error.to_string().contains("ledger.db"));
    };

    let directory = private_directory();
    fs::write(file(&directory), "this was never a ledger\n".repeat(400)).unwrap();
    set_mode(&file(&directory), 0o600);
    is_damaged(&directory);

    let directory = filled();
    overwrite(&file(&directory), 0, 16);
    is_damaged(&directory);

    let directory = filled();
    let length = fs::metadata(file(&directory)).unwrap().len();
    overwrite(&file(&directory), 4_096, length - 4_096);
    is_damaged(&directory);

    let directory = filled();
    fs::File::options().write(true).open(file(&directory)).unwrap().set_len(4_096 * 3).unwrap();
    is_damaged(&directory);
}

/// A ledger all of which is in its file, nothing in its log.
fn filled() -> TempDir {
    let directory = private_directory();
    let ledger = Ledger::open(directory.path()).unwrap();
    (0..20).for_each(|number| whole_life(&ledger, number));
    drop(ledger);
    Connection::open(file(&directory)).unwrap().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    directory
}

fn overwrite(path: &Path, from: u64, length: u64) {
    let mut file = fs::File::options().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(from)).unwrap();
    file.write_all(&vec![0xa5; usize::try_from(length).unwrap()]).unwrap();
}

#[test]
fn a_row_that_no_version_writes_is_named_not_guessed() {
    let directory = filled();
    let connection = Connection::open(file(&directory)).unwrap();
    connection.execute_batch("UPDATE sessions SET cell_kind = 'vm2' WHERE rowid = 1").unwrap();
    connection.execute_batch("UPDATE events SET body = '{\"forged\":1}' WHERE seq = 1").unwrap();
    let ledger = Ledger::open(directory.path()).unwrap();
    let error = ledger.session(&new_session(0).id).unwrap_err();
    assert!(matches!(&error, Error::Row { what: "cell_kind", .. }), "{error:?}");
    let error = ledger.events(None, 0, 1).unwrap_err();
    assert!(matches!(&error, Error::Row { what: "body", .. }), "{error:?}");
}

/// As above, with little room.
#[test]
fn process_without_room() {
    let Some((directory, _)) = child_arguments() else { return };
    let ledger = Ledger::open(&directory).unwrap();
    for number in 100.. {
        match ledger.begin_session(&new_session(number)) {
            Ok(_) => {}
            Err(error) => {
                fs::File::create(directory.join("what")).unwrap();
                assert!(
                    matches!(&error, Error::DiskFull { path, .. } | Error::Database { path, .. } if path.ends_with("ledger.db")),
                    "{error:?}"
                );
                // Nothing of the refused session is there, and reading still works.
                assert!(matches!(ledger.session(&new_session(number).id), Err(Error::NotFound { .. })));
                ledger.session(&new_session(number - 1).id).unwrap();
                return;
            }
        }
    }
}

#[test]
fn no_room_refuses_the_session_and_loses_none() {
    let directory = filled();
    // A limit on the size of files stands in for a full disk; the shell sets it for the child alone.
    let status = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 600; exec \"$0\" --exact process_without_room --quiet"])
        .arg(std::env::current_exe().unwrap())
        .env(DIRECTORY_VARIABLE, directory.path())
        .env(NUMBER_VARIABLE, "0")
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let ledger = Ledger::open(directory.path()).unwrap();
    let kept = ledger.sessions(&Filter::default()).unwrap().len();
    assert!(kept > 20);
    whole_life(&ledger, 99_999);
    assert_eq!(ledger.sessions(&Filter::default()).unwrap().len(), kept + 1);
}

#[test]
fn a_long_log_is_tidied_and_a_short_one_left() {
    let directory = private_directory();
    let log = directory.path().join("ledger.db-wal");
    let ledger = Ledger::open(directory.path()).unwrap();
    assert!(!ledger.tidy().unwrap());
    (0..100).for_each(|number| whole_life(&ledger, number));
    let before = fs::metadata(&log).unwrap().len();
    assert!(ledger.tidy().unwrap());
    let after = fs::metadata(&log).unwrap().len();
    assert!(after > 0 && after < before / 10, "{before} {after}");
    assert!(!ledger.tidy().unwrap());
    assert_eq!(ledger.sessions(&Filter::default()).unwrap().len(), 100);
}

#[test]
fn tidying_waits_for_nobody() {
    let directory = private_directory();
    let ledger = Ledger::open(directory.path()).unwrap();
    (0..100).for_each(|number| whole_life(&ledger, number));
    let writer = Connection::open(file(&directory)).unwrap();
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    let before = Instant::now();
    assert!(!ledger.tidy().unwrap());
    assert!(before.elapsed() < Duration::from_secs(10));
    writer.execute_batch("ROLLBACK").unwrap();
    assert!(ledger.tidy().unwrap());
}

#[test]
fn no_newline_of_a_body_is_in_the_file_as_such() {
    let directory = private_directory();
    let ledger = Ledger::open(directory.path()).unwrap();
    let new = NewSession { command: vec!["forged\nline".into()], authority: "{}".into(), ..new_session(1) };
    ledger.begin_session(&new).unwrap();
    let mut bytes = Vec::new();
    for name in ["ledger.db", "ledger.db-wal"] {
        fs::File::open(directory.path().join(name)).unwrap().read_to_end(&mut bytes).unwrap();
    }
    let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    assert!(holds(br"forged\nline"));
    assert!(!holds(b"forged\nline"));
}
