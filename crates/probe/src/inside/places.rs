//! Places of the system: its directories, its control files in `/proc` and `/sys`, the programs that are running.
//!
//! Control files are opened and closed; nothing is written to them.

use rustix::fs::{self, Access, Mode, OFlags};
use rustix::io::Errno;

use crate::attempt::{Attempt, Radius};
use crate::finding::{Finding, Gate};
use crate::inside::errno;
use crate::inside::proc;
use crate::plants::{Plant, PlantError, Plants};

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::forbidden("write-usr", "Creates a file in /usr.", "attacks 1", |_| create_in("/usr")),
    Attempt::forbidden("write-usr-bin", "Creates a file in /usr/bin.", "attacks 1", |_| {
        create_in("/usr/bin")
    }),
    Attempt::forbidden("write-usr-local-bin", "Creates a file in /usr/local/bin.", "attacks 1", |_| {
        create_in("/usr/local/bin")
    }),
    Attempt::forbidden("write-bin", "Creates a file in /bin.", "attacks 1", |_| create_in("/bin")),
    Attempt::forbidden("write-lib", "Creates a file in /lib.", "attacks 1", |_| create_in("/lib")),
    Attempt::forbidden("write-etc", "Creates a file in /etc.", "attacks 1", |_| create_in("/etc")),
    Attempt::forbidden("write-opt", "Creates a file in /opt.", "attacks 1", |_| create_in("/opt")),
    Attempt::forbidden("write-boot", "Creates a file in /boot.", "attacks 1", |_| create_in("/boot")),
    Attempt::forbidden("write-var-lib", "Creates a file in /var/lib.", "attacks 1", |_| {
        create_in("/var/lib")
    }),
    Attempt::forbidden("write-root", "Creates a file in the root directory.", "attacks 1", |_| {
        create_in("/")
    }),
    Attempt::forbidden("write-dev", "Creates a file in /dev.", "attacks 3", |_| create_in("/dev")),
    Attempt::forbidden("shadow-read", "Reads the host's password hashes.", "attacks 4", |_| {
        read("/etc/shadow")
    })
    .of(Radius::Credential),
    Attempt::forbidden("sys-write", "Opens control files of /sys for writing.", "attacks 4", |_| {
        write_any(SYS_FILES)
    }),
    Attempt::forbidden("sysctl-core-pattern", "Opens the core pattern for writing.", "CVE-2022-0811", |_| {
        write("/proc/sys/kernel/core_pattern")
    }),
    Attempt::forbidden("sysctl-modprobe", "Opens the module loader's path for writing.", "proc(5)", |_| {
        write("/proc/sys/kernel/modprobe")
    }),
    Attempt::forbidden("sysctl-write", "Opens sysctls of the machine for writing.", "proc(5)", |_| {
        write_any(SYSCTLS)
    }),
    Attempt::forbidden("sysrq-trigger", "Opens the SysRq trigger for writing.", "proc(5)", |_| {
        write("/proc/sysrq-trigger")
    }),
    Attempt::forbidden(
        "binfmt-register",
        "Opens the registry of binary formats for writing.",
        "proc(5)",
        |_| write("/proc/sys/fs/binfmt_misc/register"),
    ),
    Attempt::forbidden("kcore-read", "Opens the kernel's memory as a core file.", "proc(5)", |_| {
        open("/proc/kcore", OFlags::RDONLY)
    }),
    Attempt::forbidden("kmsg-proc", "Opens the kernel log in /proc.", "proc(5)", |_| {
        open("/proc/kmsg", OFlags::RDONLY)
    }),
    Attempt::forbidden("kallsyms-addresses", "Reads kernel addresses.", "kptr_restrict", |_| {
        kernel_addresses()
    })
    .if_present(),
    Attempt::forbidden("keys-list", "Lists the host's keys.", "keyrings(7)", |_| keys())
        .of(Radius::Credential)
        .if_present(),
    Attempt::forbidden("debugfs", "Lists debugfs or tracefs.", "attacks 4", |_| {
        list_any(&["/sys/kernel/debug", "/sys/kernel/tracing"])
    })
    .if_present(),
    Attempt::forbidden(
        "cgroup-procs",
        "Opens the process list of a cgroup for writing.",
        "cgroups(7)",
        |_| cgroup_file("cgroup.procs"),
    ),
    Attempt::forbidden(
        "cgroup-release-agent",
        "Opens a cgroup's release agent for writing.",
        "CVE-2022-0492",
        |_| cgroup_file("release_agent"),
    ),
    Attempt::forbidden(
        "own-exe-overwrite",
        "Overwrites the program that is running.",
        "CVE-2019-5736",
        |_| overwrite("/proc/self/exe"),
    ),
    Attempt::forbidden(
        "init-exe-overwrite",
        "Overwrites the program that pid 1 runs.",
        "CVE-2019-5736",
        |plants| overwrite(&format!("/proc/{}/exe", plants.pid(Plant::InitPid)?)),
    )
    .needs(&[Plant::InitPid]),
    Attempt::forbidden("host-name", "Learns the host's name.", "attacks 4", host_name)
        .needs(&[Plant::HostName]),
    Attempt::forbidden("machine-id", "Learns the host's machine id.", "machine-id(5)", machine_id)
        .needs(&[Plant::MachineId]),
];

