//! The word of `join`: whose the result of a thread is.
//!
//! | bit | meaning |
//! |---|---|
//! | DONE | the thread has ended, and its result is there |
//! | AWAITED | somebody waits for that |
//! | DETACHED | nobody will ask for the result |
//!
//! Until it is DONE the result is the thread's own, and then the handle's. The thread sets DONE and
//! the handle, when it is dropped, DETACHED, each by a read-modify-write: whoever comes second finds
//! the other's bit, and drops what is left of the result.
//!
//! # Memory ordering
//!
//! Both release what they did to the result, and acquire what the other one did.

use crate::park::{WaitReason, wait, wake};
use crate::primitive::{AtomicU32, Ordering};

const DONE: u32 = 1;
const AWAITED: u32 = 2;
const DETACHED: u32 = 4;

/// For the thread: whether nobody will ask for its result.
pub(crate) fn is_detached(word: &AtomicU32) -> bool {
    // Acquire pairs with the release in `detach`.
    word.load(Ordering::Acquire) & DETACHED != 0
}

/// The thread has ended. `drop_result` is called if nobody will ask for the result.
pub(crate) fn finish(word: &AtomicU32, drop_result: impl FnOnce()) {
    // Release pairs with the acquire in `is_done`, `wait_until_done` and `detach`; acquire with the
    // release in `detach`.
    let before = word.fetch_or(DONE, Ordering::AcqRel);
    if before & DETACHED != 0 {
        drop_result();
    }
    if before & AWAITED != 0 {
        wake(word, 1);
    }
}

/// Whether the thread has ended.
pub(crate) fn is_done(word: &AtomicU32) -> bool {
    // Acquire pairs with the release in `finish`.
    word.load(Ordering::Acquire) & DONE != 0
}

/// For the handle: parks the calling thread until this one has ended.
pub(crate) fn wait_until_done(word: &AtomicU32) {
    // Acquire pairs with the release in `finish`, here and below.
    let mut now = word.load(Ordering::Acquire);
    while now & DONE == 0 {
        if now & AWAITED == 0 {
            now = word.fetch_or(AWAITED, Ordering::Acquire) | AWAITED;
            continue;
        }
        wait(word, now, None, WaitReason::Join);
        now = word.load(Ordering::Acquire);
    }
}

/// The handle is dropped; whether the thread has ended: then what is left of the result is the
/// handle's.
#[must_use]
pub(crate) fn detach(word: &AtomicU32) -> bool {
    // Acquire pairs with the release in `finish`, release with the acquire there and in
    // `is_detached`.
    word.fetch_or(DETACHED, Ordering::AcqRel) & DONE != 0
}
