//! Tests that notice what the probe can't: each mutant that has one is tried against it.

use crate::copy::Built;
use crate::mutant::Mutant;
use crate::program;
use cofferdam_testkit::Owner;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Mutants whose name begins so, the test binary, and words that the tests' names hold, with `OWNER` for `root` or
/// `ordinary`. Tests of the crate `cell` run for both owners.
const TESTS: &[(&str, &str, &str)] = &[
    ("call ", CELL_UNITS, "seccomp::"),
    ("condition ", CELL_UNITS, "seccomp::"),
    ("filter ", CELL_UNITS, "seccomp::"),
    ("act launcher-own-session", CELL, "a_signal_from_the_owners_terminal"),
    ("act launcher-leaves-directory", CELL, "a_cell_keeps_no_directory_of_the_owners_in_use"),
    ("act landlock", CELL, "refused_by_landlock"),
    ("entry ", CELL, "refused_by_landlock"),
    ("act lifeline-wakes", CELL, "killed_while_the_guardian_is_stopped"),
    ("act guardian-ends-cell", CELL, "killed_while_pid_1_is_stopped"),
    ("act plan-continues", CELL, "a_plan_that_does_not_continue"),
    ("act init-plan-continues", CELL, "a_plan_that_does_not_continue"),
    ("act source-same-inode", CELL, "a_workspace_that_was_replaced"),
    ("act source-ids", CELL, "the_agent_works_on_the_owners_files"),
    ("act view-own-namespace", CELL, "a_refresh_shows"),
    ("act source-no-links", CELL, "a_workspace_that_became_a_link"),
    ("act init-dies-with-guardian", CELL, "nothing_outlives_a_killed_guardian"),
    ("act init-dies-with-guardian", CELL, "nothing_outlives_a_guardian_killed_while_pid_1_is_stopped"),
    ("act init-joins-groups", ESCAPE, "root::resources::memory_ends_at_its_limit_or_the_limit_is_refused"),
    ("group ", ESCAPE, "root::resources::memory_ends_at_its_limit_or_the_limit_is_refused"),
    ("act init-leaves-keyring", CELL, "the_owners_keys_are_not_to_be_seen"),
    ("step bind /proc/key", CELL, "the_owners_keys_are_not_to_be_seen"),
    ("act init-not-dumpable", CELL, "pid_1_can_be_neither"),
    ("act inner-namespace", CELL, "pid_1_can_be_neither"),
    ("act entry-inner-namespace", CELL, "pid_1_can_be_neither"),
    ("act namespace-limits", CELL, "a_fork_bomb_is_bounded"),
    ("act namespace-limits", CELL, "share_its_limit"),
    ("act namespace-limits", CELL, "other_processes_do_not_count"),
    (
        "act limit-watches",
        ESCAPE,
        "OWNER::resources::a_session_gets_half_of_the_owners_watches_and_cannot_take_more",
    ),
    ("act entry-own-session", CELL, "a_program_leads_a_session_of_its_own"),
    ("act entry-groups", CELL, "a_program_leads_a_session_of_its_own"),
    ("act init-drops-groups", CELL, "a_program_leads_a_session_of_its_own"),
    ("act umask-afterwards", CELL, "a_program_begins_with_nothing"),
    ("act entry-own-", CELL, "a_program_with_a_terminal"),
    ("act entry-closes-descriptors", CELL, "a_program_begins_with_nothing"),
    ("act entry-closes-descriptors", CELL, "is_open_nowhere_in_the_cell"),
    ("act entry-limits", CELL, "no_crash_starts_a_dump_program"),
    ("act entry-limits", ESCAPE, "OWNER::resources::open_files_end_at_their_limit"),
    ("limit ", CELL, "every_limit_of_the_plan_holds"),
    ("limit Core", CELL, "no_crash_starts_a_dump_program"),
    ("limit OpenFiles", ESCAPE, "OWNER::resources::open_files_end_at_their_limit"),
    ("limit Processes", ESCAPE, "OWNER::resources::a_fork_bomb_ends_at_the_limit_of_processes"),
    (
        "limit ",
        ESCAPE,
        "OWNER::resources::what_is_counted_for_each_user_ends_in_the_cell_before_it_ends_for_the_owner",
    ),
    ("act entry-", CELL, "a_program_begins_with_nothing"),
    ("act entry-", CELL, "the_agent_is_the_owner"),
    ("act entry-not-dumpable", CELL, "an_entering_process_that_the_agent_stops"),
    ("act bind-leads-nowhere", CELL, "a_fifo_is_never_bound"),
    ("act targets-beneath", CELL, "link_that_the_agent_left_in_its_home"),
    ("act refresh-parent-writable", CELL, "a_mount_directly_below_the_root"),
    ("act empties-the-cell", ESCAPE, "OWNER::lifecycle::stop_ends_programs_that_ignore_being_asked"),
    ("act redirect", CELL, "every_connection_arrives"),
    ("act routes-all-local", CELL, "datagrams_to_anywhere"),
    (
        "value mount a tmpfs at /tmp",
        ESCAPE,
        "OWNER::resources::a_full_tmp_is_full_at_its_size_in_bytes_and_in_files",
    ),
    ("value mount ", ESCAPE, "OWNER::secrets::secrets_are_masked_at_any_depth_and_their_neighbours_are_not"),
    ("value mount ", ESCAPE, "OWNER::mounts::"),
    ("value make the stage", ESCAPE, "OWNER::mounts::"),
    ("act view-unmounts-stage", ESCAPE, "OWNER::mounts::"),
    ("act empties-the-cell", ESCAPE, "OWNER::lifecycle::killing_the_program_ends_all"),
    ("act landlock-device-nodes", CELL_UNITS, "landlock::"),
    ("act mounts-", ESCAPE, "OWNER::mounts::"),
    ("act overlay-read-only", ESCAPE, "OWNER::mounts::"),
    ("act bind-attributes", ESCAPE, "OWNER::mounts::"),
];

