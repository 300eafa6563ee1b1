//! The word of `join`: whose the result of a thread is.
//!
//! ```text
//!             wait                    finish
//!   RUNNING ---------> a sleeper ----------------> DONE ----+
//!      |  | finish                                  ^       | drop of the handle
//!      |  +-----------------------------------------+       v
//!      +--------------------------------------------> DETACHED
//!             drop of the handle
//! ```
//!
//! Until it is DONE the result is the thread's own, and then the handle's. The thread sets DONE and
//! the handle, when it is dropped, DETACHED, each by a swap: whoever comes second finds the other's
//! word, and drops what is left of the result. The handle is one thread's at a time, so at most one
//! waits, and none when it is dropped.
//!
//! # Memory ordering
//!
//! Both release what they did to the result, and acquire what the other one did.

use std::ptr;

use crate::park::{Sleeper, WaitReason};
use crate::primitive::{AtomicPtr, Ordering};

const RUNNING: *mut () = ptr::null_mut();
/// The thread has ended, and its result is there.
const DONE: *mut () = ptr::without_provenance_mut(1);
/// Nobody will ask for the result.
const DETACHED: *mut () = ptr::without_provenance_mut(2);

/// One of the above, or the [`Sleeper`] that waits for the thread to end.
type Word = AtomicPtr<()>;

/// For the thread: whether nobody will ask for its result.
#[inline]
pub(crate) fn is_detached(word: &Word) -> bool {
    // Acquire pairs with the release in `detach`.
    word.load(Ordering::Acquire) == DETACHED
}

/// The thread has ended. `drop_result` is called if nobody will ask for the result.
pub(crate) fn finish(word: &Word, drop_result: impl FnOnce()) {
    // Release pairs with the acquire in `is_done`, `wait_until_done` and `detach`; acquire with the
    // release in `wait_until_done` and `detach`.
    match word.swap(DONE, Ordering::AcqRel) {
        RUNNING => {}
        DETACHED => drop_result(),
        // SAFETY: the swap has taken it out; one swap does.
        joiner => unsafe { Sleeper::wake(joiner.cast()) },
    }
}

/// Whether the thread has ended.
#[inline]
pub(crate) fn is_done(word: &Word) -> bool {
    // Acquire pairs with the release in `finish`.
    word.load(Ordering::Acquire) == DONE
}

/// For the handle: parks the calling thread until this one has ended.
#[inline]
pub(crate) fn wait_until_done(word: &Word) {
    if is_done(word) {
        return;
    }
    let joiner = Sleeper::new();
    let asleep = joiner.as_ptr().cast_mut().cast();
    // Release and acquire pair with the swap in `finish`.
    if word.compare_exchange(RUNNING, asleep, Ordering::Release, Ordering::Acquire).is_ok() {
        joiner.sleep(WaitReason::Join);
        // What the thread left is visible: it has woken this one after the swap.
    }
}

/// The handle is dropped; whether the thread has ended: then what is left of the result is the
/// handle's.
#[must_use]
pub(crate) fn detach(word: &Word) -> bool {
    // Acquire pairs with the release in `finish`, release with the acquire there and in
    // `is_detached`.
    word.swap(DETACHED, Ordering::AcqRel) == DONE
}
