//! `pthread_once` and `call_once`, in glibc's object: a word.
//!
//! ```text
//!   0 --> RUNNING --> DONE          the function has returned
//!             |
//!             +-----> 0             it was left by an exception, an exit or a cancellation
//! ```
//!
//! RUNNING has libc's count of forks above it: a child finds a number of the parent's and begins anew. Here
//! it is the process's own number in those bits, which differs from the parent's as well.

use std::ffi::c_int;
use std::sync::atomic::{AtomicU32, Ordering};

use libc::pthread_once_t;
use sylvan::WaitReason;

use crate::kernel;
use crate::program::calls_program;
use crate::wait::{self, Restart};

const RUNNING: u32 = 1;
const DONE: u32 = 2;

/// RUNNING, in this process.
fn running_here() -> u32 {
    // SAFETY: asks for a number.
    let pid = unsafe { kernel::enter(libc::SYS_getpid, [0; 6]) };
    (pid as u32) << 2 | RUNNING
}

/// Says how it ended, when it goes out of scope: as libc's own cleanup handler, also while the stack is unwound.
struct End<'a> {
    word: &'a AtomicU32,
    to: u32,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        // Release pairs with the acquire of who finds DONE.
        self.word.store(self.to, Ordering::Release);
        sylvan::wake(self.word, usize::MAX);
    }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
#[inline]
pub unsafe extern "C-unwind" fn pthread_once(
    once: *mut pthread_once_t,
    run: unsafe extern "C-unwind" fn(),
) -> c_int {
    // SAFETY: as the caller promises. All access is atomic.
    let word = unsafe { AtomicU32::from_ptr(once.cast()) };
    // Acquire pairs with the release in `End`.
    if word.load(Ordering::Acquire) != DONE {
        // SAFETY: as the caller promises.
        unsafe { be_first_or_wait(word, run) };
    }
    0
}

/// # Safety
///
/// As for `pthread_once`.
#[cold]
unsafe fn be_first_or_wait(word: &AtomicU32, run: unsafe extern "C-unwind" fn()) {
    let here = running_here();
    let mut now = word.load(Ordering::Acquire);
    loop {
        match now {
            DONE => return,
            running if running == here => {
                let _ = wait::futex(word, here, None, WaitReason::Once, Restart::Always);
                now = word.load(Ordering::Acquire);
            }
            before => {
                match word.compare_exchange(before, here, Ordering::Acquire, Ordering::Acquire) {
                    Ok(_) => break,
                    Err(other) => now = other,
                }
            }
        }
    }
    let mut end = End { word, to: 0 };
    // SAFETY: as the caller promises.
    unsafe { call(run) };
    end.to = DONE;
}

unsafe extern "C-unwind" {
    /// Calls the program's function.
    #[link_name = "__sylvan_posix_once"]
    fn call(run: unsafe extern "C-unwind" fn());
}

#[cfg(target_arch = "x86_64")]
calls_program!(
    "__sylvan_posix_once",
    "__sylvan_posix_once_called",
    [
        "sub rsp, 8",
        ".cfi_adjust_cfa_offset 8",
        "call rdi",
        "__sylvan_posix_once_called:",
        "add rsp, 8",
        ".cfi_adjust_cfa_offset -8",
        "ret",
    ]
);

#[cfg(target_arch = "aarch64")]
calls_program!(
    "__sylvan_posix_once",
    "__sylvan_posix_once_called",
    [
        "stp x29, x30, [sp, #-16]!",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset x29, -16",
        ".cfi_offset x30, -8",
        "blr x0",
        "__sylvan_posix_once_called:",
        "ldp x29, x30, [sp], #16",
        ".cfi_def_cfa_offset 0",
        ".cfi_restore x29",
        ".cfi_restore x30",
        "ret",
    ]
);

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn call_once(
    once: *mut pthread_once_t,
    run: unsafe extern "C-unwind" fn(),
) {
    // SAFETY: as the caller promises.
    unsafe { pthread_once(once, run) };
}
