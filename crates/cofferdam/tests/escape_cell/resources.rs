//! What a program uses up ends at the limit, and at the session: its neighbours and the owner have theirs.
//!
//! Floods that fill logs, pipes and disks are in `slow_escape_cell`.

use std::time::Duration;

use serde_json::Value;

use super::scene::Scene;

/// The exit code of a limit that was asked for and has no mechanism on this machine.
const UNENFORCEABLE: u8 = 203;

/// One attempt of the probe under limits; each held at its limit, and below it nothing is in the way.
#[track_caller]
fn flood(scene: &Scene, limit: &str, id: &str, plant: &str) -> Value {
    let run = scene.probe(["--rm", "--limit", limit]).args(["try", id, plant]).run();
    run.assert_success().json()
}

#[test]
fn a_fork_bomb_ends_at_the_limit_of_processes() {
    let scene = Scene::set();
    let held = flood(&scene, "processes=40", "flood-processes", "cap-processes=400");
    assert_eq!((&held["outcome"], &held["errno"]), (&"refused".into(), &"EAGAIN".into()), "{held}");
    let held = flood(&scene, "processes=40", "flood-threads", "cap-threads=400");
    assert_eq!((&held["outcome"], &held["errno"]), (&"refused".into(), &"EAGAIN".into()), "{held}");
    let free = flood(&scene, "processes=200", "flood-processes", "cap-processes=60");
    assert_eq!(free["outcome"], "reached", "the control: {free}");
    scene.home.wait_until_quiet();
}

#[test]
fn a_session_at_its_limit_takes_nothing_from_its_neighbour() {
    let scene = Scene::set();
    let fill = "i=0; while [ $i -lt 28 ]; do sleep 600 & i=$((i+1)); done; echo filled; wait";
    let full = scene.cofferdam(["run", "--limit", "processes=32", "--", "/bin/sh", "-c", fill]).start();
    full.wait_for_output("filled");
    let free = flood(&scene, "processes=32", "flood-processes", "cap-processes=20");
    assert_eq!(free["outcome"], "reached", "{free}");
    // And the owner is not bound by it either.
    scene.home.invoke("/bin/sh").args(["-c", "true & true & true & wait"]).run().assert_success();
}

#[test]
fn memory_ends_at_its_limit_or_the_limit_is_refused() {
    let scene = Scene::set();
    let run =
        scene.probe(["--limit", "memory=64M"]).args(["try", "flood-memory", "cap-memory-mib=512"]).run();
    if run.status.code() == Some(i32::from(UNENFORCEABLE)) {
        let is_root = super::OWNER == cofferdam_testkit::Owner::Root;
        assert!(!is_root || !root_can_make_memory_groups(), "root has control groups: {run}");
        run.assert_refused(UNENFORCEABLE, &["memory", "why:", "try:"]);
        return;
    }
    let held = run.assert_success().json();
    assert_eq!(held["outcome"], "refused", "{held}");
    let free = flood(&scene, "memory=256M", "flood-memory", "cap-memory-mib=32");
    assert_eq!(free["outcome"], "reached", "the control: {free}");
}

/// Whether the old hierarchy that holds memory is there and writable; a machine or container may lack it.
fn root_can_make_memory_groups() -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    mounts.lines().any(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        let has = |option: &str| fields[3].split(',').any(|found| found == option);
        fields[2] == "cgroup" && has("memory") && has("rw")
    })
}

#[test]
fn a_full_tmp_is_full_at_its_size_in_bytes_and_in_files() {
    let scene = Scene::set();
    let held = flood(&scene, "tmp=8M", "flood-disk-scratch", "cap-disk-mib=64");
    assert_eq!((&held["outcome"], &held["errno"]), (&"refused".into(), &"ENOSPC".into()), "{held}");
    let free = flood(&scene, "tmp=64M", "flood-disk-scratch", "cap-disk-mib=8");
    assert_eq!(free["outcome"], "reached", "the control: {free}");
    // So many files that they are tried in `slow_escape_cell`; here, that there is an end to them at all.
    let said =
        scene.cofferdam(["run", "--rm", "--", "stat", "-f", "-c", "%c", "/tmp", "/dev/shm", "/run"]).run();
    let inodes: Vec<u64> = said.assert_success().stdout().lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(inodes.len(), 3, "{said}");
    assert!(inodes.iter().all(|count| (1..=1 << 20).contains(count)), "{said}");
}

