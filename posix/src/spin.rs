//! Spin locks: `pthread_spinlock_t`.
//!
//! What does not wait is glibc's, and so is the word's meaning, which other processes may share: on x86-64 1 is
//! free and what is less is held, elsewhere 0 is free.
//!
//! The holder of the lock may be a green thread that waits for this very worker, or one whose processor has
//! gone to somebody else. So a thread that spins gives way after a while, and has its signals delivered then.

use std::ffi::c_int;
use std::hint;
use std::sync::atomic::AtomicI32;
use std::sync::atomic::Ordering::{Acquire, Relaxed};

use libc::pthread_spinlock_t;

use crate::wait;

/// Looks before others run: some microseconds.
const LOOKS: u32 = 100;

#[cfg(target_arch = "x86_64")]
#[inline]
fn take(word: &AtomicI32) -> bool {
    // Acquires what the unlock released.
    word.fetch_sub(1, Acquire) == 1
}

#[cfg(target_arch = "x86_64")]
fn is_free(word: &AtomicI32) -> bool {
    word.load(Relaxed) > 0
}

#[cfg(target_arch = "aarch64")]
#[inline]
fn take(word: &AtomicI32) -> bool {
    // Acquires what the unlock released.
    word.compare_exchange(0, 1, Acquire, Relaxed).is_ok()
}

#[cfg(target_arch = "aarch64")]
fn is_free(word: &AtomicI32) -> bool {
    word.load(Relaxed) == 0
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn pthread_spin_lock(lock: *mut pthread_spinlock_t) -> c_int {
    // SAFETY: as the caller promises. All access is atomic.
    let word = unsafe { AtomicI32::from_ptr(lock) };
    if !take(word) {
        wait_for_it(word);
    }
    0
}

#[cold]
fn wait_for_it(word: &AtomicI32) {
    let mut n_looks = 0;
    loop {
        if is_free(word) {
            if take(word) {
                return;
            }
        } else if n_looks < LOOKS {
            n_looks += 1;
            hint::spin_loop();
        } else {
            n_looks = 0;
            wait::yield_now();
        }
    }
}
