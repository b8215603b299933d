//! Calls that concern the whole machine: modules, keys, tracing, clocks, old calls, other ways into the kernel.
//!
//! Each names, as `or_beyond`, the errnos that the kernel gives only after the permission check, so that a call
//! with inert arguments counts as reached where it would have worked.

use cofferdam_syscall::raw::{Act, ClockAct, ForeignAbi, KernelAct, attempt};
use rustix::io::Errno;
use rustix::system::{setdomainname, sethostname, uname};

use crate::attempt::Attempt;
use crate::finding::{Finding, Gate};
use crate::plants::PlantError;

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::forbidden("add-key", "Adds a key.", "CVE-2016-0728", |_| act(KernelAct::AddKey, &[])),
    Attempt::forbidden("request-key", "Asks for a key.", "request_key(2)", |_| {
        act(KernelAct::RequestKey, &[Errno::NOKEY])
    }),
    Attempt::forbidden("keyctl", "Looks up the user keyring.", "keyctl(2)", |_| {
        act(KernelAct::KeyctlUserKeyring, &[Errno::NOKEY])
    }),
    Attempt::forbidden("keyctl-join-session", "Makes a new session keyring.", "keyctl(2)", |_| {
        act(KernelAct::KeyctlJoinSession, &[])
    }),
    Attempt::forbidden("bpf", "Makes a BPF map.", "CVE-2021-3490", |_| act(KernelAct::Bpf, &[])),
    Attempt::forbidden("perf-event-open", "Counts events of its own.", "CVE-2013-2094", |_| {
        act(KernelAct::PerfEventOpen, &[Errno::NOENT, Errno::OPNOTSUPP])
    }),
    Attempt::forbidden("userfaultfd", "Handles its own page faults.", "attacks 6", |_| {
        act(KernelAct::Userfaultfd, &[])
    }),
    Attempt::forbidden("io-uring-setup", "Sets up an io_uring.", "CVE-2022-29582", |_| {
        act(KernelAct::IoUringSetup, &[])
    }),
    Attempt::forbidden("kexec-load", "Loads another kernel.", "kexec_load(2)", |_| {
        act(KernelAct::KexecLoad, &[Errno::INVAL])
    }),
    Attempt::forbidden("kexec-file-load", "Loads another kernel from a file.", "kexec_file_load(2)", |_| {
        act(KernelAct::KexecFileLoad, &[Errno::BADF, Errno::INVAL])
    }),
    Attempt::forbidden("init-module", "Loads a module.", "init_module(2)", |_| {
        act(KernelAct::InitModule, &[Errno::NOEXEC])
    }),
    Attempt::forbidden("finit-module", "Loads a module from a file.", "init_module(2)", |_| {
        act(KernelAct::FinitModule, &[Errno::BADF])
    }),
    Attempt::forbidden("delete-module", "Unloads a module.", "delete_module(2)", |_| {
        act(KernelAct::DeleteModule, &[Errno::NOENT])
    }),
    Attempt::forbidden("open-by-handle-at", "Opens a file by its handle.", "CVE-2014-3519", |_| {
        act(KernelAct::OpenByHandleAt, &[Errno::STALE, Errno::INVAL, Errno::OPNOTSUPP])
    }),
    Attempt::forbidden("name-to-handle-at", "Learns the handle of a file.", "open_by_handle_at(2)", |_| {
        act(KernelAct::NameToHandleAt, &[Errno::OVERFLOW, Errno::OPNOTSUPP])
    }),
    Attempt::forbidden("syslog", "Asks the kernel log for its size.", "syslog(2)", |_| {
        act(KernelAct::Syslog, &[])
    }),
    Attempt::forbidden("reboot", "Reboots, with a wrong magic number.", "reboot(2)", |_| {
        act(KernelAct::Reboot, &[Errno::INVAL])
    }),
    Attempt::forbidden("swapon", "Swaps to an absent file.", "swapon(2)", |_| {
        act(KernelAct::Swapon, &[Errno::NOENT])
    }),
    Attempt::forbidden("swapoff", "Ends swapping to an absent file.", "swapon(2)", |_| {
        act(KernelAct::Swapoff, &[Errno::NOENT, Errno::INVAL])
    }),
    Attempt::forbidden("quotactl", "Enters the kernel by quotactl at all.", "quotactl(2)", |_| {
        act(KernelAct::Quotactl, &[Errno::NODEV, Errno::NOENT, Errno::INVAL, Errno::FAULT, Errno::NOTBLK])
    }),
    Attempt::forbidden("acct", "Switches process accounting to an absent file.", "acct(2)", |_| {
        act(KernelAct::Acct, &[Errno::NOENT])
    }),
    Attempt::forbidden("fanotify-init", "Watches all files of a mount.", "attacks 6", |_| {
        act(KernelAct::FanotifyInit, &[])
    }),
    Attempt::forbidden("lookup-dcookie", "Enters the kernel by lookup_dcookie.", "lookup_dcookie(2)", |_| {
        act(KernelAct::LookupDcookie, &[Errno::INVAL, Errno::FAULT])
    }),
    Attempt::forbidden("uselib", "Enters the kernel by uselib.", "uselib(2)", |_| {
        act(KernelAct::Uselib, &[Errno::NOENT])
    }),
    Attempt::forbidden("sysfs-call", "Enters the kernel by sysfs.", "sysfs(2)", |_| {
        act(KernelAct::Sysfs, &[])
    }),
    Attempt::forbidden("iopl", "Takes the right to all I/O ports.", "iopl(2)", |_| act(KernelAct::Iopl, &[])),
    Attempt::forbidden("ioperm", "Takes the right to one I/O port.", "ioperm(2)", |_| {
        act(KernelAct::Ioperm, &[])
    }),
    Attempt::forbidden("modify-ldt", "Reads its local descriptor table.", "CVE-2015-5157", |_| {
        act(KernelAct::ModifyLdt, &[])
    }),
    Attempt::forbidden("set-mempolicy", "Sets its memory policy to the default.", "set_mempolicy(2)", |_| {
        act(KernelAct::SetMempolicy, &[])
    }),
    Attempt::forbidden("schedule-real-time", "Runs before all else.", "sched_setscheduler(2)", |_| {
        act(KernelAct::ScheduleRealTime, &[])
    }),
    Attempt::forbidden("io-priority-real-time", "Reads and writes before all else.", "ioprio_set(2)", |_| {
        act(KernelAct::IoPriorityRealTime, &[])
    }),
    Attempt::forbidden("abi-x32", "Enters the kernel by an x32 call.", "attacks 6", |_| {
        Ok(Gate::CALL.judge("getpid by x32", attempt(Act::Foreign(ForeignAbi::X32))))
    }),
    Attempt::forbidden("abi-int80", "Enters the kernel by a 32-bit call.", "attacks 6", |_| {
        Ok(Gate::CALL.judge("getpid by int 0x80", attempt(Act::Foreign(ForeignAbi::Int80))))
    }),
    Attempt::forbidden("settimeofday", "Sets the clock.", "settimeofday(2)", |_| {
        Ok(Gate::CALL.judge("settimeofday", attempt(Act::Clock(ClockAct::Settimeofday))))
    }),
    Attempt::forbidden("clock-settime", "Sets the clock to what it shows.", "clock_settime(2)", |_| {
        clock_settime()
    }),
    Attempt::forbidden("adjtimex", "Sets the clock's tick to what it is.", "adjtimex(2)", |_| {
        Ok(Gate::CALL.judge("adjtimex", attempt(Act::Clock(ClockAct::Adjtimex))))
    }),
    Attempt::forbidden("sethostname", "Sets the host name to what it is.", "sethostname(2)", |_| {
        Ok(Gate::CALL.judge("sethostname", sethostname(uname().nodename().to_bytes())))
    }),
    Attempt::forbidden("setdomainname", "Sets the domain name to what it is.", "setdomainname(2)", |_| {
        Ok(Gate::CALL.judge("setdomainname", setdomainname(uname().domainname().to_bytes())))
    }),
];

fn act(what: KernelAct, beyond: &'static [Errno]) -> Result<Finding, PlantError> {
    Ok(Gate::CALL.or_beyond(beyond).judge(&format!("{what:?}"), attempt(Act::Kernel(what))))
}

/// Sets nothing where the harmless question has already shown that it could.
fn clock_settime() -> Result<Finding, PlantError> {
    Ok(match attempt(Act::Clock(ClockAct::Settimeofday)) {
        Ok(_) => Finding::Reached("settimeofday shows the right to; the clock was left alone".to_owned()),
        Err(_) => Gate::CALL.judge("clock_settime", attempt(Act::Clock(ClockAct::SetToNow))),
    })
}
