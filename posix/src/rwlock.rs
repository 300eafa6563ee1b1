//! Reader-writer locks, in glibc's objects: `pthread_rwlock_t`.
//!
//! `pthread_rwlock_init` and `destroy` are glibc's. Those that other processes share are glibc's altogether, in
//! a blocking section.
//!
//! The first word, of 64 bits, is all that there is to decide by; each step is one compare-exchange on it.
//!
//! | bits | meaning |
//! |---|---|
//! | 0..20 (`READERS`) | how many read |
//! | 20 (`WRITTEN`) | a writer has it, or is to have it |
//! | 21 (`FOR_ANY_WRITER`) | with `WRITTEN`: the next writer that looks has it |
//! | 22 (`EPOCH`) | turns each time that those who wait to read are all let in |
//! | 23..43 (`READERS_WAIT`) | how many wait to read |
//! | 43..64 (`WRITERS_WAIT`) | how many wait to write |
//!
//! Two more words, `reader_turn` and `writer_turn`, are what they park at: who wakes moves one, after the step.
//! And `writer` is the number of the writer (`owner`), where glibc has it, too.
//!
//! # Who goes first
//!
//! As with glibc:
//!
//! - By default a reader comes in whenever nobody writes, though writers wait: a thread may read twice at a
//!   time. A lock of the kind `PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP` keeps readers out while a writer
//!   waits.
//! - A writer that leaves lets in all readers that wait; where writers are preferred, only if no writer waits.
//!   They have the lock from then on, and need not ask when they run: a reader that waits sees by the epoch that
//!   it was let in. Until it leaves no writer comes in, so the epoch cannot turn twice.
//! - The last reader that leaves leaves the lock for the writers that wait, if any does, so that readers that come
//!   later do not keep them out. Which writer gets it is open, and one is woken: the one that waits first.
//!
//! # Waiting
//!
//! A thread that waits reads the word that it parks at, then looks at the lock and counts itself, and parks
//! unless the word has moved. Who changes the lock for it moves the word afterwards. So it sees the change, or the
//! word moved, or is woken. Whoever was woken looks again. If its time is over it takes itself off the count; and
//! if that lets readers in, that a waiting writer kept out, it wakes them.

use std::ffi::c_int;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Instant;

use libc::{clockid_t, pthread_rwlock_t, timespec};
use sylvan::WaitReason;
use sylvan::contract::{LockWord, Turn};

use crate::deadline::{self, Deadline};
use crate::next::call_next;
use crate::owner::me;
use crate::wait::{self, Interrupted, Restart};

const READER: u64 = 1;
const READERS: u64 = (1 << 20) - 1;
const WRITTEN: u64 = 1 << 20;
const FOR_ANY_WRITER: u64 = 1 << 21;
const EPOCH: u64 = 1 << 22;
const READER_WAITS: u64 = 1 << 23;
const READERS_WAIT: u64 = READERS << 23;
const WRITER_WAITS: u64 = 1 << 43;
const WRITERS_WAIT: u64 = !0 << 43;

type Time = *const timespec;

/// The kind of lock whose readers wait for writers that wait.
const PREFERS_WRITERS: u32 = 2;

#[repr(C)]
struct Lock {
    state: AtomicU64,
    reader_turn: AtomicU32,
    writer_turn: AtomicU32,
    _glibcs: [u32; 2],
    writer: AtomicU32,
    shared: AtomicU32,
    _elision_and_more: [u64; 2],
    kind: AtomicU32,
}

const _: () = assert!(size_of::<Lock>() <= size_of::<pthread_rwlock_t>());

/// What a look at the lock has come to.
enum Look {
    Taken,
    /// The lock can have no more readers, or no more that wait.
    Full,
    /// It is not to be had.
    Wait,
}

impl Lock {
    /// # Safety
    ///
    /// It is a lock, for as long as the caller uses it.
    unsafe fn at<'a>(lock: *mut pthread_rwlock_t) -> &'a Self {
        // SAFETY: as the caller promises. All access is atomic.
        unsafe { &*lock.cast() }
    }

