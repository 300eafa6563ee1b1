//! The lock of all that is about signals: who the threads are, and what is left for them.
//!
//! Sending a signal is seldom, so one lock will do. It is held for as long as a list is walked. Nobody is
//! interrupted while it holds it: a green thread's signals are not delivered in the midst of this crate, and
//! an OS thread blocks its own meanwhile. So a handler may send signals, too.

use std::hint;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::kernel;

static IS_HELD: AtomicBool = AtomicBool::new(false);

/// Looks before the processor goes to somebody else.
const SPINS: u32 = 64;

/// That the lock is held.
#[derive(Debug)]
pub(crate) struct Held(());

/// Runs `f` with the lock held.
pub(crate) fn held<T>(f: impl FnOnce(&Held) -> T) -> T {
    if sylvan::is_green() {
        return locked(f);
    }
    let before = set_mask(u64::MAX);
    let result = locked(f);
    set_mask(before);
    result
}

fn locked<T>(f: impl FnOnce(&Held) -> T) -> T {
    let mut n_looks = 0;
    // Acquire pairs with the release below.
    while IS_HELD.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
        n_looks += 1;
        if n_looks < SPINS {
            hint::spin_loop();
        } else {
            // SAFETY: asks for nothing but the processor's turn.
            unsafe { kernel::enter(libc::SYS_sched_yield, [0; 6]) };
        }
    }
    let result = f(&Held(()));
    // Release pairs with the acquire above.
    IS_HELD.store(false, Ordering::Release);
    result
}

/// In a child of a fork, which has one thread: nobody holds it.
pub(crate) fn forget() {
    IS_HELD.store(false, Ordering::Relaxed);
}

/// Sets the kernel's mask of the calling OS thread; what it was.
pub(crate) fn set_mask(mask: u64) -> u64 {
    change_mask(libc::SIG_SETMASK, Some(mask))
}

/// Adds to the kernel's mask of the calling OS thread; what it was.
pub(crate) fn block(set: u64) -> u64 {
    change_mask(libc::SIG_BLOCK, Some(set))
}

/// Takes from the kernel's mask of the calling OS thread: what is pending of that is delivered.
pub(crate) fn unblock(set: u64) {
    change_mask(libc::SIG_UNBLOCK, Some(set));
}

/// The kernel's mask of the calling OS thread.
pub(crate) fn mask() -> u64 {
    change_mask(libc::SIG_BLOCK, None)
}

fn change_mask(how: i32, set: Option<u64>) -> u64 {
    let mut before = 0_u64;
    let set = set.as_ref().map_or(ptr::null(), ptr::from_ref);
    let to = (&raw mut before).expose_provenance();
    let what = [how.into(), set.expose_provenance() as _, to as _, size_of::<u64>() as _, 0, 0];
    // SAFETY: the kernel reads a mask at `set`, if it is there, and writes one to `before`.
    unsafe { kernel::enter(libc::SYS_rt_sigprocmask, what) };
    before
}
