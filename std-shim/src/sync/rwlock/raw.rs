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
//!
//! # Protocol
//!
//! A thread that waits sets its bit, and parks only while the bit stands:
//!
//! 1. A reader parks on the value of `state` that it has seen or made, with `READERS_WAIT`.
//! 2. A writer reads `turn`, then checks that the lock is held and `WRITERS_WAIT` set, then parks
//!    on the value of `turn`. Who clears `WRITERS_WAIT` moves `turn` afterwards.
//! 3. A writer that was parked keeps `WRITERS_WAIT` when it takes the lock: its wake-up cleared the
//!    bit, and others may be parked still.
//! 4. Who clears a bit wakes for it. If the lock has been taken meanwhile, the bits stay, and the
//!    new holder sees to them when it leaves.
//!
//! # Memory ordering
//!
//! Each way to take the lock acquires on `state`; each way to give it up, and `downgrade`, releases
//! on it. `turn` is read before `state` in step 2 and moved after `state` in step 4: the move
//! releases and the read acquires, so a writer that reads the moved value sees the cleared bit.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::super::spin;
use crate::bridge::{self, WaitReason};

const READER: u32 = 1;
const HOLDERS: u32 = (1 << 30) - 1;
const WRITER: u32 = HOLDERS;
const MAX_READERS: u32 = WRITER - 1;
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

/// Whether a reader that was parked may take the lock past waiting writers.
///
/// Readers hold the lock and none wait: that is what `downgrade` leaves behind.
const fn admits_woken_reader(state: u32) -> bool {
    let readers = state & HOLDERS;
    state & READERS_WAIT == 0 && readers > 0 && readers < MAX_READERS
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
        if !admits_reader(state)
            || self.state.compare_exchange_weak(state, state + READER, Acquire, Relaxed).is_err()
        {
            self.read_slow();
        }
    }

    #[cold]
    fn read_slow(&self) {
        let mut was_parked = false;
        let mut state = self.look_for_reading();
        loop {
            if admits_reader(state) || (was_parked && admits_woken_reader(state)) {
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
            bridge::wait(&self.state, state, None, WaitReason::RwLock);
            was_parked = true;
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
            self.hand_over(state);
        }
    }

    #[inline]
    pub(super) fn try_write(&self) -> bool {
        let mut state = self.state.load(Relaxed);
        while is_free(state) {
            // Acquires what the last `read_unlock` or `write_unlock` released.
            match self.state.compare_exchange_weak(state, state | WRITER, Acquire, Relaxed) {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
        false
    }

    #[inline]
    pub(super) fn write(&self) {
        if self.state.compare_exchange_weak(0, WRITER, Acquire, Relaxed).is_err() {
            self.write_slow();
        }
    }

    #[cold]
    fn write_slow(&self) {
        // Step 3: what to leave in `state` on behalf of others.
        let mut others = 0;
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
            bridge::wait(&self.turn, turn, None, WaitReason::RwLock);
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
        let state = self.state.fetch_sub(WRITER, Release) - WRITER;
        debug_assert!(is_free(state));
        if state != 0 {
            self.hand_over(state);
        }
    }

    /// Turns the writer's hold into a reader's, and lets in the readers that wait.
    ///
    /// # Safety
    ///
    /// The caller has the lock for writing; from here on it has it for reading.
    pub(super) unsafe fn downgrade(&self) {
        // Releases to the readers that come next.
        let state = self.state.fetch_sub(WRITER - READER, Release);
        debug_assert!(is_written(state));
        if state & READERS_WAIT != 0 {
            // The bit was set while the lock was written, and is cleared only by who leaves the
            // lock free: it is still there, and ours to clear.
            self.state.fetch_sub(READERS_WAIT, Relaxed);
            bridge::wake(&self.state, usize::MAX);
        }
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
            bridge::wake(&self.state, usize::MAX);
        }
    }

    /// Wakes one parked writer, and keeps one that is about to park from it; says whether one was
    /// parked.
    fn wake_writer(&self) -> bool {
        // Pairs with the load in `write_slow`.
        self.turn.fetch_add(1, Release);
        bridge::wake(&self.turn, 1) > 0
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
