//! Barriers, in glibc's objects: `pthread_barrier_t`.
//!
//! `pthread_barrier_init` is glibc's: it leaves the count, whether other processes share the barrier (those are
//! glibc's, in a blocking section), and zeros.
//!
//! | word | meaning |
//! |---|---|
//! | `arrivals` | how many have come in this round |
//! | `round` | how many rounds have ended |
//! | `left` | bit 0: somebody destroys it; the rest: how many have left, in all |
//!
//! Who comes counts itself, and reads the round in the same step. The last one begins the next round, again
//! in one step, wakes the others and is the one that is told so. The others wait while the round is theirs.
//! The last thing that each thread touches is the count of those who have left. A thread that destroys the
//! barrier waits until as many have left as have come, so the first one that leaves may destroy it.

use std::ffi::c_int;
use std::mem::offset_of;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicU64};

use libc::{PTHREAD_BARRIER_SERIAL_THREAD, pthread_barrier_t};
use sylvan::WaitReason;
use sylvan::contract::shown;

use crate::next::call_next;
use crate::wait::{self, Restart};

const DESTROYED: u32 = 1;
const LEAVER: u32 = 2;

#[repr(C)]
struct Barrier {
    arrivals: AtomicU32,
    round: AtomicU32,
    count: AtomicU32,
    shared: AtomicU32,
    left: AtomicU32,
}

const _: () = assert!(size_of::<Barrier>() <= size_of::<pthread_barrier_t>());
// What those count upon who look at it from outside.
const _: () = assert!(offset_of!(Barrier, arrivals) == offset_of!(shown::Barrier, arrived));
const _: () = assert!(offset_of!(Barrier, round) == offset_of!(shown::Barrier, round));
const _: () = assert!(offset_of!(Barrier, count) == offset_of!(shown::Barrier, n_threads));

/// How many have arrived, and the round.
#[expect(clippy::cast_possible_truncation, reason = "the halves of the word")]
const fn halves(word: u64) -> (u32, u32) {
    (word as u32, (word >> 32) as u32)
}

impl Barrier {
    /// # Safety
    ///
    /// It is a barrier, for as long as the caller uses it.
    unsafe fn at<'a>(barrier: *mut pthread_barrier_t) -> &'a Self {
        // SAFETY: as the caller promises. All access is atomic.
        unsafe { &*barrier.cast() }
    }

    fn is_shared(&self) -> bool {
        self.shared.load(Relaxed) != 0
    }

    /// Arrivals and round as one word.
    fn both(&self) -> &AtomicU64 {
        const _: () = assert!(cfg!(target_endian = "little"));
        // SAFETY: the first two words of the object, which is aligned to 8.
        unsafe { &*std::ptr::from_ref(self).cast() }
    }

    fn wait(&self) -> c_int {
        // Acquires what the others have released, and releases to them.
        let (before, round) = halves(self.both().fetch_add(1, AcqRel));
        let is_last = before + 1 == self.count.load(Relaxed);
        if is_last {
            // Nobody else arrives before this. Releases to those who wait.
            self.both().store(u64::from(round.wrapping_add(1)) << 32, Release);
            sylvan::wake(&self.round, usize::MAX);
        } else {
            // Acquires what the last one released.
            while self.round.load(Acquire) == round {
                let _ = wait::futex(&self.round, round, None, WaitReason::Barrier, Restart::Always);
            }
        }
        let left: *const AtomicU32 = &raw const self.left;
        // Releases to who destroys it.
        if self.left.fetch_add(LEAVER, Release) & DESTROYED != 0 {
            sylvan::wake(left, usize::MAX);
        }
        if is_last { PTHREAD_BARRIER_SERIAL_THREAD } else { 0 }
    }

    fn destroy(&self) {
        let mut left = self.left.fetch_or(DESTROYED, Acquire) | DESTROYED;
        let (_, rounds) = halves(self.both().load(Acquire));
        let arrived = rounds.wrapping_mul(self.count.load(Relaxed)).wrapping_mul(LEAVER);
        while left & !DESTROYED != arrived {
            let _ = wait::futex(&self.left, left, None, WaitReason::Destroy, Restart::Always);
            // Pairs with the release of who leaves.
            left = self.left.load(Acquire);
        }
    }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn pthread_barrier_wait(barrier: *mut pthread_barrier_t) -> c_int {
    // SAFETY: as the caller promises.
    let this = unsafe { Barrier::at(barrier) };
    if this.is_shared() {
        // SAFETY: as the caller promises.
        return wait::section(|| unsafe {
            call_next!(pthread_barrier_wait(*mut pthread_barrier_t) -> c_int, barrier)
        });
    }
    this.wait()
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn pthread_barrier_destroy(barrier: *mut pthread_barrier_t) -> c_int {
    // SAFETY: as the caller promises.
    let this = unsafe { Barrier::at(barrier) };
    if this.is_shared() {
        // SAFETY: as the caller promises.
        return wait::section(|| unsafe {
            call_next!(pthread_barrier_destroy(*mut pthread_barrier_t) -> c_int, barrier)
        });
    }
    this.destroy();
    0
}
