//! The filter, judged by an interpreter of its own instructions.

use super::*;
use cofferdam_syscall::filter::{
    AND, ARCHITECTURE_X86_64, JUMP_AT_LEAST, JUMP_EQUAL, LOAD, RETURN, RETURN_ALLOW, RETURN_ERRNO,
    RETURN_KILL_PROCESS, conditional, is_always,
};

/// Runs the program as the kernel would: the return value for one call.
fn verdict(program: &[Instruction], architecture: u32, number: i64, arguments: [u64; 6]) -> u32 {
    let low = |word: u64| u32::try_from(word & 0xFFFF_FFFF).unwrap();
    let mut words = vec![u32::try_from(number).unwrap(), architecture, 0, 0];
    for argument in arguments {
        words.push(low(argument));
        words.push(low(argument >> 32));
    }
    let (mut accumulator, mut at) = (0_u32, 0_usize);
    loop {
        let step = program[at];
        at += 1;
        let branch = |taken: bool| usize::from(if taken { step.jt } else { step.jf });
        match step.code {
            LOAD => accumulator = words[step.k as usize / 4],
            AND => accumulator &= step.k,
            JUMP_EQUAL => at += branch(accumulator == step.k),
            JUMP_AT_LEAST => at += branch(accumulator >= step.k),
            RETURN => return step.k,
            other => panic!("unknown instruction {other:#x}"),
        }
    }
}

fn call(number: i64, arguments: [u64; 6]) -> u32 {
    verdict(&filter(&[]), ARCHITECTURE_X86_64, number, arguments)
}

fn errno(errno: i32) -> u32 {
    RETURN_ERRNO | errno.unsigned_abs()
}

#[test]
fn a_call_that_is_not_named_is_refused() {
    for number in
        [libc::SYS_mount, libc::SYS_bpf, libc::SYS_kexec_load, libc::SYS_setns, libc::SYS_unshare, 336]
    {
        assert_eq!(call(number, [0; 6]), errno(libc::EPERM), "{number}");
    }
    assert_eq!(call(libc::SYS_read, [0; 6]), RETURN_ALLOW);
    assert_eq!(call(libc::SYS_openat, [0; 6]), RETURN_ALLOW);
}

#[test]
fn no_new_namespace_by_any_flag_of_clone() {
    for bit in [0x0002_0000_u64, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000]
    {
        assert_eq!(call(libc::SYS_clone, [bit | 17, 0, 0, 0, 0, 0]), errno(libc::EPERM), "{bit:#x}");
    }
    let thread = 0x003D_0F00;
    assert_eq!(call(libc::SYS_clone, [thread, 0, 0, 0, 0, 0]), RETURN_ALLOW);
    assert_eq!(call(libc::SYS_clone3, [0; 6]), errno(libc::ENOSYS));
}

#[test]
fn only_common_sockets_can_be_made() {
    let allowed = [(1, 5, 0), (2, 1, 0), (2, 2, 17), (10, 0x80801, 6), (16, 0x80003, 0)];
    for (family, kind, protocol) in allowed {
        assert_eq!(
            call(libc::SYS_socket, [family, kind, protocol, 0, 0, 0]),
            RETURN_ALLOW,
            "{family} {kind}"
        );
    }
    let refused = [
        (2, 3, 1),
        (2, 2, 1),
        (2, 1, 132),
        (2, 1, 262),
        (10, 1, 17),
        (10, 3, 58),
        (16, 3, 9),
        (17, 3, 0),
        (38, 5, 0),
        (40, 1, 0),
        (0, 0, 0),
    ];
    for (family, kind, protocol) in refused {
        let verdict = call(libc::SYS_socket, [family, kind, protocol, 0, 0, 0]);
        assert_eq!(verdict, errno(libc::EAFNOSUPPORT), "{family} {kind}");
    }
}

/// Every condition of the rule counts: what is a hair beside an allowed socket is none.
#[test]
fn no_socket_of_another_family_kind_or_protocol_can_be_made() {
    let (program, mut allowed) = (filter(&[]), 0);
    for (family, kind) in (0..=46_u64).flat_map(|family| (0..=10_u64).map(move |kind| (family, kind))) {
        for protocol in [0, 1, 2, 6, 9, 12, 15, 16, 17, 33, 58, 132, 136, 255, 262] {
            let expected = match (family, kind, protocol) {
                (1, _, _) | (2 | 10, 1, 0 | 6) | (2 | 10, 2, 0 | 17) | (16, _, 0) => RETURN_ALLOW,
                _ => errno(libc::EAFNOSUPPORT),
            };
            let arguments = [family, kind, protocol, 0, 0, 0];
            let verdict = verdict(&program, ARCHITECTURE_X86_64, libc::SYS_socket, arguments);
            assert_eq!(verdict, expected, "{family} {kind} {protocol}");
            allowed += u32::from(verdict == RETURN_ALLOW);
        }
    }
    assert_eq!(allowed, 11 * 15 + 8 + 11);
}

