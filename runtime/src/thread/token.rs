//! The word of `park` and `unpark`: a token that is there or not.
//!
//! ```text
//!            take                    give
//!   EMPTY ----------> PARKED ----------------> NOTIFIED
//!     ^                                           |
//!     +-------------------------------------------+  taken
//! ```
//!
//! # Memory ordering
//!
//! Who gives the token releases and who takes it acquires, through the chain of read-modify-writes
//! on the word: what came before any of the gifts so far is visible to who takes.

use std::time::Instant;

use crate::park::{WaitReason, wait, wake};
use crate::primitive::{AtomicU32, Ordering};

const EMPTY: u32 = 0;
/// The token is there.
const NOTIFIED: u32 = 1;
/// The thread waits for it: one less than `EMPTY`.
const PARKED: u32 = u32::MAX;

/// Makes the token available.
pub(crate) fn give(word: &AtomicU32) {
    // Release pairs with the acquire in `take` and `take_until`.
    if word.swap(NOTIFIED, Ordering::Release) == PARKED {
        wake(word, 1);
    }
}

/// Parks the calling thread, whose word this is, until the token is available, and takes it.
pub(crate) fn take(word: &AtomicU32) {
    // Acquire pairs with the release in `give`, here and below.
    if word.fetch_sub(1, Ordering::Acquire) == NOTIFIED {
        return;
    }
    loop {
        wait(word, PARKED, None, WaitReason::Park);
        if word.compare_exchange(NOTIFIED, EMPTY, Ordering::Acquire, Ordering::Relaxed).is_ok() {
            return;
        }
    }
}

/// As `take`, but until `deadline` at most.
pub(crate) fn take_until(word: &AtomicU32, deadline: Instant) {
    // Acquire pairs with the release in `give`, here and below.
    if word.fetch_sub(1, Ordering::Acquire) == NOTIFIED {
        return;
    }
    wait(word, PARKED, Some(deadline), WaitReason::Park);
    // Takes the token if it has come, or says that nobody waits any more.
    word.swap(EMPTY, Ordering::Acquire);
}
