//! System calls that no child needs (seccomp, <https://docs.kernel.org/userspace-api/seccomp_filter.html>).
//!
//! Landlock knows files and TCP. A datagram, a socket in the file system (Postgres and container engines have one) and the
//! rarely used parts of the kernel, where its errors mostly are, are closed here.

use std::collections::BTreeMap;
use std::env::consts::ARCH;

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter,
};

/// They reach other processes, mounts, modules, keys, the clock, or ways around these rules.
const DENIED: [i64; 40] = [
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_adjtimex,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kcmp,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_move_mount,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pivot_root,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
];
/// The kinds of sockets other than streams, in the low bits of the second argument of `socket`.
const OTHER_SOCKETS: [i32; 6] =
    [libc::SOCK_DGRAM, libc::SOCK_RAW, libc::SOCK_RDM, libc::SOCK_SEQPACKET, libc::SOCK_DCCP, SOCK_PACKET];
/// Obsolete, and still the whole traffic of the machine for a privileged user.
const SOCK_PACKET: i32 = 10;
/// The bits that are the kind; others are flags.
const KIND_OF_SOCKET: u64 = 0xf;

/// Denies these calls to the thread and all that it starts from now on; `streams`: sockets of TCP are permitted, whose
/// connections Landlock restricts. A denied call fails with `EPERM`.
///
/// # Errors
/// The kernel has no seccomp, or the processor is not one that is supported.
pub(crate) fn restrict_thread(streams: bool) -> Result<(), seccompiler::Error> {
    apply_filter(&filter(streams)?)
}

fn filter(streams: bool) -> Result<BpfProgram, seccompiler::Error> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = DENIED.iter().map(|call| (*call, Vec::new())).collect();
    rules.insert(libc::SYS_socket, if streams { all_but_tcp()? } else { Vec::new() });
    let denied = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, denied, ARCH.try_into()?)?;
    Ok(filter.try_into()?)
}

/// Sockets of another family than IP, and other sockets than streams.
fn all_but_tcp() -> Result<Vec<SeccompRule>, seccompiler::Error> {
    let condition = |argument, operator, value: i32| {
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, u64::from(value.cast_unsigned()))
    };
    let family = [libc::AF_INET, libc::AF_INET6].map(|family| condition(0, SeccompCmpOp::Ne, family));
    let family = SeccompRule::new(family.into_iter().collect::<Result<_, _>>()?)?;
    let kinds = OTHER_SOCKETS
        .iter()
        .map(|kind| SeccompRule::new(vec![condition(1, SeccompCmpOp::MaskedEq(KIND_OF_SOCKET), *kind)?]));
    Ok(kinds.chain([Ok(family)]).collect::<Result<_, _>>()?)
}
