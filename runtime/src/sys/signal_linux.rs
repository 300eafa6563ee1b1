//! The signal mask that the kernel has for an OS thread: a bit for each signal that is blocked.
//!
//! By a system call of its own: libc's functions, `syscall` among them, may be interposed.

use std::arch::asm;
use std::io;
use std::ptr;

/// Blocks all but what a thread does to itself by a fault, and what glibc sends to its threads.
pub(crate) const ALL: u64 = {
    const LEFT_OUT: [i32; 8] = [
        libc::SIGILL,
        libc::SIGTRAP,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGSEGV,
        libc::SIGSYS,
        // glibc's own: to cancel a thread, and to have all change their user.
        32,
        33,
    ];
    let (mut mask, mut i) = (!NEVER, 0);
    while i < LEFT_OUT.len() {
        mask &= !bit(LEFT_OUT[i]);
        i += 1;
    }
    mask
};

/// What the kernel lets nobody block.
pub(crate) const NEVER: u64 = bit(libc::SIGKILL) | bit(libc::SIGSTOP);

const fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// The mask of the calling OS thread.
pub(crate) fn mask() -> u64 {
    change(libc::SIG_BLOCK, None).expect("a question")
}

/// Sets the mask of the calling OS thread.
pub(crate) fn set_mask(mask: u64) {
    change(libc::SIG_SETMASK, Some(mask)).expect("a mask");
}

/// Changes the mask of the calling OS thread as `SIG_BLOCK` and its like say; what it was.
///
/// # Errors
///
/// What the kernel says of `how`.
pub(crate) fn change(how: i32, set: Option<u64>) -> io::Result<u64> {
    let set = set.as_ref().map_or(ptr::null(), ptr::from_ref);
    let mut before = 0_u64;
    // SAFETY: the kernel reads eight bytes at `set`, if it is there, and writes eight to `before`.
    let result = unsafe { rt_sigprocmask(how, set, &mut before) };
    if result < 0 { Err(io::Error::from_raw_os_error(-result as i32)) } else { Ok(before) }
}

/// The system call, as the kernel answers it.
///
/// # Safety
///
/// `set` is null or points to a mask, and `before` points to where one may be written.
#[cfg(target_arch = "x86_64")]
unsafe fn rt_sigprocmask(how: i32, set: *const u64, before: *mut u64) -> isize {
    let result;
    // SAFETY: as the caller promises.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") libc::SYS_rt_sigprocmask as isize => result,
            in("rdi") how as isize,
            in("rsi") set,
            in("rdx") before,
            in("r10") size_of::<u64>(),
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack, preserves_flags),
        );
    }
    result
}

/// The system call, as the kernel answers it.
///
/// # Safety
///
/// `set` is null or points to a mask, and `before` points to where one may be written.
#[cfg(target_arch = "aarch64")]
unsafe fn rt_sigprocmask(how: i32, set: *const u64, before: *mut u64) -> isize {
    let result;
    // SAFETY: as the caller promises.
    unsafe {
        asm!(
            "svc 0",
            in("x8") libc::SYS_rt_sigprocmask,
            inlateout("x0") how as isize => result,
            in("x1") set,
            in("x2") before,
            in("x3") size_of::<u64>(),
            options(nostack, preserves_flags),
        );
    }
    result
}
