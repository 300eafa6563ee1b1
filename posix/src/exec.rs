//! `exec` and its kin: the program that begins has the mask of the thread that calls, and its timers.
//!
//! A green thread's OS thread has blocked all (`signal`), and the kernel would hand that on. So the thread's own
//! mask is put on first, and taken off if the call fails. A child that was made by `vfork` on a green thread
//! has that OS thread's mask, too, unless it has set one: then that is what it wants.
//!
//! # Lists of arguments
//!
//! `execl` and its kin take any number of them. On these architectures what does not fit into registers lies on
//! the stack, one after the other; with those of the registers put below them they are an array as they are.

use std::arch::naked_asm;
use std::ffi::{c_char, c_int};

use crate::next::call_next;
use crate::signal::delivery::wearing_own_mask;
use crate::signal::lock;
use crate::timer;

type Arguments = *const *const c_char;

/// Runs `f`, which begins another program in this process, with the mask put on that it is to have.
pub(crate) fn begin(f: impl FnOnce() -> c_int) -> c_int {
    let f = || timer::hand_to_next_program(f);
    if lock::mask() == sylvan::contract::signal::cover() { wearing_own_mask(f) } else { f() }
}

macro_rules! define {
    ($($name:ident($($argument:ident: $type:ty),*);)+) => {$(
        /// As that of libc.
        ///
        /// # Safety
        ///
        /// As that of libc.
        pub unsafe extern "C" fn $name($($argument: $type),*) -> c_int {
            // SAFETY: as the caller promises.
            begin(|| unsafe { call_next!($name($($type),*) -> c_int, $($argument),*) })
        }
    )+};
}

define! {
    execve(path: *const c_char, arguments: Arguments, environment: Arguments);
    execv(path: *const c_char, arguments: Arguments);
    execvp(file: *const c_char, arguments: Arguments);
    execvpe(file: *const c_char, arguments: Arguments, environment: Arguments);
    fexecve(fd: c_int, arguments: Arguments, environment: Arguments);
}

/// `execle`, with its list as an array: the environment is behind the null.
///
/// # Safety
///
/// As for that.
unsafe extern "C" fn with_environment(path: *const c_char, arguments: Arguments) -> c_int {
    let mut end = arguments;
    // SAFETY: as the caller promises: there is a null, and a pointer behind it.
    let environment = unsafe {
        while !(*end).is_null() {
            end = end.add(1);
        }
        *end.add(1)
    };
    // SAFETY: as the caller promises.
    unsafe { execve(path, arguments, environment.cast()) }
}

macro_rules! lists {
    ($($name:ident by $by:ident;)+) => {$(
        /// As that of libc, with as many arguments as it is given.
        ///
        /// # Safety
        ///
        /// As that of libc.
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name() {
            #[cfg(target_arch = "x86_64")]
            naked_asm!(
                "pop rax",
                "push r9",
                "push r8",
                "push rcx",
                "push rdx",
                "push rsi",
                "mov rsi, rsp",
                "push rax",
                "call {by}",
                "pop rcx",
                "add rsp, 40",
                "push rcx",
                "ret",
                by = sym $by,
            );
            #[cfg(target_arch = "aarch64")]
            naked_asm!(
                "sub sp, sp, #64",
                "stp x30, x1, [sp]",
                "stp x2, x3, [sp, #16]",
                "stp x4, x5, [sp, #32]",
                "stp x6, x7, [sp, #48]",
                "add x1, sp, #8",
                "bl {by}",
                "ldr x30, [sp]",
                "add sp, sp, #64",
                "ret",
                by = sym $by,
            );
        }
    )+};
}

lists! {
    execl by execv;
    execlp by execvp;
    execle by with_environment;
}