/// The unit tests of the crate `cell`, and its real cells, which are mutants themselves; the escape suite.
const CELL_UNITS: &str = "cofferdam-cell";
const CELL: &str = "cell";
const ESCAPE: &str = "escape-cell";

/// What one test may take.
const SECONDS_MAX: &str = "300";

/// The test that fails with this mutant, if one does: twice, and never without it.
pub(crate) fn notices(built: &Built, mutant: &Mutant, owner: Owner) -> Option<String> {
    let tests = TESTS.iter().filter(|(prefix, _, _)| mutant.name.starts_with(prefix));
    let owner = if owner == Owner::Root { "root" } else { "ordinary" };
    let mut tests = tests.map(|(_, binary, test)| (binary, test.replace("OWNER", owner)));
    tests.find_map(|(binary, test)| {
        let failed = fails(built, Some(mutant), binary, &test)?;
        fails(built, Some(mutant), binary, &test)?;
        passes_soundly(built, binary, &test).then(|| format!("test {binary} {failed}"))
    })
}

/// The control: a test that fails in a sound cell too notices nothing.
fn passes_soundly(built: &Built, binary: &str, test: &str) -> bool {
    static KNOWN: Mutex<BTreeMap<String, bool>> = Mutex::new(BTreeMap::new());
    let name = format!("{binary} {test}");
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).get(&name).copied();
    known.unwrap_or_else(|| {
        let failed = fails(built, None, binary, test);
        if let Some(failed) = &failed {
            println!("{binary} {failed} fails without a mutant too");
        }
        KNOWN.lock().unwrap_or_else(PoisonError::into_inner).insert(name, failed.is_none());
        failed.is_none()
    })
}

/// Runs the tests of this name with the mutant in the product's place; the first that fails.
fn fails(built: &Built, mutant: Option<&Mutant>, binary: &str, test: &str) -> Option<String> {
    let directory = tempfile::tempdir_in(&built.scratch).unwrap();
    let tests = directory.path().join("tests");
    let program = built.tests.get(binary).unwrap_or_else(|| panic!("no test binary {binary}"));
    let mutates_itself = [CELL_UNITS, CELL].contains(&binary);
    if mutates_itself {
        program::write(program, mutant, &tests);
    } else {
        program::write_all(&built.product, mutant, directory.path());
    }
    // The test binary's own name is nobody's concern but the crate `cell`'s, whose launcher is the test itself.
    let ended = contained(if mutates_itself { &tests } else { program })
        .args([test, "--test-threads=1"])
        .env("NEXTEST_BIN_EXE_cofferdam", directory.path().join("cofferdam"))
        .env("NEXTEST_BIN_EXE_cofferdam-cell", directory.path().join("cofferdam-cell"))
        .env("NEXTEST_BIN_EXE_cofferdam-gateway", built.programs.join("cofferdam-gateway"))
        .env("NEXTEST_BIN_EXE_cofferdam-probe", built.programs.join("cofferdam-probe"))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .unwrap();
    if ended.status.success() {
        return None;
    }
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    let failed = said.lines().find_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
    Some(failed.unwrap_or(test).to_owned())
}

/// A command for this program, which ends within [`SECONDS_MAX`]. A cell that lost what ends it may go on for ever: as
/// root, nothing of it outlives the test.
fn contained(program: &Path) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", SECONDS_MAX]);
    if Owner::current() == Owner::Root {
        command.args(["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]);
    }
    command.arg(program);
    command
}
