//! Condition variables, in glibc's objects: `pthread_cond_t`.
//!
//! `pthread_cond_init` is glibc's: it leaves zeros, and in one word whether other processes share the
//! condition (those are glibc's, in a blocking section) and which clock it goes by. This uses two words, where
//! glibc has its own of the same sense:
//!
//! | word | meaning |
//! |---|---|
//! | `signals` | a count of signals and broadcasts, which waiters watch |
//! | `references` | bit 0: shared; bit 1: the monotonic clock; bit 2: somebody is about to destroy it; the rest: how many wait |
//!
//! A waiter counts itself and reads `signals` while it has the mutex, gives the mutex up, and parks unless
//! `signals` has moved. A signaller moves it and wakes. A thread that changes what is waited for, under the
//! mutex, and signals afterwards does so after the waiter's read. So it finds the waiter counted; and the
//! waiter sees the word moved, or is parked and is woken. Those who wait first are woken first, so a signal
//! does not go to one that has come later than it. Where nobody is counted a signal is a look at a word.
//!
//! Before a waiter takes the mutex again it takes itself off the count, and touches the condition no more.
//! Who destroys it waits until nobody is counted: those who were woken, and have not run yet.
//!
//! A wait that a signal's handler or a cancellation has interrupted has not taken a signal: the queue tells
//! the two apart under its lock. It ends as if it had been signalled, which POSIX allows at any time; a
//! cancelled thread takes the mutex before its cleanup handlers run.

use std::ffi::c_int;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use libc::{CLOCK_MONOTONIC, CLOCK_REALTIME, clockid_t, pthread_cond_t, pthread_mutex_t, timespec};
use sylvan::{Wait, WaitReason};

use crate::cancel;
use crate::deadline::{self, Deadline};
use crate::mutex;
use crate::next::call_next;
use crate::wait::{self, Interrupted, Restart};

const SHARED: u32 = 1;
const MONOTONIC: u32 = 2;
const DESTROYED: u32 = 4;
const WAITER: u32 = 8;

#[repr(C)]
struct Condition {
    signals: AtomicU32,
    _glibcs: [u32; 8],
    references: AtomicU32,
}

const _: () = assert!(size_of::<Condition>() <= size_of::<pthread_cond_t>());

impl Condition {
    /// # Safety
    ///
    /// It is a condition, for as long as the caller uses it.
    unsafe fn at<'a>(condition: *mut pthread_cond_t) -> &'a Self {
        // SAFETY: as the caller promises. All access is atomic.
        unsafe { &*condition.cast() }
    }

    fn is_shared(&self) -> bool {
        self.references.load(Relaxed) & SHARED != 0
    }

    fn clock(&self) -> clockid_t {
        if self.references.load(Relaxed) & MONOTONIC != 0 {
            CLOCK_MONOTONIC
        } else {
            CLOCK_REALTIME
        }
    }

    #[inline]
    fn signal(&self, n: usize) {
        // Ordered by the mutex, as said above.
        if self.references.load(Relaxed) >= WAITER {
            self.signals.fetch_add(1, Relaxed);
            sylvan::wake(&self.signals, n);
        }
    }

    /// # Safety
    ///
    /// The caller has the mutex.
    unsafe fn wait(&self, mutex: *mut pthread_mutex_t, deadline: Deadline) -> c_int {
        cancel::point_before_wait();
        let seen = self.signals.load(Relaxed);
        self.references.fetch_add(WAITER, Relaxed);
        // SAFETY: as the caller promises.
        let error = unsafe { mutex::leave(mutex) };
        let end = if error == 0 {
            wait::futex(
                &self.signals,
                seen,
                deadline,
                WaitReason::Condvar,
                Restart::UnlessCancelled,
            )
        } else {
            Ok(Wait::Changed)
        };
        let references: *const AtomicU32 = &raw const self.references;
        // Releases to who destroys it.
        let before = self.references.fetch_sub(WAITER, Release);
        if before & DESTROYED != 0 && before < 2 * WAITER {
            sylvan::wake(references, usize::MAX);
        }
        if error != 0 {
            return error;
        }
        // SAFETY: as the caller promises: it has given it up above.
        let error = unsafe { mutex::come_back(mutex) };
        match end {
            _ if error != 0 => error,
            Ok(Wait::TimedOut) => libc::ETIMEDOUT,
            Ok(_) => 0,
            Err(Interrupted) => {
                cancel::point();
                0
            }
        }
    }

