//! The word of `park` and `unpark`: a token that is there or not.
//!
//! ```text
//!            take                       give
//!   EMPTY ----------> PARKED, QUEUED ----------> NOTIFIED
//!     ^                  | time out                 |
//!     +------------------+--------------------------+  taken
//! ```
//!
//! A green thread without a deadline is PARKED: one gift turns that into NOTIFIED, and the giver
//! wakes the thread, whose header it has. With a deadline, or on an OS thread, it is QUEUED: it
//! waits at the word, by address.
//!
//! # Memory ordering
//!
//! Who gives the token releases and who takes it acquires, through the chain of read-modify-writes
//! on the word: what came before any of the gifts so far is visible to who takes.

use std::ptr::NonNull;
use std::time::Instant;

use crate::park::{self, WaitReason};
use crate::primitive::{AtomicU32, Ordering};
use crate::task::Header;

const EMPTY: u32 = 0;
/// The token is there.
const NOTIFIED: u32 = 1;
/// The green thread waits for it, for ever: one less than `EMPTY`.
const PARKED: u32 = u32::MAX;
/// The thread waits at the word.
const QUEUED: u32 = 2;

/// Makes the thread's token available.
pub(crate) fn give(thread: &Header) {
    // Release pairs with the acquire in `take` and `take_queued`.
    match thread.token.swap(NOTIFIED, Ordering::Release) {
        // SAFETY: the one swap that finds PARKED makes this call.
        PARKED => unsafe { park::call(NonNull::from(thread)) },
        QUEUED => drop(park::wake(&thread.token, 1)),
        _ => {}
    }
}

/// Parks the calling green thread until its token is available, and takes it.
#[inline]
pub(crate) fn take(thread: &Header) {
    // Acquire pairs with the release in `give`, here and below.
    if thread.token.fetch_sub(1, Ordering::Acquire) == NOTIFIED {
        return;
    }
    park::park_until(thread, WaitReason::Park, || true);
    let token = thread.token.swap(EMPTY, Ordering::Acquire);
    debug_assert_eq!(token, NOTIFIED);
}

/// Parks the calling thread, whose word this is, until the token is available or until `deadline`,
/// and takes it.
pub(crate) fn take_queued(word: &AtomicU32, deadline: Option<Instant>) {
    // What was written before a gift is acquired by the swap below.
    if word.compare_exchange(EMPTY, QUEUED, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
        loop {
            park::wait(word, QUEUED, deadline, WaitReason::Park);
            // A giver of a token that was taken long ago may be late with its wake-up.
            if deadline.is_some() || word.load(Ordering::Relaxed) != QUEUED {
                break;
            }
        }
    }
    // Takes the token if it has come, or says that nobody waits any more. Acquire pairs with the
    // release in `give`.
    word.swap(EMPTY, Ordering::Acquire);
}
