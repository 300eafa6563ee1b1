//! Mutexes, in glibc's objects: `pthread_mutex_t`.
//!
//! What is here is what waits and what ends a wait. `pthread_mutex_init`, `destroy` and the rest only
//! write to the object or read from it; they are glibc's, and find there what it would have left.
//!
//! | word | meaning |
//! |---|---|
//! | `lock` | 0: nobody has it; 1: somebody has it; 2: somebody has it and others may wait |
//! | `count` | how often its owner has locked a recursive one |
//! | `owner` | the number of who has it (`owner`), by which those who look from outside know it, too |
//! | `n_users` | 1 while somebody has it, or is to get it back from a condition: `destroy` says `EBUSY` |
//! | `kind` | the type, and what it can do beside |
//!
//! `count`, `owner` and `n_users` are written by who has the lock. Others read `owner` to see whether it is
//! their own number, which nobody else writes.
//!
//! # Waiting
//!
//! The lock word has the states of the mirror's mutex, and threads wait for their turn in the same queue
//! (`sylvan::contract::wait_turn`, `sylvan::contract::pass_on`). A thread that was woken competes with those
//! that come by, and after a millisecond it is handed the lock. A wait leaves 2 behind, and a thread that
//! takes the lock after a wait takes it as 2, since others may wait still. So as long as anybody waits, an
//! unlock passes the lock on. A wait that ends by its deadline may leave a 2 for nobody, which costs one
//! look.
//!
//! An unlock of a lock that nobody has is an error that glibc does not notice, nor does this.
//!
//! Green threads and OS threads are in one queue. A handler of a signal runs in the middle of a wait, which
//! goes on after it.
//!
//! # Whose they are
//!
//! Those that other processes share, robust ones and those with a ceiling are glibc's: it waits in the
//! kernel, in a blocking section. An ordinary one that hands on its waiters' priority
//! (`PTHREAD_PRIO_INHERIT`) is a mutex like others: the kernel knows no green threads, so there is no
//! priority to be handed on.

use std::ffi::c_int;
use std::hint;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicI32, AtomicU32};
use std::time::Instant;

use libc::{clockid_t, pthread_mutex_t, timespec};
use sylvan::WaitReason;
use sylvan::contract::{LockWord, Turn};

use crate::deadline::{self, Deadline};
use crate::next::call_next;
use crate::owner::me;
use crate::wait::{self, Restart};

const FREE: u32 = 0;
const HELD: u32 = 1;
const AWAITED: u32 = 2;

/// The types. The fourth, an adaptive one, is an ordinary one here: each waiter looks again before it parks.
const TYPE: i32 = 3;
const RECURSIVE: i32 = 1;
const ERROR_CHECKING: i32 = 2;

/// Robust, with a ceiling, shared: and what `destroy` leaves has all bits.
const FOREIGN: i32 = 16 | 64 | 128;

/// How often a green thread looks at a held lock, and an OS thread, before it parks: about what that costs.
const LOOKS_GREEN: u32 = 4;
const LOOKS_ORDINARY: u32 = 100;

/// As glibc has it.
#[repr(C)]
struct Mutex {
    lock: AtomicU32,
    count: AtomicU32,
    owner: AtomicU32,
    n_users: AtomicU32,
    kind: AtomicI32,
}

const _: () = assert!(size_of::<Mutex>() <= size_of::<pthread_mutex_t>());

/// How a wait for a lock ends early.
#[derive(Clone, Copy)]
enum Until<'a> {
    Forever,
    /// The time is looked at when it has to be.
    Time(clockid_t, &'a timespec),
}

impl Mutex {
    /// # Safety
    ///
    /// It is a mutex, for as long as the caller uses it.
    unsafe fn at<'a>(mutex: *mut pthread_mutex_t) -> &'a Self {
        // SAFETY: as the caller promises. All access is atomic.
        unsafe { &*mutex.cast() }
    }

    /// Whether all is glibc's.
    #[inline]
    fn is_foreign(&self) -> bool {
        self.kind.load(Relaxed) & FOREIGN != 0
    }

    #[inline]
    fn try_take(&self) -> bool {
        // Acquires what the last unlock released.
        self.lock.compare_exchange(FREE, HELD, Acquire, Relaxed).is_ok()
    }