    fn destroy(&self) {
        let mut now = self.references.fetch_or(DESTROYED, Acquire) | DESTROYED;
        while now >= WAITER {
            // It goes on whatever happens, and looks again.
            let _ = wait::futex(&self.references, now, None, WaitReason::Destroy, Restart::Always);
            // Pairs with the release of the last waiter.
            now = self.references.load(Acquire);
        }
    }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn pthread_cond_wait(
    condition: *mut pthread_cond_t,
    mutex: *mut pthread_mutex_t,
) -> c_int {
    // SAFETY: as the caller promises.
    let this = unsafe { Condition::at(condition) };
    if this.is_shared() {
        // SAFETY: as the caller promises.
        return wait::section(|| unsafe {
            call_next!(
                pthread_cond_wait(*mut pthread_cond_t, *mut pthread_mutex_t) -> c_int,
                condition,
                mutex
            )
        });
    }
    // SAFETY: as the caller promises.
    unsafe { this.wait(mutex, None) }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn pthread_cond_timedwait(
    condition: *mut pthread_cond_t,
    mutex: *mut pthread_mutex_t,
    time: *const timespec,
) -> c_int {
    // SAFETY: as the caller promises.
    let this = unsafe { Condition::at(condition) };
    if this.is_shared() {
        // SAFETY: as the caller promises.
        return wait::section(|| unsafe {
            call_next!(
                pthread_cond_timedwait(
                    *mut pthread_cond_t,
                    *mut pthread_mutex_t,
                    *const timespec,
                ) -> c_int,
                condition,
                mutex,
                time
            )
        });
    }
    // SAFETY: as the caller promises.
    match deadline::at(this.clock(), unsafe { &*time }) {
        // SAFETY: as the caller promises.
        Ok(deadline) => unsafe { this.wait(mutex, deadline) },
        Err(deadline::Invalid) => libc::EINVAL,
    }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn pthread_cond_clockwait(
    condition: *mut pthread_cond_t,
    mutex: *mut pthread_mutex_t,
    clock: clockid_t,
    time: *const timespec,
) -> c_int {
    // SAFETY: as the caller promises.
    let this = unsafe { Condition::at(condition) };
    if this.is_shared() {
        // SAFETY: as the caller promises.
        return wait::section(|| unsafe {
            call_next!(
                pthread_cond_clockwait(
                    *mut pthread_cond_t,
                    *mut pthread_mutex_t,
                    clockid_t,
                    *const timespec,
                ) -> c_int,
                condition,
                mutex,
                clock,
                time
            )
        });
    }
    // SAFETY: as the caller promises.
    match deadline::at(clock, unsafe { &*time }) {
        // SAFETY: as the caller promises.
        Ok(deadline) => unsafe { this.wait(mutex, deadline) },
        Err(deadline::Invalid) => libc::EINVAL,
    }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn pthread_cond_signal(condition: *mut pthread_cond_t) -> c_int {
    // SAFETY: as the caller promises.
    let this = unsafe { Condition::at(condition) };
    if this.is_shared() {
        // SAFETY: as the caller promises.
        return unsafe { call_next!(pthread_cond_signal(*mut pthread_cond_t) -> c_int, condition) };
    }
    this.signal(1);
    0
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn pthread_cond_broadcast(condition: *mut pthread_cond_t) -> c_int {
    // SAFETY: as the caller promises.
    let this = unsafe { Condition::at(condition) };
    if this.is_shared() {
        // SAFETY: as the caller promises.
        return unsafe {
            call_next!(pthread_cond_broadcast(*mut pthread_cond_t) -> c_int, condition)
        };
    }
    this.signal(usize::MAX);
    0
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn pthread_cond_destroy(condition: *mut pthread_cond_t) -> c_int {
    // SAFETY: as the caller promises.
    let this = unsafe { Condition::at(condition) };
    if this.is_shared() {
        // SAFETY: as the caller promises.
        return wait::section(|| unsafe {
            call_next!(pthread_cond_destroy(*mut pthread_cond_t) -> c_int, condition)
        });
    }
    this.destroy();
    0
}
