//! How everything that a cell shows is mounted, as the kernel tells it inside.

use super::scene::Scene;

/// A mounted directory: where, its flags, and its kind of file system.
struct Mounted {
    place: String,
    flags: Vec<String>,
    kind: String,
}

fn mounted(scene: &Scene) -> Vec<Mounted> {
    // What stands before the dash is optional.
    let script = "while read -r _ _ _ _ place flags rest; do kind=${rest#*- }; \
                  [ -d \"$place\" ] && echo \"$place $flags ${kind%% *}\"; done < /proc/self/mountinfo; true";
    let bin = scene.home.probe();
    let run = scene.cofferdam(["run", "--rm", "--mount"]).arg(bin.parent().unwrap());
    let run = run.args(["--", "sh", "-c", script]).run();
    let text = run.assert_success().stdout();
    let line = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let flags = words[1].split(',').map(str::to_owned).collect();
        Mounted { place: words[0].to_owned(), flags, kind: words[2].to_owned() }
    };
    text.lines().map(line).collect()
}

/// Through a bind mount a socket or FIFO of the host's would lead there. The agent's home is the session's own.
#[test]
fn every_directory_of_the_hosts_is_shown_through_an_overlay() {
    let scene = Scene::set();
    let all = mounted(&scene);
    let overlays = all.iter().filter(|mounted| mounted.kind == "overlay").count();
    assert!(overlays >= 4, "/etc, /usr, the workspace and the mount: {overlays}");
    let home = scene.home.home();
    for mounted in &all {
        let of_the_kernel = ["overlay", "tmpfs", "proc", "devpts", "mqueue"].contains(&mounted.kind.as_str());
        let is_home = mounted.place == home.to_string_lossy();
        assert!(of_the_kernel || is_home, "{} is bound from a {}", mounted.place, mounted.kind);
    }
}

#[test]
fn no_mount_has_set_user_id_programs_or_device_nodes_and_only_the_workspace_is_an_overlay_to_write_to() {
    let scene = Scene::set();
    let project = scene.project();
    for mounted in mounted(&scene) {
        let has = |flag: &str| mounted.flags.iter().any(|found| found == flag);
        assert!(has("nosuid"), "{}: {:?}", mounted.place, mounted.flags);
        assert!(has("nodev") || mounted.kind == "devpts", "{}: {:?}", mounted.place, mounted.flags);
        let below_project = std::path::Path::new(&mounted.place).starts_with(&project);
        if mounted.kind == "overlay" && !below_project {
            assert!(has("ro"), "{}: {:?}", mounted.place, mounted.flags);
        }
        if ["/", "/dev"].contains(&mounted.place.as_str()) {
            assert!(has("ro"), "{}: {:?}", mounted.place, mounted.flags);
        }
    }
}

/// What the view was built on, and the sources without their veils, would lie above it: `/..` leads to what is mounted over
/// the root.
#[test]
fn nothing_lies_above_the_root() {
    let scene = Scene::set();
    let script = "[ / -ef /.. ] && [ / -ef /../.. ] && echo the same; ls -a /..";
    let run = scene.cofferdam(["run", "--rm", "--", "sh", "-c", script]).run();
    let text = run.assert_success().stdout();
    assert!(text.starts_with("the same\n") && text.lines().any(|name| name == "usr"), "{text}");
    assert!(!text.lines().any(|name| name == "src"), "{text}");
    let roots = mounted(&scene).iter().filter(|mounted| mounted.place == "/").count();
    assert_eq!(roots, 1);
}

/// What fills up is bounded, in bytes and in files: what is not would be the machine's memory. The kernel shows 0 for no
/// bound, and nothing for half of the memory.
#[test]
fn every_file_system_in_memory_has_a_size() {
    let scene = Scene::set();
    let script = "while read -r _ _ _ _ place _ rest; do case ${rest#*- } in tmpfs*) echo \"$place ${rest##* }\";; esac; \
                  done < /proc/self/mountinfo";
    let run = scene.cofferdam(["run", "--rm", "--", "sh", "-c", script]).run();
    let text = run.assert_success().stdout();
    let places: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    for place in ["/", "/dev", "/dev/shm", "/run", "/tmp", "/var/tmp"] {
        assert!(places.contains(&place), "{place}: {text}");
    }
    for line in text.lines() {
        let options = || line.rsplit(' ').next().unwrap().split(',');
        let bound = |name: &str| options().find_map(|option| option.strip_prefix(name)).unwrap_or("0");
        for name in ["size=", "nr_inodes="] {
            assert!(bound(name).starts_with(|first| ('1'..='9').contains(&first)), "{name} {line}");
        }
    }
}
