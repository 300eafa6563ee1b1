//! System calls, made without libc: what this crate asks the kernel for must not come by its own
//! functions again.

use std::ffi::{c_int, c_long};
use std::ops::RangeInclusive;

use crate::errno::set_errno;

/// The kernel's errors, negative.
const ERRORS: RangeInclusive<c_long> = -4095..=-1;

/// Makes a system call, and leaves its error in `errno`, as libc does.
///
/// # Safety
///
/// What the call asks for.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "an error is small")]
pub(crate) unsafe fn call(number: c_long, arguments: [c_long; 6]) -> c_long {
    // SAFETY: as the caller promises.
    let result = unsafe { enter(number, arguments) };
    if ERRORS.contains(&result) {
        set_errno(-result as c_int);
        return -1;
    }
    result
}

/// Sends a signal to an OS thread of this process, with what is to be said with it; whether it was sent.
pub(crate) fn send_to(os_thread: i32, info: &libc::siginfo_t) -> bool {
    let with = std::ptr::from_ref(info).expose_provenance() as c_long;
    // SAFETY: asks for a number, and sends what is there.
    unsafe {
        let pid = enter(libc::SYS_getpid, [0; 6]);
        let what = [pid, os_thread.into(), info.si_signo.into(), with, 0, 0];
        enter(libc::SYS_rt_tgsigqueueinfo, what) == 0
    }
}

/// Makes a system call: its result, or its error as a number below zero.
///
/// # Safety
///
/// What the call asks for.
#[inline(always)]
pub(crate) unsafe fn enter(number: c_long, arguments: [c_long; 6]) -> c_long {
    // SAFETY: as the caller promises.
    unsafe {
        sylvan::contract::enter_kernel(number, arguments.map(|it| it.cast_unsigned() as usize))
            as c_long
    }
}
