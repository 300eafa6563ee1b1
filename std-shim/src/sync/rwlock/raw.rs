//! The lock without the data: how readers and writers share two words.
//!
//! `state` counts the readers and says who is parked:
//!
//! | bits | meaning |
//! |---|---|
//! | 0..30 (`HOLDERS`) | 0: free; all ones (`WRITER`): one writer; else: so many readers |
//! | 30 (`READERS_WAIT`) | readers may be parked, on `state` |
//! | 31 (`WRITERS_WAIT`) | writers may be parked, on `turn` |
//!
//! `turn` counts the wake-ups meant for writers. They need a word of their own: the one who unlocks
//! wakes one writer or all readers, never a mix.
//!
//! # Who goes first
//!
//! - A reader takes the lock only if nobody waits: readers that keep coming cannot keep a writer
//!   out. Hence a thread that reads twice at a time may wait for a writer that waits for it.
//! - A writer takes the lock whenever it is free, waiting threads or not.
//! - Whoever leaves the lock free wakes one writer; without writers, all readers. Waiting readers
//!   stay put meanwhile, so `READERS_WAIT` with a free lock means that a hand-over is under way.
//! - `downgrade` lets in the readers that wait already, ahead of waiting writers: the one who
//!   downgrades wants its change to be read.
//! - Who has waited for a millisecond goes before all that. Then the lock is not left free but
//!   granted to the one that has waited longest, or if that is a reader to all readers that wait. Both
//!   queues keep the order in which threads have begun to wait, as a mutex's does (see there).
//!
//! So a thread that has waited for a millisecond waits for those that came before it, and for readers
//! that are let in with one of these.
//!
//! # Protocol
//!
//! A thread that waits sets its bit, and parks only while the bit stands:
//!
//! 1. A reader parks on the value of `state` that it has seen or made, with `READERS_WAIT`.
//! 2. A writer reads `turn`, then checks that the lock is held and `WRITERS_WAIT` set, then parks
//!    on the value of `turn`. Who clears `WRITERS_WAIT` moves `turn` afterwards.
//! 3. A writer that was parked keeps `WRITERS_WAIT` when it takes the lock: its wake-up cleared the
//!    bit, and others may be parked still. A grant to a writer leaves the bit alone.
//! 4. Who clears a bit wakes for it. If the lock has been taken meanwhile, the bits stay, and the
//!    new holder sees to them when it leaves.
//! 5. Who is the last to leave, and finds a bit, has the lock as a writer while it decides. A writer
//!    has it anyway; the last reader takes it, unless a writer comes by in that very moment (4). A
//!    grant to readers turns the writer's hold into theirs, counts them and clears their bit, under the
//!    lock of their queue: one that is about to park finds `state` changed.
//!
//! Where owners are noted (`SYLVAN_DEADLOCK`), `is_pressed` has each `write` and `try_write` go the long way. That
//! notes the owner and leaves `WRITERS_WAIT`, for nobody perhaps, as step 3 does: so each such unlock goes the long way,
//! and takes back the note first. Readers note nothing.
//!
//! # Memory ordering
//!
//! Each way to take the lock acquires on `state`; each way to give it up, and `downgrade`, releases on
//! it. The last reader of step 5 acquires for the writer that it is, so that it passes on what all
//! readers have released; a grant releases to the one it tells. `turn` is read before `state` in step 2
//! and moved after `state` in step 4. The move releases and the read acquires, so a writer that reads
//! the moved value sees the cleared bit.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::Instant;

use super::super::primitive::{
    AtomicU32, Turn, WRITTEN, WaitReason, forget_owner, grant, is_pressed, note_owner,
    notes_owners, overdue, step_aside, wait_turn, wake,
};
use super::super::spin;

const READER: u32 = 1;
const HOLDERS: u32 = (1 << 30) - 1;
const WRITER: u32 = HOLDERS;
const MAX_READERS: u32 = WRITER - 1;
// Those who look at the lock from outside count upon it.
const _: () = assert!(WRITER == WRITTEN);
const READERS_WAIT: u32 = 1 << 30;
const WRITERS_WAIT: u32 = 1 << 31;

const fn is_free(state: u32) -> bool {
    state & HOLDERS == 0
}

const fn is_written(state: u32) -> bool {
    state & HOLDERS == WRITER
}

/// Whether a reader may take the lock: no writer, nobody waiting, and the count has room.
const fn admits_reader(state: u32) -> bool {
    // With a bit for waiting threads set, `state` is greater than any count.
    state < MAX_READERS
}

/// A readers-writer lock that knows neither its data nor poison.
pub(super) struct RawRwLock {
    state: AtomicU32,
    turn: AtomicU32,
}

