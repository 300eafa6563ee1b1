//! Semaphores, in glibc's objects: `sem_t`.
//!
//! The first word of 64 bits has the value below and above it how many wait, as glibc has it. All that only
//! looks or changes the value (`sem_init`, `sem_trywait`, `sem_getvalue`, `sem_destroy`) is glibc's. Those that
//! other processes share, named ones among them, are glibc's altogether: it waits in the kernel, in a blocking
//! section.
//!
//! A waiter counts itself, and takes from the value or parks while that is 0. A post adds to the value, and
//! wakes one waiter if any is counted, both in one step on one word. So either the post finds the waiter
//! counted or the waiter finds the value.
//!
//! A handler may post. If the kernel runs it on an OS thread at the very moment in which that thread queues
//! or wakes somebody, for some tens of instructions, what it has interrupted may hold a lock of the runtime.

use std::ffi::c_int;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64};

use libc::{clockid_t, sem_t, timespec};
use sylvan::{Wait, WaitReason};

use crate::cancel;
use crate::deadline::{self, Deadline};
use crate::errno::fails;
use crate::next::call_next;
use crate::wait::{self, Interrupted, Restart};

const WAITER: u64 = 1 << 32;
const MAX: u32 = i32::MAX.cast_unsigned();

#[repr(C)]
struct Semaphore {
    word: AtomicU64,
    /// Not 0 if other processes share it.
    shared: AtomicI32,
}

const _: () = assert!(size_of::<Semaphore>() <= size_of::<sem_t>());

/// The value, in the word.
#[expect(clippy::cast_possible_truncation, reason = "the lower half")]
const fn value(word: u64) -> u32 {
    word as u32
}

impl Semaphore {
    /// # Safety
    ///
    /// It is a semaphore, for as long as the caller uses it.
    unsafe fn at<'a>(semaphore: *mut sem_t) -> &'a Self {
        // SAFETY: as the caller promises. All access is atomic.
        unsafe { &*semaphore.cast() }
    }

    fn is_shared(&self) -> bool {
        self.shared.load(Relaxed) != 0
    }

    /// The half with the value.
    fn value(&self) -> &AtomicU32 {
        const _: () = assert!(cfg!(target_endian = "little"));
        // SAFETY: the lower half of the word. Both are looked at by whole steps, and a look at the half is
        // a hint that the queue compares.
        unsafe { &*(&raw const self.word).cast() }
    }

    /// Takes one from the value if it has any, and `waiters` off the word with it.
    #[inline]
    fn take(&self, waiters: u64) -> bool {
        // Acquires what the post released.
        self.word
            .fetch_update(Acquire, Relaxed, |word| (value(word) > 0).then(|| word - 1 - waiters))
            .is_ok()
    }

    /// Waits; the error, or 0.
    fn wait(&self, deadline: Deadline) -> c_int {
        self.word.fetch_add(WAITER, Relaxed);
        let error = loop {
            if self.take(WAITER) {
                return 0;
            }
            let end =
                wait::futex(self.value(), 0, deadline, WaitReason::Semaphore, Restart::AsAsked);
            match end {
                Ok(Wait::Changed | Wait::Woken) => {}
                Ok(Wait::TimedOut) => break libc::ETIMEDOUT,
                Ok(Wait::Interrupted) | Err(Interrupted) => break libc::EINTR,
            }
        };
        self.word.fetch_sub(WAITER, Relaxed);
        error
    }

    fn post(&self) -> c_int {
        let this: *const AtomicU32 = self.value();
        // Releases to who takes it. It is not touched after that.
        let added =
            self.word.fetch_update(Release, Relaxed, |word| (value(word) < MAX).then(|| word + 1));
        match added {
            Err(_) => return fails(libc::EOVERFLOW),
            Ok(before) if before >= WAITER => {
                sylvan::wake(this, 1);
            }
            Ok(_) => {}
        }
        0
    }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn sem_wait(semaphore: *mut sem_t) -> c_int {
    // SAFETY: as the caller promises.
    let this = unsafe { Semaphore::at(semaphore) };
    if this.is_shared() {
        // SAFETY: as the caller promises.
        return wait::section(|| unsafe { call_next!(sem_wait(*mut sem_t) -> c_int, semaphore) });
    }
    cancel::point();
    if this.take(0) {
        return 0;
    }
    cancel::point_before_wait();
    match this.wait(None) {
        0 => 0,
        error => {
            if error == libc::EINTR {
                cancel::point();
            }
            fails(error)
        }
    }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn sem_timedwait(
    semaphore: *mut sem_t,
    time: *const timespec,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { sem_clockwait(semaphore, libc::CLOCK_REALTIME, time) }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn sem_clockwait(
    semaphore: *mut sem_t,
    clock: clockid_t,
    time: *const timespec,
) -> c_int {
    // SAFETY: as the caller promises.
    let this = unsafe { Semaphore::at(semaphore) };
    if this.is_shared() {
        // SAFETY: as the caller promises.
        return wait::section(|| unsafe {
            call_next!(
                sem_clockwait(*mut sem_t, clockid_t, *const timespec) -> c_int,
                semaphore,
                clock,
                time
            )
        });
    }
    // SAFETY: as the caller promises.
    let Ok(deadline) = deadline::at(clock, unsafe { &*time }) else { return fails(libc::EINVAL) };
    cancel::point();
    if this.take(0) {
        return 0;
    }
    cancel::point_before_wait();
    match this.wait(deadline) {
        0 => 0,
        error => {
            if error == libc::EINTR {
                cancel::point();
            }
            fails(error)
        }
    }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn sem_post(semaphore: *mut sem_t) -> c_int {
    // SAFETY: as the caller promises.
    let this = unsafe { Semaphore::at(semaphore) };
    if this.is_shared() {
        // SAFETY: as the caller promises.
        return unsafe { call_next!(sem_post(*mut sem_t) -> c_int, semaphore) };
    }
    this.post()
}