    /// The caller has it, for the first time.
    #[inline]
    fn enter(&self) {
        self.owner.store(me(), Relaxed);
        self.n_users.store(self.n_users.load(Relaxed).wrapping_add(1), Relaxed);
    }

    #[inline]
    fn lock(&self, until: Until<'_>) -> c_int {
        match self.kind.load(Relaxed) & TYPE {
            RECURSIVE if self.is_mine() => return self.lock_again(),
            ERROR_CHECKING if self.is_mine() => return libc::EDEADLK,
            _ => {}
        }
        let error = if self.try_take() { 0 } else { self.take_slowly(until) };
        if error == 0 {
            self.enter();
            self.count.store(1, Relaxed);
        }
        error
    }

    fn try_lock(&self) -> c_int {
        if self.kind.load(Relaxed) & TYPE == RECURSIVE && self.is_mine() {
            return self.lock_again();
        }
        if !self.try_take() {
            return libc::EBUSY;
        }
        self.enter();
        self.count.store(1, Relaxed);
        0
    }

    #[inline]
    fn is_mine(&self) -> bool {
        self.owner.load(Relaxed) == me()
    }

    fn lock_again(&self) -> c_int {
        let Some(count) = self.count.load(Relaxed).checked_add(1) else { return libc::EAGAIN };
        self.count.store(count, Relaxed);
        0
    }

    /// Gives it up; `n_users` is how many users that leaves less.
    #[inline]
    fn unlock(&self, n_users: u32) -> c_int {
        let kind = self.kind.load(Relaxed) & TYPE;
        if kind == RECURSIVE || kind == ERROR_CHECKING {
            if !self.is_mine() {
                return libc::EPERM;
            }
            if kind == RECURSIVE {
                let count = self.count.load(Relaxed).wrapping_sub(1);
                self.count.store(count, Relaxed);
                if count != 0 {
                    return 0;
                }
            }
        }
        self.owner.store(0, Relaxed);
        self.n_users.store(self.n_users.load(Relaxed).wrapping_sub(n_users), Relaxed);
        // Releases to whoever takes the lock next. It is not touched after that.
        if self.lock.compare_exchange(HELD, FREE, Release, Relaxed) == Err(AWAITED) {
            self.pass_on();
        }
        0
    }

    #[cold]
    fn pass_on(&self) {
        sylvan::contract::pass_on(&self.lock, FREE, AWAITED);
    }

    #[cold]
    fn take_slowly(&self, until: Until<'_>) -> c_int {
        let deadline = match until {
            Until::Forever => None,
            Until::Time(clock, time) => match deadline::at(clock, time) {
                Ok(deadline) => deadline,
                Err(deadline::Invalid) => return libc::EINVAL,
            },
        };
        if self.wait_for_it(deadline) { 0 } else { libc::ETIMEDOUT }
    }

    /// Whether the caller has got the lock before the deadline.
    fn wait_for_it(&self, deadline: Deadline) -> bool {
        let mut seen = self.look();
        if seen == FREE {
            match self.lock.compare_exchange(FREE, HELD, Acquire, Relaxed) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        let mut since = None;
        loop {
            // Acquires what the last unlock released, if that left the word `FREE`.
            if seen != AWAITED && self.lock.swap(AWAITED, Acquire) == FREE {
                return true;
            }
            let since = *since.get_or_insert_with(Instant::now);
            let (lock, reason) = (self.word(), WaitReason::Mutex);
            match wait::turn(lock, AWAITED, since, deadline, reason, Restart::Always) {
                Ok(Turn::Granted) => return true,
                Ok(Turn::TimedOut) => return false,
                _ => {}
            }
            seen = self.look();
        }
    }

    /// What threads wait at, who say by it who has the lock to those who look at them.
    fn word(&self) -> LockWord<'_> {
        LockWord::with_owner(&self.lock, &self.owner)
    }

    /// Looks at the word until it says something else than `HELD`, for a short while.
    fn look(&self) -> u32 {
        let mut seen = self.lock.load(Relaxed);
        if seen != HELD {
            return seen;
        }
        for _ in 0..if sylvan::is_green() { LOOKS_GREEN } else { LOOKS_ORDINARY } {
            hint::spin_loop();
            seen = self.lock.load(Relaxed);
            if seen != HELD {
                break;
            }
        }
        seen
    }
}

