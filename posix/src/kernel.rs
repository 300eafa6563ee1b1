//! System calls, made without libc: what this crate asks the kernel for must not come by its own
//! functions again.

use std::arch::asm;
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

/// Makes a system call: its result, or its error as a number below zero.
///
/// # Safety
///
/// What the call asks for.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) unsafe fn enter(number: c_long, [a, b, c, d, e, f]: [c_long; 6]) -> c_long {
    let result;
    // SAFETY: as the caller promises; the kernel clobbers these two registers.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// Makes a system call: its result, or its error as a number below zero.
///
/// # Safety
///
/// What the call asks for.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
pub(crate) unsafe fn enter(number: c_long, [a, b, c, d, e, f]: [c_long; 6]) -> c_long {
    let result;
    // SAFETY: as the caller promises; the kernel clobbers nothing else.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a => result,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f,
            options(nostack),
        );
    }
    result
}
