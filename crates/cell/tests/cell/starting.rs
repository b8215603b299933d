//! A cell stands, and shows the owner's files without writing them.

use crate::Promise;
use crate::process::Family;
use crate::scene::{Owner, Scene, start};
use cofferdam_policy::authority::Access;
use cofferdam_policy::event::ExitStatus;
use rustix::fd::AsFd as _;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

pub(crate) const PROMISES: &[Promise] = &[
    ("the_agent_works_on_the_owners_files_and_the_real_ones_stay", work_stays_inside),
    ("a_cell_that_is_not_begun_before_its_plan_is_there_stands_as_well", at_once),
    ("the_agent_is_the_owner_and_its_home_is_its_own", identity),
    ("a_resumed_cell_finds_its_layer_and_home_again", resume),
    ("a_file_that_is_mounted_into_the_home_can_be_mounted_again", file_mount_twice),
    ("what_the_host_holds_open_is_open_nowhere_in_the_cell", descriptors),
    ("a_socket_or_fifo_of_the_host_leads_nowhere", sockets),
];

fn work_stays_inside(owner: Owner) {
    let scene = Scene::of(owner);
    fs::write(scene.path("workspace/kept"), "before\n").unwrap();
    let (text, status) = scene.script("cat kept; echo after > kept; cat kept; mkdir new && rm kept && ls");
    assert_eq!((text.as_str(), status), ("before\nafter\nnew\n", ExitStatus::Code(0)));
    assert_eq!(fs::read_to_string(scene.path("workspace/kept")).unwrap(), "before\n");
    assert_eq!(fs::read_dir(scene.workspace()).unwrap().count(), 1);
    assert!(scene.path("layer/upper/new").is_dir());
}

fn at_once(owner: Owner) {
    let scene = Scene::of(owner);
    fs::write(scene.path("workspace/kept"), "before\n").unwrap();
    let (text, _) = start(&scene.plan()).unwrap().script(&scene.workspace(), "cat kept");
    assert_eq!(text, "before\n");
}

fn identity(owner: Owner) {
    let scene = Scene::of(owner);
    let (text, _) =
        scene.script("id -u; id -G; pwd; stat -c %u:%a . /home/owner; echo x > /home/owner/x; uname -n");
    let (uid, workspace) = (scene.uid(), scene.workspace());
    let shown = fs::metadata(&workspace).unwrap().mode() & 0o7777;
    let home = fs::metadata(scene.path("home")).unwrap().mode() & 0o7777;
    let expected = format!("{uid}\n{uid}\n{}\n{uid}:{shown:o}\n{uid}:{home:o}\ncell\n", workspace.display());
    assert_eq!(text, expected);
    assert_eq!(fs::read_to_string(scene.path("home/x")).unwrap(), "x\n");
}

fn resume(owner: Owner) {
    let scene = Scene::of(owner);
    let cell = scene.start();
    cell.script(&scene.workspace(), "echo one > work; echo two > /home/owner/note");
    let family = Family::of(cell.cell.guardian(), 2);
    drop(cell);
    family.assert_ended();
    scene.forget_volatile();
    let (text, _) = scene.script("cat work /home/owner/note");
    assert_eq!(text, "one\ntwo\n");
}

fn file_mount_twice(owner: Owner) {
    let mut scene = Scene::of(owner);
    fs::write(scene.path("settings"), "owner's\n").unwrap();
    scene.mount(&scene.path("settings"), &Scene::home(".config/settings"), Access::Ro, true);
    for run in 0..2 {
        if run == 1 {
            scene.forget_volatile();
        }
        let cell = scene.start();
        let (text, _) = cell.script(
            &Scene::home(""),
            "cat .config/settings; echo no 2> /dev/null > .config/settings; stat -c %u .config",
        );
        assert_eq!(text, format!("owner's\n{}\n", scene.uid()));
        let family = Family::of(cell.cell.guardian(), 2);
        drop(cell);
        family.assert_ended();
    }
}

fn descriptors(owner: Owner) {
    let scene = Scene::of(owner);
    // As a careless parent of the supervisor would leave it: not marked close-on-exec.
    let (reader, _writer) = rustix::pipe::pipe().unwrap();
    let name = format!("pipe:[{}]", rustix::fs::fstat(reader.as_fd()).unwrap().st_ino);
    let held = |process: &str| {
        let entries = fs::read_dir(format!("/proc/{process}/fd")).unwrap().flatten();
        entries
            .filter_map(|entry| fs::read_link(entry.path()).ok()?.to_str().map(str::to_owned))
            .collect::<Vec<_>>()
    };
    assert!(held("self").contains(&name), "the control: it is open here");
    let cell = scene.start();
    let (text, _) = cell.script(&scene.workspace(), "ls /proc/$$/fd");
    assert_eq!(text, "0\n1\n2\n", "the agent's");
    let family = Family::of(cell.cell.guardian(), 2);
    assert!(!held(&family.pid(0).to_string()).contains(&name), "the guardian's");
    if owner == Owner::Root {
        assert!(!held(&family.pid(1).to_string()).contains(&name), "pid 1's");
    }
}

fn sockets(owner: Owner) {
    let scene = Scene::of(owner);
    let _listener = std::os::unix::net::UnixListener::bind(scene.path("workspace/socket")).unwrap();
    std::os::unix::net::UnixStream::connect(scene.path("workspace/socket")).unwrap();
    let script = "perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0) or die; \
                  connect(S, sockaddr_un(\"socket\")) and die \"connected\"; print $!+0'";
    let (text, _) = scene.script(script);
    assert_eq!(text, libc::ECONNREFUSED.to_string());
}
