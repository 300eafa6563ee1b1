//! `Mutex`: a [`RawMutex`] beside the data it guards, and a flag for poison.

mod raw;

use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::panic::{RefUnwindSafe, UnwindSafe};

pub(super) use self::raw::RawMutex;
use super::poison;
use super::{LockResult, TryLockError, TryLockResult};

/// Guards data against being used by two threads at once.
///
/// A thread that has to wait for the lock is parked if it is green, and blocked if it is not.
///
/// This corresponds to [`std::sync::Mutex`].
///
/// # Examples
///
/// ```
/// use std_shim::sync::{Arc, Mutex};
/// use std_shim::thread;
///
/// let total = Arc::new(Mutex::new(0));
/// let adders: Vec<_> = (1..=4)
///     .map(|n| {
///         let total = Arc::clone(&total);
///         thread::spawn(move || *total.lock().unwrap() += n)
///     })
///     .collect();
/// for adder in adders {
///     adder.join().unwrap();
/// }
/// assert_eq!(*total.lock().unwrap(), 10);
/// ```
pub struct Mutex<T: ?Sized> {
    raw: RawMutex,
    poison: poison::Flag,
    data: UnsafeCell<T>,
}

// SAFETY: the lock owns its data and hands it from thread to thread; `T: Send` allows that.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}
// SAFETY: a shared lock gives its data to one thread at a time (`RawMutex`), so sharing the lock
// only ever sends the data.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

impl<T: ?Sized> UnwindSafe for Mutex<T> {}
impl<T: ?Sized> RefUnwindSafe for Mutex<T> {}

/// Gives access to the data of a locked [`Mutex`], and unlocks it when dropped.
///
/// This corresponds to [`std::sync::MutexGuard`].
#[must_use = "if unused the Mutex will immediately unlock"]
#[clippy::has_significant_drop]
pub struct MutexGuard<'a, T: ?Sized + 'a> {
    // Whoever makes a guard has just taken the lock, and nobody but the guard's `drop` and
    // `Condvar::wait` (which takes it again) gives it up: while there is a guard, its lock is held.
    lock: &'a Mutex<T>,
    poison: poison::Guard,
    not_send: PhantomData<*const ()>,
}

// SAFETY: a shared guard gives out `&T` only; `T: Sync` allows that.
unsafe impl<T: ?Sized + Sync> Sync for MutexGuard<'_, T> {}

impl<T> Mutex<T> {
    /// Creates an unlocked mutex.
    ///
    /// This corresponds to [`std::sync::Mutex::new`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::Mutex;
    ///
    /// static NAMES: Mutex<Vec<&str>> = Mutex::new(Vec::new());
    ///
    /// NAMES.lock().unwrap().push("one");
    /// ```
    #[inline]
    pub const fn new(t: T) -> Mutex<T> {
        Mutex { raw: RawMutex::new(), poison: poison::Flag::new(), data: UnsafeCell::new(t) }
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Locks the mutex, parking the calling green thread (blocking an ordinary one) until it can.
    ///
    /// A thread that has the lock already waits for itself, forever.
    ///
    /// This corresponds to [`std::sync::Mutex::lock`].
    ///
    /// # Errors
    ///
    /// If a thread panicked with the lock held; the error contains the guard.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::Mutex;
    /// use std_shim::thread;
    ///
    /// let total = Mutex::new(0);
    /// thread::scope(|scope| {
    ///     for n in 0..10 {
    ///         let total = &total;
    ///         scope.spawn(move || *total.lock().unwrap() += n);
    ///     }
    /// });
    /// assert_eq!(*total.lock().unwrap(), 45);
    /// ```
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        self.raw.lock();
        self.guard()
    }

