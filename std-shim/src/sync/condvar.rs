//! `Condvar`: a counter of notifications that waiting threads watch.
//!
//! A waiter reads the counter with the mutex held, unlocks the mutex, and parks unless the counter
//! has moved. A notifier moves the counter and wakes. A thread that changes the condition under
//! the mutex and notifies afterwards does so after the waiter's read. So the waiter either sees
//! the counter moved, or is parked already and is woken. No notification gets lost between the
//! unlock and the park.
//!
//! A waiter can miss that the counter moved only if it moves 2^32 times in that gap.
//!
//! The condition variable knows no mutex: waiters with different mutexes are served alike.
//!
//! # Memory ordering
//!
//! The counter is relaxed throughout. It carries no data, and the mutex orders all that matters:
//! the waiter's read before its unlock, the notifier's change after its own lock.

use std::fmt;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::{LockResult, MutexGuard};
use crate::bridge::{self, Wait, WaitReason};

/// Lets threads wait until another thread says that something has changed.
///
/// A wait may end although nobody notified; wait in a loop, or by [`Condvar::wait_while`].
///
/// This corresponds to [`std::sync::Condvar`].
///
/// # Examples
///
/// ```
/// use std_shim::sync::{Arc, Condvar, Mutex};
/// use std_shim::thread;
///
/// let shared = Arc::new((Mutex::new(false), Condvar::new()));
/// let starter = Arc::clone(&shared);
/// thread::spawn(move || {
///     *starter.0.lock().unwrap() = true;
///     starter.1.notify_one();
/// });
/// let (started, changed) = &*shared;
/// let started = changed.wait_while(started.lock().unwrap(), |started| !*started).unwrap();
/// assert!(*started);
/// ```
pub struct Condvar {
    notifications: AtomicU32,
}

