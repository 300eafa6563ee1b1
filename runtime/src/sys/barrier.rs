//! A memory barrier with two unequal sides: one that costs next to nothing, and one that pays for
//! both.
//!
//! Where two threads each store and then load what the other stores, both need a barrier in between,
//! or both may miss the other's store. Linux can put one into every OS thread of the process that
//! runs (`membarrier`): then the side that passes often need but keep the compiler from swapping the
//! two. Where the kernel cannot, both sides pass a fence.

use std::sync::atomic::compiler_fence;

use crate::primitive::{AtomicU8, Ordering, fence};

/// Nobody has called `init`: both sides pass a fence.
const UNUSED: u8 = 0;
/// The kernel does the work.
const ASYMMETRIC: u8 = 1;
/// Both sides pass a fence.
const FENCED: u8 = 2;

static STATE: AtomicU8 = AtomicU8::new(UNUSED);

/// To be called once.
///
/// While the process has no other threads it costs next to nothing; else the kernel waits for all
/// processors.
pub(crate) fn init() {
    let state = if kernel::register() { ASYMMETRIC } else { FENCED };
    // Release pairs with the acquire in `light`: who sees it there sees what was stored by those whom the kernel
    // has refused a barrier before it was asked here.
    STATE.store(state, Ordering::Release);
}

/// The side that passes often.
#[inline]
pub(crate) fn light() {
    // Acquire pairs with the release in `init`.
    if STATE.load(Ordering::Acquire) == ASYMMETRIC {
        compiler_fence(Ordering::SeqCst);
    } else {
        fence(Ordering::SeqCst);
    }
}

/// The side that pays. `false` if the kernel has refused, which it had agreed to do (a sandbox that
/// the program has entered since): there was no barrier. From here on both sides pass a fence; whoever
/// asks again does so later than what others were about to store takes to arrive.
#[must_use]
pub(crate) fn heavy() -> bool {
    fence(Ordering::SeqCst);
    // Another thread may have called `init` without this one knowing, so the kernel is asked in any case.
    let state = STATE.load(Ordering::Relaxed);
    let refused = state != FENCED && !kernel::interrupt() && state == ASYMMETRIC;
    if refused {
        STATE.store(FENCED, Ordering::SeqCst);
    }
    !refused
}

#[cfg(target_os = "linux")]
mod kernel {
    use rustix::thread::{MembarrierCommand, membarrier};

    /// Whether the kernel agrees to put barriers into this process's threads.
    pub(super) fn register() -> bool {
        membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok()
    }

    /// Puts one into each thread that runs.
    pub(super) fn interrupt() -> bool {
        membarrier(MembarrierCommand::PrivateExpedited).is_ok()
    }
}

#[cfg(not(target_os = "linux"))]
mod kernel {
    pub(super) fn register() -> bool {
        false
    }

    pub(super) fn interrupt() -> bool {
        false
    }
}