/// For a condition: gives the mutex up, and stays its user.
///
/// # Safety
///
/// As for [`pthread_mutex_unlock`].
pub(crate) unsafe fn leave(mutex: *mut pthread_mutex_t) -> c_int {
    // SAFETY: as the caller promises.
    let this = unsafe { Mutex::at(mutex) };
    // SAFETY: as the caller promises.
    if this.is_foreign() { unsafe { pthread_mutex_unlock(mutex) } } else { this.unlock(0) }
}

/// For a condition: takes the mutex again.
///
/// # Safety
///
/// As for [`pthread_mutex_lock`].
pub(crate) unsafe fn come_back(mutex: *mut pthread_mutex_t) -> c_int {
    // SAFETY: as the caller promises.
    let this = unsafe { Mutex::at(mutex) };
    if this.is_foreign() {
        // SAFETY: as the caller promises.
        return unsafe { pthread_mutex_lock(mutex) };
    }
    let error = this.lock(Until::Forever);
    if error == 0 {
        // It has been its user all the time.
        this.n_users.store(this.n_users.load(Relaxed).wrapping_sub(1), Relaxed);
    }
    error
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn pthread_mutex_lock(mutex: *mut pthread_mutex_t) -> c_int {
    // SAFETY: as the caller promises.
    let this = unsafe { Mutex::at(mutex) };
    if this.is_foreign() {
        // SAFETY: as the caller promises.
        return wait::section(|| unsafe {
            call_next!(pthread_mutex_lock(*mut pthread_mutex_t) -> c_int, mutex)
        });
    }
    this.lock(Until::Forever)
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn pthread_mutex_trylock(mutex: *mut pthread_mutex_t) -> c_int {
    // SAFETY: as the caller promises.
    let this = unsafe { Mutex::at(mutex) };
    if this.is_foreign() {
        // SAFETY: as the caller promises.
        return unsafe { call_next!(pthread_mutex_trylock(*mut pthread_mutex_t) -> c_int, mutex) };
    }
    this.try_lock()
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn pthread_mutex_unlock(mutex: *mut pthread_mutex_t) -> c_int {
    // SAFETY: as the caller promises.
    let this = unsafe { Mutex::at(mutex) };
    if this.is_foreign() {
        // SAFETY: as the caller promises.
        return unsafe { call_next!(pthread_mutex_unlock(*mut pthread_mutex_t) -> c_int, mutex) };
    }
    this.unlock(1)
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn pthread_mutex_timedlock(
    mutex: *mut pthread_mutex_t,
    time: *const timespec,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { pthread_mutex_clocklock(mutex, libc::CLOCK_REALTIME, time) }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn pthread_mutex_clocklock(
    mutex: *mut pthread_mutex_t,
    clock: clockid_t,
    time: *const timespec,
) -> c_int {
    // SAFETY: as the caller promises.
    let this = unsafe { Mutex::at(mutex) };
    if this.is_foreign() {
        // SAFETY: as the caller promises.
        return wait::section(|| unsafe {
            call_next!(
                pthread_mutex_clocklock(*mut pthread_mutex_t, clockid_t, *const timespec) -> c_int,
                mutex,
                clock,
                time
            )
        });
    }
    if !deadline::is_clock(clock) {
        return libc::EINVAL;
    }
    // SAFETY: as the caller promises.
    this.lock(Until::Time(clock, unsafe { &*time }))
}

/// As that of libc: another name of [`pthread_mutex_lock`].
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn __pthread_mutex_lock(mutex: *mut pthread_mutex_t) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { pthread_mutex_lock(mutex) }
}

/// As that of libc: another name of [`pthread_mutex_trylock`].
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn __pthread_mutex_trylock(mutex: *mut pthread_mutex_t) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { pthread_mutex_trylock(mutex) }
}

/// As that of libc: another name of [`pthread_mutex_unlock`].
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn __pthread_mutex_unlock(mutex: *mut pthread_mutex_t) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { pthread_mutex_unlock(mutex) }
}