/// Says whether a wait with a time limit ended because of it.
///
/// This corresponds to [`std::sync::WaitTimeoutResult`].
#[derive(Debug, PartialEq, Eq, Copy, Clone)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Returns whether the wait is known to have ended by its time limit.
    ///
    /// This corresponds to [`std::sync::WaitTimeoutResult::timed_out`].
    #[must_use]
    pub fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    /// Creates a condition variable.
    ///
    /// This corresponds to [`std::sync::Condvar::new`].
    #[must_use]
    #[inline]
    pub const fn new() -> Condvar {
        Condvar { notifications: AtomicU32::new(0) }
    }

    /// Unlocks `guard`, parks the calling green thread (blocks an ordinary one) until notified,
    /// and locks again.
    ///
    /// This corresponds to [`std::sync::Condvar::wait`].
    ///
    /// # Errors
    ///
    /// If the mutex is poisoned when locked again; the error contains the guard.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::{Condvar, Mutex};
    /// use std_shim::thread;
    ///
    /// let (ready, changed) = (Mutex::new(false), Condvar::new());
    /// thread::scope(|scope| {
    ///     scope.spawn(|| {
    ///         *ready.lock().unwrap() = true;
    ///         changed.notify_one();
    ///     });
    ///     let mut is_ready = ready.lock().unwrap();
    ///     while !*is_ready {
    ///         is_ready = changed.wait(is_ready).unwrap();
    ///     }
    /// });
    /// ```
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        self.wait_until(&guard, None);
        guard.poison_flag().wrap(guard)
    }

    /// Waits as long as `condition` holds.
    ///
    /// Parks the calling green thread; from an ordinary thread, blocks it.
    ///
    /// This corresponds to [`std::sync::Condvar::wait_while`].
    ///
    /// # Errors
    ///
    /// As [`Condvar::wait`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::{Condvar, Mutex};
    /// use std_shim::thread;
    ///
    /// let (left, changed) = (Mutex::new(3), Condvar::new());
    /// thread::scope(|scope| {
    ///     for _ in 0..3 {
    ///         scope.spawn(|| {
    ///             *left.lock().unwrap() -= 1;
    ///             changed.notify_one();
    ///         });
    ///     }
    ///     let left = changed.wait_while(left.lock().unwrap(), |left| *left > 0).unwrap();
    ///     assert_eq!(*left, 0);
    /// });
    /// ```
    pub fn wait_while<'a, T, F>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: F,
    ) -> LockResult<MutexGuard<'a, T>>
    where
        F: FnMut(&mut T) -> bool,
    {
        while condition(&mut *guard) {
            guard = self.wait(guard)?;
        }
        Ok(guard)
    }

    /// Waits until notified, for `ms` milliseconds at most; `false` says that they passed.
    ///
    /// This corresponds to [`std::sync::Condvar::wait_timeout_ms`].
    ///
    /// # Errors
    ///
    /// As [`Condvar::wait_timeout`].
    #[deprecated(since = "1.6.0", note = "replaced by `std::sync::Condvar::wait_timeout`")]
    pub fn wait_timeout_ms<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        ms: u32,
    ) -> LockResult<(MutexGuard<'a, T>, bool)> {
        let timed_out = self.wait_for(&guard, Duration::from_millis(ms.into()));
        guard.poison_flag().wrap((guard, !timed_out))
    }

    /// Waits until notified, for `dur` at most.
    ///
    /// A `dur` that is too long for the clock has no end.
    ///
    /// Parks the calling green thread; from an ordinary thread, blocks it.
    ///
    /// This corresponds to [`std::sync::Condvar::wait_timeout`].
    ///
    /// # Errors
    ///
    /// If the mutex is poisoned when locked again; the error contains what would have been
    /// returned.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::{Condvar, Mutex};
    /// use std_shim::time::Duration;
    ///
    /// let (lock, never) = (Mutex::new(()), Condvar::new());
    /// let guard = lock.lock().unwrap();
    /// // Nobody notifies. It may return early all the same, so it belongs in a loop.
    /// let (_guard, _waited) = never.wait_timeout(guard, Duration::from_millis(5)).unwrap();
    /// ```
    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        dur: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let timed_out = self.wait_for(&guard, dur);
        guard.poison_flag().wrap((guard, WaitTimeoutResult(timed_out)))
    }

    /// Waits as long as `condition` holds, for `dur` at most.
    ///
    /// The result says whether the time passed with the condition still holding.
    ///
    /// Parks the calling green thread; from an ordinary thread, blocks it.
    ///
    /// This corresponds to [`std::sync::Condvar::wait_timeout_while`].
    ///
    /// # Errors
    ///
    /// As [`Condvar::wait_timeout`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::{Condvar, Mutex};
    /// use std_shim::time::Duration;
    ///
    /// let (ready, changed) = (Mutex::new(false), Condvar::new());
    /// let guard = ready.lock().unwrap();
    /// let patience = Duration::from_millis(5);
    /// let (guard, waited) = changed.wait_timeout_while(guard, patience, |ready| !*ready).unwrap();
    /// assert!(waited.timed_out() && !*guard);
    /// ```
    pub fn wait_timeout_while<'a, T, F>(
        &self,
        mut guard: MutexGuard<'a, T>,
        dur: Duration,
        mut condition: F,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)>
    where
        F: FnMut(&mut T) -> bool,
    {
        let start = Instant::now();
        loop {
            if !condition(&mut *guard) {
                return Ok((guard, WaitTimeoutResult(false)));
            }
            let Some(left) = dur.checked_sub(start.elapsed()) else {
                return Ok((guard, WaitTimeoutResult(true)));
            };
            guard = self.wait_timeout(guard, left)?.0;
        }
    }

    /// Wakes one of the threads that wait, if any does.
    ///
    /// This corresponds to [`std::sync::Condvar::notify_one`].
    pub fn notify_one(&self) {
        self.notify(1);
    }

    /// Wakes all threads that wait.
    ///
    /// This corresponds to [`std::sync::Condvar::notify_all`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::{Condvar, Mutex};
    /// use std_shim::thread;
    ///
    /// let (open, opened) = (Mutex::new(false), Condvar::new());
    /// thread::scope(|scope| {
    ///     for _ in 0..10 {
    ///         scope.spawn(|| drop(opened.wait_while(open.lock().unwrap(), |open| !*open)));
    ///     }
    ///     *open.lock().unwrap() = true;
    ///     opened.notify_all();
    /// });
    /// ```
    pub fn notify_all(&self) {
        self.notify(usize::MAX);
    }

    fn notify(&self, n: usize) {
        self.notifications.fetch_add(1, Relaxed);
        bridge::wake(&self.notifications, n);
    }

    /// As `wait_until`, with a length of time; too long a time is for ever.
    fn wait_for<T>(&self, guard: &MutexGuard<'_, T>, dur: Duration) -> bool {
        self.wait_until(guard, Instant::now().checked_add(dur))
    }

    /// Unlocks what `guard` holds, waits, and locks it again; says whether the deadline passed.
    fn wait_until<T>(&self, guard: &MutexGuard<'_, T>, deadline: Option<Instant>) -> bool {
        let mutex = guard.raw();
        let seen = self.notifications.load(Relaxed);
        // SAFETY: the guard holds the lock. Its callers own the guard and hand it on only after
        // the lock has been taken again, so nobody gets at the data in between.
        unsafe { mutex.unlock() };
        let ended = bridge::wait(&self.notifications, seen, deadline, WaitReason::Condvar);
        mutex.lock();
        ended == Wait::TimedOut
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").finish_non_exhaustive()
    }
}

impl Default for Condvar {
    /// Creates a condition variable, as [`Condvar::new`] does.
    fn default() -> Condvar {
        Condvar::new()
    }
}