    #[inline]
    fn is_shared(&self) -> bool {
        self.shared.load(Relaxed) != 0
    }

    fn prefers_writers(&self) -> bool {
        self.kind.load(Relaxed) == PREFERS_WRITERS
    }

    /// Whether a reader may come in.
    #[inline]
    fn admits_reader(&self, state: u64) -> bool {
        state & WRITTEN == 0 && (state & WRITERS_WAIT == 0 || !self.prefers_writers())
    }

    /// Comes in as a reader, if one may; one that has waited takes itself off the count.
    #[inline]
    fn try_read(&self, waits: u64) -> Look {
        let mut state = self.state.load(Relaxed);
        while self.admits_reader(state) {
            if state & READERS == READERS {
                return Look::Full;
            }
            // Acquires what the last writer released.
            let reads = state + READER - waits;
            match self.state.compare_exchange_weak(state, reads, Acquire, Relaxed) {
                Ok(_) => return Look::Taken,
                Err(now) => state = now,
            }
        }
        Look::Wait
    }

    /// Comes in as the writer, if it may; one that has waited takes itself off the count.
    #[inline]
    fn try_write(&self, waits: u64) -> bool {
        let mut state = self.state.load(Relaxed);
        while state & (READERS | WRITTEN) == 0 || state & FOR_ANY_WRITER != 0 {
            let written = ((state & !FOR_ANY_WRITER) | WRITTEN) - waits;
            // Acquires what the last readers or the last writer released.
            match self.state.compare_exchange_weak(state, written, Acquire, Relaxed) {
                Ok(_) => {
                    self.writer.store(me(), Relaxed);
                    return true;
                }
                Err(now) => state = now,
            }
        }
        false
    }

    #[inline]
    fn is_mine(&self) -> bool {
        self.writer.load(Relaxed) == me()
    }

    fn read(&self, deadline: Deadline) -> c_int {
        match self.try_read(0) {
            Look::Taken => 0,
            Look::Full => libc::EAGAIN,
            Look::Wait if self.is_mine() => libc::EDEADLK,
            Look::Wait => self.wait_to_read(deadline),
        }
    }

    #[cold]
    fn wait_to_read(&self, deadline: Deadline) -> c_int {
        let mut turn = self.reader_turn.load(Acquire);
        let mut state = self.state.load(Relaxed);
        let epoch = loop {
            if self.admits_reader(state) {
                match self.try_read(0) {
                    Look::Taken => return 0,
                    Look::Full => return libc::EAGAIN,
                    Look::Wait => {}
                }
            } else if state & READERS_WAIT == READERS_WAIT {
                return libc::EAGAIN;
            } else {
                let waits = state + READER_WAITS;
                if self.state.compare_exchange(state, waits, Relaxed, Relaxed).is_ok() {
                    break state & EPOCH;
                }
            }
            state = self.state.load(Relaxed);
        };
        let since = Instant::now();
        loop {
            let end = self.wait(&self.reader_turn, turn, since, deadline);
            // Pairs with the move that follows a change.
            turn = self.reader_turn.load(Acquire);
            // Acquires what the writer released that has let this one in.
            if self.state.load(Acquire) & EPOCH != epoch {
                return 0;
            }
            match self.try_read(READER_WAITS) {
                Look::Taken => return 0,
                Look::Full if self.give_up_reading(epoch) => return libc::EAGAIN,
                Look::Wait if end != Ok(Turn::TimedOut) => {}
                Look::Wait if self.give_up_reading(epoch) => return libc::ETIMEDOUT,
                Look::Full | Look::Wait => return 0,
            }
        }
    }

    /// Takes a reader off the count of those who wait; `false` if it was let in before.
    fn give_up_reading(&self, epoch: u64) -> bool {
        self.state
            .fetch_update(Acquire, Acquire, |state| {
                (state & EPOCH == epoch).then(|| state - READER_WAITS)
            })
            .is_ok()
    }