#[test]
fn pairs_of_sockets_are_unix_sockets() {
    for family in 0..=46_u64 {
        let expected = if family == 1 { RETURN_ALLOW } else { errno(libc::EAFNOSUPPORT) };
        assert_eq!(call(libc::SYS_socketpair, [family, 1, 0, 0, 0, 0]), expected, "{family}");
    }
}

/// `personality(2)`: an old layout of memory, or pages that are data and code at once, help who attacks a program.
#[test]
fn no_personality_that_weakens_a_program_can_be_taken() {
    for persona in [0, 0x4_0000, 0xFFFF_FFFF] {
        assert_eq!(call(libc::SYS_personality, [persona, 0, 0, 0, 0, 0]), RETURN_ALLOW, "{persona:#x}");
    }
    for persona in
        (0..32).map(|bit| 1_u64 << bit).filter(|&persona| persona != 0x4_0000).chain([0x44_0000, 8, 12])
    {
        assert_eq!(call(libc::SYS_personality, [persona, 0, 0, 0, 0, 0]), errno(libc::EPERM), "{persona:#x}");
    }
}

#[test]
fn nothing_can_be_typed_into_a_terminal_from_behind() {
    for command in [0x5412, 0x541C, 0x541D, 0x5423, 0xFFFF_FFFF_0000_5412] {
        assert_eq!(call(libc::SYS_ioctl, [0, command, 0, 0, 0, 0]), errno(libc::EPERM), "{command:#x}");
    }
    assert_eq!(call(libc::SYS_ioctl, [0, 0x5413, 0, 0, 0, 0]), RETURN_ALLOW);
}

#[test]
fn no_device_node_and_no_whiteout_can_be_made() {
    for kind in [0o020_666, 0o060_666, 0o020_000] {
        assert_eq!(call(libc::SYS_mknodat, [0, 0, kind, 0, 0, 0]), errno(libc::EPERM));
        assert_eq!(call(libc::SYS_mknod, [0, kind, 0, 0, 0, 0]), errno(libc::EPERM));
    }
    assert_eq!(call(libc::SYS_mknodat, [0, 0, 0o010_644, 0, 0, 0]), RETURN_ALLOW);
}

#[test]
fn calls_of_other_architectures_end_the_process() {
    let program = filter(&[]);
    assert_eq!(verdict(&program, 0x4000_0003, libc::SYS_read, [0; 6]), RETURN_KILL_PROCESS);
    assert_eq!(verdict(&program, ARCHITECTURE_X86_64, 0x4000_0000, [0; 6]), errno(libc::ENOSYS));
}

#[test]
fn the_chromium_profile_widens_exactly_three_calls() {
    let program = filter(&[Profile::Chromium]);
    let of = |number: i64, flags: u64| verdict(&program, ARCHITECTURE_X86_64, number, [flags, 0, 0, 0, 0, 0]);
    let user_pid_net = 0x7000_0000;
    assert_eq!(of(libc::SYS_clone, user_pid_net), RETURN_ALLOW);
    assert_eq!(of(libc::SYS_unshare, 0x1000_0000), RETURN_ALLOW);
    assert_eq!(of(libc::SYS_unshare, 0x0002_0000), errno(libc::EPERM), "no mount namespace");
    assert_eq!(of(libc::SYS_chroot, 0), RETURN_ALLOW);
    assert_eq!(of(libc::SYS_mount, 0), errno(libc::EPERM));
    let before = filter(&[]);
    let differing = (0..512).filter(|&n| {
        (verdict(&before, ARCHITECTURE_X86_64, n, [user_pid_net; 6]))
            != verdict(&program, ARCHITECTURE_X86_64, n, [user_pid_net; 6])
    });
    assert_eq!(differing.count(), 3);
}

#[test]
fn a_call_newer_than_the_table_does_not_exist() {
    for number in [470, 999, 0x3FFF_FFFF, 0xFFFF_FFFF] {
        assert_eq!(call(number, [0; 6]), errno(libc::ENOSYS), "{number}");
    }
}

