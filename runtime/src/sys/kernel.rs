//! System calls that `rustix` has not, made without libc: `syscall` and its like may be interposed, and
//! what they leave in `errno` would be left to a green thread.

use std::arch::asm;
use std::io;

use libc::c_long;

/// Makes a system call; its result, or its error.
///
/// # Safety
///
/// What the call asks for.
#[inline(always)]
pub(crate) unsafe fn call(number: c_long, arguments: [usize; 6]) -> io::Result<usize> {
    // SAFETY: as the caller promises.
    let result = unsafe { enter(number, arguments) };
    if (-4095..0).contains(&result) {
        Err(io::Error::from_raw_os_error(-result as i32))
    } else {
        Ok(result.cast_unsigned())
    }
}

/// Makes a system call: its result, or its error as a number below zero.
///
/// # Safety
///
/// What the call asks for.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub unsafe fn enter(number: c_long, [a, b, c, d, e, f]: [usize; 6]) -> isize {
    let result;
    // SAFETY: as the caller promises; the kernel clobbers these two registers.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack, preserves_flags),
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
pub unsafe fn enter(number: c_long, [a, b, c, d, e, f]: [usize; 6]) -> isize {
    let result;
    // SAFETY: as the caller promises; the kernel clobbers nothing else.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a => result,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f,
            options(nostack, preserves_flags),
        );
    }
    result
}
