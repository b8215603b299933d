//! Devices: nodes that are there, nodes that are made, and terminals that a program could type into.
//!
//! Nodes are opened without becoming anyone's terminal and closed; watchdogs are never opened, as closing one can
//! reboot the machine.

use std::os::fd::AsFd as _;

use cofferdam_syscall::raw::{Act, TerminalAct, attempt};
use rustix::fs::{self, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::attempt::Attempt;
use crate::finding::{Finding, Gate};
use crate::inside::errno;
use crate::inside::files::scratch_name;
use crate::inside::proc;
use crate::plants::{PlantError, Plants};

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::forbidden("dev-mem", "Opens the machine's memory.", "mem(4)", |_| {
        open_any(&["/dev/mem", "/dev/kmem"])
    }),
    Attempt::forbidden("dev-port", "Opens the I/O ports.", "mem(4)", |_| open_any(&["/dev/port"])),
    Attempt::forbidden("dev-kmsg", "Opens the kernel log.", "attacks 4", |_| open_any(&["/dev/kmsg"])),
    Attempt::forbidden("dev-disk", "Opens a disk.", "attacks 3", |_| {
        open_any(&[
            "/dev/sda",
            "/dev/vda",
            "/dev/xvda",
            "/dev/nvme0n1",
            "/dev/mmcblk0",
            "/dev/dm-0",
            "/dev/md0",
            "/dev/zram0",
        ])
    }),
    Attempt::forbidden("dev-loop", "Opens a loop device.", "loop(4)", |_| {
        open_any(&["/dev/loop-control", "/dev/loop0"])
    }),
    Attempt::forbidden("dev-mapper", "Opens the device mapper.", "attacks 3", |_| {
        open_any(&["/dev/mapper/control", "/dev/btrfs-control"])
    }),
    Attempt::forbidden("dev-kvm", "Opens the hypervisor.", "attacks 6", |_| open_any(&["/dev/kvm"])),
    Attempt::forbidden("dev-fuse", "Opens FUSE.", "fuse(4)", |_| {
        open_any(&["/dev/fuse", "/dev/cuse", "/dev/autofs"])
    }),
    Attempt::forbidden("dev-tun", "Opens the network tunnel.", "attacks 6", |_| {
        open_any(&["/dev/net/tun", "/dev/ppp"])
    }),
    Attempt::forbidden("dev-vsock", "Opens the hypervisor's sockets.", "vsock(7)", |_| {
        open_any(&["/dev/vsock", "/dev/vhost-vsock", "/dev/vhost-net"])
    }),
    Attempt::forbidden("dev-userfaultfd", "Opens page faults of any process.", "userfaultfd(2)", |_| {
        open_any(&["/dev/userfaultfd"])
    }),
    Attempt::forbidden("dev-console", "Opens a virtual console.", "console_ioctl(4)", |_| {
        open_any(&["/dev/tty0", "/dev/tty1", "/dev/vcs", "/dev/vcsa1"])
    }),
    Attempt::forbidden("dev-input", "Opens keyboards and pointers.", "attacks 5", |_| {
        open_any(&["/dev/input/event0", "/dev/uinput", "/dev/uhid", "/dev/hidraw0"])
    }),
    Attempt::forbidden("dev-graphics", "Opens a graphics device.", "attacks 5", |_| {
        open_any(&["/dev/dri/card0", "/dev/dri/renderD128", "/dev/fb0", "/dev/vga_arbiter", "/dev/nvidiactl"])
    }),
    Attempt::forbidden("dev-sound", "Opens a sound device.", "attacks 5", |_| {
        open_any(&["/dev/snd/seq", "/dev/snd/timer", "/dev/mixer"])
    }),
    Attempt::forbidden("dev-processor", "Opens a processor's registers.", "msr(4)", |_| {
        open_any(&["/dev/cpu/0/msr", "/dev/cpu/0/cpuid", "/dev/cpu_dma_latency"])
    }),
    Attempt::forbidden("dev-firmware", "Opens firmware and its storage.", "attacks 4", |_| {
        open_any(&["/dev/nvram", "/dev/hpet", "/dev/rtc0", "/dev/tpm0", "/dev/hwrng"])
    }),
    Attempt::forbidden(
        "dev-unexpected",
        "Finds a node that a plain /dev does not have.",
        "attacks 3",
        |_| unexpected(),
    )
    .if_present(),
    Attempt::forbidden("dev-terminals", "Opens a terminal that is not its own.", "attacks 21", |_| {
        foreign_terminals()
    })
    .if_present(),
    Attempt::forbidden("mknod-char", "Makes a character device and opens it.", "mknod(2)", |plants| {
        make(plants, FileType::CharacterDevice, fs::makedev(1, 3))
    }),
    Attempt::forbidden("mknod-block", "Makes a block device and opens it.", "mknod(2)", |plants| {
        make(plants, FileType::BlockDevice, fs::makedev(7, 0))
    }),
    Attempt::forbidden("tiocsti", "Types into its terminal.", "CVE-2017-5226", |_| {
        terminal(TerminalAct::PushInput)
    }),
    Attempt::forbidden("tioclinux", "Pastes into its console.", "CVE-2023-28100", |_| {
        terminal(TerminalAct::Console)
    }),
];

