//! The system calls that a confined process may make.
//!
//! All others are answered as by a kernel that does not have them, which libraries know how to live with. Among them are
//! those that start programs, reach the network or other processes, and change what the process may do.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter,
};

/// What a call needs of files: those of its mounts, and those that it was given.
const FILES: &[c_long] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_preadv,
    libc::SYS_pwritev,
    libc::SYS_preadv2,
    libc::SYS_pwritev2,
    libc::SYS_copy_file_range,
    libc::SYS_sendfile,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_dup,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_flock,
    libc::SYS_fchmod,
    libc::SYS_memfd_create,
    libc::SYS_fadvise64,
    libc::SYS_getcwd,
];

/// What memory, threads, clocks and the runtimes of Rust and WebAssembly need.
const RUNTIME: &[c_long] = &[
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_mincore,
    libc::SYS_membarrier,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getcpu,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_geteuid,
    libc::SYS_getuid,
    libc::SYS_getegid,
    libc::SYS_getgid,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getrusage,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// What the socket to the sandbox needs; there is no other, and none can be made.
const SOCKET: &[c_long] = &[libc::SYS_sendmsg, libc::SYS_recvmsg, libc::SYS_recvfrom, libc::SYS_ppoll];

/// The older forms of some, which only some architectures have.
#[cfg(target_arch = "x86_64")]
const OLD: &[c_long] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_mkdir,
    libc::SYS_rename,
    libc::SYS_rmdir,
    libc::SYS_unlink,
    libc::SYS_poll,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD: &[c_long] = &[];

/// What a thread may share with its process no longer.
const NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWUTS,
];

/// Lets this thread, and those that it starts, make no other system calls.
pub(super) fn install() -> Result<(), Error> {
    let always = [FILES, RUNTIME, SOCKET, OLD].concat().into_iter().map(|call| (call, Vec::new()));
    let mut rules: BTreeMap<c_long, Vec<SeccompRule>> = always.collect();
    let when = |argument, length, comparison, value: u64| -> Result<Vec<SeccompRule>, Error> {
        let condition = SeccompCondition::new(argument, length, comparison, value)?;
        Ok(vec![SeccompRule::new(vec![condition])?])
    };
    let word = SeccompCmpArgLen::Dword;
    // Threads, not processes, and none with a namespace of its own.
    let thread = u64::from(libc::CLONE_THREAD.cast_unsigned());
    let told = thread | NAMESPACES.iter().fold(0, |flags, flag| flags | u64::from(flag.cast_unsigned()));
    rules.insert(libc::SYS_clone, when(0, word.clone(), SeccompCmpOp::MaskedEq(told), thread)?);
    // Of a file that is open, not of any that a path names: the rules of Landlock know no times.
    rules.insert(libc::SYS_utimensat, when(1, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)?);
    // Signals to itself, which ending by an abort is.
    let own = u64::from(std::process::id());
    rules.insert(libc::SYS_tgkill, when(0, word.clone(), SeccompCmpOp::Eq, own)?);
    // Asking for a limit, not setting one.
    rules.insert(libc::SYS_prlimit64, when(2, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)?);
    let mut names = Vec::new();
    for option in [libc::PR_SET_NAME, libc::PR_SET_VMA] {
        names.extend(when(0, word.clone(), SeccompCmpOp::Eq, u64::from(option.cast_unsigned()))?);
    }
    rules.insert(libc::SYS_prctl, names);
    let mut flags = Vec::new();
    for command in
        [libc::F_GETFD, libc::F_SETFD, libc::F_GETFL, libc::F_DUPFD_CLOEXEC, libc::F_ADD_SEALS, libc::F_GET_SEALS]
    {
        flags.extend(when(1, word.clone(), SeccompCmpOp::Eq, u64::from(command.cast_unsigned()))?);
    }
    rules.insert(libc::SYS_fcntl, flags);
    let unknown = SeccompAction::Errno(libc::ENOSYS.cast_unsigned());
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    let filter = SeccompFilter::new(rules, unknown, SeccompAction::Allow, architecture)?;
    apply_filter(&BpfProgram::try_from(filter)?)
}