impl RawRwLock {
    pub(super) const fn new() -> Self {
        Self { state: AtomicU32::new(0), turn: AtomicU32::new(0) }
    }

    #[inline]
    pub(super) fn try_read(&self) -> bool {
        let mut state = self.state.load(Relaxed);
        while admits_reader(state) {
            // Acquires what the last `write_unlock` released.
            match self.state.compare_exchange_weak(state, state + READER, Acquire, Relaxed) {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
        false
    }

    #[inline]
    pub(super) fn read(&self) {
        let state = self.state.load(Relaxed);
        if is_pressed()
            || !admits_reader(state)
            || self.state.compare_exchange_weak(state, state + READER, Acquire, Relaxed).is_err()
        {
            self.read_slow();
        }
    }

    #[cold]
    fn read_slow(&self) {
        step_aside();
        let mut since = None;
        let mut state = self.look_for_reading();
        loop {
            if admits_reader(state) {
                // Acquires what the last `write_unlock` or `downgrade` released.
                match self.state.compare_exchange_weak(state, state + READER, Acquire, Relaxed) {
                    Ok(_) => return,
                    Err(now) => state = now,
                }
                continue;
            }
            assert!(state & HOLDERS != MAX_READERS, "too many active read locks on RwLock");
            if state & READERS_WAIT == 0 {
                let marked = state | READERS_WAIT;
                if let Err(now) = self.state.compare_exchange(state, marked, Relaxed, Relaxed) {
                    state = now;
                    continue;
                }
                state = marked;
            }
            let since = *since.get_or_insert_with(Instant::now);
            if wait_turn(&self.state, state, since, WaitReason::RwLock) == Turn::Granted {
                return;
            }
            state = self.look_for_reading();
        }
    }

    /// Gives up one reader's hold.
    ///
    /// # Safety
    ///
    /// The caller has the lock for reading, and gives it up once.
    #[inline]
    pub(super) unsafe fn read_unlock(&self) {
        // Releases to the writer that comes next.
        let state = self.state.fetch_sub(READER, Release) - READER;
        // Readers wait for readers only if a writer waits between them.
        debug_assert!(state & READERS_WAIT == 0 || state & WRITERS_WAIT != 0);
        if is_free(state) && state & WRITERS_WAIT != 0 {
            self.last_reader_left(state);
        }
    }

    #[inline]
    pub(super) fn try_write(&self) -> bool {
        if is_pressed() { self.try_write_noted() } else { self.take_if_free(0) }
    }

    #[inline]
    fn take_if_free(&self, others: u32) -> bool {
        let mut state = self.state.load(Relaxed);
        while is_free(state) {
            let taken = state | WRITER | others;
            // Acquires what the last `read_unlock` or `write_unlock` released.
            match self.state.compare_exchange_weak(state, taken, Acquire, Relaxed) {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
        false
    }

    #[cold]
    fn try_write_noted(&self) -> bool {
        let is_taken = self.take_if_free(others());
        if is_taken {
            note_owner(&self.state);
        }
        is_taken
    }

    #[inline]
    pub(super) fn write(&self) {
        if is_pressed() || self.state.compare_exchange_weak(0, WRITER, Acquire, Relaxed).is_err() {
            self.write_slow();
        }
    }

    #[cold]
    fn write_slow(&self) {
        step_aside();
        self.take_to_write();
        note_owner(&self.state);
    }

    fn take_to_write(&self) {
        let mut others = others();
        let mut since = None;
        let mut state = self.look_for_writing();
        loop {
            if is_free(state) {
                let taken = state | WRITER | others;
                // Acquires what the last `read_unlock` or `write_unlock` released.
                match self.state.compare_exchange_weak(state, taken, Acquire, Relaxed) {
                    Ok(_) => return,
                    Err(now) => state = now,
                }
                continue;
            }
            if state & WRITERS_WAIT == 0 {
                let marked = state | WRITERS_WAIT;
                if let Err(now) = self.state.compare_exchange(state, marked, Relaxed, Relaxed) {
                    state = now;
                    continue;
                }
            }
            others = WRITERS_WAIT;

            // Pairs with the increment in `wake_writer`.
            let turn = self.turn.load(Acquire);
            state = self.state.load(Relaxed);
            if is_free(state) || state & WRITERS_WAIT == 0 {
                continue;
            }
            let since = *since.get_or_insert_with(Instant::now);
            if wait_turn(&self.turn, turn, since, WaitReason::RwLock) == Turn::Granted {
                return;
            }
            state = self.look_for_writing();
        }
    }

    /// Gives up the writer's hold.
    ///
    /// # Safety
    ///
    /// The caller has the lock for writing, and gives it up once.
    #[inline]
    pub(super) unsafe fn write_unlock(&self) {
        // Releases to whoever comes next.
        if self.state.compare_exchange(WRITER, 0, Release, Relaxed).is_err() {
            forget_owner(&self.state);
            self.pass_on();
        }
    }

    /// Turns the writer's hold into a reader's, and lets in the readers that wait.
    ///
    /// # Safety
    ///
    /// The caller has the lock for writing; from here on it has it for reading.
    pub(super) unsafe fn downgrade(&self) {
        // Releases to the readers that come next.
        if self.state.compare_exchange(WRITER, READER, Release, Relaxed).is_err() {
            forget_owner(&self.state);
            self.grant_to_readers(READER);
        }
    }

    /// Step 5: `state` is what the last reader left, free and with a writer that waits.
    #[cold]
    fn last_reader_left(&self, mut state: u32) {
        while is_free(state) && state & WRITERS_WAIT != 0 {
            // Acquires what the other readers released.
            match self.state.compare_exchange(state, state | WRITER, Acquire, Relaxed) {
                Ok(_) => return self.pass_on(),
                Err(now) => state = now,
            }
        }
    }

    /// Gives up the writer's hold while others wait: grants it to the one that has waited for too long,
    /// or leaves the lock free and wakes.
    #[cold]
    fn pass_on(&self) {
        let state = self.state.load(Relaxed);
        debug_assert!(is_written(state));
        let overdue_at = |bit, word| if state & bit != 0 { overdue(word) } else { None };
        let (reader, writer) =
            (overdue_at(READERS_WAIT, &self.state), overdue_at(WRITERS_WAIT, &self.turn));
        // A late wake-up may have got there first: then there is nobody to grant it to.
        if (writer.is_some() && writer >= reader && grant(&self.turn, 1, &|_| ()) > 0)
            || (reader.is_some() && self.grant_to_readers(0) > 0)
        {
            return;
        }
        // Releases to whoever comes next.
        let state = self.state.fetch_sub(WRITER, Release) - WRITER;
        if state != 0 {
            self.hand_over(state);
        }
    }

    /// Turns the writer's hold into `holds` of readers, and one for each that waits; how many do. Without
    /// any it changes nothing.
    fn grant_to_readers(&self, holds: u32) -> usize {
        grant(&self.state, usize::MAX, &|n| {
            let readers =
                holds + u32::try_from(n).expect("fewer threads than the count has room for");
            let settle = |state| Some((state & !(HOLDERS | READERS_WAIT)) | readers);
            if readers > 0 {
                // Releases to those that join them; a grant does so to those that wait.
                let _ = self.state.fetch_update(Release, Relaxed, settle);
            }
        })
    }

    /// Wakes one writer, or all readers if no writer was there to be woken.
    ///
    /// `state` is what the caller left: free, with somebody waiting. Each step ends the hand-over
    /// if the lock has been taken (step 4); a bit that appears meanwhile is taken into account.
    #[cold]
    fn hand_over(&self, mut state: u32) {
        debug_assert!(is_free(state));
        if state == WRITERS_WAIT {
            match self.state.compare_exchange(state, 0, Relaxed, Relaxed) {
                Ok(_) => {
                    // Nobody else waited: if this writer is not parked yet, it finds its bit gone.
                    self.wake_writer();
                    return;
                }
                Err(now) => state = now,
            }
        }
        if state == READERS_WAIT | WRITERS_WAIT {
            if self.state.compare_exchange(state, READERS_WAIT, Relaxed, Relaxed).is_err() {
                return;
            }
            if self.wake_writer() {
                return;
            }
            // No writer was parked. One may be about to, and will find its bit gone; but it may
            // also be a bit left by step 3 for nobody, and then the readers must not wait for it.
            state = READERS_WAIT;
        }
        if state == READERS_WAIT && self.state.compare_exchange(state, 0, Relaxed, Relaxed).is_ok()
        {
            wake(&self.state, usize::MAX);
        }
    }

    /// Wakes one parked writer, and keeps one that is about to park from it; says whether one was
    /// parked.
    fn wake_writer(&self) -> bool {
        // Pairs with the load in `write_slow`.
        self.turn.fetch_add(1, Release);
        wake(&self.turn, 1) > 0
    }

    /// Looks at `state` until the lock is not written or somebody waits, for a short while.
    fn look_for_reading(&self) -> u32 {
        spin::until(&self.state, |state| state != WRITER)
    }

    /// Looks at `state` until the lock is free or a writer waits, for a short while.
    fn look_for_writing(&self) -> u32 {
        spin::until(&self.state, |state| is_free(state) || state & WRITERS_WAIT != 0)
    }
}

/// Step 3: what is left in `state` on behalf of others where nobody is known to wait. What is noted its unlock takes
/// back, the long way.
fn others() -> u32 {
    if notes_owners() { WRITERS_WAIT } else { 0 }
}