    fn write(&self, deadline: Deadline) -> c_int {
        if self.try_write(0) {
            return 0;
        }
        if self.is_mine() {
            return libc::EDEADLK;
        }
        self.wait_to_write(deadline)
    }

    #[cold]
    fn wait_to_write(&self, deadline: Deadline) -> c_int {
        let mut turn = self.writer_turn.load(Acquire);
        while let Err(state) = self.state.fetch_update(Relaxed, Relaxed, |state| {
            (state & WRITERS_WAIT != WRITERS_WAIT).then(|| state.wrapping_add(WRITER_WAITS))
        }) {
            debug_assert!(state & WRITERS_WAIT == WRITERS_WAIT);
            wait::yield_now();
        }
        let since = Instant::now();
        loop {
            if self.try_write(WRITER_WAITS) {
                return 0;
            }
            if self.wait(&self.writer_turn, turn, since, deadline) == Ok(Turn::TimedOut) {
                return self.give_up_writing();
            }
            // Pairs with the move that follows a change.
            turn = self.writer_turn.load(Acquire);
        }
    }

    /// The time of a writer is over.
    fn give_up_writing(&self) -> c_int {
        let mut state = self.state.load(Relaxed);
        loop {
            // It may be the one that it was left for.
            if state & FOR_ANY_WRITER != 0 || state & (READERS | WRITTEN) == 0 {
                if self.try_write(WRITER_WAITS) {
                    return 0;
                }
                state = self.state.load(Relaxed);
                continue;
            }
            let left = state - WRITER_WAITS;
            match self.state.compare_exchange(state, left, Release, Relaxed) {
                Ok(_) => {
                    if left & READERS_WAIT != 0 && self.admits_reader(left) {
                        self.wake_readers();
                    }
                    return libc::ETIMEDOUT;
                }
                Err(now) => state = now,
            }
        }
    }

    /// Parks at one of the words, in the order in which threads have come.
    fn wait(
        &self,
        word: &AtomicU32,
        turn: u32,
        since: Instant,
        deadline: Deadline,
    ) -> Result<Turn, Interrupted> {
        let lock = LockWord::with_owner(word, &self.writer);
        wait::turn(lock, turn, since, deadline, WaitReason::RwLock, Restart::Always)
    }

    /// Moves the word that readers park at, after a change for them.
    fn wake_readers(&self) {
        // Pairs with the loads in `wait_to_read`.
        self.reader_turn.fetch_add(1, Release);
        sylvan::wake(&self.reader_turn, usize::MAX);
    }

    /// Moves the word that writers park at, after a change for one of them.
    fn wake_writer(&self) {
        // Pairs with the loads in `wait_to_write`.
        self.writer_turn.fetch_add(1, Release);
        sylvan::wake(&self.writer_turn, 1);
    }

    #[inline]
    fn unlock(&self) -> c_int {
        if self.is_mine() { self.write_unlock() } else { self.read_unlock() }
    }

    #[inline]
    fn read_unlock(&self) -> c_int {
        let mut state = self.state.load(Relaxed);
        loop {
            if state & READERS == 0 {
                return libc::EPERM;
            }
            let mut left = state - READER;
            let is_for_writer = left & READERS == 0 && left & WRITERS_WAIT != 0;
            if is_for_writer {
                left |= WRITTEN | FOR_ANY_WRITER;
            }
            // Releases to the next writer. If none waits the lock is not touched after that.
            match self.state.compare_exchange_weak(state, left, Release, Relaxed) {
                Ok(_) if is_for_writer => {
                    self.wake_writer();
                    return 0;
                }
                Ok(_) => return 0,
                Err(now) => state = now,
            }
        }
    }

