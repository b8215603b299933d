//! Confining the calling process for good: seccomp filters, Landlock rules and a session keyring of its own.

use crate::process::{check, last_errno};
use rustix::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use rustix::io::Errno;
use std::ptr;

/// One instruction of a classic BPF program (`struct sock_filter`).
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// Operation.
    pub code: u16,
    /// Jump if true, in instructions.
    pub jt: u8,
    /// Jump if false, in instructions.
    pub jf: u8,
    /// Operand.
    pub k: u32,
}

/// Installs a seccomp filter on the calling thread; `no_new_privs` must be set, or `CAP_SYS_ADMIN` held.
///
/// # Errors
/// The kernel's: `EINVAL` for a program that it can't verify, `EACCES` without `no_new_privs`.
pub fn install_filter(program: &[Instruction]) -> Result<(), Errno> {
    let length = u16::try_from(program.len()).ok().ok_or(Errno::TOOBIG)?;
    let description = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut().cast() };
    // SAFETY: `Instruction` has the layout of `sock_filter`; the program outlives the call, which copies it and
    // does not write through the pointer.
    let result = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, ptr::from_ref(&description))
    };
    check(result)
}

/// Landlock access rights to files (`LANDLOCK_ACCESS_FS_*`), as bits.
pub type LandlockRights = u64;

/// The version of Landlock that this kernel has, from 1.
///
/// # Errors
/// `ENOSYS` where it is not built in, `EOPNOTSUPP` where it is switched off at boot.
pub fn landlock_version() -> Result<u32, Errno> {
    const VERSION_FLAG: u32 = 1;
    // SAFETY: with the version flag the kernel wants a null attribute of size zero and only returns a number.
    let result =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, ptr::null::<u8>(), 0_usize, VERSION_FLAG) };
    check(result)?;
    u32::try_from(result).ok().ok_or(Errno::INVAL)
}

#[repr(C)]
struct RulesetAttribute {
    handled_access_fs: u64,
    handled_access_net: u64,
    scoped: u64,
}

/// A ruleset that denies `handled` everywhere but where rules allow it, and confines to itself what `scoped` names.
///
/// # Errors
/// The kernel's: `EINVAL` for rights that this version does not know.
pub fn landlock_ruleset(version: u32, handled: LandlockRights, scoped: u64) -> Result<OwnedFd, Errno> {
    let attribute = RulesetAttribute { handled_access_fs: handled, handled_access_net: 0, scoped };
    let size = match version {
        0..=3 => 8,
        4..=5 => 16,
        _ => size_of::<RulesetAttribute>(),
    };
    // SAFETY: the attribute lives across the call and is at least `size` bytes long.
    let result =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, ptr::from_ref(&attribute), size, 0_u32) };
    check(result)?;
    let descriptor = i32::try_from(result).ok().ok_or(Errno::INVAL)?;
    // SAFETY: the kernel returned a new descriptor, which nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

#[repr(C, packed)]
struct PathRule {
    allowed_access: u64,
    parent: i32,
}

/// Allows `rights` on `path` and all below it.
///
/// # Errors
/// The kernel's: `EINVAL` for rights that the ruleset does not handle or that make no sense on a file.
pub fn landlock_allow(
    ruleset: BorrowedFd<'_>,
    path: BorrowedFd<'_>,
    rights: LandlockRights,
) -> Result<(), Errno> {
    const PATH_BENEATH: u32 = 1;
    let rule = PathRule { allowed_access: rights, parent: path.as_raw_fd() };
    // SAFETY: the rule has the kernel's packed layout and lives across the call; both descriptors are borrowed.
    let result = unsafe {
        libc::syscall(
            libc::SYS_landlock_add_rule,
            ruleset.as_raw_fd(),
            PATH_BENEATH,
            ptr::from_ref(&rule),
            0_u32,
        )
    };
    check(result)
}

/// Confines the calling thread to the ruleset, for good; `no_new_privs` must be set.
///
/// # Errors
/// The kernel's: `E2BIG` past 16 nested rulesets.
pub fn landlock_confine(ruleset: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: a borrowed descriptor and a plain number.
    let result = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0_u32) };
    if result == -1 { Err(last_errno()) } else { Ok(()) }
}

/// Leaves the inherited session keyring for a new, empty one without a name (`keyctl(2)`,
/// `KEYCTL_JOIN_SESSION_KEYRING`).
///
/// # Errors
/// The kernel's: `ENOSYS` where it has no keyrings, `EDQUOT` past the user's number of keys.
pub fn join_empty_keyring() -> Result<(), Errno> {
    const JOIN_SESSION_KEYRING: libc::c_long = 1;
    // SAFETY: a null name asks for an anonymous keyring; no memory of ours is read or written.
    let result =
        unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, ptr::null::<libc::c_char>()) };
    check(result)
}
