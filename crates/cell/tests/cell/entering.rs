//! What a program gets and does not get on its way in, and what the supervisor hears when it can't enter.

use crate::Promise;
use crate::scene::{Owner, Scene};
use cofferdam_cell::{EntryStage, Order, Report};
use cofferdam_policy::event::ExitStatus;
use std::io::Read as _;
use std::path::Path;

pub(crate) const PROMISES: &[Promise] = &[
    ("a_program_that_can_not_be_started_is_refused_with_stage_and_errno", stages),
    ("a_program_begins_with_nothing_of_ours", begins_with_nothing),
    ("a_program_with_a_terminal_has_one_of_its_own", terminal),
    ("a_program_leads_a_session_of_its_own_without_the_owners_groups", session_of_its_own),
    ("pid_1_can_be_neither_seen_nor_signalled_nor_limited", pid_1),
    ("an_entering_process_that_the_agent_stops_holds_up_nobody", stopped_on_entry),
    ("the_owners_keys_are_not_to_be_seen", keys),
    ("no_crash_starts_a_dump_program_on_the_host", core_limit),
];

fn stages(owner: Owner) {
    let scene = Scene::of(owner);
    std::fs::write(scene.path("workspace/plain"), "").unwrap();
    let cell = scene.start();
    let here = scene.workspace();
    assert_eq!(cell.refusal(&here, &["no-such-program"]), (EntryStage::Exec, libc::ENOENT));
    assert_eq!(cell.refusal(&here, &["./plain"]), (EntryStage::Exec, libc::EACCES));
    assert_eq!(cell.refusal(&here, &["/usr"]), (EntryStage::Exec, libc::EACCES));
    assert_eq!(cell.refusal(Path::new("/nowhere"), &["true"]), (EntryStage::Directory, libc::ENOENT));
    assert_eq!(cell.refusal(&here, &[""]), (EntryStage::Order, libc::EINVAL));
    assert_eq!(cell.script(&here, "exit 7").1, ExitStatus::Code(7), "the cell goes on");
    assert_eq!(cell.script(&here, "kill -9 $$").1, ExitStatus::Signal(9));
}

fn begins_with_nothing(owner: Owner) {
    let scene = Scene::of(owner);
    let script = "grep -E '^(Sig(Blk|Ign)|Shd?Pnd|Cap...|NoNewPrivs|Seccomp):' /proc/self/status | tr -s '\\t ' ' '; \
                  umask; echo $PPID; ps -o tty= -p $$; env | sort | grep -v ^_";
    let (text, _) = scene.script(script);
    let zeroes = "0000000000000000";
    let expected = format!(
        "ShdPnd: {zeroes}\nSigBlk: {zeroes}\nSigIgn: {zeroes}\nCapInh: {zeroes}\nCapPrm: {zeroes}\nCapEff: {zeroes}\n\
         CapBnd: {zeroes}\nCapAmb: {zeroes}\nNoNewPrivs: 1\nSeccomp: 2\n0022\n1\n?\nLC_ALL=C\nPATH=/usr/bin:/bin:/usr/sbin\nPWD={}\n",
        scene.workspace().display()
    );
    assert_eq!(text, expected);
}

/// Nobody reaches it by the group or the terminal of another, and it has no group of uid 0's. (An ordinary owner can't
/// give groups up: theirs are shown as nobody's.)
fn session_of_its_own(owner: Owner) {
    let (text, _) =
        Scene::of(owner).script("ps -o sid=,pgid= -p $$; echo $$ $$; grep ^Groups: /proc/self/status");
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], lines[1], "{text}");
    if matches!(owner, Owner::Root) {
        assert_eq!(lines[2], ["Groups:"], "{text}");
    }
}

fn terminal(owner: Owner) {
    let scene = Scene::of(owner);
    let cell = scene.start();
    let controlling =
        cell.order_with_terminal(&scene.workspace(), &["sh", "-c", "tty; stty size; exec < /dev/tty"]);
    let mut text = Vec::new();
    // A terminal whose other side is gone ends with EIO.
    let ended = std::fs::File::from(controlling).read_to_end(&mut text);
    assert_eq!(ended.err().and_then(|error| error.raw_os_error()), Some(libc::EIO));
    assert_eq!(String::from_utf8(text).unwrap(), "/dev/pts/0\r\n24 80\r\n");
}

fn pid_1(owner: Owner) {
    let scene = Scene::of(owner);
    let cell = scene.start();
    let script = "ls -d /proc/1 2>&1; kill -9 1; kill -STOP 1; kill -9 -1; prlimit --pid 1 --nofile=3 2>&1; echo; \
                  prlimit --pid $$ --nofile=30 && ulimit -n";
    let (text, _) = cell.script(&scene.workspace(), script);
    assert!(text.starts_with("ls: cannot access '/proc/1': No such file or directory\n"), "{text}");
    assert!(text.contains("Operation not permitted"), "{text}");
    assert!(text.ends_with("\n30\n"), "the control: its own limits it can set: {text}");
    assert_eq!(cell.script(&scene.workspace(), "exit 0").1, ExitStatus::Code(0), "pid 1 does its work");
}

/// Between fork and exec a process has the agent's ids already; a loop of signals is bound to hit it there.
fn stopped_on_entry(owner: Owner) {
    let scene = Scene::of(owner);
    let cell = scene.start();
    let (_, _loop) = cell.run(&scene.workspace(), &["perl", "-e", "while (1) { kill 'STOP', -1 }"]);
    let orders: Vec<_> = (0..20).map(|_| cell.order(&scene.workspace(), &["true"])).collect();
    // Pid 1 still answers: the refresh is refused, because the workspace is held, and not forgotten.
    cell.cell.order(&Order::Refresh).unwrap();
    while !matches!(cell.hear().0, Report::NotRefreshed { errno: libc::EBUSY, .. }) {}
    drop(orders);
}

fn keys(owner: Owner) {
    let scene = Scene::of(owner);
    let (text, status) = scene.script("cat /proc/keys /proc/key-users");
    assert_eq!((text.as_str(), status), ("", ExitStatus::Code(0)));
}

/// At one byte the kernel starts no dump program (`core(5)` keeps silent about it; `fs/coredump.c` does not).
fn core_limit(owner: Owner) {
    let scene = Scene::of(owner);
    let script =
        "ulimit -c 0; ulimit -Hc 0; prlimit --pid $$ --core=0; grep core /proc/self/limits | tr -s ' '";
    assert_eq!(scene.script(script).0, "Max core file size 1 1 bytes \n");
}