    #[inline]
    fn write_unlock(&self) -> c_int {
        self.writer.store(0, Relaxed);
        let mut state = self.state.load(Relaxed);
        loop {
            debug_assert!(state & (READERS | WRITTEN | FOR_ANY_WRITER) == WRITTEN);
            let (readers, writers) = (state & READERS_WAIT, state & WRITERS_WAIT);
            let lets_readers_in = readers != 0 && (writers == 0 || !self.prefers_writers());
            let left = if lets_readers_in {
                (writers | ((state & EPOCH) ^ EPOCH)) + readers / READER_WAITS
            } else if writers != 0 {
                state | FOR_ANY_WRITER
            } else {
                state & EPOCH
            };
            // Releases to whoever comes next. If nobody waits the lock is not touched after that.
            match self.state.compare_exchange_weak(state, left, Release, Relaxed) {
                Ok(_) if lets_readers_in => self.wake_readers(),
                Ok(_) if writers != 0 => self.wake_writer(),
                Ok(_) => {}
                Err(now) => {
                    state = now;
                    continue;
                }
            }
            return 0;
        }
    }
}

/// Defines functions that take a lock: glibc's for shared ones, and else what the body says.
macro_rules! define {
    ($($name:ident($this:ident $(, $argument:ident: $type:ty)*) $body:block)+) => {$(
        /// As that of libc.
        ///
        /// # Safety
        ///
        /// As that of libc.
        pub unsafe extern "C" fn $name(lock: *mut pthread_rwlock_t $(, $argument: $type)*) -> c_int {
            // SAFETY: as the caller promises.
            let $this = unsafe { Lock::at(lock) };
            if $this.is_shared() {
                // SAFETY: as the caller promises.
                return wait::section(|| unsafe {
                    call_next!(
                        $name(*mut pthread_rwlock_t $(, $type)*) -> c_int,
                        lock $(, $argument)*
                    )
                });
            }
            $body
        }
    )+};
}

/// Until when a wait lasts, if that is a time: else the function fails.
macro_rules! until {
    ($clock:expr, $time:expr) => {
        // SAFETY: as the caller promises.
        match deadline::at($clock, unsafe { &*$time }) {
            Ok(deadline) => deadline,
            Err(deadline::Invalid) => return libc::EINVAL,
        }
    };
}

define! {
    pthread_rwlock_rdlock(this) {
        this.read(None)
    }

    pthread_rwlock_wrlock(this) {
        this.write(None)
    }

    pthread_rwlock_timedrdlock(this, time: Time) {
        this.read(until!(libc::CLOCK_REALTIME, time))
    }

    pthread_rwlock_timedwrlock(this, time: Time) {
        this.write(until!(libc::CLOCK_REALTIME, time))
    }

    pthread_rwlock_clockrdlock(this, clock: clockid_t, time: Time) {
        this.read(until!(clock, time))
    }

    pthread_rwlock_clockwrlock(this, clock: clockid_t, time: Time) {
        this.write(until!(clock, time))
    }

    pthread_rwlock_tryrdlock(this) {
        match this.try_read(0) {
            Look::Taken => 0,
            Look::Full => libc::EAGAIN,
            Look::Wait => libc::EBUSY,
        }
    }

    pthread_rwlock_trywrlock(this) {
        if this.try_write(0) { 0 } else { libc::EBUSY }
    }

    pthread_rwlock_unlock(this) {
        this.unlock()
    }
}

/// Defines other names of functions.
macro_rules! alias {
    ($($name:ident = $function:ident;)+) => {$(
        /// As that of libc: another name.
        ///
        /// # Safety
        ///
        /// As that of libc.
        pub unsafe extern "C" fn $name(lock: *mut pthread_rwlock_t) -> c_int {
            // SAFETY: as the caller promises.
            unsafe { $function(lock) }
        }
    )+};
}

alias! {
    __pthread_rwlock_rdlock = pthread_rwlock_rdlock;
    __pthread_rwlock_wrlock = pthread_rwlock_wrlock;
    __pthread_rwlock_tryrdlock = pthread_rwlock_tryrdlock;
    __pthread_rwlock_trywrlock = pthread_rwlock_trywrlock;
    __pthread_rwlock_unlock = pthread_rwlock_unlock;
}