#[test]
fn open_files_end_at_their_limit() {
    let scene = Scene::set();
    let held = flood(&scene, "files=64", "flood-open-files", "cap-open-files=2000");
    assert_eq!((&held["outcome"], &held["errno"]), (&"refused".into(), &"EMFILE".into()), "{held}");
    let free = flood(&scene, "files=512", "flood-open-files", "cap-open-files=100");
    assert_eq!(free["outcome"], "reached", "the control: {free}");
}

/// Signals, watchers and terminals are counted over all processes of a user: the owner's ran out with the cell's.
#[test]
fn what_is_counted_for_each_user_ends_in_the_cell_before_it_ends_for_the_owner() {
    let scene = Scene::set();
    for (id, cap, below, above, errno) in [
        ("flood-signals", "cap-signals", 4_000, 4_200, "EAGAIN"),
        ("flood-watchers", "cap-watchers", 40, 60, "EMFILE"),
        // The kernel's ENOSPC, which posix_openpt(3) calls EAGAIN.
        ("flood-terminals", "cap-terminals", 250, 300, "EAGAIN"),
    ] {
        let held = flood(&scene, "files=2000", id, &format!("{cap}={above}"));
        assert_eq!((&held["outcome"], &held["errno"]), (&"refused".into(), &errno.into()), "{held}");
        let free = flood(&scene, "files=2000", id, &format!("{cap}={below}"));
        assert_eq!(free["outcome"], "reached", "the control: {free}");
        let outside = scene.home.invoke(scene.home.probe()).args(["try", id, &format!("{cap}={above}")]);
        let outside = outside.run().assert_success().json();
        assert_eq!(outside["outcome"], "reached", "the control: it is the cell's limit: {outside}");
    }
}

/// Not flooded, since there are hundreds of thousands: the kernel says what it permits, and keeps it for all that is
/// made in the namespace.
#[test]
fn a_session_gets_half_of_the_owners_watches_and_cannot_take_more() {
    let scene = Scene::set();
    let file = "/proc/sys/user/max_inotify_watches";
    let ask = format!("cat {file}; echo 1000000000 > {file} 2> /dev/null && echo raised; cat {file}");
    let inside = scene.cofferdam(["run", "--rm", "--", "/bin/sh", "-c", &ask]).run();
    let inside = inside.assert_success().stdout();
    let owners = std::fs::read_to_string("/proc/sys/fs/inotify/max_user_watches").unwrap();
    let half = owners.trim().parse::<u64>().unwrap() / 2;
    assert_eq!(inside, format!("{half}\n{half}\n"));
    let free = flood(&scene, "files=200", "flood-watches", "cap-watches=1000");
    assert_eq!(free["outcome"], "reached", "the control: {free}");
}

#[test]
fn a_limit_of_the_disk_is_kept_or_refused() {
    let scene = Scene::set();
    let workspace = format!("workspace={}", scene.project().display());
    let run = scene.probe(["--limit", "disk=4M"]).args(["try", "flood-disk-workspace", "cap-disk-mib=64"]);
    let run = run.arg(workspace).run();
    if run.status.code() == Some(i32::from(UNENFORCEABLE)) {
        run.assert_refused(UNENFORCEABLE, &["disk", "why:", "try:"]);
        return;
    }
    assert_eq!(run.assert_success().json()["outcome"], "refused", "{run}");
}

/// What is looked at after a session must not cost what the agent says it is.
#[test]
fn a_huge_sparse_file_neither_fills_the_disk_nor_delays_the_owner() {
    let scene = Scene::set();
    let run = scene.cofferdam(["run", "--json", "--", "truncate", "-s", "10T", "huge"]);
    let run = run.run_within(Duration::from_secs(10));
    assert!(run.assert_success().json()["changes"].to_string().contains("huge"), "the control: {run}");
    let shown = scene.cofferdam(["show", "--json"]).run_within(Duration::from_secs(10));
    assert!(shown.assert_success().stdout().contains("huge"), "{shown}");
    scene.cofferdam(["discard", "-f", "project"]).run_within(Duration::from_secs(10)).assert_success();
}
