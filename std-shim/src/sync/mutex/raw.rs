//! The lock without the data: one word in three states.
//!
//! | word | meaning |
//! |---|---|
//! | `FREE` | nobody has it |
//! | `HELD` | somebody has it and nobody is parked: the unlock has nobody to wake |
//! | `AWAITED` | somebody has it and others may be parked: the unlock passes it on |
//!
//! ```text
//!            lock                 lock_slow
//!   FREE ------------> HELD ------------------> AWAITED --+
//!     ^                  |                       |  ^     | unlock: handed over
//!     +------------------+-----------------------+  +-----+
//!                 unlock; from AWAITED it also wakes one
//! ```
//!
//! A thread that parks leaves `AWAITED` behind, and having been woken it can only take the lock as
//! `AWAITED` too, since it cannot know whether others are parked still. So as long as anybody is
//! parked, whoever unlocks next passes the lock on; at worst that finds nobody, once, at the end.
//!
//! The unlock takes one off the word. From `HELD` that leaves it `FREE`. From `AWAITED` it leaves it
//! `HELD`: locked still, until `pass_on` has decided.
//!
//! # Who goes first
//!
//! The one who is woken has no claim on the lock: a thread that comes by at the right moment gets
//! it first. That is fast, for who unlocks and locks again need not switch in between, and what
//! std's does. It is also unfair: one that is woken too late each time waits for ever.
//!
//! So there is a limit. The queue keeps the order in which threads have begun to wait, and one that was
//! woken in vain goes back to its place. If the first in it has waited for a millisecond, the unlock does
//! not free the lock but hands it over. The word is `AWAITED` again, and the one that is granted the lock
//! has it from then on, though it does not run yet. Nobody else gets in between. Then follow all the
//! others that have waited for so long; when the first has not, it is as before.
//!
//! Hence, from its first millisecond on, a thread waits for those that came before it, one hold each, and
//! for the time until each of them runs. If it was woken in vain it also waits until it runs, before it
//! stands in the queue again. A lock that nobody is parked for takes no notice of the time.
//!
//! Where green threads share their worker's thread-locals, one that computes between its locks keeps all
//! others of its worker from running, those that it has woken, too. So it lets them run first, before
//! it takes a lock, when the runtime says that it is time (`is_pressed`).
//!
//! Where owners are noted (`SYLVAN_DEADLOCK`), `is_pressed` has each `lock` and `try_lock` go the long way. That notes
//! the owner and leaves `AWAITED`, so that each such unlock passes the lock on, and takes back the note first.
//!
//! # Memory ordering
//!
//! Each way to take the lock acquires on the word, `unlock` releases on it. A grant orders as much:
//! `pass_on` releases to the one it tells. Nothing else is needed: `wait_turn` compares the word under
//! the lock of its queue, and `pass_on` changes it under the same lock. So a thread that is about to park
//! either sees the word changed or is found.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::Instant;

use super::super::primitive::{
    AtomicU32, Turn, WaitReason, forget_owner, is_pressed, note_owner, notes_owners, pass_on,
    step_aside, wait_turn,
};
use super::super::spin;

const FREE: u32 = 0;
const HELD: u32 = 1;
const AWAITED: u32 = 2;

/// A lock that knows neither its data nor poison.
pub(in crate::sync) struct RawMutex {
    word: AtomicU32,
}

impl RawMutex {
    pub(in crate::sync) const fn new() -> Self {
        Self { word: AtomicU32::new(FREE) }
    }

    #[inline]
    pub(in crate::sync) fn try_lock(&self) -> bool {
        if is_pressed() { self.try_lock_noted() } else { self.take_if_free(HELD) }
    }

    #[inline]
    pub(in crate::sync) fn lock(&self) {
        if is_pressed() || !self.take_if_free(HELD) {
            self.lock_slow();
        }
    }

    #[inline]
    fn take_if_free(&self, held: u32) -> bool {
        // Acquires what the last `unlock` released.
        self.word.compare_exchange(FREE, held, Acquire, Relaxed).is_ok()
    }

    #[cold]
    fn try_lock_noted(&self) -> bool {
        let is_taken = self.take_if_free(held());
        if is_taken {
            note_owner(&self.word);
        }
        is_taken
    }

    #[cold]
    fn lock_slow(&self) {
        step_aside();
        self.take();
        note_owner(&self.word);
    }

    fn take(&self) {
        let held = held();
        // Others parked already: no use to look on, whoever unlocks wakes one of them.
        let mut seen = spin::until(&self.word, |word| word != HELD);
        if seen == FREE {
            match self.word.compare_exchange(FREE, held, Acquire, Relaxed) {
                Ok(_) => return,
                Err(word) => seen = word,
            }
        }
        let mut since = None;
        loop {
            // Acquires what the last `unlock` released, if that left the word `FREE`.
            if seen != AWAITED && self.word.swap(AWAITED, Acquire) == FREE {
                return;
            }
            let since = *since.get_or_insert_with(Instant::now);
            if wait_turn(&self.word, AWAITED, since, WaitReason::Mutex) == Turn::Granted {
                return;
            }
            seen = spin::until(&self.word, |word| word != HELD);
        }
    }

    /// Gives the lock up.
    ///
    /// # Safety
    ///
    /// The caller has the lock, by `lock` or by a `try_lock` that succeeded, and gives it up once.
    #[inline]
    pub(in crate::sync) unsafe fn unlock(&self) {
        // Releases to whoever takes the lock next.
        if self.word.fetch_sub(1, Release) != HELD {
            self.unlock_awaited();
        }
    }

    #[cold]
    fn unlock_awaited(&self) {
        forget_owner(&self.word);
        pass_on(&self.word, FREE, AWAITED);
    }
}

/// What is left in the word where nobody is known to wait: what is noted its unlock takes back, the long way.
fn held() -> u32 {
    if notes_owners() { AWAITED } else { HELD }
}