/// What a plain `/dev` has, and no more.
const PLAIN_NODES: [&str; 15] = [
    "null", "zero", "full", "random", "urandom", "tty", "console", "ptmx", "pts", "shm", "fd", "stdin",
    "stdout", "stderr", "mqueue",
];

fn open(path: &str) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    fs::open(path, flags, Mode::empty()).map(|_| ())
}

fn open_any(paths: &[&str]) -> Result<Finding, PlantError> {
    // A device that is busy, or has no medium, has let the caller in.
    let gate = Gate::PATH.or_beyond(&[Errno::BUSY, Errno::IO, Errno::NOMEDIUM]);
    Ok(Finding::strongest(paths.iter().map(|path| gate.judge(path, open(path)))))
}

fn unexpected() -> Result<Finding, PlantError> {
    let names = match proc::names("/dev") {
        Ok(names) => names,
        failed @ Err(_) => return Ok(Gate::PATH.judge("/dev", failed)),
    };
    let odd: Vec<_> =
        names.iter().filter(|name| !PLAIN_NODES.contains(&name.as_str()) && *name != "core").collect();
    Ok(match odd.first() {
        Some(first) => {
            Finding::Reached(format!("{} more nodes than a plain /dev, {first} among them", odd.len()))
        }
        None => Finding::Held(format!("{} names, all of a plain /dev", names.len())),
    })
}

fn foreign_terminals() -> Result<Finding, PlantError> {
    let own: Vec<_> = (0..3).filter_map(|fd| proc::link(&format!("/proc/self/fd/{fd}")).ok()).collect();
    let names = match proc::names("/dev/pts") {
        Ok(names) => names,
        failed @ Err(_) => return Ok(Gate::PATH.judge("/dev/pts", failed)),
    };
    let paths = names.iter().filter(|name| *name != "ptmx").map(|name| format!("/dev/pts/{name}"));
    let foreign: Vec<_> = paths.filter(|path| !own.contains(path)).collect();
    Ok(match foreign.iter().find(|path| open(path).is_ok()) {
        Some(path) => Finding::Reached(format!("{path} opens")),
        None => Finding::Held(format!("{} other terminals, none opens", foreign.len())),
    })
}

fn make(plants: &Plants, kind: FileType, device: fs::Dev) -> Result<Finding, PlantError> {
    let path = scratch_name(plants, "node");
    if let failed @ Err(_) = fs::mknodat(fs::CWD, &path, kind, Mode::from_raw_mode(0o600), device) {
        return Ok(Gate::PATH.judge("mknod", failed));
    }
    let opened = open(&path);
    fs::unlink(&path).ok();
    Ok(match opened {
        Err(errno @ (Errno::ACCESS | Errno::PERM)) => {
            Finding::Refused(errno, format!("made, and dead: opening it gives {}", errno::name(errno)))
        }
        answer => Gate::PATH.or_beyond(&[Errno::BUSY, Errno::NXIO]).judge("mknod and open", answer),
    })
}

/// With a null pointer: who may, gets `EFAULT`. Without a terminal a filter still shows, on no descriptor at all.
fn terminal(what: TerminalAct) -> Result<Finding, PlantError> {
    let act = format!("{what:?}");
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let own = fs::open("/dev/tty", flags, Mode::empty()).ok();
    Ok(match attempt(Act::Terminal(what, own.as_ref().map(|fd| fd.as_fd()))) {
        Err(Errno::BADF) if own.is_none() => {
            Finding::Inapplicable(format!("{act}: there is no terminal, and no filter of the request"))
        }
        Err(Errno::NOTTY) => {
            Finding::Inapplicable(format!("{act}: ENOTTY, the terminal has no such request"))
        }
        // `dev.tty.legacy_tiocsti` off.
        Err(Errno::IO) => Finding::Refused(Errno::IO, format!("{act}: EIO, switched off in this kernel")),
        answer => Gate::CALL.or_beyond(&[Errno::FAULT]).judge(&act, answer),
    })
}