#[test]
fn the_limit_on_core_dumps_stays_where_no_dump_program_is_started() {
    let pretended = RETURN_ERRNO;
    assert_eq!(call(libc::SYS_setrlimit, [4, 0x1000, 0, 0, 0, 0]), pretended);
    assert_eq!(call(libc::SYS_prlimit64, [0, 4, 0x1000, 0, 0, 0]), pretended);
    assert_eq!(call(libc::SYS_prlimit64, [77, 4, 0x1000, 0, 0, 0]), pretended);
    assert_eq!(call(libc::SYS_prlimit64, [0, 4, 0x1_0000_0000, 0, 0, 0]), pretended, "low word of a pointer");
    assert_eq!(call(libc::SYS_prlimit64, [0, 0xFFFF_FFFF_0000_0004, 1, 0, 0, 0]), pretended);
    assert_eq!(call(libc::SYS_prlimit64, [0, 4, 0, 0x1000, 0, 0]), RETURN_ALLOW, "reading it");
    assert_eq!(call(libc::SYS_prlimit64, [0, 7, 0x1000, 0, 0, 0]), RETURN_ALLOW);
    assert_eq!(call(libc::SYS_setrlimit, [7, 0x1000, 0, 0, 0, 0]), RETURN_ALLOW);
}

#[test]
fn nobody_sets_the_limits_of_pid_1() {
    for resource in [0, 4, 6, 7] {
        assert_eq!(
            call(libc::SYS_prlimit64, [1, resource, 0x1000, 0, 0, 0]),
            errno(libc::EPERM),
            "{resource}"
        );
    }
}

#[test]
fn every_rule_is_short_enough_to_be_jumped_over() {
    for rule in table::RULED.iter().chain(table::CHROMIUM).filter(|rule| !is_always(rule)) {
        let mut program = Vec::new();
        conditional(rule, &mut program);
        assert!(!program.is_empty(), "{}", rule.number);
    }
}

#[test]
fn the_filter_is_short_enough_for_the_kernel() {
    assert!(filter(&Profile::ALL).len() < 4096);
}

#[test]
fn no_call_that_reaches_beyond_the_cell_is_allowed_with_any_arguments() {
    let program = filter(&[]);
    for &number in REFUSED {
        for arguments in [[0; 6], [1; 6], [u64::MAX; 6], [0, 1, 2, 3, 4, 5]] {
            let verdict = verdict(&program, ARCHITECTURE_X86_64, number, arguments);
            assert!([errno(libc::EPERM), errno(libc::ENOSYS)].contains(&verdict), "{number}: {verdict:#x}");
        }
    }
    assert_eq!(call(libc::SYS_getpid, [0; 6]), RETURN_ALLOW);
}

/// Every call of x86-64 that is not for a program in a cell, up to Linux 6.18; by number where the headers
/// that are used lack it: create_module, get_kernel_syms, query_module, uretprobe, uprobe, statmount, listmount, lsm_get_self_attr, lsm_set_self_attr, lsm_list_modules,
/// open_tree_attr, file_getattr, file_setattr.
#[rustfmt::skip]
const REFUSED: &[i64] = &[
    libc::SYS_syslog, libc::SYS_uselib, libc::SYS_ustat, libc::SYS_sysfs, libc::SYS_vhangup,
    libc::SYS_modify_ldt, libc::SYS_pivot_root, libc::SYS__sysctl, libc::SYS_adjtimex, libc::SYS_chroot,
    libc::SYS_acct, libc::SYS_settimeofday, libc::SYS_mount, libc::SYS_umount2, libc::SYS_swapon,
    libc::SYS_swapoff, libc::SYS_reboot, libc::SYS_sethostname, libc::SYS_setdomainname, libc::SYS_iopl,
    libc::SYS_ioperm, 174, libc::SYS_init_module, libc::SYS_delete_module,
    177, 178, libc::SYS_quotactl, libc::SYS_nfsservctl,
    libc::SYS_getpmsg, libc::SYS_putpmsg, libc::SYS_afs_syscall, libc::SYS_tuxcall, libc::SYS_security,
    libc::SYS_lookup_dcookie, libc::SYS_clock_settime, libc::SYS_vserver, libc::SYS_kexec_load,
    libc::SYS_add_key, libc::SYS_request_key, libc::SYS_keyctl, libc::SYS_migrate_pages,
    libc::SYS_unshare, libc::SYS_move_pages, libc::SYS_perf_event_open, libc::SYS_fanotify_init,
    libc::SYS_fanotify_mark, libc::SYS_name_to_handle_at, libc::SYS_open_by_handle_at,
    libc::SYS_clock_adjtime, libc::SYS_setns, libc::SYS_finit_module, libc::SYS_kexec_file_load,
    libc::SYS_bpf, libc::SYS_userfaultfd, libc::SYS_io_uring_setup, libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register, libc::SYS_open_tree, libc::SYS_move_mount, libc::SYS_fsopen,
    libc::SYS_fsconfig, libc::SYS_fsmount, libc::SYS_fspick, libc::SYS_clone3, libc::SYS_pidfd_getfd,
    libc::SYS_mount_setattr, libc::SYS_quotactl_fd, libc::SYS_memfd_secret, libc::SYS_process_mrelease,
    libc::SYS_set_mempolicy_home_node, 335, 336, 457, 458, 459, 460, 461, 467, 468, 469,
];