    /// Locks the mutex if that is possible at once.
    ///
    /// This corresponds to [`std::sync::Mutex::try_lock`].
    ///
    /// # Errors
    ///
    /// [`TryLockError::WouldBlock`] if the lock is held, [`TryLockError::Poisoned`] with the guard
    /// if a thread panicked with the lock held.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::{Mutex, TryLockError};
    ///
    /// let lock = Mutex::new(1);
    /// let guard = lock.try_lock().unwrap();
    /// assert!(matches!(lock.try_lock(), Err(TryLockError::WouldBlock)));
    /// drop(guard);
    /// assert_eq!(*lock.try_lock().unwrap(), 1);
    /// ```
    pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        if self.raw.try_lock() { Ok(self.guard()?) } else { Err(TryLockError::WouldBlock) }
    }

    /// The guard of a lock that the caller has just taken.
    fn guard(&self) -> LockResult<MutexGuard<'_, T>> {
        self.poison.wrap(MutexGuard {
            lock: self,
            poison: poison::Guard::new(),
            not_send: PhantomData,
        })
    }

    /// Returns whether a thread panicked with the lock held.
    ///
    /// This corresponds to [`std::sync::Mutex::is_poisoned`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::Mutex;
    /// use std_shim::thread;
    ///
    /// let lock = Mutex::new(1);
    /// thread::scope(|scope| {
    ///     let breaks = scope.spawn(|| {
    ///         let _guard = lock.lock().unwrap();
    ///         panic!("while it is locked");
    ///     });
    ///     assert!(breaks.join().is_err());
    /// });
    /// assert!(lock.is_poisoned());
    /// ```
    #[inline]
    pub fn is_poisoned(&self) -> bool {
        self.poison.get()
    }

    /// Forgets that a thread panicked with the lock held.
    ///
    /// This corresponds to [`std::sync::Mutex::clear_poison`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::Mutex;
    /// use std_shim::thread;
    ///
    /// let lock = Mutex::new(1);
    /// thread::scope(|scope| {
    ///     let breaks = scope.spawn(|| {
    ///         let _guard = lock.lock().unwrap();
    ///         panic!("while it is locked");
    ///     });
    ///     assert!(breaks.join().is_err());
    /// });
    /// let mut guard = lock.lock().unwrap_or_else(|poisoned| {
    ///     lock.clear_poison();
    ///     poisoned.into_inner()
    /// });
    /// *guard = 2;
    /// drop(guard);
    /// assert_eq!(*lock.lock().unwrap(), 2);
    /// ```
    #[inline]
    pub fn clear_poison(&self) {
        self.poison.clear();
    }

    /// Returns the data, and consumes the mutex.
    ///
    /// This corresponds to [`std::sync::Mutex::into_inner`].
    ///
    /// # Errors
    ///
    /// If a thread panicked with the lock held; the error contains the data.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::Mutex;
    ///
    /// let lock = Mutex::new(String::from("hello"));
    /// assert_eq!(lock.into_inner().unwrap(), "hello");
    /// ```
    pub fn into_inner(self) -> LockResult<T>
    where
        T: Sized,
    {
        let data = self.data.into_inner();
        self.poison.wrap(data)
    }

    /// Returns the data; the exclusive borrow makes a lock unnecessary.
    ///
    /// This corresponds to [`std::sync::Mutex::get_mut`].
    ///
    /// # Errors
    ///
    /// If a thread panicked with the lock held; the error contains the reference.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::Mutex;
    ///
    /// let mut lock = Mutex::new(1);
    /// // Whoever has it alone needs no lock.
    /// *lock.get_mut().unwrap() = 2;
    /// assert_eq!(*lock.lock().unwrap(), 2);
    /// ```
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        let data = self.data.get_mut();
        self.poison.wrap(data)
    }
}

impl<T> From<T> for Mutex<T> {
    /// Creates an unlocked mutex, as [`Mutex::new`] does.
    fn from(t: T) -> Self {
        Mutex::new(t)
    }
}

impl<T: Default> Default for Mutex<T> {
    /// Creates an unlocked mutex around the default of `T`.
    fn default() -> Mutex<T> {
        Mutex::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Mutex");
        match self.try_lock() {
            Ok(guard) => out.field("data", &&*guard),
            Err(TryLockError::Poisoned(error)) => out.field("data", &&**error.get_ref()),
            Err(TryLockError::WouldBlock) => out.field("data", &"<locked>"),
        };
        out.field("poisoned", &self.is_poisoned());
        out.finish_non_exhaustive()
    }
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// The lock that this guard holds, for `Condvar`.
    pub(super) fn raw(&self) -> &'a RawMutex {
        &self.lock.raw
    }

    /// The flag of the lock that this guard holds, for `Condvar`.
    pub(super) fn poison_flag(&self) -> &'a poison::Flag {
        &self.lock.poison
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the guard holds the lock, so no other thread refers to the data; `&self` keeps
        // this thread from `deref_mut`.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard holds the lock, so no other thread refers to the data; `&mut self`
        // keeps this thread from a second reference.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.poison.done(&self.poison);
        // SAFETY: the guard holds the lock, and is gone after this.
        unsafe { self.lock.raw.unlock() }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