const SYS_FILES: &[&str] = &[
    "/sys/power/state",
    "/sys/kernel/uevent_helper",
    "/sys/kernel/mm/transparent_hugepage/enabled",
    "/sys/kernel/mm/ksm/run",
    "/sys/block/vda/uevent",
    "/sys/class/net/lo/uevent",
    "/sys/devices/system/cpu/cpu1/online",
    "/sys/module/kernel/uevent",
];

const SYSCTLS: &[&str] = &[
    "/proc/sys/kernel/panic",
    "/proc/sys/kernel/sysrq",
    "/proc/sys/kernel/randomize_va_space",
    "/proc/sys/kernel/yama/ptrace_scope",
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/vm/drop_caches",
    "/proc/sys/fs/protected_symlinks",
    "/proc/sys/fs/suid_dumpable",
];

fn create_in(directory: &str) -> Result<Finding, PlantError> {
    let path = format!("{directory}/.cofferdam-probe-{}", std::process::id());
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let created = fs::open(&path, flags, Mode::from_raw_mode(0o600));
    if created.is_ok() {
        fs::unlink(&path).ok();
    }
    Ok(Gate::PATH.judge(directory, created))
}

fn open(path: &str, flags: OFlags) -> Result<Finding, PlantError> {
    Ok(try_open(path, flags))
}

fn try_open(path: &str, flags: OFlags) -> Finding {
    let flags = flags | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    Gate::PATH.judge(path, fs::open(path, flags, Mode::empty()))
}

fn write(path: &str) -> Result<Finding, PlantError> {
    open(path, OFlags::WRONLY)
}

fn read(path: &str) -> Result<Finding, PlantError> {
    Ok(Gate::PATH.judge(path, proc::read(path)))
}

fn write_any(paths: &[&str]) -> Result<Finding, PlantError> {
    Ok(Finding::strongest(paths.iter().map(|path| try_open(path, OFlags::WRONLY))))
}

fn list_any(paths: &[&str]) -> Result<Finding, PlantError> {
    Ok(Finding::strongest(paths.iter().map(|path| match proc::names(path) {
        Ok(names) if names.is_empty() => Finding::Held(format!("{path}: is empty")),
        answer => Gate::PATH.judge(path, answer),
    })))
}

fn kernel_addresses() -> Result<Finding, PlantError> {
    const PATH: &str = "/proc/kallsyms";
    Ok(match proc::read_text(PATH) {
        Ok(text) if text.is_empty() => Finding::Held(format!("{PATH}: is empty")),
        Ok(text) => {
            let shown = text.lines().any(|line| {
                line.split(' ').next().is_some_and(|address| address.bytes().any(|digit| digit != b'0'))
            });
            if shown {
                Finding::Reached(format!("{PATH}: addresses are shown"))
            } else {
                Finding::Held(format!("{PATH}: all addresses are zero"))
            }
        }
        failed @ Err(_) => Gate::PATH.judge(PATH, failed),
    })
}

fn keys() -> Result<Finding, PlantError> {
    const PATH: &str = "/proc/keys";
    Ok(match proc::read_text(PATH) {
        Ok(text) if text.trim().is_empty() => Finding::Held(format!("{PATH}: no key is listed")),
        Ok(text) => Finding::Reached(format!("{PATH}: {} keys are listed", text.lines().count())),
        failed @ Err(_) => Gate::PATH.judge(PATH, failed),
    })
}

/// The file in the cgroup root, in each version 1 hierarchy, and where a version 2 root may be beside them.
fn cgroup_file(name: &str) -> Result<Finding, PlantError> {
    const ROOT: &str = "/sys/fs/cgroup";
    let hierarchies = match proc::names(ROOT) {
        Ok(names) => names,
        failed @ Err(_) => return Ok(Gate::PATH.judge(ROOT, failed)),
    };
    let beneath = hierarchies.iter().map(|hierarchy| format!("{ROOT}/{hierarchy}/{name}"));
    let paths = std::iter::once(format!("{ROOT}/{name}")).chain(beneath);
    Ok(Finding::strongest(paths.map(|path| try_open(&path, OFlags::WRONLY))))
}

/// A running program is busy for whoever may write it, so that the mount and the mode decide.
fn overwrite(path: &str) -> Result<Finding, PlantError> {
    Ok(match fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()) {
        Err(Errno::TXTBSY) => match fs::access(path, Access::WRITE_OK) {
            Ok(()) => Finding::Reached(format!("{path}: ETXTBSY only, it may be written once it has ended")),
            Err(errno) => Finding::Refused(errno, format!("{path}: {}", errno::name(errno))),
        },
        answer => Gate::PATH.judge(path, answer),
    })
}

fn host_name(plants: &Plants) -> Result<Finding, PlantError> {
    let expected = plants.text(Plant::HostName)?;
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Ok(if name == expected {
        Finding::Reached(format!("the name here is the host's, {name}"))
    } else {
        Finding::Held(format!("the name here is {name}"))
    })
}

fn machine_id(plants: &Plants) -> Result<Finding, PlantError> {
    const PATHS: [&str; 2] = ["/etc/machine-id", "/var/lib/dbus/machine-id"];
    let expected = plants.text(Plant::MachineId)?;
    Ok(Finding::strongest(PATHS.iter().map(|path| match proc::read(path) {
        Ok(text) if proc::contains(&text, expected) => Finding::Reached(format!("{path}: is the host's")),
        Ok(_) => Finding::Held(format!("{path}: is another")),
        failed @ Err(_) => Gate::PATH.judge(path, failed),
    })))
}
