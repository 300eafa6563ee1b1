//! A memory barrier with two unequal sides: one that costs next to nothing, and one that pays for
//! both.
//!
//! Where two threads each store and then load what the other stores, both need a barrier in between,
//! or both may miss the other's store. Linux can put one into every OS thread of the process that
//! runs (`membarrier`): then the side that passes often need but keep the compiler from swapping the
//! two. Where the kernel cannot, both sides pass a fence.

use std::sync::atomic::compiler_fence;

use crate::primitive::{AtomicBool, Ordering, fence};

/// Both sides pass a fence. Set before there are threads to pass it.
static FENCED: AtomicBool = AtomicBool::new(false);

/// To be called once, before any thread passes either side.
///
/// While the process has no other threads it costs next to nothing; else the kernel waits for all
/// processors.
pub(crate) fn init() {
    #[cfg(target_os = "linux")]
    let agreed = {
        use rustix::thread::{MembarrierCommand, membarrier};
        membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok()
    };
    #[cfg(not(target_os = "linux"))]
    let agreed = false;
    // Orders nothing: threads that are started later see it.
    FENCED.store(!agreed, Ordering::Relaxed);
}

/// The side that passes often. No barrier at all where nobody has called `init`.
#[inline]
pub(crate) fn light() {
    if FENCED.load(Ordering::Relaxed) {
        fence(Ordering::SeqCst);
    } else {
        compiler_fence(Ordering::SeqCst);
    }
}

/// The side that pays.
pub(crate) fn heavy() {
    fence(Ordering::SeqCst);
    #[cfg(target_os = "linux")]
    if !FENCED.load(Ordering::Relaxed) {
        use rustix::thread::{MembarrierCommand, membarrier};
        // Refused only where nobody has called `init`.
        let _ = membarrier(MembarrierCommand::PrivateExpedited);
    }
}
